//! The rows that an index has found, and where their fields are.

use crate::csv::Format;
use crate::csv::record::{Field, Record};
use std::ops::Range;

/// Rows of a text that have the same number of fields. Between them are only comments and blank lines.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    pub(super) text: &'a [u8],
    pub(super) format: Format,
    pub(super) columns: Option<&'a [usize]>,
    /// The offset of the byte before each row, and the offset of each row's line end.
    pub(super) befores: &'a [u32],
    pub(super) line_ends: &'a [u32],
    /// One extra entry, which is the last delimiter listed before the rows, or 0. Then the delimiters of all rows.
    pub(super) delimiters: &'a [u32],
    pub(super) fields: usize,
    pub(super) count: usize,
    pub(super) is_of_other_length: bool,
    /// Whether the text has any carriage return. If not, no line end has one.
    pub(super) has_returns: bool,
}

/// Where the fields of a column are.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// A list with the offset of the byte before each field, and a list with the offset of the byte behind each field.
    /// The number beside a list is how many entries of the list belong to one row.
    before: (&'a [u32], usize),
    behind: (&'a [u32], usize),
    /// Whether the range of a field can end with a carriage return. It can if the field is the last of its row, and the
    /// text has carriage returns.
    may_have_return: bool,
}

impl Column<'_> {
    /// Whether the range of a field can end with a carriage return. That byte belongs to the line end, not to the
    /// value.
    pub fn may_have_return(&self) -> bool {
        self.may_have_return
    }

    /// Returns where this field is in the row at index `row`: its byte range in the text.
    #[inline]
    pub fn place(&self, row: usize) -> Range<usize> {
        let ((before, by), (behind, step)) = (self.before, self.behind);
        before[row * by].wrapping_add(1) as usize..behind[row * step] as usize
    }

    /// Calls `take` once for each item of `rows`, with the item and with the start and end of the field in the text.
    /// The first item belongs to the row at index `from`, and the others to the rows that follow.
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

    /// Returns the number of fields of the next row, if this number is the only reason why there are no rows here. The
    /// other methods can then be asked about that row, as index 0.
    pub(crate) fn other_length(&self) -> Option<usize> {
        self.is_of_other_length.then_some(self.fields)
    }

    /// Returns the text in which the rows lie.
    pub(crate) fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Returns the format in which the rows are written.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Returns how many fields of each row the kernel receives.
    pub(crate) fn width(&self) -> usize {
        self.columns.map_or(self.fields, <[usize]>::len)
    }

    /// Returns the column that the kernel receives at index `column`, from 0.
    pub(crate) fn column(&self, column: usize) -> Column<'a> {
        let column = self.columns.map_or(column, |columns| columns[column]);
        let delimiters = |skip: usize| (self.delimiters.get(skip..).unwrap_or_default(), self.fields - 1);
        let is_last = column + 1 == self.fields;
        Column {
            before: if column == 0 { (self.befores, 1) } else { delimiters(column) },
            behind: if is_last { (self.line_ends, 1) } else { delimiters(column + 1) },
            may_have_return: is_last && self.has_returns,
        }
    }

    /// Returns the range of the row at index `row` in the text, without its line end.
    pub(crate) fn place(&self, row: usize) -> Range<usize> {
        let (start, end) = (self.befores[row].wrapping_add(1) as usize, self.line_ends[row] as usize);
        start..end - usize::from(end > start && self.text[end - 1] == b'\r')
    }

    /// Returns the offset in the text at which the line after the row at index `row` begins.
    pub(crate) fn end(&self, row: usize) -> usize {
        self.line_ends[row] as usize + 1
    }

    /// Returns the row at index `row`. `fields` is overwritten with the places of its fields, which the record borrows.
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
