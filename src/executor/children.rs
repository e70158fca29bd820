//! Starting worker processes, noticing how they end, and putting others in their place.

use crate::error::{Error, say};
use crate::executor::Executor;
use crate::executor::worker::{MARK, Mark};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A worker process that runs.
struct Process {
    worker: u32,
    child: Child,
    exit: OwnedFd,
    /// It was killed since it held a block for longer than that.
    overdue: Option<Duration>,
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
const LAST_WORDS: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

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
    /// Descriptors that are readable when their worker has ended.
    pub fn exits(&self) -> impl Iterator<Item = (u32, BorrowedFd<'_>)> {
        self.processes.iter().map(|process| (process.worker, process.exit.as_fd()))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.processes.len()
    }

    /// Starts a worker of this number, to serve this executor over the descriptor that is to be its standard input. It
    /// lives no longer than the calling thread.
    pub fn start(&mut self, worker: u32, executor: Executor, mapping: u32, stdin: OwnedFd) -> io::Result<()> {
        // The very file that runs now, even if another has been installed in its place.
        let mut command = Command::new("/proc/self/exe");
        if !std::path::Path::new("/proc/self/exe").exists() {
            command = Command::new(OsStr::from_bytes(rustix::param::linux_execfn().to_bytes()));
        }
        let mut arguments = std::env::args_os();
        command.arg0(arguments.next().unwrap_or_else(|| OsString::from("pmapgcd")));
        command.args(arguments).env(MARK, Mark::new(executor, worker, mapping).to_string());
        if executor == Executor::Pickle {
            // Or glibc gives the memory of every task back to the system after it, which costs ten times what pickling
            // does: mallopt(3). It is pickling that this executor is there to show.
            command.env("MALLOC_TRIM_THRESHOLD_", (64 << 20).to_string());
        }
        // This and stderr are all that a worker has from us; what a kernel prints must not end up in the results.
        command.stdin(stdin);
        command.stdout(match io::stderr().as_fd().try_clone_to_owned() {
            Ok(stderr) => Stdio::from(stderr),
            Err(_) => Stdio::null(),
        });
        let mut child = command.spawn()?;
        let exit = Pid::from_raw(child.id() as i32)
            .ok_or(io::ErrorKind::NotFound.into())
            .and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?));
        match exit {
            Ok(exit) => self.processes.push(Process { worker, child, exit, overdue: None }),
            Err(error) => {
                end(&mut child);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Kills a worker that has held its block for longer than this.
    pub fn kill(&mut self, worker: u32, overdue: Duration) {
        for process in self.processes.iter_mut().filter(|process| process.worker == worker) {
            process.overdue = Some(overdue);
            let _ = pidfd_send_signal(&process.exit, Signal::KILL);
        }
    }

    /// Sleeps until the bell rings, a worker has ended, or so much time is over, and answers with those that have ended.
    pub fn wait(&mut self, bell: BorrowedFd, most: Duration) -> Result<Vec<Death>, Error> {
        let mut fds = vec![PollFd::new(&bell, PollFlags::IN)];
        fds.extend(self.processes.iter().map(|process| PollFd::new(&process.exit, PollFlags::IN)));
        let most = Timespec::try_from(most).ok();
        let polled = rustix::io::retry_on_intr(|| poll(&mut fds, most.as_ref()));
        polled.map_err(|error| Error::io("cannot watch the workers", error.into()))?;
        let ended: Vec<bool> = fds[1..].iter().map(|fd| !fd.revents().is_empty()).collect();
        let mut deaths = vec![];
        for at in (0..ended.len()).rev().filter(|&at| ended[at]) {
            let mut process = self.processes.swap_remove(at);
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
        // One that has closed its socket and lives on is not waited for.
        let mut exit = [PollFd::new(&process.exit, PollFlags::IN)];
        if rustix::io::retry_on_intr(|| poll(&mut exit, Some(&LAST_WORDS))) == Ok(0) {
            let _ = pidfd_send_signal(&process.exit, Signal::KILL);
        }
        let status = process.child.wait().ok();
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
        for process in &self.processes {
            // Not by its number, which may be another's if somebody else has reaped it.
            let _ = pidfd_send_signal(&process.exit, Signal::KILL);
        }
        for process in &mut self.processes {
            let _ = process.child.wait();
        }
        if self.deaths > TOLD {
            say(&format_args!("{} workers died in all, {} of them over a block", self.deaths, self.redone));
        }
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
