//! Loads numbers with AVX2: both numbers of a row in one vector, 16 digits of each at a time. Bytes before the digits
//! are masked to zero. AVX-512 does not help: a loader that uses it takes 17 % longer for rows of two small numbers,
//! and 4 % less for numbers of 19 digits (Zen 5).

use super::walk::{self, LOADED, Load};
#[cfg(feature = "big")]
use crate::csv::index::Rows;
#[cfg(feature = "big")]
use crate::kernel::{batch::Other, gcd::values::Pairs};
use bytemuck::cast;
use std::arch::x86_64::*;

#[cfg(feature = "big")]
/// Does what [`super::read_rows`] does.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
pub fn read_rows(found: &Rows, pairs: &mut Pairs, wide: bool, other: Other<Pairs>) -> usize {
    walk::read_rows(found, pairs, wide, other, Avx2)
}

/// Does what [`super::load`] does.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
pub fn load(text: &[u8], fields: &[(u32, u32)], loaded: &mut [u64]) -> usize {
    walk::load(text, fields, loaded, Avx2)
}

struct Avx2;

impl Load for Avx2 {
    #[inline(always)]
    fn pair(&self, texts: [&[u8; LOADED]; 2], digits: [u32; 2]) -> Option<[u64; 2]> {
        // SAFETY: this type is private, only `read_rows` and `load` above use it, and their callers have made sure that
        // the processor has the instructions.
        unsafe { pair(texts, digits) }
    }

    #[inline(always)]
    fn pairs(&self, texts: [&[u8; LOADED]; 4], digits: [[u32; 2]; 2]) -> Option<[[u64; 2]; 2]> {
        // SAFETY: this type is private, only `read_rows` and `load` above use it, and their callers have made sure that
        // the processor has the instructions.
        unsafe { pairs(texts, digits) }
    }
}

const E16: u64 = 10_000_000_000_000_000;

/// Does what [`Load::pair`] says.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
fn pair([a, b]: [&[u8; LOADED]; 2], digits: [u32; 2]) -> Option<[u64; 2]> {
    let ([a_first, a_last], [b_first, b_last]): ([_; 2], [_; 2]) = (cast(*a), cast(*b));
    let last = sixteen(a_last, b_last, digits)?;
    if digits[0].max(digits[1]) <= 16 {
        return Some(last);
    }
    let first = sixteen(a_first, b_first, [digits[0].saturating_sub(16), digits[1].saturating_sub(16)])?;
    let all = |first: u64, last: u64| first.wrapping_mul(E16).wrapping_add(last);
    Some([all(first[0], last[0]), all(first[1], last[1])])
}

/// Does what [`Load::pairs`] says. Digits are combined pairwise, to numbers of 2, 4, 8 and 16 digits (W. Muła,
/// "SIMD-ized faster parse of IPv4 addresses"). Once they are numbers of 8 digits, one vector holds all four fields.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
fn pairs(texts: [&[u8; LOADED]; 4], digits: [[u32; 2]; 2]) -> Option<[[u64; 2]; 2]> {
    let [a, b, c, d] = texts;
    let counts: __m128i = cast(digits);
    let both_counts = _mm256_broadcastsi128_si256(counts);
    let count_of = |a: i8, b: i8| _mm256_set_m128i(_mm_set1_epi8(b), _mm_set1_epi8(a));
    let values = |a, b, counts| {
        let values = _mm256_sub_epi8(_mm256_set_m128i(last(b), last(a)), _mm256_set1_epi8(b'0' as i8));
        _mm256_and_si256(values, _mm256_cmpgt_epi8(counts, from_end()))
    };
    let first = values(a, b, _mm256_shuffle_epi8(both_counts, count_of(0, 4)));
    let second = values(c, d, _mm256_shuffle_epi8(both_counts, count_of(8, 12)));
    let beyond = _mm256_subs_epu8(_mm256_max_epu8(first, second), _mm256_set1_epi8(9));
    if _mm256_testz_si256(beyond, beyond) == 0 {
        return None;
    }
    let (first, second) = (fours(first), fours(second));
    let last = sixteens(_mm256_packus_epi32(first, second));
    // The values are in the order a, c, b, d. Put them into the order a, b, c, d.
    let last = _mm256_permute4x64_epi64::<0b11_01_10_00>(last);
    let beyond = _mm_cmpgt_epi32(counts, _mm_set1_epi32(16));
    if _mm_testz_si128(beyond, beyond) == 1 {
        return Some(cast(last));
    }
    // Load the up to three digits in front of the last 16, as a word of four bytes for each field.
    let words = _mm_setr_epi32(before(a), before(b), before(c), before(d));
    let words = _mm_sub_epi8(words, _mm_set1_epi8(b'0' as i8));
    let counts = _mm_max_epi32(_mm_sub_epi32(counts, _mm_set1_epi32(16)), _mm_setzero_si128());
    let unused = _mm_sub_epi32(_mm_set1_epi32(32), _mm_slli_epi32::<3>(counts));
    let words = _mm_and_si128(words, _mm_sllv_epi32(_mm_set1_epi32(-1), unused));
    let beyond = _mm_subs_epu8(words, _mm_set1_epi8(9));
    if _mm_testz_si128(beyond, beyond) == 0 {
        return None;
    }
    let twos = _mm_maddubs_epi16(words, _mm_set1_epi16(1 << 8 | 10));
    let first = _mm256_cvtepu32_epi64(_mm_madd_epi16(twos, _mm_set1_epi32(1 << 16 | 100)));
    let low = _mm256_mul_epu32(first, _mm256_set1_epi64x((E16 & 0xffff_ffff) as i64));
    let high = _mm256_slli_epi64::<32>(_mm256_mul_epu32(first, _mm256_set1_epi64x((E16 >> 32) as i64)));
    Some(cast(_mm256_add_epi64(last, _mm256_add_epi64(low, high))))
}

/// Returns the values of the last `digits[0]` bytes of `a` and of the last `digits[1]` bytes of `b`, or `None` if they
/// are not all digits. Of more than 16 digits, only the last 16 are used.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
fn sixteen(a: __m128i, b: __m128i, digits: [u32; 2]) -> Option<[u64; 2]> {
    let (a_count, b_count) = (_mm_set1_epi8(digits[0] as i8), _mm_set1_epi8(digits[1] as i8));
    let is_used = _mm256_cmpgt_epi8(_mm256_set_m128i(b_count, a_count), from_end());
    let values = _mm256_and_si256(_mm256_sub_epi8(_mm256_set_m128i(b, a), _mm256_set1_epi8(b'0' as i8)), is_used);
    let beyond = _mm256_subs_epu8(values, _mm256_set1_epi8(9));
    if _mm256_testz_si256(beyond, beyond) == 0 {
        return None;
    }
    let fours = fours(values);
    let all = sixteens(_mm256_packus_epi32(fours, fours));
    Some([_mm256_extract_epi64::<0>(all) as u64, _mm256_extract_epi64::<2>(all) as u64])
}

/// Does what [`super::hexadecimal`] does, 64 digits at a time.
#[cfg(feature = "big")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
pub fn hexadecimal<'d>(mut digits: &'d [u8], limbs: &mut Vec<u64>) -> &'d [u8] {
    while let Some((rest, last)) = digits.split_last_chunk::<64>() {
        let [front, back]: [__m256i; 2] = cast(*last);
        let ((front, front_is_good), (back, back_is_good)) = (nibbles(front), nibbles(back));
        if _mm256_movemask_epi8(_mm256_and_si256(front_is_good, back_is_good)) != -1 {
            break;
        }
        // Each half of the digits gives two limbs, the higher one first. The lowest limb of all must come first.
        let four = _mm256_unpacklo_epi64(back, front);
        limbs.extend_from_slice(&cast::<_, [u64; 4]>(_mm256_permute4x64_epi64::<0b01_11_00_10>(four)));
        digits = rest;
    }
    digits
}

/// Returns the values of 32 hexadecimal digits as two limbs, each in the lower half of 128 bits. Also returns a vector
/// in which the bytes that are digits have all bits set.
#[cfg(feature = "big")]
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
fn nibbles(digits: __m256i) -> (__m256i, __m256i) {
    let all = |byte: u8| _mm256_set1_epi8(byte as i8);
    let (of_ten, of_letter) =
        (_mm256_sub_epi8(digits, all(b'0')), _mm256_sub_epi8(_mm256_or_si256(digits, all(0x20)), all(b'a')));
    let is_ten = _mm256_cmpeq_epi8(_mm256_min_epu8(of_ten, all(9)), of_ten);
    let is_letter = _mm256_cmpeq_epi8(_mm256_min_epu8(of_letter, all(5)), of_letter);
    let values = _mm256_blendv_epi8(of_ten, _mm256_add_epi8(of_letter, all(10)), is_letter);
    let bytes = _mm256_maddubs_epi16(values, _mm256_set1_epi16(1 << 8 | 16));
    let backwards = _mm_setr_epi8(14, 12, 10, 8, 6, 4, 2, 0, 14, 12, 10, 8, 6, 4, 2, 0);
    let limbs = _mm256_shuffle_epi8(bytes, _mm256_broadcastsi128_si256(backwards));
    (limbs, _mm256_or_si256(is_ten, is_letter))
}

/// Returns the last 16 bytes.
#[inline(always)]
fn last(text: &[u8; LOADED]) -> __m128i {
    let [_, last]: [__m128i; 2] = cast(*text);
    last
}

/// Returns the four bytes before the last 16.
#[inline(always)]
fn before(text: &[u8; LOADED]) -> i32 {
    let words: [i32; 8] = cast(*text);
    words[3]
}

/// Returns how far each byte is from the end of its half.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
fn from_end() -> __m256i {
    _mm256_broadcastsi128_si256(_mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0))
}

/// Returns the value of each group of four digits.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
fn fours(values: __m256i) -> __m256i {
    let twos = _mm256_maddubs_epi16(values, _mm256_set1_epi16(1 << 8 | 10));
    _mm256_madd_epi16(twos, _mm256_set1_epi32(1 << 16 | 100))
}

/// Returns the value of each group of sixteen digits, given the values of groups of four.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
fn sixteens(fours: __m256i) -> __m256i {
    let eights = _mm256_madd_epi16(fours, _mm256_set1_epi32(1 << 16 | 10_000));
    let first_eights = _mm256_mul_epu32(eights, _mm256_set1_epi64x(100_000_000));
    _mm256_add_epi64(first_eights, _mm256_srli_epi64::<32>(eights))
}
