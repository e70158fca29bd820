//! The options for mapping a function of Python over the rows. They belong to `pmapgcd` alone, not to every filter.

use super::kernel::print;
use super::options::Options;
use super::plan::Plan;
use super::run::run;
use super::{FUNCTION, end};
use crate::compare::python::Function;
use crate::compare::trial::Trial;
use crate::csv::trimmed;
use crate::error::{Error, printable};
use crate::executor::{DEFAULT_CHUNK_SIZE, Executor, worker};
use crate::kernel::batch::BatchKernel;
use crate::kernel::columns::types::Signature;
use crate::work::python::{Described, Python, Wanted, own_number};
use crate::work::text::{OnBadRow, Text};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

/// The default of `--block-size` with Python, in bytes. It is larger than [`crate::executor::DEFAULT_BLOCK_SIZE`],
/// because the worker and its Python exchange messages for each block.
const BLOCK_SIZE: usize = 512 << 10;

/// The options of a function of Python.
#[derive(clap::Args, Debug)]
#[command(args_override_self = true)]
pub struct PythonOptions {
    /// Map with FILE:FUNCTION or MODULE:FUNCTION
    ///
    /// Annotations, or --types, say what it takes and returns: int (of any size), float, str, bool, X | None for what
    /// may be missing, and tuples of these for several results; what has no type is text. An exception makes a bad row.
    /// Each worker starts python3 once: $PMAPGCD_PYTHON, a virtual environment's, or the one in PATH. docs/python.md
    /// has more.
    #[arg(long, help_heading = FUNCTION, value_name = "FILE:FUNCTION", allow_hyphen_values = true, conflicts_with_all = ["command", "command_mode", "command_input", "command_ok", "kernel_args"], group = "function")]
    python: Option<OsString>,

    /// Call the function with columns, not with rows
    ///
    /// A column is a numpy array if the function's module imports numpy, else a memoryview; a column of texts is a
    /// list. Columns are valid only during the call. The function returns a column with a result for each row: any
    /// sequence, buffer or array, or a tuple of such columns for several results.
    #[arg(long, help_heading = FUNCTION, requires = "python", hide_short_help = true)]
    python_batch: bool,
}

impl PythonOptions {
    /// Whether a function of Python is given.
    pub fn is_given(&self) -> bool {
        self.python.is_some()
    }

    /// Runs the filter around the function, or, in a worker process, that worker's part of the run. Returns the status
    /// for `main` to end with. `types` are those of `--types`. If `describe` is true, what the function takes and
    /// returns is printed, and no row is mapped. `stock_only` are the given options that only the stock kernel accepts.
    pub fn run(self, options: Options, (types, describe): (Option<Signature>, bool), stock_only: &[&str]) -> ExitCode {
        self.try_run(options, types, describe, stock_only).unwrap_or_else(|error| end(Err(error)))
    }

    fn try_run(
        self,
        mut options: Options,
        types: Option<Signature>,
        describe: bool,
        stock_only: &[&str],
    ) -> Result<ExitCode, Error> {
        let target = self.python.unwrap_or_default();
        let wrong = |what: String| Err(Error::usage(format!("--python {}: {what}", printable(&target))));
        let named = target.as_bytes().iter().rposition(|&byte| byte == b':');
        if named.is_none_or(|colon| colon == 0 || colon + 1 == target.len()) {
            let expected = "FILE:FUNCTION or MODULE:FUNCTION is expected, as builtins:len is";
            return wrong(format!("{expected}; the interpreter is chosen by PMAPGCD_PYTHON"));
        }
        if let Some(option) = stock_only.first() {
            return wrong(format!("{option} is for the kernel gcd"));
        }
        if options.compare && self.python_batch {
            let what = "--compare is for functions that are called for each row, as Python's own pools call them";
            return wrong(what.to_string());
        }
        if options.executor == Executor::Pickle {
            return wrong(
                "--executor pickle is for functions of this program; with --python it is serial, threads or shared"
                    .to_string(),
            );
        }
        if options.chunk_size != DEFAULT_CHUNK_SIZE {
            return wrong("--chunk-size is for --executor pickle, which is for functions of this program".to_string());
        }
        options.block_size.get_or_insert(BLOCK_SIZE);
        let wanted = Wanted {
            target: target.clone(),
            types,
            is_batch: self.python_batch,
            columns: options.columns().map(|columns| columns.count()),
            stops: options.bad_rows == OnBadRow::Stop,
            memory: options.worker_memory,
        };
        let is_worker = worker::is_worker();
        let opened = wanted.open(if is_worker { own_number() } else { 0 });
        let opened = opened.map_err(|what| format!("--python: {what}"));
        if let (true, Err(what)) = (is_worker, &opened) {
            // A worker does not print the reason. It tells its parent, which prints it once for all workers.
            options.append = None;
            let python = Python::unusable(wanted, what.clone());
            let plan = Plan::of(options, &python)?;
            let work = Text::new(&python, plan.setup.settings.clone());
            return Ok(run(&plan, &work));
        }
        let described = opened.map_err(Error::usage)?;
        if describe {
            return Ok(end(print(&described.line())));
        }
        let types = described.signature.clone();
        let missing = options.na.iter().map(|text| trimmed(text.as_bytes()).to_vec()).collect();
        let (executor, memory) = (options.executor, options.worker_memory);
        let python = Python::new(wanted, described, missing, is_worker);
        let executor = Trial::of_this_process()?.map_or(executor, |trial| trial.executor());
        // A comparison maps the rows once in this process, to see whether they are good. So it needs Python here.
        let is_comparing = options.compare && Trial::of_this_process()?.is_none();
        if !is_worker && !is_comparing && executor != Executor::Serial {
            // From here on only workers need Python.
            python.close();
        }
        let function = Function {
            target: target.clone(),
            types: types.to_string(),
            columns: options.columns().map(|columns| columns.listed()),
        };
        let mut plan = Plan::of(options, &python)?;
        plan.python = Some(function);
        // Memory is limited only if `--worker-memory` is given.
        plan.confinement.memory = memory;
        let work = Text::new(&python, plan.setup.settings.clone());
        Ok(run(&plan, &work))
    }
}

impl Described {
    /// Returns what is known of the function, as a line.
    fn line(&self) -> String {
        let Described { signature, names, name, version, interpreter, .. } = self;
        let results = if names.len() > 1 { format!(", results {}", names.join(",")) } else { String::new() };
        format!("{name}: {signature}{results}, Python {version} ({interpreter})\n")
    }
}
