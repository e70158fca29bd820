//! How the reader goes to a range of a file. Before the range, it reads only the header, or the first row if all rows
//! must have as many fields as that row.

use super::Reader;
use super::open::Open;
use crate::error::Error;
use crate::flow::{Block, Ending};
use crate::input::ranges::FileRange;
use std::fmt::Display;
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::FileExt;

impl Reader<'_> {
    /// Moves `open`, an input that was just opened, to `range`. Reads the header first, if it lies before the range.
    /// Also reads the first row of the input, if all rows must have as many fields as that row.
    pub(super) fn enter(&mut self, open: &mut Open, range: FileRange, buffer: &mut [u8]) -> Result<(), Ending> {
        open.check(range)?;
        if range.offset > 0 {
            // Here a row that is longer than a block is passed over without a report: the run whose range has the row
            // reports it.
            let passes_over = std::mem::replace(&mut self.passes_over, true);
            // Offset at which the header ends or, in an input without a header, up to which rows have been read.
            let mut end = 0;
            while (open.wants_header || self.wants_first_row()) && end < range.offset {
                let has_header = self.shape.has_header;
                let end_of = |block: Block| block.offset + if has_header { 0 } else { block.rows.len() as u64 };
                end = self.next_of(open, buffer, usize::MAX)?.map_or(u64::MAX, end_of);
            }
            if open.wants_header || (self.shape.has_header && end > range.offset) {
                return Err(open.refused("the range does not begin behind the header"));
            }
            self.passes_over = passes_over;
            self.carry.clear();
        }
        open.go_to(range)
    }
}

impl Open {
    /// Refuses `range` if this input does not contain it, or if it does not begin and end at line ends.
    fn check(&self, range: FileRange) -> Result<(), Ending> {
        if !self.is_regular {
            return Err(Ending::Failed(Error::usage(format!("{}: only a regular file has ranges", self.name))));
        }
        let failed = |error| self.failed(error);
        let size = self.file.metadata().map_err(failed)?.len();
        let end = range.offset.saturating_add(range.length);
        if end > size {
            return Err(self.refused(format!("the range goes on to byte {end}, and the file has {size}")));
        }
        let ends_line = |end: u64| {
            let mut last = [0];
            self.file.read_exact_at(&mut last, end - 1).map(|()| last == *b"\n").map_err(failed)
        };
        if range.offset > 0 && !ends_line(range.offset)? {
            return Err(self.refused(format!("byte {} does not begin a line", range.offset)));
        }
        if end < size && !ends_line(end)? {
            return Err(self.refused(format!("the range does not end where a line does, at byte {end}")));
        }
        // The number of the first line must be possible: each line before the range has at least one byte, and there is
        // at least one such line unless the range begins at byte 0.
        let (line, offset) = (range.first_line, range.offset);
        if line == 0 || line - 1 > offset || (line == 1) != (offset == 0) {
            return Err(self.refused(format!("byte {offset} cannot be in line {line}")));
        }
        Ok(())
    }

    fn go_to(&mut self, range: FileRange) -> Result<(), Ending> {
        (&self.file).seek(SeekFrom::Start(range.offset)).map_err(|error| self.failed(error))?;
        (self.at_start, self.at_end) = (range.offset == 0, false);
        if range.offset > 0 {
            self.skip_lines = 0;
        }
        (self.offset, self.left, self.lines_before) = (range.offset, Some(range.length), range.first_line - 1);
        Ok(())
    }

    /// Returns the usage error that ends the run because the range does not fit this input.
    pub(super) fn refused(&self, what: impl Display) -> Ending {
        Ending::Failed(Error::usage(format!("{}: {what}; take ranges from --split", self.name)))
    }
}
