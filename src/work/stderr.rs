//! Passes on what a command, or Python, writes to stderr, in whole lines. The last line is kept for messages.

use crate::error::printable;
use crate::process::console;
use memchr::memrchr2;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::ffi::OsStr;

/// The shell that runs commands. Its own messages begin with this name.
pub const SHELL: &str = "/bin/sh";

/// The most bytes of an unfinished line that are kept. If the line grows longer, the bytes so far are passed on before
/// the line has ended.
const LONGEST_OPEN: usize = 64 << 10;

/// How many bytes of the last line are kept for messages.
const LONGEST: usize = 300;

/// How many times stderr is read before something else is done: enough to empty a full pipe.
const READS: u32 = 16;

/// What one process of a command, or of Python, has written to stderr.
pub struct Stderr {
    /// The read end of the pipe from the process's stderr. Reads from it never block. `None` once the process has closed
    /// its end.
    pub pipe: Option<OwnedFd>,
    /// The start of a line that has no end yet.
    open: Vec<u8>,
    last: Vec<u8>,
    /// Lines that the shell itself has written, held back for now. If the command cannot be run, these lines say so,
    /// and this program's own message replaces them.
    held: Vec<u8>,
    is_released: bool,
}

impl Stderr {
    /// Returns what comes through this pipe, from which reads must not block.
    pub fn of(pipe: OwnedFd) -> Self {
        Stderr { pipe: Some(pipe), open: vec![], last: vec![], held: vec![], is_released: false }
    }

    /// Passes on what the process has written so far, but no more than a pipe holds, because the process might write
    /// without end.
    pub fn read(&mut self) {
        let mut buffer = [0; 4096];
        for _ in 0..READS {
            let Some(pipe) = &self.pipe else { return };
            match rustix::io::read(pipe, &mut buffer) {
                Ok(length @ 1..) => self.take(&buffer[..length]),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Ok(0) | Err(_) => self.pipe = None,
            }
        }
    }

    /// Takes bytes that the process has written.
    fn take(&mut self, bytes: &[u8]) {
        let Some(end) = memrchr2(b'\n', b'\r', bytes) else {
            self.open.extend_from_slice(bytes);
            if self.open.len() > LONGEST_OPEN {
                let line = std::mem::take(&mut self.open);
                self.pass(line);
            }
            return;
        };
        let mut lines = std::mem::take(&mut self.open);
        lines.extend_from_slice(&bytes[..=end]);
        self.open.extend_from_slice(&bytes[end + 1..]);
        if self.is_released {
            // Pass all lines on in one write, because a command may write very many short lines.
            self.pass(lines);
        } else {
            lines.split_inclusive(|&byte| byte == b'\n').for_each(|line| self.pass(line.to_vec()));
        }
    }

    /// Passes on the last line if it has no line end.
    pub fn end(&mut self) {
        if !self.open.is_empty() {
            self.open.push(b'\n');
            let line = std::mem::take(&mut self.open);
            self.pass(line);
        }
    }

    /// Passes on the messages of the shell that are held back. From now on, none are held back.
    pub fn release(&mut self) {
        if !std::mem::replace(&mut self.is_released, true) && !self.held.is_empty() {
            console::print(std::mem::take(&mut self.held));
        }
    }

    /// Returns the last line that is not blank, in a form that fits into a message.
    pub fn last(&self) -> String {
        let last = self.last.trim_ascii();
        let last = String::from_utf8_lossy(&last[..last.len().min(LONGEST)]).into_owned();
        printable(OsStr::new(&last))
    }

    /// Passes on `line`. While the shell's lines are held back, `line` must be one line; afterwards it may be several.
    fn pass(&mut self, line: Vec<u8>) {
        let is_of_shell = line.strip_prefix(SHELL.as_bytes()).is_some_and(|rest| rest.starts_with(b": "));
        if is_of_shell && !self.is_released {
            self.held.extend_from_slice(&line);
        } else {
            console::print(&line);
        }
        if let Some(last) = line.split(|&byte| byte == b'\n').rfind(|line| !line.trim_ascii().is_empty()) {
            self.last = last[..last.len().min(LONGEST)].to_vec();
        }
    }
}
