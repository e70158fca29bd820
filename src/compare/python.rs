//! `--compare --python`: compares this program with the ways in which Python itself can map a function of Python.
//!
//! Each run of Python is a process of its own, which runs `python/pmapgcd/_compare.py`. Before the clock starts, its
//! rows are in memory and its processes are started. Its results stay in memory. So the time is that of the map alone.
//! The runs of this program are trials as in other comparisons, from the text of rows to the text of results. Their
//! time includes the start of the processes. A run over one row takes about as long as the start alone, so the time of
//! such a run is subtracted.
//!
//! This file is long because the ways, their runs and the report have the figures of one comparison in common.

mod table;

use super::stacked::{Chart, machine};
use super::trial::{Trial, in_memory};
use super::{DOUBT, Text, Workload, crash};
use crate::error::{Error, printable};
use crate::executor::Executor;
use crate::output::Output;
use crate::work::python::{PROGRAM, interpreter};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The Python program that each run of Python executes.
const COMPARED: &str = include_str!("../../python/pmapgcd/_compare.py");

/// A function of Python, and how it is called.
pub struct Function {
    /// `FILE:FUNCTION` or `MODULE:FUNCTION`.
    pub target: OsString,
    /// The types that the function takes and returns, in the form of `--types`.
    pub types: String,
    /// The chosen columns, by index or name; `None` if none are chosen.
    pub columns: Option<Vec<Result<usize, String>>>,
}

/// How often each way is run, in turn with the others.
const RUNS: usize = 5;
/// How long a map should take in one Python, in nanoseconds. The rows are repeated, or some are left out, to reach this
/// time.
const RUN: f64 = 0.3e9;
/// The most rows of a run, and the least.
const ROWS: (usize, usize) = (500_000, 64);
/// The most rows of the input that are used. The number is limited because each run of Python reads them all.
const INPUT_ROWS: usize = 20_000;
/// The most rows of a run in which each task has one row. It is small because such a task can take a tenth of a
/// millisecond.
const SINGLE_ROWS: usize = 5000;
/// The number of rows of a run in which a process is killed.
const CRASH_ROWS: usize = 1000;

/// A way to map rows.
struct Way {
    name: &'static str,
    /// The name of the way in `_compare.py`; `None` for this program.
    python: Option<&'static str>,
    /// The most rows in a task of `ProcessPoolExecutor`. The other ways ignore it.
    chunk: usize,
}

const WAYS: [Way; 5] = [
    Way { name: "one Python, map", python: Some("loop"), chunk: 1 },
    Way { name: "ThreadPoolExecutor", python: Some("threads"), chunk: 1 },
    Way { name: "ProcessPoolExecutor 1", python: Some("processes"), chunk: 1 },
    Way { name: "ProcessPoolExecutor 1024", python: Some("processes"), chunk: 1024 },
    Way { name: "pmapgcd", python: None, chunk: 0 },
];

/// How long a way takes.
#[derive(Serialize)]
struct Time {
    /// The median of the nanoseconds for a row.
    nanos_a_row: f64,
    /// The time of the longest run minus that of the shortest, divided by the median time.
    spread: f64,
    /// How many times as fast as one Python.
    speed_up: f64,
}

/// What was measured of a way.
#[derive(Serialize)]
struct Measured {
    way: &'static str,
    rows: usize,
    /// `None` if the machine was too busy to tell.
    #[serde(flatten)]
    time: Option<Time>,
    /// Nanoseconds a row for each of the ten steps; `None` for a step that happens once and not for each row. No list
    /// if the way does not have these steps.
    steps: Option<Vec<Option<f64>>>,
    crash: String,
    written: usize,
    of_rows: usize,
}

/// The comparison.
#[derive(Serialize)]
struct Report {
    function: String,
    workload: String,
    jobs: usize,
    start_seconds: f64,
    ways: Vec<Measured>,
    machine: String,
    is_too_busy: bool,
}

/// Compares the ways, and prints the report. Writes the picture to `plot`, if that is given.
///
/// # Errors
/// If a run fails.
pub fn compare(workload: &Workload, function: &Function, as_json: bool, plot: Option<Output>) -> Result<(), Error> {
    let rows = workload.split().len().min(INPUT_ROWS);
    let text = workload.repeated(rows).bytes.split_off(workload.header.len());
    let report = Report::of(&Workload { rows: text, ..workload.clone() }, function)?;
    let text = if as_json { serde_json::to_string_pretty(&report).unwrap_or_default() + "\n" } else { report.text() };
    let stdout = Output::stdout()?;
    stdout.write_all(text.as_bytes())?;
    stdout.complete()?;
    if let Some(plot) = plot {
        plot.write_all(report.chart().svg().as_bytes())?;
        plot.complete()?;
    }
    Ok(())
}

/// Everything that runs of Python need.
struct Runs<'a> {
    function: &'a Function,
    workload: &'a Workload,
    folder: TempDir,
}

#[derive(Deserialize, Default)]
struct Answer {
    #[serde(default)]
    nanos: f64,
    #[serde(default)]
    wall: f64,
    #[serde(default)]
    steps: Vec<Option<f64>>,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    written: usize,
    /// Why the function cannot be compared; empty if it can.
    #[serde(default)]
    refused: String,
}

impl<'a> Runs<'a> {
    fn new(function: &'a Function, workload: &'a Workload) -> Result<Self, Error> {
        let made = || -> io::Result<TempDir> {
            let folder = tempfile::tempdir()?;
            fs::write(folder.path().join("_worker.py"), PROGRAM)?;
            fs::write(folder.path().join("_compare.py"), COMPARED)?;
            fs::write(folder.path().join("rows.csv"), [&workload.header[..], &workload.rows].concat())?;
            Ok(folder)
        };
        let folder = made().map_err(|error| Error::io("the files for Python", error))?;
        Ok(Runs { function, workload, folder })
    }

    /// Runs Python for a task. Returns its answer, or `None` if the task is `crash` and Python itself was killed.
    fn run(&self, task: &str, way: &Way, count: usize) -> Result<Option<Answer>, Error> {
        let format = self.workload.format;
        let column = |column: &Result<usize, String>| match column {
            Ok(at) => json!(at),
            Err(name) => json!(name),
        };
        let settings = json!({
            "target": self.function.target.to_string_lossy(),
            "types": self.function.types,
            "rows": self.folder.path().join("rows.csv"),
            "delimiter": char::from(format.delimiter).to_string(),
            "quote": format.quote.map(|quote| char::from(quote).to_string()).unwrap_or_default(),
            "header": !self.workload.header.is_empty(),
            "columns": self.function.columns.as_ref().map(|columns| columns.iter().map(column).collect::<Vec<_>>()),
            "jobs": self.workload.jobs,
            "chunk": way.chunk,
            "way": way.python,
            "task": task,
            "count": count,
        });
        let interpreter = interpreter();
        let shown = printable(&interpreter);
        let mut command = Command::new(&interpreter);
        command.arg(self.folder.path().join("_compare.py")).arg(settings.to_string());
        command.stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = command.output().map_err(|error| Error::io(format!("cannot start {shown}"), error))?;
        if output.status.code().is_none() && task == "crash" {
            return Ok(None);
        }
        let answer = serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success());
        answer.map(Some).ok_or_else(|| {
            Error::workers(format!("{}: the run of Python for {task} has failed ({})", way.name, output.status))
        })
    }

    /// Returns how a run ends if one of its processes is killed: the outcome, the number of results that were handed
    /// over, and the number of rows.
    fn crash(&self, way: &Way) -> Result<(String, usize, usize), Error> {
        if way.python.is_none() {
            let crashes = crash::try_all(&[Executor::Shared], self.workload)?;
            return Ok(crashes.first().map(|one| (one.outcome.to_string(), one.written, one.rows)).unwrap_or_default());
        }
        Ok(match self.run("crash", way, CRASH_ROWS)? {
            None => ("whole program gone".to_string(), 0, CRASH_ROWS),
            Some(answer) => (answer.outcome, answer.written, CRASH_ROWS),
        })
    }
}

/// Returns the median of these values.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

impl Time {
    /// Returns the time of a way whose runs took `nanos` nanoseconds a row. `None` if the time says nothing. This can
    /// happen with this program: its time is the difference of two measurements, and so it can be smaller than its own
    /// spread.
    fn of(way: &Way, nanos: Vec<f64>, one_python: f64) -> Option<Self> {
        let (longest, shortest) =
            (nanos.iter().copied().fold(0.0, f64::max), nanos.iter().copied().fold(f64::INFINITY, f64::min));
        let (spread, nanos_a_row) = (longest - shortest, median(nanos));
        let is_known = way.python.is_some() || nanos_a_row > spread;
        is_known.then(|| Time { nanos_a_row, spread: spread / nanos_a_row, speed_up: one_python / nanos_a_row })
    }
}

impl Report {
    fn of(workload: &Workload, function: &Function) -> Result<Self, Error> {
        let runs = Runs::new(function, workload)?;
        if workload.split().is_empty() {
            return Err(Error::usage("there are no rows to compare with"));
        }
        let Answer { nanos, refused, .. } = runs.run("calibrate", &WAYS[0], 1)?.unwrap_or_default();
        if !refused.is_empty() {
            return Err(Error::usage(format!(
                "--python {}: {}",
                printable(&function.target),
                printable(refused.as_ref())
            )));
        }
        let many = ((RUN / nanos) as usize).clamp(ROWS.1, ROWS.0);
        let rows_of =
            |way: &Way| if way.chunk == 1 && way.python != Some("loop") { many.min(SINGLE_ROWS) } else { many };
        let text = workload.repeated(many);
        let (input, first) = (in_memory(&text.bytes)?, in_memory(&workload.repeated(1).bytes)?);
        let mut times: Vec<Vec<f64>> = WAYS.iter().map(|_| vec![]).collect();
        let mut starts = vec![];
        for _ in 0..RUNS {
            for (way, times) in WAYS.iter().zip(&mut times) {
                let rows = rows_of(way) as f64;
                if way.python.is_some() {
                    times.push(runs.run("run", way, rows_of(way))?.unwrap_or_default().wall * 1e9 / rows);
                    continue;
                }
                let trial = Trial::new(Executor::Shared, 0);
                let start = trial.measured(&first)?.0.wall.as_secs_f64();
                let all = trial.measured(&input)?.0.wall.as_secs_f64();
                starts.push(start);
                times.push((all - start) * 1e9 / rows);
            }
        }
        let one_python = median(times[0].clone());
        let mut ways = vec![];
        for (way, times) in WAYS.iter().zip(times) {
            let time = Time::of(way, times, one_python);
            let (crash, written, of_rows) = runs.crash(way)?;
            ways.push(Measured {
                way: way.name,
                rows: rows_of(way),
                time,
                steps: steps(&runs, way, &text, rows_of(way))?,
                crash,
                written,
                of_rows,
            });
        }
        Ok(Report {
            function: printable(&function.target),
            workload: workload.name.clone(),
            jobs: workload.jobs,
            start_seconds: median(starts),
            is_too_busy: ways.iter().any(|way| way.time.as_ref().is_none_or(|time| time.spread > DOUBT)),
            ways,
            machine: machine(),
        })
    }

    /// Returns the chart that shows the costs of the steps.
    fn chart(&self) -> Chart {
        let bar = |way: &Measured| {
            let steps = way.steps.as_ref()?;
            Some((way.way.to_string(), steps.iter().map(|step| step.unwrap_or_default()).collect()))
        };
        // The way with tasks of one row is left out, because its bar would make all others too short to be seen.
        let bars = self.ways.iter().filter(|way| way.way != WAYS[2].name).filter_map(bar).collect();
        Chart {
            title: format!("What a row costs: {} in {} workers", self.function, self.jobs),
            subtitle: "Item 41's ten steps, ns of processor time; the pool has a chunk size of 1024".to_string(),
            bars,
        }
    }
}

/// Returns the nanoseconds a row for each step of a way, or `None` if the way does not have the steps of a pool.
fn steps(runs: &Runs, way: &Way, text: &Text, rows: usize) -> Result<Option<Vec<Option<f64>>>, Error> {
    match way.python {
        Some("processes") => Ok(runs.run("steps", way, rows)?.map(|answer| answer.steps)),
        Some(_) => Ok(None),
        None => {
            let input = in_memory(&text.bytes)?;
            let (_, account) = Trial { timed: true, ..Trial::new(Executor::Shared, 0) }.measured(&input)?;
            let mut steps: Vec<Option<f64>> =
                account.steps.iter().map(|&nanos| Some(nanos as f64 / text.rows as f64)).collect();
            // Step 5, to make the function ready, is done once, when Python starts, and not for each row.
            steps[4] = None;
            Ok(Some(steps))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_that_is_lost_in_its_spread_is_no_figure() {
        let of = |way: usize, nanos: &[f64]| Time::of(&WAYS[way], nanos.to_vec(), 300.0);
        let time = of(4, &[100.0, 90.0, 120.0]).unwrap();
        assert_eq!((time.nanos_a_row, time.spread, time.speed_up), (100.0, 0.3, 3.0));
        assert!(
            of(4, &[100.0, -90.0, 120.0]).is_none()
                && of(4, &[0.0; 3]).is_none()
                && of(4, &[-1.0, -1.0, -1.0]).is_none()
        );
        // A time that was measured directly is given even if it is doubtful.
        assert!(of(0, &[100.0, 10.0, 210.0]).is_some_and(|time| time.spread == 2.0));
    }
}
