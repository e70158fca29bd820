//! Counts what a run does, for `--progress` while it goes on, and for `--stats` at its end.
//!
//! Reader and writer say how long they worked and how long they waited for others, and so does each worker with every block. This
//! shows who held up the others, and costs a few looks at the clock for each block.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Counters that grow as a run goes on.
#[derive(Default)]
pub struct Tally {
    /// Rows that have their results.
    pub rows: Count,
    /// Rows that have none.
    pub bad_rows: Count,
    /// Bytes of input that are dealt with.
    pub bytes: Count,
    /// Workers that have been started and have not died. None in `serial`.
    pub workers: Count,
    /// Workers that were started in the place of dead ones.
    pub restarts: Count,
    /// The time of the reader, which waits for a free slot.
    pub reader: Spent,
    /// The time of the writer, which waits for results.
    pub writer: Spent,
    shares: Mutex<Vec<Share>>,
}

/// A number that one thread changes and others look at.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds to the number.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }
    /// Sets the number.
    pub fn set(&self, count: u64) {
        self.0.store(count, Relaxed);
    }
    /// The number by now.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What one thread's time was spent on, in nanoseconds.
#[derive(Default)]
pub struct Spent {
    working: Count,
    waiting: Count,
}

impl Spent {
    /// Time at work.
    pub fn working(&self) -> Duration {
        Duration::from_nanos(self.working.get())
    }
    /// Time waiting for others.
    pub fn waiting(&self) -> Duration {
        Duration::from_nanos(self.waiting.get())
    }
}

/// Adds up what a thread's time was spent on, lap by lap.
pub struct Stopwatch<'a> {
    spent: &'a Spent,
    last: Instant,
}

impl<'a> Stopwatch<'a> {
    /// Begins the first lap now.
    pub fn new(spent: &'a Spent) -> Self {
        Stopwatch { spent, last: Instant::now() }
    }
    /// Begins a lap now. The time since the last one counts for nothing: it was somebody else's.
    pub fn skip(&mut self) {
        self.last = Instant::now();
    }
    /// Ends a lap that was work.
    pub fn worked(&mut self) {
        self.spent.working.add(lap(&mut self.last).as_nanos() as u64);
    }
    /// Ends a lap that was spent waiting.
    pub fn waited(&mut self) {
        self.spent.waiting.add(lap(&mut self.last).as_nanos() as u64);
    }
}

/// The time since `last`. Sets `last` to now.
pub fn lap(last: &mut Instant) -> Duration {
    let now = Instant::now();
    now - std::mem::replace(last, now)
}

/// What one worker did.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Share {
    /// Blocks, or parts of blocks.
    pub blocks: u64,
    /// Rows in them.
    pub rows: u64,
    /// Time at work.
    pub working: Duration,
    /// Time waiting for a block.
    pub waiting: Duration,
}

impl Tally {
    /// Counts a block that this worker has done.
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

    /// What each worker did, by its number.
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
