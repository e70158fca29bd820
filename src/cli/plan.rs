//! What options and kernel come to together: all that is decided before the first row is read.

use super::options::Options;
use crate::compare::trial::Trial;
use crate::csv::Format;
use crate::csv::head::Head;
use crate::error::Error;
use crate::executor::{Executor, worker};
use crate::input::Shape;
use crate::kernel::BatchKernel;
use crate::output::bad_rows::SAID;
use crate::process::confinement::Confinement;
use crate::ring::Sizes;
use crate::vectors::Vectors;
use crate::work::text::{OnBadRow, Settings};
use std::path::PathBuf;

/// By how much the result region is larger than what it is for, so that a report of a bad row fits into it.
const REPORT_ROOM: usize = 1024;

/// What is to be known of a kernel, whatever its types.
pub struct Facts<'k> {
    /// How many fields a row has, if that is the same for all.
    pub fields: Option<usize>,
    /// What its results are called.
    pub result_name: &'k str,
    /// Whether it needs nothing of the system.
    pub is_self_contained: bool,
    /// Rows of its own.
    pub sample: &'k dyn Fn(u64) -> Option<String>,
}

impl<'k> Facts<'k> {
    /// Those of this kernel, with its rows.
    pub fn of(kernel: &'k impl BatchKernel, sample: &'k dyn Fn(u64) -> Option<String>) -> Self {
        let is_self_contained = kernel.needs_nothing();
        Facts { fields: kernel.fields(), result_name: kernel.result_name(), is_self_contained, sample }
    }
}

/// What this process is to do.
#[derive(Clone, Copy)]
pub enum Mode {
    /// Serve a parent as a worker.
    Work,
    /// Map, as a run that a comparison makes.
    Try(Trial),
    /// Compare the executors.
    Compare,
    /// Print ranges.
    Split(u64),
    /// Map.
    Map,
}

/// What is to be done, and how.
pub struct Plan<'k> {
    /// What this process is to do.
    pub mode: Mode,
    /// The run of a comparison that this process is, or is a worker of.
    pub trial: Option<Trial>,
    /// What the command line says, as far as it is not told by what follows.
    pub options: Options,
    /// How rows are written.
    pub format: Format,
    /// How rows are read and results printed.
    pub settings: Settings,
    /// How the inputs are written.
    pub shape: Shape,
    /// The sizes of a slot.
    pub sizes: Sizes,
    /// How workers are confined.
    pub confinement: Confinement,
    /// The kernel's own rows.
    pub sample: &'k dyn Fn(u64) -> Option<String>,
}

impl<'k> Plan<'k> {
    /// What these options ask for, of a kernel like this, in this process.
    ///
    /// # Errors
    /// When they do not agree with each other, or with the kernel.
    pub fn of(mut options: Options, kernel: Facts<'k>) -> Result<Self, Error> {
        Vectors::check_environment().map_err(Error::usage)?;
        let format = options.format();
        check(&options, &kernel, format)?;
        let trial = Trial::of_this_process()?;
        if let Some(trial) = &trial {
            options.files.clear();
            options.executor = trial.executor();
            options.output = trial.accounts().then(|| PathBuf::from("/dev/null"));
            (options.block_size, options.chunk_size) =
                trial.pieces().unwrap_or((options.block_size, options.chunk_size));
        }
        let mode = match trial {
            _ if worker::is_worker() => Mode::Work,
            Some(trial) => Mode::Try(trial),
            None if options.compare => Mode::Compare,
            None => options.split.map_or(Mode::Map, Mode::Split),
        };
        let columns = options.columns();
        let name = |name: &String| if name.is_empty() { kernel.result_name.to_string() } else { name.clone() };
        // Rows that are printed again take as much as there is of them, and their results.
        let results = if options.append.is_some() { 2 * options.block_size } else { options.block_size };
        let head = Head::size(columns.as_ref(), options.append.is_some());
        // Of each part of a block so many bad rows are told: those that are said are the first, and one that is too many.
        let is_all_told = options.rejects.is_some() || options.bad_rows == OnBadRow::Stop;
        let most_told = options.max_bad.map_or(SAID, |most| SAID.max(most.saturating_add(1)));
        Ok(Plan {
            mode,
            trial,
            format,
            settings: Settings {
                format,
                append: options.append.is_some(),
                on_bad_row: options.bad_rows,
                most_told: (!is_all_told).then_some(most_told),
            },
            shape: Shape {
                format,
                has_header: options.has_header(),
                columns,
                fields: kernel.fields,
                append: options.append.as_ref().map(name),
            },
            sizes: Sizes { head, block: options.block_size, room: results + REPORT_ROOM },
            confinement: Confinement {
                filter: !options.no_sandbox && kernel.is_self_contained,
                memory: Some(options.worker_memory),
            },
            sample: kernel.sample,
            options,
        })
    }
}

/// Refuses options that do not agree with each other, or with the kernel.
fn check(options: &Options, kernel: &Facts, format: Format) -> Result<(), Error> {
    let twice = format.quote == Some(format.delimiter)
        || format.comment == Some(format.delimiter)
        || (format.comment.is_some() && format.comment == format.quote);
    if twice {
        return Err(Error::usage("--delimiter, --quote and --comment have to differ"));
    }
    if let (Some(columns), Some(fields)) = (options.columns(), kernel.fields)
        && columns.count() != fields
    {
        let count = columns.count();
        let lists = if options.column_lists.len() > 1 { "; all that -k is given add up" } else { "" };
        let what = format!("--columns names {count} where {fields} are expected, like -k 1,2{lists}");
        return Err(Error::usage(what));
    }
    if options.append.as_ref().is_some_and(|name| !name.is_empty()) && !options.has_header() {
        return Err(Error::usage("--append=NAME is for a header, and there is none without --header"));
    }
    if options.block_timeout.is_some() && options.executor != Executor::Shared {
        return Err(Error::usage("--block-timeout goes with --executor shared"));
    }
    if options.append.as_ref().is_some_and(|name| !format.can_hold(name)) {
        let what = "the NAME of --append has the delimiter or a line end in it, and there are no quotes";
        return Err(Error::usage(what));
    }
    if options.max_bad.is_some() && options.bad_rows == OnBadRow::Stop {
        return Err(Error::usage("--max-bad goes with --bad-rows skip or --bad-rows blank"));
    }
    Ok(())
}
