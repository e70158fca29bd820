//! A bad row: one type, from the kernel that cannot take it to the message about it.
//!
//! Each stage adds what it knows. A kernel says what is wrong, and with which field. The worker that has split the row adds where the
//! row lies, and writes all of that behind its results, as a report. The parent reads the report back, and the writer, which alone
//! knows files and lines, prints it or writes it to `--rejects`. A row that the reader cannot hand on is a bad row too, and so is
//! a header that does not do.

use crate::csv::record::Record;
use crate::error::printable;
use std::fmt::Display;
use std::ops::Range;

/// What is wrong with a row.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BadRow {
    /// The number of the field at fault, from 1, if it is one.
    pub field: Option<usize>,
    /// The message, without the row's place. Empty where nobody will hear it.
    pub what: String,
    /// What may have been meant: said behind the message.
    pub(crate) hint: String,
    /// Where the row lies in the text that it was found in, without its line end.
    pub(crate) row: Range<usize>,
    /// The place in that text whose line is to be named: where the row begins, or what is at fault in it.
    pub(crate) place: usize,
    /// Where in that text the next row begins.
    pub(crate) end: usize,
    /// What kind of bad row it is.
    pub(crate) kind: Kind,
}

/// What is special about a bad row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Kind {
    /// Nothing.
    #[default]
    Plain,
    /// Workers keep dying of it.
    Deadly,
    /// A quote in it is never closed, so its end is not known and it cannot be printed with its line end.
    Unclosed,
    /// It does not fit into a block.
    TooLong,
    /// It is a header: the run ends.
    Header,
}

impl BadRow {
    /// A bad row for a reason that is no single field's.
    pub fn row(what: impl Into<String>) -> Self {
        BadRow { what: what.into(), ..BadRow::default() }
    }

    /// A bad row because of one of the record's fields, counted from 0. The message is `field N WHAT`.
    pub fn in_field(record: &Record, field: usize, what: impl Display) -> Self {
        let number = record.number(field);
        BadRow { field: Some(number), ..BadRow::row(format!("field {number} {what}")) }
    }

    /// The same, which lies here in the text; `end` is where the next row begins. The line to be named is its first.
    pub(crate) fn at(self, row: Range<usize>, end: usize) -> Self {
        BadRow { place: row.start, row, end, ..self }
    }

    /// The same, with the line at this place to be named.
    pub(crate) fn named_at(self, place: usize) -> Self {
        BadRow { place, ..self }
    }

    /// The same, of this kind.
    pub(crate) fn of(self, kind: Kind) -> Self {
        BadRow { kind, ..self }
    }

    /// The same with this hint.
    pub(crate) fn hinting(self, hint: impl Into<String>) -> Self {
        BadRow { hint: hint.into(), ..self }
    }
}

/// A bad row among the results of a part of a block, as bytes behind them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Report {
    /// How many bytes of the part's results come before it.
    pub results: usize,
    /// The row, without its hint, and without where the next one begins.
    pub bad: BadRow,
}

const NUMBERS: usize = 7;
const HEAD: usize = NUMBERS * 4;

impl Report {
    /// Appends the report of this row to `bytes`. Its message is cut so that the report takes no more than `room` bytes. Answers
    /// whether there was room for a report at all.
    pub fn append(bad: &BadRow, results: usize, bytes: &mut Vec<u8>, room: usize) -> bool {
        if room < HEAD {
            return false;
        }
        let what = &bad.what[..bad.what.floor_char_boundary(room - HEAD)];
        let numbers = [
            results,
            bad.row.start,
            bad.row.end,
            bad.place,
            bad.field.unwrap_or(0),
            usize::from(bad.kind == Kind::Deadly),
            what.len(),
        ];
        bytes.extend(numbers.map(|number| (number as u32).to_le_bytes()).as_flattened());
        bytes.extend_from_slice(what.as_bytes());
        true
    }

    /// How many bytes the report of this row takes when it is not cut.
    pub fn length(bad: &BadRow) -> usize {
        HEAD + bad.what.len()
    }

    /// Takes the first report from the front of `bytes`, about a part of `part` bytes of input with `results` bytes of results.
    /// None where the bytes are no such report.
    pub fn take(bytes: &mut &[u8], part: usize, results: usize) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(HEAD)?;
        let (numbers, _) = head.as_chunks::<4>();
        let number = |at: usize| u32::from_le_bytes(numbers[at]) as usize;
        let (what, rest) = rest.split_at_checked(number(6))?;
        *bytes = rest;
        // Copied before it is looked at: a worker that breaks the protocol may change it meanwhile.
        let what = String::from_utf8(what.to_vec()).ok()?;
        let what = if what.is_empty() { what } else { printable(what.as_ref()) };
        let field = Some(number(4)).filter(|&field| field > 0);
        let kind = if number(5) == 1 { Kind::Deadly } else { Kind::Plain };
        let (row, place) = (number(1)..number(2), number(3));
        let is_within = row.start <= row.end && row.end.max(place) <= part && number(0) <= results;
        let bad = BadRow { field, what, row, place, kind, ..BadRow::default() };
        is_within.then_some(Report { results: number(0), bad })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_comes_back_and_nonsense_does_not() {
        let bad = BadRow { field: Some(2), ..BadRow::row("is é") }.at(5..9, 0).named_at(7).of(Kind::Deadly);
        let mut bytes = vec![];
        assert!(Report::append(&bad, 3, &mut bytes, 1000) && Report::append(&bad, 3, &mut bytes, HEAD + 4));
        assert!(!Report::append(&bad, 3, &mut bytes, HEAD - 1));
        assert_eq!(Report::length(&bad), HEAD + 5);
        let mut rest = &bytes[..];
        assert_eq!(Report::take(&mut rest, 9, 3), Some(Report { results: 3, bad: bad.clone() }));
        let cut = BadRow { what: "is ".into(), ..bad };
        assert_eq!(Report::take(&mut rest, 9, 3), Some(Report { results: 3, bad: cut }));
        assert!(rest.is_empty());
        for (part, results) in [(8, 3), (9, 2)] {
            assert_eq!(Report::take(&mut &bytes[..], part, results), None);
        }
        assert_eq!(Report::take(&mut &bytes[..HEAD + 2], 9, 3), None);
    }

    #[test]
    fn words_have_nothing_in_them_that_a_terminal_would_obey() {
        let mut bytes = vec![];
        assert!(Report::append(&BadRow::row("\x1b[7mé\n"), 0, &mut bytes, 1000));
        assert_eq!(Report::take(&mut &bytes[..], 0, 0).unwrap().bad.what, "\\u{1b}[7mé\\n");
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_worker_writes_what_is_taken_is_within_bounds(
            bytes in proptest::collection::vec(proptest::prop_oneof![0..=3u8, 0u8..], 0..200),
            part in 0..100usize,
            results in 0..100usize,
        ) {
            let mut rest = &bytes[..];
            while let Some(Report { results: before, bad }) = Report::take(&mut rest, part, results) {
                proptest::prop_assert!(before <= results && bad.place <= part);
                proptest::prop_assert!(bad.row.start <= bad.row.end && bad.row.end <= part);
            }
        }
    }
}
