//! The command line.

mod values;

use crate::compare::trial::Trial;
use crate::compare::{Workload, compare};
use crate::csv::Format;
use crate::csv::columns::Columns;
use crate::error::{Error, program, say};
use crate::executor::text::{OnBadRow, Settings, Text};
use crate::executor::{self, Executor, Job};
use crate::flow::bad_rows::BadRows;
use crate::flow::reader::{Input, Reader, Watch};
use crate::flow::writer::Writer;
use crate::flow::{Block, Ending, Shape, Source};
use crate::kernel::BatchKernel;
use crate::output::Output;
use crate::sandbox::Confinement;
use crate::segment::Sizes;
use crate::vectors::Vectors;
use clap::{Args, FromArgMatches};
use rustix::fd::AsFd;
use rustix::fs::FileType;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use values::Quote;

/// By how much the result region is larger than what it is for, so that a report of a bad row fits into it.
const REPORT_ROOM: usize = 1024;

/// The command line that every filter has.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// Files of rows, read in this order; stdin where there is none, or for `-`
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The first row of each FILE is names
    #[arg(long)]
    header: bool,

    /// The columns to read: names, which are in the first row then, or numbers from 1
    #[arg(short = 'k', long, value_name = "A,B", value_parser = Columns::parse, allow_hyphen_values = true)]
    columns: Option<Columns>,

    /// What stands between fields: a character, or `tab`
    #[arg(short, long, value_name = "CHAR", value_parser = values::delimiter, default_value = ",", allow_hyphen_values = true)]
    delimiter: u8,

    /// What stands around fields that hold delimiters or line ends: a character, or `none`
    #[arg(long, value_name = "CHAR", value_parser = values::quote, default_value = "\"", allow_hyphen_values = true)]
    quote: Quote,

    /// Lines that begin with this are no rows
    #[arg(long, value_name = "CHAR", value_parser = values::comment)]
    comment: Option<u8>,

    /// Print each row as it is, with its result as one more field; NAME is for the header
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    append: Option<String>,

    /// What becomes of bad rows; those that do not end the run are named on stderr
    #[arg(long, value_name = "HOW", value_enum, default_value = "stop")]
    bad_rows: OnBadRow,

    /// End the run when there are more bad rows than this
    #[arg(long, value_name = "N")]
    max_bad: Option<u64>,

    /// Write bad rows to FILE, as CSV with their places and what is wrong
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,

    /// Number of workers [default: the processors this process may use]
    #[arg(short, long, value_name = "N", value_parser = values::jobs)]
    jobs: Option<usize>,

    /// How the kernel is run
    #[arg(long, value_name = "HOW", value_enum, default_value = "shared")]
    executor: Executor,

    /// Most bytes in a block, the share of input that a worker takes at a time; K, M and G are understood
    #[arg(long, value_name = "BYTES", value_parser = values::block_size, default_value = executor::DEFAULT_BLOCK_SIZE)]
    block_size: usize,

    /// Let workers ask the system for anything, and not for memory and time alone
    #[arg(long)]
    no_sandbox: bool,

    /// Most address space of a worker process; K, M and G are understood
    #[arg(long, value_name = "BYTES", value_parser = values::memory, default_value = "8G")]
    worker_memory: u64,

    /// Kill a worker that holds a block for longer than this, and compute the block again
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    block_timeout: Option<Duration>,

    /// Most rows in a task of the pickle executor; Python's own default is 1, which measures its messages and not pickling
    #[arg(long, value_name = "ROWS", value_parser = values::chunk_size, default_value_t = executor::DEFAULT_CHUNK_SIZE)]
    chunk_size: usize,

    /// Print how the executors compare on these rows, or on some made for this, and not the results
    #[arg(long, conflicts_with_all = ["executor", "output", "append", "bad_rows", "max_bad", "rejects"])]
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

const EXIT_STATUS: &str = "Exit status: 0 done, 1 bad rows, 2 usage or I/O, 3 workers kept dying.";

impl Options {
    /// Runs the filter that these ask for, or the part of it that this process was started for, and answers with the
    /// status to end with.
    ///
    /// Each worker is this program again with the same arguments, so whatever is done before this call is done in each
    /// of them too: parse the arguments, make the kernel, and come here.
    pub fn run<K: BatchKernel>(self, kernel: &K) -> ExitCode {
        if let Err(what) = Vectors::check_environment() {
            return end(Err(Error::usage(what)));
        }
        let (settings, trial) =
            match self.settings(kernel).and_then(|settings| Ok((settings, Trial::of_this_process()?))) {
                Ok(found) => found,
                Err(error) => return end(Err(error)),
            };
        match trial {
            None => self.run_over(&Text::new(kernel, settings), kernel, None),
            Some(trial) => self.run_over(&Text::new(&trial.graded(kernel), settings), kernel, Some(trial)),
        }
    }

    /// How rows are read and results printed, if the options and the kernel agree.
    fn settings(&self, kernel: &impl BatchKernel) -> Result<Settings, Error> {
        let format = Format { delimiter: self.delimiter, quote: self.quote.0, comment: self.comment };
        let twice = format.quote == Some(format.delimiter)
            || format.comment == Some(format.delimiter)
            || (format.comment.is_some() && format.comment == format.quote);
        if twice {
            return Err(Error::usage("--delimiter, --quote and --comment have to differ"));
        }
        if let (Some(columns), Some(fields)) = (&self.columns, kernel.fields())
            && columns.count() != fields
        {
            let count = columns.count();
            return Err(Error::usage(format!("--columns names {count} where {fields} are expected, like -k 1,2")));
        }
        if self.append.as_ref().is_some_and(|name| !name.is_empty()) && !self.has_header() {
            return Err(Error::usage("--append=NAME is for a header, and there is none without --header"));
        }
        if self.block_timeout.is_some() && self.executor != Executor::Shared {
            return Err(Error::usage("--block-timeout goes with --executor shared"));
        }
        if let (Some(name), None) = (&self.append, format.quote)
            && name.bytes().any(|byte| byte == format.delimiter)
        {
            return Err(Error::usage("the NAME of --append has the delimiter in it, and there are no quotes"));
        }
        if self.max_bad.is_some() && self.bad_rows == OnBadRow::Stop {
            return Err(Error::usage("--max-bad goes with --bad-rows skip or --bad-rows blank"));
        }
        let confinement = Confinement { filter: !self.no_sandbox, memory: Some(self.worker_memory) };
        Ok(Settings { format, append: self.append.is_some(), on_bad_row: self.bad_rows, confinement })
    }

    fn has_header(&self) -> bool {
        self.header || self.columns.as_ref().is_some_and(Columns::has_names)
    }

    /// How the inputs are written.
    fn shape(&self, format: Format, kernel: &impl BatchKernel) -> Shape {
        let name = |name: &String| if name.is_empty() { kernel.result_name().to_string() } else { name.clone() };
        let append = self.append.as_ref().map(name);
        Shape { format, has_header: self.has_header(), columns: self.columns.clone(), append }
    }

    /// The sizes of a slot.
    fn sizes(&self) -> Sizes {
        let head = self.columns.as_ref().map_or(0, Columns::head_size);
        // Rows that are printed again take as much as there is of them, and their results.
        let results = if self.append.is_some() { 2 * self.block_size } else { self.block_size };
        Sizes { head, block: self.block_size, room: results + REPORT_ROOM }
    }

    fn run_over<K: BatchKernel>(self, mapping: &Text<K>, kernel: &impl BatchKernel, trial: Option<Trial>) -> ExitCode {
        if let Some(status) = executor::worker::reenter(mapping) {
            return status;
        }
        if executor::worker::is_worker() {
            return end(Err(executor::worker::not_for_you()));
        }
        end(match trial {
            Some(trial) => self.try_out(mapping, kernel, trial),
            None if self.compare => self.compare(mapping, kernel),
            None => {
                let executor = self.executor;
                self.map(mapping, kernel, executor, None)
            }
        })
    }

    /// What a trial is told to do, with the rest of the settings from the command line.
    fn try_out<K: BatchKernel>(
        mut self,
        mapping: &Text<K>,
        kernel: &impl BatchKernel,
        trial: Trial,
    ) -> Result<(), Error> {
        self.files.clear();
        self.output = trial.accounts().then(|| PathBuf::from("/dev/null"));
        (self.block_size, self.chunk_size) = trial.pieces().unwrap_or((self.block_size, self.chunk_size));
        self.map(mapping, kernel, trial.executor(), Some(trial))
    }

    fn compare<K: BatchKernel>(self, mapping: &Text<K>, kernel: &impl BatchKernel) -> Result<(), Error> {
        // A terminal or /dev/null; an empty pipe is more likely to be an accident.
        let is_without_input = self.files.is_empty() && is_character_device(&io::stdin());
        if self.has_header() && (is_without_input || self.files.len() > 1) {
            return Err(Error::usage("with a header, --compare takes one FILE, or rows from stdin"));
        }
        if is_without_input && (self.columns.is_some() || mapping.format() != Format::default()) {
            return Err(Error::usage(
                "--compare makes rows of two fields with a comma itself; give it a FILE for others",
            ));
        }
        let shape = self.shape(mapping.format(), kernel);
        let inputs = if is_without_input { vec![] } else { inputs(&self.files) };
        let names: Vec<String> = inputs.iter().map(Input::name).collect();
        let plot = self.plot.as_deref().map(Output::file).transpose()?;
        plot.iter().try_for_each(|plot| plot.is_none_of(&inputs))?;
        // Once through, so that a bad row is named by its file and line, and not after half of the measurement.
        let (stop, stdout) = (executor::bell()?, Output::stdout()?);
        let nowhere = Output::file("/dev/null".as_ref())?;
        let watch = Watch { stop: stop.as_fd(), output: stdout.as_fd() };
        let sizes = self.sizes();
        let mut copy =
            Copied { reader: Reader::new(inputs, shape, watch), head: sizes.head, header: vec![], rows: vec![] };
        let job = Job {
            source: &mut copy,
            sink: &mut self.writer(&nowhere, &names, mapping.format(), BadRows::new(None)),
            stop: &stop,
            jobs: 1,
            sizes,
            block_timeout: None,
            chunk_size: self.chunk_size,
        };
        Executor::Serial.run(mapping, job)?;
        let mut workload = Workload {
            format: mapping.format(),
            header: copy.header,
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
                let row = kernel.sample_row(number);
                let no_sample = || Error::usage("this kernel has no rows of its own to compare with: give it a FILE");
                workload.rows.extend_from_slice(row.ok_or_else(no_sample)?.as_bytes());
                workload.rows.push(b'\n');
            }
        }
        compare(workload, self.json, plot)
    }

    fn map<K: BatchKernel>(
        self,
        mapping: &Text<K>,
        kernel: &impl BatchKernel,
        executor: Executor,
        trial: Option<Trial>,
    ) -> Result<(), Error> {
        let inputs = inputs(&self.files);
        let names: Vec<String> = inputs.iter().map(Input::name).collect();
        let output = self.output.as_deref().map_or_else(Output::stdout, output_to)?;
        output.is_none_of(&inputs)?;
        let rejects = self.rejects.as_deref().map(output_to).transpose()?;
        let mut bad_rows = BadRows::new(match self.bad_rows {
            OnBadRow::Stop => None,
            OnBadRow::Skip | OnBadRow::Blank => Some(self.max_bad.unwrap_or(u64::MAX)),
        });
        if let Some(rejects) = &rejects {
            rejects.is_none_of(&inputs)?;
            rejects.is_not(&output)?;
            bad_rows = bad_rows.written_to(rejects.file_to_write()?, rejects.name())?;
        }
        let stop = executor::bell()?;
        let watch = Watch { stop: stop.as_fd(), output: output.as_fd() };
        let reader = Reader::new(inputs, self.shape(mapping.format(), kernel), watch);
        let mut writer = self.writer(&output, &names, mapping.format(), bad_rows);
        let job = Job {
            source: &mut reader.passing_over(self.bad_rows != OnBadRow::Stop),
            sink: &mut writer,
            stop: &stop,
            jobs: self.jobs.unwrap_or_else(executor::processors),
            sizes: self.sizes(),
            block_timeout: self.block_timeout,
            chunk_size: self.chunk_size,
        };
        let ended = executor.run(mapping, job);
        let bad_rows = writer.bad_rows();
        let count = bad_rows.count();
        // However it ended, these are the rows to look at; but a run that found nothing does not replace what was found
        // before.
        let rejects = rejects.filter(|_| count > 0 || ended.is_ok());
        let rejected = bad_rows.flush().and_then(|()| rejects.map_or(Ok(()), Output::complete));
        if let (Err(_), Err(error)) = (&ended, &rejected) {
            say(error);
        }
        ended.and(rejected)?;
        if trial.is_some_and(|trial| trial.accounts()) {
            Trial::give_account();
        }
        output.complete()?;
        if count > 0 { Err(Error::bad_rows(count)) } else { Ok(()) }
    }

    fn writer<'a>(&self, output: &'a Output, names: &[String], format: Format, bad_rows: BadRows) -> Writer<'a> {
        let writer = Writer::new(output, output.name().to_string(), names.to_vec(), bad_rows);
        let blank: &[u8] = if self.bad_rows == OnBadRow::Blank { b"\n" } else { b"" };
        writer.headless((!self.has_header()).then_some(format)).blank(blank)
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
    /// How much stands before the rows in each buffer.
    head: usize,
    header: Vec<u8>,
    rows: Vec<u8>,
}

impl Source for Copied<'_> {
    fn next_block(&mut self, buffer: &mut [u8]) -> Result<Block, Ending> {
        let block = self.reader.next_block(buffer)?;
        self.header.extend_from_slice(&buffer[self.head..block.rows.start]);
        self.rows.extend_from_slice(&buffer[block.rows.clone()]);
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
pub fn filter<K: BatchKernel>(about: &'static str, kernel: &K) -> ExitCode {
    let command = Options::augment_args(clap::Command::new(program()));
    let command = command.about(about).long_about(None).after_help(EXIT_STATUS).max_term_width(100);
    // Usage errors exit with 2 in here, --help with 0.
    match Options::from_arg_matches(&command.get_matches()) {
        Ok(options) => options.run(kernel),
        Err(error) => error.exit(),
    }
}

/// Where a FILE for output is, or stdout for `-`.
fn output_to(path: &Path) -> Result<Output, Error> {
    if path.as_os_str() == "-" { Output::stdout() } else { Output::file(path) }
}

fn is_character_device(file: &impl AsFd) -> bool {
    rustix::fs::fstat(file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice)
}

fn inputs(files: &[PathBuf]) -> Vec<Input> {
    if files.is_empty() {
        if io::stdin().is_terminal() {
            say(&"waiting for rows like 12,18 from the terminal; Ctrl-D ends them");
        }
        return vec![Input::Stdin];
    }
    let input = |path: &PathBuf| if path.as_os_str() == "-" { Input::Stdin } else { Input::Path(path.clone()) };
    files.iter().map(input).collect()
}
