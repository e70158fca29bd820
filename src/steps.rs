//! Measures how much processor time goes into each of the ten steps that *Effective Python*, Item 41, lists for every
//! item that a process pool maps.
//!
//! Only `--compare` switches the measurement on; otherwise [`lap`] reads a flag and returns. A lap reads the processor
//! time of its thread, so that waiting is not counted. Each lap begins where the thread's last one ended, so that the
//! steps together contain all processor time of the thread.

use rustix::time::{ClockId, clock_gettime};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// One of the ten steps that *Effective Python* lists for every item. The order is that of the book.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Step {
    /// The parent takes an item from the input: reading, finding rows, decoding.
    Take,
    /// The parent serialises the item.
    Pickle,
    /// The item is copied to the child.
    Send,
    /// The child deserialises the item.
    Unpickle,
    /// The child makes the function ready. In the book the child imports a module. Here the child process starts, and
    /// has the function in its program.
    Import,
    /// The child runs the function.
    Run,
    /// The child serialises the result.
    PickleResult,
    /// The result is copied to the parent.
    Receive,
    /// The parent deserialises the result.
    UnpickleResult,
    /// The parent merges the results of all children in input order: encoding, writing.
    Merge,
}

/// How many steps there are.
pub const STEPS: usize = 10;

/// Nanoseconds of processor time for each [`Step`], indexed by its number.
pub type Nanos = [u64; STEPS];

static TIMING: AtomicBool = AtomicBool::new(false);
static NANOS: [AtomicU64; STEPS] = [const { AtomicU64::new(0) }; STEPS];

thread_local! { static LAST: Cell<u64> = const { Cell::new(0) } }

/// Switches the measurement on in this process. The first lap of each thread contains all processor time that the
/// thread has used since it started.
pub fn start_timing() {
    TIMING.store(true, Ordering::Relaxed);
}

/// Returns whether the measurement is switched on.
pub fn is_timing() -> bool {
    TIMING.load(Ordering::Relaxed)
}

/// Ends a lap: adds the processor time that this thread has used since its last lap to `step`.
pub fn lap(step: Step) {
    if !is_timing() {
        return;
    }
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let now = time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64;
    NANOS[step as usize].fetch_add(now - LAST.replace(now), Ordering::Relaxed);
}

/// Returns what this process has measured since the last call, and sets its sums to 0.
pub fn take() -> Nanos {
    NANOS.each_ref().map(|nanos| nanos.swap(0, Ordering::Relaxed))
}

/// Adds what another process has measured to the sums of this process.
pub fn add(nanos: Nanos) {
    for (sum, nanos) in NANOS.iter().zip(nanos) {
        sum.fetch_add(nanos, Ordering::Relaxed);
    }
}

static COPIED: AtomicU64 = AtomicU64::new(0);

/// Adds `bytes` to the number of bytes that this process has sent or received, if the measurement is switched on.
pub fn count_copied(bytes: usize) {
    if is_timing() {
        COPIED.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Returns how many bytes this process has sent to other processes or received from them.
pub fn copied() -> u64 {
    COPIED.load(Ordering::Relaxed)
}
