//! `--split`: cuts a file into ranges of whole rows. Several runs of the program can then share the file, each with one
//! range.

use crate::csv::row_ends::RowEnds;
use crate::csv::row_start::RowStart;
use crate::csv::{Format, lines};
use crate::input::BYTE_ORDER_MARK;
use std::io::{self, Read};

/// A range of a file, which begins and ends where rows do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileRange {
    /// Offset of the first byte.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// Number of the line that begins at `offset`, from 1. Messages about rows in the range need it.
    pub first_line: u64,
}

/// How many bytes are read at a time. A piece of this size stays in a core's second-level cache while row ends are
/// looked for and lines are counted.
const PIECE: usize = 256 << 10;

/// Returns at most `count` ranges of about equal size, in order, which together cover the file of `size` bytes. Each
/// range ends where a row ends, and no range is empty. The first one contains the first row, because that row may be a
/// header. The first `skip_lines` lines are not rows.
///
/// # Errors
/// If the file cannot be read.
pub fn ranges(file: impl Read, size: u64, count: u64, format: Format, skip_lines: u64) -> io::Result<Vec<FileRange>> {
    let (file, ends) = (file.take(size), RowEnds::new(format));
    let mut walk = Walk { file, format, skip_lines, piece: vec![], start: 0, seen: 0, ends, offset: 0, lines: 0 };
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

/// Returns the least offset that the next cut after `cut` may have. The next cut is made at the first row end at or
/// after this offset. Returns `None` if the rest of the file is the last range.
fn target(size: u64, count: u64, cut: u64) -> Option<u64> {
    let [size, count, cut] = [size, count, cut].map(u128::from);
    // The least `number` whose offset, `number * size / count`, lies behind `cut`.
    let number = if size == 0 { count } else { ((cut + 1) * count).div_ceil(size) };
    (number < count).then(|| (number * size / count) as u64)
}

/// A walk through a file from one row end to the next. The file is read in pieces.
struct Walk<R> {
    file: R,
    format: Format,
    /// How many of the next lines must be passed over (`--skip-lines`).
    skip_lines: u64,
    /// The piece of the file that was read last.
    piece: Vec<u8>,
    /// Offset in the piece at which the text for `ends` begins. This text begins with a row, or with the rest of a row
    /// that began in an earlier piece.
    start: usize,
    /// How many bytes of the piece have been looked at.
    seen: usize,
    ends: RowEnds,
    /// Offset in the file that corresponds to `start`.
    offset: u64,
    /// Number of line feeds in the file before `offset`.
    lines: u64,
}

impl<R: Read> Walk<R> {
    /// Reads pieces until one has bytes behind the lines that must be passed over. Returns false if the file ends
    /// before that.
    fn read(&mut self) -> io::Result<bool> {
        while self.read_piece()? {
            while self.skip_lines > 0 && self.seen < self.piece.len() {
                let line = memchr::memchr(b'\n', self.news());
                self.skip_lines -= u64::from(line.is_some());
                self.seen = line.map_or(self.piece.len(), |line| self.seen + line + 1);
                self.begin_at(self.seen);
            }
            if self.seen < self.piece.len() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads the next piece. Returns whether the piece has bytes, besides a byte order mark at the start of the file.
    fn read_piece(&mut self) -> io::Result<bool> {
        self.piece.clear();
        self.file.by_ref().take(PIECE as u64).read_to_end(&mut self.piece)?;
        (self.start, self.seen) = (0, 0);
        if self.offset == 0 && self.piece.starts_with(BYTE_ORDER_MARK) {
            self.seen = BYTE_ORDER_MARK.len();
            self.begin_at(self.seen);
        }
        Ok(self.seen < self.piece.len())
    }

    /// Returns the bytes of the piece that have not been looked at.
    fn news(&self) -> &[u8] {
        &self.piece[self.seen..]
    }

    fn look_at(&mut self, to: usize) {
        self.ends.look_at(&self.piece[self.start..to]);
        self.seen = to;
    }

    /// Moves to the first row end at offset `place` of the file or behind it, and returns the offset of that row end.
    /// Returns `None` if there is none in this piece.
    fn pass_to(&mut self, place: u64) -> Option<u64> {
        // Row ends before `place` do not matter, so the bytes before it are looked at in one call. The last of them is
        // left out, because it may be the line feed of a row that ends exactly at `place`.
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

    /// Looks at the rest of the piece, so that the piece is no longer needed.
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

    /// Returns the ends of all lines behind the byte order mark and the first `skip_lines` lines, found row by row with
    /// [`split`]. Also returns the end of the first row.
    fn ends(text: &[u8], format: Format, skip_lines: u64) -> (Vec<usize>, usize) {
        let mut at = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        for _ in 0..skip_lines {
            at = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |line| at + line + 1);
        }
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

    fn expected(text: &[u8], count: u64, format: Format, skip_lines: u64) -> Vec<FileRange> {
        let (ends, first_row) = ends(text, format, skip_lines);
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
            skip_lines in proptest::prop_oneof![3 => 0..1u64, 1 => 1..4u64, 1 => 1..200_000u64],
            text in proptest::collection::vec(proptest::sample::select(b"\"\"\",,,1\n\n\n\r# \t".as_slice()), 0..300),
            count in proptest::prop_oneof![1..6u64, 1..400u64],
            delimiter in proptest::sample::select(b",\t".as_slice()),
            quote in proptest::sample::select([Some(b'"'), None].as_slice()),
            comment in proptest::sample::select([Some(b'#'), None].as_slice()),
            // Padding in front of the text, so that a piece may end in the padding or anywhere in the text.
            padding in proptest::sample::select([None, Some("1,2\n"), Some("\"\n"), Some("#"), Some(" "), Some("\n")].as_slice()),
        ) {
            let format = Format { delimiter, quote, comment, ..Format::default() };
            let mark = if has_mark { BYTE_ORDER_MARK } else { b"" };
            let padding = padding.map_or(String::new(), |padding| padding.repeat((PIECE + 150 - missing) / padding.len()));
            let quote = if is_open { &b"\""[..] } else { b"" };
            let text = [mark, quote, padding.as_bytes(), &text].concat();
            let found = ranges(&*text, text.len() as u64, count, format, skip_lines).unwrap();
            proptest::prop_assert_eq!(found, expected(&text, count, format, skip_lines));
        }
    }
}
