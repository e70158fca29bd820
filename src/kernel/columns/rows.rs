//! Reads rows of CSV into columns.

use super::numbers::{self, Number, digits, has_plain, what_is_wrong};
use super::types::{Input, Signature, Type};
use super::{Column, Columns, with_values};
use crate::bad_row::BadRow;
use crate::csv::index::Rows;
use crate::csv::notation::may_be_number;
use crate::csv::record::{Record, unquoted};
use crate::csv::{Format, trimmed};
use crate::kernel::batch::{Batch, Other, read_each};
use crate::kernel::gcd::plain;
use std::ops::Range;

/// A batch of rows as columns. Consecutive rows with the same number of fields form a part, which has its own columns.
/// A batch has several parts only if the kernel takes any number of fields.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Typed {
    /// The rows, in order. The first part may be empty; it is kept so that its memory is reused.
    pub parts: Vec<Columns>,
}

impl Batch for Typed {
    fn len(&self) -> usize {
        self.parts.iter().map(|part| part.rows).sum()
    }

    fn clear(&mut self) {
        self.parts.truncate(1);
        self.parts.iter_mut().for_each(|part| part.truncate(0));
    }
}

impl Columns {
    /// Returns columns without rows, for rows of `count` fields of these types.
    pub fn new(signature: &Signature, count: usize) -> Self {
        let column = |at: usize| signature.input(at);
        let columns = (0..count).map(column).map(|Input { of, may_lack }| Column::new(of, may_lack)).collect();
        Columns { columns, rows: 0 }
    }

    /// Forgets all rows behind the first `rows`.
    pub fn truncate(&mut self, rows: usize) {
        self.columns.iter_mut().for_each(|column| column.truncate(rows));
        self.rows = rows;
    }
}

/// How many fields of a column are looked up at a time.
pub const GROUP: usize = 64;

/// Reads rows for a kernel that takes these columns.
#[derive(Clone, Debug)]
pub struct Parser {
    signature: Signature,
    /// How many fields a row needs.
    least: usize,
    /// The texts, besides the empty text, that stand for a missing value.
    missing: Vec<Vec<u8>>,
}

/// The bytes of a field, in quotes or not, and the format in which they are written.
#[derive(Clone, Copy)]
struct Raw<'a>(&'a [u8], Format);

impl Parser {
    /// Returns a parser for these columns. `missing` are the texts that stand for a missing value.
    pub fn new(signature: Signature, missing: Vec<Vec<u8>>) -> Self {
        Parser { least: signature.inputs.len(), signature, missing }
    }

    /// Returns a parser for a kernel that takes `least` or more fields. The first `least` types of the signature are
    /// those of the fields that every row has. The other types are those of further fields.
    pub fn at_least(self, least: usize) -> Self {
        Parser { least, ..self }
    }

    /// Returns the types of the columns that are read, and the types of the results.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Whether a field with this value, which has no blanks around it, can be good in some column.
    pub fn may_be_value(&self, text: &[u8]) -> bool {
        may_be_number(text) || self.signature.inputs.iter().any(|input| matches!(input.of, Type::Text | Type::Bool))
    }

    /// Appends `record` to `rows`. If the row is bad, leaves `rows` unchanged and returns the index of the first field
    /// at fault. If fields are missing, that is the index of the first missing one.
    pub fn try_read(&self, record: &Record, rows: &mut Typed) -> Result<(), usize> {
        let count = record.len();
        if count < self.least {
            return Err(count);
        }
        let columns = self.columns(rows, count);
        for at in 0..count {
            let raw = Raw(record.raw(at), record.format());
            if !self.take(raw, at, &mut columns.columns[at]) {
                columns.truncate(columns.rows);
                return Err(at);
            }
        }
        columns.rows += 1;
        Ok(())
    }

    /// Appends `record` to `rows`.
    ///
    /// # Errors
    /// If the row is bad: what is wrong with it.
    pub fn read(&self, record: &Record, rows: &mut Typed) -> Result<(), BadRow> {
        let format = record.format();
        self.try_read(record, rows).map_err(|at| {
            if at == record.len() {
                let (needed, plural) = (self.least, if at == 1 { "" } else { "s" });
                return BadRow::row(format!("{at} field{plural} where {needed} or more are needed"));
            }
            let of = self.signature.input(at).of;
            let value = record.value(at);
            let value = if of == Type::Text { &value } else { trimmed(&value) };
            BadRow::in_field(record, at, what_is_wrong(value, of, format.notation))
        })
    }

    /// Goes through the rows of `found`, as [`BatchKernel::read_rows`](crate::kernel::batch::BatchKernel::read_rows)
    /// says.
    pub fn read_rows(&self, found: &Rows, rows: &mut Typed, other: Other<Typed>) -> usize {
        let count = self.signature.count().unwrap_or(found.width());
        if count < self.least {
            return read_each(found, rows, other);
        }
        let mut from = 0;
        while from < found.len() {
            let to = found.len().min(from + GROUP);
            from += self.read_group(found, from..to, self.columns(rows, count));
            if from < to {
                from += 1;
                if !other(from - 1, rows) {
                    break;
                }
            }
        }
        from
    }

    /// Appends the rows `range` of `found`, at most [`GROUP`], to `columns`, one column after the other. Stops before
    /// the first row that cannot be read like this. Returns how many rows were appended.
    pub fn read_group(&self, found: &Rows, range: Range<usize>, columns: &mut Columns) -> usize {
        let mut good = range.len();
        for (at, column) in columns.columns.iter_mut().enumerate() {
            good = good.min(self.read_column(found, at, range.start..range.start + good, column));
        }
        columns.truncate(columns.rows + good);
        good
    }

    /// Returns the columns to which a row of `count` fields is appended.
    fn columns<'r>(&self, rows: &'r mut Typed, count: usize) -> &'r mut Columns {
        match rows.parts.last() {
            Some(last) if last.columns.len() == count => {}
            Some(last) if last.rows == 0 => {
                rows.parts.pop();
                rows.parts.push(Columns::new(&self.signature, count));
            }
            _ => rows.parts.push(Columns::new(&self.signature, count)),
        }
        let last = rows.parts.len() - 1;
        &mut rows.parts[last]
    }

    /// Appends to `column` the values that `rows`, at most [`GROUP`], have in the column with index `at`, up to the
    /// first bad value. Returns how many were appended.
    fn read_column(&self, found: &Rows, at: usize, rows: Range<usize>, column: &mut Column) -> usize {
        let (fields, text, format) = (found.column(at), found.text(), found.format());
        let mut spans = [(0u32, 0u32); GROUP];
        let spans = &mut spans[..rows.len()];
        fields.each(rows.start, spans, |span, start, end| *span = (start, end));
        if fields.may_have_return() {
            for (start, end) in spans.iter_mut() {
                *end -= u32::from(end > start && text[*end as usize - 1] == b'\r');
            }
        }
        self.read_fields(text, spans, format, at, column)
    }

    /// Appends the values of these fields of `text`, up to the first bad one. Returns how many were appended.
    fn read_fields(&self, text: &[u8], spans: &[(u32, u32)], format: Format, at: usize, column: &mut Column) -> usize {
        // A quote character that is a sign, a point or a digit would be read as a part of the number.
        let is_confusing = |quote: u8| matches!(quote, b'+' | b'-' | b'.' | b'0'..=b'9');
        let is_plain = has_plain(column.values.of(), format.notation) && !format.quote.is_some_and(is_confusing);
        let raw = |&(start, end): &(u32, u32)| &text[start as usize..end as usize];
        // The fast way knows no texts that stand for missing values. It would read such a text as a value in a column
        // of texts or truth values, and, if it is a number, in a column of numbers.
        let could_be_missed = self.signature.input(at).may_lack
            && (matches!(column.values.of(), Type::Text | Type::Bool)
                || self.missing.iter().any(|text| may_be_number(text)));
        if is_plain && !could_be_missed {
            let plain = with_values!(&mut column.values,
                numbers => push_plain(numbers, text, spans), texts => push_texts(texts, spans.iter().map(raw), format));
            column.note_values();
            if plain == spans.len() {
                return plain;
            }
            // Read one field in the general way, and then try the fast way again for the others.
            let rest = &spans[plain..];
            if !self.take(Raw(raw(&rest[0]), format), at, column) {
                return plain;
            }
            return plain + 1 + self.read_fields(text, &rest[1..], format, at, column);
        }
        spans.iter().take_while(|span| self.take(Raw(raw(span), format), at, column)).count()
    }

    /// Appends the value of one field, which has the index `at` among those that the kernel takes. Returns false if the
    /// field is not a value of the column's type.
    fn take(&self, Raw(raw, format): Raw, at: usize, column: &mut Column) -> bool {
        let value = unquoted(raw, format);
        if self.signature.input(at).may_lack {
            let bare = trimmed(&value);
            if bare.is_empty() || self.missing.iter().any(|text| text == bare) {
                column.push_missing();
                return true;
            }
        }
        let is_good = with_values!(&mut column.values,
            numbers => numbers::read(trimmed(&value), format.notation).map(|number| numbers.push(number)).is_some(),
            texts => std::str::from_utf8(&value).is_ok() && { texts.push(&value); true });
        let is_good = is_good || self.take_large(trimmed(&value), format, at, column);
        if is_good {
            column.note_values();
        }
        is_good
    }
}

impl Parser {
    /// Appends the integer in `value`, which does not fit into 64 bits, if the kernel takes integers of any size.
    /// Returns whether it was appended.
    #[cold]
    fn take_large(&self, value: &[u8], format: Format, at: usize, column: &mut Column) -> bool {
        let digits = (self.signature.input(at).of == Type::Int).then(|| digits(value, format.notation)).flatten();
        digits.map(|digits| column.push_large(digits)).is_some()
    }
}

/// Appends the numbers that these fields of `text` consist of, up to the first that is not written plainly. Returns how
/// many were appended.
#[inline]
fn push_plain<N: Number>(numbers: &mut Vec<N>, text: &[u8], spans: &[(u32, u32)]) -> usize {
    let mut done = 0;
    numbers.reserve(spans.len());
    while done < spans.len() {
        if N::IS_INTEGER {
            // First read numbers that have no sign and are below 10^19, many at a time.
            let mut loaded = [0; GROUP];
            let count = plain::load(text, &spans[done..], &mut loaded);
            let before = numbers.len();
            N::extend(numbers, &loaded[..count]);
            done += numbers.len() - before;
            if done == spans.len() {
                break;
            }
        }
        let (start, end) = spans[done];
        let Some(number) = N::plain_in(text, start as usize, end as usize) else { break };
        numbers.push(number);
        done += 1;
    }
    done
}

/// Appends these fields, up to the first that is in quotes or not UTF-8. Returns how many were appended.
fn push_texts<'t>(
    texts: &mut super::Texts,
    fields: impl ExactSizeIterator<Item = &'t [u8]> + Clone,
    format: Format,
) -> usize {
    let (before, start) = (texts.len(), texts.bytes.len());
    for field in fields {
        if format.is_quoted(field) {
            break;
        }
        texts.push(field);
    }
    // If all texts together are ASCII, each of them is UTF-8. Otherwise check each one, because half a character at its
    // end could be completed by the next text.
    if !texts.bytes[start..].is_ascii()
        && let Some(bad) = (before..texts.len()).find(|&at| std::str::from_utf8(texts.get(at)).is_err())
    {
        texts.truncate(bad);
    }
    texts.len() - before
}

#[cfg(test)]
mod tests;
