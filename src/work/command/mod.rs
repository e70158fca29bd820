//! Maps a command over rows: any program that reads lines and prints lines.
//!
//! Each worker keeps one process of the command ([`process`]), sends it the rows of a block ([`rows`]), and reads as
//! many lines back ([`exchange`]). A command that answers only at the end of its input is started once for each block.
//! In block mode ([`block`]) this is done with every command, and the command may print any number of lines.
//!
//! If the command dies, its worker starts it again and lives on, so deaths are treated alike in all executors. Which
//! row is to blame is found by trying halves of the rows ([`search`](super::search)).

mod answers;
mod block;
mod exchange;
mod lines;
mod process;
mod quiet;
pub mod rows;
mod waits;

use crate::error::Error;
use crate::process::children::NUMBER;
use crate::process::death;
use crate::work::remote::Remote;
use crate::work::settings::Settings;
use crate::work::{Mapper, Work};
use exchange::Ended;
use process::Running;
use rows::Lines;
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// When a command answers, and how its lines are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// CMD prints a line for each row, at once or only at the end of its input; which of the two is found out
    #[default]
    Auto,
    /// A line for each row, without waiting for the end of the input; CMD's input is closed early only if the run could
    /// not go on otherwise
    Lines,
    /// Any number of lines for each block; each block has a process of its own
    Block,
}

/// A command over blocks of text.
pub struct Command {
    command: OsString,
    mode: Mode,
    lines: Lines,
    /// The exit statuses that mean success.
    good: Vec<i32>,
    settings: Settings,
    /// The number of the next worker.
    number: AtomicU32,
    /// Whether the run has failed, so that no answer is needed any more.
    is_abandoned: AtomicBool,
}

impl Command {
    /// Makes a work that runs `command` by `/bin/sh -c`. `settings` say how text is read and printed. `good` are the
    /// exit statuses that mean success. `is_worker` says whether this process is a worker: its parent has then put the
    /// worker's number into the environment.
    pub fn new(
        command: OsString,
        mode: Mode,
        lines: Lines,
        good: Vec<i32>,
        settings: Settings,
        is_worker: bool,
    ) -> Self {
        let given = std::env::var(NUMBER).ok().and_then(|number| number.parse().ok()).filter(|_| is_worker);
        let number = AtomicU32::new(given.unwrap_or(0));
        Command { command, mode, lines, good, settings, number, is_abandoned: AtomicBool::new(false) }
    }

    fn is_good(&self, code: Option<i32>) -> bool {
        code.is_some_and(|code| self.good.contains(&code))
    }

    /// Returns a hint for messages about a command that does not do what it should. `{}` in a command suggests that
    /// rows were meant to be inserted there, as xargs and parallel do.
    fn hint(&self) -> &'static str {
        let command = self.command.to_string_lossy();
        let means_rows = command.split_whitespace().any(|word| word.trim_matches(['"', '\'']) == "{}");
        if means_rows && !command.contains("xargs") && !command.contains("find") {
            "; rows come on the command's stdin, and {} is not replaced by them (xargs -I{} does that)"
        } else {
            ""
        }
    }
}

impl Work for Command {
    fn mapper<'m>(&'m self, _: Option<Remote<'m>>) -> Box<dyn Mapper + 'm> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        match self.mode {
            Mode::Block => Box::new(block::ByBlock::new(self, number)),
            Mode::Auto | Mode::Lines => Box::new(lines::ByLine::new(self, number)),
        }
    }

    fn map_task(&self, _: &[u8]) -> Result<(Vec<u8>, usize), Error> {
        Err(Error::usage("a command cannot be mapped by --executor pickle"))
    }

    fn has_end(&self) -> bool {
        true
    }

    fn abandon(&self) {
        self.is_abandoned.store(true, Ordering::Relaxed);
    }
}

/// Returns what the process died of, given that it has ended without a good answer, and whether that was its own fault
/// and no signal from outside ([`is_fault`](crate::process::death::is_fault)). `has_answered` says whether any process
/// of this worker has answered something, which shows that the command exists. `is_counted` says whether the command
/// must answer each row.
///
/// # Errors
/// If the command does not exist or cannot be executed. The string is the message.
fn failure(
    running: &mut Running,
    ended: Ended,
    has_answered: bool,
    is_counted: bool,
) -> Result<(String, bool), String> {
    let with_words = |what: String, words: String| if words.is_empty() { what } else { format!("{what}: {words}") };
    match ended {
        Ended::Exited(status) if !has_answered && matches!(status.code(), Some(126 | 127)) => {
            let code = status.code().unwrap_or_default();
            let words = running.last_words(false);
            Err(format!("{} (status {code})", with_words("the command cannot be run".to_string(), words)))
        }
        Ended::Exited(status) => {
            let early = if status.success() && is_counted { " before it had answered all rows" } else { "" };
            let cause = format!("{}{early}", death::cause(status));
            Ok((with_words(cause, running.last_words(true)), death::is_fault(status)))
        }
        Ended::Useless(what) => Ok((with_words(what.to_string(), running.last_words(true)), true)),
        Ended::Answered | Ended::TooMuch | Ended::TooEarly | Ended::Waits => {
            Ok(("answered too much".to_string(), true))
        }
    }
}
