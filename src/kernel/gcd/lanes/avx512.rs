//! Vectors of eight lanes.

use super::Pair;
use super::instructions::{LIMB, Lanes, instructions};
use super::rounds;
use std::arch::x86_64::*;

/// Does what [`super::with`] does.
#[target_feature(enable = "avx512f,avx512vbmi2,avx512vpopcntdq")]
pub fn gcds(pairs: &[Pair], all: bool, done: &mut dyn FnMut(usize, &[u64])) {
    rounds::gcds(Avx512(()), pairs, all, done);
}

/// A value of this type is a proof that the processor has the instructions: only `gcds` above makes one.
#[derive(Clone, Copy)]
struct Avx512(());

impl Lanes for Avx512 {
    type Vector = __m512i;
    type Mask = __mmask8;
    const COUNT: usize = 8;
    /// The vectors take the time of sixteen pairs even for fewer. In this time, dashu does 5 or 6 pairs of 192 to 8192
    /// bits.
    const LEAST: usize = 7;

    instructions! {
        fn all(number: u64) -> __m512i { _mm512_set1_epi64(number as i64) }
        fn add(a: __m512i, b: __m512i) -> __m512i { _mm512_add_epi64(a, b) }
        fn sub(a: __m512i, b: __m512i) -> __m512i { _mm512_sub_epi64(a, b) }
        fn and(a: __m512i, b: __m512i) -> __m512i { _mm512_and_si512(a, b) }
        fn or(a: __m512i, b: __m512i) -> __m512i { _mm512_or_si512(a, b) }
        fn left<const BITS: u32>(a: __m512i) -> __m512i { _mm512_slli_epi64::<BITS>(a) }
        fn right<const BITS: u32>(a: __m512i) -> __m512i { _mm512_srli_epi64::<BITS>(a) }
        fn left_by(a: __m512i, bits: __m512i) -> __m512i { _mm512_sllv_epi64(a, bits) }
        fn right_by(a: __m512i, bits: __m512i) -> __m512i { _mm512_srlv_epi64(a, bits) }
        fn carry(a: __m512i) -> __m512i { _mm512_srai_epi64::<LIMB>(a) }
        fn product(a: __m512i, b: __m512i) -> __m512i { _mm512_mul_epi32(a, b) }
        // The number of halvings is written as that many ones, from the lowest bit up.
        fn left_to_do(halvings: u32) -> __m512i { _mm512_set1_epi64((1 << halvings) - 1) }
        fn zeros(a: __m512i, left: __m512i) -> __m512i {{
            // Count the ones in `left` below the lowest 1 of `a`. All of them are in the lower half of the lane, so
            // counting in lanes of 32 bits is enough. If the ones were counted in lanes of 64 bits, the compiler could
            // not rule out a count of 64, and would add instructions for shifts by 64.
            let below = _mm512_andnot_si512(a, _mm512_add_epi64(a, _mm512_set1_epi64(-1)));
            _mm512_popcnt_epi32(_mm512_and_si512(below, left))
        }}
        fn done(left: __m512i, halvings: __m512i) -> __m512i { _mm512_srlv_epi64(left, halvings) }
        fn count(left: __m512i) -> __m512i { _mm512_popcnt_epi64(left) }
        fn length(a: __m512i) -> __m512i {{
            // Clear each bit whose next higher bit is 1. Otherwise rounding to a float could reach the next power of
            // two, whose exponent is one more.
            let float = _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_andnot_si512(_mm512_srli_epi64::<1>(a), a)));
            _mm512_sub_epi64(_mm512_srli_epi64::<23>(float), _mm512_set1_epi64(126))
        }}
        fn is_less(a: __m512i, b: __m512i) -> __mmask8 { _mm512_cmplt_epi64_mask(a, b) }
        fn is_negative(a: __m512i) -> __mmask8 { _mm512_cmplt_epi64_mask(a, _mm512_setzero_si512()) }
        fn is_other_than_zero(a: __m512i) -> __mmask8 { _mm512_test_epi64_mask(a, a) }
        fn both(a: __mmask8, b: __mmask8) -> __mmask8 { a & b }
        fn is_any(mask: __mmask8) -> bool { mask != 0 }
        fn is_every(mask: __mmask8) -> bool { mask == u8::MAX }
        fn choose(mask: __mmask8, a: __m512i, b: __m512i) -> __m512i { _mm512_mask_mov_epi64(b, mask, a) }
        fn sub_where(mask: __mmask8, a: __m512i, b: __m512i, c: __m512i) -> __m512i {
            _mm512_mask_sub_epi64(c, mask, a, b)
        }
    }
}
