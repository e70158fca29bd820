//! How much input a block gets: as much as takes a worker some milliseconds, so that no worker is idle while another has seconds of
//! work before it.
//!
//! Nobody knows what a row costs before rows were mapped. So the first blocks are small, and those after them are cut by what the
//! rows before have cost. Rows of a few nanoseconds come in blocks as large as a slot after the first round of slots; rows of
//! 10 ms or more come one by one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The time that a worker is to take for a block. To claim a block costs a ten-thousandth of that. At the end of the input a worker is
/// idle for no longer while others finish their last blocks. A run also begins with one worker for this long, unless its rows prove
/// cheap or its input large: a few cheap rows are done before a second process has started.
const COST: Duration = Duration::from_millis(10);

/// How many bytes a block gets as long as nothing is known of the cost of rows.
pub const FIRST: usize = 64;

/// How the reader cuts blocks, and what the writer has measured for that.
pub struct Cut {
    start: Instant,
    /// How many bytes of rows the next block is to have.
    wanted: AtomicUsize,
    /// How many bytes a slot has room for.
    most: usize,
    /// Whether the input is known to be worth more than one worker.
    is_large: bool,
}

impl Cut {
    /// For a run whose slots have room for so many bytes of input, and whose input has so many bytes, if that is known.
    pub fn new(most: usize, input: Option<u64>) -> Self {
        let is_large = input.is_some_and(|input| input / 2 >= most as u64);
        Cut { start: Instant::now(), wanted: AtomicUsize::new(FIRST.min(most)), most, is_large }
    }

    /// How many bytes of rows the next block is to have.
    pub fn wanted(&self) -> usize {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Takes note that so many bytes of rows took a worker so long.
    pub fn measured(&self, bytes: usize, time: Duration) {
        // Times are measured in microseconds. What took less is taken to have been one.
        let wanted = bytes as u128 * COST.as_micros() / time.as_micros().max(1);
        if bytes > 0 {
            self.wanted.store(wanted.clamp(1, self.most as u128) as usize, Ordering::Relaxed);
        }
    }

    /// How much is left of the time in which a run may make do with one worker. `None` when it is over.
    pub fn head_start(&self) -> Option<Duration> {
        COST.checked_sub(self.start.elapsed()).filter(|left| !left.is_zero())
    }

    /// Whether one worker is enough for now: nothing shows yet that there is work for more.
    pub fn is_enough_for_one(&self) -> bool {
        !self.is_large && self.wanted() < self.most && self.head_start().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cost_about_as_much_whatever_rows_cost() {
        let cut = Cut::new(128 << 10, None);
        assert_eq!(cut.wanted(), FIRST);
        // 64 bytes in 100 ms: a tenth of that in 10 ms.
        cut.measured(64, Duration::from_millis(100));
        assert_eq!(cut.wanted(), 6);
        cut.measured(6, Duration::from_secs(1));
        assert_eq!(cut.wanted(), 1);
        cut.measured(0, Duration::from_micros(1));
        assert_eq!(cut.wanted(), 1);
        cut.measured(64, Duration::ZERO);
        assert_eq!(cut.wanted(), 128 << 10);
        cut.measured(128 << 10, Duration::from_millis(20));
        assert_eq!(cut.wanted(), 64 << 10);
        cut.measured(usize::MAX, Duration::from_nanos(1));
        assert_eq!(cut.wanted(), 128 << 10);
    }

    #[test]
    fn one_worker_has_a_head_start_unless_the_input_is_large() {
        assert!(!Cut::new(1 << 17, Some(1 << 18)).is_enough_for_one());
        assert!(Cut::new(1 << 17, None).head_start().is_none_or(|left| left <= COST));
        let cut = Cut::new(1 << 17, None);
        cut.measured(1 << 17, Duration::from_micros(1));
        assert!(!cut.is_enough_for_one());
    }
}
