//! The executors: four ways to map a kernel over rows, behind one trait.

mod cut;
mod ledger;
pub mod measures;
pub mod names;
pub mod pickle;
mod reading;
pub mod run;
mod serial;
mod shared;
mod threads;
mod told;
mod turns;
pub mod worker;
mod writing;

use crate::error::{Error, reason};
use crate::flow::{Sink, Source};
use crate::input::windows::Cutter;
use crate::process::children::Children;
use crate::process::confinement::Confinement;
use crate::ring::{SegmentError, Sizes};
use crate::tally::Tally;
use crate::work::Work;
use rustix::fd::OwnedFd;
use std::io;
use std::time::Duration;

/// How a kernel is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Executor {
    /// One loop in this process
    Serial,
    /// Worker threads in this process
    Threads,
    /// Worker processes that are sent pickled rows, like Python's `ProcessPoolExecutor`. This executor needs the
    /// feature `pickle`
    Pickle,
    /// Worker processes that claim blocks in a shared segment
    Shared,
}

impl Executor {
    /// All executors, from the simplest to the one that this program was made for.
    #[cfg(feature = "pickle")]
    pub const ALL: [Executor; 4] = [Executor::Serial, Executor::Threads, Executor::Pickle, Executor::Shared];
    /// All executors of this build. [`Executor::Pickle`] is missing, because it needs the feature `pickle`.
    #[cfg(not(feature = "pickle"))]
    pub const ALL: [Executor; 3] = [Executor::Serial, Executor::Threads, Executor::Shared];

    /// Returns the executor's name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Executor::Serial => "serial",
            Executor::Threads => "threads",
            Executor::Pickle => "pickle",
            Executor::Shared => "shared",
        }
    }

    /// Maps a kernel over all rows of the job and passes the results to the job's sink in input order.
    ///
    /// An executor with worker processes starts this program again for each of them, with the same arguments. The new
    /// process must call [`worker::reenter`] with the same mapping before it does anything else.
    ///
    /// # Errors
    /// The first error in input order. All results before it have been passed on.
    pub(crate) fn run(self, mapping: &Mapping, job: Job) -> Result<(), Error> {
        self.workers().run(mapping, job)
    }

    /// Makes the executor, with no workers yet. A worker process is started when a run first has work for it. It lives
    /// until the returned value is dropped or the parent exits, even if the thread whose run started it ends earlier.
    pub(crate) fn workers(self) -> Box<dyn Execute> {
        match self {
            Executor::Serial => Box::new(serial::Serial),
            Executor::Threads | Executor::Pickle => Box::new(threads::Threads::new(self, Children::new())),
            Executor::Shared => Box::new(shared::Shared::new(Children::new())),
        }
    }

    /// Returns whether the executor's workers are processes.
    pub(crate) fn has_processes(self) -> bool {
        matches!(self, Executor::Pickle | Executor::Shared)
    }
}

/// What is mapped over rows, and what worker processes have to know to do that.
pub struct Mapping<'k> {
    /// The kernel, as a function from bytes to bytes.
    pub work: &'k dyn Work,
    /// The name by which a worker process finds this mapping. It differs from the names of all other mappings of the
    /// program and is the same in every process of the program.
    pub name: String,
    /// Which system calls the worker processes may make, and how much memory they may use.
    pub confinement: Confinement,
    /// How workers find rows in a file that they read for themselves. `None`: the parent reads all rows.
    pub cutter: Option<Cutter>,
}

#[cfg(any(test, fuzzing))]
impl<'k> Mapping<'k> {
    /// Makes a mapping for executors without worker processes. It has no name, because only worker processes need one.
    pub fn here(work: &'k impl Work) -> Self {
        Mapping { work, name: String::new(), confinement: Confinement::default(), cutter: None }
    }
}

/// One run: its input, its output and its limits.
pub struct Job<'a> {
    /// Produces the blocks.
    pub source: &'a mut dyn Source,
    /// Receives the results.
    pub sink: &'a mut dyn Sink,
    /// A bell that is rung to make the source stop waiting for input.
    pub stop: &'a OwnedFd,
    /// The size of the input in bytes: a small input gets fewer slots. `None` if the size is not known, or if later
    /// runs, whose inputs may be larger, use the same segment.
    pub input: Option<u64>,
    /// Whether each block fills its slot, except the last one of the input. The size of blocks then does not depend on
    /// the time that rows take.
    pub has_fixed_blocks: bool,
    /// The largest number of workers, from 1 to [`MAX_JOBS`].
    pub jobs: usize,
    /// The sizes of a slot's regions. The region for a block's rows has up to [`MAX_BLOCK_SIZE`] bytes.
    pub sizes: Sizes,
    /// How long a worker process may hold a block before it is killed. `None`: as long as it likes.
    pub block_timeout: Option<Duration>,
    /// The counters of this run.
    pub tally: &'a Tally,
    /// The largest number of rows in a task of the `pickle` executor. A task never contains rows of two blocks.
    pub chunk_size: usize,
}

/// The largest number of workers that a user may ask for: more than the number of processors of any machine we know.
pub const MAX_JOBS: usize = 4096;
/// The smallest block size for text: a block must hold a row, and a row of two 64-bit integers with some blanks has up
/// to this many bytes.
pub const MIN_BLOCK_SIZE: usize = 64;
/// The largest block size. Workers pass the lengths of a block's results and reports to the writer as numbers of 32
/// bits, into which these lengths must fit.
pub const MAX_BLOCK_SIZE: usize = 1 << 30;
/// With this size, computing a block costs far more than claiming it, and the rows and results of two blocks stay in a
/// core's second-level cache. Sizes were compared by `hyperfine -P s 16 19 'pmapgcd -j 2 --block-size $((1<<{s}))
/// small.csv'`: on the reference machine 128K to 512K are within 6 % of each other.
pub const DEFAULT_BLOCK_SIZE: usize = 128 << 10;
/// Python's `ProcessPoolExecutor.map` has chunks of 1 row, which cost a message each way for every row. With 1024 rows
/// the cost of messages no longer matters, so that what is measured is the cost of pickling. Larger chunks are no
/// faster.
pub const DEFAULT_CHUNK_SIZE: usize = 1024;

/// An executor, with what it keeps from one run to the next: worker processes, and the memory or sockets that it shares
/// with them.
pub(crate) trait Execute: Send {
    /// Maps the kernel over all rows of the job. A later run must have the same mapping, the same sizes and at most as
    /// many workers. After a run that failed or panicked there must be no other run, because workers may still hold its
    /// blocks.
    fn run(&mut self, mapping: &Mapping, job: Job) -> Result<(), Error>;
}

/// Returns how many processors this process may use according to its affinity and its control groups, but at most
/// [`MAX_JOBS`].
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(MAX_JOBS))
}

/// Converts the error of allocating or attaching a segment into one with advice for the user.
fn no_segment(error: SegmentError) -> Error {
    match error {
        SegmentError::Refused { length, source } => {
            let hint = match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::OutOfMemory => {
                    "; make room there, or use a smaller --block-size, or --executor threads"
                }
                io::ErrorKind::FileTooLarge => "; use a smaller --block-size, or --executor threads",
                _ => "",
            };
            let what = format!("cannot get {length} bytes of shared memory in /dev/shm: {}{hint}", reason(&source));
            Error::no_memory(what)
        }
        SegmentError::NoMemory { length, source } => {
            Error::no_memory(format!("cannot get {length} bytes of memory: {}", reason(&source)))
        }
        SegmentError::NotOurs(what) => Error::defect(format!("what a worker was handed is not a segment: {what}")),
    }
}
