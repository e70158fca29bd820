//! Sends batches to another process to be mapped. The rows of a batch are sent as a pickle, and its outputs come back
//! as a pickle.
//!
//! Everything else about a block (finding rows, bad rows, writing results) is done by the [`Mapper`](super::Mapper), in
//! the same loop as for batches that it maps itself.

use crate::error::Error;
use crate::kernel::batch::Batch;
use crate::steps::{Step, lap};
use crate::work::check_outputs;
use crate::work::opcodes::is_text;
use crate::work::pickles::{pickle, unpickle, unpickle_untrusted};
use serde::Serialize;

/// The connection of a mapper to the process that maps its batches.
pub struct Remote<'m> {
    /// The largest number of rows in a batch. Each batch is sent as one task.
    pub chunk_size: usize,
    /// Sends a task and waits for the reply to it.
    pub call: Box<Call<'m>>,
}

/// A function that sends the bytes of a task, waits for the reply and returns the reply's bytes.
pub type Call<'m> = dyn FnMut(&[u8]) -> Result<Vec<u8>, Failure> + 'm;

/// Why a block could not be mapped, other than that a row of it is bad.
#[derive(Debug)]
pub enum Failure {
    /// The process behind the [`Remote`] has closed its socket or ended. The executor that started the process knows
    /// how it ended.
    Gone,
    /// Any other reason; the error is complete.
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
    /// Sends these `count` rows to the other process to be mapped. Returns their outputs, one for each row.
    ///
    /// # Errors
    /// If there is no reply, if the other process cannot use the kernel, or if the reply does not have one output for
    /// each row. The reply is checked before it is unpickled, because the process is not trusted.
    pub fn map<O: Batch>(&mut self, rows: &impl Serialize, count: usize) -> Result<O, Failure> {
        let mut task = vec![];
        pickle("rows", rows, &mut task)?;
        lap(Step::Pickle);
        let reply = (self.call)(&task)?;
        if is_text(&reply) {
            return Err(Error::usage(unpickle_untrusted::<String>("words", &reply)?).into());
        }
        let outputs: O = unpickle_untrusted("outputs", &reply)?;
        lap(Step::UnpickleResult);
        if outputs.len() == count {
            Ok(outputs)
        } else {
            Err(Error::workers(format!("a worker has sent {} outputs for {count} rows", outputs.len())).into())
        }
    }
}

/// Returns the reply of a process that cannot use the kernel, for the reason `what`, and 0 as the number of rows.
///
/// # Errors
/// If the reason cannot be pickled.
pub fn refusal(what: &str) -> Result<(Vec<u8>, usize), Error> {
    let mut reply = vec![];
    pickle("words", &what, &mut reply)?;
    Ok((reply, 0))
}

/// Maps the rows of a task by `map`. Called in the other process. Returns the reply and the number of rows.
///
/// # Errors
/// If the task is not a pickle of rows of type `R`, or if the outputs cannot be pickled.
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
