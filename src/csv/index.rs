//! Finds rows many at a time, by lists of the delimiters and line ends in a stretch of text.
//!
//! The rows are those that [`split`](super::record::split) finds, but come faster. Only ordinary rows are found: what is a comment, a blank
//! line, a row with a stray carriage return or with another number of fields than wanted is left to `split`, and so is
//! a row without a line end.

use super::Format;
use super::pass::{Lists, pass};
use super::record::{Field, Record, nothing};
use super::structure::Structure;
use crate::vectors::Vectors;
use std::ops::{Range, RangeInclusive};

/// How many bytes are listed at a time: few enough that they are still in the first-level cache, with their lists, when
/// the rows are read.
const STRETCH: usize = 4096;

/// The search for rows in a text. It moves forward only.
#[derive(Debug)]
pub struct Index {
    vectors: Vectors,
    format: Format,
    /// The state behind the stretches that have been listed.
    structure: Structure,
    /// How many bytes have been listed.
    seen: usize,
    /// What is listed from the next row on. The first line end is that before the next row, and the first delimiter is
    /// one before it too, or a stand-in.
    lists: Lists,
    /// How many line ends, delimiters and odd bytes of the lists lie before the next row, the stand-ins not counted.
    next: [usize; 3],
    /// The number of fields of the last row, which is probably that of the next.
    fields: usize,
}

impl Index {
    /// Returns a search that has not looked at any text yet.
    pub fn new(format: Format) -> Self {
        Index::with(Vectors::here(), format)
    }

    fn with(vectors: Vectors, format: Format) -> Self {
        let structure = Structure::new(format);
        let mut index = Index { vectors, format, structure, seen: 0, lists: Lists::default(), next: [0; 3], fields: 1 };
        index.restart(0);
        index
    }

    /// Begins anew at offset `at`, where a row must begin. Must be called before rows of another text are asked for.
    pub fn restart(&mut self, at: usize) {
        self.structure = Structure::new(self.format);
        self.seen = at;
        self.lists.line_ends.begin((at as u32).wrapping_sub(1));
        self.lists.delimiters.begin(0);
        self.lists.odd.clear();
        self.lists.has_returns = false;
        self.next = [0; 3];
    }

    /// Returns the ordinary rows at offset `at` of `text`, at most `limit` of them, that all have the same number of fields, which is
    /// in `counts`. There are none if the line at `at` is left to [`split`](super::record::split). `columns` has the positions of the fields
    /// that the kernel is to receive, of which all of these rows have as many as needed.
    pub fn rows<'a>(
        &'a mut self,
        text: &'a [u8],
        at: usize,
        counts: &RangeInclusive<usize>,
        columns: Option<&'a [usize]>,
        limit: usize,
    ) -> Rows<'a> {
        self.move_to(text, at);
        let line_ends = &self.lists.line_ends.get()[self.next[0]..];
        let delimiters = &self.lists.delimiters.get_closed()[self.next[1]..];
        let odd = self.lists.odd.get(self.next[2]).copied().unwrap_or(u32::MAX);
        let mut rows = Rows {
            text,
            format: self.format,
            columns,
            line_ends,
            delimiters,
            fields: self.fields,
            count: 0,
            has_returns: self.lists.has_returns,
        };
        let Some(&end) = line_ends.get(1) else { return rows };
        if !delimiters.get(rows.fields - 1..).is_some_and(|from| is_last(from, end)) {
            rows.fields = 1 + delimiters[1..].iter().take_while(|&&delimiter| delimiter < end).count();
            self.fields = rows.fields;
        }
        if !counts.contains(&rows.fields) {
            return rows;
        }
        // A blank line has no delimiters.
        if rows.fields == 1 && nothing(&text[at..], self.format).is_some() {
            return rows;
        }
        let ends = &line_ends[1..];
        let limit = if odd == u32::MAX { limit } else { limit.min(ends.partition_point(|&end| end < odd)) };
        let ends = &ends[..limit.min(ends.len())];
        rows.count = match rows.fields - 1 {
            // Whether the next line is a blank one must be seen first.
            0 => usize::from(limit > 0 && is_last(delimiters, end)),
            1 => {
                let bounds = delimiters[1..].iter().zip(&delimiters[2..]);
                ends.iter().zip(bounds).take_while(|&(end, (last, next))| last < end && end < next).count()
            }
            step => {
                let last = |row: usize| delimiters.get(step * (row + 1)..).unwrap_or_default();
                let is_row = |(row, end): (usize, &u32)| is_last(last(row), *end);
                ends.iter().enumerate().take_while(|&row| is_row(row)).count()
            }
        };
        rows
    }

    /// Moves to the line at offset `at`, and lists the next stretch if that line does not end in what is listed.
    fn move_to(&mut self, text: &[u8], at: usize) {
        let place = at as u32;
        if self.begin() != place {
            let line_ends = self.lists.line_ends.get();
            if line_ends.get(self.next[0] + 1).is_some_and(|end| end + 1 == place) {
                self.next[0] += 1;
            } else {
                self.restart(at);
            }
            let skip = |list: &[u32]| list.iter().take_while(|&&listed| listed < place).count();
            self.next[1] += skip(&self.lists.delimiters.get()[self.next[1] + 1..]);
            self.next[2] += skip(&self.lists.odd[self.next[2]..]);
        }
        while self.next[0] + 1 == self.lists.line_ends.get().len() && self.seen < text.len() {
            self.lists.line_ends.drop_front(self.next[0]);
            self.lists.delimiters.drop_front(self.next[1]);
            self.lists.odd.drain(..self.next[2]);
            self.next = [0; 3];
            let range = self.seen..text.len().min(self.seen + STRETCH);
            self.seen = range.end;
            self.lists = pass(self.vectors, text, range, &mut self.structure, std::mem::take(&mut self.lists));
        }
    }

    /// Returns where the next row begins.
    fn begin(&self) -> u32 {
        self.lists.line_ends.get()[self.next[0]].wrapping_add(1)
    }

    /// Moves past the first `count` of the rows that [`rows`](Index::rows) has returned last, each of which has as many `fields`. Returns
    /// where the next row begins.
    pub fn pass(&mut self, count: usize) -> usize {
        self.next[0] += count;
        self.next[1] += count * (self.fields - 1);
        self.begin() as usize
    }
}

/// Whether the first of these delimiters is the last of the row that ends at `end`.
#[inline(always)]
fn is_last(from: &[u32], end: u32) -> bool {
    matches!(from, [last, next, ..] if *last < end && end < *next)
}

/// Rows of a text that follow each other and have the same number of fields.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    text: &'a [u8],
    format: Format,
    columns: Option<&'a [usize]>,
    /// The line end before the first row, and the line ends of all rows.
    line_ends: &'a [u32],
    /// A delimiter before the first row, or a stand-in, and the delimiters of all rows.
    delimiters: &'a [u32],
    fields: usize,
    count: usize,
    /// Whether line ends may have carriage returns.
    has_returns: bool,
}

/// Where the fields of a column are.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// Lists that have what comes before each field, and what comes behind it. From row to row, it is so many entries further on.
    before: (&'a [u32], usize),
    behind: (&'a [u32], usize),
    /// Whether the field is the last of its row, and so may have a carriage return behind it.
    may_have_return: bool,
}

impl Column<'_> {
    /// Whether the last byte of a field may be a carriage return, which belongs to the line end.
    pub fn may_have_return(&self) -> bool {
        self.may_have_return
    }

    /// Calls `take` for each field of the rows from `from` on, with one of `rows` at a time, and with start and end of the field.
    #[inline(always)]
    pub fn each<T>(&self, from: usize, rows: &mut [T], take: impl Fn(&mut T, u32, u32)) {
        let ((before, by), (behind, step)) = (self.before, self.behind);
        let (before, behind) = (&before[from * by..], &behind[from * step..]);
        if (by, step) == (1, 1) {
            for ((row, before), behind) in rows.iter_mut().zip(before).zip(behind) {
                take(row, before.wrapping_add(1), *behind);
            }
        } else {
            for (at, row) in rows.iter_mut().enumerate() {
                take(row, before[at * by].wrapping_add(1), behind[at * step]);
            }
        }
    }
}

impl<'a> Rows<'a> {
    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the text in which the rows lie.
    pub(crate) fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Returns the format in which the rows are written.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Returns what the kernel receives as its column `column`, from 0.
    pub(crate) fn column(&self, column: usize) -> Column<'a> {
        let column = self.columns.map_or(column, |columns| columns[column]);
        let (line_ends, delimiters) = ((self.line_ends, 1), (self.delimiters, self.fields - 1));
        let from = |(list, step): (&'a [u32], usize), skip: usize| (list.get(skip..).unwrap_or_default(), step);
        let is_last = column + 1 == self.fields;
        Column {
            before: if column == 0 { line_ends } else { from(delimiters, column) },
            behind: if is_last { from(line_ends, 1) } else { from(delimiters, column + 1) },
            may_have_return: is_last && self.has_returns,
        }
    }

    /// Returns the range of the row at index `row` in the text, without its line end.
    pub(crate) fn place(&self, row: usize) -> Range<usize> {
        let [before, end] = [row, row + 1].map(|at| self.line_ends[at]);
        let (start, end) = (before.wrapping_add(1) as usize, end as usize);
        start..end - usize::from(end > start && self.text[end - 1] == b'\r')
    }

    /// Returns the row at index `row`. `fields` is overwritten; it lends the row its memory.
    pub fn record<'r>(&self, row: usize, fields: &'r mut Vec<Field>) -> Record<'r>
    where
        'a: 'r,
    {
        let place = self.place(row);
        // Fields behind the last chosen column are not needed.
        let needed = self.columns.and_then(|columns| columns.iter().max()).map_or(self.fields, |last| last + 1);
        fields.clear();
        let mut start = place.start;
        let delimiters = &self.delimiters[1 + row * (self.fields - 1)..][..self.fields - 1];
        for end in delimiters.iter().map(|&end| end as usize).chain([place.end]).take(needed) {
            fields.push(Field::new(start, end, place.start));
            start = end + 1;
        }
        Record::new(&self.text[place], fields, self.columns, self.format)
    }
}

#[cfg(test)]
mod tests;
