//! What the reader leaves to workers that read a file for themselves: the part of the file after the bytes that the
//! reader has read.

use super::Reader;
use crate::flow::{Ending, Stretch};
use rustix::fd::OwnedFd;
use rustix::fs::{OFlags, fcntl_getfl};
use std::io::{Seek, SeekFrom};

impl Reader<'_> {
    /// Lends the file that the last block came from. Returns `None` if it is not a regular file, or if it is open for
    /// writing too, because workers must not be able to write to it.
    pub(super) fn lend_file(&mut self) -> Option<OwnedFd> {
        let open = self.current.as_ref().filter(|open| open.is_regular)?;
        let is_read_only = fcntl_getfl(&open.file).is_ok_and(|flags| flags & OFlags::ACCMODE == OFlags::RDONLY);
        self.lent = is_read_only.then_some(open.input);
        is_read_only.then(|| open.file.try_clone().map(OwnedFd::from).ok())?
    }

    /// Returns the part of the lent file that lies behind the last block, up to the end of the file or of the range
    /// that is read. Returns `None` if the part has fewer than `least` bytes, if the file is not the current input any
    /// more, or if the reader must first read something else itself, such as a header or the first row.
    pub(super) fn rest_of_lent(&mut self, least: u64) -> Option<Stretch> {
        let wants_first_row = self.wants_first_row();
        let open = self.current.as_ref()?;
        let is_before_rows = open.wants_header || open.skip_lines > 0 || open.disguise.is_some() || wants_first_row;
        if self.lent != Some(open.input) || is_before_rows {
            return None;
        }
        // The read position of the file is after the bytes that are carried over. These bytes belong to the stretch.
        let start = (&open.file).stream_position().ok()?.checked_sub(self.carry.len() as u64)?;
        let end = match open.left {
            Some(left) => start + self.carry.len() as u64 + left,
            None => open.file.metadata().ok()?.len(),
        };
        if end.saturating_sub(start) < least {
            return None;
        }
        let mut head = vec![0; self.shape.head_size()];
        open.head.write(&mut head);
        Some(Stretch { input: open.input, range: start..end, base: start.checked_sub(open.offset)?, head })
    }

    /// Goes on reading at this place of the lent file.
    pub(super) fn read_from(&mut self, place: u64) -> Result<(), Ending> {
        let Some(open) = &mut self.current else { return Ok(()) };
        let start = (&open.file).stream_position().map_err(|error| open.failed(error))?;
        (&open.file).seek(SeekFrom::Start(place)).map_err(|error| open.failed(error))?;
        let start = start - self.carry.len() as u64;
        open.offset = open.offset + place - start;
        open.left = open.left.map(|left| left + self.carry.len() as u64 + start - place);
        self.carry.clear();
        open.at_end = false;
        Ok(())
    }
}
