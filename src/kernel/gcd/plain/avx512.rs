//! Both numbers of a row in one vector, each in the last 32 bytes of its half, and what is before it masked away.

use super::walk::{self, LOADED, Places, WIDTH};
use bytemuck::cast;
use std::arch::x86_64::*;

/// As [`super::read_plain`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt,lzcnt")]
pub fn read_plain(text: &[u8], delimiter: u8, limit: usize, rows: &mut Vec<[u64; 2]>) -> usize {
    let index = |bytes: &_, start, places: &mut _| index(bytes, start, places);
    let pair = |a: &_, b: &_, digits| pair(a, b, digits);
    walk::read_plain(text, delimiter, limit, rows, index, pair)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt,lzcnt")]
fn index(bytes: &[u8; WIDTH], start: usize, places: &mut Places) -> usize {
    const EACH: [u8; WIDTH] = {
        let (mut each, mut at) = ([0; WIDTH], 0);
        while at < WIDTH {
            each[at] = at as u8;
            at += 1;
        }
        each
    };
    let values = _mm512_sub_epi8(cast(*bytes), _mm512_set1_epi8(b'0' as i8));
    let others = _mm512_cmpgt_epu8_mask(values, _mm512_set1_epi8(9));
    let found: [__m128i; 4] = cast(_mm512_maskz_compress_epi8(others, cast(EACH)));
    let places: &mut [[u32; 16]; 4] = bytemuck::cast_mut(places);
    let count = others.count_ones() as usize;
    for (places, found) in places.iter_mut().zip(found).take(count.div_ceil(16).max(1)) {
        *places = cast(_mm512_add_epi32(_mm512_cvtepu8_epi32(found), _mm512_set1_epi32(start as i32)));
    }
    count
}

/// The digits are combined pairwise, as in W. Muła's "SIMD-ized faster parse of IPv4 addresses" and its kin: to numbers of
/// 2, 4, 8 and 16 digits; and the one of the first 16 bytes, of which 4 digits at most count, with the one of the last.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt,lzcnt")]
fn pair(a: &[u8; LOADED], b: &[u8; LOADED], digits: [usize; 2]) -> [u64; 2] {
    /// How far each byte is from the end of its number.
    const FROM_END: [i8; 64] = {
        let (mut from_end, mut at) = ([0; 64], 0);
        while at < 64 {
            from_end[at] = (LOADED - 1 - at % LOADED) as i8;
            at += 1;
        }
        from_end
    };
    const E16: i64 = 10_000_000_000_000_000;
    let halves = |a, b| _mm512_inserti64x4::<1>(_mm512_castsi256_si512(a), b);
    let counts = digits.map(|digits| _mm256_set1_epi8(digits as i8));
    let is_digit = _mm512_cmpgt_epi8_mask(halves(counts[0], counts[1]), cast(FROM_END));
    let ones = _mm512_maskz_sub_epi8(is_digit, halves(cast(*a), cast(*b)), _mm512_set1_epi8(b'0' as i8));
    let twos = _mm512_maddubs_epi16(ones, _mm512_set1_epi16(1 << 8 | 10));
    let fours = _mm512_madd_epi16(twos, _mm512_set1_epi32(1 << 16 | 100));
    let eights = _mm512_madd_epi16(_mm512_packus_epi32(fours, fours), _mm512_set1_epi32(1 << 16 | 10_000));
    let first_eights = _mm512_mul_epu32(eights, _mm512_set1_epi64(100_000_000));
    let sixteens = _mm512_add_epi64(first_eights, _mm512_srli_epi64::<32>(eights));
    // Twice each: the first of a, the last of a, the first of b, the last of b.
    let low = _mm512_mul_epu32(sixteens, _mm512_set1_epi64(E16 & 0xffff_ffff));
    let high = _mm512_slli_epi64::<32>(_mm512_mul_epu32(sixteens, _mm512_set1_epi64(E16 >> 32)));
    let last = _mm512_permutex_epi64::<0b11_10_11_10>(sixteens);
    let all = _mm512_add_epi64(_mm512_add_epi64(low, high), last);
    let both = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 4, 0, 4, 0, 4, 0, 4), all);
    cast(_mm512_castsi512_si128(both))
}
