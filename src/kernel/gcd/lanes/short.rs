//! Pairs of at most 128 bits, by the algorithm of [`binary`], in vectors of eight lanes: the low halves of eight numbers in one and the
//! high ones in another. Numbers of 64 bits are left to [`binary`], from that size down.

use super::Pair;
use crate::kernel::gcd::binary;
use std::arch::x86_64::*;

/// How many limbs a number has at most.
pub const LIMBS: usize = 2;
/// How many vectors are worked on at once, since each step waits for the one before.
const VECTORS: usize = 4;
/// From how many pairs on this takes less time than one pair at a time.
const LEAST: usize = 8;

/// Two numbers of 128 bits: the low and high halves of the first one, and those of the second one. The first one is odd, or 0 where the
/// second one is the divisor.
type Numbers = [[__m512i; 2]; 2];

/// Does what [`super::with`] does for numbers of at most [`LIMBS`] limbs.
#[target_feature(enable = "avx512f,avx512vbmi2,avx512vpopcntdq")]
pub fn gcds(pairs: &[Pair], all: bool, done: &mut dyn FnMut(usize, &[u64])) {
    if pairs.len() < LEAST && !all {
        return;
    }
    let (mut narrow, mut wide, mut divisors) = (vec![], vec![], vec![]);
    for some in pairs.chunks(8 * VECTORS) {
        let mut words = [[[[0u64; 8]; 2]; 2]; VECTORS];
        for (at, pair) in some.iter().enumerate() {
            for index in 0..2 {
                let odd = number(pair[index]) >> number(pair[index]).trailing_zeros();
                words[at / 8][index][0][at % 8] = odd as u64;
                words[at / 8][index][1][at % 8] = (odd >> 64) as u64;
            }
        }
        let mut numbers: [Numbers; VECTORS] = bytemuck::cast(words);
        while is_wide(&numbers[0]) | is_wide(&numbers[1]) | is_wide(&numbers[2]) | is_wide(&numbers[3]) {
            for numbers in &mut numbers {
                *numbers = step(step(*numbers));
            }
        }
        words = bytemuck::cast(numbers);
        for at in 0..some.len() {
            let [a, b] = &words[at / 8];
            // If a number is wide now, it is the divisor, and zeros take its place.
            wide.push(u128::from(b[1][at % 8]) << 64 | u128::from(b[0][at % 8]));
            narrow.push(if b[1][at % 8] == 0 { [a[0][at % 8], b[0][at % 8]] } else { [0, 0] });
        }
    }
    binary::gcd_rows(&narrow, &mut divisors);
    for (at, ((pair, wide), divisor)) in pairs.iter().zip(wide).zip(divisors).enumerate() {
        let divisor = if wide >> 64 == 0 { u128::from(divisor) } else { wide } << twos(pair);
        done(at, &[divisor as u64, (divisor >> 64) as u64]);
    }
}

/// Returns the number with these limbs.
fn number(limbs: &[u64]) -> u128 {
    let limb = |at: usize| limbs.get(at).copied().map_or(0, u128::from);
    limb(1) << 64 | limb(0)
}

/// Returns the exponent of the greatest power of two that both numbers of a pair are multiples of.
fn twos(pair: &Pair) -> u32 {
    (number(pair[0]) | number(pair[1])).trailing_zeros()
}

/// Whether any pair needs steps with more than 64 bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn is_wide(&[a, b]: &Numbers) -> bool {
    let (high, a) = (_mm512_or_si512(a[1], b[1]), _mm512_or_si512(a[0], a[1]));
    _mm512_mask_test_epi64_mask(_mm512_test_epi64_mask(a, a), high, high) != 0
}

/// Does a step of eight pairs: the smaller number becomes `a`, and the difference without its factors of two `b`. A difference of which the
/// low half is 0 loses 64 of them at first.
#[inline]
#[target_feature(enable = "avx512f,avx512vbmi2,avx512vpopcntdq")]
fn step([a, b]: Numbers) -> Numbers {
    let (zero, ones) = (_mm512_setzero_si512(), _mm512_set1_epi64(-1));
    let has_borrow = _mm512_cmplt_epu64_mask(b[0], a[0]);
    let is_less = _mm512_cmplt_epu64_mask(b[1], a[1]) | _mm512_mask_cmpeq_epi64_mask(has_borrow, b[1], a[1]);
    let low = _mm512_sub_epi64(b[0], a[0]);
    let high = _mm512_sub_epi64(b[1], a[1]);
    let high = _mm512_mask_add_epi64(high, has_borrow, high, ones);
    let is_round = _mm512_testn_epi64_mask(low, low);
    // Where it is negative, the bits are inverted, and 1 is added.
    let high = _mm512_mask_xor_epi64(high, is_less, high, ones);
    let high = _mm512_mask_sub_epi64(high, is_less & is_round, high, ones);
    let low = _mm512_mask_sub_epi64(low, is_less, zero, low);
    let low = _mm512_mask_mov_epi64(low, is_round, high);
    let high = _mm512_maskz_mov_epi64(!is_round, high);
    let zeros = _mm512_popcnt_epi64(_mm512_andnot_si512(low, _mm512_add_epi64(low, ones)));
    [
        [_mm512_mask_mov_epi64(a[0], is_less, b[0]), _mm512_mask_mov_epi64(a[1], is_less, b[1])],
        [_mm512_shrdv_epi64(low, high, zeros), _mm512_srlv_epi64(high, zeros)],
    ]
}
