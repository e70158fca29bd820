//! The worker processes of an executor: starting them, noticing how they end, and killing and reaping them.

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

/// The environment variable that tells a worker its number, from 0. Workers with work to be done by one of them go by it.
pub const NUMBER: &str = "PMAPGCD_WORKER_NUMBER";

/// How long a worker may take to end after its last words.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often to look whether a worker has ended that has no descriptor to be watched by.
const LOOK: Duration = Duration::from_millis(5);

/// How many deaths are told one by one. After that they are only counted.
const TOLD: u64 = 10;

/// A worker process that runs, or has ended and not been reaped.
struct Process {
    worker: u32,
    child: Child,
    /// Readable once the process has ended. None where the system gives no such descriptor ([`exit::descriptor`]): then the
    /// process is asked for by its number, in rounds.
    exit: Option<OwnedFd>,
    /// It was killed because it held a block for longer than that.
    overdue: Option<Duration>,
    /// Its end has been reported to the caller.
    is_told: bool,
}

impl Process {
    /// How the process ended, or `None` if it has not.
    ///
    /// # Errors
    /// When it has ended and nothing tells how, since somebody else has reaped it.
    fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        match &self.exit {
            Some(exit) => exit::try_wait(exit),
            None => self.child.try_wait(),
        }
    }

    /// Waits for the end of the process; answers how it ended, if that is known.
    fn wait(&mut self) -> Option<ExitStatus> {
        match &self.exit {
            Some(exit) => exit::wait(exit).ok().flatten(),
            None => self.child.wait().ok(),
        }
    }

    /// Whether it has ended, or has been reaped by somebody else.
    fn has_ended(&mut self) -> bool {
        !matches!(self.try_wait(), Ok(None))
    }

    /// Waits for the end of the process, but no longer than this; answers whether it has ended.
    fn ends_by(&mut self, deadline: Instant) -> bool {
        while !self.has_ended() {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(LOOK);
        }
        true
    }

    /// The death of this worker, with its status still to be filled in.
    fn death(&self) -> Death {
        Death { worker: self.worker, pid: self.child.id(), status: None, overdue: self.overdue }
    }

    /// Kills the process, unless it has ended.
    fn kill(&mut self) -> io::Result<()> {
        if self.exit.as_ref().is_some_and(|exit| pidfd_send_signal(exit, Signal::KILL).is_ok()) {
            return Ok(());
        }
        // By its number, and only if nobody has reaped it: until then no other process can have the number.
        match self.try_wait()? {
            None => self.child.kill(),
            Some(_) => Ok(()),
        }
    }
}

/// The worker processes of an executor. They are killed and reaped when this is dropped, and no sooner, whichever threads
/// asked for them.
pub struct Children {
    processes: Vec<Process>,
    /// One more than the highest number that a worker has had.
    numbers: u32,
    /// Starts the processes; there from the first on.
    starter: Option<Starter>,
    /// The process whose children they are. A fork of it has a copy of this value, and no children.
    parent: u32,
    deaths: u64,
    redone: u64,
}

impl Children {
    /// No workers yet.
    pub fn new() -> Self {
        let parent = std::process::id();
        Children { processes: vec![], numbers: 0, starter: None, parent, deaths: 0, redone: 0 }
    }

    /// Whether there is a worker of this number.
    pub fn has(&self, worker: u32) -> bool {
        self.processes.iter().any(|process| process.worker == worker)
    }

    /// All workers that there are or were have numbers below this.
    pub fn numbers(&self) -> u32 {
        self.numbers
    }

    /// How many workers there are.
    pub fn count(&self) -> usize {
        self.processes.len()
    }

    /// Starts a worker of this number, with this as its standard input.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&mut self, worker: u32, launch: &Launch, stdin: OwnedFd) -> io::Result<()> {
        let mut command = launch.command()?;
        command.env(NUMBER, worker.to_string());
        // A worker gets nothing else from us but stderr. What a kernel prints must not end up among the results.
        command.stdin(stdin);
        command.stdout(io::stderr().as_fd().try_clone_to_owned().map_or_else(|_| Stdio::null(), Stdio::from));
        keep_standard_streams_only(&mut command, launch.descriptor());
        let starter = match &self.starter {
            Some(starter) => starter,
            None => self.starter.insert(Starter::new()?),
        };
        let (child, exit) = starter.spawn(command)?;
        self.processes.push(Process { worker, child, exit, overdue: None, is_told: false });
        self.numbers = self.numbers.max(worker + 1);
        Ok(())
    }

    /// Kills a worker that has held its block for longer than this.
    ///
    /// # Errors
    /// When the system does not let us. The run must end then: its block would never be done.
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

    /// Sleeps until one of these descriptors is readable, a worker has ended, or `most` is over; it may return earlier. Answers
    /// which of the descriptors are readable, and the numbers of the workers that have ended since it was last called.
    ///
    /// # Errors
    /// When the system does not let us watch.
    pub fn watch(&mut self, others: &[BorrowedFd], most: Duration) -> Result<(Vec<bool>, Vec<u32>), Error> {
        let watched: Vec<&mut Process> = self.processes.iter_mut().filter(|process| !process.is_told).collect();
        let mut fds: Vec<PollFd> = others.iter().map(|other| PollFd::new(other, PollFlags::IN)).collect();
        fds.extend(watched.iter().filter_map(|process| Some(PollFd::new(process.exit.as_ref()?, PollFlags::IN))));
        let is_each_watched = fds.len() == others.len() + watched.len();
        let most = Timespec::try_from(if is_each_watched { most } else { most.min(LOOK) }).ok();
        let polled = rustix::io::retry_on_intr(|| poll(&mut fds, most.as_ref()));
        polled.map_err(|error| Error::io("cannot watch the workers", error.into()))?;
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty()).collect::<Vec<_>>().into_iter();
        let others = ready.by_ref().take(others.len()).collect();
        let mut ended = vec![];
        for process in watched {
            process.is_told = if process.exit.is_some() { ready.next() == Some(true) } else { process.has_ended() };
            if process.is_told {
                ended.push(process.worker);
            }
        }
        Ok((others, ended))
    }

    /// Sleeps until the bell rings, a worker has ended, or `most` is over, and reaps the workers that have ended.
    ///
    /// # Errors
    /// When the system does not let us watch.
    pub fn wait(&mut self, bell: BorrowedFd, most: Duration) -> Result<Vec<Death>, Error> {
        self.watch(&[bell], most)?;
        Ok(self.reap_told())
    }

    /// Reaps the workers that have ended by now.
    ///
    /// # Errors
    /// When the system does not let us watch.
    pub fn ended(&mut self) -> Result<Vec<Death>, Error> {
        if self.processes.is_empty() {
            return Ok(vec![]);
        }
        self.watch(&[], Duration::ZERO)?;
        Ok(self.reap_told())
    }

    fn reap_told(&mut self) -> Vec<Death> {
        let ended = self.processes.extract_if(.., |process| process.is_told);
        ended.map(|mut process| Death { status: process.wait(), ..process.death() }).collect()
    }

    /// Reaps a worker that has ended, or has closed its socket and is about to end.
    ///
    /// # Errors
    /// When there is no such worker any more.
    pub fn reap(&mut self, worker: u32) -> Result<Death, Error> {
        let gone = || Error::workers(format!("worker {worker} has gone"));
        let at = self.processes.iter().position(|process| process.worker == worker).ok_or_else(gone)?;
        let mut process = self.processes.swap_remove(at);
        // Do not wait without end for a worker that has closed its socket and lives on: kill it. If even that is refused, leave it.
        let is_over = process.ends_by(Instant::now() + LAST_WORDS) || process.kill().is_ok();
        Ok(Death { status: if is_over { process.wait() } else { None }, ..process.death() })
    }

    /// Counts a block that is computed again.
    pub fn count_redone(&mut self) {
        self.redone += 1;
    }

    /// Says on stderr that a worker has died, of what, and what happens now.
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
            // Do not wait without end for a worker that we may not kill: the system kills it when we end.
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
            // The children are not ours to kill. The thread that starts them does not exist in a fork, and may have held a lock
            // on its queue at the moment of the fork: leave the queue alone.
            std::mem::forget(self.starter.take());
            return;
        }
        self.end();
        if self.deaths > TOLD {
            say(&format_args!("{} workers died in all, {} of them over a block", self.deaths, self.redone));
        }
    }
}
