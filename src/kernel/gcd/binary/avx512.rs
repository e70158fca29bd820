//! Binary GCD on vectors of eight pairs. AVX-512 has no instruction that counts trailing zeros, but one that counts
//! ones: the trailing zeros of `d` are the ones of `!d & (d - 1)`.

use std::arch::x86_64::*;

/// How many vectors are worked on at once. A pair of small numbers takes 4.7, 3.0, 2.6, 2.0 and 2.8 ns with 1, 2, 3, 4
/// and 6 vectors (`cargo bench --bench algorithms`, Zen 5).
const VECTORS: usize = 4;

/// Appends the greatest common divisor of each row to `outputs`.
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
pub fn gcd_rows(rows: &[[u64; 2]], outputs: &mut Vec<u64>) {
    let (groups, rest) = rows.as_chunks::<{ 8 * VECTORS }>();
    for group in groups {
        let mut twos = [_mm512_setzero_si512(); VECTORS];
        let mut pairs = [[_mm512_setzero_si512(); 2]; VECTORS];
        for at in 0..VECTORS {
            let [a, b] = split(bytemuck::cast_ref::<_, [[u64; 16]; VECTORS]>(group)[at]);
            twos[at] = trailing_zeros(_mm512_or_si512(a, b));
            // A zero is replaced by the other number, because gcd(0, n) = gcd(n, n). Two zeros stay zeros, and are
            // equal at once.
            let a_or_b = _mm512_mask_mov_epi64(a, _mm512_testn_epi64_mask(a, a), b);
            let b_or_a = _mm512_mask_mov_epi64(b, _mm512_testn_epi64_mask(b, b), a);
            pairs[at] = [odd(a_or_b), odd(b_or_a)];
        }
        loop {
            let mut unfinished = 0;
            for [a, b] in &mut pairs {
                let smaller = _mm512_min_epu64(*a, *b);
                let larger_less_smaller = _mm512_sub_epi64(_mm512_max_epu64(*a, *b), smaller);
                let difference = _mm512_sub_epi64(*a, *b);
                let differ = _mm512_test_epi64_mask(difference, difference);
                *a = smaller;
                *b = _mm512_mask_srlv_epi64(smaller, differ, larger_less_smaller, trailing_zeros(difference));
                unfinished |= differ;
            }
            if unfinished == 0 {
                break;
            }
        }
        for at in 0..VECTORS {
            let results: [u64; 8] = bytemuck::cast(_mm512_sllv_epi64(pairs[at][0], twos[at]));
            outputs.extend_from_slice(&results);
        }
    }
    outputs.extend(rest.iter().map(|&[a, b]| super::gcd(a, b)));
}

/// Returns one vector with the first numbers of eight pairs, and one with the second numbers.
#[inline]
#[target_feature(enable = "avx512f")]
fn split(words: [u64; 16]) -> [__m512i; 2] {
    let [low, high]: [__m512i; 2] = bytemuck::cast(words);
    let firsts = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    let seconds = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    [_mm512_permutex2var_epi64(low, firsts, high), _mm512_permutex2var_epi64(low, seconds, high)]
}

/// Returns the number of trailing zeros of each 64-bit word.
#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn trailing_zeros(n: __m512i) -> __m512i {
    _mm512_popcnt_epi64(_mm512_andnot_si512(n, _mm512_sub_epi64(n, _mm512_set1_epi64(1))))
}

/// Returns each 64-bit word without its factors of two.
#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn odd(n: __m512i) -> __m512i {
    _mm512_srlv_epi64(n, trailing_zeros(n))
}
