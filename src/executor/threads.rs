//! Worker threads on a ring in this process's own memory.
//!
//! As fast as can be, and all in one: a kernel that crashes takes the whole program with it.

use crate::error::{Error, reason};
use crate::executor::run::{Crew, EndOnPanic, Run, run, slots};
use crate::executor::{Execute, Job, Mapping, no_segment, worker};
use crate::process::console::say;
use crate::ring::{ROUND, Segment, Supervisor};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::thread;

pub struct Threads;

impl Execute for Threads {
    fn run(&mut self, mapping: &Mapping, job: Job) -> Result<(), Error> {
        let segment = Segment::private(slots(&job), job.sizes);
        run(&mut segment.map_err(no_segment)?, 0, self, mapping, job)?;
        Ok(())
    }
}

impl Crew for Threads {
    fn supervise(&mut self, run: &Run, ring: Supervisor, mapping: &Mapping) -> Result<(), Error> {
        thread::scope(|scope| {
            let mut workers = vec![];
            let mut limit = usize::MAX;
            while !run.is_over() {
                while workers.len() < limit.min(run.wanted()) {
                    let number = workers.len() as u32;
                    let work = move || {
                        // A kernel that panics takes the program with it, and must not leave it waiting for the block.
                        let _panic = EndOnPanic(run);
                        worker::work(run.segment, number, &mut *mapping.work.mapper(), || true);
                    };
                    let name = format!("worker {number}");
                    match thread::Builder::new().name(name).spawn_scoped(scope, work) {
                        Ok(worker) => {
                            workers.push(worker);
                            run.tally.workers.set(workers.len() as u64);
                        }
                        Err(error) if !workers.is_empty() => {
                            limit = workers.len();
                            let refused = reason(&error);
                            say(&format_args!("cannot start worker {number}: {refused}; going on with {number}"));
                        }
                        Err(error) => {
                            ring.close();
                            run.segment.filled().signal();
                            return Err(Error::io("cannot start a worker", error));
                        }
                    }
                }
                let mut fds = [PollFd::new(&run.bell, PollFlags::IN)];
                let most = Timespec::try_from(ROUND).ok();
                let _ = poll(&mut fds, most.as_ref());
                let _ = rustix::io::read(&run.bell, &mut [0; 8]);
            }
            ring.close();
            run.segment.filled().signal();
            Ok(())
        })
    }
}
