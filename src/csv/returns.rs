//! Carriage returns that end no row.
//!
//! One ends a row together with the line feed behind it, or at the end of the input. Anywhere else outside quotes it is most
//! likely a line end of a program that has no other, and what follows it are rows: such a line is bad, whichever
//! columns count, since it would hide them.

use super::shown::shown;

/// What is said of a row, of its comment or of its field, called `of`, that has one in it.
pub fn stray_return_in(of: &str, text: &[u8]) -> String {
    format!(
        "{of} has a carriage return outside quotes, which ends no row without a line feed: {}{}",
        shown(text),
        hint(text)
    )
}

/// How far a file shows that it is no text at all, and that other advice is due.
const TELLING: usize = 16;

/// What to do where carriage returns are to end rows.
pub fn hint(text: &[u8]) -> &'static str {
    if text[..text.len().min(TELLING)].contains(&0) { "" } else { "; if it is to end one: tr '\\r' '\\n' < FILE" }
}
