//! Messages to the writer. The reader announces each block to the writer, in input order, before it publishes the
//! block. The announcement has what the writer must know of the block and cannot find in the slot. The supervisor tells
//! the writer about blocks that could not be mapped.

use crate::error::Error;
use crate::flow::{Block, Ending, Stretch};
use crate::ring::Place;

/// What the reader announces to the writer.
pub enum Told {
    /// A block whose rows are in its slot.
    Block(Block),
    /// From here on blocks are windows of the file. The rows of the first window begin at this offset of the file.
    Stretch(u64),
    /// A block that is a window.
    Window(Window),
    /// The reader goes on at this offset of the file. If the rows of the windows before it do not end at this offset, a
    /// worker has reported a wrong place.
    GoOn(u64),
    /// There is no further block.
    End(Ending),
}

/// A window that was published.
pub struct Window {
    input: usize,
    base: u64,
    offset: u64,
    length: usize,
}

impl Window {
    /// Describes the window of `length` bytes at the offset `offset` of the file in which `stretch` lies.
    pub fn new(stretch: &Stretch, offset: u64, length: usize) -> Self {
        Window { input: stretch.input, base: stretch.base, offset, length }
    }

    /// Where the window lies.
    pub fn place(&self) -> Place {
        Place::File { offset: self.offset, length: self.length }
    }

    /// Describes the block whose rows begin at the offset `start` of the file.
    pub fn block(&self, start: u64) -> Block {
        Block { input: self.input, offset: start.saturating_sub(self.base), ..Block::default() }
    }
}

/// The supervisor's decision on a block that could not be mapped, and the message about it.
#[derive(Debug)]
pub enum Sentence {
    /// A row of the block is blamed, and no worker will touch that row again. The string is the message about the row.
    WithoutRow(String),
    /// The rest of the block is given up: the run ends before these rows. The error is this message, to which the
    /// writer adds the numbers of their lines.
    GivenUp(String),
    /// The rest of the block is given up, and the run ends with this error, to which no line numbers are added. The
    /// writer takes the error out of the option.
    Ends(Option<Error>),
}
