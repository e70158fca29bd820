//! Vectors of four lanes. AVX2 has no right shift of 64-bit numbers that keeps the sign, and no instruction that counts
//! bits.

use super::Pair;
use super::instructions::{LIMB, Lanes, instructions};
use super::rounds;
use std::arch::x86_64::*;

/// Does what [`super::with`] does.
#[target_feature(enable = "avx2")]
pub fn gcds(pairs: &[Pair], all: bool, done: &mut dyn FnMut(usize, &[u64])) {
    rounds::gcds(Avx2(()), pairs, all, done);
}

/// A value of this type is a proof that the processor has the instructions: only `gcds` above makes one.
#[derive(Clone, Copy)]
struct Avx2(());

impl Lanes for Avx2 {
    type Vector = __m256i;
    /// All bits are 1 in the lanes that are chosen, and 0 in the others.
    type Mask = __m256i;
    const COUNT: usize = 4;
    /// The vectors take the time of eight pairs even for fewer. In this time, dashu does 5 pairs of 2048 bits, or 7
    /// pairs of 8192 bits.
    const LEAST: usize = 7;

    instructions! {
        fn all(number: u64) -> __m256i { _mm256_set1_epi64x(number as i64) }
        fn add(a: __m256i, b: __m256i) -> __m256i { _mm256_add_epi64(a, b) }
        fn sub(a: __m256i, b: __m256i) -> __m256i { _mm256_sub_epi64(a, b) }
        fn and(a: __m256i, b: __m256i) -> __m256i { _mm256_and_si256(a, b) }
        fn or(a: __m256i, b: __m256i) -> __m256i { _mm256_or_si256(a, b) }
        fn left<const BITS: u32>(a: __m256i) -> __m256i { _mm256_sll_epi64(a, _mm_cvtsi32_si128(BITS as i32)) }
        fn right<const BITS: u32>(a: __m256i) -> __m256i { _mm256_srl_epi64(a, _mm_cvtsi32_si128(BITS as i32)) }
        fn left_by(a: __m256i, bits: __m256i) -> __m256i { _mm256_sllv_epi64(a, bits) }
        fn right_by(a: __m256i, bits: __m256i) -> __m256i { _mm256_srlv_epi64(a, bits) }
        fn carry(a: __m256i) -> __m256i {{
            let above_zero = _mm256_add_epi64(a, _mm256_set1_epi64x(1 << 62));
            let shifted = _mm256_srli_epi64::<{ LIMB as i32 }>(above_zero);
            _mm256_sub_epi64(shifted, _mm256_set1_epi64x(1 << (62 - LIMB)))
        }}
        fn product(a: __m256i, b: __m256i) -> __m256i { _mm256_mul_epi32(a, b) }
        fn left_to_do(halvings: u32) -> __m256i { _mm256_set1_epi64x(halvings.into()) }
        fn zeros(a: __m256i, left: __m256i) -> __m256i {{
            // A number and its negative have only the number's lowest 1 in common. That power of two is converted to a
            // float, whose exponent minus 127 is the number of zeros below the 1. For the number 0 this is negative,
            // which as an unsigned number is more than `left`. In the upper half of each lane, `left` is 0, and so is
            // the minimum.
            let lowest = _mm256_and_si256(a, _mm256_sub_epi64(_mm256_setzero_si256(), a));
            let float = _mm256_castps_si256(_mm256_cvtepi32_ps(lowest));
            _mm256_min_epu32(_mm256_sub_epi32(_mm256_srli_epi32::<23>(float), _mm256_set1_epi32(127)), left)
        }}
        fn done(left: __m256i, halvings: __m256i) -> __m256i { _mm256_sub_epi64(left, halvings) }
        fn count(left: __m256i) -> __m256i { left }
        fn length(a: __m256i) -> __m256i {{
            // Clear each bit whose next higher bit is 1. Otherwise rounding to a float could reach the next power of
            // two, whose exponent is one more.
            let float = _mm256_castps_si256(_mm256_cvtepi32_ps(_mm256_andnot_si256(_mm256_srli_epi64::<1>(a), a)));
            _mm256_sub_epi64(_mm256_srli_epi64::<23>(float), _mm256_set1_epi64x(126))
        }}
        fn is_less(a: __m256i, b: __m256i) -> __m256i { _mm256_cmpgt_epi64(b, a) }
        fn is_negative(a: __m256i) -> __m256i { _mm256_cmpgt_epi64(_mm256_setzero_si256(), a) }
        fn is_other_than_zero(a: __m256i) -> __m256i {
            _mm256_xor_si256(_mm256_cmpeq_epi64(a, _mm256_setzero_si256()), _mm256_set1_epi64x(-1))
        }
        fn both(a: __m256i, b: __m256i) -> __m256i { _mm256_and_si256(a, b) }
        fn is_any(mask: __m256i) -> bool { _mm256_testz_si256(mask, mask) == 0 }
        fn is_every(mask: __m256i) -> bool { _mm256_testc_si256(mask, _mm256_set1_epi64x(-1)) == 1 }
        fn choose(mask: __m256i, a: __m256i, b: __m256i) -> __m256i { _mm256_blendv_epi8(b, a, mask) }
        fn sub_where(mask: __m256i, a: __m256i, b: __m256i, c: __m256i) -> __m256i {
            _mm256_blendv_epi8(c, _mm256_sub_epi64(a, b), mask)
        }
    }
}
