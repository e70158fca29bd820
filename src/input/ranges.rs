//! Ranges of a file that hold whole rows, for runs that share it: each computes one of them.

use crate::csv::blocks::RowEnds;
use crate::csv::{Format, lines};
use crate::input::BYTE_ORDER_MARK;
use std::io::{self, Read};

/// A part of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileRange {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u64,
    /// The number of the line that it begins with, from 1.
    pub first_line: u64,
}

/// How much is looked at together: it stays in a core's second-level cache while ends are looked for and lines counted.
const PIECE: usize = 256 << 10;

/// At most `count` ranges, about equal in bytes, that together are the file of this size, in order. Each ends where a
/// row ends; none is empty, and the first has the first row in it, which may be a header.
///
/// # Errors
/// When the file cannot be read.
pub fn ranges(file: impl Read, size: u64, count: u64, format: Format) -> io::Result<Vec<FileRange>> {
    let mut text = Text::new(file.take(size), format);
    let mut found = vec![];
    let (mut offset, mut first_line) = (0, 1);
    let mut target = target(size, count, 0);
    let mut leading = Leading::Start;
    while text.read()? {
        let Some(first_row) = leading.row_in(text.news(), format) else {
            text.pass();
            continue;
        };
        let first_row = text.place(text.seen + first_row);
        while let Some(cut) = target.and_then(|target| text.pass_to(target.max(first_row + 1))) {
            found.push(FileRange { offset, length: cut - offset, first_line });
            (offset, first_line) = (cut, text.lines + 1);
            target = self::target(size, count, cut);
        }
        text.pass();
    }
    let end = text.place(text.filled);
    if end > offset {
        found.push(FileRange { offset, length: end - offset, first_line });
    }
    Ok(found)
}

/// Where the cut after this one is to be, or behind it; none where the rest is the last range.
fn target(size: u64, count: u64, cut: u64) -> Option<u64> {
    let [size, count, cut] = [size, count, cut].map(u128::from);
    // The first of the places `number * size / count` that is beyond the cut.
    let number = if size == 0 { count } else { ((cut + 1) * count).div_ceil(size) };
    (number < count).then(|| (number * size / count) as u64)
}

/// The piece of a file that is looked at, from a row's beginning or within a row.
struct Text<R> {
    file: R,
    format: Format,
    buffer: Vec<u8>,
    /// Where in the buffer it begins, how far it was looked at, and where it ends.
    start: usize,
    seen: usize,
    filled: usize,
    /// What was seen of it.
    ends: RowEnds,
    /// Where in the file it begins.
    offset: u64,
    /// Line ends before that.
    lines: u64,
}

impl<R: Read> Text<R> {
    fn new(file: R, format: Format) -> Self {
        let (buffer, ends) = (vec![0; PIECE], RowEnds::new(format));
        Text { file, format, buffer, start: 0, seen: 0, filled: 0, ends, offset: 0, lines: 0 }
    }

    /// Reads on, and answers whether there was anything.
    fn read(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.filled, 0);
        self.seen -= self.start;
        self.filled -= self.start;
        self.start = 0;
        while self.filled < self.buffer.len() {
            match self.file.read(&mut self.buffer[self.filled..]) {
                Ok(0) => break,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.offset == 0 && self.buffer[..self.filled].starts_with(BYTE_ORDER_MARK) {
            self.seen = BYTE_ORDER_MARK.len();
            self.begin_at(self.seen);
        }
        Ok(self.seen < self.filled)
    }

    /// Where in the file this place in the buffer is.
    fn place(&self, at: usize) -> u64 {
        self.offset + (at - self.start) as u64
    }

    /// What was not looked at yet.
    fn news(&self) -> &[u8] {
        &self.buffer[self.seen..self.filled]
    }

    fn look_at(&mut self, to: usize) {
        self.ends.look_at(&self.buffer[self.start..to]);
        self.seen = to;
    }

    /// Goes on to the first end of a row that is at this place in the file or behind it, if that is here.
    fn pass_to(&mut self, place: u64) -> Option<u64> {
        // No end before the place matters, so that all of that can be looked at in one go.
        let before = self.start as u64 + (place - 1).saturating_sub(self.offset);
        self.look_at((before.min(self.filled as u64) as usize).max(self.seen));
        while let Some(line) = memchr::memchr(b'\n', self.news()) {
            self.look_at(self.seen + line + 1);
            if self.start + self.ends.end() == self.seen {
                self.begin_at(self.seen);
                self.ends = RowEnds::new(self.format);
                return Some(self.offset);
            }
        }
        None
    }

    /// Looks at all there is, and lets go of what is not needed to look further.
    fn pass(&mut self) {
        self.look_at(self.filled);
        if self.ends.end() == 0 {
            let kept = self.ends.forget();
            self.begin_at(self.start + kept);
        } else {
            self.begin_at(self.start + self.ends.end());
            self.ends = RowEnds::new(self.format);
            self.look_at(self.filled);
        }
    }

    fn begin_at(&mut self, start: usize) {
        let passed = &self.buffer[self.start..start];
        self.lines += lines(passed) as u64;
        self.offset += passed.len() as u64;
        self.start = start;
    }
}

/// What the lines before the first row are like, up to some byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leading {
    /// At the start of a line.
    Start,
    Blanks,
    /// After a carriage return, which ends a blank line or a comment only with a line feed, and else makes a row of it.
    Return,
    Comment,
    Row,
}

impl Leading {
    /// The first byte in the text that is of a row, which is that of the first row as long as there was none.
    fn row_in(&mut self, text: &[u8], format: Format) -> Option<usize> {
        text.iter().position(|&byte| {
            *self = match (*self, byte) {
                (Leading::Row, _) => Leading::Row,
                (_, b'\n') => Leading::Start,
                (Leading::Start | Leading::Blanks | Leading::Comment, b'\r') => Leading::Return,
                (Leading::Comment, _) => Leading::Comment,
                (Leading::Start, _) if Some(byte) == format.comment => Leading::Comment,
                (Leading::Start | Leading::Blanks, _) if format.is_blank(byte) => Leading::Blanks,
                _ => Leading::Row,
            };
            *self == Leading::Row
        })
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
            at = match line {
                Line::Row { length, .. } | Line::Stray { length, .. } | Line::Nothing { length } => at + length,
                Line::Unclosed { .. } => text.len(),
            };
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
