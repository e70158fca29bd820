//! How values are shown in messages.

use crate::error::must_be_escaped;

/// How many bytes of a value are shown.
const SHOWN: usize = 40;

/// A value as it may stand in a message: in quotes, shortened, and without any character that a terminal would obey.
pub fn shown(value: &[u8]) -> String {
    let cut = &value[..value.len().min(SHOWN)];
    let is_cut = cut.len() < value.len();
    let mut text = String::from("\"");
    let mut chunks = cut.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => text.extend(['\\', c]),
                c if must_be_escaped(c) => text.extend(c.escape_default()),
                c => text.push(c),
            }
        }
        // A character that was cut in two is left out. Other bytes that are no UTF-8 are shown by their numbers.
        if !is_cut || chunks.peek().is_some() {
            text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
        }
    }
    if is_cut { format!("{text}…\" ({} bytes)", value.len()) } else { text + "\"" }
}
