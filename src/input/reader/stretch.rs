//! What the reader hands out: blocks, and to workers that read a file for themselves, the part of the file after the
//! bytes that the reader has read.

use super::open::Open;
use super::{Input, Reader};
use crate::flow::{Block, Ending, Source, Stretch};
use rustix::fd::OwnedFd;
use rustix::fs::{OFlags, fcntl_getfl};
use std::io::{Seek, SeekFrom};

impl Source for Reader<'_> {
    fn next_block(&mut self, buffer: &mut [u8], wanted: usize) -> Result<Block, Ending> {
        loop {
            let mut open = match self.current.take() {
                Some(open) => open,
                None => {
                    let (number, input) = self.inputs.next().ok_or(Ending::Done)?;
                    let range = if let Input::Range(_, range) = input { Some(range) } else { None };
                    let mut open = Open::new(number, input, &self.shape).map_err(Ending::Failed)?;
                    if let Some(range) = range {
                        self.enter(&mut open, range, buffer)?;
                    }
                    open
                }
            };
            if let Some(block) = self.next_of(&mut open, buffer, wanted)? {
                self.current = Some(open);
                return Ok(block);
            }
        }
    }

    /// Lends regular files only, and none that is open for writing too, because workers must not be able to write to it.
    fn lend(&mut self) -> Option<OwnedFd> {
        let open = self.current.as_ref().filter(|open| open.is_regular)?;
        let is_read_only = fcntl_getfl(&open.file).is_ok_and(|flags| flags & OFlags::ACCMODE == OFlags::RDONLY);
        self.lent = is_read_only.then_some(open.input);
        is_read_only.then(|| open.file.try_clone().map(OwnedFd::from).ok())?
    }

    /// The stretch reaches from the last block to the end of the file or of the range that is read. There is none if the
    /// file is not the current input any more, or if the reader must first read something else itself, such as a header
    /// or the first row.
    fn stretch(&mut self, least: u64) -> Option<Stretch> {
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

    fn go_on_at(&mut self, place: u64) -> Result<(), Ending> {
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
