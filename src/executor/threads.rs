//! Worker threads on a ring in this process's own memory.
//!
//! As fast as can be, and all in one: a kernel that crashes takes the whole program with it.

use crate::error::Error;
use crate::event::FutexEvent;
use crate::executor::run::{Crew, EndOnPanic, Run, run, slots};
use crate::executor::{Execute, Job, MapBlocks, worker};
use crate::segment::Segment;
use rustix::event::{PollFd, PollFlags, poll};
use std::thread;

pub struct Threads;

impl Execute for Threads {
    fn run(&self, kernel: &dyn MapBlocks, job: Job) -> Result<(), Error> {
        let segment = Segment::private(slots(&job), job.sizes);
        let segment = segment.map_err(|error| Error::usage(error.to_string()))?;
        run(&segment, self, kernel, job)
    }
}

impl Crew for Threads {
    fn supervise(&self, run: &Run, kernel: &dyn MapBlocks) -> Result<(), Error> {
        let ring = run.segment.ring();
        thread::scope(|scope| {
            let mut workers = vec![];
            while !run.is_over() {
                while workers.len() < run.wanted() {
                    let number = workers.len() as u32;
                    let work = move || {
                        // A kernel that panics takes the program with it, and must not leave it waiting for the block.
                        let _panic = EndOnPanic(run);
                        worker::work(run.segment, number, &mut *kernel.mapper(), || true);
                    };
                    let name = format!("worker {number}");
                    match thread::Builder::new().name(name).spawn_scoped(scope, work) {
                        Ok(worker) => {
                            workers.push(worker);
                            run.tally.workers.set(workers.len() as u64);
                        }
                        Err(error) => {
                            ring.close();
                            FutexEvent(&ring.control().filled.0).signal();
                            return Err(Error::io("cannot start a worker", error));
                        }
                    }
                }
                let mut fds = [PollFd::new(&run.bell, PollFlags::IN)];
                let _ = poll(&mut fds, None);
                let _ = rustix::io::read(&run.bell, &mut [0; 8]);
            }
            ring.close();
            FutexEvent(&ring.control().filled.0).signal();
            Ok(())
        })
    }
}
