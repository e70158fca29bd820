//! The normal run of a filter: maps the rows of the inputs to results.

use super::files::Files;
use super::plan::Plan;
use super::{end, progress, stats};
use crate::csv::hints::Reading;
use crate::error::Error;
use crate::executor::{Job, Mapping};
use crate::input::reader::{Input, Reader, Watch};
use crate::output::Output;
use crate::output::bad_rows::BadRows;
use crate::output::writer::Writer;
use crate::process::bell::bell;
use crate::process::console::{self, say};
use crate::process::streams::die_of_broken_pipe;
use crate::tally::Tally;
use crate::work::text::OnBadRow;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

/// Maps all rows. Shows progress meanwhile and prints statistics at the end, if the options ask for them.
pub fn map_in_sight(plan: &Plan, mapping: &Mapping) -> ExitCode {
    let (start, tally) = (Instant::now(), Tally::default());
    let ended = Files::of(&plan.options).and_then(|files| {
        let (size, is_on_terminal) = (files.size(), files.is_on_terminal());
        let run = || map(plan, mapping, &tally, files);
        progress::while_running(plan.options.progress, &tally, size, is_on_terminal, run)
    });
    let status = end(ended);
    if let Some(form) = plan.options.stats {
        stats::print(form, &tally, start.elapsed());
    }
    status
}

/// Maps all rows of the inputs, and completes the outputs.
///
/// # Errors
/// If the run ended early, with the reason; or if there were bad rows.
pub fn map(plan: &Plan, mapping: &Mapping, tally: &Tally, files: Files) -> Result<(), Error> {
    // The size is used only for a single input. Each input begins a block, so the size of several inputs does not tell
    // how many blocks there will be.
    let size = files.size().filter(|_| files.inputs.len() == 1);
    let Files { inputs, results, rejects } = files;
    let options = &plan.options;
    let passes_over = options.bad_rows != OnBadRow::Stop;
    let mut bad_rows = BadRows::new(passes_over.then(|| options.max_bad.unwrap_or(u64::MAX)));
    if let Some(name) = results.name_if_new() {
        bad_rows = bad_rows.unwritten(name);
    }
    if let Some(rejects) = &rejects {
        bad_rows = bad_rows.written_to(rejects.file_to_write()?, &rejects.name())?;
    }
    let stop = bell()?;
    let watch = Watch { stop: stop.as_fd(), output: results.as_fd() };
    let stdin = began_at(&inputs);
    let is_written = AtomicBool::new(false);
    let mut writer = writer(plan, &results, &inputs, bad_rows, tally);
    writer.is_written = Some(&is_written);
    let mut reader = Reader::new(inputs, plan.setup.shape.clone(), watch).passing_over(passes_over);
    let job = Job { input: size, ..plan.job(&mut reader, &mut writer, &stop, tally) };
    // If nobody reads the output any more, the run should end. A write would show that, but a kernel can take any time
    // for a row, and until then nothing is written. So the output is watched. With `--rejects` it is not, because the
    // watch ends the process at once, and the rejects would not be completed.
    let (output, is_written) = (results.as_fd(), &is_written);
    let ended = thread::scope(|scope| {
        // The watch ends when `run`, the writing end of this pipe, is dropped. That happens even if the run panics.
        let pipe = rejects.is_none().then(|| pipe_with(PipeFlags::CLOEXEC).ok()).flatten();
        let _run = pipe.map(|(over, run)| {
            let watch = move || end_if_closed(output, over, is_written);
            // If the thread cannot be started, a closed output is noticed when something is written.
            let _ = thread::Builder::new().name("watch".into()).spawn_scoped(scope, watch);
            run
        });
        options.executor.run(mapping, job)
    });
    let ended = ended.and(writer.write_headers());
    // After all rows have been read, the file offset of stdin is right. After an error it can be wrong, because the
    // reader may be ahead of the writer, or behind workers that read for themselves. So set it to the end of the last
    // row that was written.
    let (input, offset) = writer.position();
    if ended.is_err()
        && let Some((number, mut file, start)) = stdin
        && number == input
    {
        let _ = file.seek(SeekFrom::Start(start + offset));
    }
    let bad_rows = writer.bad_rows();
    let count = bad_rows.count();
    // Even if the run failed, its bad rows are worth reading, so the rejects are completed. Only a run that failed and
    // found no bad rows leaves the rejects of an earlier run as they were.
    let has_rejects = count > 0 || ended.is_ok();
    let rejected = bad_rows.flush().and_then(|()| rejects.map_or(Ok(()), |rejects| rejects.close(has_rejects)));
    let written = results.close(ended.is_ok() && rejected.is_ok());
    outcome([ended, rejected, written])?;
    if count > 0 { Err(Error::bad_rows(count)) } else { Ok(()) }
}

/// If stdin is among the inputs and is a regular file, returns the number of that input, a duplicate of the descriptor,
/// and where the descriptor stands.
fn began_at(inputs: &[Input]) -> Option<(usize, File, u64)> {
    let number = inputs.iter().position(|input| matches!(input, Input::Stdin))?;
    let mut file = Input::Stdin.open().ok()?;
    let is_regular = file.metadata().is_ok_and(|about| about.is_file());
    is_regular.then(|| file.stream_position().ok()).flatten().map(|start| (number, file, start))
}

/// Watches `output` until the other end of the pipe `over` is closed. If nobody can read the output any more although
/// not all results are written, ends the process. Workers and commands end with the process.
fn end_if_closed(output: BorrowedFd, over: OwnedFd, is_written: &AtomicBool) {
    let mut fds = [PollFd::from_borrowed_fd(output, PollFlags::empty()), PollFd::new(&over, PollFlags::IN)];
    let poll = |fds: &mut [PollFd], most: Option<&Timespec>| rustix::io::retry_on_intr(|| poll(fds, most));
    let (second, now) = (Timespec { tv_sec: 1, tv_nsec: 0 }, Timespec::default());
    while poll(&mut fds, None).is_ok() && fds[1].revents().is_empty() {
        // Nobody reads the output any more. Wait a second: usually the run has by then tried to write results, failed,
        // and ended in an orderly way.
        let is_still_running = poll(&mut fds[1..], Some(&second)) == Ok(0) && !is_written.load(Ordering::Relaxed);
        if !is_still_running {
            return;
        }
        // Look again, because a FIFO can have got another reader by now.
        if poll(&mut fds[..1], Some(&now)) == Ok(1) {
            console::status(None);
            die_of_broken_pipe();
        }
    }
}

/// Returns a writer that writes the results of `inputs` to `output`. `plan` says how rows are read, for the hints in
/// messages about bad rows, and whether a bad row gets a blank line.
pub fn writer<'a>(
    plan: &Plan,
    output: &'a Output,
    inputs: &[Input],
    bad_rows: BadRows,
    tally: &'a Tally,
) -> Writer<'a> {
    let names = inputs.iter().map(Input::name).collect();
    let is_blank = plan.options.bad_rows == OnBadRow::Blank;
    let blank = if is_blank { plan.setup.settings.empty_result() } else { vec![] };
    let has_front = plan.options.range.is_none_or(|(offset, _)| offset == 0);
    let (format, columns, has_header) =
        (plan.setup.shape.format, plan.setup.shape.columns.clone(), plan.setup.shape.has_header);
    let reading = Reading { format, columns, has_header, has_front };
    let mut writer = Writer::new(output, output.name(), names, bad_rows, tally);
    (writer.reading, writer.blank) = (Some(reading), blank);
    // Only the first answer of a command shows that the command can be run. Until then no header is written.
    writer.holds_headers = plan.is_command;
    writer
}

/// Returns the error for the process to end with. `results` are those of the run, of writing the rejects, and of
/// writing the output, in this order. If several are errors, the last is returned, and the others are printed before
/// it. So errors of the outputs take precedence over those of the run, because what the run says about its rows is true
/// only if its outputs were written. The exception is a broken pipe, an error of the run, which takes precedence over
/// all others.
fn outcome(mut results: [Result<(), Error>; 3]) -> Result<(), Error> {
    if results[0].as_ref().is_err_and(Error::is_broken_pipe) {
        results.rotate_left(1);
    }
    let mut errors: Vec<Error> = results.into_iter().filter_map(Result::err).collect();
    errors.dedup_by_key(|error| error.to_string());
    let last = errors.pop();
    errors.iter().for_each(|error| say(error));
    last.map_or(Ok(()), Err)
}
