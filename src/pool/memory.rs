//! The source and the sink of a pool: records in memory. There are no lines and no files here.

use crate::error::{Error, printable};
use crate::flow::{Block, Bytes, Ending, Part, Sink, Source};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// A source that cuts records in memory into blocks of whole records.
pub struct Records<'a> {
    /// The records that are not in a block yet.
    pub bytes: &'a [u8],
    /// The size of a record in bytes.
    pub size: usize,
    /// The largest number of records in a block.
    pub block_rows: usize,
}

impl Source for Records<'_> {
    fn next_block(&mut self, buffer: &mut [u8], wanted: usize) -> Result<Block, Ending> {
        if self.bytes.is_empty() {
            return Err(Ending::Done);
        }
        let rows = self.block_rows.min((wanted / self.size).max(1)).min(buffer.len() / self.size);
        let end = self.bytes.len().min(rows * self.size);
        let (block, rest) = self.bytes.split_at(end);
        buffer[..end].copy_from_slice(block);
        self.bytes = rest;
        Ok(Block { rows: 0..end, ..Block::default() })
    }
}

/// A sink that collects the outputs in input order, as the bytes that they have in memory.
#[derive(Default)]
pub struct Outputs(pub Vec<u8>);

impl Sink for Outputs {
    fn begin(&mut self, _: Block) -> Result<(), Error> {
        Ok(())
    }

    fn write(&mut self, part: Part) -> Result<(), Error> {
        self.0.extend_from_slice(part.results);
        match part.reports {
            [] => Ok(()),
            // Any bytes are a valid record, so a record is bad only if workers keep dying on it. Then `part.deadly` is
            // the message. Other reports are texts that say why the run ends.
            _ if !part.deadly.is_empty() => Err(Error::workers(part.deadly)),
            reports => Err(Error::workers(printable(OsStr::from_bytes(reports)))),
        }
    }

    fn end(&mut self, ending: Ending) -> Result<(), Error> {
        match ending {
            Ending::Failed(error) => Err(error),
            _ => Ok(()),
        }
    }

    fn given_up(&mut self, _: Bytes, what: String) -> Error {
        Error::workers(what)
    }
}
