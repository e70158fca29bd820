//! Workers that a pool keeps from one run to the next.

use crate::error::Error;
use crate::executor::{Execute, Executor, Job, Mapping};
use crate::process::children::Children;

/// The workers of one executor, with the memory or sockets that they share with the parent. Each worker process is
/// started when a run first has work for it. The process lives until this value is dropped or the parent exits, even if
/// the thread whose run started it ends earlier.
pub struct Workforce {
    executor: Executor,
    jobs: usize,
    process: u32,
    workers: Box<dyn Execute>,
}

impl Workforce {
    /// Makes a workforce of up to `jobs` workers, without starting any.
    pub fn new(executor: Executor, jobs: usize) -> Self {
        let workers = executor.with(Children::new());
        Workforce { executor, jobs, process: std::process::id(), workers }
    }

    /// Returns whether the current process made this workforce, for `executor` and up to `jobs` workers. A fork of the
    /// process that made the workforce must not use it: both processes would put blocks into the same slots.
    pub fn is(&self, executor: Executor, jobs: usize) -> bool {
        (self.executor, self.jobs, self.process) == (executor, jobs, std::process::id())
    }

    /// Runs a job. All jobs of a workforce must have the same mapping and the same sizes.
    ///
    /// # Errors
    /// The first error in input order. After an error or a panic there must be no other run, because workers may still
    /// hold blocks of this one.
    pub fn run(&mut self, mapping: &Mapping, job: Job) -> Result<(), Error> {
        self.workers.run(mapping, Job { jobs: self.jobs, ..job })
    }
}
