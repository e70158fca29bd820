//! A kernel over rows of text.

use crate::csv::Format;
use crate::csv::index::Index;
use crate::csv::record::{Field, Line, Record, split};
use crate::csv::report::Report;
use crate::csv::shown::shown;
use crate::error::Error;
use crate::executor::block::{BATCH, BadRow, MapBlock, MapBlocks, MapPickles, Read, check_outputs, next_number};
use crate::executor::pickles::{pickle, unpickle};
use crate::kernel::{Batch, BatchKernel, Written, Wrong};
use crate::ring::Outcome;
use crate::steps::{Step, lap};
use std::ops::Range;

const TOO_LONG: &str = "the output is longer than a block; use a larger --block-size";

/// What becomes of bad rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum BadRows {
    /// The first one ends the run
    #[default]
    Stop,
    /// They have no line in the output
    Skip,
    /// They have an empty line in the output
    Blank,
}

/// How a filter reads rows and prints results.
#[derive(Clone, Copy, Default, Debug)]
pub struct Settings {
    /// How rows are written.
    pub format: Format,
    /// Whether a row is printed with its result.
    pub append: bool,
    /// What becomes of bad rows.
    pub bad_rows: BadRows,
}

/// A kernel over blocks of text. The head of a block says which columns are meant, 4 bytes for each; without a head it
/// is all of them.
#[derive(Clone)]
pub struct Text<'k, K> {
    kernel: &'k K,
    settings: Settings,
    number: u32,
}

impl<'k, K: BatchKernel> Text<'k, K> {
    /// This kernel over text of this form.
    pub fn new(kernel: &'k K, settings: Settings) -> Self {
        Text { kernel, settings, number: next_number() }
    }

    /// How rows are written.
    pub fn format(&self) -> Format {
        self.settings.format
    }

    fn hand(&self) -> Hand<'_, K> {
        Hand {
            kernel: self.kernel,
            settings: self.settings,
            columns: None,
            index: Index::default(),
            fields: vec![],
            rows: K::Rows::default(),
            outputs: K::Outputs::default(),
            places: vec![],
            reports: vec![],
        }
    }
}

impl<K: BatchKernel> MapBlocks for Text<'_, K> {
    fn number(&self) -> u32 {
        self.number
    }
    fn mapper(&self) -> Box<dyn MapBlock + '_> {
        Box::new(self.hand())
    }
    fn pickler(&self) -> Box<dyn MapPickles + '_> {
        Box::new(self.hand())
    }
}

/// A kernel with scratch space.
struct Hand<'k, K: BatchKernel> {
    kernel: &'k K,
    settings: Settings,
    columns: Option<Vec<usize>>,
    index: Index,
    fields: Vec<Field>,
    rows: K::Rows,
    outputs: K::Outputs,
    /// Where the rows lie, without their line ends, where that was asked for.
    places: Vec<Range<usize>>,
    reports: Vec<u8>,
}

impl<K: BatchKernel> Hand<'_, K> {
    fn enter(&mut self, head: &[u8]) {
        let (columns, _) = head.as_chunks::<4>();
        let columns = columns.iter().map(|column| u32::from_le_bytes(*column) as usize);
        self.columns = (!head.is_empty()).then(|| columns.collect());
    }

    /// Reads rows from the front of `text`, at most so many, up to the first that is bad.
    fn read(&mut self, text: &[u8], limit: usize) -> Read {
        self.rows.clear();
        self.index.clear();
        let is_plain = self.columns.is_none();
        let (mut bytes, mut try_plain) = (0, is_plain);
        while self.rows.len() < limit && bytes < text.len() {
            if try_plain {
                let room = limit - self.rows.len();
                let plain =
                    self.kernel.read_plain(&text[bytes..], self.settings.format.delimiter, room, &mut self.rows);
                bytes += plain;
                if self.rows.len() >= limit || bytes >= text.len() {
                    break;
                }
                // Two rows in a row that are not plain: there will be more of them.
                try_plain = plain > 0;
            }
            let (rest, format) = (&text[bytes..], self.settings.format);
            let line = self.index.line(text, bytes, format, &mut self.fields);
            match line.unwrap_or_else(|| split(rest, format, &mut self.fields)) {
                Line::Nothing { length } => {
                    bytes += length;
                    try_plain = is_plain;
                }
                Line::Row { content, length } => match self.read_row(&rest[..content]) {
                    Ok(()) => bytes += length,
                    Err(Wrong { field, what }) => {
                        let (row, end) = (bytes..bytes + content, bytes + length);
                        let field = field.unwrap_or(0);
                        let bad = BadRow { row, end, place: bytes, field, what, is_closed: true };
                        return Read { bytes, bad: Some(bad) };
                    }
                },
                Line::Unclosed { quote } => {
                    let place = bytes + quote;
                    let row = bytes..bytes + rest.strip_suffix(b"\n").unwrap_or(rest).len();
                    let field = self.fields.len() + 1;
                    let what =
                        format!("field {field} begins with a quote that is never closed: {}", shown(&text[place..]));
                    let bad = BadRow { row, end: text.len(), place, field, what, is_closed: false };
                    return Read { bytes, bad: Some(bad) };
                }
            }
        }
        Read { bytes, bad: None }
    }

    fn read_row(&mut self, text: &[u8]) -> Result<(), Wrong> {
        let count = self.fields.len();
        let needed = match &self.columns {
            Some(columns) => columns.iter().max().map_or(0, |last| last + 1),
            None => self.kernel.fields().unwrap_or(count),
        };
        if count < needed || (self.columns.is_none() && count > needed) {
            let plural = if count == 1 { "" } else { "s" };
            let expected = if self.columns.is_some() { "needed" } else { "expected" };
            let other = text.iter().find(|byte| count == 1 && b";\t|,:".contains(byte));
            let hint = match other {
                Some(b'\t') => "; if tabs stand between fields, say so with -d tab".to_string(),
                Some(&other) => format!("; if '{0}' stands between fields, say so with -d '{0}'", char::from(other)),
                None => String::new(),
            };
            let what = format!("{count} field{plural} where {needed} are {expected}: {}{hint}", shown(text));
            return Err(Wrong::row(what));
        }
        self.kernel
            .read(&Record::new(text, &self.fields, self.columns.as_deref(), self.settings.format), &mut self.rows)
    }

    fn map_rows(&mut self) {
        self.outputs.clear();
        self.kernel.map_rows(&self.rows, &mut self.outputs);
        check_outputs(self.outputs.len(), self.rows.len());
    }

    /// Finds out where the first rows of `text` lie, at most so many.
    fn place(&mut self, text: &[u8], limit: usize) {
        self.places.clear();
        self.index.clear();
        let mut bytes = 0;
        while self.places.len() < limit && bytes < text.len() {
            let format = self.settings.format;
            let line = self.index.line(text, bytes, format, &mut self.fields);
            match line.unwrap_or_else(|| split(&text[bytes..], format, &mut self.fields)) {
                Line::Nothing { length } => bytes += length,
                Line::Row { content, length } => {
                    self.places.push(bytes..bytes + content);
                    bytes += length;
                }
                Line::Unclosed { .. } => break,
            }
        }
    }

    /// Writes the results of the rows of `text` from this one on, as many as fit. With `--append` they have been placed.
    fn write(&self, text: &[u8], from: usize, room: &mut [u8]) -> Written {
        let Settings { format, append, .. } = self.settings;
        let count = self.outputs.len();
        if !append {
            return self.kernel.write(&self.outputs, from..count, format, room);
        }
        let mut written = Written::default();
        for (number, place) in (from..count).zip(&self.places[from..]) {
            let Some(mut room) = room.get_mut(written.bytes..) else { break };
            let row = &text[place.clone()];
            let Some(space) = room.split_off_mut(..row.len() + 1) else { break };
            space[..row.len()].copy_from_slice(row);
            space[row.len()] = format.delimiter;
            let result = self.kernel.write(&self.outputs, number..number + 1, format, room);
            if result.outputs == 0 {
                written.bad = result.bad;
                break;
            }
            written.bytes += row.len() + 1 + result.bytes;
            if text.get(place.end) == Some(&b'\r') {
                let Some(end) = room.get_mut(result.bytes - 1..=result.bytes) else {
                    written.bytes -= row.len() + 1 + result.bytes;
                    break;
                };
                end.copy_from_slice(b"\r\n");
                written.bytes += 1;
            }
            written.outputs += 1;
        }
        written
    }

    /// A row whose output cannot be written, one of those that were placed.
    fn unwritable(&self, text: &[u8], number: usize, what: String) -> BadRow {
        let row = self.places[number].clone();
        BadRow { end: after_line(text, row.end), place: row.start, row, field: 0, what, is_closed: true }
    }

    /// What is printed for a bad row.
    fn kept(&self, text: &[u8], bad: &BadRow) -> Vec<u8> {
        match self.settings {
            Settings { bad_rows: BadRows::Blank, append: true, format } if bad.is_closed => {
                let end: &[u8] = if text.get(bad.row.end) == Some(&b'\r') { b"\r\n" } else { b"\n" };
                [&text[bad.row.clone()], &[format.delimiter], end].concat()
            }
            Settings { bad_rows: BadRows::Blank, .. } => b"\n".to_vec(),
            _ => vec![],
        }
    }
}

/// Where the line after this end of a row begins.
fn after_line(text: &[u8], end: usize) -> usize {
    memchr::memchr(b'\n', &text[end..]).map_or(text.len(), |length| end + length + 1)
}

impl BadRow {
    fn report(&self, results: usize, at: usize) -> Report<'_> {
        let row = at + self.row.start..at + self.row.end;
        let what = if self.what.is_empty() { "the row is bad" } else { &self.what };
        Report { results, row, place: at + self.place, field: self.field, what }
    }
}

impl<K: BatchKernel> MapBlock for Hand<'_, K> {
    fn map_block(&mut self, head: &[u8], input: &[u8], room: &mut [u8]) -> Outcome {
        self.enter(head);
        self.reports.clear();
        let mut outcome = Outcome::default();
        while outcome.consumed < input.len() {
            let at = outcome.consumed;
            let text = &input[at..];
            let read = self.read(text, BATCH);
            lap(Step::Take);
            self.map_rows();
            let count = self.rows.len();
            if self.settings.append {
                self.place(text, count);
            }
            let free = room.len() - self.reports.len();
            let written = self.write(text, 0, &mut room[outcome.results..free]);
            lap(Step::Merge);
            outcome.results += written.bytes;
            let bad = if written.outputs == count {
                outcome.consumed += read.bytes;
                read.bad
            } else {
                self.place(text, written.outputs + 1);
                outcome.consumed += self.places[written.outputs].start;
                let too_long = || (outcome.results == 0 && self.reports.is_empty()).then(|| TOO_LONG.to_string());
                match written.bad.or_else(too_long) {
                    Some(what) => Some(self.unwritable(text, written.outputs, what)),
                    None => break,
                }
            };
            let Some(bad) = bad else { continue };
            let (kept, report) = (self.kept(text, &bad), bad.report(outcome.results, at));
            let used = outcome.results + self.reports.len();
            // Where there is no room for it, the part before it is handed over: the row then comes first in the rest
            // of the block, with all of the region for itself.
            if used > 0 && used + kept.len() + report.length() > room.len() {
                break;
            }
            report.append(&mut self.reports, room.len() - used - kept.len());
            room[outcome.results..outcome.results + kept.len()].copy_from_slice(&kept);
            outcome.results += kept.len();
            if self.settings.bad_rows == BadRows::Stop {
                break;
            }
            outcome.consumed = at + bad.end;
        }
        outcome.lines = memchr::memchr_iter(b'\n', &input[..outcome.consumed]).count();
        room[outcome.results..outcome.results + self.reports.len()].copy_from_slice(&self.reports);
        outcome.report = self.reports.len();
        outcome
    }
}

impl<K: BatchKernel> MapPickles for Hand<'_, K> {
    fn pickle_rows(&mut self, head: &[u8], block: &[u8], limit: usize, task: &mut Vec<u8>) -> Result<Read, Error> {
        self.enter(head);
        let read = self.read(block, limit);
        lap(Step::Take);
        pickle("rows", &self.rows, task)?;
        lap(Step::Pickle);
        Ok(read)
    }

    fn map_pickles(&mut self, task: &[u8], reply: &mut Vec<u8>) -> Result<(), Error> {
        self.rows = unpickle("rows", task)?;
        lap(Step::Unpickle);
        self.map_rows();
        pickle("outputs", &self.outputs, reply)?;
        lap(Step::PickleResult);
        Ok(())
    }

    fn unpickle_outputs(
        &mut self,
        reply: &[u8],
        block: &[u8],
        bad: Option<BadRow>,
        room: &mut [u8],
        results: &mut Vec<u8>,
        reports: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.outputs = unpickle("outputs", reply)?;
        lap(Step::UnpickleResult);
        let count = self.outputs.len();
        if self.settings.append {
            self.place(block, count);
        }
        let mut done = 0;
        let mut bad = bad;
        loop {
            let written = self.write(block, done, room);
            results.extend_from_slice(&room[..written.bytes]);
            done += written.outputs;
            let next = if done == count {
                bad.take()
            } else if written.bad.is_some() || written.outputs == 0 {
                self.place(block, count);
                done += 1;
                Some(self.unwritable(block, done - 1, written.bad.unwrap_or_else(|| TOO_LONG.to_string())))
            } else {
                continue;
            };
            let Some(next) = next else { break };
            next.report(results.len(), 0).append(reports, room.len());
            results.extend_from_slice(&self.kept(block, &next));
            if self.settings.bad_rows == BadRows::Stop {
                break;
            }
        }
        lap(Step::Merge);
        Ok(())
    }
}
