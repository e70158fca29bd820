//! Reads the rows of a block into the kernel's form of rows, and says what is wrong with bad ones.
//!
//! Rows are found many at a time by an [`Index`] of delimiters and line ends, and read by [`BatchKernel::read_rows`]. A
//! row that the kernel does not read in this way is read alone. Rows that the index cannot find, and all rows of a
//! block that needs care, are split one by one ([`split`](crate::csv::record::split)).

use crate::bad_row::{BadRow, Kind};
use crate::csv::head::Head;
use crate::csv::index::Index;
use crate::csv::record::{Field, Line, Record, split, stray_return};
use crate::csv::returns::{self, stray_return_in};
use crate::csv::scan::Scan;
use crate::csv::shown::shown;
use crate::csv::trimmed;
use crate::kernel::batch::{Batch, BatchKernel};
use crate::ring::Care;
use crate::work::DEADLY;
use crate::work::settings::Settings;
use crate::work::single::Single;
use std::ops::{Range, RangeInclusive};

/// Reads one batch of rows after another. Holds the current batch.
pub struct Decoder<'k, K: BatchKernel> {
    single: Single<'k, K>,
    /// The head of the current block.
    pub head: Head,
    /// The least number of fields of a row. If no columns are chosen, a row must have exactly this number, or any number
    /// if this is 0.
    needed: usize,
    /// The number of fields that the kernel takes, where no columns are chosen.
    fixed: Option<usize>,
    /// The numbers of fields that a good row can have.
    counts: RangeInclusive<usize>,
    index: Index,
    /// Whether the index already has the lists of the part that begins next.
    is_listed: bool,
    /// The fields of the row that was split last.
    fields: Vec<Field>,
    /// The good rows of the current batch.
    pub rows: K::Rows,
    /// For each row in `rows`, its byte range in the block, without the line end. Filled only with `--append`.
    pub places: Vec<Range<usize>>,
    /// The bad rows of the batch, each with the number of good rows that precede it in the same batch.
    pub bad: Vec<(usize, BadRow)>,
    /// Whether rows can be found by the index and read by [`BatchKernel::read_rows`].
    can_find: bool,
}

impl<'k, K: BatchKernel> Decoder<'k, K> {
    /// Makes a decoder for `kernel`, without rows.
    pub fn new(kernel: &'k K, settings: Settings) -> Self {
        // If the kernel might read one of the texts for a missing value as a value, each row must be checked for these
        // texts first. `read_rows` does not check, so rows are then read one by one.
        let can_miss = settings.missing.iter().any(|text| kernel.may_be_value(text));
        Decoder {
            can_find: !settings.format.blanks && !can_miss,
            head: Head::default(),
            needed: 0,
            fixed: kernel.fields(),
            counts: 0..=0,
            index: Index::new(settings.format),
            is_listed: false,
            single: Single::new(kernel, settings),
            fields: vec![],
            rows: K::Rows::default(),
            places: vec![],
            bad: vec![],
        }
    }

    /// Takes the lists of the delimiters and line ends in the part of a block that begins next.
    pub fn take_listed(&mut self, scan: &mut Scan) {
        self.index.take(scan);
        self.is_listed = true;
    }

    /// Returns the number of line feeds in the first `length` bytes of the part, if it is known.
    pub fn line_feeds(&self, length: usize) -> Option<usize> {
        self.index.line_feeds(length)
    }

    /// Begins a part of a block. `head` is the head of that block.
    pub fn begin(&mut self, head: &[u8]) {
        self.head = Head::read(head);
        self.needed = match &self.head.columns {
            Some(columns) => columns.iter().max().map_or(0, |last| last + 1),
            None => self.fixed.unwrap_or(0),
        };
        let (least, most) = self.head.fields.map_or((0, usize::MAX), |fields| (fields, fields));
        let is_fixed = self.head.columns.is_none() && self.needed > 0;
        self.counts = least.max(self.needed)..=if is_fixed { most.min(self.needed) } else { most };
        if !std::mem::take(&mut self.is_listed) {
            self.index.restart(0);
        }
        self.single.begin();
    }

    /// Messages name a field by its number in the row. Returns this number for the field that the kernel received at
    /// index `field` of the row at `row`; `None` if the row has no such field.
    #[cold]
    #[inline(never)]
    pub fn number_in(&mut self, block: &[u8], row: &Range<usize>, field: usize) -> Option<usize> {
        self.line(block, row.start);
        let count = self.head.columns.as_ref().map_or(self.fields.len(), Vec::len);
        (field < count).then(|| self.head.number(field))
    }

    /// Splits the line that begins at byte `at` of the block.
    fn line(&mut self, block: &[u8], at: usize) -> Line {
        split(&block[at..], self.single.settings.format, &mut self.fields)
    }

    /// Reads a batch of at most `limit` rows from byte `start` of the block on. Bad rows go to `bad`. A bad row that
    /// ends the part ends the batch, too. Returns where the next row begins.
    pub fn read(&mut self, block: &[u8], start: usize, limit: usize, care: Care) -> usize {
        self.rows.clear();
        self.places.clear();
        self.bad.clear();
        let mut at = start;
        while at < block.len() {
            let left = limit.saturating_sub(self.rows.len() + self.bad.len());
            if left == 0 || self.bad.last().is_some_and(|(_, bad)| self.single.settings.ends_part(bad)) {
                break;
            }
            if self.can_find && !care.is_needed() {
                let is_found;
                (at, is_found) = self.read_found(block, at, left);
                if is_found || at >= block.len() {
                    continue;
                }
            }
            let line = self.line(block, at);
            let row = match line {
                Line::Nothing { length } => {
                    at += length;
                    continue;
                }
                Line::Row { content, .. } | Line::Stray { content, .. } => at..at + content,
                Line::Unclosed { .. } => at..block.len() - usize::from(block.ends_with(b"\n")),
            };
            let end = line.length().map_or(block.len(), |length| at + length);
            match self.read_line(block, line, row.clone(), care) {
                Ok(()) if self.single.settings.append => self.places.push(row),
                Ok(()) => {}
                // A row with line ends within quotes has several lines. `place` is on the line of the fault, so it can
                // lie behind the start of the row.
                Err((wrong, place)) => self.bad.push((self.rows.len(), BadRow { row, place, end, ..wrong })),
            }
            at = end;
        }
        at
    }

    /// Reads at most `limit` of the rows that the index finds from byte `at` of the block on. Returns where the next
    /// row begins, and whether any row was read. If none was, the index cannot read the next row, and the caller must
    /// split it into fields.
    fn read_found(&mut self, block: &[u8], at: usize, limit: usize) -> (usize, bool) {
        let Decoder { single, head, rows, places, bad, fields, .. } = self;
        let found = self.index.rows(block, at, &self.counts, head.columns.as_deref(), limit);
        if found.is_empty() {
            let other = found.other_length().map(|count| (count, found.place(0), found.end(0)));
            let wrong =
                other.and_then(|(count, row, end)| Some(self.wrong_length(count, &block[row.clone()])?.at(row, end)));
            let is_found = wrong.is_some();
            self.bad.extend(wrong.map(|wrong| (self.rows.len(), wrong)));
            return (self.index.advance(usize::from(is_found)), is_found);
        }
        let first_bad = bad.len();
        let count = single.kernel.read_rows(&found, rows, &mut |row, rows| {
            let Err(wrong) = single.read(&found.record(row, fields), rows) else { return true };
            let wrong = wrong.at(found.place(row), found.end(row));
            let goes_on = !single.settings.ends_part(&wrong);
            bad.push((rows.len(), wrong));
            goes_on
        });
        if single.settings.append {
            let all = (0..count).map(|row| found.place(row));
            let mut bad = bad[first_bad..].iter().map(|(_, bad)| &bad.row).peekable();
            match bad.peek() {
                None => places.extend(all),
                Some(_) => places.extend(all.filter(|row| bad.next_if_eq(&row).is_none())),
            }
        }
        (self.index.advance(count), true)
    }

    /// Reads the row that was split last: `line`, which is at `row` in the block. If it is bad, returns what is wrong
    /// with it, and where.
    fn read_line(&mut self, block: &[u8], line: Line, row: Range<usize>, care: Care) -> Result<(), (BadRow, usize)> {
        let (at, text, fields) = (row.start, &block[row], &self.fields);
        match line {
            Line::Row { .. } | Line::Nothing { .. } => {
                if care.is_needed() {
                    care.note(at);
                }
                if care.must_avoid(at) {
                    return Err((BadRow::row(DEADLY).of(Kind::Deadly), at));
                }
                self.read_row(text).map_err(|wrong| (wrong, at))
            }
            Line::Stray { at: stray, .. } => {
                let field = fields.iter().position(|field| field.range().contains(&stray));
                let what = self.single.tell(|| match field {
                    Some(field) => stray_return_in(&format!("field {}", field + 1), trimmed(fields[field].raw(text))),
                    None => stray_return_in("the comment", text),
                });
                Err((BadRow { field: field.map(|field| field + 1), ..BadRow::row(what) }, at + stray))
            }
            Line::Unclosed { quote } => {
                let (place, field, format) = (at + quote, fields.len() + 1, self.single.settings.format);
                let what = self.single.tell(|| {
                    let what = shown(&block[place..]);
                    let what = format!("field {field} begins with a quote that is never closed: {what}");
                    match stray_return(&block[at..place], fields, format) {
                        Some(_) => what + "; a carriage return before it ends no row" + returns::hint(&block[at..]),
                        None => what,
                    }
                });
                Err((BadRow { field: Some(field), ..BadRow::row(what) }.of(Kind::Unclosed), place))
            }
        }
    }

    /// Appends the row that was split last, whose bytes are `text`, to the batch. The error says what is wrong if the
    /// row is bad.
    fn read_row(&mut self, text: &[u8]) -> Result<(), BadRow> {
        if let Some(wrong) = self.wrong_length(self.fields.len(), text) {
            return Err(wrong);
        }
        let record = Record::new(text, &self.fields, self.head.columns.as_deref(), self.single.settings.format);
        self.single.read(&record, &mut self.rows)
    }

    /// Returns what is wrong with a row of `count` fields, whose bytes are `text`, if it has too many or too few
    /// fields.
    fn wrong_length(&mut self, count: usize, text: &[u8]) -> Option<BadRow> {
        let needed = self.needed;
        let (is_fixed, append) = (self.head.columns.is_none() && needed > 0, self.single.settings.append);
        // A row that lacks a column always gets the message about the column, even if the first row fixes another
        // number of fields. Otherwise its message would depend on whether it shares a block with the first row, which
        // depends on when the rows arrive.
        let lacks_column = self.head.columns.is_some() && count < needed;
        let by_first_row = self.head.fields.filter(|&fields| fields != count && !lacks_column);
        if by_first_row.is_some() || count < needed || (is_fixed && count > needed) {
            return Some(BadRow::row(self.single.tell(|| {
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
                let are = if needed == 1 { "is" } else { "are" };
                format!("{count} field{plural} where {needed} {are} {expected}: {}{hint}", shown(text))
            })));
        }
        None
    }

    /// Returns the byte range in the block of a good row, without its line end. `number` is the index of the row among
    /// those from byte `start` of the block on. All rows from `start` up to this one must have been read, and be good.
    pub fn place(&mut self, block: &[u8], start: usize, number: usize) -> Option<Range<usize>> {
        let (mut at, mut left) = (start, number);
        while at < block.len() {
            let line = self.line(block, at);
            if let Line::Row { content, .. } = line {
                if left == 0 {
                    return Some(at..at + content);
                }
                left -= 1;
            }
            at += line.length()?;
        }
        None
    }
}
