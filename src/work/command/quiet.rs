//! Finds out why a command writes nothing: because a signal such as SIGSTOP has stopped it, because it waits for more
//! input, or because it leaves rows unread.

use super::process::Running;
use crate::process::console::say;
use crate::ring::Care;
use std::time::{Duration, Instant};

/// After how much silence a command is judged to answer only at the end of its input. Only a command that has read all
/// rows, uses no processor time and waits for more input is judged so.
#[derive(Clone, Copy)]
pub enum Judged<'a> {
    /// Never.
    Never,
    /// Usually after [`QUIET`]. After [`LONG_QUIET`] if the command might still go on without more input.
    Soon,
    /// After [`LONG_QUIET`], if the command cannot go on without more input, and if the parent's reader is not waiting
    /// for input. The reader may then be waiting until this very block is done, so that without this judgement the run
    /// would never end.
    Late(Care<'a>),
}

/// Why nothing will come from a command any more.
pub enum Silent {
    /// One of its processes is stopped.
    Stopped,
    /// It has read all rows and waits for more.
    Waits,
}

/// How long the command must have been silent before it can be judged to answer only at the end of its input.
const QUIET: Duration = Duration::from_millis(200);
/// The time for a command that can probably still answer without more input: one that waits for a network or a clock,
/// and one that has answered earlier rows while its input was open, and so does not seem to buffer its output.
const LONG_QUIET: Duration = Duration::from_secs(10);
/// After this time a message says that the command has read all rows and has not answered all of them.
const PATIENCE: Duration = Duration::from_secs(5);
/// The first and the longest pause between two looks at the command's processes while nothing comes from it.
const LOOKS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// A time in which nothing has been read or sent: when it began, when to look at the command's processes next, the
/// pause after that look, and how much processor time they had used at the last look.
pub struct Quiet {
    since: Instant,
    next: Instant,
    pause: Duration,
    used: Option<u64>,
}

impl Quiet {
    /// Begins such a time now.
    pub fn new() -> Self {
        let now = Instant::now();
        Quiet { since: now, next: now + LOOKS.0, pause: LOOKS.0, used: None }
    }

    /// When to look at the command's processes next.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// Looks at the command's processes, if it is time for that. `are_sent` says whether all rows are sent, `expected`
    /// how many lines are expected, if they are counted, and `answered` how many have come.
    pub fn look(
        &mut self,
        running: &mut Running,
        judged: Judged,
        are_sent: bool,
        expected: Option<usize>,
        answered: usize,
    ) -> Option<Silent> {
        let now = Instant::now();
        if now < self.next {
            return None;
        }
        let look = running.look(true);
        if look.is_stopped {
            return Some(Silent::Stopped);
        }
        let is_idle = self.used.replace(look.used) == Some(look.used);
        let has_read_all = are_sent && running.stdin.is_some() && running.unread() == 0;
        let quiet = now - self.since;
        // A command that waits for a network or a clock, or has answered before, might go on by itself: give it time.
        let (may_wait, is_late) = match judged {
            Judged::Never => (false, true),
            Judged::Soon => (true, running.has_answered_rows || look.waits_for_other()),
            Judged::Late(care) => (!care.is_input_awaited() && !look.waits_for_other(), true),
        };
        let is_quiet = quiet >= if is_late { LONG_QUIET } else { QUIET };
        if may_wait && is_quiet && is_idle && has_read_all && look.waits_for_input() {
            return Some(Silent::Waits);
        }
        let is_patience_over = quiet >= PATIENCE && is_idle && running.stdin.is_some();
        if is_patience_over && has_read_all && !running.is_waiting_told {
            running.is_waiting_told = true;
            if let Some(count) = expected {
                let rows = if count == 1 { "1 row".to_string() } else { format!("{count} rows") };
                say(&format_args!(
                    "the command has read {rows}, has answered {answered}, and does nothing; if it answers only at the end of its input, use \
                     --command-mode block"
                ));
            }
        }
        if is_patience_over && !has_read_all && !running.is_leaving_told {
            running.is_leaving_told = true;
            say(&"the command leaves rows unread, and does nothing; --block-timeout says how long it may");
        }
        self.next = now + self.pause;
        self.pause = LOOKS.1.min(self.pause * 3 / 2);
        None
    }
}
