//! Decides how many slots a ring has and how much input a block gets: rows that take a worker about 10 ms, so that at
//! the end of the input no worker is idle while another has seconds of work left.
//!
//! The cost of a row is not known before rows were mapped. Therefore the first blocks are small, and later ones are cut
//! by what earlier rows have cost. If a row takes a few nanoseconds, blocks fill their slots after the first round of
//! slots; if it takes 10 ms or more, each row is a block of its own.

use crate::executor::{DEFAULT_BLOCK_SIZE, Job};
use crate::ring::Sizes;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a block should take a worker. Claiming a block costs a ten-thousandth of this, and at the end of the input
/// a worker waits no longer than this for the others. This is also the head start of the first worker: until the first
/// has been up for this time, no other worker is started, because a few cheap rows are finished before a second process
/// would have started. Others are started earlier if the input is large, or if blocks fill their slots although their
/// rows are cheap, which shows that there are many rows.
const COST: Duration = Duration::from_millis(10);

/// If the first worker takes longer than this to come up, others are started beside it.
const MOST_START: Duration = Duration::from_millis(100);

/// The longest time for which the writer sleeps without results waking it.
const MOST_NAP: Duration = Duration::from_millis(1);

/// How many times longer than its overhead a block should take.
const MOST_OVERHEAD: u32 = 10;

/// The smallest block that a worker reads for itself. For blocks of this size the cost of passing on the turn
/// (`turns.rs`) is negligible. For small blocks it is not: with blocks of 4096 bytes, a run in which the workers read
/// the blocks takes five times as long as one in which the parent reads them.
const LARGE: usize = DEFAULT_BLOCK_SIZE;
/// A window is this many times as large as a block that the reader reads, if rows are cheap and the window's results
/// fit into a slot. With windows, the parent does little more than wake up once for each, so that larger windows take
/// less of its time.
const WINDOW: usize = 4;
/// The largest window, unless blocks are larger. A window has to stay in the cache of the worker's processor.
const MOST_WINDOW: usize = 1 << 20;
/// The environment variable that overrides [`LARGE`]. Tests use it to have many windows in small files.
const LEAST_WINDOW: &str = "PMAPGCD_LEAST_WINDOW";

/// How many bytes of rows a block should have until the first measurement. A block has whole rows, so this means one
/// row. The first blocks must be that small because each row may take seconds.
const FIRST: usize = 1;

/// For a small input, the number of slots is chosen as if each block had this many bytes.
const LEAST_BLOCK: usize = 64;

/// Slots per worker: one with the block that the worker works on, one whose block waits for the worker, one whose
/// results wait to be written, and one in reserve, because blocks take different times.
const SLOTS_PER_JOB: usize = 4;
/// The ring has slots for at least this many bytes of blocks. So if blocks are small, there are many slots, and a
/// sleeping thread is not woken for every single block.
const LEAST_INPUT: usize = 512 << 10;
/// How many bytes the input regions of all slots should take together at most. If there are many workers, the ring has
/// fewer slots per worker. It has at least two slots more than workers, even if that takes more bytes. The segment
/// should fit into the /dev/shm of a stock container, which has 64 MiB.
const MOST_INPUT: usize = 16 << 20;

/// Returns how many slots a ring for this job has.
pub fn slots(job: &Job) -> usize {
    let fewest = (LEAST_INPUT / job.sizes.block).min(1024).max(job.jobs + 2);
    let slots = (job.jobs * SLOTS_PER_JOB).min(MOST_INPUT / job.sizes.block).max(fewest);
    // A small input gets no more slots than it could fill with blocks of `LEAST_BLOCK` bytes, and two more.
    let most = job
        .input
        .map_or(usize::MAX, |input| (input / LEAST_BLOCK as u64).saturating_add(2).try_into().unwrap_or(usize::MAX));
    slots.min(most)
}

/// The size of the blocks that the reader cuts, and the writer's measurements from which this size follows.
pub struct Cut {
    start: Instant,
    /// Since when it is known that the first worker has come up.
    up: OnceLock<Instant>,
    /// How many bytes of rows a worker maps in the time that a block should take, but no more than a window may have.
    wanted: AtomicUsize,
    /// How many bytes of rows have results that fit into a slot, judging by the block measured last.
    fitting: AtomicUsize,
    /// How many bytes of rows (`most`) and of results (`room`) a slot has room for.
    most: usize,
    room: usize,
    /// Whether the size of the input is known and large enough for more than one worker.
    is_large: bool,
    /// Whether each block fills its slot, whatever rows cost.
    is_fixed: bool,
    /// Workers read blocks for themselves if blocks have at least this many bytes.
    least_window: usize,
    /// Whether blocks have grown to the size that they should have.
    is_settled: AtomicBool,
    /// How many microseconds the last block took a worker.
    last: AtomicU64,
}

impl Cut {
    /// Makes the cut for a run with slots of these sizes, whose input has `input` bytes, if that is known. `is_fixed`
    /// says whether each block fills its slot, whatever rows cost.
    pub fn new(sizes: Sizes, input: Option<u64>, is_fixed: bool) -> Self {
        let most = sizes.block;
        let is_large = input.is_some_and(|input| input / 2 >= most as u64);
        let first = if is_fixed { most } else { FIRST.min(most) };
        let least_window = std::env::var(LEAST_WINDOW).ok().and_then(|size| size.parse().ok());
        Cut {
            start: Instant::now(),
            up: OnceLock::new(),
            wanted: AtomicUsize::new(first),
            fitting: AtomicUsize::new(most),
            most,
            room: sizes.room,
            is_large,
            is_fixed,
            least_window: least_window.unwrap_or(LARGE),
            is_settled: AtomicBool::new(is_fixed),
            last: AtomicU64::new(0),
        }
    }

    /// The number of bytes of rows that the next block should have.
    pub fn wanted(&self) -> usize {
        self.wanted.load(Ordering::Relaxed).min(self.most)
    }

    /// The number of bytes that the next window of the file should have.
    pub fn window(&self) -> usize {
        self.wanted.load(Ordering::Relaxed).min(self.fitting.load(Ordering::Relaxed).max(self.most))
    }

    fn most_window(&self) -> usize {
        self.most.max(MOST_WINDOW.min(WINDOW * self.most))
    }

    /// Whether workers should read their blocks themselves. They should if rows are so cheap that reading by the parent
    /// would slow the run down, and blocks are so large that passing on the turn costs little. Blocks of a fixed size
    /// are always read by the reader.
    pub fn is_cheap(&self) -> bool {
        !self.is_fixed && self.wanted() >= self.least_window
    }

    /// Records that a worker needed `time` for `bytes` bytes of rows, which gave `results` bytes of results. `overhead`
    /// is the part of `time` that did not depend on the rows. Blocks are then made so large that the overhead is a
    /// small part of their time. An `overhead` longer than `time`, such as `Duration::MAX`, says that `time` tells
    /// nothing about the rows.
    pub fn measured(&self, bytes: usize, results: usize, time: Duration, overhead: Duration) {
        let time_is_unknown = overhead > time;
        let cost = COST.max(overhead.saturating_mul(MOST_OVERHEAD));
        // Workers report whole microseconds, and the overhead can be all of the time, so this can be 0. Count it as 1.
        let time = time.saturating_sub(overhead).as_micros().max(1);
        let wanted = bytes as u128 * cost.as_micros() / time;
        self.last.store(time as u64, Ordering::Relaxed);
        if bytes > 0 && !self.is_fixed && !time_is_unknown {
            self.wanted.store(wanted.clamp(1, self.most_window() as u128) as usize, Ordering::Relaxed);
            // An eighth of the room is left free, because the next rows may have longer results.
            let fitting = self.room as u128 * bytes as u128 / results.max(1) as u128 * 7 / 8;
            self.fitting.store(fitting.min(usize::MAX as u128) as usize, Ordering::Relaxed);
            if bytes >= self.wanted() / 2 {
                self.is_settled.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Records that a block of `bytes` bytes was cut where `wanted` bytes were wanted. A block that has much less shows
    /// that the input comes slowly or ends, so blocks do not grow any more.
    pub fn was_cut(&self, bytes: usize, wanted: usize) {
        if bytes < wanted / 2 {
            self.is_settled.store(true, Ordering::Relaxed);
        }
    }

    /// Whether another block may be published. `waiting` is the number of blocks that are published and not yet
    /// written, and `workers` the number of workers. While blocks still grow, at most one block waits for each worker,
    /// because further blocks would be just as small, and each block has a fixed overhead.
    pub fn may_publish(&self, waiting: u64, workers: u64) -> bool {
        waiting < workers || self.is_settled.load(Ordering::Relaxed)
    }

    /// Returns how long `workers` workers take to map half of the blocks in a ring of `slots` slots, but at most
    /// [`MOST_NAP`].
    pub fn nap(&self, slots: usize, workers: u64) -> Duration {
        let blocks = slots as u64 / (2 * workers.max(1));
        MOST_NAP.min(Duration::from_micros(blocks * self.last.load(Ordering::Relaxed)))
    }

    /// Returns for how much longer the first worker must be the only one, or `None` if others may be started. `is_up`
    /// says whether the first worker has come up. If it has not, the time is an estimate, after which the caller asks
    /// again.
    pub fn head_start(&self, is_up: bool) -> Option<Duration> {
        let left = match is_up {
            true => COST.checked_sub(self.up.get_or_init(Instant::now).elapsed()),
            false => MOST_START.checked_sub(self.start.elapsed()).map(|left| left.min(COST)),
        };
        left.filter(|left| !left.is_zero())
    }

    /// Whether one worker is enough for now, because nothing shows yet that there is work for more.
    pub fn is_enough_for_one(&self, is_up: bool) -> bool {
        !self.is_large && self.wanted() < self.most && self.head_start(is_up).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { head: 0, block: 128 << 10, room: 128 << 10 };

    #[test]
    fn blocks_cost_about_as_much_whatever_rows_cost() {
        let cut = Cut::new(SIZES, None, false);
        assert_eq!(cut.wanted(), FIRST);
        // 64 bytes took 100 ms, so a tenth of that takes 10 ms.
        cut.measured(64, 0, Duration::from_millis(100), Duration::ZERO);
        assert_eq!(cut.wanted(), 6);
        cut.measured(6, 0, Duration::from_secs(1), Duration::ZERO);
        assert_eq!(cut.wanted(), 1);
        cut.measured(0, 0, Duration::from_micros(1), Duration::ZERO);
        assert_eq!(cut.wanted(), 1);
        cut.measured(64, 0, Duration::ZERO, Duration::ZERO);
        assert_eq!(cut.wanted(), 128 << 10);
        cut.measured(128 << 10, 0, Duration::from_millis(20), Duration::ZERO);
        assert_eq!(cut.wanted(), 64 << 10);
        cut.measured(usize::MAX, 0, Duration::from_nanos(1), Duration::ZERO);
        assert_eq!(cut.wanted(), 128 << 10);
        // 1000 bytes take 5 ms, and each block takes 40 ms of overhead. 80 000 bytes take 400 ms, ten times the
        // overhead.
        cut.measured(1000, 0, Duration::from_millis(45), Duration::from_millis(40));
        assert_eq!(cut.wanted(), 80_000);
        let fixed = Cut::new(Sizes { block: 1000, ..SIZES }, None, true);
        fixed.measured(10, 0, Duration::from_secs(1), Duration::ZERO);
        assert_eq!(fixed.wanted(), 1000);
    }

    #[test]
    fn windows_are_larger_than_blocks_if_their_results_fit() {
        let cut = Cut::new(SIZES, None, false);
        let window = |bytes, results, time| {
            cut.measured(bytes, results, Duration::from_micros(time), Duration::ZERO);
            (cut.wanted(), cut.window())
        };
        assert_eq!(window(1000, 100, 1), (128 << 10, 512 << 10));
        assert_eq!(window(1000, 500, 1), (128 << 10, 224 << 10));
        assert_eq!(window(1000, 2000, 1), (128 << 10, 128 << 10), "results that do not fit are handed over in parts");
        assert_eq!(window(1000, 0, 50), (128 << 10, 200_000));
        assert_eq!(window(1000, 0, 1000), (10_000, 10_000));
        for (block, most) in [(1000, 4000), (1 << 20, 1 << 20), (1 << 30, 1 << 30)] {
            assert_eq!(Cut::new(Sizes { block, ..SIZES }, None, false).most_window(), most);
        }
    }

    #[test]
    fn one_worker_has_a_head_start_unless_the_input_is_large() {
        assert!(!Cut::new(SIZES, Some(1 << 18), false).is_enough_for_one(true));
        // A head start that begins in the future has its whole time left. A head start that began as long ago as it
        // lasts is over.
        let (future, up) = (Instant::now() + Duration::from_secs(3600), OnceLock::new());
        let cut = Cut { start: future, up: future.into(), ..Cut::new(SIZES, None, false) };
        for is_up in [true, false] {
            assert!(cut.is_enough_for_one(is_up) && cut.head_start(is_up) == Some(COST));
        }
        let start = Instant::now().checked_sub(MOST_START).unwrap();
        let late = Cut { start, up, ..Cut::new(SIZES, None, false) };
        assert!(!late.is_enough_for_one(false) && late.head_start(false).is_none());
        assert!(late.is_enough_for_one(true), "a worker that comes up late has its head start all the same");
        let up = Instant::now().checked_sub(COST).unwrap().into();
        let late = Cut { up, ..Cut::new(SIZES, None, false) };
        assert!(!late.is_enough_for_one(true) && late.head_start(true).is_none());
        cut.measured(1 << 17, 0, Duration::from_micros(1), Duration::ZERO);
        assert!(!cut.is_enough_for_one(true));
    }
}
