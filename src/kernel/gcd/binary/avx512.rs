//! Binary GCD in vectors: of eight pairs of 64-bit numbers, and, once all numbers are short enough, of sixteen pairs of
//! 32-bit numbers. AVX-512 has no instruction that counts trailing zeros, but one (`vpopcnt`) that counts all bits that
//! are 1.

use std::arch::x86_64::*;

/// How many vectors of eight pairs are worked on at once. With 2, 4, 6, 8 and 16 vectors, a pair of small numbers takes
/// 3.7, 2.5, 3.1, 2.2 and 2.4 ns, and a pair of 63 bits takes 11.8, 8.7, 10.7, 7.7 and 8.0 ns (`cargo bench --bench
/// stages -- kernel`, Zen 4).
const VECTORS: usize = 8;

/// Pairs of numbers: one vector has the first number of each pair, and the other vector has the second.
type Pairs = [__m512i; 2];

/// Appends the greatest common divisor of each row to `outputs`.
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
pub fn gcd_rows(rows: &[[u64; 2]], outputs: &mut Vec<u64>) {
    let (groups, rest) = rows.as_chunks::<{ 8 * VECTORS }>();
    let zero = _mm512_setzero_si512();
    let high = _mm512_set1_epi64(!super::NARROW);
    for group in groups {
        let mut twos = [zero; VECTORS];
        let mut wide = [[zero; 2]; VECTORS];
        for at in 0..VECTORS {
            let words: Pairs = bytemuck::cast(bytemuck::cast_ref::<_, [[u64; 16]; VECTORS]>(group)[at]);
            // From here on the pairs are in the order 0, 4, 1, 5, 2, 6, 3, 7, because unpacking works within quarters
            // of a vector. A permutation at the end restores their order.
            let pair = [_mm512_unpacklo_epi64(words[0], words[1]), _mm512_unpackhi_epi64(words[0], words[1])];
            let zeros_of = |n| trailing_zeros(n, _mm512_sub_epi64(zero, n));
            let zeros = [zeros_of(pair[0]), zeros_of(pair[1])];
            twos[at] = _mm512_min_epu64(zeros[0], zeros[1]);
            wide[at] = [_mm512_srlv_epi64(pair[0], zeros[0]), _mm512_srlv_epi64(pair[1], zeros[1])];
        }
        while are_wide(&wide) {
            loop {
                let mut smaller = zero;
                for pair in &mut wide {
                    *pair = wide_step(*pair);
                    smaller = _mm512_or_si512(smaller, pair[0]);
                }
                if _mm512_test_epi64_mask(smaller, high) == 0 {
                    break;
                }
            }
        }
        // By now a number of more than 31 bits can only be the `b` of a finished pair, and thus its greatest common
        // divisor. Move such numbers to `divisors` and put zeros in their place, so that only numbers of 31 bits are
        // left.
        let mut divisors = [zero; VECTORS];
        for ([_, b], divisor) in wide.iter_mut().zip(&mut divisors) {
            let is_wide = _mm512_test_epi64_mask(*b, high);
            *divisor = _mm512_maskz_mov_epi64(is_wide, *b);
            *b = _mm512_maskz_mov_epi64(!is_wide, *b);
        }
        let mut narrow = [[zero; 2]; VECTORS / 2];
        for (pair, [even, odd]) in narrow.iter_mut().zip(wide.as_chunks().0) {
            let both = |even, odd| _mm512_or_si512(even, _mm512_slli_epi64::<32>(odd));
            *pair = [both(even[0], odd[0]), both(even[1], odd[1])];
        }
        loop {
            let mut smaller = zero;
            for pair in &mut narrow {
                *pair = narrow_step(narrow_step(*pair));
                smaller = _mm512_or_si512(smaller, pair[0]);
            }
            if _mm512_test_epi64_mask(smaller, smaller) == 0 {
                break;
            }
        }
        for (at, [a, b]) in narrow.into_iter().enumerate() {
            let both = _mm512_or_si512(a, b);
            let even = _mm512_and_si512(both, _mm512_set1_epi64(0xffff_ffff));
            divisors[2 * at] = _mm512_or_si512(divisors[2 * at], even);
            divisors[2 * at + 1] = _mm512_or_si512(divisors[2 * at + 1], _mm512_srli_epi64::<32>(both));
        }
        let order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
        for (divisor, twos) in divisors.into_iter().zip(twos) {
            let results = _mm512_permutexvar_epi64(order, _mm512_sllv_epi64(divisor, twos));
            outputs.extend_from_slice(&bytemuck::cast::<_, [u64; 8]>(results));
        }
    }
    super::portable(rest, outputs);
}

/// Does a step of eight pairs of 64 bits.
#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn wide_step([a, b]: Pairs) -> Pairs {
    let smaller = _mm512_min_epu64(a, b);
    let difference = _mm512_sub_epi64(_mm512_max_epu64(a, b), smaller);
    [smaller, _mm512_srlv_epi64(difference, trailing_zeros(_mm512_sub_epi64(a, b), _mm512_sub_epi64(b, a)))]
}

/// Does a step of sixteen pairs of 31-bit numbers. Of `a - b` and `b - a`, modulo 2^32, the smaller one is the
/// difference.
#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn narrow_step([a, b]: Pairs) -> Pairs {
    let [difference, negated] = [_mm512_sub_epi32(a, b), _mm512_sub_epi32(b, a)];
    let zeros = _mm512_popcnt_epi32(nor(difference, negated));
    [_mm512_min_epu32(a, b), _mm512_srlv_epi32(_mm512_min_epu32(difference, negated), zeros)]
}

/// Whether a pair is unfinished and has a number that is not yet [narrow](super::NARROW), so that it needs more wide
/// steps.
#[inline]
#[target_feature(enable = "avx512f")]
fn are_wide(pairs: &[Pairs; VECTORS]) -> bool {
    let mut unfinished = _mm512_setzero_si512();
    for &[a, b] in pairs {
        let or = _mm512_or_si512(a, b);
        unfinished = _mm512_mask_or_epi64(unfinished, _mm512_test_epi64_mask(a, a), unfinished, or);
    }
    _mm512_test_epi64_mask(unfinished, _mm512_set1_epi64(!super::NARROW)) != 0
}

/// Returns the number of trailing zeros of each 64-bit word in `n`. `negated` must be `-n`.
#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn trailing_zeros(n: __m512i, negated: __m512i) -> __m512i {
    _mm512_popcnt_epi64(nor(n, negated))
}

/// Returns the bits that are 0 in both `n` and `negated`. If `negated` is `-n`, they are where `n` has its trailing
/// zeros.
#[inline]
#[target_feature(enable = "avx512f")]
fn nor(n: __m512i, negated: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64::<0b0001_0001>(n, negated, n)
}
