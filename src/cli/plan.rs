//! The plan: everything that follows from the options and the kernel, decided before the first row is read.

use super::files::check_names;
use super::options::{DEFAULT_MEMORY, Options};
use crate::compare::trial::Trial;
use crate::csv::Format;
use crate::csv::columns::names_in;
use crate::error::{Error, printable};
use crate::executor::{self, DEFAULT_BLOCK_SIZE, Executor, Job, worker};
use crate::filter::builder::{RowOptions, Setup, usable};
use crate::flow::{Sink, Source};
use crate::kernel::batch::BatchKernel;
use crate::process::confinement::Confinement;
use crate::tally::Tally;
use crate::vectors::Vectors;
use crate::work::text::OnBadRow;
use rustix::fd::OwnedFd;
use std::path::PathBuf;

/// The task of this process.
#[derive(Clone, Copy)]
pub enum Mode {
    /// Serve a parent as a worker.
    Work,
    /// Map, as one trial of a comparison.
    Try(Trial),
    /// Compare the executors.
    Compare,
    /// Print ranges of FILE for `--range`, at most this many.
    Split(u64),
    /// Map.
    Map,
}

/// The task of this process, with all its settings.
pub struct Plan<'k> {
    /// The task of this process.
    pub mode: Mode,
    /// If this process runs a trial of a comparison, or is a worker of one: that trial. `None` in the process that
    /// compares, and if there is no comparison.
    pub trial: Option<Trial>,
    /// The options, some of which a trial replaces. If another field of the plan holds the value of an option, that
    /// field counts.
    pub options: Options,
    /// The settings on which reader, workers and writer have to agree.
    pub setup: Setup,
    /// Number of workers.
    pub jobs: usize,
    /// Whether a command is mapped over the rows, and not a function of this program.
    pub is_command: bool,
    /// The function of Python that is mapped over the rows. `--compare` needs it to map the rows in the ways that
    /// Python itself has, too.
    #[cfg(feature = "compare")]
    pub python: Option<crate::compare::python::Function>,
    /// The limits on worker processes: whether system calls are filtered, and how much memory each may use.
    pub confinement: Confinement,
    /// Returns the kernel's sample row of the given number, which `--compare` uses if there is no input; `None` if the
    /// kernel has no sample rows.
    pub sample: Box<dyn Fn(u64) -> Option<String> + 'k>,
}

impl<'k> Plan<'k> {
    /// Makes the plan for this process from `options` and `kernel`.
    ///
    /// # Errors
    /// If the options contradict each other or do not suit the kernel, or if an environment variable of this program
    /// has an invalid value.
    pub fn of<K: BatchKernel>(mut options: Options, kernel: &'k K) -> Result<Self, Error> {
        Vectors::allowed().map_err(Error::usage)?;
        let format = options.format();
        usable(kernel)?;
        if !kernel.reads_notation(format.notation) {
            return Err(Error::usage("--decimal, --thousands and --whole-floats are for numbers in base 10"));
        }
        check(&options, kernel.takes(), format)?;
        let trial = Trial::of_this_process()?;
        if let Some(trial) = &trial {
            options.files.clear();
            options.executor = trial.executor();
            // The comparing process has skipped these lines already.
            options.skip_lines = 0;
            options.output = trial.accounts.then(|| PathBuf::from("/dev/null"));
            if let Some((block_size, chunk_size)) = trial.pieces {
                (options.block_size, options.chunk_size) = (Some(block_size), chunk_size);
            }
        }
        let mode = match trial {
            _ if worker::is_worker() => Mode::Work,
            Some(trial) => Mode::Try(trial),
            None if options.is_comparison() => Mode::Compare,
            None => options.split.map_or(Mode::Map, Mode::Split),
        };
        if !matches!(mode, Mode::Work) {
            check_names(&options.files)?;
        }
        let append = match (options.append.as_deref(), &options.names_by_trial) {
            (Some(""), Some(names)) => Some(names.clone()),
            (given, _) => given.map(|given| appended(given, kernel.width(), format)).transpose()?,
        };
        let rows = RowOptions {
            format,
            has_header: options.has_header(),
            columns: options.columns(),
            append: append.clone(),
            on_bad_row: options.bad_rows,
            max_bad: options.max_bad,
            is_all_told: options.rejects.is_some(),
            missing: options.na.iter().map(|text| text.as_encoded_bytes().to_vec()).collect(),
            skip_lines: options.skip_lines,
        };
        let block_size = options.block_size.unwrap_or(DEFAULT_BLOCK_SIZE);
        let setup = Setup::new(rows, kernel, block_size);
        Ok(Plan {
            mode,
            trial,
            setup,
            jobs: options.jobs.unwrap_or_else(executor::processors),
            is_command: false,
            #[cfg(feature = "compare")]
            python: None,
            confinement: Confinement {
                filter: !options.no_sandbox && kernel.needs_nothing(),
                memory: Some(options.worker_memory.unwrap_or(DEFAULT_MEMORY)),
            },
            sample: Box::new(|number| kernel.sample_row(number)),
            options,
        })
    }

    /// Returns a job for an executor: to map the rows of `source` into `sink`, with the sizes and limits of this plan.
    pub fn job<'a>(
        &self,
        source: &'a mut dyn Source,
        sink: &'a mut dyn Sink,
        stop: &'a OwnedFd,
        tally: &'a Tally,
    ) -> Job<'a> {
        let Options { block_timeout, chunk_size, .. } = self.options;
        Job {
            source,
            sink,
            stop,
            input: None,
            has_fixed_blocks: self.setup.shape.fills_blocks,
            jobs: self.jobs,
            sizes: self.setup.sizes,
            block_timeout,
            tally,
            chunk_size,
        }
    }
}

/// Returns the names in `given`, the value of `--append`. An empty value gives an empty list. Otherwise there must be
/// as many names as the kernel has results for a row: `results`, if that is known.
fn appended(given: &str, results: Option<usize>, format: Format) -> Result<Vec<String>, Error> {
    if given.is_empty() {
        return Ok(vec![]);
    }
    let names =
        names_in(given).map_err(|what| Error::usage(format!("--append={}: {what}", printable(given.as_ref()))))?;
    let results = results.unwrap_or(names.len());
    let wrong = [
        (
            names.iter().any(String::is_empty),
            "--append has an empty name in it; as in -k, a comma stands between names".to_string(),
        ),
        (
            names.len() != results,
            format!(
                "--append names {} column{}, and a row has {results} result{}; as in -k, a name with a comma in it stands in quotes",
                names.len(),
                if names.len() == 1 { "" } else { "s" },
                if results == 1 { "" } else { "s" }
            ),
        ),
        (
            !names.iter().all(|name| format.can_hold(name)),
            "the NAME of --append has the delimiter or a line end in it, and there are no quotes".to_string(),
        ),
    ];
    wrong.into_iter().find(|(is_wrong, _)| *is_wrong).map_or(Ok(names), |(_, what)| Err(Error::usage(what)))
}

/// Checks that the options suit each other, and that they suit a kernel whose rows have `fields` fields (`None`: any
/// number).
fn check(options: &Options, fields: Option<usize>, format: Format) -> Result<(), Error> {
    let named = options.columns().map(|columns| columns.count());
    let lists = if options.column_lists.len() > 1 { "; all that -k is given add up" } else { "" };
    let needed = fields.unwrap_or_default();
    let like: Vec<String> = (1..=needed).map(|number| number.to_string()).collect();
    let columns = format!(
        "--columns names {} where {needed} {} expected, like -k {}{lists}",
        named.unwrap_or_default(),
        if needed == 1 { "is" } else { "are" },
        like.join(",")
    );
    let append = options.append.as_deref().unwrap_or_default();
    let stops = options.bad_rows == OnBadRow::Stop;
    let wrong = [
        (!format.is_unambiguous(), "--delimiter, --quote and --comment have to differ"),
        (
            format.notation.thousands == Some(format.notation.decimal),
            "--decimal and --thousands have to differ, and --decimal is '.' where it is not given",
        ),
        (
            format.blanks && format.quote.is_some(),
            "with -d blank there are no quotes; where one blank stands between fields, -d ' ' has them",
        ),
        (named.is_some() && fields.is_some() && named != fields, &columns),
        (
            !append.is_empty() && !options.has_header(),
            "--append=NAME is for a header, and there is none without --header",
        ),
        (
            options.block_timeout.is_some() && options.executor != Executor::Shared,
            "--block-timeout goes with --executor shared",
        ),
        (options.max_bad.is_some() && stops, "--max-bad goes with --bad-rows skip or --bad-rows blank"),
    ];
    wrong.into_iter().find(|(is_wrong, _)| *is_wrong).map_or(Ok(()), |(_, what)| Err(Error::usage(what)))
}
