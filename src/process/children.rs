//! Starting worker processes, noticing how they end, and putting others in their place.

use crate::error::{Error, reason};
use crate::process::console::say;
use crate::process::descriptors::keep_standard_streams_only;
use crate::process::launch::Launch;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::io;
use std::os::unix::process::ExitStatusExt;
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
    /// Whether it has ended, or has been reaped by somebody else.
    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
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
        match self.child.try_wait()? {
            None => self.child.kill(),
            Some(_) => Ok(()),
        }
    }
}

/// A worker process that has ended.
pub struct Death {
    /// Its number in the ring.
    pub worker: u32,
    /// Its process.
    pub pid: u32,
    /// Unknown where our own caller ignores SIGCHLD, so that the system reaps in our place.
    status: Option<ExitStatus>,
    overdue: Option<Duration>,
}

impl Death {
    /// Whether it died of what it did itself, rather than of a signal that others send (or the out-of-memory killer).
    pub fn is_fault(&self) -> bool {
        use signal_hook::consts::*;
        const SENT: [i32; 9] = [SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2];
        let died_so = |status: ExitStatus| status.signal().is_none_or(|signal| !SENT.contains(&signal));
        self.overdue.is_some() || self.status.is_some_and(died_so)
    }

    /// How it came about, to follow its name.
    pub fn cause(&self) -> String {
        if let Some(overdue) = self.overdue {
            return format!("held its block for longer than --block-timeout, {} seconds", overdue.as_secs_f64());
        }
        let Some(status) = self.status else { return "ended".to_string() };
        match (status.signal(), status.code()) {
            // Its own filter does not kill.
            (Some(signal_hook::consts::SIGSYS), _) => {
                "was killed by SIGSYS (by the filter of system calls that the program runs under: where that permits no other, \
                 use --no-sandbox)"
                    .to_string()
            }
            (Some(signal), _) => match signal_hook::low_level::signal_name(signal) {
                Some(name) => format!("was killed by {name}"),
                None => format!("was killed by signal {signal}"),
            },
            (None, Some(code)) => format!("exited with status {code}"),
            (None, None) => "ended".to_string(),
        }
    }
}

/// How long a worker may take to end after its last words.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often workers are looked after that have no descriptor to be watched by.
const LOOK: Duration = Duration::from_millis(5);

/// Deaths that are told one by one; the rest are counted.
const TOLD: u64 = 10;

/// The worker processes of a run. They are killed and reaped when this is dropped.
#[derive(Default)]
pub struct Children {
    processes: Vec<Process>,
    deaths: u64,
    redone: u64,
}

impl Children {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.processes.len()
    }

    /// Starts a worker of this number, with this for its standard input. It lives no longer than the calling thread.
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
        let child = command.spawn()?;
        let exit = Pid::from_raw(child.id() as i32).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        self.processes.push(Process { worker, child, exit, overdue: None, is_told: false });
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
        let mut deaths = vec![];
        for mut process in self.processes.extract_if(.., |process| process.is_told) {
            let status = process.child.wait().ok();
            deaths.push(Death { worker: process.worker, pid: process.child.id(), status, overdue: process.overdue });
        }
        Ok(deaths)
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
        let status = if is_over { process.child.wait().ok() } else { None };
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

impl Drop for Children {
    fn drop(&mut self) {
        let killed: Vec<bool> = self.processes.iter_mut().map(|process| process.kill().is_ok()).collect();
        let deadline = Instant::now() + LAST_WORDS;
        for (process, is_killed) in self.processes.iter_mut().zip(killed) {
            // One that we may not kill is not waited for without end: the system ends it when we end.
            if is_killed || process.ends_by(deadline) {
                let _ = process.child.wait();
            }
        }
        if self.deaths > TOLD {
            say(&format_args!("{} workers died in all, {} of them over a block", self.deaths, self.redone));
        }
    }
}
