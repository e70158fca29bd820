//! The child's side: this program again, with the segment as its standard input.

use crate::error::{Error, say};
use crate::event::FutexEvent;
use crate::executor::block::{MapBlock, MapBlocks, Text};
use crate::kernel::Kernel;
use crate::segment::Segment;
use rustix::fd::AsFd;
use rustix::process::Signal;
use std::process::ExitCode;

/// What tells a process that it is a worker: its number and its parent's, as `WORKER/PID`.
pub(super) const MARK: &str = "PMAPGCD_WORKER";

/// Turns this process into a worker if that is what it was started as, and answers with the status to end with.
/// Call it as early as the kernel is known: all that comes before runs in each worker too.
pub fn reenter<K: Kernel>(kernel: &K) -> Option<ExitCode> {
    let mark = std::env::var_os(MARK)?;
    Some(match join(&mark.to_string_lossy(), &Text(kernel)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error);
            ExitCode::from(error.exit_status())
        }
    })
}

fn join(mark: &str, kernel: &dyn MapBlocks) -> Result<(), Error> {
    let (worker, parent) = mark
        .split_once('/')
        .and_then(|(worker, parent)| Some((worker.parse().ok()?, parent.parse::<u32>().ok()?)))
        .ok_or_else(not_for_you)?;
    let _ = rustix::thread::set_name(c"pmapgcd-worker");
    // The signal comes only if the parent dies from here on, so see that it has not yet.
    let bound = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    bound.map_err(|error| Error::workers(format!("a worker cannot be bound to its parent's life: {error}")))?;
    if rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get() as u32) != Some(parent) {
        return Err(not_for_you());
    }
    let descriptor = std::io::stdin().as_fd().try_clone_to_owned();
    let descriptor = descriptor.map_err(|error| Error::io("stdin", error))?;
    let segment = Segment::attach(descriptor).map_err(|error| Error::usage(error.to_string()))?;
    let mut mapper = kernel.mapper();
    segment.ring().report_up();
    work(&segment, worker, &mut *mapper)
}

fn not_for_you() -> Error {
    Error::usage(format!("the environment variable {MARK} is for worker processes only; unset it"))
}

/// Claims blocks and computes them, until the parent ends this process.
fn work(segment: &Segment, worker: u32, mapper: &mut dyn MapBlock) -> ! {
    let ring = segment.ring();
    let filled = FutexEvent(&ring.control().filled.0);
    let done = FutexEvent(&ring.control().done.0);
    loop {
        let Some(mut claim) = ring.try_claim(worker) else {
            filled.sleep();
            continue;
        };
        // One signal may stand for several blocks: whoever got it passes it on.
        if ring.has_filled() {
            filled.signal();
        }
        let (input, room) = segment.work(&mut claim);
        let outcome = mapper.map_block(input, room);
        ring.finish(claim, outcome);
        done.signal();
    }
}
