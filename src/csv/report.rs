//! What a worker says about a bad row, as bytes behind its results.

use crate::error::printable;
use std::borrow::Cow;
use std::ops::Range;

/// A bad row in part of a block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report<'a> {
    /// How many bytes of the part's results come before it.
    pub results: usize,
    /// Where the row lies in the part, without its line end.
    pub row: Range<usize>,
    /// Where in the part the line begins, or what is at fault on it, that is to be named.
    pub place: usize,
    /// The number of the field at fault, from 1, if it is one.
    pub field: Option<usize>,
    /// Whether workers die of it.
    pub is_deadly: bool,
    /// What is wrong; nothing where nobody hears it.
    pub what: Cow<'a, str>,
}

const NUMBERS: usize = 7;
const HEAD: usize = NUMBERS * 4;

impl<'a> Report<'a> {
    /// Appends it to `bytes`, its words cut short so that it takes no more than `room`; answers whether it did fit.
    pub fn append(&self, bytes: &mut Vec<u8>, room: usize) -> bool {
        if room < HEAD {
            return false;
        }
        let what = &self.what[..self.what.floor_char_boundary(room - HEAD)];
        let numbers = [
            self.results,
            self.row.start,
            self.row.end,
            self.place,
            self.field.unwrap_or(0),
            usize::from(self.is_deadly),
            what.len(),
        ];
        bytes.extend(numbers.map(|number| (number as u32).to_le_bytes()).as_flattened());
        bytes.extend_from_slice(what.as_bytes());
        true
    }

    /// How many bytes it takes when it is not cut.
    pub fn length(&self) -> usize {
        HEAD + self.what.len()
    }

    /// Takes the first of these reports about a part of so many bytes, with so many bytes of results; none where these
    /// bytes are no such report.
    pub fn take(bytes: &mut &'a [u8], part: usize, results: usize) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(HEAD)?;
        let (numbers, _) = head.as_chunks::<4>();
        let number = |at: usize| u32::from_le_bytes(numbers[at]) as usize;
        let (what, rest) = rest.split_at_checked(number(6))?;
        *bytes = rest;
        // Copied before it is looked at: a worker that breaks the protocol may change it under us.
        let what = String::from_utf8(what.to_vec()).ok()?;
        let what = if what.is_empty() { what.into() } else { printable(what.as_ref()).into() };
        let field = Some(number(4)).filter(|&field| field > 0);
        let (results_before, row, place, is_deadly) = (number(0), number(1)..number(2), number(3), number(5) == 1);
        let report = Report { results: results_before, row, place, field, is_deadly, what };
        let is_within = report.row.start <= report.row.end && report.row.end.max(report.place) <= part;
        (is_within && report.results <= results).then_some(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_comes_back_and_nonsense_does_not() {
        let report = Report { results: 3, row: 5..9, place: 7, field: Some(2), is_deadly: true, what: "is é".into() };
        let mut bytes = vec![];
        assert!(report.append(&mut bytes, 1000) && report.append(&mut bytes, HEAD + 4));
        assert!(!report.append(&mut bytes, HEAD - 1));
        let mut rest = &bytes[..];
        assert_eq!(Report::take(&mut rest, 9, 3).as_ref(), Some(&report));
        assert_eq!(Report::take(&mut rest, 9, 3), Some(Report { what: "is ".into(), ..report.clone() }));
        assert!(rest.is_empty());
        for (part, results) in [(8, 3), (9, 2)] {
            assert_eq!(Report::take(&mut &bytes[..], part, results), None);
        }
        assert_eq!(Report::take(&mut &bytes[..HEAD + 2], 9, 3), None);
    }

    #[test]
    fn words_have_nothing_in_them_that_a_terminal_would_obey() {
        let what = "\x1b[7mé\n".into();
        let report = Report { results: 0, row: 0..0, place: 0, field: None, is_deadly: false, what };
        let mut bytes = vec![];
        assert!(report.append(&mut bytes, 1000));
        assert_eq!(Report::take(&mut &bytes[..], 0, 0).unwrap().what, "\\u{1b}[7mé\\n");
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_worker_writes_what_is_taken_is_within_bounds(
            bytes in proptest::collection::vec(proptest::prop_oneof![0..=3u8, 0u8..], 0..200),
            part in 0..100usize,
            results in 0..100usize,
        ) {
            let mut rest = &bytes[..];
            while let Some(report) = Report::take(&mut rest, part, results) {
                proptest::prop_assert!(report.results <= results && report.place <= part);
                proptest::prop_assert!(report.row.start <= report.row.end && report.row.end <= part);
            }
        }
    }
}
