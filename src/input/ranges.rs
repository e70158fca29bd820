//! `--split`: cuts a file into ranges of whole rows, so that several runs can share it, each with one range.

use crate::csv::row_ends::RowEnds;
use crate::csv::row_start::RowStart;
use crate::csv::{Format, lines};
use crate::input::BYTE_ORDER_MARK;
use std::io::{self, Read};

/// A range of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileRange {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u64,
    /// The number of the line that it begins with, from 1.
    pub first_line: u64,
}

/// How many bytes are looked at together. So many stay in a core's second-level cache while row ends are looked for and lines
/// counted.
const PIECE: usize = 256 << 10;

/// At most `count` ranges, about equal in bytes, that together are the file of this size, in order. Each ends where a
/// row ends; none is empty; and the first range has the first row in it, which may be a header.
///
/// # Errors
/// When the file cannot be read.
pub fn ranges(file: impl Read, size: u64, count: u64, format: Format) -> io::Result<Vec<FileRange>> {
    let (file, ends) = (file.take(size), RowEnds::new(format));
    let mut walk = Walk { file, format, piece: vec![], start: 0, seen: 0, ends, offset: 0, lines: 0 };
    let mut found = vec![];
    let (mut offset, mut first_line) = (0, 1);
    let mut target = target(size, count, 0);
    let mut row_start = RowStart::new(format);
    while walk.read()? {
        if let Some(first_row) = row_start.find(walk.news()) {
            let first_row = walk.offset + first_row as u64;
            while let Some(cut) = target.and_then(|target| walk.pass_to(target.max(first_row + 1))) {
                found.push(FileRange { offset, length: cut - offset, first_line });
                (offset, first_line) = (cut, walk.lines + 1);
                target = self::target(size, count, cut);
            }
        }
        walk.pass();
    }
    if walk.offset > offset {
        found.push(FileRange { offset, length: walk.offset - offset, first_line });
    }
    Ok(found)
}

/// Where the cut after this one is to be, or at the first end of a row behind that; nothing where the rest is the last range.
fn target(size: u64, count: u64, cut: u64) -> Option<u64> {
    let [size, count, cut] = [size, count, cut].map(u128::from);
    // The first of the places `number * size / count` that is beyond the cut.
    let number = if size == 0 { count } else { ((cut + 1) * count).div_ceil(size) };
    (number < count).then(|| (number * size / count) as u64)
}

/// A walk over a file, piece by piece and from one end of a row to the next.
struct Walk<R> {
    file: R,
    format: Format,
    /// The piece that is looked at.
    piece: Vec<u8>,
    /// Where in the piece the text begins that `ends` looks at: a row, or what is left of one.
    start: usize,
    /// How much of the piece was looked at.
    seen: usize,
    ends: RowEnds,
    /// Where in the file `start` is, in bytes.
    offset: u64,
    /// Line ends before that.
    lines: u64,
}

impl<R: Read> Walk<R> {
    /// Reads the next piece, and returns whether there is anything in it.
    fn read(&mut self) -> io::Result<bool> {
        self.piece.clear();
        self.file.by_ref().take(PIECE as u64).read_to_end(&mut self.piece)?;
        (self.start, self.seen) = (0, 0);
        if self.offset == 0 && self.piece.starts_with(BYTE_ORDER_MARK) {
            self.seen = BYTE_ORDER_MARK.len();
            self.begin_at(self.seen);
        }
        Ok(self.seen < self.piece.len())
    }

    /// What was not looked at yet.
    fn news(&self) -> &[u8] {
        &self.piece[self.seen..]
    }

    fn look_at(&mut self, to: usize) {
        self.ends.look_at(&self.piece[self.start..to]);
        self.seen = to;
    }

    /// Goes on to the first end of a row that is at this place in the file or behind it, if there is one in this piece.
    fn pass_to(&mut self, place: u64) -> Option<u64> {
        // No end before the place matters, so all of that can be looked at in one go.
        let before = self.start as u64 + (place - 1).saturating_sub(self.offset);
        self.look_at((before.min(self.piece.len() as u64) as usize).max(self.seen));
        while let Some(line) = memchr::memchr(b'\n', self.news()) {
            self.look_at(self.seen + line + 1);
            if self.start + self.ends.end() == self.seen {
                self.begin_row_at(self.seen);
                return Some(self.offset);
            }
        }
        None
    }

    /// Looks at the rest of the piece, which is then needed no more.
    fn pass(&mut self) {
        self.look_at(self.piece.len());
        if self.ends.end() > 0 {
            self.begin_row_at(self.start + self.ends.end());
            self.look_at(self.piece.len());
        }
        self.ends.forget();
        self.begin_at(self.piece.len());
    }

    fn begin_row_at(&mut self, at: usize) {
        self.begin_at(at);
        self.ends = RowEnds::new(self.format);
    }

    fn begin_at(&mut self, at: usize) {
        let passed = &self.piece[self.start..at];
        self.lines += lines(passed) as u64;
        self.offset += passed.len() as u64;
        self.start = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::record::{Line, split};

    /// Where rows and what is between them end, and where the first row does; the mark is no part of any.
    fn ends(text: &[u8], format: Format) -> (Vec<usize>, usize) {
        let mut at = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let (mut ends, mut first_row) = (vec![], None);
        while at < text.len() {
            let line = split(&text[at..], format, &mut vec![]);
            at = line.length().map_or(text.len(), |length| at + length);
            if !matches!(line, Line::Nothing { .. }) {
                first_row = first_row.or(Some(at));
            }
            ends.push(at);
        }
        (ends, first_row.unwrap_or(text.len()))
    }

    fn expected(text: &[u8], count: u64, format: Format) -> Vec<FileRange> {
        let (ends, first_row) = ends(text, format);
        let size = text.len() as u64;
        let mut cuts: Vec<usize> = (1..count)
            .filter_map(|number| {
                let target = (number * size / count) as usize;
                ends.iter().copied().find(|&end| end >= target.max(first_row) && end > 0)
            })
            .filter(|&cut| cut < text.len())
            .collect();
        cuts.dedup();
        let starts = std::iter::once(0).chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain([text.len()]);
        let range = |(start, end): (usize, usize)| FileRange {
            offset: start as u64,
            length: (end - start) as u64,
            first_line: lines(&text[..start]) as u64 + 1,
        };
        starts.zip(ends).filter(|(start, end)| start < end).map(range).collect()
    }

    proptest::proptest! {
        #[test]
        fn cuts_are_the_first_ends_of_rows_at_or_behind_equal_shares(
            has_mark in proptest::bool::ANY,
            is_open in proptest::bool::ANY,
            missing in 0..300usize,
            text in proptest::collection::vec(proptest::sample::select(b"\"\"\",,,1\n\n\n\r# \t".as_slice()), 0..300),
            count in proptest::prop_oneof![1..6u64, 1..400u64],
            delimiter in proptest::sample::select(b",\t".as_slice()),
            quote in proptest::sample::select([Some(b'"'), None].as_slice()),
            comment in proptest::sample::select([Some(b'#'), None].as_slice()),
            // In front, so that pieces end in it or anywhere in the text.
            padding in proptest::sample::select([None, Some("1,2\n"), Some("\"\n"), Some("#"), Some(" "), Some("\n")].as_slice()),
        ) {
            let format = Format { delimiter, quote, comment };
            let mark = if has_mark { BYTE_ORDER_MARK } else { b"" };
            let padding = padding.map_or(String::new(), |padding| padding.repeat((PIECE + 150 - missing) / padding.len()));
            let quote = if is_open { &b"\""[..] } else { b"" };
            let text = [mark, quote, padding.as_bytes(), &text].concat();
            let found = ranges(&*text, text.len() as u64, count, format).unwrap();
            proptest::prop_assert_eq!(found, expected(&text, count, format));
        }
    }
}
