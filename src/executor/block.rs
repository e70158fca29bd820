//! A kernel over bytes: what an executor sees of it.

use crate::error::Error;
use crate::ring::Care;
use crate::sandbox::Confinement;
use crate::steps::{Step, lap};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Rows that are read, mapped and written together: rows and outputs stay in the first-level cache.
pub(super) const BATCH: usize = 512;

/// With care so much time goes into a part of a block, or one row: whether workers die of a row, or take too long for it,
/// is then a matter of that row, and those before it are out of danger.
const CAREFUL_PART: Duration = Duration::from_millis(1);

/// How much of a block is done at a time.
pub(super) struct Pace(Option<Instant>);

impl Pace {
    /// From now on; without care there is no end to it.
    pub fn with(care: Care) -> Self {
        Pace(care.is_needed().then(Instant::now))
    }

    /// Whether what is done by now is to be handed over before another row is begun.
    pub fn is_enough(&self) -> bool {
        self.0.is_some_and(|start| start.elapsed() >= CAREFUL_PART)
    }
}

/// A kernel, whatever its types, that can be mapped over blocks of bytes.
pub trait MapBlocks: Sync {
    /// Which of the program's mappings it is, in the order in which they were made: a worker process makes them all
    /// again, and works for this one.
    fn number(&self) -> u32;
    /// How a worker process of its own is confined.
    fn confinement(&self) -> Confinement;
    /// What one worker of a ring, or the serial loop, keeps from block to block.
    fn mapper(&self) -> Box<dyn MapBlock + '_>;
    /// What one side of a pool with pickles keeps from task to task.
    fn pickler(&self) -> Box<dyn MapPickles + '_>;
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
    /// Bytes of what there is to report about bad rows, which follow the results.
    pub reports: usize,
}

/// A kernel in the hands of one who shares memory.
pub trait MapBlock {
    /// Maps the rows of a block, or as many as have room for their results, with care where workers have died. `head` is
    /// what the source has put before them.
    fn map_block(&mut self, head: &[u8], input: &[u8], room: &mut [u8], care: Care) -> Mapped;
}

/// A kernel in the hands of those who share no memory, and so pickle rows and outputs.
pub trait MapPickles {
    /// In the parent: pickles at most `limit` rows from the front of a block as a list; answers with how
    /// far they reach.
    ///
    /// # Errors
    /// When the rows have a type that cannot be pickled.
    fn pickle_rows(&mut self, head: &[u8], block: &[u8], limit: usize, task: &mut Vec<u8>) -> Result<Read, Error>;

    /// In the worker: unpickles a list of rows, maps it, and pickles the outputs as a list.
    ///
    /// # Errors
    /// When these bytes are no such list.
    fn map_pickles(&mut self, task: &[u8], reply: &mut Vec<u8>) -> Result<(), Error>;

    /// In the parent: unpickles the list of outputs of the task's rows, and appends their results, of which each must fit
    /// into `room`, and the reports of bad rows.
    ///
    /// # Errors
    /// When these bytes are no such list.
    fn unpickle_outputs(
        &mut self,
        reply: &[u8],
        task: &mut Task,
        room: &mut [u8],
        results: &mut Vec<u8>,
        reports: &mut Vec<u8>,
    ) -> Result<(), Error>;
}

/// How far rows were read.
#[derive(Debug, Default)]
pub struct Read {
    /// How many rows.
    pub rows: usize,
    /// Where the next one begins.
    pub end: usize,
    /// What is wrong with that one, if it is bad.
    pub fault: Option<Fault>,
}

/// Rows that a worker was sent.
pub struct Task {
    /// Part of a block.
    pub text: Vec<u8>,
    /// How many rows there are at its front.
    pub rows: usize,
    /// What is wrong with the row after them, if there is one.
    pub fault: Option<Fault>,
}

/// A bad row in a block.
#[derive(Debug)]
pub struct Fault {
    /// Where it lies, without its line end.
    pub row: Range<usize>,
    /// Where the next one begins.
    pub end: usize,
    /// The place whose line is to be named.
    pub place: usize,
    /// The number of the field at fault, if it is one.
    pub field: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// Whether it is a row that can be printed again, and not one without an end.
    pub is_closed: bool,
    /// Whether workers die of it.
    pub is_deadly: bool,
}

static MAPPINGS: AtomicU32 = AtomicU32::new(0);

/// The next mapping's number.
pub(super) fn next_number() -> u32 {
    MAPPINGS.fetch_add(1, Ordering::Relaxed)
}

/// What is said of a row that no worker is to touch again.
pub(super) const DEADLY: &str = "workers keep dying on this row";

/// The end of step 6, once a kernel has given its outputs.
///
/// # Panics
/// When it has not given one for each row.
pub(super) fn check_outputs(outputs: usize, rows: usize) {
    assert_eq!(outputs, rows, "the kernel has not one output for each row");
    lap(Step::Run);
}

/// Refuses a reply that is not one to what was asked.
///
/// # Errors
/// When it has not one output for each row.
pub(super) fn check_reply(outputs: usize, rows: usize) -> Result<(), Error> {
    if outputs == rows {
        Ok(())
    } else {
        Err(Error::workers(format!("a worker has sent {outputs} outputs for {rows} rows")))
    }
}
