//! `--compare`: reads the rows once, and compares the executors on them.

use super::files::{check_output, inputs};
use super::map::writer;
use super::plan::Plan;
use crate::compare::{Workload, compare as compare_executors, python};
use crate::csv::Format;
use crate::error::Error;
use crate::executor::{Executor, Mapping};
use crate::flow::{Block, Ending, Source};
use crate::input::reader::{Input, Reader, Watch};
use crate::output::Output;
use crate::output::bad_rows::BadRows;
use crate::process::aside::stdin;
use crate::process::bell::bell;
use crate::process::console::say;
use crate::tally::Tally;
use rustix::fd::AsFd;
use rustix::fs::{FileType, fstat};
use std::io::{self, IsTerminal};

/// How many sample rows the kernel is asked to generate for the comparison.
const SAMPLE: u64 = 1_000_000;

/// Compares the executors, and prints the report.
///
/// # Errors
/// If there are no rows to compare with, if a row is bad, or if two executors give different results.
pub fn compare(plan: &Plan, mapping: &Mapping) -> Result<(), Error> {
    let options = &plan.options;
    // If stdin is a terminal or /dev/null, the user gave no input, and the kernel's sample rows are used. An empty pipe
    // is more likely to be an accident, so it counts as input without rows.
    let is_device = |input| FileType::from_raw_mode(input) == FileType::CharacterDevice;
    let is_without_input = options.files.is_empty() && fstat(stdin()).is_ok_and(|stat| is_device(stat.st_mode));
    if plan.setup.shape.has_header && (is_without_input || options.files.len() > 1) {
        return Err(Error::usage("with a header, --compare takes one FILE, or rows from stdin"));
    }
    if is_without_input && (plan.setup.shape.columns.is_some() || plan.setup.shape.format != Format::default()) {
        let what = "--compare makes rows of two fields with a comma itself; give it a FILE for others";
        return Err(Error::usage(what));
    }
    #[cfg(feature = "plot")]
    let plot = options.plot.as_deref();
    #[cfg(not(feature = "plot"))]
    let plot: Option<&std::path::Path> = None;
    if plan.is_command && plot.is_some() {
        return Err(Error::usage("--plot shows steps, and time against work, and those are not known of a command"));
    }
    let inputs = if is_without_input { vec![] } else { inputs(&options.files) };
    let plot = plot.map(Output::file).transpose()?;
    plot.iter().try_for_each(|plot| check_output(&inputs, plot))?;
    let stdout = Output::stdout()?;
    plot.iter().try_for_each(|plot| plot.is_not(&stdout))?;
    let name = match is_without_input {
        true => "the kernel's own sample".to_string(),
        false => inputs.iter().map(Input::name).collect::<Vec<_>>().join(", "),
    };
    let (header, mut rows) = read(plan, mapping, inputs, &stdout)?;
    if io::stderr().is_terminal() {
        say(&"comparing; this takes half a minute, and minutes on a busy machine or with many rows");
    }
    for number in 0..if is_without_input { SAMPLE } else { 0 } {
        let no_sample = || Error::usage("this kernel has no rows of its own to compare with: give it a FILE");
        rows.extend_from_slice((plan.sample)(number).ok_or_else(no_sample)?.as_bytes());
        rows.push(b'\n');
    }
    let workload = Workload {
        format: plan.setup.shape.format,
        header,
        rows,
        name,
        jobs: plan.jobs,
        block_size: plan.setup.sizes.block,
        chunk_size: options.chunk_size,
        is_command: plan.is_command,
    };
    if let Some(function) = &plan.python {
        return python::compare(&workload, function, options.json, plot);
    }
    compare_executors(workload, options.json, plot)
}

/// Reads `inputs`, and returns their header and rows. All rows are mapped once meanwhile, so that a bad row is reported
/// with its file and line before anything is measured. The results are thrown away.
fn read(plan: &Plan, mapping: &Mapping, inputs: Vec<Input>, stdout: &Output) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let (stop, tally) = (bell()?, Tally::default());
    let nowhere = Output::file("/dev/null".as_ref())?;
    let mut writer = writer(plan, &nowhere, &inputs, BadRows::new(None), &tally);
    let reader = Reader::new(inputs, plan.setup.shape.clone(), Watch { stop: stop.as_fd(), output: stdout.as_fd() });
    let mut copied = Copied { reader, head: plan.setup.sizes.head, header: vec![], rows: vec![] };
    Executor::Serial.run(mapping, plan.job(&mut copied, &mut writer, &stop, &tally))?;
    Ok((copied.header, copied.rows))
}

/// A source that keeps a copy of the header and of all rows that it reads. In the copy every row has a line end, even
/// if the last row of an input has none.
struct Copied<'a> {
    reader: Reader<'a>,
    /// How many bytes at the start of each buffer are for the block's head. Between the head and the rows lies the
    /// header, if the block begins with one.
    head: usize,
    header: Vec<u8>,
    rows: Vec<u8>,
}

impl Source for Copied<'_> {
    fn next_block(&mut self, buffer: &mut [u8], wanted: usize) -> Result<Block, Ending> {
        let block = self.reader.next_block(buffer, wanted)?;
        self.header.extend_from_slice(&buffer[self.head..block.rows.start]);
        self.rows.extend_from_slice(&buffer[block.rows.clone()]);
        if !self.rows.ends_with(b"\n") {
            self.rows.push(b'\n');
        }
        Ok(block)
    }
}
