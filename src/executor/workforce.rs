//! Workers that outlive a run: what a pool keeps from one run to the next.

use crate::error::Error;
use crate::executor::{Execute, Executor, Job, Mapping};
use crate::process::children::Children;

/// The workers of one executor, and what they share. Each worker is started when a run first has work for it, and lives until this
/// value is dropped or the process ends, whichever threads the runs are in.
pub struct Workforce {
    executor: Executor,
    jobs: usize,
    process: u32,
    workers: Box<dyn Execute>,
}

impl Workforce {
    /// Up to `jobs` workers. None of them is started yet.
    pub fn new(executor: Executor, jobs: usize) -> Self {
        let workers = executor.with(Children::new());
        Workforce { executor, jobs, process: std::process::id(), workers }
    }

    /// Whether this is a workforce of that executor for so many workers. Never in a fork of the process that has started them: both
    /// processes would put blocks into the same slots.
    pub fn is(&self, executor: Executor, jobs: usize) -> bool {
        (self.executor, self.jobs, self.process) == (executor, jobs, std::process::id())
    }

    /// Does a job. All jobs of a workforce have the same mapping, and blocks of the same sizes.
    ///
    /// # Errors
    /// The first thing that went wrong. After an error or a panic there must be no other run: workers may still be busy with blocks
    /// of this one.
    pub fn run(&mut self, mapping: &Mapping, job: Job) -> Result<(), Error> {
        self.workers.run(mapping, Job { jobs: self.jobs, ..job })
    }
}
