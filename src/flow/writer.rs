//! The writer: results in input order, and what is said about the row at which they end.

use crate::error::Error;
use crate::flow::{Ending, Sink};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;

/// Writes results, and keeps count of the lines before them.
pub struct Writer<'a> {
    output: BorrowedFd<'a>,
    output_name: String,
    inputs: Vec<String>,
    block_size: usize,
    /// The input that the last block came from, and how many of its lines are dealt with.
    input: usize,
    lines: u64,
}

impl<'a> Writer<'a> {
    /// A writer to `output`, which messages call `output_name`, of what comes from `inputs`.
    pub fn new(output: &'a impl AsFd, output_name: String, inputs: Vec<String>, block_size: usize) -> Self {
        Writer { output: output.as_fd(), output_name, inputs, block_size, input: 0, lines: 0 }
    }
}

impl Sink for Writer<'_> {
    fn write(&mut self, input: usize, lines: usize, results: &[u8], report: &[u8]) -> Result<(), Error> {
        self.enter(input);
        self.write_all(results)?;
        self.lines += lines as u64;
        if !report.is_empty() {
            return Err(self.at_next_line(String::from_utf8_lossy(report)));
        }
        Ok(())
    }

    fn end(&mut self, ending: Ending) -> Result<(), Error> {
        match ending {
            Ending::Done | Ending::Stopped => Ok(()),
            Ending::Failed(error) => Err(error),
            Ending::RowTooLong { input } => {
                self.enter(input);
                let what =
                    format!("the row is longer than a block, {} bytes; use a larger --block-size", self.block_size);
                Err(self.at_next_line(what))
            }
        }
    }

    fn given_up(&mut self, input: usize, text: &[u8], what: String) -> Error {
        self.enter(input);
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let last = self.lines + 1 + memchr::memchr_iter(b'\n', text).count() as u64;
        Error::deaths(&self.inputs[input], (self.lines + 1, last), what)
    }
}

impl Writer<'_> {
    fn enter(&mut self, input: usize) {
        if input != self.input {
            (self.input, self.lines) = (input, 0);
        }
    }

    fn at_next_line(&self, what: impl Into<String>) -> Error {
        Error::row(&self.inputs[self.input], self.lines + 1, what)
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            match rustix::io::write(self.output, bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.wait()?,
                Err(Errno::PIPE) => return Err(Error::broken_pipe()),
                Err(error) => return Err(Error::io(&self.output_name, error.into())),
            }
        }
        Ok(())
    }

    /// Somebody has made the output non-blocking: waits until it takes more.
    fn wait(&self) -> Result<(), Error> {
        let mut fds = [rustix::event::PollFd::new(&self.output, rustix::event::PollFlags::OUT)];
        match rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, None)) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::io(&self.output_name, error.into())),
        }
    }
}
