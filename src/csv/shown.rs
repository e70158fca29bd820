//! How values from the input are shown in messages.

use crate::error::must_be_escaped;

/// The most bytes of a value that are shown, so that messages stay short.
const SHOWN: usize = 40;

/// Returns `value` for use in a message: in quotes, cut off after 40 bytes, and with control characters escaped,
/// because a terminal would act on them.
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
        // A character that the cut has split is left out. Other bytes that are not UTF-8 are shown as hexadecimal
        // numbers.
        if !is_cut || chunks.peek().is_some() {
            text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
        }
    }
    if is_cut { format!("{text}…\" ({} bytes)", value.len()) } else { text + "\"" }
}

/// Returns `bytes` without their end if the end is the beginning of a character of UTF-8 that was cut in two.
pub fn without_half_character(bytes: &[u8]) -> &[u8] {
    match str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
        _ => bytes,
    }
}
