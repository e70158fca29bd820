//! Finds out what each executor does when a worker dies in the middle of a run, by killing one.

use crate::compare::Workload;
use crate::compare::graded::turns_a_microsecond;
use crate::compare::trial::{Trial, in_memory, workers};
use crate::csv::lines;
use crate::error::Error;
use crate::executor::{Executor, MIN_BLOCK_SIZE};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

/// How long a run should take, in microseconds. The time is long enough for a process to be killed in the middle of the
/// run.
const RUN: f64 = 500_000.0;
/// Number of rows in a run. With [`PIECE`] rows in a block or task, the first results are written long before the end
/// of the run.
const ROWS: usize = 2000;
const PIECE: usize = 20;

/// The outcome of a run in which one process was killed.
#[derive(Serialize)]
pub struct Crash {
    /// Name of the executor.
    pub executor: &'static str,
    /// Which process was killed: the program, or a worker process.
    pub killed: &'static str,
    /// What the death led to, in a few words.
    pub outcome: &'static str,
    /// The exit status of the run, or the name of the signal that ended it.
    pub status: String,
    /// How many results the run wrote.
    pub written: usize,
    /// How many results a run without a death writes.
    pub rows: usize,
}

/// Runs each executor once, and kills one process in each run.
pub fn try_all(executors: &[Executor], workload: &Workload) -> Result<Vec<Crash>, Error> {
    let text = workload.repeated(ROWS);
    let input = in_memory(&text.bytes)?;
    let rows = lines(&Trial::new(Executor::Serial, 0).results(&input)?.0);
    let turns = RUN / text.rows as f64 * turns_a_microsecond();
    let block_size = (text.bytes.len() / text.rows * PIECE).max(text.longest).max(MIN_BLOCK_SIZE);
    let try_one = |executor| {
        let workers = if executor == Executor::Serial { 1 } else { workload.jobs };
        let trial = Trial::new(executor, (turns * workers as f64) as u64);
        try_one(Trial { pieces: Some((block_size, PIECE)), accounts: false, ..trial }, &input, rows)
    };
    executors.iter().copied().map(try_one).collect()
}

fn try_one(trial: Trial, input: &File, rows: usize) -> Result<Crash, Error> {
    let has_workers = trial.executor().has_processes();
    let mut is_killed = false;
    let ended = trial.run(input, |run, results| {
        // The first results show that the run has started. It is far from its end then, as `ROWS` explains.
        let has_results = results.metadata().is_ok_and(|metadata| metadata.len() > 0);
        let victim = if has_workers { workers(run).first().copied() } else { Some(run) };
        if let (Some(victim), true) = (victim.and_then(|id| Pid::from_raw(id as i32)), has_results) {
            // The process number still belongs to the victim. If the victim is the run, its number stays taken until
            // the run is waited for, which comes later. If it is a worker, it lives until the run ends.
            let _ = kill_process(victim, Signal::KILL);
            is_killed = true;
        }
        (!is_killed).then_some(Duration::from_micros(200))
    })?;
    let written = lines(&ended.stdout);
    // A run that has replaced a worker says on stderr which signal ended the worker.
    let is_said = ended.stderr.windows(7).any(|word| word == b"SIGKILL");
    let outcome = match ended.status.code() {
        _ if !is_killed => "over too soon",
        Some(0) if written == rows && has_workers && is_said => "block redone",
        Some(0) => "over too soon",
        Some(_) => "pool broken",
        None => "whole program gone",
    };
    let signal = || ended.status.signal().and_then(signal_hook::low_level::signal_name).unwrap_or("signal").to_string();
    Ok(Crash {
        executor: trial.executor().name(),
        killed: if has_workers { "a worker process" } else { "the program" },
        outcome,
        status: ended.status.code().map_or_else(signal, |code| code.to_string()),
        written,
        rows,
    })
}
