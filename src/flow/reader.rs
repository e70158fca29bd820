//! The reader: files and pipes, cut into blocks of whole rows.
//!
//! It looks for the last line end of a block and at nothing else. A block fills up as long as input is ready, and is
//! handed on as soon as it is not: so a row that arrives alone is answered at once, and a full pipe gives full blocks.

use crate::error::{Error, printable};
use crate::flow::{Block, Ending, Source};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// Where rows come from.
#[derive(Debug)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// The file of this name, opened when its turn comes.
    Path(PathBuf),
}

impl Input {
    /// What messages call it.
    pub fn name(&self) -> String {
        match self {
            Input::Stdin => "stdin".to_string(),
            Input::Path(path) => printable(path.as_os_str()),
        }
    }

    fn open(self) -> io::Result<File> {
        let file = match self {
            Input::Stdin => File::from(io::stdin().as_fd().try_clone_to_owned()?),
            // A FIFO that nobody writes to yet must not hold us up where we cannot be stopped: we wait in poll.
            Input::Path(path) => {
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
                rustix::io::retry_on_intr(|| rustix::fs::open(&path, flags, Mode::empty()))?.into()
            }
        };
        if file.metadata()?.is_dir() {
            return Err(Errno::ISDIR.into());
        }
        Ok(file)
    }
}

/// What the reader watches while it waits for input.
pub struct Watch<'a> {
    /// Readable when the run is over.
    pub stop: BorrowedFd<'a>,
    /// The output: if it is a pipe whose reader has gone, there is no use in waiting.
    pub output: BorrowedFd<'a>,
}

/// All inputs, one after the other.
pub struct Reader<'a> {
    inputs: std::iter::Enumerate<std::vec::IntoIter<Input>>,
    watch: Watch<'a>,
    current: Option<Open>,
    /// The start of a row whose end is not read yet.
    carry: Vec<u8>,
}

struct Open {
    file: File,
    name: String,
    input: usize,
    /// Reading never waits, so there is no need to ask.
    is_regular: bool,
    at_start: bool,
    /// It has ended. A terminal would go on after that.
    at_end: bool,
}

impl<'a> Reader<'a> {
    /// A reader of these inputs in their order.
    pub fn new(inputs: Vec<Input>, watch: Watch<'a>) -> Self {
        Reader { inputs: inputs.into_iter().enumerate(), watch, current: None, carry: vec![] }
    }
}

impl Source for Reader<'_> {
    fn next_block(&mut self, buffer: &mut [u8]) -> Result<Block, Ending> {
        loop {
            if self.current.is_none() {
                let (input, source) = self.inputs.next().ok_or(Ending::Done)?;
                self.current = Some(Open::new(input, source).map_err(Ending::Failed)?);
            }
            if let Some(open) = &mut self.current
                && let Some(block) = open.next_block(buffer, &mut self.carry, &self.watch)?
            {
                return Ok(block);
            }
            self.current = None;
        }
    }
}

/// What a pipe is asked to hold: 16 times the default, and the most that an unprivileged process may ask for.
const PIPE_SIZE: usize = 1 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Open {
    fn new(input: usize, source: Input) -> Result<Self, Error> {
        let name = source.name();
        let open = || {
            let file = source.open()?;
            let is_regular = file.metadata()?.is_file();
            Ok((file, is_regular))
        };
        let (file, is_regular) = open().map_err(|error| Error::io(&name, error))?;
        // A pipe that holds more wakes its writer and us less often; where that is not allowed, it stays as it is.
        let _ = rustix::pipe::fcntl_setpipe_size(&file, PIPE_SIZE);
        Ok(Open { file, name, input, is_regular, at_start: true, at_end: false })
    }

    /// The next block of this input; none when it has ended.
    fn next_block(&mut self, buffer: &mut [u8], carry: &mut Vec<u8>, watch: &Watch) -> Result<Option<Block>, Ending> {
        if self.at_end {
            return Ok(None);
        }
        buffer[..carry.len()].copy_from_slice(carry);
        let mut filled = carry.len();
        carry.clear();
        // Where the last whole row ends.
        let mut end = 0;
        loop {
            if filled == buffer.len() {
                if end == 0 {
                    // The last row of the input may still be just as long as a block.
                    self.wait(watch)?;
                    if self.read(&mut [0], watch)? > 0 {
                        return Err(Ending::RowTooLong { input: self.input });
                    }
                    self.at_end = true;
                    end = filled;
                }
                break;
            }
            if end == 0 {
                self.wait(watch)?;
            } else if !self.is_ready()? {
                break;
            }
            let read = self.read(&mut buffer[filled..], watch)?;
            if read == 0 {
                self.at_end = true;
                if filled == 0 {
                    return Ok(None);
                }
                end = filled;
                break;
            }
            let mut fresh = filled;
            filled += read;
            if self.at_start && filled >= BYTE_ORDER_MARK.len() {
                self.at_start = false;
                if buffer.starts_with(BYTE_ORDER_MARK) {
                    // Here and now, since it must not count for the length of its row.
                    buffer.copy_within(BYTE_ORDER_MARK.len()..filled, 0);
                    filled -= BYTE_ORDER_MARK.len();
                    fresh = 0;
                }
            }
            if let Some(at) = memchr::memrchr(b'\n', &buffer[fresh..filled]) {
                end = fresh + at + 1;
            }
        }
        carry.extend_from_slice(&buffer[end..filled]);
        self.at_start = false;
        Ok(Some(Block { length: end, input: self.input }))
    }

    fn is_ready(&self) -> Result<bool, Ending> {
        if self.is_regular {
            return Ok(true);
        }
        let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        let ready = rustix::io::retry_on_intr(|| poll(&mut fds, Some(&now)));
        ready.map(|count| count > 0).map_err(|error| self.failed(error.into()))
    }

    fn read(&mut self, into: &mut [u8], watch: &Watch) -> Result<usize, Ending> {
        loop {
            match rustix::io::read(&self.file, &mut *into) {
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => {}
                // Somebody has made it non-blocking, and was quicker than we to take what was there.
                Err(Errno::AGAIN) => self.wait(watch)?,
                Err(error) => return Err(self.failed(error.into())),
            }
        }
    }

    /// Waits until there is input, or its end; or until there is no more use for it.
    fn wait(&self, watch: &Watch) -> Result<(), Ending> {
        if self.is_regular {
            return Ok(());
        }
        let mut fds = [
            PollFd::new(&self.file, PollFlags::IN),
            PollFd::new(&watch.output, PollFlags::empty()),
            PollFd::new(&watch.stop, PollFlags::IN),
        ];
        rustix::io::retry_on_intr(|| poll(&mut fds, None)).map_err(|error| self.failed(error.into()))?;
        if fds[1].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            return Err(Ending::Failed(Error::broken_pipe()));
        }
        if !fds[2].revents().is_empty() {
            return Err(Ending::Stopped);
        }
        Ok(())
    }

    fn failed(&self, error: io::Error) -> Ending {
        Ending::Failed(Error::io(&self.name, error))
    }
}
