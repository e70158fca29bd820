//! Writes results in input order, and finds the file and the line of each bad row among them.
//!
//! This is the sink of a filter's run; the run's writer thread is in `executor/run.rs`.

use crate::bad_row::{BadRow, Kind, Report};
use crate::csv::hints::Reading;
use crate::csv::lines;
use crate::error::Error;
use crate::flow::{Block, Ending, Misfit, Part, Sink};
use crate::output::bad_rows::{BadRows, Standing};
use crate::process::streams::Patient;
use crate::tally::Tally;
use rustix::fd::{AsFd, BorrowedFd};
use std::io::Write;

/// Writes results, and counts the lines of the input that they came from.
pub struct Writer<'a> {
    output: BorrowedFd<'a>,
    output_name: String,
    inputs: Vec<String>,
    bad_rows: BadRows,
    tally: &'a Tally,
    /// How inputs are read, for hints.
    reading: Option<Reading>,
    /// If the input of the last block is no CSV: what to do about that, which is the hint of its first bad row.
    disguise: Option<String>,
    /// What stands in the output in place of a row that the reader could not hand on.
    blank: &'static [u8],
    /// The input that the last block came from.
    input: usize,
    /// How many lines of that input are dealt with.
    lines: u64,
    /// Where in that input the next part begins, in bytes.
    offset: u64,
    /// Up to where the tally has counted the bytes of that input; `None` before its first block.
    counted_to: Option<u64>,
    /// Whether any row of that input was dealt with.
    has_rows: bool,
}

impl<'a> Writer<'a> {
    /// A writer to `output`, which messages call `output_name`, of what comes from `inputs`.
    pub fn new(
        output: &'a impl AsFd,
        output_name: String,
        inputs: Vec<String>,
        bad_rows: BadRows,
        tally: &'a Tally,
    ) -> Self {
        Writer {
            output: output.as_fd(),
            output_name,
            inputs,
            bad_rows,
            tally,
            reading: None,
            disguise: None,
            blank: b"",
            input: 0,
            lines: 0,
            offset: 0,
            counted_to: None,
            has_rows: false,
        }
    }

    /// The same, with hints for rows that look as if they should be read in another way than this.
    pub fn hinting(self, reading: Reading) -> Self {
        Writer { reading: Some(reading), ..self }
    }

    /// The same, with this in the output in place of a row that the reader could not hand on.
    pub fn blank(self, blank: &'static [u8]) -> Self {
        Writer { blank, ..self }
    }

    /// The bad rows so far.
    pub fn bad_rows(&mut self) -> &mut BadRows {
        &mut self.bad_rows
    }
}

impl Sink for Writer<'_> {
    fn begin(&mut self, block: Block) -> Result<(), Error> {
        self.enter(block.input);
        if block.disguise.is_some() {
            self.disguise = block.disguise;
        }
        self.write_all(&block.header)?;
        if let Some(row) = block.misfit {
            self.refuse(&row)?;
            self.write_all(self.blank)?;
        }
        self.lines += block.lines_before;
        // Count what the reader has passed over, but not what comes before a range of a file.
        let start = self.counted_to.unwrap_or(block.offset);
        self.tally.bytes.add(block.offset.saturating_sub(start));
        self.offset = block.offset;
        self.counted_to = Some(block.offset);
        Ok(())
    }

    fn write(&mut self, part: Part) -> Result<(), Error> {
        let mut reports = part.reports;
        let mut counted = (0, self.lines);
        while !reports.is_empty() {
            let report = Report::take(&mut reports, part.input.len(), part.results.len());
            let Report { results: before, mut bad } = report.ok_or_else(Error::spoilt)?;
            if !self.bad_rows.is_heard() {
                self.bad_rows.count_one();
                self.tally.bad_rows.add(1);
                self.has_rows = true;
                continue;
            }
            if bad.place > counted.0 {
                counted.1 += lines(&part.input[counted.0..bad.place]) as u64;
                counted.0 = bad.place;
            }
            let bytes = &part.input[bad.row.clone()];
            self.complete(&mut bad, bytes, before == 0, part.deadly);
            let offset = self.offset + bad.row.start as u64;
            let at = Standing { file: &self.inputs[self.input], line: counted.1 + 1, offset, bytes };
            let entered = self.bad_rows.enter(&bad, at);
            self.tally.bad_rows.add(1);
            if let Err(error) = entered {
                self.tally.rows.add(part.rows as u64);
                self.write_all(&part.results[..before])?;
                return Err(error);
            }
            self.has_rows = true;
        }
        self.has_rows |= !part.results.is_empty();
        self.tally.rows.add(part.rows as u64);
        self.tally.bytes.add(part.consumed as u64);
        self.lines += part.lines as u64;
        self.offset += part.consumed as u64;
        self.counted_to = Some(self.offset);
        self.write_all(part.results)
    }

    fn end(&mut self, ending: Ending) -> Result<(), Error> {
        match ending {
            Ending::Done | Ending::Stopped => Ok(()),
            Ending::Failed(error) => Err(error),
            Ending::Misfit { input, row } => {
                self.enter(input);
                self.refuse(&row)
            }
        }
    }

    fn given_up(&mut self, rest: &[u8], what: String) -> Error {
        let last = self.lines + 1 + lines(rest.strip_suffix(b"\n").unwrap_or(rest)) as u64;
        Error::deaths(&self.inputs[self.input], (self.lines + 1, last), what)
    }
}

impl Writer<'_> {
    fn enter(&mut self, input: usize) {
        if input != self.input {
            (self.input, self.lines, self.counted_to, self.has_rows) = (input, 0, None, false);
            self.disguise = None;
        }
    }

    /// Counts and names a row that the reader could not hand on. If that row is a header, the run ends.
    fn refuse(&mut self, row: &Misfit) -> Result<(), Error> {
        let Misfit { bad, offset, lines, bytes } = row;
        let (file, line) = (&self.inputs[self.input], self.lines + lines + 1);
        if bad.kind == Kind::Header {
            return Err(Error::header(file, line, format_args!("{}{}", bad.what, bad.hint)));
        }
        self.has_rows = true;
        self.tally.bad_rows.add(1);
        self.bad_rows.enter(bad, Standing { file, line, offset: *offset, bytes })
    }

    /// Adds to a bad row what the worker could not know: why other workers died of the row, which the parent says in `deadly` if
    /// it has named one; and a hint at what may have been meant. `is_first`: there are no results before the row in its part.
    fn complete(&mut self, bad: &mut BadRow, bytes: &[u8], is_first: bool, deadly: &str) {
        if bad.kind == Kind::Deadly {
            if !deadly.is_empty() {
                bad.what = deadly.to_string();
            }
            return;
        }
        // The slot may have had no room for the message.
        if bad.what.is_empty() {
            bad.what = "the row is bad".to_string();
        }
        bad.hint = match (self.disguise.take(), &self.reading) {
            (Some(disguise), _) => disguise,
            (None, Some(reading)) => reading.hint(bytes, bad.field, is_first && !self.has_rows),
            (None, None) => String::new(),
        };
    }

    fn write_all(&self, bytes: &[u8]) -> Result<(), Error> {
        Patient(self.output).write_all(bytes).map_err(|error| Error::write(&self.output_name, error))
    }
}
