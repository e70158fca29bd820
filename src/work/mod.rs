//! What maps bytes to bytes. An executor knows a [`Work`], and nothing of the kernel that the work is made of. A work knows blocks,
//! and nothing of the executor that asks it to map them.

mod decoder;
mod opcodes;
mod outputs;
pub mod pickles;
pub mod records;
pub mod remote;
mod settings;
pub mod text;

use crate::error::Error;
use crate::ring::Care;
use crate::steps::{Step, lap};
use remote::{Failure, Remote};
use std::time::{Duration, Instant};

/// How many rows are read, mapped and written together. Few enough that rows and outputs stay in the first-level cache.
pub(super) const BATCH: usize = 512;

/// How long a worker with care works on a part of a block before it hands over what is done, unless one row takes longer. Then a
/// worker that dies, or takes too long, does so over few rows, and the rows before them are out of danger.
const CAREFUL_PART: Duration = Duration::from_millis(1);

/// How much of a block is done before it is handed over.
pub(super) struct Pace(Option<Instant>);

impl Pace {
    /// Begins a part now. Without care it may take any time.
    pub fn with(care: Care) -> Self {
        Pace(care.is_needed().then(Instant::now))
    }

    /// Whether the part is to be handed over before another row is begun.
    pub fn is_enough(&self) -> bool {
        self.0.is_some_and(|start| start.elapsed() >= CAREFUL_PART)
    }
}

/// A kernel over blocks of bytes, whatever the types of its rows and outputs. Both methods must be written.
pub trait Work: Sync {
    /// What one worker keeps from block to block. The kernel runs where the mapper is, or in `remote`, if there is one.
    fn mapper<'m>(&'m self, remote: Option<Remote<'m>>) -> Box<dyn Mapper + 'm>;

    /// In the process that is the [`Remote`] of a mapper: maps the rows of a task. Answers with the reply, and with how many rows
    /// there were.
    ///
    /// # Errors
    /// When the task is none that a mapper of this work sends.
    fn map_task(&self, task: &[u8]) -> Result<(Vec<u8>, usize), Error>;
}

/// What became of a block, or of the first part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mapped {
    /// Bytes of input dealt with. Fewer than the block has: the rest is still to be done.
    pub consumed: usize,
    /// Line ends among these.
    pub lines: usize,
    /// Rows among these that have results.
    pub rows: usize,
    /// Bytes of results, from the start of the room.
    pub results: usize,
    /// Bytes of reports of bad rows, which follow the results.
    pub reports: usize,
}

/// One worker's part of a [`Work`].
pub trait Mapper {
    /// Maps the rows of a block from the first on, as many as have room for their results. Where a worker has died over them, `care`
    /// says so. `head` is what the source has put before the rows.
    ///
    /// # Errors
    /// When the rows could not be mapped, for a reason that lies not in them. The mapper is not asked again.
    fn map_block(&mut self, head: &[u8], input: &[u8], room: &mut [u8], care: Care) -> Result<Mapped, Failure>;
}

/// What is said of a row that no worker is to touch again.
pub(super) const DEADLY: &str = "workers keep dying on this row";

/// Checks what a kernel has given, and ends the step of running it.
///
/// # Panics
/// When it has not given one for each row.
pub(super) fn check_outputs(outputs: usize, rows: usize) {
    assert_eq!(outputs, rows, "the kernel has not one output for each row");
    lap(Step::Run);
}
