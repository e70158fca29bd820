//! The command line: its options and the kernel are made into a plan, and the plan is run.

#[cfg(feature = "stock")]
mod command;
#[cfg(feature = "compare")]
mod comparison;
#[cfg(feature = "pages")]
mod completions;
mod files;
mod help;
#[cfg(feature = "stock")]
mod kernel;
#[cfg(feature = "pages")]
mod manual;
mod map;
pub mod names;
#[cfg(any(feature = "stock", feature = "pages"))]
mod near;
mod options;
pub mod plan;
#[cfg(feature = "stock")]
mod probe;
mod progress;
#[cfg(feature = "stock")]
mod python;
mod run;
mod split;
mod stats;
mod values;

#[cfg(feature = "stock")]
pub use command::CommandOptions;
#[cfg(feature = "stock")]
pub use kernel::KernelOptions;
pub use options::Options;
#[cfg(feature = "stock")]
pub use python::PythonOptions;

use crate::error::{Error, program};
use crate::kernel::batch::BatchKernel;
use crate::process::console::say_last;
use crate::process::streams::die_of_broken_pipe;
use clap::{Args, FromArgMatches};
use std::process::ExitCode;

/// The heading of the options that say what is mapped over the rows.
#[cfg(feature = "stock")]
const FUNCTION: &str = "Function";

const EXIT_STATUS: &str = "Exit status: 0 done, 1 bad rows, 2 usage or I/O, 3 workers kept failing.";

/// Prints the error of `result` on stderr, if there is one, and returns the exit status. If the error is that no
/// process reads the output any more, this process dies by SIGPIPE instead, without a message.
fn status(result: Result<(), Error>) -> u8 {
    let Err(error) = result else { return 0 };
    if error.is_broken_pipe() {
        die_of_broken_pipe();
    }
    say_last(&error);
    error.exit_status()
}

/// Does what [`status`] does, and returns the exit status in the form that `main` returns.
fn end(result: Result<(), Error>) -> ExitCode {
    ExitCode::from(status(result))
}

/// Runs a whole filter around a kernel of your own: the command line, the executors, error messages and exit statuses.
/// Returns the status for `main` to end with.
///
/// `about` is the first line of the help. Each worker process is this program, started again, so call this function
/// first thing in `main`; see [`Options::run`]. Beside `main` write
/// [`note_closed_streams!`](crate::note_closed_streams): without it, what the program prints while stdout is closed is
/// lost without an error.
///
/// ```no_run
/// use pmapgcd::Kernel;
///
/// pmapgcd::note_closed_streams!();
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
    let command = command.about(about).long_about(None).after_help(EXIT_STATUS).max_term_width(80);
    match Options::from_arg_matches(&help::matches(help::of_kernel(command, kernel))) {
        Ok(options) => options.run(kernel),
        Err(error) => error.exit(),
    }
}

/// Parses the command line of a program that has options of its own beside [`Options`]. Like clap's `Parser::parse`, it
/// exits with status 2 after an error, and with 0 after help. It also prints the manual page for `--man` and the
/// completions for `--completions`, and exits. In what is printed, the program has the name by which it was started.
///
/// ```no_run
/// #[derive(clap::Parser)]
/// struct Arguments {
///     #[command(flatten)]
///     options: pmapgcd::Options,
///     /// Most steps
///     #[arg(long, default_value_t = 1000)]
///     steps: u32,
/// }
///
/// fn main() -> std::process::ExitCode {
///     let arguments: Arguments = pmapgcd::parse();
///     arguments.options.run(&Steps(arguments.steps))
/// }
///
/// struct Steps(u32);
///
/// impl pmapgcd::Kernel for Steps {
///     type Row = (u32, u32);
///     type Output = u32;
///     fn map(&self, &(a, b): &(u32, u32)) -> u32 {
///         (a ^ b) % self.0
///     }
/// }
/// ```
pub fn parse<P: clap::Parser>() -> P {
    let command = P::command().name(program());
    P::from_arg_matches(&help::matches(command)).unwrap_or_else(|error| error.exit())
}
