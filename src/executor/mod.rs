//! Who does the work: the executors, siblings behind one trait.

mod cut;
mod last_words;
mod ledger;
pub mod measures;
pub mod names;
pub mod pickle;
pub mod run;
mod serial;
mod shared;
mod threads;
pub mod worker;
pub mod workforce;

use crate::error::{Error, reason};
use crate::flow::{Sink, Source};
use crate::process::children::Children;
use crate::process::confinement::Confinement;
use crate::ring::{SegmentError, Sizes};
use crate::tally::Tally;
use crate::work::Work;
use rustix::fd::OwnedFd;
use std::io;
use std::time::Duration;

pub use run::bell;

/// How a kernel is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Executor {
    /// One loop in this process
    Serial,
    /// Worker threads in this process
    Threads,
    /// Worker processes that are sent pickled rows, like Python's `ProcessPoolExecutor`
    Pickle,
    /// Worker processes that claim blocks in a shared segment
    Shared,
}

impl Executor {
    /// All there are, from the simplest to the one that this program is for.
    pub const ALL: [Executor; 4] = [Executor::Serial, Executor::Threads, Executor::Pickle, Executor::Shared];

    /// What the command line calls it.
    pub fn name(self) -> &'static str {
        match self {
            Executor::Serial => "serial",
            Executor::Threads => "threads",
            Executor::Pickle => "pickle",
            Executor::Shared => "shared",
        }
    }

    /// Maps a kernel over all rows of the job and hands the results on in input order.
    ///
    /// With worker processes the program is started again for each, with the same arguments, and must come to
    /// [`worker::reenter`] with the same mapping before it does anything else.
    ///
    /// # Errors
    /// The first thing that went wrong, in input order; all results before it are handed on.
    pub(crate) fn run(self, mapping: &Mapping, job: Job) -> Result<(), Error> {
        self.with(Children::new()).run(mapping, job)
    }

    /// The executor, which starts its worker processes, if it has any, as some of these children.
    fn with(self, children: Children) -> Box<dyn Execute> {
        match self {
            Executor::Serial => Box::new(serial::Serial),
            Executor::Threads | Executor::Pickle => Box::new(threads::Threads::new(self, children)),
            Executor::Shared => Box::new(shared::Shared::new(children)),
        }
    }

    /// Whether its workers are processes.
    pub(crate) fn has_processes(self) -> bool {
        matches!(self, Executor::Pickle | Executor::Shared)
    }
}

/// What is mapped over rows, and what is needed to have that done in other processes.
pub struct Mapping<'k> {
    /// What maps bytes to bytes.
    pub work: &'k dyn Work,
    /// Its name among all mappings of the program, the same in every process of the program.
    pub name: String,
    /// How its worker processes are confined.
    pub confinement: Confinement,
}

#[cfg(any(test, fuzzing))]
impl<'k> Mapping<'k> {
    /// A mapping for executors without processes.
    pub fn here(work: &'k impl Work) -> Self {
        Mapping { work, name: String::new(), confinement: Confinement::default() }
    }
}

/// One run: what comes in, where it goes, and how it is worked on.
pub struct Job<'a> {
    /// Where blocks come from.
    pub source: &'a mut dyn Source,
    /// Where results go.
    pub sink: &'a mut dyn Sink,
    /// Rung to have the source stop waiting for input.
    pub stop: &'a OwnedFd,
    /// How many bytes of input there are, if that is known and the segment is for this run alone.
    pub input: Option<u64>,
    /// How many workers there may be, from 1 to [`MAX_JOBS`].
    pub jobs: usize,
    /// How much a block holds, up to [`MAX_BLOCK_SIZE`].
    pub sizes: Sizes,
    /// How long a worker process may hold a block before it is killed.
    pub block_timeout: Option<Duration>,
    /// Counts what the run has done.
    pub tally: &'a Tally,
    /// How many rows a task of the `pickle` executor has at most; a task does not span blocks.
    pub chunk_size: usize,
}

/// The most workers that may be asked for: more than any machine that we know has processors.
pub const MAX_JOBS: usize = 4096;
/// For text: a block must hold a row, and a row of two 64-bit integers with blanks has up to this many bytes.
pub const MIN_BLOCK_SIZE: usize = 64;
/// Measures in a slot have 32 bits.
pub const MAX_BLOCK_SIZE: usize = 1 << 30;
/// Large enough that a block costs far more than to claim it, small enough that two blocks, rows and results stay in a
/// core's second-level cache. `hyperfine -P s 16 19 'pmapgcd -j 2 --block-size $((1<<{s})) small.csv'` compares: on the
/// reference machine 128K to 512K are within 6 % of each other.
pub const DEFAULT_BLOCK_SIZE: &str = "128K";
/// `ProcessPoolExecutor.map` has 1, which costs a message each way for every row. At 1024 the messages no longer matter
/// and what is measured is pickling; more is no faster.
pub const DEFAULT_CHUNK_SIZE: usize = 1024;

/// An executor, with what one run leaves for the next: worker processes, and what they share.
trait Execute: Send {
    /// Maps the kernel over all rows of the job. A later run has the same mapping, the same sizes, and at most as many workers. There
    /// is no run after one that failed or panicked.
    fn run(&mut self, mapping: &Mapping, job: Job) -> Result<(), Error>;
}

/// The processors that this process may use, by its affinity and its control groups.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(MAX_JOBS))
}

/// The error for a segment that cannot be had.
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
