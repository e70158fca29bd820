//! The worker processes of an executor: starts them, notices that they end, kills and reaps them.

use crate::error::{Error, reason};
use crate::process::console::say;
pub use crate::process::death::Death;
use crate::process::descriptors::keep_standard_streams_only;
use crate::process::exit;
use crate::process::launch::Launch;
use crate::process::starter::Starter;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::process::{Signal, pidfd_send_signal};
use std::io;
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Environment variable that tells a worker process its number; numbers start at 0. In the `pickle` executor only
/// worker 0 prints messages that concern all workers.
pub const NUMBER: &str = "PMAPGCD_WORKER_NUMBER";

/// How long to wait for a worker that should end by itself, before it is killed; and how long to wait for a worker that
/// the system does not permit killing, before the parent goes on without it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The time between two checks whether a worker has ended, where no descriptor becomes readable when it ends.
const LOOK: Duration = Duration::from_millis(5);

/// How many deaths are reported with a message each. Later ones are only counted, so that they do not flood stderr.
const TOLD: u64 = 10;

/// A worker process that is running, or has ended and has not been reaped.
struct Process {
    worker: u32,
    child: Child,
    /// Descriptor of the process (pidfd), which becomes readable when the process has ended. `None` if the system gives
    /// none ([`exit::descriptor`]): then the parent asks by the process number, every [`LOOK`], whether the process has
    /// ended.
    exit: Option<OwnedFd>,
    /// If the process was killed because it held a block for too long: the time limit that it exceeded.
    overdue: Option<Duration>,
    /// Whether [`Children::watch`] has found that the process has ended.
    is_told: bool,
}

impl Process {
    /// Returns how the process ended, or `None` if it has not.
    ///
    /// # Errors
    /// If the process has ended and its status is lost because other code has reaped it.
    fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        match &self.exit {
            Some(exit) => exit::try_wait(exit),
            None => self.child.try_wait(),
        }
    }

    /// Waits for the end of the process. Returns how it ended, or `None` if that is not known.
    fn wait(&mut self) -> Option<ExitStatus> {
        match &self.exit {
            Some(exit) => exit::wait(exit).ok().flatten(),
            None => self.child.wait().ok(),
        }
    }

    /// Whether the process has ended. This includes processes that other code has reaped.
    fn has_ended(&mut self) -> bool {
        !matches!(self.try_wait(), Ok(None))
    }

    /// Waits for the end of the process until `deadline`. Returns whether it has ended.
    fn ends_by(&mut self, deadline: Instant) -> bool {
        while !self.has_ended() {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(LOOK);
        }
        true
    }

    /// Describes the death of this worker. The caller must fill in `status`.
    fn death(&self) -> Death {
        Death { worker: self.worker, pid: self.child.id(), status: None, overdue: self.overdue }
    }

    /// Kills the process, if it has not ended.
    fn kill(&mut self) -> io::Result<()> {
        if self.exit.as_ref().is_some_and(|exit| pidfd_send_signal(exit, Signal::KILL).is_ok()) {
            return Ok(());
        }
        // Kill the process by its number, but only if nobody has reaped it: until it is reaped, no other process can
        // have this number.
        match self.try_wait()? {
            None => self.child.kill(),
            Some(_) => Ok(()),
        }
    }
}

/// The worker processes of an executor. They are killed and reaped when this value is dropped, and not when the thread
/// that started them ends.
pub struct Children {
    processes: Vec<Process>,
    /// One more than the highest number that any worker has had.
    numbers: u32,
    /// The thread that starts the processes. `None` until the first process is started.
    starter: Option<Starter>,
    /// Number of the process that created this value. After a `fork` the child has a copy of the value, but the workers
    /// are not the child's children. A copy that finds itself in a process with another number leaves the workers
    /// alone.
    parent: u32,
    deaths: u64,
    redone: u64,
}

impl Children {
    /// Creates a value without workers.
    pub fn new() -> Self {
        let parent = std::process::id();
        Children { processes: vec![], numbers: 0, starter: None, parent, deaths: 0, redone: 0 }
    }

    /// Whether there is a worker with the number `worker`, running, or ended and not yet reaped.
    pub fn has(&self, worker: u32) -> bool {
        self.processes.iter().any(|process| process.worker == worker)
    }

    /// Returns an upper bound (exclusive) of the numbers of all workers, past and present.
    pub fn numbers(&self) -> u32 {
        self.numbers
    }

    /// How many workers there are, running, or ended and not yet reaped.
    pub fn count(&self) -> usize {
        self.processes.len()
    }

    /// Starts a worker with the number `worker`, whose standard input is `stdin`.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn start(&mut self, worker: u32, launch: &Launch, stdin: OwnedFd) -> io::Result<()> {
        let mut command = launch.command();
        command.env(NUMBER, worker.to_string());
        // Of this process's standard streams the worker inherits only stderr. The worker's stdout is stderr too, so
        // that what a kernel prints does not get among the results.
        command.stdin(stdin);
        command.stdout(io::stderr().as_fd().try_clone_to_owned().map_or_else(|_| Stdio::null(), Stdio::from));
        keep_standard_streams_only(&mut command, launch.descriptor(), launch.given());
        let starter = match &self.starter {
            Some(starter) => starter,
            None => self.starter.insert(Starter::new()?),
        };
        let (child, exit) = starter.spawn(command)?;
        self.processes.push(Process { worker, child, exit, overdue: None, is_told: false });
        self.numbers = self.numbers.max(worker + 1);
        Ok(())
    }

    /// Kills `worker`, which has held its block for longer than the time limit `overdue`.
    ///
    /// # Errors
    /// If the system does not permit killing the worker. The caller must then end the run, because the worker's block
    /// would never be done.
    pub fn kill(&mut self, worker: u32, overdue: Duration) -> Result<(), Error> {
        for process in self.processes.iter_mut().filter(|process| process.worker == worker) {
            process.overdue = Some(overdue);
            if let Err(error) = process.kill()
                && !process.has_ended()
            {
                let pid = process.child.id();
                return Err(Error::workers(format!(
                    "worker {worker} (pid {pid}) has held its block for longer than --block-timeout and cannot be killed: {}",
                    reason(&error)
                )));
            }
        }
        Ok(())
    }

    /// Sleeps until `bell` is readable, a worker has ended, or the time `most` is over. Returns earlier if there are
    /// workers without a descriptor ([`Process::exit`]), which must be checked every [`LOOK`]. Marks the workers that
    /// have ended.
    fn watch(&mut self, bell: Option<BorrowedFd>, most: Duration) -> Result<(), Error> {
        let watched: Vec<&mut Process> = self.processes.iter_mut().filter(|process| !process.is_told).collect();
        let mut fds: Vec<PollFd> = bell.iter().map(|bell| PollFd::new(bell, PollFlags::IN)).collect();
        let bells = fds.len();
        fds.extend(watched.iter().filter_map(|process| Some(PollFd::new(process.exit.as_ref()?, PollFlags::IN))));
        let is_each_watched = fds.len() == bells + watched.len();
        let most = Timespec::try_from(if is_each_watched { most } else { most.min(LOOK) }).ok();
        let polled = rustix::io::retry_on_intr(|| poll(&mut fds, most.as_ref()));
        polled.map_err(|error| Error::io("cannot watch the workers", error.into()))?;
        let mut ready = fds[bells..].iter().map(|fd| !fd.revents().is_empty()).collect::<Vec<_>>().into_iter();
        for process in watched {
            process.is_told = if process.exit.is_some() { ready.next() == Some(true) } else { process.has_ended() };
        }
        Ok(())
    }

    /// Sleeps until `bell` is readable, a worker has ended, or the time `most` is over. Reaps the workers that have
    /// ended, and returns their deaths.
    ///
    /// # Errors
    /// If the system call `poll` fails.
    pub fn wait(&mut self, bell: BorrowedFd, most: Duration) -> Result<Vec<Death>, Error> {
        self.watch(Some(bell), most)?;
        Ok(self.reap_told())
    }

    /// Reaps the workers that have ended by now, and returns their deaths.
    ///
    /// # Errors
    /// If the system call `poll` fails.
    pub fn ended(&mut self) -> Result<Vec<Death>, Error> {
        if self.processes.is_empty() {
            return Ok(vec![]);
        }
        self.watch(None, Duration::ZERO)?;
        Ok(self.reap_told())
    }

    fn reap_told(&mut self) -> Vec<Death> {
        let ended = self.processes.extract_if(.., |process| process.is_told);
        ended.map(|mut process| Death { status: process.wait(), ..process.death() }).collect()
    }

    /// Reaps `worker`, which has ended, or has closed its socket and so should end soon.
    ///
    /// # Errors
    /// If there is no such worker any more.
    pub fn reap(&mut self, worker: u32) -> Result<Death, Error> {
        let gone = || Error::workers(format!("worker {worker} has gone"));
        let at = self.processes.iter().position(|process| process.worker == worker).ok_or_else(gone)?;
        let mut process = self.processes.swap_remove(at);
        // A worker that has closed its socket might run on. Then kill it, so as not to wait for ever. If the system
        // does not permit killing it, do not wait for it.
        let is_over = process.ends_by(Instant::now() + LAST_WORDS) || process.kill().is_ok();
        Ok(Death { status: if is_over { process.wait() } else { None }, ..process.death() })
    }

    /// Counts a block that must be computed again because its worker died.
    pub fn count_redone(&mut self) {
        self.redone += 1;
    }

    /// Reports the death of a worker on stderr, with its cause and what is done about it. Reports only the first
    /// [`TOLD`] deaths.
    pub fn tell(&mut self, death: &Death, cause: &str, consequence: &str) {
        self.deaths += 1;
        if self.deaths <= TOLD {
            say(&format_args!("worker {} (pid {}) {cause}; {consequence}", death.worker, death.pid));
        }
    }

    /// Kills all workers, and waits for their end.
    pub fn end(&mut self) {
        let killed: Vec<bool> = self.processes.iter_mut().map(|process| process.kill().is_ok()).collect();
        let deadline = Instant::now() + LAST_WORDS;
        for (process, is_killed) in self.processes.iter_mut().zip(killed) {
            // If the system does not permit killing a worker, do not wait for it for ever. The system itself kills the
            // worker when this process ends.
            if is_killed || process.ends_by(deadline) {
                process.wait();
            }
        }
        self.processes.clear();
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        if self.parent != std::process::id() {
            // This is a copy in a forked process: the workers are not its children. The starter thread does not exist
            // in the fork, and might have held a lock on its queue at the moment of the fork. Then dropping the queue
            // would wait for ever.
            std::mem::forget(self.starter.take());
            return;
        }
        self.end();
        if self.deaths > TOLD {
            say(&format_args!("{} workers died in all, {} of them over a block", self.deaths, self.redone));
        }
    }
}
