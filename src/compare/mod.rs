//! `--compare`: measures the executors on the same rows, and compares them.
//!
//! Every measurement is a [`trial`]: this program, started again to map rows in memory. [`leverage`] finds how much
//! work a row must have before an executor is faster than one loop. [`crash`] finds what happens to a run in which a
//! worker is killed.

mod crash;
pub mod graded;
mod leverage;
#[cfg(feature = "plot")]
mod plot;
pub mod python;
mod stacked;
mod table;
mod ten_steps;
pub mod trial;

use crate::csv::Format;
use crate::csv::record::{self, Line};
use crate::error::Error;
use crate::executor::Executor;
use crate::output::Output;
use serde::Serialize;
use std::fs::File;
use std::time::Duration;
use ten_steps::{StepCost, Steps};
use trial::{Trial, in_memory};

/// The rows for a comparison, and the settings of its runs.
#[derive(Clone)]
pub struct Workload {
    /// The format of the rows.
    pub format: Format,
    /// The header and everything else in front of the first row. Empty if there is no header.
    pub header: Vec<u8>,
    /// The text of the rows, each with its line end.
    pub rows: Vec<u8>,
    /// The name of the source of the rows, for messages.
    pub name: String,
    /// Number of workers of each executor.
    pub jobs: usize,
    /// The most bytes in a block.
    pub block_size: usize,
    /// The most rows in a task of `pickle`.
    pub chunk_size: usize,
    /// Whether a command is mapped over the rows. Then `pickle`, which cannot run commands, is left out. So are the
    /// costs of steps ([`ten_steps`]) and the trials with growing work ([`leverage`]), which can be measured only for
    /// functions of this program.
    pub is_command: bool,
}

/// How often each executor is run, in turn with the others. The median of the times counts.
const RUNS: usize = 5;
/// The spread above which a time is marked as doubtful. The spread is the difference of the longest and the shortest
/// run, divided by the median.
const DOUBT: f64 = 0.3;
/// The remark about doubtful times.
const TOO_BUSY: &str = "The machine was too busy for the figures marked with ?: do not trust differences of this size.";
/// The results of a comparison.
#[derive(Serialize)]
pub struct Report {
    workload: String,
    rows: usize,
    jobs: usize,
    block_size: usize,
    chunk_size: usize,
    executors: Vec<Measured>,
    /// `None` for a command.
    steps: Option<Steps>,
    /// `None` for a command.
    leverage: Option<leverage::Leverage>,
    crashes: Vec<crash::Crash>,
    /// Whether the time of an executor is doubtful.
    is_too_busy: bool,
}

/// The measurements of one executor.
#[derive(Serialize)]
struct Measured {
    executor: &'static str,
    seconds: f64,
    /// The time of the longest run minus that of the shortest, divided by the median time.
    spread: f64,
    speed_up: f64,
    rows_per_second: f64,
    cpu_seconds: f64,
    copied_bytes_a_row: f64,
    peak_memory_bytes: u64,
}

/// How long a run with timed steps should take on one processor, in seconds. The rows are repeated to reach this time.
/// It is long compared with the time before the first step and after the last, which is not measured.
const TIMED: f64 = 0.3;
/// The most rows in a run with timed steps: the rows of the input are not repeated beyond this number.
const MOST_ROWS: usize = 10_000_000;

/// Compares the executors and prints the report to stdout, as JSON or as tables for a person. Writes the plot to
/// `plot`, if that is given.
///
/// # Errors
/// If a run fails, or two executors give different results.
pub fn compare(workload: Workload, as_json: bool, plot: Option<Output>) -> Result<(), Error> {
    let report = Report::of(workload)?;
    let text =
        if as_json { serde_json::to_string_pretty(&report).unwrap_or_default() + "\n" } else { table::text(&report) };
    let stdout = Output::stdout()?;
    stdout.write_all(text.as_bytes())?;
    stdout.complete()?;
    #[cfg(not(feature = "plot"))]
    drop(plot);
    #[cfg(feature = "plot")]
    if let Some(plot) = plot {
        if let Some(leverage) = &report.leverage {
            let chart = report.steps.as_ref().map(|steps| chart(steps, report.jobs));
            plot.write_all(stacked::above(chart.as_ref(), &plot::svg(leverage)?).as_bytes())?;
        }
        plot.complete()?;
    }
    Ok(())
}

/// The input of a trial.
struct Text {
    bytes: Vec<u8>,
    rows: usize,
    /// Bytes of the longest row, or of the header if that is longer.
    longest: usize,
}

impl Workload {
    /// Returns the executors that are compared.
    fn executors(&self) -> Vec<Executor> {
        Executor::ALL.into_iter().filter(|&executor| !self.is_command || executor != Executor::Pickle).collect()
    }

    /// Returns the header and `count` rows, but at least one: the first rows of the workload, repeated from the start
    /// if it has fewer.
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

    /// Splits the text into rows, each with its line end.
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
        let executors = workload.executors();
        let peaks = agree(&executors, &input)?;
        let medians = medians(&executors, RUNS, &input, |executor| Trial::new(executor, 0))?;
        let serial = medians[0].wall;
        let (steps, copied) = match workload.is_command {
            true => (None, 0.0),
            false => {
                let times = ((TIMED / serial).ceil() as usize).min(MOST_ROWS / rows).max(1);
                let (steps, copied) = Steps::of(&workload, times * rows)?;
                (Some(steps), copied)
            }
        };
        let is_too_busy = medians.iter().any(|times| times.spread > DOUBT);
        let measured = executors.iter().zip(medians).zip(peaks).map(|((&executor, times), peak)| Measured {
            executor: executor.name(),
            seconds: times.wall,
            spread: times.spread,
            speed_up: serial / times.wall,
            rows_per_second: rows as f64 / times.wall,
            cpu_seconds: times.cpu,
            copied_bytes_a_row: if executor == Executor::Pickle { copied } else { 0.0 },
            peak_memory_bytes: peak,
        });
        Ok(Report {
            executors: measured.collect(),
            steps,
            leverage: (!workload.is_command).then(|| leverage::measure(&workload)).transpose()?,
            crashes: crash::try_all(&executors, &workload)?,
            is_too_busy,
            workload: workload.name,
            rows,
            jobs: workload.jobs,
            block_size: workload.block_size,
            chunk_size: workload.chunk_size,
        })
    }
}

/// Returns the chart that shows the costs of the steps.
fn chart(steps: &Steps, jobs: usize) -> stacked::Chart {
    let bar = |name: &str, of: fn(&StepCost) -> f64| (name.to_string(), steps.steps.iter().map(of).collect());
    stacked::Chart {
        title: "What a row costs: Item 41's ten steps".to_string(),
        subtitle: format!("ns of processor time, {jobs} workers, GCD"),
        bars: vec![
            bar("pickle: a pool that sends rows", |step| step.pickle),
            bar("shared: memory that all see", |step| step.shared.unwrap_or_default()),
        ],
    }
}

/// Checks that all executors give the same results for `input`. Returns the peak memory of each executor, in bytes.
fn agree(executors: &[Executor], input: &File) -> Result<Vec<u64>, Error> {
    let results = executors.iter().map(|&executor| Trial::new(executor, 0).results(input));
    let results = results.collect::<Result<Vec<_>, _>>()?;
    match results.iter().position(|(found, _)| *found != results[0].0) {
        Some(at) => Err(Error::defect(format!(
            "{} and serial do not agree: this is a defect, unless what is mapped gives other results each time",
            executors[at].name()
        ))),
        None => Ok(results.into_iter().map(|(_, peak)| peak).collect()),
    }
}

/// The times of the runs of an executor.
struct Medians {
    /// The median of elapsed time, in seconds.
    wall: f64,
    /// The median of processor time, in seconds.
    cpu: f64,
    /// The longest elapsed time less the shortest, as a part of the median.
    spread: f64,
}

/// Runs the trial of each executor `runs` times. The executors take turns, so that a change of the machine's load
/// affects all of them. Returns the medians of each executor.
fn medians(
    executors: &[Executor],
    runs: usize,
    input: &File,
    trial: impl Fn(Executor) -> Trial,
) -> Result<Vec<Medians>, Error> {
    let mut times = vec![(vec![], vec![]); executors.len()];
    for _ in 0..runs {
        for (&executor, (walls, cpus)) in executors.iter().zip(&mut times) {
            let (ended, _) = trial(executor).measured(input)?;
            walls.push(ended.wall);
            cpus.push(ended.cpu);
        }
    }
    let medians = |(walls, cpus): (Vec<Duration>, Vec<Duration>)| {
        let range = walls.iter().max().zip(walls.iter().min()).map_or(Duration::ZERO, |(most, least)| *most - *least);
        let (wall, cpu) = (median(walls), median(cpus));
        Medians { wall, cpu, spread: range.as_secs_f64() / wall }
    };
    Ok(times.into_iter().map(medians).collect())
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
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
            is_command: false,
        };
        let repeated = |count| {
            let text = workload.repeated(count);
            (String::from_utf8(text.bytes).unwrap(), text.rows, text.longest)
        };
        assert_eq!(repeated(2), ("h\n1\n\"2\n2\"\n".to_string(), 2, 6));
        assert_eq!(repeated(4), ("h\n1\n\"2\n2\"\n3\n1\n".to_string(), 4, 6));
    }
}
