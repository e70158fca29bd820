//! The options for mapping a command over the rows. They belong to `pmapgcd` alone, not to every filter.

use super::options::Options;
use super::plan::Plan;
use super::run::run;
use super::values::{command_input, command_mode, status};
use super::{FUNCTION, end};
use crate::error::Error;
use crate::executor::{Executor, worker};
use crate::work::command::rows::{Form, Lines};
use crate::work::command::{Command, Mode};
use crate::work::text::OnBadRow;
use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

/// The default of `--block-size` with a command, in bytes. It is larger than [`crate::executor::DEFAULT_BLOCK_SIZE`],
/// because some commands have to be started again for each block.
const BLOCK_SIZE: usize = 4 << 20;

/// The options of a command.
#[derive(clap::Args, Debug)]
#[command(args_override_self = true)]
pub struct CommandOptions {
    /// Map with CMD: it prints a line for each row
    ///
    /// /bin/sh -c runs CMD, once for each worker. CMD reads rows on stdin, a line each, and prints a line for each, at
    /// any time. If it prints only at the end of its input, it is started once for each block. Rows are sent at least
    /// once: if CMD dies, the rows that it has not answered are sent again. CMD is not confined.
    #[arg(short, long, help_heading = FUNCTION, value_name = "CMD", allow_hyphen_values = true)]
    command: Option<OsString>,

    /// How CMD answers: auto, lines, block
    ///
    /// auto: CMD prints a line for each row. If CMD prints only at the end of its input, its input is ended after each
    /// block, and CMD is started again. lines: the same, but its input is ended early only if the run could not go on
    /// otherwise. block: CMD is started for each block of --block-size bytes (4M) and prints any number of lines; a
    /// header is printed once.
    #[arg(long, help_heading = FUNCTION, value_name = "HOW", value_parser = command_mode(), hide_possible_values = true, default_value = "auto", requires = "command", hide_short_help = true)]
    command_mode: Mode,

    /// What CMD reads: text, csv, json
    ///
    /// text: the row, unchanged; if -k chooses one column, its value, without quotes; if -k chooses several, these
    /// fields, unchanged. csv: the values as CSV according to RFC 4180. json: an object whose keys are the names in the
    /// header, or an array if there is no header.
    #[arg(long, help_heading = FUNCTION, value_name = "FORM", value_parser = command_input(), hide_possible_values = true, default_value = "text", requires = "command", hide_short_help = true)]
    command_input: Form,

    /// Statuses of CMD that are good
    ///
    /// grep exits with 1 if it finds nothing: --command-ok 0,1.
    #[arg(long, help_heading = FUNCTION, value_name = "A,B", value_parser = status, value_delimiter = ',', default_value = "0", requires = "command", hide_short_help = true)]
    command_ok: Vec<i32>,
}

impl CommandOptions {
    /// Whether there is a command.
    pub fn is_given(&self) -> bool {
        self.command.is_some()
    }

    /// Runs the filter around the command, or, in a worker process, that worker's part of the run. Returns the status
    /// for `main` to end with.
    pub fn run(self, mut options: Options) -> ExitCode {
        let command = self.command.clone().unwrap_or_default();
        if let Err(what) = self.check(&command, &options) {
            return end(Err(Error::usage(what)));
        }
        options.block_size.get_or_insert(BLOCK_SIZE);
        // A command's memory is limited only if `--worker-memory` is given.
        let memory = options.worker_memory;
        let lines = Lines { form: self.command_input, chosen: options.columns().map(|columns| columns.count()) };
        let mut plan = match Plan::of(options, &lines) {
            Ok(plan) => plan,
            Err(error) => return end(Err(error)),
        };
        plan.is_command = true;
        plan.confinement.memory = memory;
        let (shape, sizes) = (&mut plan.setup.shape, &mut plan.setup.sizes);
        shape.fills_blocks = self.command_mode == Mode::Block;
        shape.keeps_header = self.command_mode == Mode::Block;
        shape.passes_header = self.command_input == Form::Json && shape.has_header;
        sizes.head = shape.head_size();
        let settings = plan.setup.settings.clone();
        let is_worker = worker::is_worker();
        let command = Command::new(command, self.command_mode, lines.clone(), self.command_ok, settings, is_worker);
        run(&plan, &command)
    }

    /// Checks that the options suit each other. The error is the message for the user.
    fn check(&self, command: &OsStr, options: &Options) -> Result<(), String> {
        let text = command.to_string_lossy();
        let is_block = self.command_mode == Mode::Block;
        let wrong = [
            (text.trim().is_empty(), "--command is empty: a command is expected, as in --command 'jq .a'"),
            (
                options.executor == Executor::Pickle,
                "--executor pickle is for functions of this program; with --command it is serial, threads or shared",
            ),
            (
                is_block && options.append.is_some(),
                "--append goes with one line for each row, and --command-mode block does not count lines",
            ),
            (
                is_block && !options.na.is_empty(),
                "--na goes with one line for each row, and --command-mode block does not count lines",
            ),
            (
                options.thousands.is_some() || options.decimal.is_some() || options.whole_floats,
                "--decimal, --thousands and --whole-floats are for numbers that this program reads, and a command reads text",
            ),
            (
                is_block && options.bad_rows == OnBadRow::Blank,
                "--bad-rows blank goes with one line for each row, and --command-mode block does not count lines",
            ),
        ];
        if let Some(executor) = Executor::ALL.into_iter().find(|executor| text.trim() == executor.name()) {
            let name = executor.name();
            return Err(format!(
                "--command {name} would run a program called {name}; to choose how rows are mapped, use --executor {name}"
            ));
        }
        wrong.into_iter().find(|(is_wrong, _)| *is_wrong).map_or(Ok(()), |(_, what)| Err(what.to_string()))
    }
}
