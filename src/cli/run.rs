//! From the options by the plan to what is done.

use super::files::Files;
use super::map::{map, map_in_sight};
use super::options::Options;
use super::plan::{Mode, Plan};
use super::{comparison, end, split};
use crate::compare::graded::Graded;
use crate::compare::trial::Trial;
use crate::error::Error;
use crate::executor::{Mapping, worker};
use crate::kernel::batch::BatchKernel;
use crate::process::streams::heed_signals;
use crate::tally::Tally;
use crate::work::Work;
use crate::work::text::Text;
use std::process::ExitCode;

impl Options {
    /// Runs the filter that these options ask for, or the part of it that this process was started for, and answers with
    /// the status to end with.
    ///
    /// Each worker process is this program again with the same arguments, and whatever is done before this call is done in
    /// each of them too. So parse the arguments, make the kernel, call this, and leave everything that is to happen once for
    /// afterwards. In a worker process the call serves the parent until that needs it no more. Worker processes are ended by
    /// SIGKILL as a rule: nothing is dropped or flushed there.
    pub fn run<K: BatchKernel>(self, kernel: &K) -> ExitCode {
        match Plan::of(self, kernel) {
            // Here, and nowhere else, a kernel becomes work: what follows knows nothing of its types.
            Ok(plan) => run(&plan, &Text::new(kernel, plan.setup.settings)),
            Err(error) => end(Err(error)),
        }
    }
}

/// Does what the plan says, with this work.
fn run(plan: &Plan, work: &dyn Work) -> ExitCode {
    let graded = plan.trial.map(|trial| Graded::new(work, &trial));
    let work = graded.as_ref().map_or(work, |graded| graded as &dyn Work);
    let mapping = Mapping { work, name: "filter".to_string(), confinement: plan.confinement };
    if !matches!(plan.mode, Mode::Work) {
        heed_signals();
    }
    match plan.mode {
        Mode::Work => worker::reenter(&mapping).map_or_else(|| end(Err(worker::not_for_you())), ExitCode::from),
        Mode::Try(trial) => end(try_out(plan, &mapping, trial)),
        Mode::Compare => end(comparison::compare(plan, &mapping)),
        Mode::Split(count) => end(split::split(plan, count)),
        Mode::Map => map_in_sight(plan, &mapping),
    }
}

/// Maps, and gives account of that to the comparison that asked for it.
fn try_out(plan: &Plan, mapping: &Mapping, trial: Trial) -> Result<(), Error> {
    map(plan, mapping, &Tally::default(), Files::of(&plan.options)?)?;
    if trial.accounts {
        Trial::give_account();
    }
    Ok(())
}
