//! `--stats`: prints on stderr, at the end of a run, how many rows it had and how much time and memory it used.

use super::options::StatsForm;
use super::progress::{bytes, count};
use crate::process::console;
use crate::tally::{Share, Spent, Tally};
use nix::sys::resource::{UsageWho, getrusage};
use serde::Serialize;
use std::time::Duration;

/// The statistics of a run. The fields have the names of the JSON output.
#[derive(Serialize)]
struct Stats {
    rows: u64,
    bad_rows: u64,
    bytes: u64,
    seconds: f64,
    rows_per_second: f64,
    /// The busiest part of the run, as found by [`busiest`].
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

/// The peaks of resident memory of the parent and of the worker that had most, in bytes. A page that several processes
/// share counts for each of them that has touched it.
#[derive(Serialize)]
struct Peak {
    parent: u64,
    largest_worker: u64,
}

/// Prints the statistics of a run that took the time `took`.
pub fn print(form: StatsForm, tally: &Tally, took: Duration) {
    let stats = Stats::of(tally, took);
    let text = match form {
        StatsForm::Text => stats.text(),
        #[cfg(feature = "json")]
        StatsForm::Json => serde_json::to_string(&stats).unwrap_or_default() + "\n",
    };
    console::print(&text);
}

impl Times {
    fn of(working: Duration, waiting: Duration) -> Self {
        Times { working_seconds: working.as_secs_f64(), waiting_seconds: waiting.as_secs_f64() }
    }

    /// The share of the time that was spent working, between 0 and 1.
    fn part(&self) -> f64 {
        self.working_seconds / (self.working_seconds + self.waiting_seconds).max(f64::MIN_POSITIVE)
    }
}

impl Stats {
    fn of(tally: &Tally, took: Duration) -> Self {
        let shares = tally.shares();
        let seconds = took.as_secs_f64();
        let rows = tally.rows.get();
        let peak = |who| getrusage(who).map_or(0, |usage| usage.max_rss().unsigned_abs() * 1024);
        let of = |spent: &Spent| Times::of(spent.working(), spent.waiting());
        let worker = |share: &Share| Worker {
            blocks: share.blocks,
            rows: share.rows,
            times: Times::of(share.working, share.waiting),
        };
        let workers: Vec<_> = shares.iter().map(worker).collect();
        let (reader, writer) = (of(&tally.reader), of(&tally.writer));
        Stats {
            rows,
            bad_rows: tally.bad_rows.get(),
            bytes: tally.bytes.get(),
            seconds,
            rows_per_second: rows as f64 / seconds.max(1e-9),
            busiest: busiest(&reader, &writer, &workers),
            reader,
            writer,
            workers,
            restarts: tally.restarts.get(),
            peak_memory: Peak { parent: peak(UsageWho::RUSAGE_SELF), largest_worker: peak(UsageWho::RUSAGE_CHILDREN) },
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![
            format!("rows        {}, bad rows {}", self.rows, self.bad_rows),
            format!("input       {} ({} bytes)", bytes(self.bytes), self.bytes),
            format!("time        {:.3} s, {}", self.seconds, count(self.rows_per_second, "rows/s")),
            "            working s  waiting s    blocks       rows".to_string(),
        ];
        let times = |times: &Times| format!("{:10.3} {:10.3}", times.working_seconds, times.waiting_seconds);
        lines.push(format!("reader     {}", times(&self.reader)));
        lines.push(format!("writer     {}", times(&self.writer)));
        for (number, worker) in self.workers.iter().enumerate() {
            let share = 100.0 * worker.rows as f64 / (self.rows as f64).max(1.0);
            let (times, blocks, rows) = (times(&worker.times), worker.blocks, worker.rows);
            lines.push(format!("worker {number:<3} {times} {blocks:9} {rows:10}  {share:.0} %"));
        }
        lines.extend(self.busiest.map(|busiest| format!("busiest     {busiest}")));
        lines.push(format!("restarts    {}", self.restarts));
        let largest_worker = match self.peak_memory.largest_worker {
            0 => String::new(),
            most => format!(", largest worker {}", bytes(most)),
        };
        lines.push(format!("memory      parent {}{largest_worker}\n", bytes(self.peak_memory.parent)));
        lines.join("\n")
    }
}

/// Returns which of reader, writer and workers spent the largest share of its time working: the other two waited for
/// it. `None` if the workers have never worked or never waited, as in the executor `serial`.
fn busiest(reader: &Times, writer: &Times, workers: &[Worker]) -> Option<&'static str> {
    let sum = |seconds: fn(&Times) -> f64| workers.iter().map(|worker| seconds(&worker.times)).sum();
    let workers = Times {
        working_seconds: sum(|times| times.working_seconds),
        waiting_seconds: sum(|times| times.waiting_seconds),
    };
    if workers.working_seconds == 0.0 || workers.waiting_seconds == 0.0 {
        return None;
    }
    let parts = [("workers", workers.part()), ("reader", reader.part()), ("writer", writer.part())];
    parts.into_iter().max_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(name, _)| name)
}
