//! `--progress`: how far the run is, on stderr.
//!
//! On a terminal it is one line that is written over, and taken away at the end or before a message. Elsewhere, on
//! request, a plain line every few seconds.

use super::options::When;
use crate::process::console;
use crate::process::console::say;
use crate::tally::Tally;
use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at a terminal; short runs show nothing.
const REDRAWN: Duration = Duration::from_millis(250);
/// Between two lines of a log.
const LOGGED: Duration = Duration::from_secs(5);
/// The rate is that of about the last so many looks.
const LOOKS: f64 = 8.0;

/// Shows how far `run` is while it goes on, if that is asked for and there is somebody to see it. `total` is how many
/// bytes of input there are, where that is known; `is_among_results` says whether what the run writes is on a terminal.
pub fn while_running<T>(
    when: When,
    tally: &Tally,
    total: Option<u64>,
    is_among_results: bool,
    run: impl FnOnce() -> T,
) -> T {
    // One that cannot take a line away is as good as a log.
    let is_terminal = io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    let is_shown = match when {
        When::Never => false,
        When::Always => true,
        // Results on the same terminal would be written over.
        When::Auto => is_terminal && !is_among_results,
    };
    if !is_shown {
        return run();
    }
    thread::scope(|scope| {
        let (end, ended) = mpsc::channel();
        let show = move || show(is_terminal && !is_among_results, tally, total, &ended);
        // A run is not given up because it cannot be watched.
        let _ = thread::Builder::new().name("progress".into()).spawn_scoped(scope, show);
        let result = run();
        drop::<mpsc::Sender<()>>(end);
        result
    })
}

fn show(in_place: bool, tally: &Tally, total: Option<u64>, ended: &Receiver<()>) {
    let mut rates = Rates { rows: 0, bytes: 0, at: Instant::now(), rows_rate: None, bytes_rate: None };
    while ended.recv_timeout(if in_place { REDRAWN } else { LOGGED }) == Err(RecvTimeoutError::Timeout) {
        rates.look(tally.rows.get() + tally.bad_rows.get(), tally.bytes.get());
        let line = rates.line(total, tally.workers.get());
        if in_place {
            // Another's turn: what we wrote would be among what is typed there.
            let is_ours =
                rustix::termios::tcgetpgrp(io::stderr()).is_ok_and(|group| group == rustix::process::getpgrp());
            if !is_ours {
                continue;
            }
            let width = rustix::termios::tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col));
            let width = if width == 0 { 80 } else { width };
            // A line that is as wide as the terminal would wrap.
            let line: String = line.chars().take(width.saturating_sub(1).max(20)).collect();
            console::status(Some(&line));
        } else {
            say(&line);
        }
    }
    console::status(None);
}

/// Where the run is, and how fast it has been of late.
struct Rates {
    rows: u64,
    bytes: u64,
    at: Instant,
    rows_rate: Option<f64>,
    bytes_rate: Option<f64>,
}

impl Rates {
    fn look(&mut self, rows: u64, bytes: u64) {
        let now = Instant::now();
        let seconds = (now - self.at).as_secs_f64().max(1e-9);
        let smoothed = |before: Option<f64>, change: u64| {
            let rate = change as f64 / seconds;
            Some(before.map_or(rate, |before| before + (rate - before) / LOOKS))
        };
        self.rows_rate = smoothed(self.rows_rate, rows.saturating_sub(self.rows));
        self.bytes_rate = smoothed(self.bytes_rate, bytes.saturating_sub(self.bytes));
        (self.rows, self.bytes, self.at) = (rows, bytes, now);
    }

    fn line(&self, total: Option<u64>, workers: u64) -> String {
        let rate = count(self.rows_rate.unwrap_or(0.0), "rows/s");
        let rows = count(self.rows as f64, "rows");
        let workers = match workers {
            0 => String::new(),
            1 => ", 1 worker".to_string(),
            more => format!(", {more} workers"),
        };
        let done = bytes(self.bytes);
        let Some(total) = total.filter(|&total| total > 0) else {
            return format!("{rows}, {done}, {rate}{workers}");
        };
        // A file that grows is read to its end all the same.
        let percent = (self.bytes as f64 / total as f64 * 100.0).min(100.0) as u64;
        let left = total.saturating_sub(self.bytes) as f64 / self.bytes_rate.unwrap_or(0.0);
        let left = if left.is_finite() { format!(", {} left", clock(left)) } else { String::new() };
        format!("{percent:3} %  {done} of {}, {rows}, {rate}{left}{workers}", bytes(total))
    }
}

/// Three digits and a prefix.
fn scaled(mut number: f64) -> (String, &'static str) {
    let mut prefixes = ["", "k", "M", "G", "T", "P"].into_iter();
    let mut prefix = prefixes.next().unwrap_or_default();
    while number >= 999.5
        && let Some(next) = prefixes.next()
    {
        (number, prefix) = (number / 1000.0, next);
    }
    let digits = match number {
        _ if prefix.is_empty() => 0,
        number if number < 9.995 => 2,
        number if number < 99.95 => 1,
        _ => 0,
    };
    (format!("{number:.digits$}"), prefix)
}

/// A number of things: `12.3 M rows`.
pub fn count(number: f64, things: &str) -> String {
    let (digits, prefix) = scaled(number);
    let things = if digits == "1" && prefix.is_empty() { &things.replacen("rows", "row", 1) } else { things };
    if prefix.is_empty() { format!("{digits} {things}") } else { format!("{digits} {prefix} {things}") }
}

/// A number of bytes: `12.3 MB`.
pub fn bytes(number: u64) -> String {
    let (digits, prefix) = scaled(number as f64);
    format!("{digits} {prefix}B")
}

/// Minutes and seconds, or hours before them.
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
        let mut rates = Rates { rows: 0, bytes: 0, at: Instant::now(), rows_rate: None, bytes_rate: None };
        assert_eq!(rates.line(Some(10), 1), "  0 %  0 B of 10 B, 0 rows, 0 rows/s, 1 worker");
        rates = Rates { rows: 1, bytes: 6, ..rates };
        assert_eq!(rates.line(None, 2), "1 row, 6 B, 0 rows/s, 2 workers");
        rates = Rates { rows: 5000, bytes: 50_000, rows_rate: Some(1000.0), bytes_rate: Some(10_000.0), ..rates };
        assert_eq!(rates.line(None, 0), "5.00 k rows, 50.0 kB, 1.00 k rows/s");
        let line = rates.line(Some(200_000), 2);
        assert_eq!(line, " 25 %  50.0 kB of 200 kB, 5.00 k rows, 1.00 k rows/s, 0:15 left, 2 workers");
        assert!(rates.line(Some(40_000), 2).starts_with("100 %"));
    }
}
