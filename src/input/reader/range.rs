//! How the reader comes to a part of a file: nothing before it is read but a header, or the first row where all go by that.

use super::{Open, Reader};
use crate::error::Error;
use crate::flow::Ending;
use crate::input::ranges::FileRange;
use std::fmt::Display;
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::FileExt;

impl Reader<'_> {
    /// Goes to a part of an input that was just opened, by way of the header if there is one before it.
    pub(super) fn enter(&mut self, open: &mut Open, range: FileRange, buffer: &mut [u8]) -> Result<(), Ending> {
        open.check(range)?;
        if open.wants_header && range.offset > 0 {
            // Where what is read of the input's front ends, or the header in it.
            let mut end = 0;
            while open.wants_header && end < range.offset {
                end = self.next_of(open, buffer)?.map_or(u64::MAX, |block| block.offset);
            }
            if open.wants_header || end > range.offset {
                return Err(open.refused("the range does not begin behind the header"));
            }
            self.carry.clear();
        }
        if self.wants_first_row() && range.offset > 0 {
            self.look_for_first_row(open, range, buffer)?;
        }
        open.go_to(range)
    }

    /// Reads up to the first row by which all others go, if that is before the range.
    fn look_for_first_row(&mut self, open: &mut Open, range: FileRange, buffer: &mut [u8]) -> Result<(), Ending> {
        // Rows that are too long are told by the run that has them in its range.
        let passes_over = std::mem::replace(&mut self.passes_over, true);
        let mut end = 0;
        while self.wants_first_row() && end < range.offset {
            end = self.next_of(open, buffer)?.map_or(u64::MAX, |block| block.offset + block.rows.len() as u64);
        }
        self.passes_over = passes_over;
        self.carry.clear();
        Ok(())
    }
}

impl Open {
    /// Whether it has such a part, which begins and ends where lines do.
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
        // Each line before it has a byte, and there is one if there are bytes.
        let (line, offset) = (range.first_line, range.offset);
        if line == 0 || line - 1 > offset || (line == 1) != (offset == 0) {
            return Err(self.refused(format!("byte {offset} cannot be in line {line}")));
        }
        Ok(())
    }

    fn go_to(&mut self, range: FileRange) -> Result<(), Ending> {
        (&self.file).seek(SeekFrom::Start(range.offset)).map_err(|error| self.failed(error))?;
        (self.at_start, self.at_end) = (range.offset == 0, false);
        (self.offset, self.left, self.lines_before) = (range.offset, Some(range.length), range.first_line - 1);
        Ok(())
    }

    pub(super) fn refused(&self, what: impl Display) -> Ending {
        Ending::Failed(Error::usage(format!("{}: {what}; take ranges from --split", self.name)))
    }
}
