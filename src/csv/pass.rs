//! The pass over a stretch of text that finds where its delimiters and line ends are. It is written once, and compiled
//! once for each set of vector instructions.
#![allow(unsafe_code)]

use super::list::Places;
use super::structure::{Found, Structure, WIDTH};
use crate::vectors::Vectors;
use std::ops::Range;

/// The receiver of what a pass finds.
pub trait Listed {
    /// Takes what was found among up to 64 bytes from offset `at` on. `places(word, at, room)` writes to `room` the
    /// offset of each byte whose bit in `word` is 1, and returns how many there are. The lowest bit stands for the byte
    /// at `at`.
    fn take(&mut self, at: u32, found: &Found, places: impl Fn(u64, u32, &mut Places) -> usize);
}

/// Finds what is in `range` of `text`, hands it to `listed`, and returns `listed`. `structure` is the state at the
/// start of the range, and is moved to its end. `listed` is passed by value, not by reference, so that its counts can
/// stay in registers.
pub fn pass<L: Listed>(vectors: Vectors, text: &[u8], range: Range<usize>, structure: &mut Structure, listed: L) -> L {
    match vectors {
        // SAFETY: the processor has these instructions: a scan's `Vectors` come from `Vectors::here` or `Vectors::all`,
        // which return only sets that this processor has.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 => unsafe { x86_64::avx512(text, range, structure, listed) },
        // SAFETY: the processor has these instructions, for the same reason.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx2 => unsafe { x86_64::avx2(text, range, structure, listed) },
        _ => pass_by(text, range, structure, listed, portable::equal, portable::places, portable::parity),
    }
}

/// Does what [`pass`] does, by means of three functions. [`Structure::step`] describes `equal` and `parity`, and
/// [`Listed::take`] describes `places`.
///
/// It is always inlined, so that it is compiled with the vector instructions of its caller.
#[inline(always)]
fn pass_by<L: Listed>(
    text: &[u8],
    range: Range<usize>,
    structure: &mut Structure,
    mut listed: L,
    equal: impl Fn(&[u8; WIDTH], u8) -> u64,
    places: impl Fn(u64, u32, &mut Places) -> usize,
    parity: impl Fn(u64) -> u64,
) -> L {
    let (mut at, stretch) = (range.start as u32, &text[range]);
    let mut state = *structure;
    let (words, rest) = stretch.as_chunks();
    for bytes in words {
        match state.plain_step(bytes, &equal) {
            Some(found) => listed.take(at, &found, &places),
            None => listed.take(at, &state.step(bytes, WIDTH, &equal, &parity), &places),
        }
        at += WIDTH as u32;
    }
    if !rest.is_empty() {
        let mut bytes = [0; WIDTH];
        bytes[..rest.len()].copy_from_slice(rest);
        let found = state.step(&bytes, rest.len(), &equal, &parity);
        listed.take(at, &found, &places);
    }
    *structure = state;
    listed
}

mod portable {
    use super::{Places, WIDTH};

    #[cfg(target_arch = "x86_64")]
    pub fn equal(bytes: &[u8; WIDTH], byte: u8) -> u64 {
        // SAFETY: SSE2 is part of x86-64: no processor of this architecture is without it.
        unsafe { super::x86_64::equal_sse2(bytes, byte) }
    }

    #[cfg(not(target_arch = "x86_64"))]
    pub use equal_by_words as equal;

    /// Compares eight bytes at a time as one word (SWAR).
    #[cfg(any(test, not(target_arch = "x86_64")))]
    pub fn equal_by_words(bytes: &[u8; WIDTH], byte: u8) -> u64 {
        const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
        bytes.as_chunks::<8>().0.iter().rev().fold(0, |bits, eight| {
            let differences = u64::from_le_bytes(*eight) ^ u64::from_ne_bytes([byte; 8]);
            // In `equal`, the top bit of a byte is 1 if that byte of `differences` is 0. The multiplication gathers the
            // eight top bits in one byte.
            let equal = !(((differences & LOW) + LOW) | differences) & !LOW;
            bits << 8 | (equal >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
        })
    }

    #[inline(always)]
    pub fn places(mut bits: u64, at: u32, places: &mut Places) -> usize {
        let mut count = 0;
        while bits != 0 {
            places[count] = at + bits.trailing_zeros();
            bits &= bits - 1;
            count += 1;
        }
        count
    }

    #[inline(always)]
    pub fn parity(bits: u64) -> u64 {
        // Without quotes the loop is not needed. There are often none, because this function is also called for groups
        // of bytes that have only a comment or a carriage return.
        if bits == 0 {
            return 0;
        }
        let mut parity = bits;
        for shift in [1, 2, 4, 8, 16, 32] {
            parity ^= parity << shift;
        }
        parity
    }
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use super::{Listed, Places, Structure, WIDTH, pass_by};
    use bytemuck::cast;
    use std::arch::x86_64::*;
    use std::ops::Range;

    #[target_feature(enable = "sse2")]
    #[inline]
    pub fn equal_sse2(bytes: &[u8; WIDTH], byte: u8) -> u64 {
        let parts: [__m128i; 4] = cast(*bytes);
        let [a, b, c, d] = parts.map(|part| {
            let equal = _mm_cmpeq_epi8(part, _mm_set1_epi8(byte as i8));
            u64::from(_mm_movemask_epi8(equal) as u16)
        });
        a | b << 16 | c << 32 | d << 48
    }

    /// Computes the parity by a carry-less product with a word of all ones. That product is the XOR of all left shifts
    /// of `bits`. So each bit of the product is the parity of the bits of `bits` up to the same place.
    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    fn parity(bits: u64) -> u64 {
        let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits as i64), _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product) as u64
    }

    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,popcnt,lzcnt")]
    pub fn avx2<L: Listed>(text: &[u8], range: Range<usize>, structure: &mut Structure, listed: L) -> L {
        let equal = |bytes: &[u8; WIDTH], byte: u8| {
            let [low, high]: [__m256i; 2] = cast(*bytes);
            let equal = |part| _mm256_movemask_epi8(_mm256_cmpeq_epi8(part, _mm256_set1_epi8(byte as i8))) as u32;
            u64::from(equal(low)) | u64::from(equal(high)) << 32
        };
        let places = |mut bits: u64, at: u32, places: &mut Places| {
            let count = bits.count_ones() as usize;
            // Writes eight offsets at a time, even if fewer are left. The number of loop turns then varies less, so the
            // processor predicts the branch better.
            for places in places.as_chunks_mut::<8>().0.iter_mut().take(count.div_ceil(8)) {
                for place in places {
                    *place = at + bits.trailing_zeros();
                    bits &= bits.wrapping_sub(1);
                }
            }
            count
        };
        pass_by(text, range, structure, listed, equal, places, |bits| parity(bits))
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,pclmulqdq,bmi1,bmi2,popcnt,lzcnt")]
    pub fn avx512<L: Listed>(text: &[u8], range: Range<usize>, structure: &mut Structure, listed: L) -> L {
        const EACH: [u8; WIDTH] = {
            let (mut each, mut at) = ([0; WIDTH], 0);
            while at < WIDTH {
                each[at] = at as u8;
                at += 1;
            }
            each
        };
        let equal = |bytes: &[u8; WIDTH], byte: u8| _mm512_cmpeq_epi8_mask(cast(*bytes), _mm512_set1_epi8(byte as i8));
        let places = |bits: u64, at: u32, places: &mut Places| {
            let found: [__m128i; 4] = cast(_mm512_maskz_compress_epi8(bits, cast(EACH)));
            let places: &mut [[u32; 16]; 4] = bytemuck::cast_mut(places);
            let count = bits.count_ones() as usize;
            // Always writes the first 16 offsets. So if there are at most 16, no branch depends on their number.
            for (places, found) in places.iter_mut().zip(found).take(count.div_ceil(16).max(1)) {
                *places = cast(_mm512_add_epi32(_mm512_cvtepu8_epi32(found), _mm512_set1_epi32(at as i32)));
            }
            count
        };
        pass_by(text, range, structure, listed, equal, places, |bits| parity(bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_where_bytes_are() {
        let bytes: [u8; WIDTH] = std::array::from_fn(|at| [b'a', b',', 0xac, b'-', 0, b'\n'][at * at % 7 % 6]);
        for byte in [b',', b'\n', 0, 0xac, 0x80] {
            let expected = (0..WIDTH).filter(|&at| bytes[at] == byte).fold(0u64, |bits, at| bits | 1 << at);
            assert_eq!(portable::equal(&bytes, byte), expected);
            assert_eq!(portable::equal_by_words(&bytes, byte), expected);
            let mut places = [0; WIDTH];
            let count = portable::places(expected, 7, &mut places);
            assert!(places[..count].iter().all(|&place| bytes[place as usize - 7] == byte));
            assert_eq!(count, bytes.iter().filter(|&&other| other == byte).count());
        }
    }
    #[test]
    fn a_byte_behind_an_odd_number_of_quotes_is_inside() {
        assert_eq!(portable::parity(0b1001_0010), !0 << 7 | 0b0000_1110);
    }
}
