//! The same rows without shared memory: pickled, sent and unpickled, as `ProcessPoolExecutor` does it. Only the `pickle`
//! executor asks for this.

use crate::bad_row::BadRow;
use crate::error::Error;
use crate::work::Read;

/// A kernel whose rows and outputs can be pickled.
pub trait Pickling: Sync {
    /// What one side of a pool keeps from task to task.
    fn pickler(&self) -> Box<dyn Pickler + '_>;
}

/// One side's part of a [`Pickling`].
pub trait Pickler {
    /// In the parent: pickles at most `limit` rows from the front of a block as a list; answers with how
    /// far they reach.
    ///
    /// # Errors
    /// When the rows have a type that cannot be pickled.
    fn pickle_rows(&mut self, head: &[u8], block: &[u8], limit: usize, task: &mut Vec<u8>) -> Result<Read, Error>;

    /// In the worker: unpickles a list of rows, maps it, and pickles the outputs as a list. Answers how many rows
    /// there were.
    ///
    /// # Errors
    /// When these bytes are no such list.
    fn map_pickles(&mut self, task: &[u8], reply: &mut Vec<u8>) -> Result<usize, Error>;

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

/// Rows that a worker was sent.
pub struct Task {
    /// Part of a block.
    pub text: Vec<u8>,
    /// How many rows there are at its front.
    pub rows: usize,
    /// What is wrong with the row after them, if there is one.
    pub bad: Option<BadRow>,
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
