//! Measures the ten [`STEPS`] that a process pool takes for each row: what each step costs with `pickle` and with
//! `shared`.

use super::Workload;
use super::trial::{Trial, in_memory};
use crate::error::Error;
use crate::executor::Executor;
use crate::steps::Nanos;
use serde::Serialize;
use std::fs::File;
use std::time::Duration;

/// How many more runs are made to time the ten steps. These are separate runs, because timing the steps makes a run
/// slower.
const TIMED_RUNS: usize = 3;

/// The costs of the ten [`STEPS`] with `pickle` and with `shared`.
#[derive(Serialize)]
pub struct Steps {
    pub steps: Vec<StepCost>,
    /// The sum of all steps with `pickle`, divided by the whole processor time of the same runs. Near 1, unless time
    /// was spent outside the steps.
    pub pickle_part_of_cpu: f64,
    /// The same with `shared`.
    pub shared_part_of_cpu: f64,
}

/// The cost of one of the ten steps, in nanoseconds of processor time for a row.
#[derive(Serialize)]
pub struct StepCost {
    pub number: usize,
    pub name: &'static str,
    pub pickle: f64,
    /// `None` if `shared` does not have this step.
    pub shared: Option<f64>,
}

/// The ten steps that a process pool takes for each item, after Item 41 of *Effective Python*, in our words; and
/// whether `shared` takes them too.
pub const STEPS: [(&str, bool); 10] = [
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

impl Steps {
    /// Measures the steps on `rows` rows of the workload. Returns them, and how many bytes `pickle` copies for a row.
    pub fn of(workload: &Workload, rows: usize) -> Result<(Self, f64), Error> {
        let repeated = in_memory(&workload.repeated(rows).bytes)?;
        let (pickle, copied, pickle_part_of_cpu) = steps_of(Executor::Pickle, &repeated, rows)?;
        let (shared, _, shared_part_of_cpu) = steps_of(Executor::Shared, &repeated, rows)?;
        let steps = STEPS.into_iter().enumerate().map(|(at, (name, is_shared))| StepCost {
            number: at + 1,
            name,
            pickle: pickle[at],
            shared: is_shared.then_some(shared[at]),
        });
        Ok((Steps { steps: steps.collect(), pickle_part_of_cpu, shared_part_of_cpu }, copied))
    }
}

/// Runs the executor with timed steps. Returns the nanoseconds of processor time for a row by step, the bytes that were
/// copied between processes for a row, and the sum of the steps divided by the processor time of the runs.
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
