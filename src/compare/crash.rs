//! What each executor does when a worker is killed in the middle of a run: found by killing one.

use crate::compare::graded::turns_a_microsecond;
use crate::compare::trial::{Trial, contents, in_memory, workers};
use crate::error::Error;
use crate::executor::Executor;
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

/// How long a run is to take on one processor: long enough to be killed in the middle.
const RUN: f64 = 600_000.0;

/// What came of a run in which one was killed.
#[derive(Serialize)]
pub struct Crash {
    /// The executor.
    pub executor: &'static str,
    /// What was killed.
    pub killed: &'static str,
    /// What that did.
    pub outcome: &'static str,
    /// The run's exit status, or how it died.
    pub status: String,
    /// Rows whose results were written.
    pub written: usize,
    /// Rows that there were.
    pub rows: usize,
}

/// Kills one in a run of each executor.
pub fn try_all(text: &[u8], rows: usize) -> Result<Vec<Crash>, Error> {
    let turns = (RUN / rows as f64 * turns_a_microsecond()) as u64;
    let input = in_memory(text)?;
    Executor::ALL.into_iter().map(|executor| try_one(Trial::new(executor, turns), &input, rows)).collect()
}

fn try_one(trial: Trial, input: &std::fs::File, rows: usize) -> Result<Crash, Error> {
    let executor = trial.executor();
    let results = in_memory(&[])?;
    let mut run = trial.start(input, &results)?;
    let has_workers = matches!(executor, Executor::Pickle | Executor::Shared);
    let start = Instant::now();
    // In the middle: when there are results, or after a while.
    let victim = loop {
        let length = results.metadata().map_or(0, |metadata| metadata.len());
        let is_time = start.elapsed() > Duration::from_millis(100) && length > 0;
        let victim = if has_workers { workers(run.id()).first().copied() } else { Some(run.id()) };
        if let (Some(victim), true) = (victim, is_time) {
            break Some(victim);
        }
        if run.try_wait().is_ok_and(|status| status.is_some()) {
            break None;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    if let Some(victim) = victim.and_then(|id| Pid::from_raw(id as i32)) {
        // It has not been reaped, here or by its parent, which would take longer than this.
        let _ = kill_process(victim, Signal::KILL);
    }
    let status = run.wait().map_err(|error| Error::io("cannot wait for a trial", error))?;
    let mut said = vec![];
    let _ = run.stderr.take().map(|mut stderr| stderr.read_to_end(&mut said));
    let written = memchr::memchr_iter(b'\n', &contents(&results)?).count();
    let outcome = match (victim, status.code()) {
        (None, _) => "over before it could be killed",
        (_, Some(0)) if written == rows => "block redone by another worker; nothing lost",
        (_, Some(_)) => "pool broken; the rest is lost",
        (_, None) => "whole program gone",
    };
    Ok(Crash {
        executor: executor.name(),
        killed: if has_workers { "a worker process" } else { "the program" },
        outcome,
        status: match (status.code(), status.signal()) {
            (Some(code), _) => code.to_string(),
            (None, signal) => signal.and_then(signal_hook::low_level::signal_name).unwrap_or("signal").to_string(),
        },
        written,
        rows,
    })
}
