//! Carriage returns that end no row.
//!
//! A carriage return ends a row together with the line feed behind it, or at the end of the input. Anywhere else outside quotes it is
//! most likely the line end of a program that writes no line feeds, and rows follow it. They would be lost in fields that do not
//! count. So such a line is a bad row, whichever columns count.

use super::shown::shown;

/// The message about such a carriage return in this text, which the message calls `of`: a field, a comment, a header.
pub fn stray_return_in(of: &str, text: &[u8]) -> String {
    format!(
        "{of} has a carriage return outside quotes, which ends no row without a line feed: {}{}",
        shown(text),
        hint(text)
    )
}

/// In so many bytes at its front a NUL shows that a file is no text at all, and that the advice would be wrong.
const TELLING: usize = 16;

/// The advice for a text in which carriage returns are to end rows.
pub fn hint(text: &[u8]) -> &'static str {
    if text[..text.len().min(TELLING)].contains(&0) { "" } else { "; if it is to end one: tr '\\r' '\\n' < FILE" }
}
