//! What reader, workers and writer hand to each other, and the two ends of that: where blocks come from ([`Source`]), and where
//! results go ([`Sink`]).

use crate::bad_row::BadRow;
use crate::error::Error;
use std::ops::Range;

/// A block, in the buffer that was given for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Where its rows lie in the buffer, after its head.
    pub rows: Range<usize>,
    /// Which of the inputs it comes from, counted from 0.
    pub input: usize,
    /// Where in the input its rows begin, in bytes.
    pub offset: u64,
    /// Line ends between the block before, or the start of the input, and its rows.
    pub lines_before: u64,
    /// What is printed before its results, and before what becomes of a row that is too long: a header, a byte order mark.
    pub header: Vec<u8>,
    /// In the first block of an input that looks like another format than CSV: advice, to be given with the first bad row.
    pub disguise: Option<String>,
    /// A bad row before the block's rows that could not be handed on.
    pub misfit: Option<Box<Misfit>>,
}

/// A bad row that the reader cannot hand on: one that is longer than a block, or a header that does not do.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit {
    /// What is wrong with it.
    pub bad: BadRow,
    /// Where in the input it begins, in bytes.
    pub offset: u64,
    /// Line ends between the block before and the place to be named.
    pub lines: u64,
    /// As much of it as there is.
    pub bytes: Vec<u8>,
}

/// Why there is no further block. Whatever it names comes after all blocks before, so it is said when these are written.
#[derive(Debug)]
pub enum Ending {
    /// All inputs are read.
    Done,
    /// The next row of this input, or its header, cannot be handed on, and ends the run.
    Misfit {
        /// Which of the inputs.
        input: usize,
        /// The row.
        row: Box<Misfit>,
    },
    /// An input cannot be read, or the output has gone.
    Failed(Error),
    /// The run was stopped from outside.
    Stopped,
}

/// Where blocks come from. Its one method must be written.
pub trait Source: Send {
    /// Fills the front of `buffer` with the head and the rows of the next block: rows of about `wanted` bytes, or one row where that is
    /// longer.
    ///
    /// # Errors
    /// When there is no further block, with the reason. The source is not asked again after that.
    fn next_block(&mut self, buffer: &mut [u8], wanted: usize) -> Result<Block, Ending>;
}

/// What became of a block, or of the next part of it, for the sink.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part<'a> {
    /// The bytes of the block from this part on, to the block's end.
    pub input: &'a [u8],
    /// How many of these bytes the part has dealt with.
    pub consumed: usize,
    /// Line ends among these.
    pub lines: usize,
    /// Rows among these that have results.
    pub rows: usize,
    /// Their results.
    pub results: &'a [u8],
    /// The bad rows among them, as [`Report`](crate::bad_row::Report)s.
    pub reports: &'a [u8],
    /// What is said of the row among these that workers keep dying on, if there is one.
    pub deadly: &'a str,
}

/// Where results go, in input order. All methods must be written.
pub trait Sink: Send {
    /// Takes note of the next block. Its parts follow.
    ///
    /// # Errors
    /// When what comes before its rows cannot be written, or ends the run.
    fn begin(&mut self, block: Block) -> Result<(), Error>;

    /// Takes the next part of the block.
    ///
    /// # Errors
    /// When its results cannot be written, or a report ends the run.
    fn write(&mut self, part: Part) -> Result<(), Error>;

    /// Takes the ending of the input, once all blocks before it are written.
    ///
    /// # Errors
    /// What the ending says went wrong, if anything.
    fn end(&mut self, ending: Ending) -> Result<(), Error>;

    /// The error for a block that was given up. `rest` is what is left of its bytes.
    fn given_up(&mut self, rest: &[u8], what: String) -> Error;
}
