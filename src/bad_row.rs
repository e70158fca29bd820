//! A row that cannot be mapped. One type carries it from the place where the fault is found to the message that is
//! printed.
//!
//! Each stage adds what it knows. The kernel says what is wrong, and with which field. The worker, which has split the
//! row, adds the position of the row, and writes everything as a report behind its results. The parent reads the
//! report. The parent's writer knows file names and line numbers. It prints the messages of the first bad rows, and
//! writes all bad rows to the file of `--rejects`. A row that does not fit into a block and an unusable header are bad
//! rows, too. The reader finds these two.

use crate::csv::record::Record;
use crate::error::printable;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::fmt::Display;
use std::ops::Range;

/// A row that cannot be mapped, and why.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BadRow {
    /// The number of the field at fault, from 1, among those that the kernel takes ([`of_field`](BadRow::of_field)) or
    /// those of the row ([`in_field`](BadRow::in_field)). `None` if the fault is not in a single field.
    pub field: Option<usize>,
    /// The message, without file and line. After [`of_field`](BadRow::of_field) it also lacks `field N`, which the run
    /// puts in front. Empty if no message about this row will be printed.
    pub what: String,
    /// A hint at what the user may have meant, appended to the message.
    pub(crate) hint: String,
    /// Byte range of the row, without its line end, in the text in which it was found.
    pub(crate) row: Range<usize>,
    /// Where the fault is, as a byte offset in that text, or else where the row begins. The message names the line at
    /// this offset.
    pub(crate) place: usize,
    /// Byte offset in that text at which the next row begins.
    pub(crate) end: usize,
    /// Whether the row needs special treatment, and which.
    pub(crate) kind: Kind,
}

/// The kind of a bad row, which decides how the row is treated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Kind {
    /// An ordinary bad row, such as one with a field that is not a number.
    #[default]
    Plain,
    /// A row that the kernel could read, and for which it has given a reason in place of results.
    Refused,
    /// A row on which workers keep dying.
    Deadly,
    /// A row with a quote that is never closed. Its end is not known, so no empty result can be appended to the row.
    Unclosed,
    /// A row that does not fit into a block.
    TooLong,
    /// Not a bad row, but one that lacks a value: a field contains a text that stands for a missing value. Its result
    /// is empty.
    Missing,
    /// An unusable header. It ends the run, whatever is done about bad rows.
    Header,
    /// The command does not do what it should. The run ends at this row, whatever is done about bad rows.
    Failed,
    /// The command cannot be run. The run ends, and no row is to blame.
    Unrunnable,
}

impl Kind {
    /// The kinds that a worker reports. A report contains the position of its kind in this list. A kind that is not in
    /// the list is reported as `Plain`, because the parent treats both in the same way.
    const REPORTED: [Kind; 5] = [Kind::Plain, Kind::Refused, Kind::Deadly, Kind::Failed, Kind::Unrunnable];

    /// Whether a worker that finds such a row ends the run, whatever is done about bad rows. `Header` is not among
    /// these kinds, because only the reader finds it.
    pub fn ends_run(self) -> bool {
        matches!(self, Kind::Failed | Kind::Unrunnable)
    }
}

/// The name under which a [`BadRow`] serializes itself. If an output is a `Result`, its error is recognized as a bad
/// row by this name.
pub(crate) const NAME: &str = "pmapgcd::BadRow";

/// Serializes the message, and the index, from 0, of the field at fault. This is needed because outputs are serialized,
/// and an output can be a `Result` whose error is a bad row.
impl Serialize for BadRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct(NAME, 2)?;
        fields.serialize_field("field", &self.field.and_then(|number| (number as u64).checked_sub(1)))?;
        fields.serialize_field("what", &self.what)?;
        fields.end()
    }
}

/// Lets `?` turn any error that can be printed into a bad row.
impl<E: Display> From<E> for BadRow {
    fn from(error: E) -> Self {
        BadRow::row(error.to_string())
    }
}

impl BadRow {
    /// Makes a bad row whose fault is in one field. A kernel returns it in the `Err` of its output. `field` is the
    /// index of the field, from 0, among the fields that the kernel takes. The run prints `field N WHAT`, where N
    /// counts the fields of the row from 1, or only `WHAT` if the row has no such field.
    ///
    /// ```
    /// use pmapgcd::BadRow;
    ///
    /// fn root(&(name, square): &(char, f64)) -> Result<(char, f64), BadRow> {
    ///     if square < 0.0 {
    ///         return Err(BadRow::of_field(1, "is below 0"));
    ///     }
    ///     Ok((name, square.sqrt()))
    /// }
    /// assert_eq!(root(&('a', -1.0)).unwrap_err().what, "is below 0");
    /// ```
    pub fn of_field(field: usize, what: impl Display) -> Self {
        BadRow { field: field.checked_add(1), ..BadRow::row(what.to_string()) }
    }

    /// Makes a bad row whose fault is not in a single field. `what` is the message.
    pub fn row(what: impl Into<String>) -> Self {
        BadRow { what: what.into(), ..BadRow::default() }
    }

    /// Makes a bad row whose fault is in the field of `record` at index `field`, from 0. The message is `field N WHAT`,
    /// where N is the number of the field in the row, from 1.
    pub fn in_field(record: &Record, field: usize, what: impl Display) -> Self {
        let number = record.number(field);
        BadRow { field: Some(number), ..BadRow::row(format!("field {number} {what}")) }
    }

    /// Sets the position: `row` is the row's byte range in its text, and `end` is where the next row begins. The
    /// message will name the line on which the row begins.
    pub(crate) fn at(self, row: Range<usize>, end: usize) -> Self {
        BadRow { place: row.start, row, end, ..self }
    }

    /// Makes the message name the line at byte offset `place` of the text, instead of the row's first line.
    pub(crate) fn named_at(self, place: usize) -> Self {
        BadRow { place, ..self }
    }

    /// Sets the kind.
    pub(crate) fn of(self, kind: Kind) -> Self {
        BadRow { kind, ..self }
    }

    /// Sets the hint.
    pub(crate) fn hinting(self, hint: impl Into<String>) -> Self {
        BadRow { hint: hint.into(), ..self }
    }
}

/// A bad row as a worker passes it to the parent: as bytes behind the results of a part of a block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Report {
    /// How many bytes of the part's results belong to rows before the bad one.
    pub results: usize,
    /// The bad row. Its `hint` and its `end` are not passed on and have default values.
    pub bad: BadRow,
}

const NUMBERS: usize = 7;
const HEAD: usize = NUMBERS * 4;

impl Report {
    /// Appends the report of the bad row to `bytes`; `results` is [`Report::results`]. Cuts the message if the report
    /// would take more than `room` bytes. If `room` is too small even for a report without a message, appends nothing
    /// and returns false.
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
            Kind::REPORTED.iter().position(|&kind| kind == bad.kind).unwrap_or(0),
            what.len(),
        ];
        bytes.extend(numbers.map(|number| (number as u32).to_le_bytes()).as_flattened());
        bytes.extend_from_slice(what.as_bytes());
        true
    }

    /// Returns the length in bytes of the uncut report of `bad`.
    pub fn length(bad: &BadRow) -> usize {
        HEAD + bad.what.len()
    }

    /// Removes the first report from the front of `bytes`. `part` is the length in bytes of the part's input, and
    /// `results` that of its results. Returns `None` if the report is malformed or a position exceeds these lengths.
    pub fn take(bytes: &mut &[u8], part: usize, results: usize) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(HEAD)?;
        let (numbers, _) = head.as_chunks::<4>();
        let number = |at: usize| u32::from_le_bytes(numbers[at]) as usize;
        let (what, rest) = rest.split_at_checked(number(6))?;
        *bytes = rest;
        // Copy the message before checking it, and use only the copy: a worker that breaks the protocol can change the
        // bytes in shared memory even after the check.
        let what = String::from_utf8(what.to_vec()).ok()?;
        let what = if what.is_empty() { what } else { printable(what.as_ref()) };
        let field = Some(number(4)).filter(|&field| field > 0);
        let kind = Kind::REPORTED.get(number(5)).copied().unwrap_or_default();
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
