//! Binary GCD in vectors: of four pairs of 64-bit numbers, and, once all numbers are short enough, of eight pairs of
//! 32-bit numbers. AVX2 has no instruction that counts trailing zeros or ones, and none that compares unsigned numbers
//! of 64 bits.

use std::arch::x86_64::*;

/// How many groups of four pairs are worked on at once. With 4, 6 and 8 groups, a pair of small numbers takes 4.1, 3.8
/// and 3.2 ns, and a pair of 63 bits takes 16.9, 16.7 and 13.4 ns (`PMAPGCD_VECTORS=avx2 cargo bench --bench stages --
/// kernel`, Zen 4).
const VECTORS: usize = 8;

/// Pairs of numbers: one vector has the first number of each pair, and the other vector has the second.
type Pairs = [__m256i; 2];

/// Appends the greatest common divisor of each row to `outputs`.
#[target_feature(enable = "avx2")]
pub fn gcd_rows(rows: &[[u64; 2]], outputs: &mut Vec<u64>) {
    let (groups, rest) = rows.as_chunks::<{ 4 * VECTORS }>();
    let zero = _mm256_setzero_si256();
    let high = _mm256_set1_epi64x(!super::NARROW);
    for group in groups {
        let mut twos = [zero; VECTORS];
        let mut wide = [[zero; 2]; VECTORS];
        for at in 0..VECTORS {
            let words: Pairs = bytemuck::cast(bytemuck::cast_ref::<_, [[u64; 8]; VECTORS]>(group)[at]);
            // From here on the pairs are in the order 0, 2, 1, 3, because unpacking works within halves of a vector. A
            // permutation at the end restores their order.
            let pair = [_mm256_unpacklo_epi64(words[0], words[1]), _mm256_unpackhi_epi64(words[0], words[1])];
            let zeros = [trailing_zeros(pair[0]), trailing_zeros(pair[1])];
            // AVX2 has no minimum of 64-bit numbers. The counts are at most 64, so a minimum of 32-bit numbers gives
            // the same result.
            twos[at] = _mm256_min_epu32(zeros[0], zeros[1]);
            wide[at] = [_mm256_srlv_epi64(pair[0], zeros[0]), _mm256_srlv_epi64(pair[1], zeros[1])];
        }
        while are_wide(&wide) {
            loop {
                let mut smaller = zero;
                for pair in &mut wide {
                    *pair = wide_step(*pair);
                    smaller = _mm256_or_si256(smaller, pair[0]);
                }
                if _mm256_testz_si256(smaller, high) == 1 {
                    break;
                }
            }
        }
        // By now a number of more than 31 bits can only be the `b` of a finished pair, and thus its greatest common
        // divisor. Move such numbers to `divisors` and put zeros in their place, so that only numbers of 31 bits are
        // left.
        let mut divisors = [zero; VECTORS];
        for ([_, b], divisor) in wide.iter_mut().zip(&mut divisors) {
            let is_narrow = _mm256_cmpeq_epi64(_mm256_and_si256(*b, high), zero);
            *divisor = _mm256_andnot_si256(is_narrow, *b);
            *b = _mm256_and_si256(is_narrow, *b);
        }
        let mut narrow = [[zero; 2]; VECTORS / 2];
        for (pair, [even, odd]) in narrow.iter_mut().zip(wide.as_chunks().0) {
            let both = |even, odd| _mm256_or_si256(even, _mm256_slli_epi64::<32>(odd));
            *pair = [both(even[0], odd[0]), both(even[1], odd[1])];
        }
        loop {
            let mut smaller = zero;
            for pair in &mut narrow {
                *pair = narrow_step(narrow_step(*pair));
                smaller = _mm256_or_si256(smaller, pair[0]);
            }
            if _mm256_testz_si256(smaller, smaller) == 1 {
                break;
            }
        }
        for (at, [a, b]) in narrow.into_iter().enumerate() {
            let both = _mm256_or_si256(a, b);
            let even = _mm256_and_si256(both, _mm256_set1_epi64x(0xffff_ffff));
            divisors[2 * at] = _mm256_or_si256(divisors[2 * at], even);
            divisors[2 * at + 1] = _mm256_or_si256(divisors[2 * at + 1], _mm256_srli_epi64::<32>(both));
        }
        for (divisor, twos) in divisors.into_iter().zip(twos) {
            let results = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_sllv_epi64(divisor, twos));
            outputs.extend_from_slice(&bytemuck::cast::<_, [u64; 4]>(results));
        }
    }
    super::portable(rest, outputs);
}

/// Does a step of four pairs of 64 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn wide_step([a, b]: Pairs) -> Pairs {
    let [difference, negated] = [_mm256_sub_epi64(a, b), _mm256_sub_epi64(b, a)];
    // AVX2 compares only signed numbers. With the top bits of both inverted, it gives the order of unsigned ones.
    let sign = _mm256_set1_epi64x(i64::MIN);
    let is_less = _mm256_cmpgt_epi64(_mm256_xor_si256(b, sign), _mm256_xor_si256(a, sign));
    let larger_less_smaller = _mm256_blendv_epi8(difference, negated, is_less);
    [_mm256_blendv_epi8(b, a, is_less), _mm256_srlv_epi64(larger_less_smaller, trailing_zeros(difference))]
}

/// Does a step of eight pairs of 31-bit numbers. Of `a - b` and `b - a`, modulo 2^32, the smaller one is the
/// difference.
///
/// The trailing zeros are counted with the help of a float. A number and its negative have only the number's lowest 1
/// in common. That power of two is converted to a float, whose exponent, above the 23 bits of the fraction, is 127 more
/// than the number of trailing zeros. If the difference is 0, the exponent is 0. The shift count then wraps to a number
/// so large that the result of the shift is 0, as it must be.
#[inline]
#[target_feature(enable = "avx2")]
fn narrow_step([a, b]: Pairs) -> Pairs {
    let [difference, negated] = [_mm256_sub_epi32(a, b), _mm256_sub_epi32(b, a)];
    let float = _mm256_castps_si256(_mm256_cvtepi32_ps(_mm256_and_si256(difference, negated)));
    let zeros = _mm256_sub_epi32(_mm256_srli_epi32::<23>(float), _mm256_set1_epi32(127));
    [_mm256_min_epu32(a, b), _mm256_srlv_epi32(_mm256_min_epu32(difference, negated), zeros)]
}

/// Whether a pair is unfinished and has a number that is not yet [narrow](super::NARROW), so that it needs more wide
/// steps.
#[inline]
#[target_feature(enable = "avx2")]
fn are_wide(pairs: &[Pairs; VECTORS]) -> bool {
    let zero = _mm256_setzero_si256();
    let mut unfinished = zero;
    for &[a, b] in pairs {
        let or = _mm256_andnot_si256(_mm256_cmpeq_epi64(a, zero), _mm256_or_si256(a, b));
        unfinished = _mm256_or_si256(unfinished, or);
    }
    _mm256_testz_si256(unfinished, _mm256_set1_epi64x(!super::NARROW)) == 0
}

/// Returns the number of trailing zeros of each 64-bit word. The trailing zeros of `n` are the ones of `!n & (n - 1)`,
/// which are counted with a table of half bytes (W. Muła, "SSSE3: fast popcount", 2008).
#[inline]
#[target_feature(enable = "avx2")]
fn trailing_zeros(n: __m256i) -> __m256i {
    let ones = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    let half = _mm256_set1_epi8(0xf);
    let bits = _mm256_andnot_si256(n, _mm256_add_epi64(n, _mm256_set1_epi64x(-1)));
    let low = _mm256_shuffle_epi8(ones, _mm256_and_si256(bits, half));
    let high = _mm256_shuffle_epi8(ones, _mm256_and_si256(_mm256_srli_epi16::<4>(bits), half));
    _mm256_sad_epu8(_mm256_add_epi8(low, high), _mm256_setzero_si256())
}
