//! Batches of pairs and of their divisors. Values whose numbers fit into 64 bits are stored side by side, because the
//! fast algorithms need them so. Larger values are stored separately.

use super::base::Base;
use super::digits;
use super::number::Number;
use crate::kernel::batch::{Batch, Written};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};
use std::fmt::{self, Debug};
use std::ops::Range;

/// A batch of pairs of integers of any size, without their signs: the rows of [`Gcd`](crate::Gcd).
pub type Pairs = Values<[u64; 2], 2>;

/// A batch of greatest common divisors: the outputs of [`Gcd`](crate::Gcd). A divisor can be of any size.
pub type Divisors = Values<u64, 1>;

/// A value of `COUNT` numbers that each fit into 64 bits, as in most values. No method has a default.
pub trait Small<const COUNT: usize>: Copy + Default + Serialize + Debug {
    /// The same kind of value with numbers of any size, for pickles.
    type Value: Serialize + DeserializeOwned;
    /// Returns the value with these numbers of 64 bits.
    fn of(numbers: [u64; COUNT]) -> Self;
    /// Returns the value with these numbers of any size.
    fn value(numbers: [Number; COUNT]) -> Self::Value;
    /// Returns the numbers of a value.
    fn numbers(value: Self::Value) -> [Number; COUNT];
}

impl Small<1> for u64 {
    type Value = Number;
    fn of([number]: [u64; 1]) -> Self {
        number
    }
    fn value([number]: [Number; 1]) -> Number {
        number
    }
    fn numbers(number: Number) -> [Number; 1] {
        [number]
    }
}

impl Small<2> for [u64; 2] {
    type Value = [Number; 2];
    fn of(numbers: [u64; 2]) -> Self {
        numbers
    }
    fn value(numbers: [Number; 2]) -> [Number; 2] {
        numbers
    }
    fn numbers(numbers: [Number; 2]) -> [Number; 2] {
        numbers
    }
}

/// A value in which a number has more than 64 bits.
#[derive(Clone, Copy, Debug)]
pub struct Large<const COUNT: usize> {
    /// The index of this value among all values.
    pub at: usize,
    /// Where the limbs of each number begin and end.
    ends: [[usize; 2]; COUNT],
}

/// A batch of values. Those that fit into 64 bits are kept separately from those that do not.
#[derive(Debug)]
pub struct Values<S: Small<COUNT>, const COUNT: usize> {
    /// All values in order, with zeros in place of each value in `large`.
    pub(super) small: Vec<S>,
    /// The values that do not fit into 64 bits, in order.
    pub(super) large: Vec<Large<COUNT>>,
    /// The limbs of the numbers of all large values.
    limbs: Vec<u64>,
}

impl<S: Small<COUNT>, const COUNT: usize> Default for Values<S, COUNT> {
    fn default() -> Self {
        Values { small: vec![], large: vec![], limbs: vec![] }
    }
}

impl<S: Small<COUNT>, const COUNT: usize> Values<S, COUNT> {
    /// Appends a value whose numbers are of any size. Calls `append` with the index of each number in turn, and with a
    /// list to which `append` must add the limbs of that number, without zeros on top. If a call returns false, no
    /// value is appended. Returns whether one was.
    #[inline]
    pub(super) fn push_with(&mut self, append: impl FnMut(usize, &mut Vec<u64>) -> bool) -> bool {
        self.small.push(S::default());
        let is_pushed = self.set_with(self.small.len() - 1, append);
        self.small.truncate(self.small.len() - usize::from(!is_pushed));
        is_pushed
    }

    /// Sets the value at index `at`, so far a zero, with the limbs from `append`, as [`push_with`](Values::push_with)
    /// does. `large` must have no value with a higher index, so that it stays in order.
    #[inline]
    pub(super) fn set_with(&mut self, at: usize, mut append: impl FnMut(usize, &mut Vec<u64>) -> bool) -> bool {
        let begin = self.limbs.len();
        let mut ends = [[0; 2]; COUNT];
        for (index, ends) in ends.iter_mut().enumerate() {
            let start = self.limbs.len();
            if !append(index, &mut self.limbs) {
                self.limbs.truncate(begin);
                return false;
            }
            *ends = [start, self.limbs.len()];
        }
        if ends.iter().any(|[start, end]| end - start > 1) {
            self.large.push(Large { at, ends });
            return true;
        }
        let mut small = [0; COUNT];
        for (small, [start, end]) in small.iter_mut().zip(ends) {
            *small = self.limbs[start..end].first().copied().unwrap_or(0);
        }
        self.small[at] = S::of(small);
        self.limbs.truncate(begin);
        true
    }

    /// Appends the value with these numbers.
    #[inline]
    pub(super) fn push_wide(&mut self, numbers: [u128; COUNT]) {
        self.small.push(S::default());
        self.set_wide(self.small.len() - 1, numbers);
    }

    /// Sets the value at index `at` to these numbers, as [`set_with`](Values::set_with) does.
    #[inline]
    pub(super) fn set_wide(&mut self, at: usize, numbers: [u128; COUNT]) {
        self.set_with(at, |index, limbs| {
            let number = numbers[index];
            limbs.extend_from_slice(&[number as u64, (number >> u64::BITS) as u64]);
            limbs.truncate(limbs.len() - (number.leading_zeros() / u64::BITS) as usize);
            true
        });
    }

    /// Appends the value with these numbers.
    pub(super) fn push(&mut self, numbers: [Number; COUNT]) {
        self.push_with(|index, limbs| {
            match &numbers[index] {
                Number::Small(number) => limbs.extend((*number > 0).then_some(number)),
                Number::Big(number) => limbs.extend(digits::limbs_of(number)),
            }
            true
        });
    }

    /// Returns the limbs of the numbers of a large value.
    #[inline]
    pub(super) fn limbs(&self, large: &Large<COUNT>) -> [&[u64]; COUNT] {
        let mut limbs = [[].as_slice(); COUNT];
        for (limbs, [start, end]) in limbs.iter_mut().zip(large.ends) {
            *limbs = &self.limbs[start..end];
        }
        limbs
    }
}

impl Divisors {
    /// Writes the outputs in `range` as [`BatchKernel::write`](crate::batch::BatchKernel::write) requires.
    pub(super) fn write(&self, range: Range<usize>, base: Base, room: &mut [u8]) -> Written {
        let mut written = Written::default();
        let (mut at, first) = (range.start, self.large.partition_point(|large| large.at < range.start));
        let mut text = vec![];
        for large in self.large[first..].iter().take_while(|large| large.at < range.end) {
            text.clear();
            digits::write(base, self.limbs(large)[0], &mut text);
            if !write_small(&self.small[at..large.at], base, room, &mut written)
                || !write_line(&text, room, &mut written)
            {
                return written;
            }
            at = large.at + 1;
        }
        write_small(&self.small[at..range.end], base, room, &mut written);
        written
    }
}

/// Writes `outputs` as lines, as many as there is room for. Returns whether all of them were written.
fn write_small(outputs: &[u64], base: Base, room: &mut [u8], written: &mut Written) -> bool {
    if base != Base::Decimal {
        let mut text = vec![];
        return outputs.iter().all(|&output| {
            text.clear();
            digits::write(base, &[output][..usize::from(output > 0)], &mut text);
            write_line(&text, room, written)
        });
    }
    let mut digits = itoa::Buffer::new();
    for &output in outputs {
        // The divisors of 94 of 100 random pairs have one digit, for which no conversion is needed.
        if output < 10
            && let Some(line) = room[written.bytes..].first_chunk_mut::<2>()
        {
            *line = [b'0' + output as u8, b'\n'];
            written.bytes += 2;
            written.outputs += 1;
        } else if !write_line(digits.format(output).as_bytes(), room, written) {
            return false;
        }
    }
    true
}

/// Writes one line if there is room for it. Returns whether there was.
fn write_line(digits: &[u8], room: &mut [u8], written: &mut Written) -> bool {
    let Some(line) = room.get_mut(written.bytes..written.bytes + digits.len() + 1) else { return false };
    line[..digits.len()].copy_from_slice(digits);
    line[digits.len()] = b'\n';
    written.bytes += line.len();
    written.outputs += 1;
    true
}

impl<S: Small<COUNT>, const COUNT: usize> Batch for Values<S, COUNT> {
    fn len(&self) -> usize {
        self.small.len()
    }
    fn clear(&mut self) {
        self.small.clear();
        self.large.clear();
        self.limbs.clear();
    }
}

impl<S: Small<COUNT>, const COUNT: usize> Serialize for Values<S, COUNT> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut list = serializer.serialize_seq(Some(self.small.len()))?;
        let mut large = self.large.iter().peekable();
        for (at, small) in self.small.iter().enumerate() {
            match large.next_if(|large| large.at == at) {
                Some(large) => {
                    let numbers = self.limbs(large).map(|limbs| Number::from(digits::number_of(limbs)));
                    list.serialize_element(&S::value(numbers))?;
                }
                None => list.serialize_element(small)?,
            }
        }
        list.end()
    }
}

impl<'de, S: Small<COUNT>, const COUNT: usize> Deserialize<'de> for Values<S, COUNT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Values::default())
    }
}

impl<'de, S: Small<COUNT>, const COUNT: usize> Visitor<'de> for Values<S, COUNT> {
    type Value = Self;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Self, A::Error> {
        while let Some(value) = list.next_element()? {
            self.push(S::numbers(value));
        }
        Ok(self)
    }
}

/// Serializes a number as an integer if it has at most 64 bits. A larger number is written as a string of digits,
/// because the pickles of this program cannot hold larger integers.
impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Number::Small(number) => serializer.serialize_u64(*number),
            Number::Big(number) => serializer.collect_str(number),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl Visitor<'_> for Digits {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer, or its digits")
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number::Small(number))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
                Ok(Number::Small(number.unsigned_abs()))
            }
            fn visit_str<E: Error>(self, digits: &str) -> Result<Number, E> {
                Number::parse(digits.as_bytes(), Base::Decimal, usize::MAX).ok_or_else(|| E::custom("no digits"))
            }
        }
        deserializer.deserialize_any(Digits)
    }
}

#[cfg(test)]
mod tests;
