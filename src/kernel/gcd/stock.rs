//! The kernel of the `pmapgcd` command: integers of any size.

use super::base::Base;
use super::fields::Fields;
use super::number::{self, Number};
use super::values::{Divisors, Pairs};
use super::{Algorithm, Gcd64, digits, large, plain};
use crate::bad_row::BadRow;
use crate::csv::index::Rows;
use crate::csv::notation::Notation;
use crate::csv::record::Record;
use crate::csv::{Format, trimmed};
use crate::kernel::Kernel;
use crate::kernel::batch::{BatchKernel, Other, Written, read_each};
use std::ops::Range;

/// The kernel that computes the greatest common divisor of two integers of any size and sign, for a filter. The
/// `pmapgcd` command runs this kernel. `gcd(0, n)` is the magnitude of `n`, and `gcd(0, 0)` is 0.
///
/// Pairs of 64 bits are computed as in [`Gcd64`]. Larger pairs of like length are computed several at a time with
/// vector instructions, by binary algorithms, if there are enough such pairs and the processor has the instructions.
/// The rest are computed one at a time: up to 128 bits by a binary algorithm, and beyond that by Lehmer's algorithm,
/// from the `dashu-int` crate.
#[derive(Clone, Copy, Debug)]
pub struct Gcd {
    small: Gcd64,
    base: Base,
    max_digits: usize,
}

impl Default for Gcd {
    fn default() -> Self {
        Gcd::new(Algorithm::default())
    }
}

impl Gcd {
    /// The most digits that an integer may have, unless [`max_digits`](Gcd::max_digits) sets another limit.
    pub const MAX_DIGITS: usize = 100_000;

    /// Returns the kernel that uses `algorithm` for pairs of 64 bits.
    pub fn new(algorithm: Algorithm) -> Self {
        Gcd { small: Gcd64::new(algorithm), base: Base::default(), max_digits: Gcd::MAX_DIGITS }
    }

    /// Returns this kernel, changed to read and write integers in `base`. In other bases than 10, only the default
    /// [`Notation`](crate::Notation) can be used.
    pub fn base(self, base: Base) -> Self {
        Gcd { base, ..self }
    }

    /// Returns this kernel, changed to allow integers of at most `max_digits` digits. A longer number makes a bad row,
    /// because otherwise the time for one row would have no bound.
    pub fn max_digits(self, max_digits: usize) -> Self {
        Gcd { max_digits, ..self }
    }

    /// Returns the magnitude of the integer in the field at index `field`, from 0, or `None` if the field holds no
    /// integer or one with too many digits.
    #[inline]
    fn number(&self, record: &Record, field: usize) -> Option<Number> {
        let value = record.value(field);
        match number::plain(&value).filter(|_| self.base == Base::Decimal && value.len() <= self.max_digits) {
            Some(number) => Some(Number::Small(number)),
            None => Number::read(trimmed(&value), self.base, record.format().notation, self.max_digits),
        }
    }
}

impl BatchKernel for Gcd {
    type Rows = Pairs;
    type Outputs = Divisors;

    fn fields(&self) -> Option<usize> {
        Some(2)
    }

    fn result_name(&self) -> &str {
        self.small.name()
    }

    fn needs_nothing(&self) -> bool {
        true
    }

    fn prints_nothing(&self) -> bool {
        true
    }

    fn sample_row(&self, number: u64) -> Option<String> {
        // Numbers below 4 000 000, like those of Item 41 of *Effective Python*. The multiplication scatters consecutive
        // row numbers over this range without a short cycle.
        let spread = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let below = |n: u64| (spread(n) * 4_000_000) >> 32;
        let mut text = vec![];
        digits::write(self.base, &[below(2 * number + 1)], &mut text);
        text.push(b',');
        digits::write(self.base, &[below(2 * number + 2)], &mut text);
        String::from_utf8(text).ok()
    }

    fn read(&self, record: &Record, pairs: &mut Pairs) -> Result<(), BadRow> {
        let number = |field: usize| {
            self.number(record, field).ok_or_else(|| {
                let (value, notation) = (record.value(field), record.format().notation);
                let what = number::what_is_wrong(trimmed(&value), self.base, notation, self.max_digits);
                BadRow::in_field(record, field, what)
            })
        };
        pairs.push([number(0)?, number(1)?]);
        Ok(())
    }

    fn try_read(&self, record: &Record, pairs: &mut Pairs) -> bool {
        let (Some(a), Some(b)) = (self.number(record, 0), self.number(record, 1)) else { return false };
        pairs.push([a, b]);
        true
    }

    fn read_rows(&self, found: &Rows, pairs: &mut Pairs, other: Other<Pairs>) -> usize {
        // If integers can contain the quote character, the fast loader would take quotes for a part of the value. So
        // each row is read in the general way.
        let is_confusing = |quote: u8| matches!(quote, b' ' | b'\t' | b'+' | b'-') || quote.is_ascii_alphanumeric();
        if found.format().quote.is_some_and(is_confusing) {
            return read_each(found, pairs, other);
        }
        let fields = Fields::of(found, self.base, self.max_digits);
        // In base 10 other code reads all good integers that are short. So `fields` is then tried only for rows with
        // long fields.
        let may_read = |row: usize| self.base != Base::Decimal || fields.are_long(row);
        let mut other = |row: usize, pairs: &mut Pairs| may_read(row) && fields.read(row, pairs) || other(row, pairs);
        if self.base != Base::Decimal || self.max_digits < plain::MAX_DIGITS as usize {
            return read_each(found, pairs, &mut other);
        }
        plain::read_rows(found, pairs, self.max_digits >= plain::WIDE_DIGITS as usize, &mut other)
    }

    fn map_batch(&self, pairs: &Pairs, divisors: &mut Divisors) {
        self.small.map_rows(&pairs.small, &mut divisors.small);
        large::gcds(pairs, divisors);
    }

    fn write(&self, divisors: &Divisors, range: Range<usize>, _: Format, room: &mut [u8]) -> Written {
        divisors.write(range, self.base, room)
    }

    fn may_be_value(&self, text: &[u8]) -> bool {
        match self.base {
            Base::Hexadecimal => {
                let is_part = |byte: &u8| byte.is_ascii_hexdigit() || b"+-xX \t".contains(byte);
                !text.is_empty() && text.iter().all(is_part)
            }
            _ => text.iter().any(u8::is_ascii_digit),
        }
    }

    fn reads_notation(&self, notation: Notation) -> bool {
        self.base == Base::Decimal || notation == Notation::default()
    }

    fn is_known_to_write_rows(&self) -> bool {
        true
    }
}
