//! The command line.

mod options;
mod ranges;
mod run;
mod values;

pub use options::Options;

use crate::error::{Error, program, say};
use crate::kernel::BatchKernel;
use clap::{Args, FromArgMatches};
use std::process::ExitCode;

const EXIT_STATUS: &str = "Exit status: 0 done, 1 bad rows, 2 usage or I/O, 3 workers kept dying.";

/// Says what went wrong, if anything did, and answers with the status to end with.
fn end(result: Result<(), Error>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if error.is_broken_pipe() {
        // Rust ignores SIGPIPE; a filter whose reader is gone dies of it, in silence.
        let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGPIPE);
    } else {
        say(&error);
    }
    ExitCode::from(error.exit_status())
}

/// A whole filter: the command line, the executors, the errors and exit statuses, around a kernel of your own.
///
/// `about` is the first line of its help.
///
/// ```no_run
/// use pmapgcd::Kernel;
///
/// struct Hypotenuse;
///
/// impl Kernel for Hypotenuse {
///     type Row = (f64, f64);
///     type Output = f64;
///     fn map(&self, &(a, b): &(f64, f64)) -> f64 {
///         a.hypot(b)
///     }
/// }
///
/// fn main() -> std::process::ExitCode {
///     pmapgcd::filter("Print the hypotenuse of each row `a,b`", &Hypotenuse)
/// }
/// ```
pub fn filter<K: BatchKernel>(about: &'static str, kernel: &K) -> ExitCode {
    let command = Options::augment_args(clap::Command::new(program()));
    let command = command.about(about).long_about(None).after_help(EXIT_STATUS).max_term_width(100);
    // Usage errors exit with 2 in here, --help with 0.
    match Options::from_arg_matches(&command.get_matches()) {
        Ok(options) => options.run(kernel),
        Err(error) => error.exit(),
    }
}
