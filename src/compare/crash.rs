//! What each executor does when a worker is killed in the middle of a run: found by killing one.

use crate::compare::Workload;
use crate::compare::graded::turns_a_microsecond;
use crate::compare::trial::{Trial, contents, in_memory, workers};
use crate::error::Error;
use crate::executor::{Executor, MIN_BLOCK_SIZE};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

/// How long a run is to take: long enough to be killed in the middle.
const RUN: f64 = 500_000.0;
/// At least so many rows, in pieces of so many: there are results long before the end.
const ROWS: usize = 2000;
const PIECE: usize = 20;

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
    /// Results that were written.
    pub written: usize,
    /// Results that there are when all goes well.
    pub rows: usize,
}

/// Kills one in a run of each executor.
pub fn try_all(workload: &Workload) -> Result<Vec<Crash>, Error> {
    let jobs = workload.jobs;
    let text = workload.repeated(ROWS);
    let input = in_memory(&text.bytes)?;
    let expected = lines(&Trial::new(Executor::Serial, 0).results(&input)?.0);
    let turns = RUN / text.rows as f64 * turns_a_microsecond();
    let block_size = (text.bytes.len() / text.rows * PIECE).max(text.longest).max(MIN_BLOCK_SIZE);
    let try_one = |executor| {
        let workers = if executor == Executor::Serial { 1 } else { jobs };
        let trial = Trial::new(executor, (turns * workers as f64) as u64).in_pieces(block_size, PIECE);
        try_one(trial, &input, expected)
    };
    Executor::ALL.into_iter().map(try_one).collect()
}

fn lines(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', text).count()
}

fn try_one(trial: Trial, input: &File, expected: usize) -> Result<Crash, Error> {
    let executor = trial.executor();
    let (results, said) = (in_memory(&[])?, in_memory(&[])?);
    let mut run = trial.start(input, &results, &said)?;
    let has_workers = matches!(executor, Executor::Pickle | Executor::Shared);
    // In the middle: as soon as there are results.
    let victim = loop {
        let has_results = results.metadata().is_ok_and(|metadata| metadata.len() > 0);
        let victim = if has_workers { workers(run.id()).first().copied() } else { Some(run.id()) };
        if run.try_wait().is_ok_and(|status| status.is_some()) {
            break None;
        }
        if let (Some(victim), true) = (victim.and_then(|id| Pid::from_raw(id as i32)), has_results) {
            // Nobody has reaped it: the run has not ended, and keeps its workers as long.
            let _ = kill_process(victim, Signal::KILL);
            break Some(victim);
        }
        std::thread::sleep(Duration::from_micros(200));
    };
    let status = run.wait().map_err(|error| Error::io("cannot wait for a trial", error))?;
    let written = lines(&contents(&results)?);
    let noticed = contents(&said)?.windows(7).any(|word| word == b"SIGKILL");
    let outcome = match (victim, status.code()) {
        (None, _) => "over too soon",
        (_, Some(0)) if written == expected && has_workers && noticed => "block redone",
        (_, Some(0)) => "over too soon",
        (_, Some(_)) => "pool broken",
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
        rows: expected,
    })
}
