//! Finds how much work a row must have before an executor is faster than one loop. The executor has to make up for the
//! time in which rows travel to the workers and results travel back.

use crate::compare::graded::turns_a_microsecond;
use crate::compare::trial::{Trial, in_memory};
use crate::compare::{Workload, medians};
use crate::error::Error;
use crate::executor::{Executor, MIN_BLOCK_SIZE};
use serde::Serialize;

/// How much extra work a row is given in the trials, in microseconds. There is one trial of each executor for each of
/// these grades, repeated [`RUNS`] times.
const GRADES: [f64; 9] = [0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
/// How long a run should take on one processor, in microseconds. The rows are repeated to reach this time. It is long
/// compared with the start of processes, which takes some milliseconds.
const RUN: f64 = 60_000.0;
/// A guess at the time that the kernel itself takes for a row, in microseconds. It only serves to choose how many rows
/// a run has.
const LEAST_WORK: f64 = 0.05;
/// The number of runs of each executor at each amount of work; the executors take turns. The result is the median
/// duration.
const RUNS: usize = 3;
/// The least number of blocks or tasks that each worker should get. With so many, all workers finish at about the same
/// time. If there are few rows, blocks and tasks are made smaller to reach this number.
const PIECES: usize = 16;

/// The time that executors take for a row, by the work of a row, and what follows from that.
#[derive(Serialize)]
pub struct Leverage {
    /// For each grade: the work of a row, in microseconds. It is the time that `serial` takes for it.
    pub work: Vec<f64>,
    /// For each executor: its name, and its time for a row at each grade, in microseconds.
    pub times: Vec<(&'static str, Vec<f64>)>,
    /// For each executor: its name, and how much more processor time it takes for a row than `serial`, in nanoseconds,
    /// at the lowest grade.
    pub transport: Vec<(&'static str, f64)>,
    /// For each executor except `serial`: its name, and how much work a row must have for the executor to be faster
    /// than `serial`, in microseconds. `None` if it was never faster.
    pub pays_above: Vec<(&'static str, Option<f64>)>,
    /// What `pays_above` says, as a sentence for a person.
    pub sentence: String,
}

/// Measures all executors at all grades.
pub fn measure(workload: &Workload) -> Result<Leverage, Error> {
    let pieces = PIECES * workload.jobs;
    let turns = turns_a_microsecond();
    let mut times = Executor::ALL.map(|executor| (executor.name(), vec![]));
    // Set at the first grade, which is the lowest.
    let mut nanos_at_least_work = None;
    for grade in GRADES {
        let text = workload.repeated((RUN / (grade + LEAST_WORK)) as usize);
        let rows = text.rows as f64;
        let block_size = text.bytes.len().div_ceil(pieces).min(workload.block_size).max(MIN_BLOCK_SIZE);
        let chunk_size = text.rows.div_ceil(pieces).min(workload.chunk_size);
        let pieces = Some((block_size.max(text.longest), chunk_size));
        let trial = |executor| Trial { pieces, ..Trial::new(executor, (grade * turns) as u64) };
        let medians = medians(&Executor::ALL, RUNS, &in_memory(&text.bytes)?, trial)?;
        nanos_at_least_work.get_or_insert(medians.iter().map(|times| times.cpu * 1e9 / rows).collect());
        for ((_, times), measured) in times.iter_mut().zip(medians) {
            times.push(measured.wall * 1e6 / rows);
        }
    }
    let work = times[0].1.clone();
    let pays_above: Vec<_> = times[1..].iter().map(|(name, times)| (*name, crossing(&work, times))).collect();
    let sentence = sentence(&pays_above, work[0], workload.jobs);
    let nanos: Vec<f64> = nanos_at_least_work.unwrap_or_default();
    let transport = times.iter().zip(&nanos).map(|((name, _), of_it)| (*name, of_it - nanos[0])).collect();
    Ok(Leverage { work, times: times.into(), transport, pays_above, sentence })
}

/// Returns the amount of work from which on `times` is below `work`, or `None` if it never is. A point is an index of
/// both slices. `work` is the time that `serial` takes there. A point where `times` is below `work` is a win, and any
/// other is a loss. Other load on the machine always distorts some points. So the result is the amount for which the
/// number of wins below it plus the number of losses above it is smallest. If the result lies between two points, it is
/// interpolated linearly, in logarithms.
fn crossing(work: &[f64], times: &[f64]) -> Option<f64> {
    let gain: Vec<f64> = work.iter().zip(times).map(|(work, time)| (work / time).ln()).collect();
    let wins = |gain: &&f64| **gain > 0.0;
    let wrong = |from: &usize| {
        gain[..*from].iter().filter(wins).count() + gain[*from..].len() - gain[*from..].iter().filter(wins).count()
    };
    match (0..=gain.len()).min_by_key(wrong)? {
        0 => Some(work[0]),
        from if from == gain.len() => None,
        from => {
            // The point before `from` is a loss and the point at `from` is a win. Otherwise `from` would have been
            // chosen one point earlier or later, because fewer points would then be on the wrong side of it.
            let part = -gain[from - 1] / (gain[from] - gain[from - 1]);
            Some((work[from - 1].ln() + part * (work[from] / work[from - 1]).ln()).exp())
        }
    }
}

fn sentence(pays_above: &[(&str, Option<f64>)], least: f64, jobs: usize) -> String {
    let above = |name: &str| match pays_above.iter().find(|(executor, _)| *executor == name) {
        Some((_, Some(work))) if *work <= least => format!("from the least work measured, {} µs a row", short(*work)),
        Some((_, Some(work))) => format!("above about {} µs a row", short(*work)),
        _ => "at no amount of work measured".to_string(),
    };
    let workers = if jobs == 1 { "1 worker".to_string() } else { format!("{jobs} workers") };
    format!("With {workers}, pickling pays off {}; sharing {}.", above("pickle"), above("shared"))
}

/// Formats `value` with two significant digits.
pub fn short(value: f64) -> String {
    if value <= 0.0 {
        return "0".to_string();
    }
    let decimals = (1 - value.log10().floor() as i32).max(0) as usize;
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crossing_lies_between_the_points_where_the_gain_changes() {
        let work = [1.0, 10.0, 100.0];
        assert_eq!(crossing(&work, &[0.5, 5.0, 50.0]), Some(1.0));
        assert_eq!(crossing(&work, &[2.0, 20.0, 200.0]), None);
        let crossed = crossing(&work, &[2.0, 20.0, 50.0]).unwrap();
        assert!((crossed - 1000f64.sqrt()).abs() < 1e-9, "{crossed}");
        // A single point that is distorted by other load does not move the crossing.
        let work = [1.0, 10.0, 100.0, 1000.0, 10_000.0];
        assert_eq!(crossing(&work, &[0.5, 5.0, 50.0, 500.0, 11_000.0]), Some(1.0));
        assert!(
            crossing(&work, &[0.9, 20.0, 200.0, 500.0, 5000.0]).is_some_and(|work| (100.0..1000.0).contains(&work))
        );
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.0123, 0.5, 1.26, 12.6, 126.0].map(short), ["0.012", "0.50", "1.3", "13", "126"]);
    }
}
