//! `--progress`: shows on stderr how much of the input is done.
//!
//! On a terminal, progress is one status line, which each update overwrites, and which is erased before each message
//! and at the end. If stderr is no terminal, or results go to a terminal, `--progress=always` prints a plain line every
//! few seconds instead.

use super::options::When;
use crate::process::console;
use crate::process::console::say;
use crate::tally::Tally;
use rustix::process::getpgrp;
use rustix::termios::{tcgetpgrp, tcgetwinsize};
use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Time between two updates of the status line on a terminal. A run shorter than this shows nothing.
const REDRAWN: Duration = Duration::from_millis(250);
/// Time between two plain lines.
const LOGGED: Duration = Duration::from_secs(5);
/// Number of updates over which rates are smoothed: each update moves a rate by 1/8 of its difference to the newest
/// measurement.
const LOOKS: f64 = 8.0;

/// Calls `run`, and meanwhile shows its progress on stderr, if `when` says so. `total` is the size of the input in
/// bytes, if it is known. `is_among_results` says whether results or bad rows go to a terminal, where a status line
/// would mix with them. `Auto` shows progress if stderr is a terminal and `is_among_results` is false.
pub fn while_running<T>(
    when: When,
    tally: &Tally,
    total: Option<u64>,
    is_among_results: bool,
    run: impl FnOnce() -> T,
) -> T {
    // A terminal of the type `dumb` cannot erase a line, so `Always` prints plain lines there, and `Auto` nothing.
    let is_terminal = io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    let is_shown = match when {
        When::Never => false,
        When::Always => true,
        // The status line would overwrite results on the same terminal.
        When::Auto => is_terminal && !is_among_results,
    };
    if !is_shown {
        return run();
    }
    thread::scope(|scope| {
        let (end, ended) = mpsc::channel();
        let show = move || show(is_terminal && !is_among_results, tally, total, &ended);
        // If the thread cannot be started, the run goes on without showing progress.
        let _ = thread::Builder::new().name("progress".into()).spawn_scoped(scope, show);
        let result = run();
        drop::<mpsc::Sender<()>>(end);
        result
    })
}

fn show(in_place: bool, tally: &Tally, total: Option<u64>, ended: &Receiver<()>) {
    let mut rates = Rates { done: [0; 2], at: Instant::now(), rates: None };
    while ended.recv_timeout(if in_place { REDRAWN } else { LOGGED }) == Err(RecvTimeoutError::Timeout) {
        rates.look([tally.rows.get() + tally.bad_rows.get(), tally.bytes.get()]);
        let line = rates.line(total, tally.workers.get());
        if !in_place {
            say(&line);
        // A process in the background draws no status line, because the line would appear within what the user types
        // in the foreground.
        } else if tcgetpgrp(io::stderr()).is_ok_and(|group| group == getpgrp()) {
            let columns = tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col));
            let columns = if columns == 0 { 80 } else { columns };
            // A line that is as wide as the terminal would wrap, so it is cut one character earlier, but not to fewer
            // than 20.
            let line: String = line.chars().take(columns.saturating_sub(1).max(20)).collect();
            console::status(Some(&line));
        }
    }
    console::status(None);
}

/// Progress at the last update, and the rates at which it grew. Index 0 is rows, bad ones included, index 1 is bytes of
/// input.
struct Rates {
    done: [u64; 2],
    /// When `done` was last set.
    at: Instant,
    /// Rates per second, averaged over the last updates; `None` before the first update.
    rates: Option<[f64; 2]>,
}

impl Rates {
    fn look(&mut self, done: [u64; 2]) {
        let now = Instant::now();
        let seconds = (now - self.at).as_secs_f64().max(1e-9);
        let rates = std::array::from_fn(|at| done[at].saturating_sub(self.done[at]) as f64 / seconds);
        let smoothed = |before: [f64; 2]| std::array::from_fn(|at| before[at] + (rates[at] - before[at]) / LOOKS);
        *self = Rates { done, at: now, rates: Some(self.rates.map_or(rates, smoothed)) };
    }

    fn line(&self, total: Option<u64>, workers: u64) -> String {
        let [rows_done, bytes_done] = self.done;
        let [rows_rate, bytes_rate] = self.rates.unwrap_or_default();
        let (rows, rate, done) = (count(rows_done as f64, "rows"), count(rows_rate, "rows/s"), bytes(bytes_done));
        let workers = match workers {
            0 => String::new(),
            1 => ", 1 worker".to_string(),
            more => format!(", {more} workers"),
        };
        let Some(total) = total.filter(|&total| total > 0) else {
            return format!("{rows}, {done}, {rate}{workers}");
        };
        // If a file grows during the run, more bytes than `total` can be read.
        let percent = (bytes_done as f64 / total as f64 * 100.0).min(100.0) as u64;
        let left = total.saturating_sub(bytes_done) as f64 / bytes_rate;
        let left = if left.is_finite() { format!(", {} left", clock(left)) } else { String::new() };
        format!("{percent:3} %  {done} of {}, {rows}, {rate}{left}{workers}", bytes(total))
    }
}

/// Divides `number` by a power of 1000 so that three digits stand for it. Returns these digits, and the unit's prefix
/// for that power.
fn scaled(mut number: f64) -> (String, &'static str) {
    let mut prefix = "";
    for larger in ["k", "M", "G", "T", "P"] {
        if number >= 999.5 {
            (number, prefix) = (number / 1000.0, larger);
        }
    }
    let digits = match number {
        _ if prefix.is_empty() => 0,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    (format!("{number:.digits$}"), prefix)
}

/// Formats a number of things, like `12.3 M rows`.
pub fn count(number: f64, things: &str) -> String {
    match scaled(number) {
        (digits, "") if digits == "1" => format!("1 {}", things.replacen("rows", "row", 1)),
        (digits, "") => format!("{digits} {things}"),
        (digits, prefix) => format!("{digits} {prefix} {things}"),
    }
}

/// Formats a number of bytes, like `12.3 MB`.
pub fn bytes(number: u64) -> String {
    let (digits, prefix) = scaled(number as f64);
    format!("{digits} {prefix}B")
}

/// Formats a time as minutes and seconds, with hours in front if it is an hour or more.
fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let numbers = [0, 7, 999, 1234, 12_345, 123_456, 999_999, 1_500_000_000, 2_000_000_000_000_000_000];
        let expected = ["0 B", "7 B", "999 B", "1.23 kB", "12.3 kB", "123 kB", "1.00 MB", "1.50 GB", "2000 PB"];
        assert_eq!(numbers.map(bytes), expected);
        assert_eq!((count(999.6, "rows"), count(3.4, "rows")), ("1.00 k rows".into(), "3 rows".into()));
        assert_eq!([0.0, 59.6, 61.0, 3599.4, 36_000.0].map(clock), ["0:00", "1:00", "1:01", "59:59", "10:00:00"]);
    }

    #[test]
    fn a_line_says_what_is_known() {
        let mut rates = Rates { done: [0; 2], at: Instant::now(), rates: None };
        assert_eq!(rates.line(Some(10), 1), "  0 %  0 B of 10 B, 0 rows, 0 rows/s, 1 worker");
        rates = Rates { done: [1, 6], ..rates };
        assert_eq!(rates.line(None, 2), "1 row, 6 B, 0 rows/s, 2 workers");
        rates = Rates { done: [5000, 50_000], rates: Some([1000.0, 10_000.0]), ..rates };
        assert_eq!(rates.line(None, 0), "5.00 k rows, 50.0 kB, 1.00 k rows/s");
        let line = rates.line(Some(200_000), 2);
        assert_eq!(line, " 25 %  50.0 kB of 200 kB, 5.00 k rows, 1.00 k rows/s, 0:15 left, 2 workers");
        assert!(rates.line(Some(40_000), 2).starts_with("100 %"));
    }
}
