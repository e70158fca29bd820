//! Writes results in input order, and finds the file and the line of each bad row.
//!
//! This is the [`Sink`] of a filter's run: a thread calls it with the results of one part of a block after another
//! (`executor/writing.rs`).

use crate::bad_row::{BadRow, Kind, Report};
use crate::csv::hints::Reading;
use crate::csv::lines;
use crate::error::Error;
use crate::flow::{Block, Bytes, Ending, Misfit, Part, Sink};
use crate::output::bad_rows::{BadRows, Standing};
use crate::process::streams::Patient;
use crate::tally::Tally;
use rustix::fd::{AsFd, BorrowedFd};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

/// Writes results to an output, and counts the lines of the input, so that it knows the line of each bad row.
pub struct Writer<'a> {
    output: BorrowedFd<'a>,
    output_name: String,
    inputs: Vec<String>,
    bad_rows: BadRows,
    tally: &'a Tally,
    /// The options that say how inputs are read, for the hints about bad rows; `None` for no hints. A hint says if a row
    /// looks as if it should be read in another way.
    pub(crate) reading: Option<Reading>,
    /// Advice to the user if the current input looks like something else than CSV. The reader passes it with the first
    /// block of the input, and the first bad row of the input gets it as its hint.
    disguise: Option<String>,
    /// What is written to the output in place of a misfit. A misfit is a bad row that the reader could not pass on,
    /// such as a row longer than a block.
    pub(crate) blank: Vec<u8>,
    /// Headers that are not written yet.
    headers: Vec<u8>,
    /// Whether headers are kept back until the first results, so that a run that fails before its first result writes
    /// nothing. If a run succeeds without any result, its headers are still kept back: the caller must write them
    /// ([`write_headers`](Self::write_headers)).
    pub(crate) holds_headers: bool,
    /// Index of the current input: the one that the last block came from.
    input: usize,
    /// Set to true once all results are written, or the run ends at a bad row.
    pub(crate) is_written: Option<&'a AtomicBool>,
    /// How many lines of the current input come before the next part.
    lines: u64,
    /// Where the next part begins in the current input, in bytes.
    offset: u64,
    /// Up to which offset in the current input the tally has counted bytes; `None` before the first block of the input.
    counted_to: Option<u64>,
    /// Whether the parts of the current input so far had any row, good or bad.
    has_rows: bool,
}

impl<'a> Writer<'a> {
    /// Returns a writer that writes the results to `output`. Messages call the output `output_name`. They call each
    /// input by its name in `inputs`.
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
            blank: vec![],
            headers: vec![],
            holds_headers: false,
            is_written: None,
            input: 0,
            lines: 0,
            offset: 0,
            counted_to: None,
            has_rows: false,
        }
    }

    /// Writes the headers that have been kept back.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write_headers(&mut self) -> Result<(), Error> {
        let headers = std::mem::take(&mut self.headers);
        Patient(self.output).write_all(&headers).map_err(|error| Error::write(&self.output_name, error))
    }

    /// The number of the current input, and the offset behind its last row that was written or reported. If a misfit
    /// has ended the run, the offset is where the misfit begins, because its end is not known.
    pub fn position(&self) -> (usize, u64) {
        (self.input, self.offset)
    }

    /// The bad rows so far.
    pub fn bad_rows(&mut self) -> &mut BadRows {
        &mut self.bad_rows
    }
}

impl Sink for Writer<'_> {
    fn begin(&mut self, block: Block) -> Result<(), Error> {
        self.enter(block.input)?;
        self.offset = block.offset;
        if block.disguise.is_some() {
            self.disguise = block.disguise;
        }
        self.headers.extend_from_slice(&block.header);
        if !self.holds_headers {
            self.write_headers()?;
        }
        if let Some(row) = block.misfit {
            self.refuse(&row)?;
            let blank = std::mem::take(&mut self.blank);
            self.write_all(&blank)?;
            self.blank = blank;
        }
        self.lines += block.lines_before;
        // Count the bytes that the reader passed over between the last block and this one. Before the first block
        // nothing is counted, because the bytes before it can lie outside the range that is read.
        let start = self.counted_to.unwrap_or(block.offset);
        self.tally.bytes.add(block.offset.saturating_sub(start));
        self.counted_to = Some(block.offset);
        Ok(())
    }

    fn write(&mut self, part: Part) -> Result<(), Error> {
        let mut reports = part.reports;
        let mut counted = (0, self.lines);
        // The text of the rows is needed only for messages, so it is fetched at the first one. If a worker has read the
        // rows from the file itself, they are read again here.
        let mut text = None;
        while !reports.is_empty() {
            let report = Report::take(&mut reports, part.input.len(), part.results.len());
            let Report { results: before, mut bad } = report.ok_or_else(Error::spoilt)?;
            if !self.bad_rows.is_heard() && !bad.kind.ends_run() {
                self.bad_rows.count_one();
                self.tally.bad_rows.add(1);
                self.has_rows = true;
                continue;
            }
            let text = match &text {
                Some(text) => text,
                None => text.insert(part.input.read().map_err(|error| Error::io(&self.inputs[self.input], error))?),
            };
            if bad.place > counted.0 {
                counted.1 += lines(&text[counted.0..bad.place]) as u64;
                counted.0 = bad.place;
            }
            let bytes = &text[bad.row.clone()];
            self.complete(&mut bad, bytes, before == 0, part.deadly);
            let offset = self.offset + bad.row.start as u64;
            let line_end = memchr::memchr(b'\n', &text[bad.row.end..]).map_or(0, |at| at + 1);
            let end = (bad.row.end + line_end) as u64;
            let at = Standing { file: &self.inputs[self.input], line: counted.1 + 1, offset, bytes };
            let entered = self.bad_rows.enter(&bad, at);
            self.tally.bad_rows.add(1);
            if let Err(error) = entered {
                self.tell_end();
                self.tally.rows.add(part.rows as u64);
                self.write_all(&part.results[..before])?;
                self.offset += end;
                if bad.kind == Kind::Unrunnable {
                    self.headers.clear();
                }
                return Err(error);
            }
            self.has_rows = true;
        }
        self.has_rows |= part.rows > 0 || !part.results.is_empty();
        self.tally.rows.add(part.rows as u64);
        self.tally.bytes.add(part.consumed as u64);
        self.lines += part.lines as u64;
        self.write_all(part.results)?;
        self.offset += part.consumed as u64;
        self.counted_to = Some(self.offset);
        Ok(())
    }

    fn end(&mut self, ending: Ending) -> Result<(), Error> {
        self.tell_end();
        match ending {
            Ending::Done => self.check_rows(),
            Ending::Stopped => Ok(()),
            Ending::Failed(error) => Err(error),
            Ending::Misfit { input, row } => {
                self.enter(input)?;
                self.offset = row.offset;
                self.refuse(&row)
            }
        }
    }

    fn given_up(&mut self, rest: Bytes, what: String) -> Error {
        let rest = rest.read().unwrap_or_default();
        let last = self.lines + 1 + lines(rest.strip_suffix(b"\n").unwrap_or(&rest)) as u64;
        let what = what + &self.bad_rows.results_before("them");
        Error::deaths(&self.inputs[self.input], (self.lines + 1, last), what)
    }
}

impl Writer<'_> {
    fn tell_end(&self) {
        self.is_written.inspect(|is_written| is_written.store(true, Ordering::Relaxed));
    }

    fn enter(&mut self, input: usize) -> Result<(), Error> {
        if input != self.input {
            self.check_rows()?;
            (self.input, self.lines, self.counted_to, self.has_rows) = (input, 0, None, false);
            self.disguise = None;
        }
        Ok(())
    }

    /// Returns an error if the current input had no rows, and its header does not look like CSV. Otherwise a compressed
    /// file, for example, would be taken for a header without rows.
    fn check_rows(&mut self) -> Result<(), Error> {
        let has_header = self.reading.as_ref().is_some_and(|reading| reading.has_header);
        match self.disguise.take().filter(|_| has_header && !self.has_rows) {
            Some(disguise) => Err(Error::header(&self.inputs[self.input], 1, format_args!("no rows follow{disguise}"))),
            None => Ok(()),
        }
    }

    /// Counts and reports a misfit, that is, a bad row that the reader could not pass on.
    ///
    /// # Errors
    /// If the misfit is a header; if it is one bad row too many; or if it cannot be written to the rejects.
    fn refuse(&mut self, row: &Misfit) -> Result<(), Error> {
        let Misfit { bad, offset, lines, bytes } = row;
        let (file, line) = (&self.inputs[self.input], self.lines + lines + 1);
        if bad.kind == Kind::Header {
            return Err(Error::header(file, line, format_args!("{}{}", bad.what, bad.hint)));
        }
        self.has_rows = true;
        self.tally.bad_rows.add(1);
        let entered = self.bad_rows.enter(bad, Standing { file, line, offset: *offset, bytes });
        entered.inspect_err(|_| self.tell_end())
    }

    /// Adds to the bad row `bad` what its worker could not know. If workers died of the row, this is the message
    /// `deadly`, unless `deadly` is empty. For any other row this is a hint about what the user might have meant.
    /// `is_first` says that the part has no results before the row.
    fn complete(&mut self, bad: &mut BadRow, bytes: &[u8], is_first: bool, deadly: &str) {
        if bad.kind == Kind::Deadly {
            if !deadly.is_empty() {
                bad.what = deadly.to_string();
            }
            return;
        }
        // The worker has left the message out if the slot had no room for it.
        if bad.what.is_empty() {
            bad.what = "the row is bad".to_string();
        }
        bad.hint = match (self.disguise.take(), &self.reading) {
            // The row could be read and the kernel refused it, so the format and the delimiter are right. But the row
            // might be a header.
            (_, Some(reading)) if bad.kind == Kind::Refused => {
                reading.hint_at_header(bytes, is_first && !self.has_rows)
            }
            (Some(disguise), _) => disguise,
            (None, Some(reading)) => reading.hint(bytes, bad.field, is_first && !self.has_rows),
            (None, None) => String::new(),
        };
    }

    /// Writes `bytes`. If headers have been kept back and `bytes` is not empty, writes the headers first.
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if !bytes.is_empty() && !self.headers.is_empty() {
            self.write_headers()?;
        }
        Patient(self.output).write_all(bytes).map_err(|error| Error::write(&self.output_name, error))
    }
}
