//! The types that reader, workers and writer pass to each other, and the traits at both ends: blocks come from a
//! [`Source`], and results go to a [`Sink`].

use crate::bad_row::BadRow;
use crate::error::{Error, has_become_shorter};
use rustix::fd::OwnedFd;
use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Describes a block that a source has put into a buffer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Byte range of the block's rows in the buffer. The block's head is in front of it.
    pub rows: Range<usize>,
    /// The number of the input that the rows come from, counted from 0.
    pub input: usize,
    /// Byte offset in the input at which the block's rows begin.
    pub offset: u64,
    /// Number of line ends in the input between the end of the previous block (or the start of the input) and the rows
    /// of this block.
    pub lines_before: u64,
    /// A header or a byte order mark, to be printed before the block's results, and before anything that is printed for
    /// `misfit`. Empty if there is neither.
    pub header: Vec<u8>,
    /// Advice to the user, to be printed with the first bad row. Set only in the first block of an input that looks
    /// like a format other than CSV.
    pub disguise: Option<String>,
    /// A bad row that comes before the block's rows in the input, and that the source could not put into a block.
    pub misfit: Option<Box<Misfit>>,
}

/// A bad row that the reader cannot put into a block: one that is longer than a block, or an unusable header.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The bad row with its message.
    pub bad: BadRow,
    /// Byte offset in the input at which the row begins.
    pub offset: u64,
    /// Number of line ends between the end of the previous block (or the start of the input) and the line that the
    /// message names.
    pub lines: u64,
    /// The bytes of the row, as far as the reader has kept them.
    pub bytes: Vec<u8>,
}

/// Why a source has no further block. The writer acts on the ending only after it has written all blocks, so that
/// errors appear in input order.
#[derive(Debug)]
pub enum Ending {
    /// All inputs have been read to their end.
    Done,
    /// The next row or the header of an input cannot be put into a block. This ends the run.
    Misfit {
        /// The number of the input, counted from 0.
        input: usize,
        /// The row or header.
        row: Box<Misfit>,
    },
    /// The run cannot go on: for example, an input cannot be read, or no process reads the output any more.
    Failed(Error),
    /// The bell `stop` of the run's `Job` was rung while the source was waiting for input.
    Stopped,
}

/// A range of a file. The source does not read the rows in it, because the workers read them.
#[derive(Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The number of the input, counted from 0.
    pub input: usize,
    /// Where the stretch lies in the file. A row begins at its start.
    pub range: Range<u64>,
    /// The offset in the file at which the input begins. Offsets in the input count from there.
    pub base: u64,
    /// The head of each block in the stretch.
    pub head: Vec<u8>,
}

/// Produces the blocks of a run. An implementation must define only [`next_block`](Source::next_block). The other
/// methods are for sources that leave parts of a file to workers; their defaults leave nothing.
pub trait Source: Send {
    /// Writes the head and the rows of the next block to the front of `buffer`. The rows should have about `wanted`
    /// bytes in all; a row that is longer makes a block of its own.
    ///
    /// # Errors
    /// If there is no further block; the [`Ending`] says why. The source must not be called again after that.
    fn next_block(&mut self, buffer: &mut [u8], wanted: usize) -> Result<Block, Ending>;

    /// Returns a descriptor of the file that the latest block came from, if workers may read that file themselves. This
    /// is called only once, after the first block.
    fn lend(&mut self) -> Option<OwnedFd> {
        None
    }

    /// Returns the next stretch of the lent file, or `None` if that stretch has fewer than `least` bytes. Workers read
    /// any number of blocks from its front. Then [`go_on_at`](Source::go_on_at) is told how far they have come.
    fn stretch(&mut self, least: u64) -> Option<Stretch> {
        let _ = least;
        None
    }

    /// Makes the next block begin at offset `place` of the file that the source has lent. A row must begin there.
    /// Sources that lend no file need not implement this.
    ///
    /// # Errors
    /// If the source cannot move to this place.
    fn go_on_at(&mut self, place: u64) -> Result<(), Ending> {
        let _ = place;
        Ok(())
    }
}

/// The bytes of a block. They are in memory, or in a file that only a worker has read.
#[derive(Clone, Copy, Debug)]
pub enum Bytes<'a> {
    /// The bytes are in memory: these.
    Here(&'a [u8]),
    /// The bytes are in this file: the offset of the first one, and their number.
    InFile(&'a OwnedFd, u64, usize),
}

impl Default for Bytes<'_> {
    fn default() -> Self {
        Bytes::Here(&[])
    }
}

impl<'a> Bytes<'a> {
    /// Returns the number of bytes.
    pub fn len(&self) -> usize {
        match *self {
            Bytes::Here(bytes) => bytes.len(),
            Bytes::InFile(_, _, length) => length,
        }
    }

    /// Returns the bytes. Reads them again if they are in a file.
    ///
    /// # Errors
    /// If the bytes cannot be read, or the file has become too short to contain them.
    pub fn read(&self) -> io::Result<Cow<'a, [u8]>> {
        match *self {
            Bytes::Here(bytes) => Ok(Cow::Borrowed(bytes)),
            Bytes::InFile(file, offset, length) => {
                let mut bytes = vec![0; length];
                let file = std::fs::File::from(file.try_clone()?);
                file.read_exact_at(&mut bytes, offset).map_err(|error| match error.kind() {
                    io::ErrorKind::UnexpectedEof => has_become_shorter(),
                    _ => error,
                })?;
                Ok(Cow::Owned(bytes))
            }
        }
    }
}

/// What a worker has made of a block, or of the next part of it, as passed to the sink.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part<'a> {
    /// The bytes of the block from the start of this part to the end of the block.
    pub input: Bytes<'a>,
    /// How many of the bytes in `input` belong to this part. The rest belongs to later parts.
    pub consumed: usize,
    /// Number of line ends in the part.
    pub lines: usize,
    /// Number of rows in the part that have results.
    pub rows: usize,
    /// The bytes to write for the part: its results, and what is printed in place of results for bad rows.
    pub results: &'a [u8],
    /// The bad rows of the part, as [`Report`](crate::bad_row::Report)s.
    pub reports: &'a [u8],
    /// The message about the row of this part on which workers keep dying. Empty if there is no such row.
    pub deadly: &'a str,
}

/// Receives results in input order. An implementation must define all methods.
pub trait Sink: Send {
    /// Announces the next block. Its parts follow, by calls of [`write`](Sink::write).
    ///
    /// # Errors
    /// If the header that comes with the block cannot be written, or if the block has a [`Misfit`] that ends the run.
    fn begin(&mut self, block: Block) -> Result<(), Error>;

    /// Takes the results of the next part of the announced block.
    ///
    /// # Errors
    /// If the results cannot be written, or if a reported bad row ends the run.
    fn write(&mut self, part: Part) -> Result<(), Error>;

    /// Takes the source's ending. It is called after all blocks have been written.
    ///
    /// # Errors
    /// If `ending` is [`Ending::Failed`] or [`Ending::Misfit`].
    fn end(&mut self, ending: Ending) -> Result<(), Error>;

    /// Makes the error for a block that the supervisor has given up, because workers kept dying over it. `rest` holds
    /// the bytes of the block that have no results, and `what` is the reason.
    fn given_up(&mut self, rest: Bytes, what: String) -> Error;
}
