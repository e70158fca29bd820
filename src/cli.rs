//! The command line.

use crate::compare::trial::Trial;
use crate::compare::{Workload, compare};
use crate::error::{Error, program, say};
use crate::executor::block::{Mapping, Text};
use crate::executor::{self, Executor, Job, MAX_BLOCK_SIZE, MAX_JOBS, MIN_BLOCK_SIZE};
use crate::flow::reader::{Input, Reader, Watch};
use crate::flow::writer::Writer;
use crate::flow::{Block, Ending, Source};
use crate::kernel::Kernel;
use crate::output::Output;
use clap::{Args, FromArgMatches};
use rustix::fd::AsFd;
use rustix::fs::FileType;
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

    /// Most rows in a task of the pickle executor; Python's own default is 1, which measures its messages and not pickling
    #[arg(long, value_name = "ROWS", value_parser = chunk_size, default_value_t = executor::DEFAULT_CHUNK_SIZE)]
    chunk_size: usize,

    /// Print how the executors compare on these rows, or on some made for this, and not the results
    #[arg(long, conflicts_with_all = ["executor", "output"])]
    compare: bool,

    /// With --compare: print it as JSON
    #[arg(long, requires = "compare")]
    json: bool,

    /// With --compare: draw time against work a row as SVG
    #[arg(long, requires = "compare", value_name = "FILE")]
    plot: Option<PathBuf>,

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
        let trial = match Trial::of_this_process() {
            Ok(trial) => trial,
            Err(error) => return end(Err(error)),
        };
        match trial {
            None => self.run_over(&Mapping::new(kernel, Text), kernel, None),
            Some(trial) => self.run_over(&Mapping::new(&trial.graded(kernel), Text), kernel, Some(trial)),
        }
    }

    fn run_over<K: Kernel, L: Kernel>(self, mapping: &Mapping<K, Text>, kernel: &L, trial: Option<Trial>) -> ExitCode {
        if let Some(status) = executor::worker::reenter(mapping) {
            return status;
        }
        if executor::worker::is_worker() {
            return end(Err(executor::worker::not_for_you()));
        }
        end(match trial {
            Some(trial) => self.try_out(mapping, trial),
            None if self.compare => self.compare(mapping, kernel),
            None => {
                let executor = self.executor;
                self.map(mapping, executor, None)
            }
        })
    }

    /// What a trial is told to do, with the rest of the settings from the command line.
    fn try_out<K: Kernel>(mut self, mapping: &Mapping<K, Text>, trial: Trial) -> Result<(), Error> {
        self.files.clear();
        self.output = trial.accounts().then(|| PathBuf::from("/dev/null"));
        (self.block_size, self.chunk_size) = trial.pieces().unwrap_or((self.block_size, self.chunk_size));
        self.map(mapping, trial.executor(), Some(trial))
    }

    fn compare<K: Kernel>(self, mapping: &Mapping<K, Text>, kernel: &impl Kernel) -> Result<(), Error> {
        // A terminal or /dev/null; an empty pipe is more likely to be an accident.
        let is_without_input = self.files.is_empty() && is_character_device(&io::stdin());
        let inputs = if is_without_input { vec![] } else { inputs(self.files) };
        let names: Vec<String> = inputs.iter().map(Input::name).collect();
        let plot = self.plot.as_deref().map(Output::file).transpose()?;
        plot.iter().try_for_each(|plot| plot.is_none_of(&inputs))?;
        // Once through, so that a bad row is named by its file and line, and not after half of the measurement.
        let (stop, stdout) = (executor::bell()?, Output::stdout()?);
        let nowhere = Output::file("/dev/null".as_ref())?;
        let watch = Watch { stop: stop.as_fd(), output: stdout.as_fd() };
        let mut copy = Copied { reader: Reader::new(inputs, watch), rows: vec![] };
        let job = Job {
            source: &mut copy,
            sink: &mut Writer::new(&nowhere, String::new(), names.clone(), self.block_size),
            stop: &stop,
            jobs: 1,
            block_size: self.block_size,
            chunk_size: self.chunk_size,
        };
        Executor::Serial.run(mapping, job)?;
        let mut workload = Workload {
            rows: copy.rows,
            name: names.join(", "),
            jobs: self.jobs.unwrap_or_else(executor::processors),
            block_size: self.block_size,
            chunk_size: self.chunk_size,
        };
        if is_without_input {
            const ROWS: u64 = 1_000_000;
            workload.name = "the kernel's own sample".to_string();
            for number in 0..ROWS {
                let row = kernel.sample(number);
                let no_sample = || Error::usage("this kernel has no rows of its own to compare with: give it a FILE");
                workload.rows.extend_from_slice(row.ok_or_else(no_sample)?.as_bytes());
                workload.rows.push(b'\n');
            }
        }
        compare(workload, self.json, plot)
    }

    fn map<K: Kernel>(self, mapping: &Mapping<K, Text>, executor: Executor, trial: Option<Trial>) -> Result<(), Error> {
        let inputs = inputs(self.files);
        let names = inputs.iter().map(Input::name).collect();
        let output = match &self.output {
            Some(path) if path.as_os_str() != "-" => Output::file(path)?,
            _ => Output::stdout()?,
        };
        output.is_none_of(&inputs)?;
        let stop = executor::bell()?;
        let watch = Watch { stop: stop.as_fd(), output: output.as_fd() };
        let job = Job {
            source: &mut Reader::new(inputs, watch),
            sink: &mut Writer::new(&output, output.name().to_string(), names, self.block_size),
            stop: &stop,
            jobs: self.jobs.unwrap_or_else(executor::processors),
            block_size: self.block_size,
            chunk_size: self.chunk_size,
        };
        executor.run(mapping, job)?;
        if trial.is_some_and(|trial| trial.accounts()) {
            Trial::give_account();
        }
        output.complete()
    }
}

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

/// What a reader reads, kept: all rows, each with its end.
struct Copied<'a> {
    reader: Reader<'a>,
    rows: Vec<u8>,
}

impl Source for Copied<'_> {
    fn next_block(&mut self, buffer: &mut [u8]) -> Result<Block, Ending> {
        let block = self.reader.next_block(buffer)?;
        self.rows.extend_from_slice(&buffer[..block.length]);
        if !self.rows.ends_with(b"\n") {
            self.rows.push(b'\n');
        }
        Ok(block)
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
    let command = Options::augment_args(clap::Command::new(program()));
    let command = command.about(about).long_about(None).after_help(EXIT_STATUS).max_term_width(100);
    // Usage errors exit with 2 in here, --help with 0.
    match Options::from_arg_matches(&command.get_matches()) {
        Ok(options) => options.run(kernel),
        Err(error) => error.exit(),
    }
}

fn is_character_device(file: &impl AsFd) -> bool {
    rustix::fs::fstat(file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice)
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

fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs @ 1..=MAX_JOBS) => Ok(jobs),
        _ => Err(format!("a number of workers from 1 to {MAX_JOBS} is expected")),
    }
}

fn chunk_size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rows @ 1..) => Ok(rows),
        _ => Err("a number of rows from 1 is expected".to_string()),
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
