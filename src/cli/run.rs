//! What the options ask for is done.

use super::options::Options;
use super::outputs::{Outputs, outcome};
use super::{end, progress, stats};
use crate::compare::trial::Trial;
use crate::compare::{Workload, compare};
use crate::csv::Format;
use crate::csv::hints::Reading;
use crate::error::{Error, say};
use crate::executor::text::{OnBadRow, Text};
use crate::executor::{self, Executor, Job};
use crate::flow::bad_rows::BadRows;
use crate::flow::reader::{Input, Reader, Watch};
use crate::flow::writer::Writer;
use crate::flow::{Block, Ending, Source};
use crate::kernel::BatchKernel;
use crate::output::Output;
use crate::streams::heed_signals;
use crate::tally::Tally;
use crate::vectors::Vectors;
use rustix::fd::AsFd;
use rustix::fs::FileType;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

impl Options {
    /// Runs the filter that these ask for, or the part of it that this process was started for, and answers with the
    /// status to end with.
    ///
    /// Each worker is this program again with the same arguments, so whatever is done before this call is done in each
    /// of them too: parse the arguments, make the kernel, and come here.
    pub fn run<K: BatchKernel>(self, kernel: &K) -> ExitCode {
        if let Err(what) = Vectors::check_environment() {
            return end(Err(Error::usage(what)));
        }
        let (settings, trial) =
            match self.settings(kernel).and_then(|settings| Ok((settings, Trial::of_this_process()?))) {
                Ok(found) => found,
                Err(error) => return end(Err(error)),
            };
        match trial {
            None => self.run_over(&Text::new(kernel, settings), kernel, None),
            Some(trial) => self.run_over(&Text::new(&trial.graded(kernel), settings), kernel, Some(trial)),
        }
    }

    fn run_over<K: BatchKernel>(self, mapping: &Text<K>, kernel: &impl BatchKernel, trial: Option<Trial>) -> ExitCode {
        if let Some(status) = executor::worker::reenter(mapping) {
            return status;
        }
        if executor::worker::is_worker() {
            return end(Err(executor::worker::not_for_you()));
        }
        heed_signals();
        match trial {
            Some(trial) => end(self.try_out(mapping, kernel, trial)),
            None if self.compare => end(self.compare(mapping, kernel)),
            None if self.split.is_some() => end(self.print_ranges(mapping.format())),
            None => self.map_in_sight(mapping, kernel),
        }
    }

    /// Maps, and says how that goes and what it came to, as far as that is asked for.
    fn map_in_sight<K: BatchKernel>(self, mapping: &Text<K>, kernel: &impl BatchKernel) -> ExitCode {
        let (executor, progress, stats) = (self.executor, self.progress, self.stats);
        let (start, tally) = (Instant::now(), Tally::default());
        let total = self.total();
        let outputs = self.outputs();
        let is_on_terminal = outputs.as_ref().is_ok_and(Outputs::is_on_terminal);
        let run = || self.map(mapping, kernel, executor, None, &tally, outputs?);
        let status = end(progress::while_running(progress, &tally, total, is_on_terminal, run));
        if let Some(form) = stats {
            stats::print(form, &tally, start.elapsed());
        }
        status
    }

    /// How many bytes of input there are, if all of it lies in regular files.
    fn total(&self) -> Option<u64> {
        if let Some((_, length)) = self.range {
            return Some(length);
        }
        let size = |path: &PathBuf| {
            if path.as_os_str() == "-" {
                return size_of_stdin();
            }
            let metadata = fs::metadata(path).ok()?;
            metadata.is_file().then_some(metadata.len())
        };
        if self.files.is_empty() { size_of_stdin() } else { self.files.iter().map(size).sum() }
    }

    /// What a trial is told to do, with the rest of the settings from the command line.
    fn try_out<K: BatchKernel>(
        mut self,
        mapping: &Text<K>,
        kernel: &impl BatchKernel,
        trial: Trial,
    ) -> Result<(), Error> {
        self.files.clear();
        self.output = trial.accounts().then(|| PathBuf::from("/dev/null"));
        (self.block_size, self.chunk_size) = trial.pieces().unwrap_or((self.block_size, self.chunk_size));
        let outputs = self.outputs()?;
        self.map(mapping, kernel, trial.executor(), Some(trial), &Tally::default(), outputs)
    }

    fn compare<K: BatchKernel>(self, mapping: &Text<K>, kernel: &impl BatchKernel) -> Result<(), Error> {
        // A terminal or /dev/null; an empty pipe is more likely to be an accident.
        let is_without_input = self.files.is_empty() && is_character_device(&io::stdin());
        if self.has_header() && (is_without_input || self.files.len() > 1) {
            return Err(Error::usage("with a header, --compare takes one FILE, or rows from stdin"));
        }
        if is_without_input && (!self.column_lists.is_empty() || mapping.format() != Format::default()) {
            return Err(Error::usage(
                "--compare makes rows of two fields with a comma itself; give it a FILE for others",
            ));
        }
        let shape = self.shape(mapping.format(), kernel);
        let inputs = if is_without_input { vec![] } else { inputs(&self.files) };
        let names: Vec<String> = inputs.iter().map(Input::name).collect();
        let plot = self.plot.as_deref().map(Output::file).transpose()?;
        plot.iter().try_for_each(|plot| plot.is_none_of(&inputs))?;
        // Once through, so that a bad row is named by its file and line, and not after half of the measurement.
        let (stop, stdout) = (executor::bell()?, Output::stdout()?);
        plot.iter().try_for_each(|plot| plot.is_not(&stdout))?;
        let tally = Tally::default();
        let nowhere = Output::file("/dev/null".as_ref())?;
        let watch = Watch { stop: stop.as_fd(), output: stdout.as_fd() };
        let sizes = self.sizes();
        let mut copy =
            Copied { reader: Reader::new(inputs, shape, watch), head: sizes.head, header: vec![], rows: vec![] };
        let job = Job {
            source: &mut copy,
            sink: &mut self.writer(&nowhere, &names, mapping.format(), BadRows::new(None), &tally),
            stop: &stop,
            jobs: 1,
            sizes,
            block_timeout: None,
            tally: &tally,
            chunk_size: self.chunk_size,
        };
        Executor::Serial.run(mapping, job)?;
        if io::stderr().is_terminal() {
            say(&"comparing; this takes a quarter of a minute, and more with many rows");
        }
        let mut workload = Workload {
            format: mapping.format(),
            header: copy.header,
            rows: copy.rows,
            name: names.join(", "),
            jobs: self.jobs.unwrap_or_else(executor::processors),
            block_size: self.block_size,
            chunk_size: self.chunk_size,
        };
        if is_without_input {
            const ROWS: u64 = 1_000_000;
            workload.name = "the kernel's own sample".to_string();
            for number in 0..ROWS {
                let row = kernel.sample_row(number);
                let no_sample = || Error::usage("this kernel has no rows of its own to compare with: give it a FILE");
                workload.rows.extend_from_slice(row.ok_or_else(no_sample)?.as_bytes());
                workload.rows.push(b'\n');
            }
        }
        compare(workload, self.json, plot)
    }

    fn map<K: BatchKernel>(
        self,
        mapping: &Text<K>,
        kernel: &impl BatchKernel,
        executor: Executor,
        trial: Option<Trial>,
        tally: &Tally,
        outputs: Outputs,
    ) -> Result<(), Error> {
        let inputs = self.input_of_range()?.map_or_else(|| inputs(&self.files), |input| vec![input]);
        let names: Vec<String> = inputs.iter().map(Input::name).collect();
        let Outputs { results: output, rejects } = outputs;
        output.is_none_of(&inputs)?;
        let mut bad_rows = BadRows::new(match self.bad_rows {
            OnBadRow::Stop => None,
            OnBadRow::Skip | OnBadRow::Blank => Some(self.max_bad.unwrap_or(u64::MAX)),
        });
        if let Some(rejects) = &rejects {
            rejects.is_none_of(&inputs)?;
            rejects.is_not(&output)?;
            bad_rows = bad_rows.written_to(rejects.file_to_write()?, &rejects.name())?;
        }
        let stop = executor::bell()?;
        let watch = Watch { stop: stop.as_fd(), output: output.as_fd() };
        let reader = Reader::new(inputs, self.shape(mapping.format(), kernel), watch);
        let mut writer = self.writer(&output, &names, mapping.format(), bad_rows, tally);
        let job = Job {
            source: &mut reader.passing_over(self.bad_rows != OnBadRow::Stop),
            sink: &mut writer,
            stop: &stop,
            jobs: self.jobs.unwrap_or_else(executor::processors),
            sizes: self.sizes(),
            block_timeout: self.block_timeout,
            tally,
            chunk_size: self.chunk_size,
        };
        let ended = executor.run(mapping, job);
        let bad_rows = writer.bad_rows();
        let count = bad_rows.count();
        // However it ended, these are the rows to look at; but a run that found nothing does not replace what was found
        // before.
        let close_rejects = if count > 0 || ended.is_ok() { Output::complete } else { Output::give_up };
        let rejected = bad_rows.flush().and_then(|()| rejects.map_or(Ok(()), close_rejects));
        let is_complete = ended.is_ok() && rejected.is_ok();
        if is_complete && trial.is_some_and(|trial| trial.accounts()) {
            Trial::give_account();
        }
        let written = if is_complete { output.complete() } else { output.give_up() };
        outcome([ended, rejected, written])?;
        if count > 0 { Err(Error::bad_rows(count)) } else { Ok(()) }
    }

    fn writer<'a>(
        &self,
        output: &'a Output,
        names: &[String],
        format: Format,
        bad_rows: BadRows,
        tally: &'a Tally,
    ) -> Writer<'a> {
        let writer = Writer::new(output, output.name(), names.to_vec(), bad_rows, tally);
        let blank: &[u8] = if self.bad_rows == OnBadRow::Blank { b"\n" } else { b"" };
        let has_front = self.range.is_none_or(|(offset, _)| offset == 0);
        let reading = Reading { format, columns: self.columns(), has_header: self.has_header(), has_front };
        writer.hinting(reading).blank(blank)
    }
}

/// What a reader reads, kept: all rows, each with its end.
struct Copied<'a> {
    reader: Reader<'a>,
    /// How much stands before the rows in each buffer.
    head: usize,
    header: Vec<u8>,
    rows: Vec<u8>,
}

impl Source for Copied<'_> {
    fn next_block(&mut self, buffer: &mut [u8]) -> Result<Block, Ending> {
        let block = self.reader.next_block(buffer)?;
        self.header.extend_from_slice(&buffer[self.head..block.rows.start]);
        self.rows.extend_from_slice(&buffer[block.rows.clone()]);
        if !self.rows.ends_with(b"\n") {
            self.rows.push(b'\n');
        }
        Ok(block)
    }
}

/// What is left to read of stdin, if that is a regular file.
fn size_of_stdin() -> Option<u64> {
    let stat = rustix::fs::fstat(io::stdin()).ok()?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    let at = rustix::fs::tell(io::stdin()).ok()?;
    is_file.then(|| (stat.st_size as u64).saturating_sub(at))
}

fn is_character_device(file: &impl AsFd) -> bool {
    rustix::fs::fstat(file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice)
}

fn inputs(files: &[PathBuf]) -> Vec<Input> {
    if files.is_empty() {
        if io::stdin().is_terminal() {
            say(&"waiting for rows like 12,18 from the terminal; Ctrl-D ends them");
        }
        return vec![Input::Stdin];
    }
    let input = |path: &PathBuf| if path.as_os_str() == "-" { Input::Stdin } else { Input::Path(path.clone()) };
    files.iter().map(input).collect()
}
