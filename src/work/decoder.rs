//! Reads the rows of a block into the kernel's form of rows, up to the first bad row.
//!
//! Rows are found many at a time by an [`Index`] of delimiters and line ends, and read by [`BatchKernel::read_rows`]. The row at which one
//! of the two stops, and with care every row, goes the exact way: [`split`](crate::csv::record::split) finds its fields, and if it is bad,
//! it is told here what is wrong with it.

use crate::bad_row::{BadRow, Kind};
use crate::csv::head::Head;
use crate::csv::index::Index;
use crate::csv::record::{Field, Line, Record, split, stray_return};
use crate::csv::returns::{self, stray_return_in};
use crate::csv::shown::shown;
use crate::csv::trimmed;
use crate::kernel::batch::{Batch, BatchKernel};
use crate::ring::Care;
use crate::work::DEADLY;
use crate::work::settings::Settings;
use std::ops::{Range, RangeInclusive};

/// Reads one batch of rows after another. Holds the current batch.
pub struct Decoder<'k, K: BatchKernel> {
    kernel: &'k K,
    settings: Settings,
    /// The head of the current block.
    pub head: Head,
    /// The smallest number of fields that a row must have. If no columns are chosen and this is not 0, a row must not
    /// have more either.
    needed: usize,
    /// The numbers of fields that a good row can have.
    counts: RangeInclusive<usize>,
    index: Index,
    /// How many rows are tried together: none behind a bad row, up to the next good one. Bad rows often come together, and to find rows in
    /// vain costs more than to read one.
    trust: usize,
    /// The fields of the row that was split last.
    fields: Vec<Field>,
    /// The rows of the current batch.
    pub rows: K::Rows,
    /// Byte range of each of these rows in the block, without its line end. Filled only with `--append`, and by
    /// [`Decoder::place`].
    pub places: Vec<Range<usize>>,
    /// For how many bad rows of this part a message was worded. The limit for a part is that for the whole run, because
    /// it is not known how many bad rows the blocks before have: other workers map them.
    told: u64,
    /// Whether rows can be found by the index and read by [`BatchKernel::read_rows`].
    can_find: bool,
}

impl<'k, K: BatchKernel> Decoder<'k, K> {
    /// Makes a decoder for `kernel`, without rows.
    pub fn new(kernel: &'k K, settings: Settings) -> Self {
        // A text for no value must not be taken for a value.
        let may_be_number = |text: &Vec<u8>| text.iter().any(u8::is_ascii_digit);
        let can_miss = match kernel.reads_only_numbers() {
            true => settings.missing.iter().any(may_be_number),
            false => !settings.missing.is_empty(),
        };
        Decoder {
            kernel,
            can_find: !settings.format.blanks && !can_miss,
            head: Head::default(),
            needed: 0,
            counts: 0..=0,
            index: Index::new(settings.format),
            settings,
            trust: usize::MAX,
            fields: vec![],
            rows: K::Rows::default(),
            places: vec![],
            told: 0,
        }
    }

    /// Begins a part of a block. `head` is the head of that block.
    pub fn begin(&mut self, head: &[u8]) {
        self.head = Head::read(head);
        self.needed = match &self.head.columns {
            Some(columns) => columns.iter().max().map_or(0, |last| last + 1),
            None => self.kernel.fields().unwrap_or(0),
        };
        self.counts = match (self.head.fields, &self.head.columns) {
            (Some(fields), _) => fields.max(self.needed)..=fields,
            (None, None) if self.needed > 0 => self.needed..=self.needed,
            (None, _) => self.needed..=usize::MAX,
        };
        self.index.restart(0);
        self.told = 0;
    }

    /// Splits the line that begins at byte `at` of the block.
    fn line(&mut self, block: &[u8], at: usize) -> Line {
        split(&block[at..], self.settings.format, &mut self.fields)
    }

    /// Reads rows from byte `at` of the block on, at most `limit` of them, as long as nothing is unusual. Returns where the next row begins,
    /// and whether it was tried in vain.
    fn read_found(&mut self, block: &[u8], at: usize, limit: usize) -> (usize, bool) {
        let limit = limit.min(self.trust);
        let found = self.index.rows(block, at, &self.counts, self.head.columns.as_deref(), limit);
        if found.is_empty() {
            return (at, true);
        }
        let read = self.kernel.read_rows(&found, &mut self.rows);
        if self.settings.append {
            self.places.extend((0..read).map(|row| found.place(row)));
        }
        let is_stopped = read < found.len();
        self.trust = if is_stopped { 0 } else { self.trust.saturating_mul(4) };
        (self.index.pass(read), is_stopped)
    }

    /// Reads a batch: at most `limit` rows, from byte `start` of the block up to the first bad row. Returns where the
    /// next row begins and, if that row is the bad one, what is wrong with it.
    pub fn read(&mut self, block: &[u8], start: usize, limit: usize, care: Care) -> (usize, Option<BadRow>) {
        self.rows.clear();
        self.places.clear();
        let (mut at, mut bad) = (start, None);
        while self.rows.len() < limit && at < block.len() {
            if self.can_find && !care.is_needed() && self.trust > 0 {
                let (next, is_stopped) = self.read_found(block, at, limit - self.rows.len());
                at = next;
                if !is_stopped {
                    continue;
                }
            }
            match self.line(block, at) {
                Line::Nothing { length } => at += length,
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
                    self.trust = self.trust.max(16);
                    at += length;
                }
                Line::Stray { at: stray, content, length } => {
                    let row = at..at + content;
                    let field = self.fields.iter().position(|field| field.range().contains(&stray));
                    let what = self.tell(|decoder| match field {
                        Some(field) => stray_return_in(
                            &format!("field {}", field + 1),
                            trimmed(decoder.fields[field].raw(&block[row.clone()])),
                        ),
                        None => stray_return_in("the comment", &block[row.clone()]),
                    });
                    let wrong = BadRow { field: field.map(|field| field + 1), ..BadRow::row(what) };
                    bad = Some(wrong.at(row, at + length).named_at(at + stray));
                    break;
                }
                Line::Unclosed { quote } => {
                    let (place, field) = (at + quote, self.fields.len() + 1);
                    let row = at..block.len() - usize::from(block.ends_with(b"\n"));
                    let what = self.tell(|decoder| {
                        let stray = stray_return(&block[at..place], &decoder.fields, decoder.settings.format);
                        let what = shown(&block[place..]);
                        let what = format!("field {field} begins with a quote that is never closed: {what}");
                        match stray {
                            Some(_) => what + "; a carriage return before it ends no row" + returns::hint(&block[at..]),
                            None => what,
                        }
                    });
                    let wrong = BadRow { field: Some(field), ..BadRow::row(what) }.of(Kind::Unclosed);
                    bad = Some(wrong.at(row, block.len()).named_at(place));
                    break;
                }
            }
        }
        (at, bad)
    }

    /// Returns whether a message about the next bad row of this part may be printed.
    fn is_heard(&self) -> bool {
        self.settings.most_told.is_none_or(|most| self.told < most)
    }

    /// Returns the message that `what` makes, or an empty string if the message would not be printed: wording it costs
    /// far more than reading the row.
    fn tell(&mut self, what: impl FnOnce(&Self) -> String) -> String {
        if !self.is_heard() {
            return String::new();
        }
        self.told += 1;
        what(self)
    }

    /// Appends the row that was split last, whose bytes are `text`, to the batch. The error says what is wrong if the
    /// row is bad.
    fn read_row(&mut self, text: &[u8]) -> Result<(), BadRow> {
        let (count, needed) = (self.fields.len(), self.needed);
        let (is_fixed, append) = (self.head.columns.is_none() && needed > 0, self.settings.append);
        // A row that lacks a column is told so in the same words whether it stands before or behind the first good row, whose number
        // of fields all rows must have. How many of these rows share a block is a matter of when they arrive.
        let lacks_column = self.head.columns.is_some() && count < needed;
        let by_first_row = self.head.fields.filter(|&fields| fields != count && !lacks_column);
        if by_first_row.is_some() || count < needed || (is_fixed && count > needed) {
            return Err(BadRow::row(self.tell(|_| {
                let plural = if count == 1 { "" } else { "s" };
                let expected = if is_fixed || by_first_row.is_some() { "expected" } else { "needed" };
                let hint = if by_first_row.is_some() && !append {
                    "; each is given the name that its column has in the header".to_string()
                } else if by_first_row.is_some() {
                    "; with --append all rows have as many as the header or the first row".to_string()
                } else if is_fixed && count > needed {
                    let first: Vec<String> = (1..=needed).map(|number| number.to_string()).collect();
                    format!("; say which of them count, as in -k {}", first.join(","))
                } else {
                    String::new()
                };
                let needed = by_first_row.unwrap_or(needed);
                format!("{count} field{plural} where {needed} are {expected}: {}{hint}", shown(text))
            })));
        }
        let record = Record::new(text, &self.fields, self.head.columns.as_deref(), self.settings.format);
        if !self.settings.missing.is_empty() && self.lacks_value(&record) {
            return Err(BadRow::default().of(Kind::Missing));
        }
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

    /// Whether one of the fields that the kernel would get is a text for no value.
    fn lacks_value(&self, record: &Record) -> bool {
        let is_missing = |value: &[u8]| self.settings.missing.iter().any(|text| text == value);
        (0..record.len()).any(|at| is_missing(trimmed(&record.value(at))))
    }

    /// Recomputes the places of `count` rows, the first of which begins at byte `start` of the block. Needed when not
    /// all outputs of a batch could be written, because without `--append` [`read`](Self::read) does not keep places.
    pub fn place(&mut self, block: &[u8], start: usize, count: usize) {
        self.places.clear();
        let mut at = start;
        while self.places.len() < count && at < block.len() {
            match self.line(block, at) {
                Line::Nothing { length } => at += length,
                Line::Row { content, length } => {
                    self.places.push(at..at + content);
                    at += length;
                }
                // These rows have been read without error, so these cases do not occur.
                Line::Stray { .. } | Line::Unclosed { .. } => break,
            }
        }
    }
}
