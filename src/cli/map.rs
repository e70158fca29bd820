//! Rows to results: what a filter is there for.

use super::plan::Plan;
use super::targets::{Targets, outcome};
use super::{end, inputs, progress, ranges, stats};
use crate::csv::hints::Reading;
use crate::error::Error;
use crate::executor::{self, Job, Mapping};
use crate::input::reader::{Input, Reader, Watch};
use crate::output::Output;
use crate::output::bad_rows::BadRows;
use crate::output::writer::Writer;
use crate::tally::Tally;
use crate::work::text::OnBadRow;
use rustix::fd::AsFd;
use std::process::ExitCode;
use std::time::Instant;

/// Maps, and says how that goes and what it came to, as far as that is asked for.
pub fn map_in_sight(plan: &Plan, mapping: &Mapping) -> ExitCode {
    let options = &plan.options;
    let (start, tally) = (Instant::now(), Tally::default());
    let total = inputs::size(options);
    let targets = Targets::of(options);
    let is_on_terminal = targets.as_ref().is_ok_and(Targets::is_on_terminal);
    let run = || map(plan, mapping, &tally, targets?, || {});
    let status = end(progress::while_running(options.progress, &tally, total, is_on_terminal, run));
    if let Some(form) = options.stats {
        stats::print(form, &tally, start.elapsed());
    }
    status
}

/// Maps; when all is well, `before_the_end` is called before the results have their name.
///
/// # Errors
/// What ended it early, or bad rows that there were.
pub fn map(
    plan: &Plan,
    mapping: &Mapping,
    tally: &Tally,
    targets: Targets,
    before_the_end: impl FnOnce(),
) -> Result<(), Error> {
    let options = &plan.options;
    let inputs = ranges::input(options)?.map_or_else(|| inputs::all(&options.files), |input| vec![input]);
    let names: Vec<String> = inputs.iter().map(Input::name).collect();
    let Targets { results: output, rejects } = targets;
    inputs::are_not(&inputs, &output)?;
    let mut bad_rows = BadRows::new(match options.bad_rows {
        OnBadRow::Stop => None,
        OnBadRow::Skip | OnBadRow::Blank => Some(options.max_bad.unwrap_or(u64::MAX)),
    });
    if let Some(rejects) = &rejects {
        inputs::are_not(&inputs, rejects)?;
        rejects.is_not(&output)?;
        bad_rows = bad_rows.written_to(rejects.file_to_write()?, &rejects.name())?;
    }
    let stop = executor::bell()?;
    let watch = Watch { stop: stop.as_fd(), output: output.as_fd() };
    let reader = Reader::new(inputs, plan.shape.clone(), watch);
    let mut writer = writer(plan, &output, names, bad_rows, tally);
    let job = Job {
        source: &mut reader.passing_over(options.bad_rows != OnBadRow::Stop),
        sink: &mut writer,
        stop: &stop,
        jobs: options.jobs.unwrap_or_else(executor::processors),
        sizes: plan.sizes,
        block_timeout: options.block_timeout,
        tally,
        chunk_size: options.chunk_size,
    };
    let ended = options.executor.run(mapping, job);
    let bad_rows = writer.bad_rows();
    let count = bad_rows.count();
    // However it ended, these are the rows to look at; but a run that found nothing does not replace what was found
    // before.
    let close_rejects = if count > 0 || ended.is_ok() { Output::complete } else { Output::give_up };
    let rejected = bad_rows.flush().and_then(|()| rejects.map_or(Ok(()), close_rejects));
    let is_complete = ended.is_ok() && rejected.is_ok();
    if is_complete {
        before_the_end();
    }
    let written = if is_complete { output.complete() } else { output.give_up() };
    outcome([ended, rejected, written])?;
    if count > 0 { Err(Error::bad_rows(count)) } else { Ok(()) }
}

/// What writes to this output, as the plan has it, what comes from inputs of these names.
pub fn writer<'a>(
    plan: &Plan,
    output: &'a Output,
    names: Vec<String>,
    bad_rows: BadRows,
    tally: &'a Tally,
) -> Writer<'a> {
    let options = &plan.options;
    let writer = Writer::new(output, output.name(), names, bad_rows, tally);
    let blank: &[u8] = if options.bad_rows == OnBadRow::Blank { b"\n" } else { b"" };
    let has_front = options.range.is_none_or(|(offset, _)| offset == 0);
    let (columns, has_header) = (options.columns(), options.has_header());
    writer.hinting(Reading { format: plan.format, columns, has_header, has_front }).blank(blank)
}
