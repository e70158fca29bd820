//! The options that every filter has. `cli/plan.rs` derives from them what the process is to do.
//!
//! The file has more than 300 lines because each option has its help here.

use super::values::{self, Delimiter, Quote};
use crate::csv::Format;
use crate::csv::columns::Columns;
use crate::csv::notation::Notation;
use crate::executor::{DEFAULT_CHUNK_SIZE, Executor, MAX_BLOCK_SIZE, MAX_JOBS, MIN_BLOCK_SIZE};
use crate::work::text::OnBadRow;
use clap::{ArgAction, ValueHint};
#[cfg(feature = "pages")]
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

// The headings under which the help lists the options.
const ROWS: &str = "Rows";
const OUTPUT: &str = "Output";
const WORK: &str = "Workers";
/// The heading of the last group. `cli/help.rs` adds `--help` and `--version` to it.
pub const MORE: &str = "More";
/// The id of the argument FILE in clap.
pub const FILES: &str = "files";

/// The least value of `--worker-memory`, in bytes. A single long row and its result can need as much.
const LEAST_MEMORY: u64 = 64 << 20;
/// The default of `--worker-memory`, in bytes.
pub const DEFAULT_MEMORY: u64 = 8 << 30;
/// The greatest value of `--worker-memory`, in bytes: more than any machine has.
const MOST_MEMORY: u64 = 1 << 50;

/// When progress or colours are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum When {
    /// On a terminal
    Auto,
    /// Wherever it goes
    Always,
    /// Nowhere
    Never,
}

/// The form in which statistics are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum StatsForm {
    /// For people
    Text,
    /// One line for programs
    #[cfg(feature = "json")]
    Json,
}

/// The command line that every filter has.
///
/// If an option is given twice, the last one counts, so that users can override what an alias or a wrapper gives. FILE,
/// `--columns` and `--na` are exceptions: they are lists, and all that are given add up.
#[derive(clap::Args, Clone, Debug)]
#[command(args_override_self = true)]
pub struct Options {
    /// Files of rows, read in this order; without any, and for `-`, stdin is read
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) files: Vec<PathBuf>,

    /// The first row of each FILE has column names
    #[arg(long, help_heading = ROWS)]
    pub(super) header: bool,

    /// Columns to read, by header name or number from 1
    ///
    /// Names are those in the first row, as with --header. A name of digits, or with a comma in it, stands in quotes:
    /// -k '"2020","x,y"'. Given more than once, the lists are joined: -k A -k B is -k A,B. Without this option a row
    /// has as many fields as the kernel takes.
    #[arg(short = 'k', long = "columns", help_heading = ROWS, value_name = "A,B", value_parser = Columns::parse, action = ArgAction::Append, allow_hyphen_values = true)]
    pub(super) column_lists: Vec<Columns>,

    /// Character between fields, tab, or blank
    ///
    /// `\t` means tab too. blank means any number of spaces and tabs, also before the first field and behind the last
    /// one; a quote is then part of the value, and an empty result that is appended is NA. Letters, digits, signs and
    /// the point cannot be delimiters: they stand in values.
    #[arg(short, long, help_heading = ROWS, value_name = "CHAR", value_parser = values::delimiter, default_value = ",", allow_hyphen_values = true)]
    pub(super) delimiter: Delimiter,

    /// Character around fields, or none [default: "; with tabs none]
    ///
    /// Within quotes a field may have delimiters, line ends, and quotes that are doubled. If the delimiter is a tab, a
    /// quote is part of the value, as in TSV. If fields between tabs are quoted, say --quote '"'.
    #[arg(long, help_heading = ROWS, value_name = "CHAR", value_parser = values::quote, allow_hyphen_values = true, hide_short_help = true)]
    pub(super) quote: Option<Quote>,

    /// Lines that begin with CHAR are comments
    #[arg(long, help_heading = ROWS, value_name = "CHAR", value_parser = values::comment, hide_short_help = true)]
    pub(super) comment: Option<u8>,

    /// Pass over N lines at the start of each FILE
    ///
    /// These lines may contain anything, such as the line sep=; for spreadsheet programs. Line numbers in messages
    /// count them.
    #[arg(long, help_heading = ROWS, value_name = "N", value_parser = values::number::<u64>("a number of lines", 0..=u64::MAX), allow_negative_numbers = true, default_value_t = 0, hide_default_value = true, hide_short_help = true)]
    pub(super) skip_lines: u64,

    /// TEXT in a field means a missing value
    ///
    /// If one of the fields that the kernel gets is TEXT, the result of the row is empty, and the row is not bad.
    /// Blanks and quotes around the field do not count. May be given more than once: --na '' --na NA --na '\N'.
    #[arg(long, help_heading = ROWS, value_name = "TEXT", action = ArgAction::Append, allow_hyphen_values = true, hide_short_help = true)]
    pub(super) na: Vec<OsString>,

    /// Character before the fraction of a number [default: .]
    #[arg(long, help_heading = ROWS, value_name = "CHAR", value_parser = values::separator, hide_short_help = true)]
    pub(super) decimal: Option<char>,

    /// Character between thousands, as in 1,234,567
    ///
    /// A number has it between all groups of three digits, or not at all. If it is also the delimiter, such numbers
    /// must be quoted.
    #[arg(long, help_heading = ROWS, value_name = "CHAR", value_parser = values::separator, hide_short_help = true)]
    pub(super) thousands: Option<char>,

    /// Take whole numbers written as floats: 1920.0, 1e+05
    ///
    /// For kernels of integers, and for columns of integers of other kernels. A number with a fraction stays a bad row.
    #[arg(long, help_heading = ROWS, hide_short_help = true)]
    pub(super) whole_floats: bool,

    /// At a bad row: stop, skip, blank
    ///
    /// With stop the first bad row ends the run: results before it are written, and none after it. Otherwise the first
    /// ten are named on stderr and all are counted; skip prints nothing for a bad row, and blank an empty result.
    #[arg(long, help_heading = ROWS, value_name = "HOW", value_parser = values::on_bad_row(), hide_possible_values = true, default_value = "stop")]
    pub(super) bad_rows: OnBadRow,

    /// End the run when there are more bad rows than this
    #[arg(long, help_heading = ROWS, value_name = "N", value_parser = values::number::<u64>("a number of rows", 0..=u64::MAX), allow_negative_numbers = true, hide_short_help = true)]
    pub(super) max_bad: Option<u64>,

    /// Write bad rows to FILE: places, reasons, rows
    ///
    /// As CSV; the columns are file, line, offset (in bytes), field, reason and row.
    #[arg(long, help_heading = ROWS, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) rejects: Option<PathBuf>,

    /// Write to FILE, which appears when it is complete
    ///
    /// An existing file is replaced by the complete one, which gets its permissions and attributes. If it cannot be
    /// replaced, it is overwritten in place at the end, and a line on stderr says so. Devices, pipes and descriptors,
    /// such as /dev/fd/3, are written to during the run.
    #[arg(short, long, help_heading = OUTPUT, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) output: Option<PathBuf>,

    /// Print whole rows, with the result as field NAME
    ///
    /// The header is printed with NAME, or else with the name that the kernel has for its results. Rows with more or
    /// fewer fields than the header, or, without a header, than the first row are bad.
    #[arg(long, help_heading = OUTPUT, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(super) append: Option<String>,

    /// Show progress on stderr: auto, always, never
    ///
    /// --progress alone means auto. auto shows progress if stderr is a terminal, results do not go to a terminal, and
    /// the program runs in the foreground. always prints a line every five seconds where stderr is not a terminal.
    #[arg(long, help_heading = OUTPUT, value_name = "WHEN", value_enum, hide_possible_values = true, num_args = 0..=1, require_equals = true, default_value = "never", hide_default_value = true, default_missing_value = "auto")]
    pub(super) progress: When,

    /// Say at the end what the run took: text, json
    ///
    /// On stderr: rows, bytes and time; what reader, writer and each worker did, and how long they waited for each
    /// other; workers that were replaced; memory. Time that the reader waits for input counts as its work, and so does
    /// time that the writer waits for the program that reads the output.
    #[arg(long, help_heading = OUTPUT, value_name = "FORM", value_enum, hide_possible_values = true, hide_short_help = true, num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    pub(super) stats: Option<StatsForm>,

    /// Colours: auto, always, never
    ///
    /// In messages and help. With auto a terminal has them, unless NO_COLOR is set.
    #[cfg(feature = "color")]
    #[arg(long, help_heading = OUTPUT, value_name = "WHEN", value_enum, hide_possible_values = true, default_value = "auto", hide_short_help = true)]
    pub(super) color: When,

    /// Number of workers [default: processors]
    #[arg(short, long, help_heading = WORK, value_name = "N", value_parser = values::number::<usize>("a number of workers", 1..=MAX_JOBS as u64), allow_negative_numbers = true)]
    pub(super) jobs: Option<usize>,

    /// serial, threads, pickle, or shared, the default
    ///
    /// All give the same output and, unless workers die, the same errors.
    #[arg(long, help_heading = WORK, value_name = "HOW", value_parser = values::executor(), hide_possible_values = true, default_value = "shared", hide_default_value = true, hide_short_help = true)]
    pub(super) executor: Executor,

    /// Most input in a block [default: 128K to 4M]
    ///
    /// A block is what a worker takes at a time; a row has to fit into one. K, M and G stand for 2^10, 2^20 and 2^30
    /// bytes.
    #[arg(long, help_heading = WORK, value_name = "BYTES", value_parser = values::size::<usize>(MIN_BLOCK_SIZE as u64..=MAX_BLOCK_SIZE as u64), allow_negative_numbers = true, hide_short_help = true)]
    pub(super) block_size: Option<usize>,

    /// Most rows in a task of pickle
    ///
    /// Python's default is 1; then the time goes into messages, not into pickling.
    #[arg(long, help_heading = WORK, value_name = "ROWS", value_parser = values::number::<usize>("a number of rows", 1..=usize::MAX as u64), allow_negative_numbers = true, default_value_t = DEFAULT_CHUNK_SIZE, hide_short_help = true)]
    pub(super) chunk_size: usize,

    /// Kill a worker that holds a block for longer
    ///
    /// Its block is computed again, row by row. A row that takes so long three times is a bad row.
    #[arg(long, help_heading = WORK, value_name = "SECONDS", value_parser = values::seconds, allow_negative_numbers = true, hide_short_help = true)]
    pub(super) block_timeout: Option<Duration>,

    /// Most memory of a worker [default: 8G]
    ///
    /// There is no default with --command, --python, and a --kernel of a library that is not self-contained. The
    /// worker's address space is limited; the program itself and the shared blocks do not count. K, M and G stand for
    /// 2^10, 2^20 and 2^30 bytes.
    #[arg(long, help_heading = WORK, value_name = "BYTES", value_parser = values::size::<u64>(LEAST_MEMORY..=MOST_MEMORY), allow_negative_numbers = true, hide_short_help = true)]
    pub(super) worker_memory: Option<u64>,

    /// Do not filter the system calls of workers
    ///
    /// By default they may only allocate memory, read the clock and write to stderr. A kernel of your own is confined
    /// only if it says that it is self-contained.
    #[arg(long, help_heading = WORK, hide_short_help = true)]
    pub(super) no_sandbox: bool,

    /// Print N ranges of FILE: offset,length,first_line
    ///
    /// Each range holds whole rows. The ranges are about equal in bytes. There are fewer than N if FILE has fewer rows.
    /// Options that say how rows look must be the same here and with --range.
    #[arg(long, help_heading = MORE, value_name = "N", value_parser = values::number::<u64>("a number of ranges", 1..=u64::MAX), allow_negative_numbers = true, conflicts_with_all = ["range", "progress", "stats"], hide_short_help = true)]
    pub(super) split: Option<u64>,

    /// Compute one of the ranges that --split prints
    ///
    /// A header is read from the front of FILE, and so is the first row if --append has to know its number of fields.
    #[arg(long, help_heading = MORE, value_name = "OFFSET,LENGTH", value_parser = values::range, allow_hyphen_values = true, requires = "first_line", hide_short_help = true)]
    pub(super) range: Option<(u64, u64)>,

    /// With --range: the number of its first line
    #[arg(long, help_heading = MORE, value_name = "N", value_parser = values::number::<u64>("the number of a line", 1..=u64::MAX), allow_negative_numbers = true, requires = "range", hide_short_help = true)]
    pub(super) first_line: Option<u64>,

    /// Compare the executors, on FILE or sample rows
    ///
    /// It takes half a minute, and minutes on a busy machine or with many rows. No results are printed. With --python
    /// it compares with what Python has itself: a loop, and pools of threads and of processes.
    #[cfg(feature = "compare")]
    #[arg(long, help_heading = MORE, conflicts_with_all = ["executor", "output", "append", "bad_rows", "max_bad", "rejects", "split", "range"])]
    pub(super) compare: bool,

    /// With --compare: print it as JSON
    #[cfg(feature = "compare")]
    #[arg(long, help_heading = MORE, requires = "compare", hide_short_help = true)]
    pub(super) json: bool,

    /// With --compare: draw what a row costs as SVG
    ///
    /// Draws a bar for each executor, or for each way of Python, that shows the ten steps of a process pool. Names the
    /// machine and the date. Without --python, also a plot of time against work.
    #[cfg(feature = "plot")]
    #[arg(long, help_heading = MORE, requires = "compare", value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub(super) plot: Option<PathBuf>,

    /// The names of the results, if they can be learnt only by mapping a made-up row (`names.rs`).
    #[arg(skip)]
    pub(super) names_by_trial: Option<Vec<String>>,

    /// Print completions: bash, zsh, fish and others
    #[cfg(feature = "pages")]
    #[arg(long, help_heading = MORE, value_name = "SHELL", value_enum, hide_possible_values = true, exclusive = true, hide_short_help = true)]
    pub(super) completions: Option<Shell>,

    /// Print the manual page, for man -l
    #[cfg(feature = "pages")]
    #[arg(long, help_heading = MORE, exclusive = true, hide_short_help = true)]
    pub(super) man: bool,
}

impl Options {
    /// Whether the executors are to be compared.
    pub(super) fn is_comparison(&self) -> bool {
        #[cfg(feature = "compare")]
        return self.compare;
        #[cfg(not(feature = "compare"))]
        false
    }

    /// Returns the format of rows: delimiter, quote and comment character, and how numbers are written.
    pub(super) fn format(&self) -> Format {
        let (delimiter, blanks, default_quote) = match self.delimiter {
            Delimiter::Byte(byte) => (byte, false, Format::default_quote(byte)),
            Delimiter::Blanks => (b' ', true, None),
        };
        let quote = self.quote.map_or(default_quote, |Quote(quote)| quote);
        let (thousands, whole_floats) = (self.thousands, self.whole_floats);
        let decimal = self.decimal.unwrap_or(Notation::default().decimal);
        Format {
            delimiter,
            quote,
            comment: self.comment,
            blanks,
            notation: Notation { decimal, thousands, whole_floats },
        }
    }

    /// Returns the columns of all `--columns` options, joined; `None` if there is no such option.
    pub(super) fn columns(&self) -> Option<Columns> {
        self.column_lists.iter().cloned().reduce(Columns::and)
    }

    /// Whether the first row of each input is a header: either `--header` is given, or a column is given by name.
    pub(super) fn has_header(&self) -> bool {
        self.header || self.column_lists.iter().any(Columns::has_names)
    }
}
