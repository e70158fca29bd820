//! Messages about stray carriage returns: those that do not end a row.
//!
//! A carriage return ends a row only with a line feed behind it, or at the end of the input. Elsewhere outside quotes
//! it was most likely written as a line end, by a program that writes no line feeds. The text behind it is then further
//! rows. If these were read as part of a field that the kernel does not use, they would be lost without notice. So such
//! a line is always a bad row, whichever columns are chosen.

use super::shown::shown;

/// Returns the message about a stray carriage return in `text`. `of` is what the message calls that text, such as "the
/// comment".
pub fn stray_return_in(of: &str, text: &[u8]) -> String {
    format!(
        "{of} has a carriage return outside quotes, which ends no row without a line feed: {}{}",
        shown(text),
        hint(text)
    )
}

/// Number of bytes at the front of the text that are searched for a NUL. A NUL there shows that the file is not text,
/// so that the advice to convert line ends would be wrong.
const TELLING: usize = 16;

/// Returns advice for a user whose rows end with carriage returns: how to turn these into line feeds. Returns an empty
/// text if `text` begins with binary data.
pub fn hint(text: &[u8]) -> &'static str {
    if text[..text.len().min(TELLING)].contains(&0) { "" } else { "; if it is to end one: tr '\\r' '\\n' < FILE" }
}
