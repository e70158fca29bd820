//! A line that does not fit into a block: what can be told of it all the same.

use crate::csv::record::{Line, split, stray_return};
use crate::csv::{Format, lines};

/// What a line was like that was passed over.
pub struct Passed {
    /// How many line ends it has.
    pub lines: u64,
    /// Whether there is nothing in it.
    pub is_blank: bool,
    /// Whether a carriage return in it is followed by something else than a line feed. (Quotes do not count here.)
    pub has_stray_return: bool,
    is_after_return: bool,
}

impl Passed {
    /// Nothing of it seen yet.
    pub fn new() -> Self {
        Passed { lines: 0, is_blank: true, has_stray_return: false, is_after_return: false }
    }

    /// Goes on with these bytes of it.
    pub fn look_at(&mut self, bytes: &[u8], format: Format) {
        let is_none = |byte: &u8| matches!(byte, b'\r' | b'\n') || format.is_blank(*byte);
        self.lines += lines(bytes) as u64;
        self.has_stray_return |= self.is_after_return && bytes.first().is_some_and(|&byte| byte != b'\n');
        self.has_stray_return = self.has_stray_return
            || memchr::memchr_iter(b'\r', bytes).any(|at| bytes.get(at + 1).is_some_and(|&byte| byte != b'\n'));
        self.is_after_return = bytes.last().map_or(self.is_after_return, |&byte| byte == b'\r');
        self.is_blank = self.is_blank && !self.has_stray_return && bytes.iter().all(is_none);
    }
}

/// Whether a row that goes on behind the buffer has a carriage return outside quotes that ends no row.
pub fn has_stray_return(buffer: &[u8], format: Format) -> bool {
    let mut fields = vec![];
    match split(buffer, format, &mut fields) {
        Line::Stray { .. } => true,
        Line::Unclosed { .. } => stray_return(buffer, &fields, format).is_some(),
        Line::Row { .. } | Line::Nothing { .. } => false,
    }
}
