//! Columns of results, and how they are printed: numbers in the shortest form that reads back as the same number.

use super::types::Type;
use super::{Column, Columns, Values};
use crate::csv::Format;
use crate::kernel::batch::{Batch, Written};
use memchr::{memchr, memchr3};
use std::ops::Range;

/// The results of a batch of rows, from the first row on: those of all rows, or of as many as there is room for.
#[derive(Debug, Default, PartialEq)]
pub struct Results {
    /// The results. In the place of a bad row there is 0, or an empty text.
    pub columns: Columns,
    /// How many rows the batch has.
    pub rows: usize,
    /// The bad rows of the batch, in order.
    pub bad: Vec<BadResult>,
}

/// A row that has no result, because something is wrong with it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BadResult {
    /// The index of the row in its batch.
    pub row: usize,
    /// The index of the field at fault among those that the kernel takes, if it is a single field.
    pub field: Option<usize>,
    /// What is wrong.
    pub what: String,
}

impl Results {
    /// Makes columns for results of these types, unless there are already as many columns as types. Those were made for
    /// the same kernel, and so for the same types.
    pub fn begin(&mut self, types: &[Type]) {
        if self.columns.columns.len() != types.len() {
            self.columns = Columns { columns: types.iter().map(|&of| Column::new(of, false)).collect(), rows: 0 };
        }
    }

    /// Appends a bad row.
    pub fn push_bad(&mut self, field: Option<usize>, what: String) {
        self.bad.push(BadResult { row: self.columns.rows, field, what });
        self.columns.columns.iter_mut().for_each(Column::push_missing);
        self.columns.rows += 1;
    }
}

impl Batch for Results {
    fn len(&self) -> usize {
        self.rows
    }

    fn clear(&mut self) {
        self.columns.truncate(0);
        self.columns.columns.iter_mut().for_each(|column| column.validity = None);
        self.rows = 0;
        self.bad.clear();
    }
}

/// Room for lines, and how much of it has been written.
pub(in crate::kernel) struct Pen<'r> {
    room: &'r mut [u8],
    at: usize,
}

impl<'r> Pen<'r> {
    /// Returns a pen that writes into this room.
    pub(in crate::kernel) fn new(room: &'r mut [u8]) -> Self {
        Pen { room, at: 0 }
    }

    /// Returns how many bytes have been written.
    pub(in crate::kernel) fn written(&self) -> usize {
        self.at
    }

    /// Writes these bytes. Returns whether there was room.
    #[inline]
    pub(in crate::kernel) fn write(&mut self, bytes: &[u8]) -> bool {
        let Some(space) = self.room.get_mut(self.at..self.at + bytes.len()) else { return false };
        space.copy_from_slice(bytes);
        self.at += bytes.len();
        true
    }
}

impl Pen<'_> {
    /// Writes each of these values as a line of its own. Returns for how many there was room.
    fn lines(&mut self, values: &Values, range: Range<usize>) -> usize {
        fn each<N: Copy>(values: &[N], mut write: impl FnMut(N) -> bool) -> usize {
            values.iter().take_while(|value| write(**value)).count()
        }
        fn integers<N: Copy + itoa::Integer + TryInto<u8>>(values: &[N], pen: &mut Pen) -> usize {
            let mut digits = itoa::Buffer::new();
            each(values, |value| match value.try_into() {
                // Many results have one digit, for which no conversion is needed.
                Ok(digit @ 0..=9) => pen.digit(digit),
                _ => pen.line(digits.format(value)),
            })
        }
        let mut floats = zmij::Buffer::new();
        match values {
            Values::I32(values) => integers(&values[range], self),
            Values::I64(values) => integers(&values[range], self),
            Values::U32(values) => integers(&values[range], self),
            Values::U64(values) => integers(&values[range], self),
            Values::F32(values) => each(&values[range], |value| self.line(floats.format(value))),
            Values::F64(values) => each(&values[range], |value| self.line(floats.format(value))),
            Values::Bool(values) => each(&values[range], |value| self.line(truth(value))),
            Values::Text(_) => 0,
        }
    }

    /// Writes a digit as a line. Returns whether there was room.
    #[inline]
    fn digit(&mut self, digit: u8) -> bool {
        let Some(line) = self.room[self.at..].first_chunk_mut::<2>() else { return false };
        *line = [b'0' + digit, b'\n'];
        self.at += 2;
        true
    }

    /// Writes a line. Returns whether there was room.
    #[inline]
    fn line(&mut self, text: &str) -> bool {
        let length = text.len();
        let Some(space) = self.room.get_mut(self.at..self.at + length + 1) else { return false };
        space[..length].copy_from_slice(text.as_bytes());
        space[length] = b'\n';
        self.at += length + 1;
        true
    }
}

/// Returns how a truth value is printed.
fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

impl Results {
    /// Writes the results of the rows in `range` to the front of `room`, as
    /// [`BatchKernel::write`](crate::kernel::batch::BatchKernel::write) requires. The results must be of these `types`.
    pub fn write(&self, types: &[Type], range: Range<usize>, format: Format, room: &mut [u8]) -> Written {
        let mut written = Written::default();
        if self.columns.columns.iter().map(|column| column.values.of()).ne(types.iter().map(|of| of.stored()))
            && self.columns.rows > 0
        {
            written.bad = Some("the results are not of the kernel's types".to_string());
            return written;
        }
        let mut pen = Pen::new(room);
        let bad = self.bad.get(self.bad.partition_point(|bad| bad.row < range.start));
        let bad = bad.filter(|bad| bad.row < range.end);
        let done = range.start..bad.map_or(range.end, |bad| bad.row).min(self.columns.rows);
        if let [Column { values, validity: None, large }] = &self.columns.columns[..]
            && !done.is_empty()
            && large.is_empty()
            && !matches!(values, Values::Text(_))
        {
            written.outputs = pen.lines(values, done.clone());
            written.bytes = pen.at;
            if written.outputs < done.len() {
                return written;
            }
        }
        for row in done.start + written.outputs..done.end {
            match self.row(row, format, &mut pen) {
                Ok(true) => {}
                Ok(false) => return written,
                Err(what) => {
                    written.bad = Some(what);
                    return written;
                }
            }
            written.bytes = pen.at;
            written.outputs += 1;
        }
        if let Some(BadResult { field, what, .. }) = bad {
            (written.field, written.bad) = (*field, Some(what.clone()));
        }
        written
    }

    /// Writes the results of one row, and a line end. Returns whether there was room.
    ///
    /// # Errors
    /// If a result cannot be written at all, with the reason.
    #[inline]
    fn row(&self, row: usize, format: Format, pen: &mut Pen) -> Result<bool, String> {
        let is_alone = self.columns.columns.len() == 1;
        for (at, column) in self.columns.columns.iter().enumerate() {
            let is_written = (at == 0 || pen.write(&[format.delimiter]))
                && match &column.values {
                    _ if !column.has(row) => pen.write(format.empty_field()),
                    Values::I64(_) if column.large_at(row).is_some() => {
                        pen.write(column.large_at(row).unwrap_or_default())
                    }
                    Values::I32(values) => pen.write(itoa::Buffer::new().format(values[row]).as_bytes()),
                    Values::I64(values) => pen.write(itoa::Buffer::new().format(values[row]).as_bytes()),
                    Values::U32(values) => pen.write(itoa::Buffer::new().format(values[row]).as_bytes()),
                    Values::U64(values) => pen.write(itoa::Buffer::new().format(values[row]).as_bytes()),
                    Values::F32(values) => pen.write(zmij::Buffer::new().format(values[row]).as_bytes()),
                    Values::F64(values) => pen.write(zmij::Buffer::new().format(values[row]).as_bytes()),
                    Values::Bool(values) => pen.write(truth(values[row]).as_bytes()),
                    Values::Text(texts) => text(texts.get(row), format, is_alone, pen)?,
                };
            if !is_written {
                return Ok(false);
            }
        }
        Ok(pen.write(b"\n"))
    }
}

/// Writes a text as a field. `is_alone` says that the row has no other field. Returns whether there was room
/// in `pen`.
///
/// # Errors
/// If no field of this format can hold `value`, for example a delimiter where there are no quotes. The string says so.
pub(in crate::kernel) fn text(value: &[u8], format: Format, is_alone: bool, pen: &mut Pen) -> Result<bool, String> {
    if value.is_empty() && format.blanks {
        return Ok(pen.write(format.empty_field()));
    }
    if !format.can_hold(value) {
        let what = match format.blanks {
            false => "the result has the delimiter or a line end in it, and there are no quotes; --quote says which",
            true => "the result has a blank or a line end in it, which no field between blanks can",
        };
        return Err(what.to_string());
    }
    let quote = format.quote.unwrap_or(b'\n');
    let is_special = memchr3(format.delimiter, quote, b'\n', value).is_some() || memchr(b'\r', value).is_some();
    let looks_blank = is_alone && value.iter().all(u8::is_ascii_whitespace);
    if !looks_blank && !is_special && !format.begins_comment(value) {
        return Ok(pen.write(value));
    }
    let mut field = vec![];
    format.append_field(&mut field, value, is_alone);
    Ok(pen.write(&field))
}

#[cfg(test)]
mod tests;
