//! The executors `threads` and `pickle`: worker threads on a ring in the parent's own memory.
//!
//! In `threads` the kernel runs in the worker threads. That is fast, but a kernel that crashes ends the whole program.
//! In `pickle` each thread has a child process, to which it sends the rows of its block as pickles. If a child dies,
//! the run ends with an error. The results of the rows before its block are still written.

use crate::error::{Error, reason};
use crate::executor::cut::slots;
use crate::executor::run::{Crew, EndOnPanic, Run, run};
use crate::executor::{Execute, Executor, Job, Mapping, no_segment, pickle, worker};
use crate::flow::Ending;
use crate::process::bell::ring_bell;
use crate::process::children::{Children, Death};
use crate::process::console::say;
use crate::ring::{ROUND, Segment, Supervisor};
use crate::steps::{self, Step, lap};
use crate::work::remote::{Failure, Remote};
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, Scope};

/// The executor `threads` or `pickle`. Threads are started for each run. The child processes of `pickle` are started
/// when a run first has work for them, and are kept for later runs.
pub struct Threads {
    executor: Executor,
    /// The parent's ends of the sockets to the children, indexed by worker number. Declared before `children`, because
    /// fields are dropped in this order: the sockets are closed before the children are killed.
    sockets: Vec<Arc<OwnedFd>>,
    children: Children,
}

impl Threads {
    /// Makes the executor without any worker. If it uses child processes, each run starts those that are missing, as
    /// members of `children`.
    pub fn new(executor: Executor, children: Children) -> Self {
        Threads { executor, sockets: vec![], children }
    }
}

impl Execute for Threads {
    fn run(&mut self, mapping: &Mapping, job: Job) -> Result<(), Error> {
        for death in self.children.ended()? {
            self.children.tell(&death, &death.cause(), "it had nothing to do, and another takes its place");
        }
        let segment = Segment::private(slots(&job), job.sizes);
        run(&mut segment.map_err(no_segment)?, 0, self, mapping, job)?;
        Ok(())
    }
}

impl Crew for Threads {
    fn supervise(&mut self, run: &Run, ring: Supervisor, mapping: &Mapping) -> Result<(), Error> {
        let (tell, failures) = mpsc::channel();
        let mut deaths = vec![];
        thread::scope(|scope| {
            let (mut started, mut at_work, mut limit) = (0, 0, usize::MAX);
            let mut keep_at_work = || {
                while !run.is_over() {
                    let pause = run.pause(ROUND);
                    while started < limit.min(run.wanted()) {
                        match self.start(scope, run, mapping, started as u32, &tell) {
                            Ok(()) => (started, at_work) = (started + 1, at_work + 1),
                            Err(error) if started > 0 => {
                                limit = started;
                                let refused = reason(&error);
                                say(&format_args!("cannot start worker {started}: {refused}; going on with {started}"));
                            }
                            Err(error) => return Err(Error::io("cannot start a worker", error)),
                        }
                        run.tally.workers.set(started as u64);
                        run.has_workers(if limit == usize::MAX { started } else { run.jobs() as usize });
                    }
                    lap(Step::Import);
                    let ended = self.children.wait(run.bell.as_fd(), pause)?;
                    // Empty the bell before looking at what it was rung for. If the bell were emptied after the look, a
                    // ring in between would be lost.
                    let _ = rustix::io::read(&run.bell, &mut [0; 8]);
                    for death in ended {
                        // Shut the socket down, because the thread may wait for a reply. The child's death alone does
                        // not end the connection if a process that the child has started still has the child's end.
                        let _ = shutdown(&self.sockets[death.worker as usize], Shutdown::Both);
                        // If the child was idle, the run ends after the blocks published so far. If it was at work, its
                        // thread fails, and the run ends before that thread's block.
                        run.tell_end(Ending::Failed(broken_by(&death)));
                        deaths.push(death);
                    }
                    for (worker, failure) in failures.try_iter() {
                        at_work -= 1;
                        let error = self.explain(worker, failure, &deaths);
                        match ring.held_by(worker).first() {
                            Some(held) if at_work > 0 => run.give_up(held.block(), error),
                            // No worker is left to map the blocks before the failed one, so end the run now.
                            _ => return Err(error),
                        }
                    }
                }
                Ok(())
            };
            let ended = catch_unwind(AssertUnwindSafe(&mut keep_at_work));
            // Close the ring however the run has ended: the scope waits for the threads, and the threads wait until the
            // ring is closed.
            ring.close();
            run.segment.filled().signal();
            if !run.is_complete() {
                mapping.work.abandon();
                // Threads may be waiting for replies that are no longer needed.
                for socket in &self.sockets {
                    let _ = shutdown(socket, Shutdown::Both);
                }
            }
            ended.unwrap_or_else(|panic| resume_unwind(panic))
        })?;
        // All threads have ended. After the last block a thread fails only if its mapper finds at the end that results
        // were wrong, or if its child has not sent the times of its steps.
        match failures.try_iter().find(|_| run.is_complete()) {
            Some((worker, failure)) => Err(self.explain(worker, failure, &deaths)),
            None => Ok(()),
        }
    }
}

/// The size in bytes of the stack of a thread in which a kernel runs. Main threads have as much unless `ulimit -s` says
/// otherwise.
const STACK: usize = 8 << 20;

impl Threads {
    /// Starts a worker thread. If the executor uses processes and this worker has no child process yet, starts the
    /// child process too.
    fn start<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        run: &'scope Run,
        mapping: &'scope Mapping,
        number: u32,
        tell: &Sender<(u32, Failure)>,
    ) -> io::Result<()> {
        if self.executor.has_processes() && !self.children.has(number) {
            let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            self.children.start(number, &worker::launch(self.executor, mapping)?, theirs)?;
            match self.sockets.get_mut(number as usize) {
                Some(socket) => *socket = Arc::new(ours),
                None => self.sockets.push(Arc::new(ours)),
            }
        }
        let socket = self.sockets.get(number as usize).cloned();
        let tell = tell.clone();
        let work = move || {
            // If the kernel panics, end the run, so that the writer does not wait for this block for ever. The panic
            // then passes to the caller.
            let _panic = EndOnPanic(run);
            let remote = socket.as_deref().map(|socket| Remote {
                chunk_size: run.chunk_size,
                call: Box::new(move |task| pickle::call(socket, number, task)),
            });
            let mut mapper = mapping.work.mapper(remote);
            let worked = worker::work(run.segment, number, &mut *mapper, run.windows(), true, || true);
            let worked = worked.map_err(|(_, failure)| failure);
            let worked = worked.and_then(|()| if run.is_complete() { mapper.finish() } else { Ok(()) });
            let is_to_add = worked.is_ok() && steps::is_timing() && run.is_complete();
            let ended = worked.and_then(|()| socket.as_deref().filter(|_| is_to_add).map_or(Ok(()), pickle::add_steps));
            if let Err(failure) = ended {
                let _ = tell.send((number, failure));
                ring_bell(&run.bell);
            }
        };
        let thread = thread::Builder::new().name(format!("worker {number}"));
        // A kernel has as much stack here as in the main thread of a worker process. The system provides memory for the
        // stack only as it is used.
        let thread = if self.executor.has_processes() { thread } else { thread.stack_size(STACK) };
        thread.spawn_scoped(scope, work).map(drop)
    }

    /// Returns the error for a worker that could not map its block. If its child has closed the socket, the error says
    /// how the child ended.
    fn explain(&mut self, worker: u32, failure: Failure, deaths: &[Death]) -> Error {
        match (failure, deaths.iter().find(|death| death.worker == worker)) {
            (Failure::Failed(error), _) => error,
            (Failure::Gone, Some(death)) => broken_by(death),
            (Failure::Gone, None) => self.children.reap(worker).map_or_else(|error| error, |death| broken_by(&death)),
        }
    }
}

fn broken_by(death: &Death) -> Error {
    Error::workers(format!(
        "worker {} (pid {}) {} and has broken the pool: the rows that it had been sent are lost",
        death.worker,
        death.pid,
        death.cause()
    ))
}
