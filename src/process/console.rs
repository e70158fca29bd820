//! Standard error: messages, and the status line on a terminal, which the next message overwrites.

use crate::error::{locked, program};
use std::fmt;
use std::io::{self, Write};
use std::sync::Mutex;

/// Style of the program's name in front of the error that ends the run.
const ERROR: &str = "\x1b[1;31m";
/// Style of the program's name in front of any other message.
const NOTE: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";
/// Clears the line that the cursor is on.
const CLEAR: &str = "\r\x1b[K";

/// Whether the last line on stderr is a status line, which has no line end.
static HAS_STATUS: Mutex<bool> = Mutex::new(false);

/// Whether to write colours to stderr. By default they are written if stderr is a terminal that supports them.
/// `NO_COLOR` and `--color` change this.
#[cfg(feature = "color")]
fn has_colors() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// Returns false: colours are only supported with the feature `color`.
#[cfg(not(feature = "color"))]
fn has_colors() -> bool {
    false
}

/// Prints a line on stderr, after the program's name. Ignores errors, because an unusable stderr cannot be reported
/// anywhere.
pub fn say(line: &dyn fmt::Display) {
    say_as(NOTE, line);
}

/// Prints the error that ends the run, like [`say`] but with the program's name in another colour.
pub fn say_last(error: &dyn fmt::Display) {
    say_as(ERROR, error);
}

fn say_as(style: &str, line: &dyn fmt::Display) {
    let (style, plain) = if has_colors() { (style, PLAIN) } else { ("", "") };
    print(format!("{style}{}:{plain} {line}\n", program()));
}

/// Prints whole lines on stderr, in one write, so that lines of several processes do not mix.
pub fn print(lines: impl AsRef<[u8]>) {
    let mut has_status = locked(&HAS_STATUS);
    let clear = if std::mem::take(&mut *has_status) { CLEAR } else { "" };
    let _ = io::stderr().write_all(&[clear.as_bytes(), lines.as_ref()].concat());
}

/// Replaces the status line by `line`. `None` removes the status line.
pub fn status(line: Option<&str>) {
    let mut has_status = locked(&HAS_STATUS);
    if line.is_none() && !*has_status {
        return;
    }
    *has_status = line.is_some();
    // The cursor goes back to the start, so that whatever is written to the terminal next overwrites the line.
    let _ = io::stderr().write_all(format!("{CLEAR}{}\r", line.unwrap_or_default()).as_bytes());
}
