//! Finds many rows at a time, from lists of the delimiters and line ends in a stretch of text. It is faster than
//! [`split`](super::record::split), and finds the same fields in the rows that it reads. It skips comments and blank
//! lines.
//!
//! Only ordinary rows are found. All others are left to `split`: a row with a stray carriage return, a row with a
//! number of fields that is not wanted, and a row without a line end. In this file, *odd* bytes are those that show
//! that a line is not an ordinary row.

#[cfg(any(test, fuzzing))]
pub mod judge;
mod rows;

use super::Format;
use super::record::is_nothing;
use super::scan::Scan;
use crate::vectors::Vectors;
pub use rows::{Column, Rows};
use std::ops::RangeInclusive;

/// How many bytes are listed at a time. The number is small, so that the bytes and their lists are still in the
/// first-level cache when the rows are read. Fuzzers use a smaller number, because their texts are short and must cover
/// several stretches, too.
const STRETCH: usize = if cfg!(fuzzing) { 128 } else { 4096 };

/// The search for rows in a text. It moves forward only.
#[derive(Debug)]
pub struct Index {
    format: Format,
    /// The scan that lists delimiters, line ends and odd bytes, one stretch of the text at a time. A stretch begins
    /// with the line that the search has reached. At the front of the list of delimiters is an extra entry: the last
    /// delimiter before that line, or 0.
    scan: Scan,
    /// For each line in the lists, the offset of the byte before its first byte. There is one more entry than there are
    /// lines: the last one is for the line whose end is not listed yet.
    befores: Vec<u32>,
    /// How many line ends, delimiters and odd bytes in the lists lie before the next row. The extra entry at the front
    /// of the delimiters does not count.
    next: [usize; 3],
    /// Whether comments and blank lines have been taken out of the lists of lines.
    is_sifted: bool,
    /// The number of fields of the last row. The next row is first tried with the same number.
    fields: usize,
}

impl Index {
    /// Returns a search that has not looked at any text yet.
    pub fn new(format: Format) -> Self {
        Index::with(Vectors::here(), format)
    }

    fn with(vectors: Vectors, format: Format) -> Self {
        let (scan, befores, next) = (Scan::with(vectors, format), vec![], [0; 3]);
        let mut index = Index { format, scan, befores, next, is_sifted: false, fields: 1 };
        index.restart(0);
        index
    }

    /// Begins anew at offset `at`, where a row must begin. Must be called before rows of another text are asked for.
    pub fn restart(&mut self, at: usize) {
        self.scan.restart(at);
        self.befores.clear();
        self.befores.push((at as u32).wrapping_sub(1));
        (self.next, self.is_sifted) = ([0; 3], false);
    }

    /// Begins anew with a text that `scan` has listed from its start to its end. `scan` becomes the scan that this
    /// index had, so that the memory of both is used again.
    pub fn take(&mut self, scan: &mut Scan) {
        self.restart(0);
        std::mem::swap(&mut self.scan, scan);
        self.befores.extend_from_slice(self.scan.lists.line_ends.get());
    }

    /// Returns the number of line feeds in the first `length` bytes of the text. It is known only if these bytes, and
    /// no others, have been listed.
    pub fn line_feeds(&self, length: usize) -> Option<usize> {
        self.scan.line_feeds(length)
    }

    /// Returns the next ordinary rows of `text` from offset `at` on, at most `limit` of them. They all have the same
    /// number of fields, and `counts` contains that number. Comments and blank lines before and between them are
    /// skipped.
    ///
    /// There are no rows if the next row must be left to [`split`](super::record::split). [`advance`](Index::advance)
    /// then tells where that row begins.
    ///
    /// `columns` has the positions of the fields that the kernel receives. Every position in `columns` must be less
    /// than every number in `counts`, so that each row has these fields.
    pub fn rows<'a>(
        &'a mut self,
        text: &'a [u8],
        at: usize,
        counts: &RangeInclusive<usize>,
        columns: Option<&'a [usize]>,
        limit: usize,
    ) -> Rows<'a> {
        self.move_to(at);
        let count = loop {
            self.list(text);
            let count = self.count(counts, limit);
            let is_sought = count < limit && !self.is_sifted;
            let is_alone = counts.contains(&1) && self.fields == 1;
            if !is_sought || !(is_alone || self.is_nothing(text, self.next[0] + count)) {
                break count;
            }
            self.sift(text);
        };
        Rows {
            text,
            format: self.format,
            columns,
            befores: &self.befores[self.next[0]..],
            line_ends: &self.scan.lists.line_ends.get()[self.next[0]..],
            delimiters: &self.scan.lists.delimiters.get_closed()[self.next[1]..],
            fields: self.fields,
            count,
            is_of_other_length: count == 0 && self.is_of_other_length(counts),
            has_returns: self.scan.lists.has_returns,
        }
    }

    /// Returns how many ordinary rows come next that have the same number of fields, but at most `limit`. Returns 0 if
    /// that number of fields is not one of `counts`.
    fn count(&mut self, counts: &RangeInclusive<usize>, limit: usize) -> usize {
        let ends = &self.scan.lists.line_ends.get()[self.next[0]..];
        let delimiters = &self.scan.lists.delimiters.get_closed()[self.next[1]..];
        let (Some(&end), odd) = (ends.first(), self.scan.lists.odd.get(self.next[2])) else { return 0 };
        if odd.is_some_and(|&odd| odd < end) {
            return 0;
        }
        if !delimiters.get(self.fields - 1..).is_some_and(|from| is_last(from, end)) {
            self.fields = 1 + delimiters[1..].iter().take_while(|&&delimiter| delimiter < end).count();
        }
        // A blank line looks like a row of one field until `sift` has taken it out.
        if !counts.contains(&self.fields) || self.fields == 1 && !self.is_sifted {
            return 0;
        }
        let ends = &ends[..limit.min(ends.len())];
        let ends = odd.map_or(ends, |&odd| &ends[..ends.partition_point(|&end| end < odd)]);
        match self.fields - 1 {
            0 => ends.partition_point(|&end| end < delimiters[1]),
            1 => {
                let bounds = delimiters[1..].iter().zip(&delimiters[2..]);
                ends.iter().zip(bounds).take_while(|&(end, (last, next))| last < end && end < next).count()
            }
            step => {
                let last = |row: usize| delimiters.get(step * (row + 1)..).unwrap_or_default();
                let is_row = |(row, end): (usize, &u32)| is_last(last(row), *end);
                ends.iter().enumerate().take_while(|&row| is_row(row)).count()
            }
        }
    }

    /// Whether the next line would be an ordinary row but for its number of fields, which is not one of `counts`.
    fn is_of_other_length(&self, counts: &RangeInclusive<usize>) -> bool {
        let end = self.scan.lists.line_ends.get().get(self.next[0]);
        let is_ordinary = |end: &u32| self.scan.lists.odd.get(self.next[2]).is_none_or(|odd| odd > end);
        end.is_some_and(is_ordinary) && !counts.contains(&self.fields)
    }

    /// Moves to the line at offset `at`. If that line was taken out as a comment or a blank line, moves to the next one
    /// in the lists.
    fn move_to(&mut self, at: usize) {
        if self.begin() != at {
            let place = at as u32;
            let skip = |list: &[u32]| list.iter().take_while(|&&listed| listed < place).count();
            let ends = self.scan.lists.line_ends.get();
            self.next[0] += skip(&ends[self.next[0]..]);
            if self.next[0].checked_sub(1).is_none_or(|last| ends[last] + 1 != place) {
                self.restart(at);
            }
            self.next[1] += skip(&self.scan.lists.delimiters.get()[self.next[1] + 1..]);
            self.next[2] += skip(&self.scan.lists.odd[self.next[2]..]);
        }
    }

    /// Lists further stretches until the end of the next line is listed, or the text ends.
    fn list(&mut self, text: &[u8]) {
        while self.next[0] == self.scan.lists.line_ends.get().len() && self.scan.seen() < text.len() {
            self.befores.drain(..self.next[0]);
            self.scan.lists.line_ends.clear();
            self.scan.lists.delimiters.drop_front(self.next[1]);
            self.scan.lists.odd.drain(..self.next[2]);
            (self.next, self.is_sifted) = ([0; 3], false);
            let end = text.len().min(self.scan.seen() + STRETCH);
            self.scan.list(text, end);
            self.befores.extend_from_slice(self.scan.lists.line_ends.get());
        }
    }

    /// Whether the line at this index is in the lists and is a comment or a blank line.
    fn is_nothing(&self, text: &[u8], line: usize) -> bool {
        let begin = self.befores[line].wrapping_add(1) as usize;
        let end = self.scan.lists.line_ends.get().get(line);
        end.is_some_and(|&end| is_nothing(&text[begin..=end as usize], self.format))
    }

    /// Takes comments and blank lines out of the lists.
    fn sift(&mut self, text: &[u8]) {
        let (ends, odd) = (self.scan.lists.line_ends.get_mut(), &mut self.scan.lists.odd);
        let (mut kept, mut kept_odd, mut next_odd) = (self.next[0], self.next[2], self.next[2]);
        for line in self.next[0]..ends.len() {
            let (before, end) = (self.befores[line], ends[line]);
            let is_kept = !is_nothing(&text[before.wrapping_add(1) as usize..=end as usize], self.format);
            (self.befores[kept], ends[kept]) = (before, end);
            kept += usize::from(is_kept);
            while odd.get(next_odd).is_some_and(|&odd| odd < end) {
                odd[kept_odd] = odd[next_odd];
                kept_odd += usize::from(is_kept);
                next_odd += 1;
            }
        }
        odd.drain(kept_odd..next_odd);
        // `befores` also has an entry for the line whose end is not listed yet. Move it behind those of the kept lines.
        self.befores[kept] = self.befores[ends.len()];
        self.befores.truncate(kept + 1);
        self.scan.lists.line_ends.truncate(kept);
        self.is_sifted = true;
    }

    /// Returns where the next row begins.
    fn begin(&self) -> usize {
        self.befores[self.next[0]].wrapping_add(1) as usize
    }

    /// Moves past the first `count` of the rows that the last call of [`rows`](Index::rows) returned. Returns where the
    /// next row begins.
    pub fn advance(&mut self, count: usize) -> usize {
        self.next[0] += count;
        self.next[1] += count * (self.fields - 1);
        self.begin()
    }
}

/// Whether the first of the delimiters `from` is the last one of the row that ends at `end`.
#[inline(always)]
fn is_last(from: &[u32], end: u32) -> bool {
    matches!(from, [last, next, ..] if *last < end && end < *next)
}

#[cfg(test)]
mod tests;
