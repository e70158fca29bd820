//! `--compare`: the executors against each other, on the same rows, measured and not claimed.

mod crash;
mod graded;
mod leverage;
mod plot;
mod table;
pub mod trial;

use crate::error::Error;
use crate::executor::Executor;
use crate::steps::Nanos;
use serde::Serialize;
use std::fs::File;
use std::path::Path;
use std::time::Duration;
use trial::{Trial, in_memory};

/// What is compared.
pub struct Workload {
    /// The rows, as text.
    pub rows: Vec<u8>,
    /// Where they come from.
    pub name: String,
    /// How many workers each executor has.
    pub jobs: usize,
}

/// Runs of each executor, in turn with the others': the median of so many.
const RUNS: usize = 5;
/// Runs with the steps timed, apart from those, since timing takes time.
const TIMED_RUNS: usize = 3;

/// All that a comparison finds out.
#[derive(Serialize)]
pub struct Report {
    workload: String,
    rows: usize,
    jobs: usize,
    executors: Vec<Measured>,
    steps: Steps,
    leverage: leverage::Leverage,
    crashes: Vec<crash::Crash>,
}

/// One executor's run.
#[derive(Serialize)]
struct Measured {
    executor: &'static str,
    seconds: f64,
    speed_up: f64,
    rows_a_second: f64,
    cpu_seconds: f64,
    copied_bytes_a_row: f64,
    peak_memory_bytes: u64,
}

/// The ten steps of Item 41, in nanoseconds of processor time a row.
#[derive(Serialize)]
struct Steps {
    pickle: Vec<f64>,
    shared: Vec<f64>,
    /// All the steps together, as a part of the processor time of those runs.
    pickle_part_of_cpu: f64,
    shared_part_of_cpu: f64,
}

/// Compares, and says what was found: as JSON, or as tables for a person, and as a plot where that is asked for.
///
/// # Errors
/// When a run fails, or two executors do not agree.
pub fn compare(workload: Workload, as_json: bool, plot: Option<&Path>) -> Result<(), Error> {
    let report = Report::of(workload)?;
    if let Some(path) = plot {
        plot::draw(&report.leverage, path)?;
    }
    let text =
        if as_json { serde_json::to_string_pretty(&report).unwrap_or_default() + "\n" } else { table::text(&report) };
    match std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Error::broken_pipe()),
        written => written.map_err(|error| Error::io("stdout", error)),
    }
}

impl Report {
    fn of(workload: Workload) -> Result<Self, Error> {
        let input = in_memory(&workload.rows)?;
        let rows = memchr::memchr_iter(b'\n', &workload.rows).count().max(1);
        let peaks = agree(&input)?;
        let mut walls = [const { vec![] }; 4];
        let mut cpus = [const { vec![] }; 4];
        for _ in 0..RUNS {
            for (at, executor) in Executor::ALL.into_iter().enumerate() {
                let outcome = Trial::new(executor, 0).run(&input)?;
                walls[at].push(outcome.wall);
                cpus[at].push(outcome.cpu);
            }
        }
        let (pickle, copied, pickle_part_of_cpu) = steps_of(Executor::Pickle, &input, rows)?;
        let (shared, _, shared_part_of_cpu) = steps_of(Executor::Shared, &input, rows)?;
        let serial = median(walls[0].clone()).as_secs_f64();
        let measured = |(at, executor): (usize, Executor)| {
            let seconds = median(walls[at].clone()).as_secs_f64();
            Measured {
                executor: executor.name(),
                seconds,
                speed_up: serial / seconds,
                rows_a_second: rows as f64 / seconds,
                cpu_seconds: median(cpus[at].clone()).as_secs_f64(),
                copied_bytes_a_row: if executor == Executor::Pickle { copied } else { 0.0 },
                peak_memory_bytes: peaks[at],
            }
        };
        let executors = Executor::ALL.into_iter().enumerate().map(measured).collect();
        Ok(Report {
            executors,
            steps: Steps { pickle, shared, pickle_part_of_cpu, shared_part_of_cpu },
            leverage: leverage::measure(&workload.rows, workload.jobs)?,
            crashes: crash::try_all(&workload.rows, rows)?,
            workload: workload.name,
            rows,
            jobs: workload.jobs,
        })
    }
}

/// The most memory that each executor took, once all have given the same results.
fn agree(input: &File) -> Result<Vec<u64>, Error> {
    let (expected, peak) = Trial::new(Executor::Serial, 0).results(input)?;
    let mut peaks = vec![peak];
    for executor in &Executor::ALL[1..] {
        let (results, peak) = Trial::new(*executor, 0).results(input)?;
        if results != expected {
            return Err(Error::usage(format!("{} and serial do not agree: this is a defect", executor.name())));
        }
        peaks.push(peak);
    }
    Ok(peaks)
}

/// Nanoseconds a row by step, bytes copied a row, and the steps' part of the processor time.
fn steps_of(executor: Executor, input: &File, rows: usize) -> Result<(Vec<f64>, f64, f64), Error> {
    let (mut sum, mut copied, mut cpu): (Nanos, u64, Duration) = Default::default();
    for _ in 0..TIMED_RUNS {
        let outcome = Trial::new(executor, 0).timed().run(input)?;
        sum = std::array::from_fn(|step| sum[step] + outcome.steps[step]);
        copied += outcome.copied;
        cpu += outcome.cpu;
    }
    let a_row = |total: u64| total as f64 / (TIMED_RUNS * rows) as f64;
    let part = sum.iter().sum::<u64>() as f64 / cpu.as_nanos() as f64;
    Ok((sum.into_iter().map(a_row).collect(), a_row(copied), part))
}

fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}
