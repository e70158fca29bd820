//! Where the processor time goes, by the ten steps that *Effective Python*, Item 41, counts for every item that a process pool maps.
//!
//! Only `--compare` turns this on. Otherwise [`lap`] looks at one flag and returns. A lap reads the processor time of its thread, so
//! waiting counts for nothing. Laps follow each other without a gap, so together they are all the time that was spent.

use rustix::time::{ClockId, clock_gettime};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A step of Item 41's account, in its order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Step {
    /// Each item is taken from the input: reading, finding rows, decoding.
    Take,
    /// It is serialised.
    Pickle,
    /// It is copied to the child.
    Send,
    /// It is deserialised in the child.
    Unpickle,
    /// The child makes the function ready: here, starting as a process.
    Import,
    /// The function is run.
    Run,
    /// The result is serialised in the child.
    PickleResult,
    /// It is copied back.
    Receive,
    /// It is deserialised in the parent.
    UnpickleResult,
    /// The results of all children are merged in order: encoding, writing.
    Merge,
}

/// How many steps there are.
pub const STEPS: usize = 10;

/// Nanoseconds by step.
pub type Nanos = [u64; STEPS];

static TIMING: AtomicBool = AtomicBool::new(false);
static NANOS: [AtomicU64; STEPS] = [const { AtomicU64::new(0) }; STEPS];

thread_local! { static LAST: Cell<u64> = const { Cell::new(0) } }

/// From here on the laps of this process are counted. What a thread did before its first lap counts for that lap.
pub fn start_timing() {
    TIMING.store(true, Ordering::Relaxed);
}

/// Whether laps are counted.
pub fn is_timing() -> bool {
    TIMING.load(Ordering::Relaxed)
}

/// Ends a lap: all of this thread's processor time since its last lap was for this step.
pub fn lap(step: Step) {
    if !is_timing() {
        return;
    }
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let now = time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64;
    NANOS[step as usize].fetch_add(now - LAST.replace(now), Ordering::Relaxed);
}

/// What was counted in this process since it was last asked.
pub fn take() -> Nanos {
    NANOS.each_ref().map(|nanos| nanos.swap(0, Ordering::Relaxed))
}

/// Adds what another process counted.
pub fn add(nanos: Nanos) {
    for (sum, nanos) in NANOS.iter().zip(nanos) {
        sum.fetch_add(nanos, Ordering::Relaxed);
    }
}

static COPIED: AtomicU64 = AtomicU64::new(0);

/// Counts bytes that were copied from one process to another.
pub fn count_copied(bytes: usize) {
    if is_timing() {
        COPIED.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Bytes that this process has copied to others or got from them.
pub fn copied() -> u64 {
    COPIED.load(Ordering::Relaxed)
}
