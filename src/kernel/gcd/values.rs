//! Batches of pairs and of their divisors. Numbers of 64 bits are stored side by side, as the fast algorithms need
//! them, and larger numbers separately.

use super::number::Number;
use crate::kernel::batch::{Batch, Written};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};
use std::fmt::{self, Debug};
use std::ops::Range;

/// A batch of pairs of integers of any size, without their signs: the rows of [`Gcd`](crate::Gcd).
pub type Pairs = Values<[Number; 2]>;

/// A batch of greatest common divisors of any size: the outputs of [`Gcd`](crate::Gcd).
pub type Divisors = Values<Number>;

/// A number, or a pair of numbers. Most values consist of numbers that fit into 64 bits.
pub trait Value: Serialize + DeserializeOwned {
    /// A value whose numbers all fit into 64 bits.
    type Small: Copy + Default + Serialize;
    /// Returns the value in the small form, or `None` if a number has more than 64 bits.
    fn small(&self) -> Option<Self::Small>;
}

impl Value for Number {
    type Small = u64;
    fn small(&self) -> Option<u64> {
        if let Number::Small(number) = self { Some(*number) } else { None }
    }
}

impl Value for [Number; 2] {
    type Small = [u64; 2];
    fn small(&self) -> Option<[u64; 2]> {
        Some([self[0].small()?, self[1].small()?])
    }
}

/// A batch of values. Those that fit into 64 bits are kept separately from those that do not.
#[derive(Debug)]
pub struct Values<V: Value> {
    /// All values in order, with zeros in place of each value in `large`.
    pub(super) small: Vec<V::Small>,
    /// The values that do not fit into 64 bits, in order, each with its index among all values.
    pub(super) large: Vec<(usize, V)>,
}

impl<V: Value> Default for Values<V> {
    fn default() -> Self {
        Values { small: vec![], large: vec![] }
    }
}

impl<V: Value> Values<V> {
    /// Appends `value`.
    pub(super) fn push(&mut self, value: V) {
        self.small.push(V::Small::default());
        self.set(self.small.len() - 1, value);
    }

    /// Sets the value at index `at`, where there is a zero so far. `large` must have no value with a higher index, so
    /// that it stays in order.
    pub(super) fn set(&mut self, at: usize, value: V) {
        match value.small() {
            Some(small) => self.small[at] = small,
            None => self.large.push((at, value)),
        }
    }
}

impl Divisors {
    /// Writes the outputs in `range` to the front of `room`, as
    /// [`BatchKernel::write`](crate::batch::BatchKernel::write) requires.
    pub(super) fn write(&self, range: Range<usize>, room: &mut [u8]) -> Written {
        let mut written = Written::default();
        let (mut at, first) = (range.start, self.large.partition_point(|&(place, _)| place < range.start));
        for (place, number) in self.large[first..].iter().take_while(|&&(place, _)| place < range.end) {
            if !write_small(&self.small[at..*place], room, &mut written)
                || !write_line(number.to_string().as_bytes(), room, &mut written)
            {
                return written;
            }
            at = place + 1;
        }
        write_small(&self.small[at..range.end], room, &mut written);
        written
    }
}

/// Writes `outputs` as lines, as many as there is room for. Returns whether all of them were written.
fn write_small(outputs: &[u64], room: &mut [u8], written: &mut Written) -> bool {
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

impl<V: Value> Batch for Values<V> {
    fn len(&self) -> usize {
        self.small.len()
    }
    fn clear(&mut self) {
        self.small.clear();
        self.large.clear();
    }
}

impl<V: Value> Serialize for Values<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.small.len()))?;
        let mut large = self.large.iter().peekable();
        for (at, small) in self.small.iter().enumerate() {
            match large.next_if(|(place, _)| *place == at) {
                Some((_, value)) => list.serialize_element(value)?,
                None => list.serialize_element(small)?,
            }
        }
        list.end()
    }
}

impl<'de, V: Value> Deserialize<'de> for Values<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Values::default())
    }
}

impl<'de, V: Value> Visitor<'de> for Values<V> {
    type Value = Self;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Self, A::Error> {
        while let Some(value) = list.next_element()? {
            self.push(value);
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
            larger => serializer.collect_str(larger),
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
                Number::parse(digits.as_bytes(), usize::MAX).ok_or_else(|| E::custom("no digits"))
            }
        }
        deserializer.deserialize_any(Digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divisors(digits: &[&str]) -> Divisors {
        let mut divisors = Divisors::default();
        let numbers = digits.iter().map(|digits| Number::parse(digits.as_bytes(), 1000).unwrap());
        numbers.for_each(|number| divisors.push(number));
        divisors
    }

    #[test]
    fn results_that_do_not_fit_are_left() {
        let mut room = [0; 7];
        let written = divisors(&["1", "23", "4", "5"]).write(0..4, &mut room);
        assert_eq!((written.outputs, &room), (3, b"1\n23\n4\n"));
        assert_eq!(divisors(&["18446744073709551615"]).write(0..1, &mut room), Written::default());
        assert_eq!(divisors(&[]).write(0..0, &mut room), Written::default());
    }

    #[test]
    fn any_range_of_small_and_large_results_is_written() {
        let long = "9".repeat(100);
        let digits = ["7", "18446744073709551616", "8", &long, &long, "0"];
        let divisors = divisors(&digits);
        let mut room = [0; 1000];
        for (start, end) in (0..=6).flat_map(|start| (start..=6).map(move |end| (start, end))) {
            let written = divisors.write(start..end, &mut room);
            let lines: String = digits[start..end].iter().map(|digits| format!("{digits}\n")).collect();
            assert_eq!((written.outputs, &room[..written.bytes]), (end - start, lines.as_bytes()));
        }
        let written = divisors.write(0..6, &mut room[..30]);
        assert_eq!((written.outputs, &room[..written.bytes]), (3, &b"7\n18446744073709551616\n8\n"[..]));
    }
}
