//! Standard error: messages, and the status line of a terminal, which the next message overwrites.

use crate::error::program;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard};

/// The style of the program's name before what ends the run.
const ERROR: &str = "\x1b[1;31m";
/// The style of the program's name before any other message.
const NOTE: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";
/// Clears the line that the cursor is on.
const CLEAR: &str = "\r\x1b[K";

/// Whether the last line on stderr is a status line. It has no line end.
static HAS_STATUS: Mutex<bool> = Mutex::new(false);

fn has_status() -> MutexGuard<'static, bool> {
    HAS_STATUS.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Whether to write colours to stderr: it is a terminal that knows them, and neither `NO_COLOR` nor `--color` forbids it.
#[cfg(feature = "cli")]
fn has_colors() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// Without the command line nobody asks for colours.
#[cfg(not(feature = "cli"))]
fn has_colors() -> bool {
    false
}

/// Says a line on stderr, behind the name of the program. If there is no stderr there is nobody to tell that.
pub fn say(line: &dyn fmt::Display) {
    say_as(NOTE, line);
}

/// Says what ends the run: as [`say`], with the name of the program in another colour.
pub fn say_last(error: &dyn fmt::Display) {
    say_as(ERROR, error);
}

fn say_as(style: &str, line: &dyn fmt::Display) {
    let (style, plain) = if has_colors() { (style, PLAIN) } else { ("", "") };
    print(&format!("{style}{}:{plain} {line}\n", program()));
}

/// Prints whole lines on stderr, in one write, so that lines of several processes do not mix.
pub fn print(lines: &str) {
    let mut has_status = has_status();
    let clear = if std::mem::take(&mut *has_status) { CLEAR } else { "" };
    let _ = io::stderr().write_all(format!("{clear}{lines}").as_bytes());
}

/// Puts this line in the place of the status line; `None` removes the status line.
pub fn status(line: Option<&str>) {
    let mut has_status = has_status();
    if line.is_none() && !*has_status {
        return;
    }
    *has_status = line.is_some();
    // The cursor goes back to the start, so that whatever is written to the terminal next overwrites the line.
    let _ = io::stderr().write_all(format!("{CLEAR}{}\r", line.unwrap_or_default()).as_bytes());
}
