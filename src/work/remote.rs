//! Batches that another process maps: the rows are pickled and sent to it, and the outputs come back as pickles.
//!
//! Everything else about a block (finding rows, bad rows, printing results) is done where the [`Mapper`](super::Mapper) is,
//! in the same loop as for batches that are mapped there.

use crate::error::Error;
use crate::kernel::batch::Batch;
use crate::steps::{Step, lap};
use crate::work::check_outputs;
use crate::work::pickles::{pickle, unpickle, unpickle_untrusted};
use serde::Serialize;

/// The process that maps batches for a mapper.
pub struct Remote<'m> {
    /// The most rows that a batch, which is one task, may have.
    pub chunk_size: usize,
    /// Sends a task and waits for the reply to it.
    pub call: Box<Call<'m>>,
}

/// What sends a task as bytes and answers with the bytes of the reply.
pub type Call<'m> = dyn FnMut(&[u8]) -> Result<Vec<u8>, Failure> + 'm;

/// Why a block could not be mapped. Its rows are not to blame.
#[derive(Debug)]
pub enum Failure {
    /// The process that was to map it has gone. Whoever started that process knows how it ended.
    Gone,
    /// Something else, which the error says in full.
    Failed(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Failed(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Gone => Error::workers("the process that was to map the rows has gone"),
            Failure::Failed(error) => error,
        }
    }
}

impl Remote<'_> {
    /// Has these rows mapped, so many of them. Answers with their outputs, one for each.
    ///
    /// # Errors
    /// When there is no reply, or it is not one to these rows. The reply is not trusted.
    pub fn map<O: Batch>(&mut self, rows: &impl Serialize, count: usize) -> Result<O, Failure> {
        let mut task = vec![];
        pickle("rows", rows, &mut task)?;
        lap(Step::Pickle);
        let reply = (self.call)(&task)?;
        let outputs: O = unpickle_untrusted("outputs", &reply)?;
        lap(Step::UnpickleResult);
        if outputs.len() == count {
            Ok(outputs)
        } else {
            Err(Error::workers(format!("a worker has sent {} outputs for {count} rows", outputs.len())).into())
        }
    }
}

/// In the other process: maps the rows of a task by `map`, and answers with the reply and how many rows there were.
///
/// # Errors
/// When the task is no pickle of such rows, or their outputs cannot be pickled.
pub fn reply<R: Batch, O: Batch>(task: &[u8], map: impl FnOnce(&R, &mut O)) -> Result<(Vec<u8>, usize), Error> {
    let rows: R = unpickle("rows", task)?;
    lap(Step::Unpickle);
    let mut outputs = O::default();
    map(&rows, &mut outputs);
    check_outputs(outputs.len(), rows.len());
    let mut reply = vec![];
    pickle("outputs", &outputs, &mut reply)?;
    lap(Step::PickleResult);
    Ok((reply, rows.len()))
}
