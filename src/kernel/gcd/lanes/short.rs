//! Pairs of numbers of at most 128 bits each, by the algorithm of [`binary`], in vectors of eight lanes. One vector has
//! the low halves of eight numbers, and another vector their high halves. Once both numbers of a pair fit into 64 bits,
//! [`binary`] takes over.

use crate::kernel::gcd::binary;
use bytemuck::cast;
use std::arch::x86_64::*;

/// How many vectors are worked on at once. A step waits for the result of the step before; meanwhile the processor
/// works on the other vectors.
const VECTORS: usize = 4;
/// The least number of pairs for which vectors take less time than one pair at a time.
pub const LEAST: usize = 8;

/// Eight numbers of 128 bits: their low halves, and their high ones.
type Halves = [__m512i; 2];
/// Eight pairs. The first number of a pair is odd, or it is 0 and the second number is the divisor.
type Numbers = [Halves; 2];

/// Does what [`super::short`] does.
#[target_feature(enable = "avx512f,avx512vbmi2,avx512vpopcntdq")]
pub fn gcds(pairs: &[[u128; 2]], divisors: &mut Vec<u128>) {
    let (mut narrow, mut wide, mut of_narrow) = (vec![], vec![], vec![]);
    for some in pairs.chunks(8 * VECTORS) {
        // Lanes without a pair have zeros, and are finished from the start.
        let mut all = [[[0; 2]; 8]; VECTORS];
        all.as_flattened_mut()[..some.len()].copy_from_slice(some);
        let mut numbers = [load(all[0]), load(all[1]), load(all[2]), load(all[3])];
        while is_wide(&numbers[0]) | is_wide(&numbers[1]) | is_wide(&numbers[2]) | is_wide(&numbers[3]) {
            for numbers in &mut numbers {
                *numbers = step(step(*numbers));
            }
        }
        for [a, b] in numbers {
            // If `b` still has more than 64 bits, it is the divisor. It is kept in `wide`, and zeros take its place in
            // `narrow`.
            let is_narrow = _mm512_testn_epi64_mask(b[1], b[1]);
            let low = [_mm512_maskz_mov_epi64(is_narrow, a[0]), _mm512_maskz_mov_epi64(is_narrow, b[0])];
            narrow.extend_from_slice(&cast::<_, [[u64; 2]; 8]>(store(low)));
            wide.extend_from_slice(&cast::<_, [u128; 8]>(store(b)));
        }
    }
    binary::gcd_rows(&narrow, &mut of_narrow);
    divisors.reserve(pairs.len());
    for ([a, b], (wide, narrow)) in pairs.iter().zip(wide.iter().zip(&of_narrow)) {
        let odd = if wide >> 64 == 0 { u128::from(*narrow) } else { *wide };
        // There are 128 zeros only if both numbers are 0, and then any shift gives 0.
        divisors.push(odd << ((a | b).trailing_zeros() & 127));
    }
}

/// Loads these pairs into vectors, and shifts out the trailing zeros of each number.
#[inline]
#[target_feature(enable = "avx512f,avx512vbmi2,avx512vpopcntdq")]
fn load(pairs: [[u128; 2]; 8]) -> Numbers {
    let [first, second, third, fourth]: [__m512i; 4] = cast(pairs);
    // Put each low half next to the low half of the number two pairs further on, and each high half likewise.
    let low = [_mm512_unpacklo_epi64(first, second), _mm512_unpacklo_epi64(third, fourth)];
    let high = [_mm512_unpackhi_epi64(first, second), _mm512_unpackhi_epi64(third, fourth)];
    // In each result, 128 bits of first numbers of pairs alternate with 128 bits of second numbers. Take the first
    // numbers into `a`, and the second ones into `b`. The pairs are then in the order 0, 2, 1, 3, 4, 6, 5, 7.
    let a = [
        _mm512_shuffle_i64x2::<0b10_00_10_00>(low[0], low[1]),
        _mm512_shuffle_i64x2::<0b10_00_10_00>(high[0], high[1]),
    ];
    let b = [
        _mm512_shuffle_i64x2::<0b11_01_11_01>(low[0], low[1]),
        _mm512_shuffle_i64x2::<0b11_01_11_01>(high[0], high[1]),
    ];
    [odd(a), odd(b)]
}

/// Interleaves the words of both vectors, starting with the first, and undoes the reordering that [`load`] has done.
#[inline]
#[target_feature(enable = "avx512f")]
fn store([first, second]: [__m512i; 2]) -> [__m512i; 2] {
    let (even, odd) = (_mm512_unpacklo_epi64(first, second), _mm512_unpackhi_epi64(first, second));
    // `even` has the pairs 0, 1, 4 and 5, and `odd` has 2, 3, 6 and 7.
    [_mm512_shuffle_i64x2::<0b01_00_01_00>(even, odd), _mm512_shuffle_i64x2::<0b11_10_11_10>(even, odd)]
}

/// Whether any pair is unfinished and has a number of more than 64 bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn is_wide(&[a, b]: &Numbers) -> bool {
    let (high, a) = (_mm512_or_si512(a[1], b[1]), _mm512_or_si512(a[0], a[1]));
    _mm512_mask_test_epi64_mask(_mm512_test_epi64_mask(a, a), high, high) != 0
}

/// Does a step of eight pairs: the smaller number becomes `a`, and the difference without its factors of two becomes
/// `b`.
#[inline]
#[target_feature(enable = "avx512f,avx512vbmi2,avx512vpopcntdq")]
fn step([a, b]: Numbers) -> Numbers {
    let (zero, ones) = (_mm512_setzero_si512(), _mm512_set1_epi64(-1));
    let has_borrow = _mm512_cmplt_epu64_mask(b[0], a[0]);
    let is_less = _mm512_cmplt_epu64_mask(b[1], a[1]) | _mm512_mask_cmpeq_epi64_mask(has_borrow, b[1], a[1]);
    let low = _mm512_sub_epi64(b[0], a[0]);
    let high = _mm512_sub_epi64(b[1], a[1]);
    let high = _mm512_mask_add_epi64(high, has_borrow, high, ones);
    // Where the difference is negative, change its sign: invert all bits and add 1. The 1 reaches the high half only if
    // the low half is 0.
    let high = _mm512_mask_xor_epi64(high, is_less, high, ones);
    let high = _mm512_mask_sub_epi64(high, is_less & _mm512_testn_epi64_mask(low, low), high, ones);
    let low = _mm512_mask_sub_epi64(low, is_less, zero, low);
    let smaller = [_mm512_mask_mov_epi64(a[0], is_less, b[0]), _mm512_mask_mov_epi64(a[1], is_less, b[1])];
    [smaller, odd([low, high])]
}

/// Returns these numbers without their factors of two. Of a number whose low half is 0, the high half first takes the
/// place of the low half, which removes 64 factors of two.
#[inline]
#[target_feature(enable = "avx512f,avx512vbmi2,avx512vpopcntdq")]
fn odd([low, high]: Halves) -> Halves {
    let is_round = _mm512_testn_epi64_mask(low, low);
    let low = _mm512_mask_mov_epi64(low, is_round, high);
    let high = _mm512_maskz_mov_epi64(!is_round, high);
    let below = _mm512_andnot_si512(low, _mm512_add_epi64(low, _mm512_set1_epi64(-1)));
    let zeros = _mm512_popcnt_epi64(below);
    // This instruction takes counts modulo 64, so a count of 64 changes nothing. Such a count occurs only where both
    // `low` and `high` are 0.
    [_mm512_shrdv_epi64(low, high, zeros), _mm512_shrdv_epi64(high, _mm512_setzero_si512(), zeros)]
}
