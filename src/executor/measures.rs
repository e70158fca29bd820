//! The numbers that a worker passes to the writer with the results of a block.

use crate::ring::{MEASURES, Outcome, Spoilt, Taken};
use crate::work::Mapped;
use std::time::Duration;

/// Packs what a worker has made of a block, or of a part of a block, into the numbers that a slot has room for.
/// `working` is how long the worker worked, and `waiting` how long it had waited for the block. Times are packed as
/// microseconds. More than an hour fits into 32 bits.
pub fn pack(mapped: Mapped, working: Duration, waiting: Duration) -> Outcome {
    let Mapped { consumed, lines, rows, results, reports, overhead, is_open: _ } = mapped;
    let micros = |time: Duration| time.as_micros().try_into().unwrap_or(u32::MAX);
    let measures: [u32; MEASURES] =
        [lines as u32, rows as u32, reports as u32, micros(working), micros(waiting), micros(overhead)];
    Outcome { consumed, results: results + reports, measures }
}

/// Unpacks, in the writer, the numbers that [`pack`] has packed. Returns what was mapped, how long the worker worked,
/// and how long it had waited.
///
/// # Errors
/// If the numbers contradict each other or the block, which shows that a worker has broken the protocol.
pub fn unpack(taken: &Taken) -> Result<(Mapped, Duration, Duration), Spoilt> {
    let [lines, rows, reports, working, waiting, overhead] = taken.outcome.measures;
    let [lines, rows, reports] = [lines, rows, reports].map(|number| number as usize);
    let [working, waiting, overhead] =
        [working, waiting, overhead].map(|micros| Duration::from_micros(u64::from(micros)));
    let consumed = taken.outcome.consumed;
    let results = taken.results().len().checked_sub(reports).ok_or(Spoilt)?;
    // After a part that has consumed none of its input, the next claimant gets the same rows again, which could go on
    // for ever. So such a part is valid only if it has a report: the report of a row that is not consumed ends the run.
    let is_nothing = consumed == 0 && !taken.is_whole() && reports == 0;
    if lines > consumed || rows > consumed || is_nothing {
        return Err(Spoilt);
    }
    Ok((Mapped { consumed, lines, rows, results, reports, overhead, is_open: false }, working, waiting))
}
