//! Input to blocks, and results to output, in order.

pub mod memory;
pub mod reader;
pub mod writer;

use crate::error::Error;

/// A block, in the buffer that was given for it.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// How many bytes it has.
    pub length: usize,
    /// Which of the inputs it comes from, counted from 0.
    pub input: usize,
}

/// Why there is no further block. What it names comes after all the blocks before.
#[derive(Debug)]
pub enum Ending {
    /// All inputs are read.
    Done,
    /// The next row of this input does not fit into a block.
    RowTooLong {
        /// Which of the inputs.
        input: usize,
    },
    /// An input cannot be read, or the output has gone.
    Failed(Error),
    /// The run was stopped from outside.
    Stopped,
}

/// What blocks come from.
pub trait Source: Send {
    /// Fills the front of `buffer` with the next block.
    ///
    /// # Errors
    /// When there is none, with the reason; it is not asked again after that.
    fn next_block(&mut self, buffer: &mut [u8]) -> Result<Block, Ending>;
}

/// What results go to, in input order.
pub trait Sink: Send {
    /// Takes the results of the next block, or of part of it, which comes from `input` and had so many lines.
    ///
    /// # Errors
    /// When they cannot be written, or there is a report of the row after those lines.
    fn write(&mut self, input: usize, lines: usize, results: &[u8], report: &[u8]) -> Result<(), Error>;

    /// What the ending of the input means for the run, once all blocks before it are written.
    ///
    /// # Errors
    /// Unless all was well.
    fn end(&mut self, ending: Ending) -> Result<(), Error>;

    /// The error for a block of `input` that was given up, whose bytes are these.
    fn given_up(&mut self, input: usize, block: &[u8], what: String) -> Error;
}
