//! `--stats`: what a run came to, on stderr at its end.

use super::options::StatsForm;
use super::progress::{bytes, count};
use crate::process::console;
use crate::tally::{Share, Spent, Tally};
use nix::sys::resource::{UsageWho, getrusage};
use serde::Serialize;
use std::fmt::Write;
use std::time::Duration;

/// What is printed, as JSON calls it.
#[derive(Serialize)]
struct Stats {
    rows: u64,
    bad_rows: u64,
    bytes: u64,
    seconds: f64,
    rows_per_second: f64,
    /// The one of reader, workers, writer that worked most and waited least.
    busiest: Option<&'static str>,
    reader: Times,
    writer: Times,
    workers: Vec<Worker>,
    restarts: u64,
    peak_memory: Peak,
}

#[derive(Serialize)]
struct Times {
    working_seconds: f64,
    waiting_seconds: f64,
}

#[derive(Serialize)]
struct Worker {
    blocks: u64,
    rows: u64,
    #[serde(flatten)]
    times: Times,
}

/// Resident bytes at their most: shared pages count for each who touched them.
#[derive(Serialize)]
struct Peak {
    parent: u64,
    largest_worker: u64,
}

impl From<&Spent> for Times {
    fn from(spent: &Spent) -> Self {
        Times { working_seconds: spent.working().as_secs_f64(), waiting_seconds: spent.waiting().as_secs_f64() }
    }
}

impl From<&Share> for Worker {
    fn from(share: &Share) -> Self {
        let (working_seconds, waiting_seconds) = (share.working.as_secs_f64(), share.waiting.as_secs_f64());
        Worker { blocks: share.blocks, rows: share.rows, times: Times { working_seconds, waiting_seconds } }
    }
}

/// Prints what the run came to, which took so long.
pub fn print(form: StatsForm, tally: &Tally, took: Duration) {
    let stats = Stats::of(tally, took);
    let text = match form {
        StatsForm::Text => stats.text(),
        StatsForm::Json => serde_json::to_string(&stats).unwrap_or_default() + "\n",
    };
    console::print(&text);
}

impl Stats {
    fn of(tally: &Tally, took: Duration) -> Self {
        let shares = tally.shares();
        let seconds = took.as_secs_f64();
        let rows = tally.rows.get();
        let peak = |who| getrusage(who).map_or(0, |usage| usage.max_rss().unsigned_abs() * 1024);
        Stats {
            rows,
            bad_rows: tally.bad_rows.get(),
            bytes: tally.bytes.get(),
            seconds,
            rows_per_second: rows as f64 / seconds.max(1e-9),
            busiest: busiest(tally, &shares),
            reader: (&tally.reader).into(),
            writer: (&tally.writer).into(),
            workers: shares.iter().map(Worker::from).collect(),
            restarts: tally.restarts.get(),
            peak_memory: Peak { parent: peak(UsageWho::RUSAGE_SELF), largest_worker: peak(UsageWho::RUSAGE_CHILDREN) },
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let rate = count(self.rows_per_second, "rows/s");
        let _ = writeln!(text, "rows        {}, bad rows {}", self.rows, self.bad_rows);
        let _ = writeln!(text, "input       {} ({} bytes)", bytes(self.bytes), self.bytes);
        let _ = writeln!(text, "time        {:.3} s, {rate}", self.seconds);
        let _ = writeln!(text, "            working s  waiting s    blocks       rows");
        for (name, times) in [("reader", &self.reader), ("writer", &self.writer)] {
            let _ = writeln!(text, "{name:<10} {:10.3} {:10.3}", times.working_seconds, times.waiting_seconds);
        }
        for (number, worker) in self.workers.iter().enumerate() {
            let Worker { blocks, rows, times } = worker;
            let share = 100.0 * *rows as f64 / (self.rows as f64).max(1.0);
            let _ = writeln!(
                text,
                "worker {number:<3} {:10.3} {:10.3} {blocks:9} {rows:10}  {share:.0} %",
                times.working_seconds, times.waiting_seconds
            );
        }
        if let Some(busiest) = self.busiest {
            let _ = writeln!(text, "busiest     {busiest}");
        }
        let _ = writeln!(text, "restarts    {}", self.restarts);
        let Peak { parent, largest_worker } = self.peak_memory;
        let _ = write!(text, "memory      parent {}", bytes(parent));
        let _ = match largest_worker {
            0 => writeln!(text),
            _ => writeln!(text, ", largest worker {}", bytes(largest_worker)),
        };
        text
    }
}

/// Who worked for the largest part of the time: the others waited for that one. None where workers do not say.
fn busiest(tally: &Tally, shares: &[Share]) -> Option<&'static str> {
    let part = |working: Duration, waiting: Duration| {
        let all = (working + waiting).as_secs_f64();
        if all > 0.0 { working.as_secs_f64() / all } else { 0.0 }
    };
    let of = |spent: &Spent| part(spent.working(), spent.waiting());
    let working: Duration = shares.iter().map(|share| share.working).sum();
    let waiting: Duration = shares.iter().map(|share| share.waiting).sum();
    if working.is_zero() || waiting.is_zero() {
        return None;
    }
    let parts = [("workers", part(working, waiting)), ("reader", of(&tally.reader)), ("writer", of(&tally.writer))];
    parts.into_iter().max_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(name, _)| name)
}
