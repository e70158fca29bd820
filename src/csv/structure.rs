//! Finds the delimiters and line ends that are outside quotes, 64 bytes at a time.
//!
//! Each of the 64 bytes is represented by one bit of a word (G. Langdale and D. Lemire, "Parsing gigabytes of JSON per
//! second", 2019). A byte is within quotes if the number of quotes up to it is odd. This rule is right only if each
//! quote that makes the number odd is the first byte of a field: elsewhere outside quotes, a quote is an ordinary byte.
//! If the 64 bytes contain such an ordinary quote, the caller must look at them one by one.
#![allow(unsafe_code)]

use super::Format;

/// How many bytes are examined together: as many as a `u64` has bits.
pub const WIDTH: usize = 64;

/// The state at one place in a text: everything about the bytes before that place that is needed to read on.
#[derive(Clone, Copy, Debug)]
pub struct Structure {
    delimiter: u8,
    quote: Option<u8>,
    /// All ones if the bytes before this place end within quotes, else all zeros.
    inside: u64,
    /// 1 if the previous byte was a delimiter or line end outside quotes, or the text begins here, else 0. A quote
    /// opens a field only if this is 1.
    after_end: u64,
    /// 1 if the previous byte was a quote within quotes, else 0. Such a quote closes the field unless another quote
    /// follows, which makes both stand for one.
    after_closer: u64,
}

/// What was found among 64 bytes: each word is a set of bytes, in which the lowest bit stands for the first byte.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// Delimiters and line ends outside quotes.
    pub ends_of_fields: u64,
    /// Line ends outside quotes.
    pub ends_of_rows: u64,
    /// Quotes that open a field.
    pub openers: u64,
    /// Bytes within quotes, including the opening quote.
    pub inside: u64,
}

impl Structure {
    /// Returns the state at the start of a row. Comments are not recognized: they are taken for rows.
    pub fn new(format: Format) -> Self {
        Structure { delimiter: format.delimiter, quote: format.quote, inside: 0, after_end: 1, after_closer: 0 }
    }

    /// Whether the bytes so far end within quotes.
    pub fn is_inside(&self) -> bool {
        self.inside != 0
    }

    /// Moves the state past `bytes`, which must contain no quote that has a meaning.
    pub fn pass(&mut self, bytes: &[u8]) {
        if let Some(&last) = bytes.last() {
            self.after_end = u64::from(!self.is_inside() && (last == b'\n' || last == self.delimiter));
            self.after_closer = 0;
        }
    }

    /// Moves the state past one quote. Returns whether that quote opened a field.
    pub fn pass_quote(&mut self) -> bool {
        let was_inside = self.is_inside();
        let (opens, reopens) = (self.after_end != 0 && !was_inside, self.after_closer != 0);
        self.inside = if opens || reopens { u64::MAX } else { 0 };
        (self.after_end, self.after_closer) = (0, u64::from(was_inside));
        opens
    }

    /// Finds the delimiters, line ends and quotes in the next 64 bytes, and moves the state past them. If one of the
    /// quotes has no meaning because it stands outside quotes in the middle of a field, returns `None` and leaves the
    /// state unchanged.
    #[inline(always)]
    pub fn step(&mut self, bytes: &[u8; WIDTH]) -> Option<Found> {
        let ends_of_rows = equal(bytes, b'\n');
        let ends_of_fields = ends_of_rows | equal(bytes, self.delimiter);
        let quotes = self.quote.map_or(0, |quote| equal(bytes, quote));
        let inside = if quotes == 0 { self.inside } else { parity(quotes) ^ self.inside };
        let (ends_of_fields, ends_of_rows) = (ends_of_fields & !inside, ends_of_rows & !inside);
        let (openers, closers) = (quotes & inside, quotes & !inside);
        let reopeners = openers & (closers << 1 | self.after_closer);
        let openers = openers & !reopeners;
        if openers & !(ends_of_fields << 1 | self.after_end) != 0 {
            return None;
        }
        self.inside = if inside >> (WIDTH - 1) == 1 { u64::MAX } else { 0 };
        self.after_end = ends_of_fields >> (WIDTH - 1);
        self.after_closer = closers >> (WIDTH - 1);
        Some(Found { ends_of_fields, ends_of_rows, openers, inside })
    }
}

/// Returns a word in which each bit is 1 if the number of ones in `bits` up to and including that bit is odd.
#[inline(always)]
fn parity(bits: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].into_iter().fold(bits, |bits, shift| bits ^ bits << shift)
}

/// Returns the set of bytes that equal `byte`, inside and outside quotes.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn equal(bytes: &[u8; WIDTH], byte: u8) -> u64 {
    // SAFETY: SSE2 is part of x86-64: no processor of this architecture is without it.
    unsafe { equal_sse2(bytes, byte) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn equal_sse2(bytes: &[u8; WIDTH], byte: u8) -> u64 {
    use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set1_epi8};
    let parts: [__m128i; 4] = bytemuck::cast(*bytes);
    let [a, b, c, d] = parts.map(|part| {
        let equal = _mm_cmpeq_epi8(part, _mm_set1_epi8(byte as i8));
        u64::from(_mm_movemask_epi8(equal) as u16)
    });
    a | b << 16 | c << 32 | d << 48
}

/// Returns the set of bytes that equal `byte`, inside and outside quotes.
#[cfg(not(target_arch = "x86_64"))]
pub fn equal(bytes: &[u8; WIDTH], byte: u8) -> u64 {
    bytes.iter().rev().fold(0, |bits, &other| bits << 1 | u64::from(other == byte))
}

/// Returns the positions of the ones in `bits`, from the lowest.
#[inline(always)]
pub fn places(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = (bits != 0).then(|| bits.trailing_zeros() as usize);
        bits &= bits.wrapping_sub(1);
        place
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_where_bytes_are() {
        let bytes: [u8; WIDTH] = std::array::from_fn(|at| b"a,b\n"[at % 4]);
        assert_eq!(equal(&bytes, b','), 0x2222_2222_2222_2222);
        assert_eq!(places(equal(&bytes, b'\n')).take(3).collect::<Vec<_>>(), [3, 7, 11]);
        assert_eq!(parity(0b1001_0010), !0 << 7 | 0b0000_1110);
    }
}
