//! How a worker process has ended.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// A worker process that has ended.
pub struct Death {
    /// Its number in the ring.
    pub worker: u32,
    /// Its process.
    pub pid: u32,
    /// Not known where somebody else has reaped the process, before Linux 6.15: the system, if this program ignores SIGCHLD, or
    /// other code of this program that reaps all children.
    pub(super) status: Option<ExitStatus>,
    /// It was killed because it held a block for longer than that.
    pub(super) overdue: Option<Duration>,
}

impl Death {
    /// Whether the worker died of what it did itself, and not of a signal that people, programs or the out-of-memory killer send.
    pub fn is_fault(&self) -> bool {
        use signal_hook::consts::*;
        const SENT: [i32; 9] = [SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2];
        let died_so = |status: ExitStatus| status.signal().is_none_or(|signal| !SENT.contains(&signal));
        self.overdue.is_some() || self.status.is_some_and(died_so)
    }

    /// What happened, to be said behind the worker's name.
    pub fn cause(&self) -> String {
        if let Some(overdue) = self.overdue {
            return format!("held its block for longer than --block-timeout, {} seconds", overdue.as_secs_f64());
        }
        let Some(status) = self.status else {
            return "ended, and it is not known how (this program ignores SIGCHLD, or reaps all its children)"
                .to_string();
        };
        match (status.signal(), status.code()) {
            // The filter of workers makes calls fail and does not kill: this was another filter.
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
