//! Values in messages.

use crate::error::must_be_escaped;

/// How much of a value is shown.
const SHOWN: usize = 40;

/// A value as it may stand in a message: quoted, shortened, and with nothing in it that a terminal would obey.
pub fn shown(value: &[u8]) -> String {
    let mut text = String::from("\"");
    let cut = &value[..value.len().min(SHOWN)];
    for chunk in cut.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => text.extend(['\\', c]),
                ' ' => text.push(c),
                c if must_be_escaped(c) => text.extend(c.escape_default()),
                c => text.push(c),
            }
        }
        // A character that the cut went through is left out; other stray bytes are shown as what they are.
        let ends_in_cut =
            cut.len() < value.len() && std::ptr::eq(chunk.invalid().as_ptr_range().end, cut.as_ptr_range().end);
        if !ends_in_cut {
            text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
        }
    }
    text.push('"');
    if cut.len() < value.len() {
        text.insert(text.len() - 1, '…');
        text.push_str(&format!(" ({} bytes)", value.len()));
    }
    text
}
