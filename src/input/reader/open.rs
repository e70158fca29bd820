//! One open input: its state, and the reads that fill blocks from it.

use super::prompt::Way;
use super::{Input, Watch};
use crate::csv::columns::Columns;
use crate::csv::head::Head;
use crate::csv::row_ends::RowEnds;
use crate::error::Error;
use crate::flow::Ending;
use crate::input::{BYTE_ORDER_MARK, Shape};
use crate::process::streams;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::fs::File;
use std::io;

/// An input that is being read.
pub struct Open {
    pub file: File,
    /// How `file` is read without waiting.
    way: Way,
    /// Name by which messages call the input.
    pub name: String,
    /// Number of the input among all inputs, from 0.
    pub input: usize,
    /// Whether the input is a regular file, on which reads never wait, so that `poll` is not needed.
    pub is_regular: bool,
    /// Whether reading is still at the start of the input, where a byte order mark may be and the kind of file is
    /// recognized.
    pub at_start: bool,
    /// Whether the input began with a byte order mark that has not been passed on with a block yet.
    pub has_mark: bool,
    /// Advice to the user if the first bytes show that the input is some other kind of file, such as gzip. The advice
    /// is passed on with the first block, and is then `None`.
    pub disguise: Option<String>,
    /// Whether the end of the input was seen. After that, a terminal must not be read again, because the read would
    /// wait for more input.
    pub at_end: bool,
    /// Offset in the input, in bytes, at which the next block begins. If bytes were carried over from the last read,
    /// the block begins with the first of these bytes.
    pub offset: u64,
    /// Bytes that are still to be read of a range. `None`: the whole input is read.
    pub left: Option<u64>,
    /// Number of lines before the first row to be read: the lines before a range, and the lines that were passed over.
    /// The next block takes the number over, and it becomes 0 here.
    pub lines_before: u64,
    /// How many of the next lines must be passed over (`--skip-lines`).
    pub skip_lines: u64,
    /// Whether the input has a header that has not been read yet.
    pub wants_header: bool,
    /// Contents of the head of each block from this input.
    pub head: Head,
}

/// How many bytes to read at the start of an input. If the file is not CSV, the bytes that tell what kind of file it is
/// can lie some kilobytes behind its start.
const FIRST_READ: usize = 32 << 10;
/// The least number of bytes to ask for in one read. Without it, very small blocks would cost a system call each.
const LEAST_READ: usize = 4096;

/// What [`Open::fill`] has put into a buffer.
pub enum Filled {
    /// No bytes, because the input has ended.
    Nothing,
    /// Whole rows, which take this number of bytes.
    Rows(usize),
    /// The buffer is full and holds only the start of a line. The [`RowEnds`] has searched all of the buffer.
    TooLong(Box<RowEnds>),
}

impl Open {
    /// Opens `input`, which has the position `number` among all inputs.
    pub fn new(number: usize, input: Input, shape: &Shape) -> Result<Self, Error> {
        let name = input.name();
        // Other processes can share stdin, so stdin must not be made non-blocking. All other files are regular or were
        // opened non-blocking.
        let is_shared = matches!(input, Input::Stdin);
        let open = || {
            let file = input.open()?;
            let is_regular = file.metadata()?.is_file();
            Ok((file, is_regular))
        };
        let (file, is_regular) = open().map_err(|error| Error::io(&name, error))?;
        streams::widen(&file);
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
            skip_lines: shape.skip_lines,
            wants_header: shape.has_header,
            head: Head { columns: shape.columns.as_ref().map(Columns::places), ..Head::default() },
        })
    }

    /// Fills the front of `buffer` with whole rows of about `wanted` bytes, or with one row if that is longer. The rows
    /// begin with the bytes in `carry`; afterwards `carry` has the bytes that were read behind the rows.
    pub fn fill(
        &mut self,
        buffer: &mut [u8],
        wanted: usize,
        carry: &mut Vec<u8>,
        shape: &Shape,
        watch: &Watch,
    ) -> Result<Filled, Ending> {
        buffer[..carry.len()].copy_from_slice(carry);
        let mut filled = carry.len();
        carry.clear();
        let mut ends = RowEnds::new(shape.format);
        // `seen`: how many bytes were searched for row ends. `limit`: up to how many bytes the buffer is filled. The
        // limit is raised if a row is longer.
        let (mut seen, mut limit) =
            (0, wanted.max(if self.at_start { FIRST_READ } else { LEAST_READ }).min(buffer.len()));
        let end = loop {
            seen = seen.max(filled.min(wanted));
            ends.look_at(&buffer[..seen]);
            // If no row has ended by then, look line by line, so as to find the end of the first row.
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
                // One more byte shows whether the input ends here. If it does, the row in the buffer is exactly as long
                // as a block, which is allowed.
                let mut next = [0];
                if self.read(&mut next, watch)? > 0 {
                    carry.extend(next);
                    return Ok(Filled::TooLong(Box::new(ends)));
                }
                self.at_end = true;
                break filled;
            }
            if !self.is_ready(watch, !has_rows || shape.fills_blocks)? {
                break ends.end();
            }
            if filled >= limit {
                limit = (2 * filled).min(buffer.len());
            }
            // `None` means that there was nothing to read: another process has taken the input since `poll`. So poll
            // again.
            let Some(read) = self.try_read(&mut buffer[filled..limit])? else { continue };
            self.at_end = read == 0;
            filled += read;
            if self.at_start && (filled >= BYTE_ORDER_MARK.len() || !BYTE_ORDER_MARK.starts_with(&buffer[..filled])) {
                self.at_start = false;
                if buffer.starts_with(BYTE_ORDER_MARK) {
                    // The mark is removed at once, so that it does not count towards the length of the first row.
                    buffer.copy_within(BYTE_ORDER_MARK.len()..filled, 0);
                    filled -= BYTE_ORDER_MARK.len();
                    self.offset += BYTE_ORDER_MARK.len() as u64;
                    self.has_mark = true;
                    (ends, seen) = (RowEnds::new(shape.format), 0);
                }
            }
            if !self.at_start && self.skip_lines > 0 {
                let skipped = self.skip_lines(&buffer[..filled]);
                buffer.copy_within(skipped..filled, 0);
                filled -= skipped;
            }
        };
        carry.extend_from_slice(&buffer[end..filled]);
        self.at_start = false;
        Ok(Filled::Rows(end))
    }

    /// Returns how many bytes at the front of `text` belong to lines that must be passed over, and counts these lines.
    fn skip_lines(&mut self, text: &[u8]) -> usize {
        let mut at = 0;
        while self.skip_lines > 0 && at < text.len() {
            let line = memchr::memchr(b'\n', &text[at..]);
            self.skip_lines -= u64::from(line.is_some());
            self.lines_before += u64::from(line.is_some());
            at = line.map_or(text.len(), |line| at + line + 1);
        }
        self.offset += at as u64;
        at
    }

    /// Passes over the rest of a line whose beginning fills `buffer` and whose next bytes are in `carry`. Gives the
    /// rest, which begins with these bytes, to `look`, and leaves in `carry` what was read behind the line.
    pub fn pass_over(
        &mut self,
        mut ends: RowEnds,
        buffer: &mut [u8],
        carry: &mut Vec<u8>,
        watch: &Watch,
        mut look: impl FnMut(&[u8]),
    ) -> Result<(), Ending> {
        self.offset += buffer.len() as u64;
        // `carry` is the one byte by which `fill` saw that the line goes on. This byte comes before the bytes still to
        // be read.
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

    /// Waits until there is input, and reads it. Returns the number of bytes, which is 0 at the end of the input.
    fn read(&mut self, into: &mut [u8], watch: &Watch) -> Result<usize, Ending> {
        loop {
            self.is_ready(watch, true)?;
            if let Some(count) = self.try_read(into)? {
                return Ok(count);
            }
        }
    }

    /// Reads the input that is there. Returns the number of bytes, which is 0 at the end of the input, or `None` if no
    /// input is there at the moment.
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

    /// Whether a read would find bytes or the end of the input. If `waits` is true, waits until a read would.
    ///
    /// # Errors
    /// If the run is over or no process reads the output any more; both are noticed only while waiting for input. If
    /// `poll` fails.
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
            // If the input has ended too, all results may have been read already, so closed output is then no error.
            [input, output, _]
                if input.revents().is_empty() && output.revents().intersects(PollFlags::ERR | PollFlags::HUP) =>
            {
                Err(Ending::Failed(Error::broken_pipe()))
            }
            [.., stop] if waits && !stop.revents().is_empty() => Err(Ending::Stopped),
            _ => Ok(ready > 0),
        }
    }

    /// Returns the error that ends the run because the input cannot be read.
    pub fn failed(&self, error: io::Error) -> Ending {
        Ending::Failed(Error::io(&self.name, error))
    }
}
