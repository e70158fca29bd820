//! Makes the plan from the options and the kernel, and runs it.

#[cfg(feature = "compare")]
use super::comparison;
use super::files::Files;
use super::map::{map, map_in_sight};
use super::options::Options;
use super::plan::{Mode, Plan};
#[cfg(feature = "stock")]
use super::status;
use super::{end, names, split};
#[cfg(feature = "compare")]
use crate::compare::graded::Graded;
use crate::compare::trial::Trial;
use crate::error::Error;
use crate::executor::{Mapping, worker};
use crate::input::windows::Cutter;
use crate::kernel::batch::BatchKernel;
use crate::process::aside::put_stdout_back;
use crate::process::streams::{heed_signals, set_stdin_aside, set_stdout_aside};
use crate::tally::Tally;
use crate::work::Work;
use crate::work::text::Text;
use std::process::ExitCode;

impl Options {
    /// Runs the filter with these options, or, in a worker process, that worker's part of the run. Returns the status
    /// for `main` to end with.
    ///
    /// Each worker process is this program, started again with the same arguments, and does again whatever the program
    /// does before this call. So parse the arguments, make the kernel, call this method, and leave everything that must
    /// happen only once for afterwards. In a worker process the call serves the parent until the parent no longer needs
    /// the worker. Usually SIGKILL then ends the worker process, so nothing is dropped or flushed there. If the call
    /// does return, return its status from `main` at once.
    pub fn run<K: BatchKernel>(mut self, kernel: &K) -> ExitCode {
        if self.append.as_deref() == Some("") && kernel.width().is_none() {
            match names::by_trial(kernel, self.block_timeout) {
                Ok(names) => self.names_by_trial = names,
                Err(error) => return end(Err(error)),
            }
        }
        match Plan::of(self, kernel) {
            // Make a `Text` of the kernel here, where its types are known. The code that runs the plan knows only `dyn
            // Work`.
            Ok(plan) => {
                with_streams_aside(&plan, kernel, || run(&plan, &Text::new(kernel, plan.setup.settings.clone())))
            }
            Err(error) => end(Err(error)),
        }
    }
}

/// Calls `run`. If `run` calls the kernel in this process, what the kernel prints to stdout goes to stderr meanwhile,
/// as in worker processes, so that it does not get among the results. A kernel that reads stdin then finds it empty,
/// so that it cannot take rows away.
fn with_streams_aside<K: BatchKernel>(plan: &Plan, kernel: &K, run: impl FnOnce() -> ExitCode) -> ExitCode {
    let is_mapping = matches!(plan.mode, Mode::Map | Mode::Try(_) | Mode::Compare);
    let is_here = !plan.options.executor.has_processes() || matches!(plan.mode, Mode::Compare);
    if !(is_mapping && is_here) || kernel.prints_nothing() {
        return run();
    }
    if let Err(error) = set_stdin_aside().and_then(|()| set_stdout_aside()) {
        return end(Err(Error::io("stdin and stdout", error)));
    }
    let status = run();
    put_stdout_back();
    status
}

/// Serves the parent of this worker process by mapping `work` over its rows. Returns the status to end with.
#[cfg(feature = "stock")]
pub(super) fn work(plan: &Plan, work: &dyn Work) -> u8 {
    let mapping = mapping(plan, work);
    worker::reenter(&mapping).unwrap_or_else(|| status(Err(worker::not_for_you())))
}

/// Does the task of `plan`; `work` is what is mapped over the rows.
pub(super) fn run(plan: &Plan, work: &dyn Work) -> ExitCode {
    #[cfg(feature = "compare")]
    let graded = plan.trial.map(|trial| Graded::new(work, &trial));
    #[cfg(feature = "compare")]
    let work = graded.as_ref().map_or(work, |graded| graded as &dyn Work);
    let mapping = mapping(plan, work);
    if !matches!(plan.mode, Mode::Work) {
        heed_signals();
    }
    match plan.mode {
        Mode::Work => worker::reenter(&mapping).map_or_else(|| end(Err(worker::not_for_you())), ExitCode::from),
        Mode::Try(trial) => end(try_out(plan, &mapping, trial)),
        #[cfg(feature = "compare")]
        Mode::Compare => end(comparison::compare(plan, &mapping)),
        #[cfg(not(feature = "compare"))]
        Mode::Compare => end(Err(Error::defect("this program is built without --compare"))),
        Mode::Split(count) => end(split::split(plan, count)),
        Mode::Map => map_in_sight(plan, &mapping),
    }
}

/// Returns `work` with what worker processes have to know to map it: their confinement, and how they cut files.
fn mapping<'w>(plan: &Plan, work: &'w dyn Work) -> Mapping<'w> {
    // Workers read files for themselves only if there is a cutter. In a trial of a comparison the parent reads all
    // rows, so that all executors get them in the same way and only the executors are compared. With a command the
    // parent reads all rows, too, because reading is far faster than any command. In block mode it must, because the
    // ends of blocks must depend on the rows alone, and not on how a file is cut into windows.
    let cutter = Cutter { format: plan.setup.shape.format, most: plan.setup.sizes.block };
    let cutter = (plan.trial.is_none() && !plan.is_command).then_some(cutter);
    Mapping { work, name: "filter".to_string(), confinement: plan.confinement, cutter }
}

/// Maps, as one trial of a comparison. Then writes the measurements of this run to stdout, if the trial asks for them.
fn try_out(plan: &Plan, mapping: &Mapping, trial: Trial) -> Result<(), Error> {
    map(plan, mapping, &Tally::default(), Files::of(&plan.options)?)?;
    if trial.accounts {
        Trial::give_account();
    }
    Ok(())
}
