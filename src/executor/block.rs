//! A kernel over bytes: what an executor sees of it.

use crate::error::Error;
use crate::ring::Outcome;
use crate::steps::{Step, lap};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

/// Rows that are read, mapped and written together: rows and outputs stay in the first-level cache.
pub(super) const BATCH: usize = 512;

/// A kernel, whatever its types, that can be mapped over blocks of bytes.
pub trait MapBlocks: Sync {
    /// Which of the program's mappings it is, in the order in which they were made: a worker process makes them all
    /// again, and works for this one.
    fn number(&self) -> u32;
    /// What one worker of a ring, or the serial loop, keeps from block to block.
    fn mapper(&self) -> Box<dyn MapBlock + '_>;
    /// What one side of a pool with pickles keeps from task to task.
    fn pickler(&self) -> Box<dyn MapPickles + '_>;
}

/// A kernel in the hands of one who shares memory.
pub trait MapBlock {
    /// Maps the rows of a block, or as many as have room for their results. `head` is what the source has put before
    /// them.
    fn map_block(&mut self, head: &[u8], input: &[u8], room: &mut [u8]) -> Outcome;
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

    /// In the parent: unpickles the list of outputs of the rows at the front of `block`, and appends their results, of
    /// which each must fit into `room`, and what is to be said of `bad`, the row after them.
    ///
    /// # Errors
    /// When these bytes are no such list.
    fn unpickle_outputs(
        &mut self,
        reply: &[u8],
        block: &[u8],
        bad: Option<BadRow>,
        room: &mut [u8],
        results: &mut Vec<u8>,
        reports: &mut Vec<u8>,
    ) -> Result<(), Error>;
}

/// How far rows were read.
#[derive(Debug, Default)]
pub struct Read {
    /// Bytes of the rows that were read.
    pub bytes: usize,
    /// The row after them, if it is bad.
    pub bad: Option<BadRow>,
}

/// A bad row in a text.
#[derive(Debug)]
pub struct BadRow {
    /// Where it lies, without its line end.
    pub row: Range<usize>,
    /// Where the next one begins.
    pub end: usize,
    /// The place whose line is to be named.
    pub place: usize,
    /// The number of the field at fault; 0 for none.
    pub field: usize,
    /// What is wrong.
    pub what: String,
    /// Whether it is a row that can be printed again, and not one without an end.
    pub is_closed: bool,
}

static MAPPINGS: AtomicU32 = AtomicU32::new(0);

/// The next mapping's number.
pub(super) fn next_number() -> u32 {
    MAPPINGS.fetch_add(1, Ordering::Relaxed)
}

/// The end of step 6, once a kernel has given its outputs.
///
/// # Panics
/// When it has not given one for each row.
pub(super) fn check_outputs(outputs: usize, rows: usize) {
    assert_eq!(outputs, rows, "the kernel has not one output for each row");
    lap(Step::Run);
}
