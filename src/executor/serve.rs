//! The worker's side of the `pickle` executor.

use crate::error::Error;
use crate::executor::frame::{FAREWELL, HEADER, seal, send, split_frame};
use crate::steps::{self, STEPS, Step, lap};
use crate::work::pickling::Pickler;
use rustix::fd::OwnedFd;

/// Maps every task that comes until there are no more.
///
/// # Errors
/// When a task is not what the parent sends.
pub fn serve(socket: OwnedFd, pickler: &mut dyn Pickler) -> Result<(), Error> {
    lap(Step::Import);
    let mut partial = vec![];
    let mut buffer = vec![0; 1 << 16];
    let mut reply = vec![];
    loop {
        while let Some((number, task)) = split_frame(&mut partial) {
            lap(Step::Send);
            reply.clear();
            reply.resize(HEADER, 0);
            pickler.map_pickles(&task, &mut reply)?;
            seal(&mut reply, number)?;
            if send(&socket, &reply).is_err() {
                return Ok(());
            }
            lap(Step::Receive);
        }
        match rustix::io::retry_on_intr(|| rustix::io::read(&socket, &mut buffer)) {
            Ok(count) if count > 0 => partial.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    lap(Step::Send);
    if steps::is_timing() {
        let mut farewell = vec![0; HEADER];
        farewell.extend(steps::take().map(u64::to_le_bytes).as_flattened());
        debug_assert_eq!(farewell.len(), HEADER + 8 * STEPS);
        seal(&mut farewell, FAREWELL)?;
        let _ = send(&socket, &farewell);
    }
    Ok(())
}
