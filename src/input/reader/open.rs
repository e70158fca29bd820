//! One input while it is read.

use super::prompt::Way;
use super::{Input, Watch};
use crate::csv::Format;
use crate::csv::columns::Columns;
use crate::csv::head::Head;
use crate::csv::row_ends::RowEnds;
use crate::error::Error;
use crate::flow::Ending;
use crate::input::{BYTE_ORDER_MARK, Shape};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::fs::File;
use std::io;

/// How many bytes a pipe is asked to hold: 16 times the default, and the most that an unprivileged process may ask for.
const PIPE_SIZE: usize = 1 << 20;

/// An input that is open.
pub struct Open {
    pub file: File,
    /// How it is read.
    way: Way,
    /// What messages call it.
    pub name: String,
    /// Which of the inputs it is, counted from 0.
    pub input: usize,
    /// Whether it is a regular file. Reading one never waits.
    pub is_regular: bool,
    /// Whether nothing was read of it yet.
    pub at_start: bool,
    /// Whether it began with a byte order mark that no block has reported yet.
    pub has_mark: bool,
    /// If it is no CSV by its first bytes: what to do about it. Nothing once a block has reported it.
    pub disguise: Option<String>,
    /// Whether it has ended. A terminal would go on after that.
    pub at_end: bool,
    /// Where in the input the next block begins, in bytes: where the carry was read from.
    pub offset: u64,
    /// How much is left to be read of a range; nothing where all of the input is read.
    pub left: Option<u64>,
    /// Line ends before the range that is read. 0 once a block has reported them.
    pub lines_before: u64,
    /// Whether a header is still to come.
    pub wants_header: bool,
    /// What stands at the head of each block.
    pub head: Head,
}

/// How much is read at first. What kind of file it is, if it is no CSV, may show only after some kilobytes.
const FIRST_READ: usize = 32 << 10;
/// How much is read at a time where smaller blocks are wanted, so that few rows do not take as many calls of the system.
const LEAST_READ: usize = 4096;

/// What the front of a buffer was filled with.
pub enum Filled {
    /// Nothing: the input has ended.
    Nothing,
    /// Whole rows, of so many bytes.
    Rows(usize),
    /// The start of a line that is longer than the buffer, and what has looked at it.
    TooLong(RowEnds),
}

impl Open {
    /// Opens an input, the one with this number.
    pub fn new(number: usize, input: Input, shape: &Shape) -> Result<Self, Error> {
        let name = input.name();
        // What we open ourselves is opened to be read without waiting.
        let is_shared = matches!(input, Input::Stdin);
        let open = || {
            let file = input.open()?;
            let is_regular = file.metadata()?.is_file();
            Ok((file, is_regular))
        };
        let (file, is_regular) = open().map_err(|error| Error::io(&name, error))?;
        // A pipe that holds more wakes its writer and us less often. Where that is not allowed, it stays as it is.
        let _ = rustix::pipe::fcntl_setpipe_size(&file, PIPE_SIZE);
        Ok(Open {
            way: if is_shared { Way::to_read(&file) } else { Way::Plain },
            file,
            name,
            input: number,
            is_regular,
            at_start: true,
            has_mark: false,
            disguise: None,
            at_end: false,
            offset: 0,
            left: None,
            lines_before: 0,
            wants_header: shape.has_header,
            head: Head { fields: None, columns: shape.columns.as_ref().map(Columns::places) },
        })
    }

    /// Fills the front of `buffer` with whole rows of about `wanted` bytes, or one row where that is longer, and leaves in `carry` what
    /// was read beyond them.
    pub fn fill(
        &mut self,
        buffer: &mut [u8],
        wanted: usize,
        carry: &mut Vec<u8>,
        format: Format,
        watch: &Watch,
    ) -> Result<Filled, Ending> {
        buffer[..carry.len()].copy_from_slice(carry);
        let mut filled = carry.len();
        carry.clear();
        let mut ends = RowEnds::new(format);
        // How much is looked at for row ends, and up to where the buffer is filled, unless a row is longer.
        let (mut seen, mut limit) =
            (0, wanted.max(if self.at_start { FIRST_READ } else { LEAST_READ }).min(buffer.len()));
        let end = loop {
            seen = seen.max(filled.min(wanted));
            ends.look_at(&buffer[..seen]);
            while ends.end() == 0 && seen < filled {
                seen = memchr::memchr(b'\n', &buffer[seen..filled]).map_or(filled, |at| seen + at + 1);
                ends.look_at(&buffer[..seen]);
            }
            let has_rows = ends.end() > 0;
            if has_rows && filled >= wanted.min(buffer.len()) {
                break ends.end();
            }
            if self.at_end {
                if filled == 0 {
                    return Ok(Filled::Nothing);
                }
                break filled;
            }
            if filled == buffer.len() {
                // If the input ends here, its last row is exactly as long as a block, which is allowed.
                let mut next = [0];
                if self.read(&mut next, watch)? > 0 {
                    carry.extend(next);
                    return Ok(Filled::TooLong(ends));
                }
                self.at_end = true;
                break filled;
            }
            if !self.is_ready(watch, !has_rows)? {
                break ends.end();
            }
            if filled >= limit {
                limit = (2 * filled).min(buffer.len());
            }
            // Another process may have taken the input in between: look again.
            let Some(read) = self.try_read(&mut buffer[filled..limit])? else { continue };
            self.at_end = read == 0;
            filled += read;
            if self.at_start && filled >= BYTE_ORDER_MARK.len() {
                self.at_start = false;
                if buffer.starts_with(BYTE_ORDER_MARK) {
                    // It is removed at once, because it must not count for the length of the first row.
                    buffer.copy_within(BYTE_ORDER_MARK.len()..filled, 0);
                    filled -= BYTE_ORDER_MARK.len();
                    self.offset += BYTE_ORDER_MARK.len() as u64;
                    self.has_mark = true;
                    (ends, seen) = (RowEnds::new(format), 0);
                }
            }
        };
        carry.extend_from_slice(&buffer[end..filled]);
        self.at_start = false;
        Ok(Filled::Rows(end))
    }

    /// Passes over the rest of a line that fills the buffer and goes on in `carry`, and shows all of that rest to `look`. What comes
    /// after the line is left in `carry`.
    pub fn pass_over(
        &mut self,
        mut ends: RowEnds,
        buffer: &mut [u8],
        carry: &mut Vec<u8>,
        watch: &Watch,
        mut look: impl FnMut(&[u8]),
    ) -> Result<(), Ending> {
        self.offset += buffer.len() as u64;
        // The carry is one byte here, and comes before what is read.
        let mut filled = carry.len();
        buffer[..filled].copy_from_slice(carry);
        carry.clear();
        while filled > 0 {
            ends.forget();
            for at in memchr::memchr_iter(b'\n', &buffer[..filled]) {
                ends.look_at(&buffer[..=at]);
                if ends.end() > 0 {
                    look(&buffer[..ends.end()]);
                    self.offset += ends.end() as u64;
                    carry.extend_from_slice(&buffer[ends.end()..filled]);
                    return Ok(());
                }
            }
            ends.look_at(&buffer[..filled]);
            look(&buffer[..filled]);
            self.offset += filled as u64;
            filled = self.read(buffer, watch)?;
        }
        self.at_end = true;
        Ok(())
    }

    /// Waits for what comes next, and reads it; no bytes at the end of the input.
    fn read(&mut self, into: &mut [u8], watch: &Watch) -> Result<usize, Ending> {
        loop {
            self.is_ready(watch, true)?;
            if let Some(count) = self.try_read(into)? {
                return Ok(count);
            }
        }
    }

    /// Reads what is there: no bytes at the end of the input, `None` where there is nothing to read now.
    fn try_read(&mut self, into: &mut [u8]) -> Result<Option<usize>, Ending> {
        let most = self.left.map_or(into.len(), |left| left.min(into.len() as u64) as usize);
        match rustix::io::retry_on_intr(|| self.way.read(&self.file, &mut into[..most])) {
            Ok(0) if most > 0 && self.left.is_some() => Err(self.refused("it ends before the range does")),
            Ok(count) => {
                self.left = self.left.map(|left| left - count as u64);
                Ok(Some(count))
            }
            Err(Errno::AGAIN) => Ok(None),
            Err(error) => Err(self.failed(error.into())),
        }
    }

    /// Whether there is something to read, or the end of the input. If `waits`, this waits until there is.
    ///
    /// # Errors
    /// While waiting: when the run is over, or nobody reads the output any more.
    fn is_ready(&self, watch: &Watch, waits: bool) -> Result<bool, Ending> {
        if self.is_regular {
            return Ok(true);
        }
        let mut fds = [
            PollFd::new(&self.file, PollFlags::IN),
            PollFd::new(&watch.output, PollFlags::empty()),
            PollFd::new(&watch.stop, PollFlags::IN),
        ];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let (fds, timeout) = if waits { (&mut fds[..], None) } else { (&mut fds[..1], Some(&now)) };
        let ready = rustix::io::retry_on_intr(|| poll(fds, timeout)).map_err(|error| self.failed(error.into()))?;
        match fds {
            [_, output, _] if output.revents().intersects(PollFlags::ERR | PollFlags::HUP) => {
                Err(Ending::Failed(Error::broken_pipe()))
            }
            [.., stop] if waits && !stop.revents().is_empty() => Err(Ending::Stopped),
            _ => Ok(ready > 0),
        }
    }

    /// The end of the run because this input cannot be read.
    pub fn failed(&self, error: io::Error) -> Ending {
        Ending::Failed(Error::io(&self.name, error))
    }
}
