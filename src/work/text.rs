//! A kernel over rows of text.

use crate::bad_row::{BadRow, Kind, Report};
use crate::csv::head::Head;
use crate::csv::index::Index;
use crate::csv::record::{Field, Line, Record, split, stray_return};
use crate::csv::returns::{self, stray_return_in};
use crate::csv::shown::shown;
use crate::csv::{Format, lines, trimmed};
use crate::error::Error;
use crate::kernel::{Batch, BatchKernel, Written};
use crate::ring::Care;
use crate::steps::{Step, lap};
use crate::work::outputs;
use crate::work::remote::{self, Failure, Remote};
use crate::work::{BATCH, DEADLY, Mapped, Mapper, Pace, Work, check_outputs};
use std::borrow::Cow;
use std::ops::Range;

const TOO_LONG: &str = "the output is longer than a block; use a larger --block-size";

/// What becomes of bad rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum OnBadRow {
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
    pub on_bad_row: OnBadRow,
    /// Nobody hears what is wrong with more bad rows than so many: of those after them it is not said.
    pub most_told: Option<u64>,
}

/// A kernel over blocks of text. The [`Head`] of a block says which columns are meant; without a head it is all of them.
#[derive(Clone)]
pub struct Text<'k, K> {
    kernel: &'k K,
    settings: Settings,
}

impl<'k, K: BatchKernel> Text<'k, K> {
    /// This kernel over text of this form.
    pub fn new(kernel: &'k K, settings: Settings) -> Self {
        Text { kernel, settings }
    }
}

impl<K: BatchKernel> Work for Text<'_, K> {
    fn mapper<'m>(&'m self, remote: Option<Remote<'m>>) -> Box<dyn Mapper + 'm> {
        Box::new(Loaded {
            kernel: self.kernel,
            settings: self.settings,
            remote,
            head: Head::default(),
            needed: 0,
            index: Index::default(),
            fields: vec![],
            rows: K::Rows::default(),
            outputs: K::Outputs::default(),
            places: vec![],
            reports: vec![],
            told: 0,
            is_after_fault: false,
        })
    }

    fn map_task(&self, task: &[u8]) -> Result<(Vec<u8>, usize), Error> {
        remote::reply(task, |rows: &K::Rows, outputs| self.kernel.map_batch(rows, outputs))
    }
}

/// A kernel with scratch space.
struct Loaded<'k, K: BatchKernel> {
    kernel: &'k K,
    settings: Settings,
    remote: Option<Remote<'k>>,
    head: Head,
    /// How many fields a row has at least; without columns no more either, unless it is 0.
    needed: usize,
    index: Index,
    fields: Vec<Field>,
    rows: K::Rows,
    outputs: K::Outputs,
    /// Where these rows lie, without their line ends, with `--append` or where that was asked for.
    places: Vec<Range<usize>>,
    reports: Vec<u8>,
    /// Of how many bad rows of this part of a block it is said what is wrong with them. Other workers may map the blocks before
    /// it, so nobody knows how many of those there are.
    told: u64,
    /// The last row was a bad one.
    is_after_fault: bool,
}

impl<K: BatchKernel> Loaded<'_, K> {
    /// Takes up another block.
    fn enter(&mut self, head: &[u8]) {
        self.head = Head::read(head);
        self.needed = match &self.head.columns {
            Some(columns) => columns.iter().max().map_or(0, |last| last + 1),
            None => self.kernel.fields().unwrap_or(0),
        };
        self.index.clear();
        self.reports.clear();
    }

    /// Splits the line of the block that begins at `at`; asked for one line after the other.
    fn line(&mut self, block: &[u8], at: usize) -> Line {
        let format = self.settings.format;
        let line = self.index.line(block, at, format, &mut self.fields);
        line.unwrap_or_else(|| split(&block[at..], format, &mut self.fields))
    }

    /// Reads rows of the block from `start` on, at most so many, up to the first that is bad. Answers where the next row begins,
    /// and what is wrong with it, if it is the bad one.
    fn read(&mut self, block: &[u8], start: usize, limit: usize, care: Care) -> (usize, Option<BadRow>) {
        self.rows.clear();
        self.places.clear();
        let is_plain = self.head.columns.is_none() && !self.settings.append && !care.is_needed();
        // A bad row seldom comes alone, and to try costs more than a row.
        let (mut at, mut try_plain) = (start, is_plain && !self.is_after_fault);
        let mut bad = None;
        while self.rows.len() < limit && at < block.len() {
            if try_plain {
                let room = limit - self.rows.len();
                let plain = self.kernel.read_plain(&block[at..], self.settings.format.delimiter, room, &mut self.rows);
                at += plain;
                if self.rows.len() >= limit || at >= block.len() {
                    break;
                }
                // Two rows in a row that are not plain: there will be more of them.
                try_plain = plain > 0;
            }
            match self.line(block, at) {
                Line::Nothing { length } => {
                    at += length;
                    try_plain = is_plain && block.get(at).is_some_and(u8::is_ascii_digit);
                }
                Line::Row { content, length } => {
                    let row = at..at + content;
                    if care.is_needed() {
                        care.note(at);
                    }
                    if care.must_avoid(at) {
                        bad = Some(BadRow::row(DEADLY).of(Kind::Deadly).at(row, at + length));
                        break;
                    }
                    if let Err(wrong) = self.read_row(&block[row.clone()]) {
                        bad = Some(wrong.at(row, at + length));
                        break;
                    }
                    if self.settings.append {
                        self.places.push(row);
                    }
                    at += length;
                }
                Line::Stray { at: stray, content, length } => {
                    let row = at..at + content;
                    let field = self.fields.iter().position(|field| field.range().contains(&stray));
                    let what = self.tell(|loaded| match field {
                        Some(field) => stray_return_in(
                            &format!("field {}", field + 1),
                            trimmed(loaded.fields[field].raw(&block[row.clone()])),
                        ),
                        None => stray_return_in("the comment", &block[row.clone()]),
                    });
                    let field = field.map(|field| field + 1);
                    let wrong = BadRow { field, ..BadRow::row(what) };
                    bad = Some(wrong.at(row, at + length).named_at(at + stray));
                    break;
                }
                Line::Unclosed { quote } => {
                    let (place, field) = (at + quote, self.fields.len() + 1);
                    let row = at..block.len() - usize::from(block.ends_with(b"\n"));
                    let what = self.tell(|loaded| {
                        let is_stray =
                            stray_return(&block[at..place], &loaded.fields, loaded.settings.format).is_some();
                        let what = shown(&block[place..]);
                        let what = format!("field {field} begins with a quote that is never closed: {what}");
                        match is_stray {
                            true => what + "; a carriage return before it ends no row" + returns::hint(&block[at..]),
                            false => what,
                        }
                    });
                    let wrong = BadRow { field: Some(field), ..BadRow::row(what) }.of(Kind::Unclosed);
                    bad = Some(wrong.at(row, block.len()).named_at(place));
                    break;
                }
            }
        }
        self.is_after_fault = bad.is_some();
        (at, bad)
    }

    /// Whether anybody may hear what is wrong with the next bad row.
    fn is_heard(&self) -> bool {
        self.settings.most_told.is_none_or(|most| self.told < most)
    }

    /// What is wrong with a row, in words, if anybody may hear them: they cost far more than the row.
    fn tell(&mut self, what: impl FnOnce(&Self) -> String) -> String {
        if !self.is_heard() {
            return String::new();
        }
        self.told += 1;
        what(self)
    }

    fn read_row(&mut self, text: &[u8]) -> Result<(), BadRow> {
        if !self.has_as_many_fields_as_it_should() {
            return Err(BadRow::row(self.tell(|loaded| loaded.wrong_count(text))));
        }
        let record = Record::new(text, &self.fields, self.head.columns.as_deref(), self.settings.format);
        if self.kernel.try_read(&record, &mut self.rows) {
            return Ok(());
        }
        if !self.is_heard() {
            return Err(BadRow::default());
        }
        let read = self.kernel.read(&record, &mut self.rows);
        self.told += u64::from(read.is_err());
        read
    }

    /// Whether all rows have to have as many fields as are needed.
    fn is_fixed(&self) -> bool {
        self.head.columns.is_none() && self.needed > 0
    }

    fn has_as_many_fields_as_it_should(&self) -> bool {
        let (count, needed) = (self.fields.len(), self.needed);
        self.head.fields.is_none_or(|fields| count == fields)
            && if self.is_fixed() { count == needed } else { count >= needed }
    }

    /// What is said of a row that has not.
    fn wrong_count(&self, text: &[u8]) -> String {
        let (count, is_fixed) = (self.fields.len(), self.is_fixed());
        let by_first_row = self.head.fields.filter(|&fields| fields != count);
        let needed = by_first_row.unwrap_or(self.needed);
        let plural = if count == 1 { "" } else { "s" };
        let expected = if is_fixed || by_first_row.is_some() { "expected" } else { "needed" };
        let hint = if by_first_row.is_some() {
            "; with --append all rows have as many as the header or the first row".to_string()
        } else if is_fixed && count > needed {
            let first: Vec<String> = (1..=needed).map(|number| number.to_string()).collect();
            format!("; say which of them count, as in -k {}", first.join(","))
        } else {
            String::new()
        };
        format!("{count} field{plural} where {needed} are {expected}: {}{hint}", shown(text))
    }

    /// Maps the rows, here or in the remote.
    fn map_rows(&mut self) -> Result<(), Failure> {
        if let Some(remote) = &mut self.remote {
            self.outputs = remote.map(&self.rows, self.rows.len())?;
            return Ok(());
        }
        self.outputs.clear();
        self.kernel.map_batch(&self.rows, &mut self.outputs);
        check_outputs(self.outputs.len(), self.rows.len());
        Ok(())
    }

    /// Finds out again where rows of the block lie, so many from `start` on.
    fn place(&mut self, block: &[u8], start: usize, count: usize) {
        self.places.clear();
        self.index.clear();
        let mut at = start;
        while self.places.len() < count && at < block.len() {
            match self.line(block, at) {
                Line::Nothing { length } => at += length,
                Line::Row { content, length } => {
                    self.places.push(at..at + content);
                    at += length;
                }
                // Only a row is looked for that was read, and so is none of these.
                Line::Stray { .. } | Line::Unclosed { .. } => break,
            }
        }
    }

    /// Writes the results of the rows from this one on, as many as fit. With `--append` the rows have their places.
    fn write(&self, block: &[u8], from: usize, room: &mut [u8]) -> Written {
        let Settings { format, append, .. } = self.settings;
        let count = self.outputs.len();
        if !append {
            return outputs::write(self.kernel, &self.outputs, from..count, format, room);
        }
        let mut written = Written::default();
        for (number, place) in (from..count).zip(&self.places[from..]) {
            let Some(mut room) = room.get_mut(written.bytes..) else { break };
            let row = &block[place.clone()];
            let Some(space) = room.split_off_mut(..row.len() + 1) else { break };
            space[..row.len()].copy_from_slice(row);
            space[row.len()] = format.delimiter;
            let result = outputs::write(self.kernel, &self.outputs, number..number + 1, format, room);
            if result.outputs == 0 {
                written.bad = result.bad;
                break;
            }
            // Without its line end: the row has one.
            let result = room[..result.bytes].strip_suffix(b"\n").unwrap_or_default();
            let result = result.strip_suffix(b"\r").unwrap_or(result).len();
            let end = line_end(block, place.end);
            let Some(space) = room.get_mut(result..result + end.len()) else { break };
            space.copy_from_slice(end);
            written.bytes += row.len() + 1 + result + end.len();
            written.outputs += 1;
        }
        written
    }

    /// A row whose output cannot be written, one of those that have places.
    fn unwritable(&self, block: &[u8], number: usize, what: String) -> BadRow {
        let row = self.places[number].clone();
        let end = after_line(block, row.end);
        BadRow::row(what).at(row, end)
    }

    /// What is printed for a bad row.
    fn kept(&self, block: &[u8], bad: &BadRow) -> Cow<'static, [u8]> {
        match self.settings {
            Settings { on_bad_row: OnBadRow::Blank, append: true, format, .. } if bad.kind != Kind::Unclosed => {
                [&block[bad.row.clone()], &[format.delimiter], line_end(block, bad.row.end)].concat().into()
            }
            Settings { on_bad_row: OnBadRow::Blank, .. } => b"\n".into(),
            _ => b"".into(),
        }
    }
}

/// Where the line after this end of a row begins.
fn after_line(block: &[u8], end: usize) -> usize {
    memchr::memchr(b'\n', &block[end..]).map_or(block.len(), |length| end + length + 1)
}

/// The line end that a row has, or is given.
fn line_end(block: &[u8], end: usize) -> &'static [u8] {
    if block.get(end) == Some(&b'\r') { b"\r\n" } else { b"\n" }
}

impl<K: BatchKernel> Mapper for Loaded<'_, K> {
    fn map_block(&mut self, head: &[u8], input: &[u8], room: &mut [u8], care: Care) -> Result<Mapped, Failure> {
        self.enter(head);
        self.told = 0;
        let pace = Pace::with(care);
        let batch = self.remote.as_ref().map_or(BATCH, |remote| remote.chunk_size);
        let mut outcome = Mapped::default();
        while outcome.consumed < input.len() {
            let start = outcome.consumed;
            care.note(start);
            let (end, bad) = self.read(input, start, if care.is_needed() { 1 } else { batch }, care);
            lap(Step::Take);
            let mut written = Written::default();
            // Among many bad rows there is often no other.
            if !self.rows.is_empty() {
                self.map_rows()?;
                let free = room.len() - self.reports.len();
                written = self.write(input, 0, &mut room[outcome.results..free]);
            }
            lap(Step::Merge);
            outcome.results += written.bytes;
            outcome.rows += written.outputs;
            let bad = if written.outputs == self.rows.len() {
                outcome.consumed = end;
                bad
            } else {
                self.place(input, start, written.outputs + 1);
                outcome.consumed = self.places[written.outputs].start;
                let too_long = || (outcome.results == 0 && self.reports.is_empty()).then(|| TOO_LONG.to_string());
                match written.bad.or_else(too_long) {
                    Some(what) => Some(self.unwritable(input, written.outputs, what)),
                    None => break,
                }
            };
            let Some(bad) = bad else {
                if pace.is_enough() {
                    break;
                }
                continue;
            };
            let kept = self.kept(input, &bad);
            let used = outcome.results + self.reports.len();
            // Where there is no room for it, the part before it is handed over: the row then comes first in the rest
            // of the block, with all of the region for itself.
            if used > 0 && used + kept.len() + Report::length(&bad) > room.len() {
                break;
            }
            Report::append(&bad, outcome.results, &mut self.reports, room.len() - used - kept.len());
            room[outcome.results..outcome.results + kept.len()].copy_from_slice(&kept);
            outcome.results += kept.len();
            if self.settings.on_bad_row == OnBadRow::Stop {
                break;
            }
            outcome.consumed = bad.end;
            // What is deadly is done with before another row can undo that.
            if bad.kind == Kind::Deadly || pace.is_enough() {
                break;
            }
        }
        outcome.lines = lines(&input[..outcome.consumed]);
        room[outcome.results..outcome.results + self.reports.len()].copy_from_slice(&self.reports);
        outcome.reports = self.reports.len();
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Kernel;

    /// Repeats the row's character as often as its number says.
    struct Repeat;

    impl Kernel for Repeat {
        type Row = (usize, char);
        type Output = String;
        fn map(&self, &(times, c): &(usize, char)) -> String {
            c.to_string().repeat(times)
        }
    }

    /// All that comes of `input` with so much room at a time: results, line ends dealt with, and the first report.
    fn in_parts(input: &str, room: usize) -> (String, usize, String) {
        let (mut results, mut lines, mut rest) = (vec![], 0, input.as_bytes());
        let (mapping, mut room) = (Text::new(&Repeat, Settings::default()), vec![0; room]);
        let mut mapper = mapping.mapper(None);
        while !rest.is_empty() {
            let outcome = mapper.map_block(&[], rest, &mut room, Care::default()).unwrap();
            results.extend_from_slice(&room[..outcome.results]);
            lines += outcome.lines;
            if outcome.reports > 0 {
                let mut reports = &room[outcome.results..outcome.results + outcome.reports];
                let report = Report::take(&mut reports, rest.len(), outcome.results).unwrap();
                return (String::from_utf8(results).unwrap(), lines, report.bad.what);
            }
            assert!(outcome.results > 0 || outcome.consumed == rest.len(), "no progress");
            rest = &rest[outcome.consumed..];
        }
        (String::from_utf8(results).unwrap(), lines, String::new())
    }

    #[test]
    fn results_larger_than_the_room_come_in_parts() {
        let input = "3,a\n\n1,b\r\n0,c\n30,d\n".repeat(400);
        let (expected, lines, report) = in_parts(&input, 1 << 20);
        assert_eq!((lines, expected.lines().count(), report.as_str()), (2000, 1600, ""));
        for room in [31, 32, 40, 100, 1000] {
            assert_eq!(in_parts(&input, room), (expected.clone(), 2000, String::new()), "{room}");
        }
    }

    #[test]
    fn a_bad_row_is_reported_after_the_results_before_it() {
        let input = format!("{}9,zz\n1,a\n", "9,a\n".repeat(100));
        for room in [200, 300, 1 << 20] {
            let (results, lines, report) = in_parts(&input, room);
            assert_eq!((results.lines().count(), lines), (100, 100));
            assert!(report.starts_with("field 2: "), "{report}");
        }
    }

    #[test]
    fn a_result_that_never_fits_is_reported() {
        for input in ["2,a\n500,b\n", "2,a\n\n\r\n500,b\n"] {
            let (results, lines, report) = in_parts(input, 150);
            assert_eq!((results.as_str(), lines), ("aa\n", input.lines().count() - 1));
            assert_eq!(report, TOO_LONG);
        }
    }
}
