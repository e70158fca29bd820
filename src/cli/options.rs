//! The options that every filter has, and what they come to together.

use super::values::{self, Quote};
use crate::csv::Format;
use crate::csv::columns::Columns;
use crate::error::Error;
use crate::executor::text::{OnBadRow, Settings};
use crate::executor::{self, Executor};
use crate::flow::Shape;
use crate::kernel::BatchKernel;
use crate::sandbox::Confinement;
use crate::segment::Sizes;
use std::path::PathBuf;
use std::time::Duration;

/// By how much the result region is larger than what it is for, so that a report of a bad row fits into it.
const REPORT_ROOM: usize = 1024;

/// The command line that every filter has.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// Files of rows, read in this order; stdin where there is none, or for `-`
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,

    /// The first row of each FILE is names
    #[arg(long)]
    pub(super) header: bool,

    /// The columns to read: names, which are in the first row then, or numbers from 1
    #[arg(short = 'k', long, value_name = "A,B", value_parser = Columns::parse, allow_hyphen_values = true)]
    pub(super) columns: Option<Columns>,

    /// What stands between fields: a character, or `tab`
    #[arg(short, long, value_name = "CHAR", value_parser = values::delimiter, default_value = ",", allow_hyphen_values = true)]
    pub(super) delimiter: u8,

    /// What stands around fields that hold delimiters or line ends: a character, or `none`
    #[arg(long, value_name = "CHAR", value_parser = values::quote, default_value = "\"", allow_hyphen_values = true)]
    pub(super) quote: Quote,

    /// Lines that begin with this are no rows
    #[arg(long, value_name = "CHAR", value_parser = values::comment)]
    pub(super) comment: Option<u8>,

    /// Print each row as it is, with its result as one more field; NAME is for the header
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(super) append: Option<String>,

    /// What becomes of bad rows; those that do not end the run are named on stderr
    #[arg(long, value_name = "HOW", value_enum, default_value = "stop")]
    pub(super) bad_rows: OnBadRow,

    /// End the run when there are more bad rows than this
    #[arg(long, value_name = "N")]
    pub(super) max_bad: Option<u64>,

    /// Write bad rows to FILE, as CSV with their places and what is wrong
    #[arg(long, value_name = "FILE")]
    pub(super) rejects: Option<PathBuf>,

    /// Number of workers [default: the processors this process may use]
    #[arg(short, long, value_name = "N", value_parser = values::jobs)]
    pub(super) jobs: Option<usize>,

    /// How the kernel is run
    #[arg(long, value_name = "HOW", value_enum, default_value = "shared")]
    pub(super) executor: Executor,

    /// Most bytes in a block, the share of input that a worker takes at a time; K, M and G are understood
    #[arg(long, value_name = "BYTES", value_parser = values::block_size, default_value = executor::DEFAULT_BLOCK_SIZE)]
    pub(super) block_size: usize,

    /// Let workers ask the system for anything, and not for memory and time alone
    #[arg(long)]
    pub(super) no_sandbox: bool,

    /// Most address space of a worker process; K, M and G are understood
    #[arg(long, value_name = "BYTES", value_parser = values::memory, default_value = "8G")]
    pub(super) worker_memory: u64,

    /// Kill a worker that holds a block for longer than this, and compute the block again
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(super) block_timeout: Option<Duration>,

    /// Most rows in a task of the pickle executor; Python's own default is 1, which measures its messages and not pickling
    #[arg(long, value_name = "ROWS", value_parser = values::chunk_size, default_value_t = executor::DEFAULT_CHUNK_SIZE)]
    pub(super) chunk_size: usize,

    /// Print up to N ranges of FILE that together are all of it and hold whole rows: `offset,length,first_line`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with_all = ["compare", "range"])]
    pub(super) split: Option<u64>,

    /// Compute one of the ranges of FILE that --split prints; a header is read from the front of FILE
    #[arg(long, value_name = "OFFSET,LENGTH", value_parser = values::range, requires = "first_line", conflicts_with = "compare")]
    pub(super) range: Option<(u64, u64)>,

    /// With --range: the number of the line that it begins with
    #[arg(long, value_name = "N", requires = "range")]
    pub(super) first_line: Option<u64>,

    /// Print how the executors compare on these rows, or on some made for this, and not the results
    #[arg(long, conflicts_with_all = ["executor", "output", "append", "bad_rows", "max_bad", "rejects"])]
    pub(super) compare: bool,

    /// With --compare: print it as JSON
    #[arg(long, requires = "compare")]
    pub(super) json: bool,

    /// With --compare: draw time against work a row as SVG
    #[arg(long, requires = "compare", value_name = "FILE")]
    pub(super) plot: Option<PathBuf>,

    /// Write to FILE, which appears when it is complete, and not to stdout
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

impl Options {
    /// How rows are read and results printed, if the options and the kernel agree.
    pub(super) fn settings(&self, kernel: &impl BatchKernel) -> Result<Settings, Error> {
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

    pub(super) fn has_header(&self) -> bool {
        self.header || self.columns.as_ref().is_some_and(Columns::has_names)
    }

    /// How the inputs are written.
    pub(super) fn shape(&self, format: Format, kernel: &impl BatchKernel) -> Shape {
        let name = |name: &String| if name.is_empty() { kernel.result_name().to_string() } else { name.clone() };
        let append = self.append.as_ref().map(name);
        Shape { format, has_header: self.has_header(), columns: self.columns.clone(), append }
    }

    /// The sizes of a slot.
    pub(super) fn sizes(&self) -> Sizes {
        let head = self.columns.as_ref().map_or(0, Columns::head_size);
        // Rows that are printed again take as much as there is of them, and their results.
        let results = if self.append.is_some() { 2 * self.block_size } else { self.block_size };
        Sizes { head, block: self.block_size, room: results + REPORT_ROOM }
    }
}
