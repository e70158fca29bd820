//! Finds where the first row begins behind blank lines and comments, in text that arrives piece by piece.

use super::Format;

/// The search for the first row in a text. The text must begin where a line begins. Each call of
/// [`find`](RowStart::find) continues the search in the next piece of text.
#[derive(Debug)]
pub struct RowStart {
    format: Format,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    LineStart,
    Blanks,
    Comment,
    /// After a carriage return in a blank line or a comment. If a line feed follows, the line ends. If anything else
    /// follows, the line counts as a (bad) row, because the text behind the carriage return may be rows of a program
    /// that ends lines with a carriage return only.
    Return,
    Row,
}

impl RowStart {
    /// Returns a search that has not looked at any text yet.
    pub fn new(format: Format) -> Self {
        RowStart { format, state: State::LineStart }
    }

    /// Returns the offset in `text` of the first byte that shows that a row has begun, or `None` if there is no row
    /// yet. `text` must continue the text of the previous call. After a row was found, every byte counts as part of a
    /// row.
    pub fn find(&mut self, text: &[u8]) -> Option<usize> {
        text.iter().position(|&byte| {
            self.state = match (self.state, byte) {
                (State::Row, _) => State::Row,
                (_, b'\n') => State::LineStart,
                (State::LineStart | State::Blanks | State::Comment, b'\r') => State::Return,
                (State::Comment, _) => State::Comment,
                (State::LineStart, _) if Some(byte) == self.format.comment => State::Comment,
                (State::LineStart | State::Blanks, _) if self.format.is_blank(byte) => State::Blanks,
                _ => State::Row,
            };
            self.state == State::Row
        })
    }
}
