//! How a worker process has ended.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// The end of a worker process, as far as it is known.
pub struct Death {
    /// The worker's number, which the ring also uses.
    pub worker: u32,
    /// Number of the process.
    pub pid: u32,
    /// The exit status, or `None` if it is lost. Before Linux 6.15, it is lost if something else reaped the process.
    /// The system does that if this program ignores SIGCHLD, and other code of this program may reap all children.
    pub(super) status: Option<ExitStatus>,
    /// If the worker was killed because it held a block for too long: the time limit that it exceeded.
    pub(super) overdue: Option<Duration>,
}

impl Death {
    /// Whether the worker itself is to blame for its death, because it was killed at its time limit or because of how
    /// it ended (see the function `is_fault`).
    pub fn is_fault(&self) -> bool {
        self.overdue.is_some() || self.status.is_some_and(is_fault)
    }

    /// Whether the process has ended by itself with status 0.
    pub fn has_gone_well(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// Returns the cause as the predicate of a sentence: the worker's name is printed in front of it.
    pub fn cause(&self) -> String {
        if let Some(overdue) = self.overdue {
            return format!("held its block for longer than --block-timeout, {} seconds", overdue.as_secs_f64());
        }
        let Some(status) = self.status else {
            return "ended, and it is not known how (this program ignores SIGCHLD, or reaps all its children)"
                .to_string();
        };
        match (status.signal(), status.code()) {
            // The program's own filter makes system calls fail and never sends SIGSYS, so SIGSYS comes from another
            // filter.
            (Some(signal_hook::consts::SIGSYS), _) => {
                "was killed by SIGSYS (by the filter of system calls that the program runs under: where that permits no other, \
                 use --no-sandbox)"
                    .to_string()
            }
            _ => cause(status),
        }
    }
}

/// Whether a process that ended with this status is itself to blame. It is not if it was ended by a signal that commonly
/// comes from outside: from users, other programs, the out-of-memory killer, a closed pipe or a timer.
pub fn is_fault(status: ExitStatus) -> bool {
    use signal_hook::consts::*;
    const SENT: [i32; 9] = [SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2];
    status.signal().is_none_or(|signal| !SENT.contains(&signal))
}

/// Returns how a process with this status has ended, as the predicate of a sentence.
pub fn cause(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => match signal_hook::low_level::signal_name(signal) {
            Some(name) => format!("was killed by {name}"),
            None => format!("was killed by signal {signal}"),
        },
        (None, Some(code)) => format!("exited with status {code}"),
        (None, None) => "ended".to_string(),
    }
}
