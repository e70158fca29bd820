//! Starting worker processes, noticing how they end, and putting others in their place.

use crate::error::{Error, reason};
use crate::process::console::say;
pub use crate::process::death::Death;
use crate::process::descriptors::keep_standard_streams_only;
use crate::process::exit;
use crate::process::launch::Launch;
use crate::process::starter::{self, Starter};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::process::{Signal, pidfd_send_signal};
use std::io;
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The environment variable that tells a worker its number, from 0: it may choose by it among what there is one of for each.
pub const NUMBER: &str = "PMAPGCD_WORKER_NUMBER";

/// A worker process that runs.
struct Process {
    worker: u32,
    child: Child,
    /// Readable once it has ended. None where the system gives no such descriptor: before Linux 5.3, under valgrind, in
    /// containers that know the call as little, or when there are no descriptors left. Then it is looked after in rounds.
    exit: Option<OwnedFd>,
    /// It was killed since it held a block for longer than that.
    overdue: Option<Duration>,
    /// Its end has been told.
    is_told: bool,
}

impl Process {
    /// How it ended, if it has.
    ///
    /// # Errors
    /// When it has, and somebody else has reaped it, and it is not known how it ended.
    fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        match &self.exit {
            Some(exit) => by_number_before_5_4(exit::try_wait(exit), || self.child.try_wait()),
            None => self.child.try_wait(),
        }
    }

    /// Waits for its end; answers how it ended, if that is known.
    fn wait(&mut self) -> Option<ExitStatus> {
        let by_number = |child: &mut Child| child.wait().map(Some);
        let ended = match &self.exit {
            Some(exit) => by_number_before_5_4(exit::wait(exit), || by_number(&mut self.child)),
            None => by_number(&mut self.child),
        };
        ended.ok().flatten()
    }

    /// Whether it has ended, or has been reaped by somebody else.
    fn has_ended(&mut self) -> bool {
        !matches!(self.try_wait(), Ok(None))
    }

    /// Whether it has ended by then.
    fn ends_by(&mut self, deadline: Instant) -> bool {
        while !self.has_ended() {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(LOOK);
        }
        true
    }

    /// Kills it, unless it has ended.
    fn kill(&mut self) -> io::Result<()> {
        if self.exit.as_ref().is_some_and(|exit| pidfd_send_signal(exit, Signal::KILL).is_ok()) {
            return Ok(());
        }
        // By its number, where nobody has reaped it: until then the number is not given to another process.
        match self.try_wait()? {
            None => self.child.kill(),
            Some(_) => Ok(()),
        }
    }
}

/// What was answered of a descriptor; or of the number, on a Linux before 5.4, which waits for no descriptors.
fn by_number_before_5_4(
    answered: io::Result<Option<ExitStatus>>,
    by_number: impl FnOnce() -> io::Result<Option<ExitStatus>>,
) -> io::Result<Option<ExitStatus>> {
    match answered {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => by_number(),
        answered => answered,
    }
}

/// How long a worker may take to end after its last words.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often workers are looked after that have no descriptor to be watched by.
const LOOK: Duration = Duration::from_millis(5);

/// Deaths that are told one by one; the rest are counted.
const TOLD: u64 = 10;

/// The worker processes of one run, or of several. They are killed and reaped when this is dropped.
pub struct Children {
    processes: Vec<Process>,
    /// One more than the highest number that a worker has had.
    numbers: u32,
    starts: Starts,
    /// The process whose children they are. A fork of it has a copy of this value, and no children.
    parent: u32,
    deaths: u64,
    redone: u64,
}

/// Which thread starts workers: they live no longer than it does.
enum Starts {
    /// The one that asks for them.
    Caller,
    /// One that ends with the [`Children`], there from the first worker on.
    Own(Option<Starter>),
}

impl Children {
    /// Of one run: they live no longer than the thread that starts them.
    pub fn of_a_run() -> Self {
        Self::new(Starts::Caller)
    }

    /// Of several runs: they live as long as this value, whichever threads ask for them.
    pub fn lasting() -> Self {
        Self::new(Starts::Own(None))
    }

    fn new(starts: Starts) -> Self {
        Children { processes: vec![], numbers: 0, starts, parent: std::process::id(), deaths: 0, redone: 0 }
    }

    /// Whether there is one of this number.
    pub fn has(&self, worker: u32) -> bool {
        self.processes.iter().any(|process| process.worker == worker)
    }

    /// All that there are or were have numbers below this.
    pub fn numbers(&self) -> u32 {
        self.numbers
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.processes.len()
    }

    /// Starts a worker of this number, with this for its standard input.
    pub fn start(&mut self, worker: u32, launch: &Launch, stdin: OwnedFd) -> io::Result<()> {
        let mut command = launch.command()?;
        command.env(NUMBER, worker.to_string());
        // This and stderr are all that a worker has from us; what a kernel prints must not end up in the results.
        command.stdin(stdin);
        command.stdout(match io::stderr().as_fd().try_clone_to_owned() {
            Ok(stderr) => Stdio::from(stderr),
            Err(_) => Stdio::null(),
        });
        keep_standard_streams_only(&mut command, launch.descriptor());
        let (child, exit) = match &mut self.starts {
            Starts::Caller => starter::spawn(command)?,
            Starts::Own(Some(starter)) => starter.spawn(command)?,
            Starts::Own(none) => none.insert(Starter::new()?).spawn(command)?,
        };
        self.processes.push(Process { worker, child, exit, overdue: None, is_told: false });
        self.numbers = self.numbers.max(worker + 1);
        Ok(())
    }

    /// Kills a worker that has held its block for longer than this.
    ///
    /// # Errors
    /// When the system does not let us: nobody would ever be done with its block.
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

    /// Sleeps until one of these descriptors is readable, a worker has ended, or so much time is over, or less. Answers
    /// which of the descriptors are readable, and with the numbers of workers whose end has not been told before.
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

    /// Sleeps until the bell rings, a worker has ended, or so much time is over, and answers with those that have ended.
    pub fn wait(&mut self, bell: BorrowedFd, most: Duration) -> Result<Vec<Death>, Error> {
        self.watch(&[bell], most)?;
        Ok(self.reap_told())
    }

    /// Those that have ended by now.
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
        let mut deaths = vec![];
        for mut process in self.processes.extract_if(.., |process| process.is_told) {
            let status = process.wait();
            deaths.push(Death { worker: process.worker, pid: process.child.id(), status, overdue: process.overdue });
        }
        deaths
    }

    /// Waits for the end of a worker that has ended, or has closed its socket and is about to end.
    ///
    /// # Errors
    /// When there is no such worker any more.
    pub fn reap(&mut self, worker: u32) -> Result<Death, Error> {
        let gone = || Error::workers(format!("worker {worker} has gone"));
        let at = self.processes.iter().position(|process| process.worker == worker).ok_or_else(gone)?;
        let mut process = self.processes.swap_remove(at);
        // One that has closed its socket and lives on is not waited for; nor is one that cannot be killed either.
        let is_over = process.ends_by(Instant::now() + LAST_WORDS) || process.kill().is_ok();
        let status = if is_over { process.wait() } else { None };
        Ok(Death { worker, pid: process.child.id(), status, overdue: None })
    }

    /// Counts a block that is computed again.
    pub fn count_redone(&mut self) {
        self.redone += 1;
    }

    /// Says on stderr that a worker has died, of what, and what comes of it.
    pub fn tell(&mut self, death: &Death, cause: &str, consequence: &str) {
        self.deaths += 1;
        if self.deaths <= TOLD {
            say(&format_args!("worker {} (pid {}) {cause}; {consequence}", death.worker, death.pid));
        }
    }
}

impl Children {
    /// Kills them all, and waits for their end.
    pub fn end(&mut self) {
        let killed: Vec<bool> = self.processes.iter_mut().map(|process| process.kill().is_ok()).collect();
        let deadline = Instant::now() + LAST_WORDS;
        for (process, is_killed) in self.processes.iter_mut().zip(killed) {
            // One that we may not kill is not waited for without end: the system ends it when we end.
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
            // Neither are they ours to kill, nor is the thread here that could be waited for.
            std::mem::forget(std::mem::replace(&mut self.starts, Starts::Caller));
            return;
        }
        self.end();
        if self.deaths > TOLD {
            say(&format_args!("{} workers died in all, {} of them over a block", self.deaths, self.redone));
        }
    }
}
