//! `--compare`: measures the executors against each other, on the same rows.
//!
//! Every measurement is a [`trial`]: this program, run again over rows in memory. [`leverage`] finds how much work a row must
//! have before an executor pays, and [`crash`] what becomes of a run in which a worker is killed.

mod crash;
pub mod graded;
mod leverage;
mod plot;
mod table;
pub mod trial;

use crate::csv::Format;
use crate::csv::record::{self, Line};
use crate::error::Error;
use crate::executor::Executor;
use crate::output::Output;
use crate::steps::Nanos;
use serde::Serialize;
use std::fs::File;
use std::time::Duration;
use trial::{Trial, in_memory};

/// What is compared.
pub struct Workload {
    /// How the rows are written.
    pub format: Format,
    /// What stands before the first row, if each input begins with a header.
    pub header: Vec<u8>,
    /// The text of the rows, each with its line end.
    pub rows: Vec<u8>,
    /// What messages call the place that the rows come from.
    pub name: String,
    /// How many workers each executor has.
    pub jobs: usize,
    /// Most bytes of a block.
    pub block_size: usize,
    /// Most rows of a task.
    pub chunk_size: usize,
}

/// Each executor is run so often, in turn with the others; the median counts.
const RUNS: usize = 5;
/// How many more runs have their steps timed: separate runs, since timing takes time.
const TIMED_RUNS: usize = 3;

/// All that a comparison finds out.
#[derive(Serialize)]
pub struct Report {
    workload: String,
    rows: usize,
    jobs: usize,
    block_size: usize,
    chunk_size: usize,
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
    rows_per_second: f64,
    cpu_seconds: f64,
    copied_bytes_a_row: f64,
    peak_memory_bytes: u64,
}

/// The ten steps of Item 41, in nanoseconds of processor time a row.
#[derive(Serialize)]
struct Steps {
    steps: Vec<StepCost>,
    /// All steps together, as a part of the processor time of the same runs: near 1, unless time was spent outside the steps.
    pickle_part_of_cpu: f64,
    shared_part_of_cpu: f64,
}

/// What one of the ten steps costs, in nanoseconds of processor time a row.
#[derive(Serialize)]
struct StepCost {
    number: usize,
    name: &'static str,
    pickle: f64,
    /// None where sharing does not have the step.
    shared: Option<f64>,
}

/// What a process pool does for each item according to Item 41 of *Effective Python*, in our words; and whether `shared` does
/// it too.
const STEPS: [(&str, bool); 10] = [
    ("take each item from the input", true),
    ("serialise it (pickle)", false),
    ("copy it to the child (socket)", false),
    ("deserialise it (unpickle)", false),
    ("make the function ready in the child", true),
    ("run the function", true),
    ("serialise the result (pickle)", false),
    ("copy it back (socket)", false),
    ("deserialise it (unpickle)", false),
    ("merge the results in order", true),
];

/// How long a run whose steps are timed is to take on one processor, in seconds; the rows are repeated as often as that needs. It is
/// long beside what lies before the first step and after the last.
const TIMED: f64 = 0.3;
/// The most rows that these runs have.
const MOST_ROWS: usize = 10_000_000;

/// Compares, and says what was found: as JSON, or as tables for a person, and as a plot where that is asked for.
///
/// # Errors
/// When a run fails, or two executors do not agree.
pub fn compare(workload: Workload, as_json: bool, plot: Option<Output>) -> Result<(), Error> {
    let report = Report::of(workload)?;
    let text =
        if as_json { serde_json::to_string_pretty(&report).unwrap_or_default() + "\n" } else { table::text(&report) };
    let stdout = Output::stdout()?;
    stdout.write_all(text.as_bytes())?;
    stdout.complete()?;
    if let Some(plot) = plot {
        plot.write_all(plot::svg(&report.leverage)?.as_bytes())?;
        plot.complete()?;
    }
    Ok(())
}

/// Rows to be read by a trial.
struct Text {
    bytes: Vec<u8>,
    rows: usize,
    /// Bytes of the longest row, or of the header.
    longest: usize,
}

impl Workload {
    /// The header and so many rows: the first of these rows, or all of them again and again.
    fn repeated(&self, count: usize) -> Text {
        let rows = self.split();
        let count = if rows.is_empty() { 0 } else { count.max(1) };
        let mut text = Text { bytes: self.header.clone(), rows: count, longest: self.header.len() };
        for row in rows.iter().cycle().take(count) {
            text.bytes.extend_from_slice(row);
            text.longest = text.longest.max(row.len());
        }
        text
    }

    /// The rows, each with its line end.
    fn split(&self) -> Vec<&[u8]> {
        let (mut rows, mut rest, mut fields) = (vec![], &self.rows[..], vec![]);
        while !rest.is_empty() {
            let length = match record::split(rest, self.format, &mut fields) {
                Line::Row { length, .. } => {
                    rows.push(&rest[..length]);
                    length
                }
                Line::Nothing { length } => length,
                Line::Stray { .. } | Line::Unclosed { .. } => break,
            };
            rest = &rest[length..];
        }
        rows
    }
}

impl Report {
    fn of(workload: Workload) -> Result<Self, Error> {
        let rows = workload.split().len();
        if rows == 0 {
            return Err(Error::usage("there are no rows to compare with"));
        }
        let input = in_memory(&workload.repeated(rows).bytes)?;
        let peaks = agree(&input)?;
        let medians = medians(RUNS, &input, |executor| Trial::new(executor, 0))?;
        let (serial, _) = medians[0];
        let times = ((TIMED / serial).ceil() as usize).min(MOST_ROWS / rows).max(1);
        let repeated = in_memory(&workload.repeated(times * rows).bytes)?;
        let (pickle, copied, pickle_part_of_cpu) = steps_of(Executor::Pickle, &repeated, times * rows)?;
        let (shared, _, shared_part_of_cpu) = steps_of(Executor::Shared, &repeated, times * rows)?;
        let steps = STEPS.into_iter().enumerate().map(|(at, (name, is_shared))| StepCost {
            number: at + 1,
            name,
            pickle: pickle[at],
            shared: is_shared.then_some(shared[at]),
        });
        let executors =
            Executor::ALL.into_iter().zip(medians).zip(peaks).map(|((executor, (seconds, cpu)), peak)| Measured {
                executor: executor.name(),
                seconds,
                speed_up: serial / seconds,
                rows_per_second: rows as f64 / seconds,
                cpu_seconds: cpu,
                copied_bytes_a_row: if executor == Executor::Pickle { copied } else { 0.0 },
                peak_memory_bytes: peak,
            });
        Ok(Report {
            executors: executors.collect(),
            steps: Steps { steps: steps.collect(), pickle_part_of_cpu, shared_part_of_cpu },
            leverage: leverage::measure(&workload)?,
            crashes: crash::try_all(&workload)?,
            workload: workload.name,
            rows,
            jobs: workload.jobs,
            block_size: workload.block_size,
            chunk_size: workload.chunk_size,
        })
    }
}

/// The most memory that each executor took, once all have given the same results.
fn agree(input: &File) -> Result<Vec<u64>, Error> {
    let results = Executor::ALL.into_iter().map(|executor| Trial::new(executor, 0).results(input));
    let results = results.collect::<Result<Vec<_>, _>>()?;
    match results.iter().position(|(found, _)| *found != results[0].0) {
        Some(at) => {
            Err(Error::defect(format!("{} and serial do not agree: this is a defect", Executor::ALL[at].name())))
        }
        None => Ok(results.into_iter().map(|(_, peak)| peak).collect()),
    }
}

/// What each executor's trial takes, in seconds and in seconds of processor time: medians of so many runs, in turn with those
/// of the other executors.
fn medians(runs: usize, input: &File, trial: impl Fn(Executor) -> Trial) -> Result<[(f64, f64); 4], Error> {
    let mut times = [const { (vec![], vec![]) }; 4];
    for _ in 0..runs {
        for (executor, (walls, cpus)) in Executor::ALL.into_iter().zip(&mut times) {
            let (ended, _) = trial(executor).measured(input)?;
            walls.push(ended.wall);
            cpus.push(ended.cpu);
        }
    }
    Ok(times.map(|(walls, cpus)| (median(walls), median(cpus))))
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}

/// Nanoseconds a row by step, bytes copied a row, and the steps' part of the processor time.
fn steps_of(executor: Executor, input: &File, rows: usize) -> Result<(Vec<f64>, f64, f64), Error> {
    let (mut sum, mut copied, mut cpu): (Nanos, u64, Duration) = Default::default();
    for _ in 0..TIMED_RUNS {
        let (ended, account) = Trial { timed: true, ..Trial::new(executor, 0) }.measured(input)?;
        sum = std::array::from_fn(|step| sum[step] + account.steps[step]);
        copied += account.copied;
        cpu += ended.cpu;
    }
    let a_row = |total: u64| total as f64 / (TIMED_RUNS * rows) as f64;
    let part = sum.iter().sum::<u64>() as f64 / cpu.as_nanos() as f64;
    Ok((sum.into_iter().map(a_row).collect(), a_row(copied), part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_repeated_or_cut_whole() {
        let workload = Workload {
            format: Format::default(),
            header: b"h\n".to_vec(),
            rows: b"1\n\n\"2\n2\"\n3\n".to_vec(),
            name: String::new(),
            jobs: 1,
            block_size: 64,
            chunk_size: 1,
        };
        let repeated = |count| {
            let text = workload.repeated(count);
            (String::from_utf8(text.bytes).unwrap(), text.rows, text.longest)
        };
        assert_eq!(repeated(2), ("h\n1\n\"2\n2\"\n".to_string(), 2, 6));
        assert_eq!(repeated(4), ("h\n1\n\"2\n2\"\n3\n1\n".to_string(), 4, 6));
    }
}
