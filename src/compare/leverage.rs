//! How much work a row must have before an executor is faster than one loop, although its rows have to travel to the workers and
//! their results back.

use crate::compare::graded::turns_a_microsecond;
use crate::compare::trial::{Trial, in_memory};
use crate::compare::{Workload, medians};
use crate::error::Error;
use crate::executor::{Executor, MIN_BLOCK_SIZE};
use serde::Serialize;

/// How much extra work a row is given in the trials, in microseconds.
const GRADES: [f64; 9] = [0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
/// How long a run is to take on one processor, in microseconds; the rows are repeated as often as that needs. It is long beside
/// the start of processes, which takes some milliseconds.
const RUN: f64 = 150_000.0;
/// A guess at how many microseconds of work a row of the workload has already. It only serves to choose how many rows a run has.
const LEAST_WORK: f64 = 0.05;
/// Each executor is run so often at each grade, in turn with the others; the median counts.
const RUNS: usize = 3;
/// Each worker has at least so many blocks and tasks, however few rows there are: enough that the last ones of all workers end
/// at about the same time.
const PIECES: usize = 16;

/// Time by work, and what follows from it.
#[derive(Serialize)]
pub struct Leverage {
    /// For each grade: microseconds of work a row, as `serial` takes for it.
    pub work: Vec<f64>,
    /// For each executor: its name, and microseconds a row at each grade.
    pub times: Vec<(&'static str, Vec<f64>)>,
    /// For each executor: nanoseconds of processor time that a row costs beyond what `serial` spends on it, at the
    /// least work.
    pub transport: Vec<(&'static str, f64)>,
    /// For each executor but `serial`: microseconds of work a row from which it is faster than `serial`; none if it
    /// never was.
    pub pays_above: Vec<(&'static str, Option<f64>)>,
    /// The same for a person.
    pub sentence: String,
}

/// Measures all executors at all grades of work.
pub fn measure(workload: &Workload) -> Result<Leverage, Error> {
    let pieces = PIECES * workload.jobs;
    let turns = turns_a_microsecond();
    let mut times = Executor::ALL.map(|executor| (executor.name(), vec![]));
    // The least work comes first.
    let mut nanos_at_least_work = None;
    for grade in GRADES {
        let text = workload.repeated((RUN / (grade + LEAST_WORK)) as usize);
        let rows = text.rows as f64;
        let block_size = text.bytes.len().div_ceil(pieces).min(workload.block_size).max(MIN_BLOCK_SIZE);
        let chunk_size = text.rows.div_ceil(pieces).min(workload.chunk_size);
        let pieces = Some((block_size.max(text.longest), chunk_size));
        let trial = |executor| Trial { pieces, ..Trial::new(executor, (grade * turns) as u64) };
        let medians = medians(RUNS, &in_memory(&text.bytes)?, trial)?;
        nanos_at_least_work.get_or_insert(medians.map(|(_, cpu)| cpu * 1e9 / rows));
        for ((_, times), (wall, _)) in times.iter_mut().zip(medians) {
            times.push(wall * 1e6 / rows);
        }
    }
    let work = times[0].1.clone();
    let pays_above: Vec<_> = times[1..].iter().map(|(name, times)| (*name, crossing(&work, times))).collect();
    let sentence = sentence(&pays_above, work[0], workload.jobs);
    let nanos = nanos_at_least_work.unwrap_or_default();
    let transport = times.iter().zip(nanos).map(|((name, _), of_it)| (*name, of_it - nanos[0])).collect();
    Ok(Leverage { work, times: times.into(), transport, pays_above, sentence })
}

/// The work from which `times` is below the work itself, which is what `serial` takes; `None` where that is never so. This is the
/// place that leaves the fewest measured points on the wrong side, since other load on the machine always spoils some of them.
/// Between two points the place is found on a straight line between logarithms.
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
            // The point before is a loss and this one a win, or another place would have fewer on the wrong side.
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

/// A number with two digits that matter.
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
        // One point that something else disturbed does not count.
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
