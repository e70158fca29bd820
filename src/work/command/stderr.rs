//! What a command writes to stderr: it is passed on in whole lines, and the last line is kept for messages.

use super::process::SHELL;
use crate::error::printable;
use crate::process::console;
use std::ffi::OsStr;

/// How many bytes of a line without an end are kept until they are passed on.
const LONGEST_OPEN: usize = 64 << 10;

/// How many bytes of the last line are kept for messages.
const LONGEST: usize = 300;

/// The stderr of one process of the command.
#[derive(Default)]
pub struct Stderr {
    /// The start of a line that has no end yet.
    open: Vec<u8>,
    last: Vec<u8>,
    /// Lines that the shell itself has written while they were held back. If the command cannot be run, they say so, and this
    /// program's own message takes their place.
    held: Vec<u8>,
    is_released: bool,
}

impl Stderr {
    /// Takes bytes that the command has written.
    pub fn take(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|&byte| byte == b'\n' || byte == b'\r') {
            self.open.extend_from_slice(part);
            if part.ends_with(b"\n") || part.ends_with(b"\r") || self.open.len() > LONGEST_OPEN {
                let line = std::mem::take(&mut self.open);
                self.pass(line);
            }
        }
    }

    /// Passes on a last line that has no end.
    pub fn end(&mut self) {
        if !self.open.is_empty() {
            self.open.push(b'\n');
            let line = std::mem::take(&mut self.open);
            self.pass(line);
        }
    }

    /// Passes on the shell's messages, and holds no more of them back.
    pub fn release(&mut self) {
        if !std::mem::replace(&mut self.is_released, true) && !self.held.is_empty() {
            console::print(std::mem::take(&mut self.held));
        }
    }

    /// Returns the last line that is not blank, as a message can have it.
    pub fn last(&self) -> String {
        let last = self.last.trim_ascii();
        let last = String::from_utf8_lossy(&last[..last.len().min(LONGEST)]).into_owned();
        printable(OsStr::new(&last))
    }

    fn pass(&mut self, line: Vec<u8>) {
        let is_of_shell = line.strip_prefix(SHELL.as_bytes()).is_some_and(|rest| rest.starts_with(b": "));
        if is_of_shell && !self.is_released {
            self.held.extend_from_slice(&line);
        } else {
            console::print(&line);
        }
        if !line.trim_ascii().is_empty() {
            self.last = line;
        }
    }
}
