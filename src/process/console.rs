//! Standard error: messages, and the status line of a terminal, which gives way to them.

use crate::error::program;
use anstream::{AutoStream, ColorChoice};
use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard};

/// How the name of the program stands before what ends the run.
const ERROR: &str = "\x1b[1;31m";
/// How it stands before anything else.
const NOTE: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";
/// Clears the line that the cursor is on.
const CLEAR: &str = "\r\x1b[K";

/// Whether a status line stands there, without a line end.
static HAS_STATUS: Mutex<bool> = Mutex::new(false);

fn has_status() -> MutexGuard<'static, bool> {
    HAS_STATUS.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Whether stderr takes colours: a terminal that knows them, where neither `NO_COLOR` nor `--color` says otherwise.
fn has_colors() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// Says a line on stderr. Where there is no stderr there is nobody to tell that.
pub fn say(line: &dyn fmt::Display) {
    say_as(NOTE, line);
}

/// Says what ends the run.
pub fn say_last(error: &dyn fmt::Display) {
    say_as(ERROR, error);
}

/// Says a line in the name of the program, at once, so that lines of several processes do not mix.
fn say_as(style: &str, line: &dyn fmt::Display) {
    let program = program();
    let (style, plain) = if has_colors() { (style, PLAIN) } else { ("", "") };
    let mut has_status = has_status();
    let clear = if std::mem::take(&mut *has_status) { CLEAR } else { "" };
    let _ = io::stderr().write_all(format!("{clear}{style}{program}:{plain} {line}\n").as_bytes());
}

/// Prints lines that stand for themselves.
pub fn print(lines: &str) {
    let mut has_status = has_status();
    let clear = if std::mem::take(&mut *has_status) { CLEAR } else { "" };
    let _ = io::stderr().write_all(format!("{clear}{lines}").as_bytes());
}

/// Puts this in place of the status line; nothing takes it away.
pub fn status(line: Option<&str>) {
    let mut has_status = has_status();
    if line.is_none() && !*has_status {
        return;
    }
    *has_status = line.is_some();
    // Whatever others write to the same terminal, or we, stands in its place.
    let _ = io::stderr().write_all(format!("{CLEAR}{}\r", line.unwrap_or_default()).as_bytes());
}
