//! The command line.

use crate::error::{Error, program, say};
use crate::executor::{self, Executor, Job, MAX_BLOCK_SIZE, MAX_JOBS, MIN_BLOCK_SIZE};
use crate::flow::reader::Input;
use crate::kernel::Kernel;
use crate::output::Output;
use clap::{Args, FromArgMatches};
use rustix::fd::AsFd;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

/// The command line that every filter has.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// Files of rows, read in this order; stdin where there is none, or for `-`
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Number of workers [default: the processors this process may use]
    #[arg(short, long, value_name = "N", value_parser = jobs)]
    jobs: Option<usize>,

    /// How the kernel is run
    #[arg(long, value_name = "HOW", value_enum, default_value = "shared")]
    executor: Executor,

    /// Most bytes in a block, the share of input that a worker takes at a time; K, M and G are understood
    #[arg(long, value_name = "BYTES", value_parser = block_size, default_value = executor::DEFAULT_BLOCK_SIZE)]
    block_size: usize,

    /// Write to FILE, which appears when it is complete, and not to stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

const EXIT_STATUS: &str = "Exit status: 0 done, 1 a bad row, 2 usage or I/O, 3 workers kept dying.";

impl Options {
    /// Runs the filter that these ask for, or the part of it that this process was started for, and answers with the
    /// status to end with.
    ///
    /// Each worker is this program again with the same arguments, so whatever is done before this call is done in each
    /// of them too: parse the arguments, make the kernel, and come here.
    pub fn run<K: Kernel>(self, kernel: &K) -> ExitCode {
        if let Some(status) = executor::worker::reenter(kernel) {
            return status;
        }
        match self.map(kernel) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if error.is_broken_pipe() => {
                // Rust ignores SIGPIPE; a filter whose reader is gone dies of it, in silence.
                let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGPIPE);
                ExitCode::from(error.exit_status())
            }
            Err(error) => {
                say(&error);
                ExitCode::from(error.exit_status())
            }
        }
    }

    fn map<K: Kernel>(self, kernel: &K) -> Result<(), Error> {
        let inputs = inputs(self.files);
        let output = match &self.output {
            Some(path) => Output::file(path)?,
            None => Output::stdout()?,
        };
        output.is_none_of(&inputs)?;
        let job = Job {
            inputs,
            output: output.as_fd(),
            output_name: output.name().to_string(),
            jobs: self.jobs.unwrap_or_else(processors),
            block_size: self.block_size,
        };
        self.executor.run(kernel, job)?;
        output.complete()
    }
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
pub fn filter<K: Kernel>(about: &'static str, kernel: &K) -> ExitCode {
    let command =
        Options::augment_args(clap::Command::new(program()).about(about).after_help(EXIT_STATUS).max_term_width(100));
    // Usage errors exit with 2 in here, --help with 0.
    match Options::from_arg_matches(&command.get_matches()) {
        Ok(options) => options.run(kernel),
        Err(error) => error.exit(),
    }
}

fn inputs(files: Vec<PathBuf>) -> Vec<Input> {
    if files.is_empty() {
        if io::stdin().is_terminal() {
            say(&"waiting for rows like 12,18 from the terminal; Ctrl-D ends them");
        }
        return vec![Input::Stdin];
    }
    let input = |path: PathBuf| if path.as_os_str() == "-" { Input::Stdin } else { Input::Path(path) };
    files.into_iter().map(input).collect()
}

/// The processors that this process may use, by its affinity and its control groups.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(MAX_JOBS))
}

fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs @ 1..=MAX_JOBS) => Ok(jobs),
        _ => Err(format!("a number of workers from 1 to {MAX_JOBS} is expected")),
    }
}

fn block_size(text: &str) -> Result<usize, String> {
    let upper = text.to_ascii_uppercase();
    let (digits, unit) = match upper.strip_suffix(['K', 'M', 'G']) {
        Some(digits) => (
            digits,
            match upper.as_bytes().last() {
                Some(b'K') => 1 << 10,
                Some(b'M') => 1 << 20,
                _ => 1 << 30,
            },
        ),
        None => (upper.as_str(), 1usize),
    };
    let bytes = digits.parse::<usize>().ok().and_then(|count| count.checked_mul(unit));
    match bytes {
        Some(bytes @ MIN_BLOCK_SIZE..=MAX_BLOCK_SIZE) => Ok(bytes),
        _ => Err(format!("a number of bytes from {MIN_BLOCK_SIZE} to {}G is expected", MAX_BLOCK_SIZE >> 30)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_limits() {
        assert_eq!(block_size("64"), Ok(64));
        assert_eq!(block_size("1m"), Ok(1 << 20));
        assert_eq!(block_size("1G"), Ok(1 << 30));
        for bad in ["", "K", "63", "2G", "-1", "1.5M", "99999999999999999999", "18446744073709551615G", "64 K"] {
            assert!(block_size(bad).is_err(), "{bad}");
        }
    }
}
