//! Reads the integers of rows that the fast loader leaves: integers of more than 64 bits, and integers that are not in
//! base 10. The index has found where the fields are, and their integers go straight into the limbs of a batch.

use super::base::Base;
use super::digits;
use super::plain;
use super::values::Pairs;
use crate::csv::index::{Column, Rows};
use crate::csv::trimmed;
use std::ops::Range;

/// The fields of the two columns of some rows.
pub struct Fields<'a> {
    text: &'a [u8],
    columns: [Column<'a>; 2],
    quote: Option<u8>,
    base: Base,
    max_digits: usize,
}

impl<'a> Fields<'a> {
    /// Returns the fields of the rows in `found`, which must not be empty. The quote character of the format must not
    /// be one that an integer can contain.
    pub fn of(found: &Rows<'a>, base: Base, max_digits: usize) -> Self {
        let (columns, quote) = ([found.column(0), found.column(1)], found.format().quote);
        Fields { text: found.text(), columns, quote, base, max_digits }
    }

    /// Whether one of the fields of the row at index `row` has more than 19 bytes, so that 64 bits might not hold its
    /// number.
    #[inline]
    pub fn are_long(&self, row: usize) -> bool {
        self.columns.iter().any(|column| column.place(row).len() > 19)
    }

    /// Appends the pair of the row at index `row`. Returns whether it did so. If it returns false, the row must be read
    /// in the general way, where it can still turn out to be good.
    #[inline]
    pub fn read(&self, row: usize, pairs: &mut Pairs) -> bool {
        let (Some(a), Some(b)) = (self.digits(row, 0), self.digits(row, 1)) else { return false };
        if self.base == Base::Hexadecimal
            && let (Some(a), Some(b)) = (self.word(&a), self.word(&b))
        {
            pairs.small.push([a, b]);
            return true;
        }
        let fields = [&self.text[a], &self.text[b]];
        pairs.push_with(|index, limbs| {
            let is_hexadecimal = self.base == Base::Hexadecimal;
            // `digits::read` takes zeros off the top of only the limbs that it appends itself. The limbs loaded here
            // have none on top, because the digits have no zeros in front.
            let left = if is_hexadecimal { plain::hexadecimal(fields[index], limbs) } else { fields[index] };
            digits::read(self.base, left, limbs)
        })
    }

    /// Returns the number with these hexadecimal digits, if it has at most 64 bits. Returns `None` if some bytes are
    /// not digits, or if there are more than 16 digits. Also returns `None` if the text up to the end of the digits has
    /// fewer than 16 bytes, because 16 bytes are loaded.
    #[inline]
    fn word(&self, digits: &Range<usize>) -> Option<u64> {
        let before = 16usize.checked_sub(digits.len())?;
        let bytes = self.text[..digits.end].last_chunk::<16>()?;
        // Zeros replace the bytes before the digits.
        let kept = u128::MAX.checked_shl(8 * before as u32).unwrap_or(0);
        let bytes = u128::from_le_bytes(*bytes) & kept | u128::from_le_bytes([b'0'; 16]) & !kept;
        digits::sixteen(&bytes.to_le_bytes())
    }

    /// Returns where the digits of a field would be: the range without quotes, blanks, sign, prefix and leading zeros.
    /// Whether the bytes in it are digits is not checked. Returns `None` if the range has more than `max_digits` bytes,
    /// or if the field has nothing but a sign or a prefix.
    #[inline]
    fn digits(&self, row: usize, index: usize) -> Option<Range<usize>> {
        let mut value = &self.text[self.columns[index].place(row)];
        if self.columns[index].may_have_return() {
            value = value.strip_suffix(b"\r").unwrap_or(value);
        }
        // Remove only the quotes around the field. Quotes inside it need no decoding, because a field that has them is
        // not an integer.
        let value = match (self.quote, value) {
            (Some(quote), [first, inner @ .., last]) if [*first, *last] == [quote; 2] => trimmed(inner),
            _ => trimmed(value),
        };
        let digits = self.base.bare(value).filter(|digits| digits.len() <= self.max_digits)?;
        let start = digits.as_ptr() as usize - self.text.as_ptr() as usize;
        Some(start..start + digits.len())
    }
}

#[cfg(test)]
mod tests {
    use crate::csv::Format;
    use crate::csv::index::Index;
    use crate::kernel::batch::{Batch, BatchKernel};
    use crate::kernel::gcd::{Base, Gcd, Pairs};

    /// Checks that the same numbers are read from these rows together as one by one. All rows must be good.
    fn check(base: Base, text: &str) {
        let (gcd, mut index, mut at) = (Gcd::default().base(base), Index::new(Format::default()), 0);
        let (mut found, mut expected, mut fields) = (Pairs::default(), Pairs::default(), vec![]);
        while at < text.len() {
            let rows = index.rows(text.as_bytes(), at, &(2..=2), None, usize::MAX);
            let count = gcd.read_rows(&rows, &mut found, &mut |row, _| panic!("row {row} of {base:?} is left"));
            (0..count).for_each(|row| gcd.read(&rows.record(row, &mut fields), &mut expected).unwrap());
            at = index.advance(count);
        }
        assert_eq!(found.len(), text.lines().count());
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    }

    #[test]
    fn numbers_of_every_length_are_read_as_they_are_one_by_one() {
        for base in Base::ALL {
            let digits = match base {
                Base::Binary => ["1", "10", "0"],
                Base::Octal => ["7", "3", "10"],
                Base::Decimal => ["9", "2", "30"],
                Base::Hexadecimal => ["f", "A", "9b"],
            };
            let number = |length: usize, at: usize| digits[at % 3].repeat(length)[..length].to_string();
            let mut text = String::new();
            for (a, b) in (1..=45).flat_map(|a| (1..=45).map(move |b| (a, b))) {
                let [a_digits, b_digits] = [number(a, a + b), number(b, b / 2)];
                text += &match a % 4 {
                    0 => format!("{a_digits},{b_digits}\n"),
                    1 => format!("-{a_digits}, {b_digits} \r\n"),
                    2 => format!("\"{a_digits}\",+000{b_digits}\n"),
                    _ => format!("0{a_digits},\" {b_digits}\"\n"),
                };
            }
            // Numbers at the edge of 128 bits.
            if base == Base::Decimal {
                for number in [u128::MAX, u128::MAX - 1, 1 << 127, 3 * 10u128.pow(38), 3 * 10u128.pow(38) - 1] {
                    text += &format!("{number},{number}\n{number}0,{number}\n");
                }
                text += "340282366920938463463374607431768211456,340282366920938463463374607431768211455\n";
            }
            check(base, &text);
        }
    }

    #[test]
    fn no_byte_but_a_digit_begins_a_number_of_39_digits() {
        let gcd = Gcd::default();
        for first in (0..=127).map(char::from).filter(|first| !"0123456789+-\t \",\n\r".contains(*first)) {
            let text = format!("{},2\n5,{first}{}\n", "1".repeat(39), "4".repeat(38));
            let (mut index, mut pairs, mut left) = (Index::new(Format::default()), Pairs::default(), vec![]);
            let rows = index.rows(text.as_bytes(), 0, &(2..=2), None, usize::MAX);
            gcd.read_rows(&rows, &mut pairs, &mut |row, _| {
                left.push(row);
                true
            });
            assert_eq!(left, [1], "{first:?}");
        }
    }
}
