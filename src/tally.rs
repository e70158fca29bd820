//! Counts what a run does: for `--progress` while the run lasts, and for `--stats` at its end.
//!
//! Reader and writer measure how long they work and how long they wait for others. Each worker measures the same for
//! every block. The times show which of the three slows the run down; measuring reads the clock a few times per block.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The counters of a run.
#[derive(Default)]
pub struct Tally {
    /// Rows whose results have been written.
    pub rows: Count,
    /// Bad rows, which have no results.
    pub bad_rows: Count,
    /// Bytes of input that the writer is done with, whether or not their rows have results.
    pub bytes: Count,
    /// Workers that have been started and have not died. 0 in `serial`.
    pub workers: Count,
    /// Workers that were started to replace dead ones.
    pub restarts: Count,
    /// How long the reader worked, and how long it waited for a free slot.
    pub reader: Spent,
    /// How long the writer worked, and how long it waited for results.
    pub writer: Spent,
    shares: Mutex<Vec<Share>>,
}

/// A number that one thread changes and other threads may read at any time.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds `count` to the number.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }
    /// Sets the number to `count`.
    pub fn set(&self, count: u64) {
        self.0.store(count, Relaxed);
    }
    /// Returns the current number.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// How much time one thread has spent at work and waiting, in nanoseconds.
#[derive(Default)]
pub struct Spent {
    working: Count,
    waiting: Count,
}

impl Spent {
    /// Time spent at work.
    pub fn working(&self) -> Duration {
        Duration::from_nanos(self.working.get())
    }
    /// Time spent waiting for other threads or processes.
    pub fn waiting(&self) -> Duration {
        Duration::from_nanos(self.waiting.get())
    }
}

/// Measures how much time a thread spends at work and waiting. A lap is the time from one call to the next. The call
/// that ends a lap decides whether the lap counts as work, as waiting, or not at all.
pub struct Stopwatch<'a> {
    spent: &'a Spent,
    last: Instant,
}

impl<'a> Stopwatch<'a> {
    /// Begins the first lap now. The laps are added to `spent`.
    pub fn new(spent: &'a Spent) -> Self {
        Stopwatch { spent, last: Instant::now() }
    }
    /// Ends a lap and does not count it, because other code used the time.
    pub fn skip(&mut self) {
        self.last = Instant::now();
    }
    /// Ends a lap and counts it as work.
    pub fn worked(&mut self) {
        self.spent.working.add(lap(&mut self.last).as_nanos() as u64);
    }
    /// Ends a lap and counts it as waiting.
    pub fn waited(&mut self) {
        self.spent.waiting.add(lap(&mut self.last).as_nanos() as u64);
    }
}

/// Returns the time since `last`, and sets `last` to now.
pub fn lap(last: &mut Instant) -> Duration {
    let now = Instant::now();
    now - std::mem::replace(last, now)
}

/// What one worker has done in a run.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Share {
    /// Number of blocks, and parts of blocks, that the worker has mapped.
    pub blocks: u64,
    /// Number of rows with results in these blocks and parts.
    pub rows: u64,
    /// Time spent at work.
    pub working: Duration,
    /// Time spent waiting for a block to claim.
    pub waiting: Duration,
}

impl Tally {
    /// Adds a block, or a part of a block, to the counts of the worker with number `worker`.
    pub fn enter(&self, worker: usize, rows: usize, working: Duration, waiting: Duration) {
        let mut shares = self.locked();
        if shares.len() <= worker {
            shares.resize(worker + 1, Share::default());
        }
        let share = &mut shares[worker];
        share.blocks += 1;
        share.rows += rows as u64;
        share.working += working;
        share.waiting += waiting;
    }

    /// Returns the counts of all workers; a worker's number is its index.
    pub fn shares(&self) -> Vec<Share> {
        self.locked().clone()
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Share>> {
        self.shares.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_by_worker() {
        let tally = Tally::default();
        let second = Duration::from_secs(1);
        tally.enter(2, 10, second, second);
        tally.enter(2, 5, second, Duration::ZERO);
        tally.enter(0, 1, Duration::ZERO, Duration::ZERO);
        let shares = tally.shares();
        assert_eq!(shares.iter().map(|share| share.blocks).collect::<Vec<_>>(), [1, 0, 2]);
        assert_eq!(shares[2], Share { blocks: 2, rows: 15, working: 2 * second, waiting: second });
    }

    #[test]
    fn a_stopwatch_has_no_gaps() {
        let spent = Spent::default();
        let start = Instant::now();
        let mut watch = Stopwatch::new(&spent);
        std::thread::sleep(Duration::from_millis(20));
        watch.waited();
        std::thread::sleep(Duration::from_millis(10));
        watch.worked();
        let all = spent.working() + spent.waiting();
        assert!(spent.waiting() >= Duration::from_millis(20) && spent.working() >= Duration::from_millis(10));
        assert!(all <= start.elapsed());
    }
}
