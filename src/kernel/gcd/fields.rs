//! Reads the integers of rows of which the fast loader reads none: those of more than 64 bits, and those in other bases than 10. They
//! are read where the rows have been found, into the limbs of a batch.

use super::base::Base;
use super::digits;
use super::values::Pairs;
use crate::csv::index::{Column, Rows};
use crate::csv::trimmed;

/// The fields of the two columns of some rows.
pub struct Fields<'a> {
    text: &'a [u8],
    columns: [Column<'a>; 2],
    quote: Option<u8>,
    base: Base,
    max_digits: usize,
}

impl<'a> Fields<'a> {
    /// Returns the fields of these rows, of which there is at least one. A quote must not be a byte that an integer may have.
    pub fn of(found: &Rows<'a>, base: Base, max_digits: usize) -> Self {
        let (columns, quote) = ([found.column(0), found.column(1)], found.format().quote);
        Fields { text: found.text(), columns, quote, base, max_digits }
    }

    /// Appends the pair of the row at index `row`. Returns whether it did so: if it returns false, the row is to be read in the general
    /// way, which may find it good.
    pub fn read(&self, row: usize, pairs: &mut Pairs) -> bool {
        pairs.push_with(|index, limbs| {
            let digits = self.base.bare(self.value(row, index));
            digits.is_some_and(|digits| digits.len() <= self.max_digits && digits::read(self.base, digits, limbs))
        })
    }

    /// Returns a field without quotes and blanks around it, and without what belongs to the line end. What quotes within the field mean
    /// does not matter: no integer has them.
    fn value(&self, row: usize, index: usize) -> &'a [u8] {
        let mut place = [[0, 0]];
        self.columns[index].each(row, &mut place, |place, start, end| *place = [start as usize, end as usize]);
        let mut value = &self.text[place[0][0]..place[0][1]];
        if self.columns[index].may_have_return() {
            value = value.strip_suffix(b"\r").unwrap_or(value);
        }
        match (self.quote, value) {
            (Some(quote), [first, inner @ .., last]) if [*first, *last] == [quote; 2] => trimmed(inner),
            _ => trimmed(value),
        }
    }
}
