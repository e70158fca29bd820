//! What a worker says of a block beside its results, in the numbers that a slot has room for.

use crate::ring::{MEASURES, Outcome, Spoilt, Taken};
use crate::work::Mapped;
use std::time::Duration;

/// What is told to the ring of a block, or of a part of one, on which a worker was at work for so long, after it had waited for it
/// for so long. Times are handed over in microseconds, of which 32 bits hold more than an hour.
pub fn pack(mapped: Mapped, working: Duration, waiting: Duration) -> Outcome {
    let Mapped { consumed, lines, rows, results, reports } = mapped;
    let micros = |time: Duration| time.as_micros().try_into().unwrap_or(u32::MAX);
    let measures: [u32; MEASURES] = [lines as u32, rows as u32, reports as u32, micros(working), micros(waiting)];
    Outcome { consumed, results: results + reports, measures }
}

/// The same as the writer reads it: what was mapped, and how long the worker was at work and waited.
///
/// # Errors
/// When no honest worker can have said so.
pub fn unpack(taken: &Taken) -> Result<(Mapped, Duration, Duration), Spoilt> {
    let [lines, rows, reports, working, waiting] = taken.measures();
    let [lines, rows, reports] = [lines, rows, reports].map(|number| number as usize);
    let [working, waiting] = [working, waiting].map(|micros| Duration::from_micros(u64::from(micros)));
    let consumed = taken.consumed();
    let results = taken.results().len().checked_sub(reports).ok_or(Spoilt)?;
    // A worker that got nowhere once might do so again, for ever. That is honest only with a report, which ends the run.
    let is_nothing = consumed == 0 && !taken.is_whole() && reports == 0;
    if lines > consumed || rows > consumed || is_nothing {
        return Err(Spoilt);
    }
    Ok((Mapped { consumed, lines, rows, results, reports }, working, waiting))
}
