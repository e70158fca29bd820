//! What maps bytes to bytes. An executor knows a [`Work`] and nothing of the kernel that it is made of; a work knows blocks
//! and nothing of who asks it to map them.

mod opcodes;
mod outputs;
pub mod pickles;
pub mod pickling;
pub mod records;
pub mod text;

use crate::bad_row::BadRow;
use crate::ring::Care;
use crate::steps::{Step, lap};
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

/// What maps bytes to bytes: a kernel over blocks, whatever its types.
pub trait Work: Sync {
    /// What one worker keeps from block to block.
    fn mapper(&self) -> Box<dyn Mapper + '_>;
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

/// One worker's part of a [`Work`].
pub trait Mapper {
    /// Maps the rows of a block, or as many as have room for their results, with care where workers have died. `head` is
    /// what the source has put before them.
    fn map_block(&mut self, head: &[u8], input: &[u8], room: &mut [u8], care: Care) -> Mapped;
}

/// How far rows were read.
#[derive(Debug, Default)]
pub struct Read {
    /// How many rows.
    pub rows: usize,
    /// Where the next one begins.
    pub end: usize,
    /// What is wrong with that one, if it is bad.
    pub bad: Option<BadRow>,
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
