//! Pairs and their divisors by the batch: those of 64 bits side by side, as the fast algorithms want them, and the
//! larger ones apart.

use super::number::Number;
use crate::kernel::{Batch, Written};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};
use std::fmt;
use std::ops::Range;

/// Pairs of integers of any size, without their signs.
#[derive(Debug, Default)]
pub struct Pairs {
    /// All pairs; those that do not fit have zeros here.
    pub(super) small: Vec<[u64; 2]>,
    /// Where the others stand, in order, and what they are.
    pub(super) large: Vec<(usize, [Number; 2])>,
}

impl Pairs {
    pub(super) fn push(&mut self, pair: [Number; 2]) {
        match pair {
            [Number::Small(a), Number::Small(b)] => self.small.push([a, b]),
            pair => {
                self.large.push((self.small.len(), pair));
                self.small.push([0, 0]);
            }
        }
    }
}

/// Greatest common divisors of any size.
#[derive(Debug, Default)]
pub struct Divisors {
    /// All of them; those that do not fit have zeros here.
    pub(super) small: Vec<u64>,
    /// Where the others stand, in order, and what they are.
    pub(super) large: Vec<(usize, Number)>,
}

impl Divisors {
    pub(super) fn set(&mut self, at: usize, divisor: Number) {
        match divisor {
            Number::Small(divisor) => self.small[at] = divisor,
            divisor => self.large.push((at, divisor)),
        }
    }

    /// As [`BatchKernel::write`](crate::BatchKernel::write) has it.
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

/// Writes as many as fit, and answers whether these are all.
fn write_small(outputs: &[u64], room: &mut [u8], written: &mut Written) -> bool {
    let mut digits = itoa::Buffer::new();
    for &output in outputs {
        // Divisors of one digit are most there are: 94 of 100 for random pairs.
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

fn write_line(digits: &[u8], room: &mut [u8], written: &mut Written) -> bool {
    let Some(line) = room.get_mut(written.bytes..written.bytes + digits.len() + 1) else { return false };
    line[..digits.len()].copy_from_slice(digits);
    line[digits.len()] = b'\n';
    written.bytes += line.len();
    written.outputs += 1;
    true
}

impl Batch for Pairs {
    fn len(&self) -> usize {
        self.small.len()
    }
    fn clear(&mut self) {
        self.small.clear();
        self.large.clear();
    }
}

impl Batch for Divisors {
    fn len(&self) -> usize {
        self.small.len()
    }
    fn clear(&mut self) {
        self.small.clear();
        self.large.clear();
    }
}

/// A list, as Python has it: of integers, or of their digits where a pickle of ours cannot hold them.
fn serialize<S: Serializer, T: Serialize, L: Serialize>(
    small: &[T],
    large: &[(usize, L)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(small.len()))?;
    let mut large = large.iter().peekable();
    for (at, item) in small.iter().enumerate() {
        match large.next_if(|(place, _)| *place == at) {
            Some((_, item)) => list.serialize_element(item)?,
            None => list.serialize_element(item)?,
        }
    }
    list.end()
}

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.small, &self.large, serializer)
    }
}

impl Serialize for Divisors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.small, &self.large, serializer)
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(List(Pairs::default(), Pairs::push))
    }
}

impl<'de> Deserialize<'de> for Divisors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let push = |divisors: &mut Divisors, divisor| {
            divisors.small.push(0);
            divisors.set(divisors.small.len() - 1, divisor);
        };
        deserializer.deserialize_seq(List(Divisors::default(), push))
    }
}

/// Takes a list of what `push` appends.
struct List<B, T>(B, fn(&mut B, T));

impl<'de, B, T: Deserialize<'de>> Visitor<'de> for List<B, T> {
    type Value = B;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<B, A::Error> {
        while let Some(item) = list.next_element()? {
            self.1(&mut self.0, item);
        }
        Ok(self.0)
    }
}

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
            fn visit_u128<E: Error>(self, number: u128) -> Result<Number, E> {
                Ok(number.into())
            }
            fn visit_i128<E: Error>(self, number: i128) -> Result<Number, E> {
                Ok(number.unsigned_abs().into())
            }
            fn visit_str<E: Error>(self, digits: &str) -> Result<Number, E> {
                Number::parse(digits.as_bytes(), usize::MAX).map_err(|_| E::custom("no digits"))
            }
        }
        deserializer.deserialize_any(Digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divisors(digits: &[&str]) -> Divisors {
        let mut divisors = Divisors { small: vec![0; digits.len()], large: vec![] };
        let numbers = digits.iter().map(|digits| Number::parse(digits.as_bytes(), 1000).unwrap());
        numbers.enumerate().for_each(|(at, number)| divisors.set(at, number));
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
