//! Where a run writes to, and what becomes of that at its end.

use super::options::Options;
use crate::error::Error;
use crate::output::Output;
use crate::process::console::say;
use std::path::Path;

/// What a run writes.
pub struct Targets {
    /// Results.
    pub results: Output,
    /// Bad rows.
    pub rejects: Option<Output>,
}

impl Targets {
    /// Where these options have results and bad rows go.
    ///
    /// # Errors
    /// When they cannot be written there.
    pub fn of(options: &Options) -> Result<Self, Error> {
        let results = options.output.as_deref().map_or_else(Output::stdout, output_to)?;
        Ok(Targets { results, rejects: options.rejects.as_deref().map(output_to).transpose()? })
    }

    /// Whether anything of it appears on a terminal.
    pub fn is_on_terminal(&self) -> bool {
        self.results.is_terminal() || self.rejects.as_ref().is_some_and(Output::is_terminal)
    }
}

/// Where a FILE for output is, or stdout for `-`.
pub fn output_to(path: &Path) -> Result<Output, Error> {
    if path.as_os_str() == "-" { Output::stdout() } else { Output::file(path) }
}

/// The error to end with, of what became of a run, its rejects and its results. One of an output outweighs one of the run:
/// what the run says of its rows is true only if what it wrote is there. The others are said, none twice.
pub fn outcome([ended, rejected, written]: [Result<(), Error>; 3]) -> Result<(), Error> {
    let is_broken_pipe = ended.as_ref().is_err_and(Error::is_broken_pipe);
    let in_turn = if is_broken_pipe { [rejected, written, ended] } else { [ended, rejected, written] };
    let mut errors = in_turn.into_iter().filter_map(Result::err).peekable();
    while let Some(error) = errors.next() {
        match errors.peek() {
            None => return Err(error),
            Some(next) if next.to_string() == error.to_string() => {}
            Some(_) => say(&error),
        }
    }
    Ok(())
}
