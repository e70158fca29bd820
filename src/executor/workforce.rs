//! Workers that outlive a run: what a pool keeps from one run to the next.

use crate::error::Error;
use crate::executor::{Execute, Executor, Job, Mapping};
use crate::process::children::Children;

/// The workers of one executor, each of them started when a run first has work for it, and what they share. They end when
/// this is dropped, with the process that has it, and no sooner: whichever threads the runs are in.
pub struct Workforce {
    executor: Executor,
    jobs: usize,
    process: u32,
    workers: Box<dyn Execute>,
}

impl Workforce {
    /// Up to so many workers, none of them started.
    pub fn new(executor: Executor, jobs: usize) -> Self {
        let workers = executor.with(Children::lasting());
        Workforce { executor, jobs, process: std::process::id(), workers }
    }

    /// Whether this is one of that executor, for so many workers. In a fork of the process that has started them it is none:
    /// both would put blocks into the same slots.
    pub fn is(&self, executor: Executor, jobs: usize) -> bool {
        (self.executor, self.jobs, self.process) == (executor, jobs, std::process::id())
    }

    /// Does one job after another: all with the same mapping and with blocks of the same sizes.
    ///
    /// # Errors
    /// The first thing that went wrong. Then, or if it panics, there is to be no other run: workers may be in the middle of
    /// what nobody asks for any more.
    pub fn run(&mut self, mapping: &Mapping, job: Job) -> Result<(), Error> {
        self.workers.run(mapping, Job { jobs: self.jobs, ..job })
    }
}
