//! Where a row begins behind blank lines and comments, in text that arrives piece by piece.

use super::Format;

/// Looks through text from the start of a line, further with each call of [`find`](RowStart::find).
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
    /// After a carriage return. It ends a blank line or a comment only with the line feed behind it; with anything else, the line is
    /// to be a bad row, because the lines of another program's making may hide in it.
    Return,
    Row,
}

impl RowStart {
    /// Nothing looked at yet.
    pub fn new(format: Format) -> Self {
        RowStart { format, state: State::LineStart }
    }

    /// The place of the first byte in `text`, which goes on where the last one ended, that shows that there is a row. Once
    /// there is one, all bytes are taken for bytes of a row.
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
