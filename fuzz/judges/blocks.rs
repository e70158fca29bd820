//! Judges `input::reader::Reader`: it must cut text that arrives in pieces into blocks of whole rows.

use super::{MOST, file, format, newlines, reader};
use crate::csv::Format;
use crate::csv::record::{Line, split};
use crate::csv::row_ends::RowEnds;
use crate::flow::{Block, Ending, Source};
use crate::input::Shape;
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::File;
use std::io::Write;
use std::ops::Range;

/// A line of the text: a row (which may span several lines if quoted), a comment or a blank line.
struct Piece {
    place: Range<usize>,
    is_row: bool,
    /// Whether the line has a quote that is never closed.
    is_open: bool,
}

/// Splits a text into its lines by the function that reads single rows, which serves as the reference here.
fn pieces(text: &[u8], format: Format) -> Vec<Piece> {
    let (mut pieces, mut at, mut fields) = (vec![], 0, vec![]);
    while at < text.len() {
        let (length, is_row, is_open) = match split(&text[at..], format, &mut fields) {
            Line::Row { length, .. } | Line::Stray { length, .. } => (length, true, false),
            Line::Nothing { length } => (length, false, false),
            Line::Unclosed { .. } => (text.len() - at, true, true),
        };
        pieces.push(Piece { place: at..at + length, is_row, is_open });
        at += length;
    }
    pieces
}

/// Returns the offsets up to which the text has arrived after each step. `cuts` gives the sizes of the steps (less 1),
/// and is used again from its start when it is used up.
fn arrivals(length: usize, cuts: &[u8]) -> Vec<usize> {
    let (mut arrivals, mut arrived) = (vec![], 0);
    for cut in cuts.iter().cycle() {
        arrived = length.min(arrived + 1 + usize::from(*cut));
        arrivals.push(arrived);
        if arrived == length {
            break;
        }
    }
    arrivals
}

/// Checks that `RowEnds` finds the ends of rows at the same places as `pieces` has them, although the text arrives in
/// steps.
fn check_ends(text: &[u8], format: Format, pieces: &[Piece], cuts: &[u8]) {
    let mut ends = RowEnds::new(format);
    let mut whole = pieces.iter().map(|piece| piece.place.end).filter(|&end| text[..end].ends_with(b"\n")).peekable();
    // A line end within a quote that is never closed does not end a row.
    let open = pieces.last().filter(|piece| piece.is_open).map(|piece| piece.place.start);
    let mut end = 0;
    for arrived in arrivals(text.len(), cuts) {
        while let Some(next) = whole.next_if(|&next| next <= arrived && open.is_none_or(|start| next <= start)) {
            end = next;
        }
        ends.look_at(&text[..arrived]);
        assert_eq!(ends.end(), end, "of {}", text[..arrived].escape_ascii());
    }
    assert_eq!(ends.is_inside(), open.is_some());
    let is_comment = text.get(end).is_some_and(|&first| Some(first) == format.comment);
    assert_eq!(ends.is_in_comment(), is_comment);
}

/// How far the blocks that were checked have come in the text.
struct Walk<'a> {
    text: &'a [u8],
    pieces: &'a [Piece],
    /// Length of the byte order mark in front of the text: 0 or 3.
    mark: usize,
    block: usize,
    passes_over: bool,
    /// Index of the first piece that no block has contained yet.
    next: usize,
    /// Number of line ends up to there, by the reader's counts.
    lines: u64,
}

impl Walk<'_> {
    fn is_too_long(&self, piece: &Piece) -> bool {
        piece.place.len() > self.block
    }

    /// Whether the next line is complete when `arrived` bytes of the text have arrived.
    fn is_ready(&self, arrived: usize) -> bool {
        self.pieces.get(self.next).is_some_and(|piece| {
            piece.place.end <= arrived && !piece.is_open && self.text[..piece.place.end].ends_with(b"\n")
        })
    }

    /// Checks the next block. Returns whether it holds as many rows as fit.
    fn take(&mut self, block: Block, buffer: &[u8]) -> bool {
        let rows = &buffer[block.rows];
        let first = &self.pieces[self.next];
        let start = first.place.start;
        self.lines += block.lines_before;
        let end = if rows.is_empty() {
            assert!(self.is_too_long(first));
            assert_eq!(block.misfit.is_some(), first.is_row);
            assert!(self.passes_over || !first.is_row);
            if let Some(row) = block.misfit {
                assert_eq!(row.offset as usize, self.mark + start);
                assert!(self.text[start..].starts_with(&row.bytes));
            }
            self.next += 1;
            assert_eq!(block.offset as usize, self.mark + first.place.end);
            first.place.end
        } else {
            assert_eq!(block.offset as usize, self.mark + start);
            assert_eq!(block.lines_before, 0);
            let end = start + rows.len();
            assert_eq!(rows.escape_ascii().to_string(), self.text[start..end].escape_ascii().to_string());
            while self.pieces.get(self.next).is_some_and(|piece| piece.place.end <= end) {
                assert!(!self.is_too_long(&self.pieces[self.next]));
                self.next += 1;
            }
            assert_eq!(self.pieces[self.next - 1].place.end, end, "a block ends within a row");
            self.lines += newlines(rows) as u64;
            end
        };
        assert_eq!(self.lines as usize, newlines(&self.text[..end]));
        match self.pieces.get(self.next) {
            // The last line of the text may still grow, so that the reader must leave room for its line end.
            Some(piece) if piece.place.end == self.text.len() => piece.place.end - start >= self.block,
            Some(piece) => piece.place.end - start > self.block,
            None => true,
        }
    }

    fn end(&self, ending: Ending) {
        match ending {
            Ending::Done => assert_eq!(self.next, self.pieces.len(), "lines are missing"),
            Ending::Misfit { row, .. } => {
                let next = &self.pieces[self.next];
                assert!(!self.passes_over && next.is_row && self.is_too_long(next));
                assert_eq!(row.offset as usize, self.mark + next.place.start);
            }
            other => panic!("ended by {other:?}"),
        }
    }
}

/// Checks that all blocks together are the input without the lines that are too long for a block, and that each block
/// ends where a row ends.
pub fn blocks(bytes: &[u8]) {
    let Some((&[by_format, block, how, ref cuts @ ..], bytes)) = bytes.split_first_chunk::<8>() else { return };
    let (format, bytes) = (format(by_format), &bytes[..bytes.len().min(MOST)]);
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let pieces = pieces(text, format);
    check_ends(text, format, &pieces, cuts);

    let (block, passes_over, mark) = (1 + usize::from(block), how & 1 > 0, bytes.len() - text.len());
    // A block must be able to hold the byte order mark and one byte more.
    let block = block.max(4);
    let mut walk = Walk { text, pieces: &pieces, mark, block, passes_over, next: 0, lines: 0 };
    let shape = Shape { format, ..Shape::default() };
    let mut buffer = vec![0; block];
    if how & 2 == 0 {
        let file = file(bytes);
        let mut reader = reader(&file, shape, passes_over);
        loop {
            match reader.next_block(&mut buffer, usize::MAX) {
                Ok(block) => assert!(walk.take(block, &buffer), "there is room for the next row"),
                Err(ending) => return walk.end(ending),
            }
        }
    }
    // The executor may ask for smaller blocks than the buffer has room for.
    let wanted = if how & 4 == 0 { usize::MAX } else { usize::from(how >> 3) };
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let mut reader = reader(&ours, shape, passes_over);
    let (mut theirs, mut written) = (File::from(theirs), 0);
    for arrived in arrivals(bytes.len(), cuts) {
        theirs.write_all(&bytes[written..arrived]).unwrap();
        written = arrived;
        // The reader must hand on a row as soon as it has arrived, and not keep it until more rows arrive.
        while walk.is_ready(arrived.saturating_sub(mark)) {
            match reader.next_block(&mut buffer, wanted) {
                Ok(block) => drop(walk.take(block, &buffer)),
                Err(ending) => return walk.end(ending),
            }
        }
    }
    drop(theirs);
    loop {
        match reader.next_block(&mut buffer, wanted) {
            Ok(block) => drop(walk.take(block, &buffer)),
            Err(ending) => return walk.end(ending),
        }
    }
}
