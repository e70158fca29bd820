//! How a kernel is run: siblings behind one trait.

pub mod block;
mod children;
mod serial;
mod shared;
pub mod worker;

use crate::error::Error;
use crate::flow::reader::Input;
use crate::kernel::Kernel;
use rustix::fd::BorrowedFd;

/// How a kernel is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Executor {
    /// One loop in this process
    Serial,
    /// Worker processes that claim blocks in a shared segment
    Shared,
}

/// One run: what comes in, where it goes, and how it is worked on.
#[derive(Debug)]
pub struct Job<'a> {
    /// Where rows come from, in this order.
    pub inputs: Vec<Input>,
    /// Where results go.
    pub output: BorrowedFd<'a>,
    /// What messages call the output.
    pub output_name: String,
    /// How many workers there may be, from 1 to [`MAX_JOBS`].
    pub jobs: usize,
    /// How many bytes a block has at most, from [`MIN_BLOCK_SIZE`] to [`MAX_BLOCK_SIZE`].
    pub block_size: usize,
}

/// More workers than any machine that we know has processors.
pub const MAX_JOBS: usize = 4096;
/// A block must hold a row, and a row of two 64-bit integers with blanks has up to this many bytes.
pub const MIN_BLOCK_SIZE: usize = 64;
/// Measures in a slot have 32 bits.
pub const MAX_BLOCK_SIZE: usize = 1 << 30;
/// Large enough that a block costs far more than to claim it, small enough that two blocks, rows and results stay in a
/// core's second-level cache. `hyperfine -P s 16 19 'pmapgcd -j 2 --block-size $((1<<{s})) small.csv'` compares: on the
/// reference machine 128K to 512K are within 6 % of each other.
pub const DEFAULT_BLOCK_SIZE: &str = "128K";

/// What all executors have in common.
trait Run {
    /// Maps the kernel over all rows of the job.
    fn run(&self, kernel: &dyn block::MapBlocks, job: Job) -> Result<(), Error>;
}

impl Executor {
    /// Maps `kernel` over all rows of the job and writes the outputs in input order.
    ///
    /// With [`Executor::Shared`] the program is started again for each worker, with the same arguments, and must call
    /// [`worker::reenter`] with the same kernel before it does anything else.
    ///
    /// # Errors
    /// The first thing that went wrong, in input order; all results before it are written.
    pub fn run<K: Kernel>(self, kernel: &K, job: Job) -> Result<(), Error> {
        let executor: &dyn Run = match self {
            Executor::Serial => &serial::Serial,
            Executor::Shared => &shared::Shared,
        };
        executor.run(&block::Text(kernel), job)
    }
}
