//! What a worker says of a block beside its results, in the numbers that a slot has room for.

use crate::ring::{MEASURES, Outcome, Spoilt, Taken};
use crate::work::Mapped;
use std::time::Duration;

/// Time that a worker spent on a block, in microseconds, at most 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// At work on it.
    pub working: u32,
    /// Waiting for it.
    pub waiting: u32,
}

impl Spent {
    /// Both as durations.
    pub fn durations(self) -> (Duration, Duration) {
        let micros = |micros| Duration::from_micros(u64::from(micros));
        (micros(self.working), micros(self.waiting))
    }
}

/// As the ring is told it.
pub fn pack(mapped: Mapped, spent: Spent) -> Outcome {
    let Mapped { consumed, lines, rows, results, reports } = mapped;
    let measures: [u32; MEASURES] = [lines as u32, rows as u32, reports as u32, spent.working, spent.waiting];
    Outcome { consumed, results: results + reports, measures }
}

/// As the worker said it.
///
/// # Errors
/// When no honest worker can have said so.
pub fn unpack(taken: &Taken) -> Result<(Mapped, Spent), Spoilt> {
    let [lines, rows, reports, working, waiting] = taken.measures();
    let [lines, rows, reports] = [lines, rows, reports].map(|number| number as usize);
    let consumed = taken.consumed();
    let results = taken.results().len().checked_sub(reports).ok_or(Spoilt)?;
    // Whoever gets nowhere might do so again, for ever. Only with a report does that end the run.
    let is_nothing = consumed == 0 && !taken.is_whole() && reports == 0;
    if lines > consumed || rows > consumed || is_nothing {
        return Err(Spoilt);
    }
    Ok((Mapped { consumed, lines, rows, results, reports }, Spent { working, waiting }))
}
