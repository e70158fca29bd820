//! Decodes plain rows with AVX2: both numbers of a row in one vector, 16 digits of each at a time. Bytes before the
//! digits are masked to zero.

use super::walk::{self, LOADED, Places, WIDTH};
use bytemuck::cast;
use std::arch::x86_64::*;

/// Does what [`super::read_plain`] does.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
pub fn read_plain(text: &[u8], delimiter: u8, limit: usize, rows: &mut Vec<[u64; 2]>) -> usize {
    let index = |bytes: &_, start, places: &mut _| index(bytes, start, places);
    let pair = |a: &_, b: &_, digits| pair(a, b, digits);
    walk::read_plain(text, delimiter, limit, rows, index, pair)
}

/// Writes the offsets of the bytes that are not digits to `places`, as [`walk::read_plain`] requires, and returns their
/// number.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
fn index(bytes: &[u8; WIDTH], start: usize, places: &mut Places) -> usize {
    let others = |part| {
        let value = _mm256_sub_epi8(part, _mm256_set1_epi8(b'0' as i8));
        let is_digit = _mm256_cmpeq_epi8(_mm256_min_epu8(value, _mm256_set1_epi8(9)), value);
        !_mm256_movemask_epi8(is_digit) as u32
    };
    let [low, high]: [__m256i; 2] = cast(*bytes);
    let mut bits = u64::from(others(low)) | u64::from(others(high)) << 32;
    let count = bits.count_ones() as usize;
    // Writes eight offsets at a time, even if fewer are left. The number of loop turns then depends less on the number
    // of offsets, so that the branch is predicted better.
    for places in places.as_chunks_mut::<8>().0.iter_mut().take(count.div_ceil(8)) {
        for place in places {
            *place = start as u32 + bits.trailing_zeros();
            bits &= bits.wrapping_sub(1);
        }
    }
    count
}

/// Returns the values of the last `digits[0]` digits of `a` and of the last `digits[1]` digits of `b`, modulo 2^64.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
pub fn pair(a: &[u8; LOADED], b: &[u8; LOADED], digits: [usize; 2]) -> [u64; 2] {
    const E16: u64 = 10_000_000_000_000_000;
    let ([a_first, a_last], [b_first, b_last]): ([_; 2], [_; 2]) = (cast(*a), cast(*b));
    let last = sixteen(a_last, b_last, digits);
    if digits[0].max(digits[1]) <= 16 {
        return last;
    }
    let first = sixteen(a_first, b_first, digits.map(|digits| digits.saturating_sub(16)));
    [0, 1].map(|at: usize| first[at].wrapping_mul(E16).wrapping_add(last[at]))
}

/// Returns the values of the last `digits[0]` digits of `a` and of the last `digits[1]` digits of `b`. At most 16
/// digits are used. Digits are combined pairwise, to numbers of 2, 4, 8 and 16 digits (W. Muła, "SIMD-ized faster parse
/// of IPv4 addresses").
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
fn sixteen(a: __m128i, b: __m128i, digits: [usize; 2]) -> [u64; 2] {
    let [a_count, b_count] = digits.map(|digits| _mm_set1_epi8(digits as i8));
    let from_end = _mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    let is_digit = _mm256_cmpgt_epi8(_mm256_set_m128i(b_count, a_count), _mm256_broadcastsi128_si256(from_end));
    let values = _mm256_sub_epi8(_mm256_set_m128i(b, a), _mm256_set1_epi8(b'0' as i8));
    let twos = _mm256_maddubs_epi16(_mm256_and_si256(values, is_digit), _mm256_set1_epi16(1 << 8 | 10));
    let fours = _mm256_madd_epi16(twos, _mm256_set1_epi32(1 << 16 | 100));
    let eights = _mm256_madd_epi16(_mm256_packus_epi32(fours, fours), _mm256_set1_epi32(1 << 16 | 10_000));
    let first_eights = _mm256_mul_epu32(eights, _mm256_set1_epi64x(100_000_000));
    let all = _mm256_add_epi64(first_eights, _mm256_srli_epi64::<32>(eights));
    [_mm256_extract_epi64::<0>(all) as u64, _mm256_extract_epi64::<2>(all) as u64]
}
