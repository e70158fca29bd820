//! Binary GCD (J. Stein, "Computational problems associated with Racah algebra", J. Comput. Phys. 1, 1967).
//!
//! A step replaces `a` by the smaller number, and `b` by the difference, shifted right by its number of trailing zeros.
//! These zeros are counted before it is known which number is the smaller, because ctz(a - b) = ctz(b - a). So the
//! count and the minimum are computed at the same time (D. Lemire, "Greatest common divisor, the extended Euclidean
//! algorithm, and speed!", 2024).
//!
//! When the numbers are equal, `a` becomes the divisor and `b` becomes 0. The next step exchanges them, and further
//! steps change neither. So a finished pair, in which `a` is 0, needs no special case among pairs that are not
//! finished. A pair with a zero is finished from the start or after one step.
//!
//! Each step depends on the step before it and takes about six cycles. In this time a core could do steps of several
//! other pairs as well. So several pairs are worked on at once, in vectors as wide as the processor has. Once all pairs
//! have numbers below 2^31, or are finished, twice as many fit into a vector. The limit is 2^31 and not 2^32, so that
//! the sign of a 32-bit difference shows which number is the smaller. Numbers of 32 bits are below this limit after two
//! steps.
//!
//! The vector code is written by hand for each instruction set. If the compiler makes the vector code from one common
//! body, it takes 1.5 times as long with AVX-512, and 1.75 times as long with AVX2.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use crate::vectors::Vectors;

/// The largest number that is worked on in lanes of 32 bits.
#[cfg(target_arch = "x86_64")]
const NARROW: i64 = (1 << 31) - 1;

/// Appends the greatest common divisor of each row to `outputs`.
pub fn gcd_rows(rows: &[[u64; 2]], outputs: &mut Vec<u64>) {
    with(Vectors::here(), rows, outputs);
}

/// Does what [`gcd_rows`] does, using the instructions in `vectors`.
fn with(vectors: Vectors, rows: &[[u64; 2]], outputs: &mut Vec<u64>) {
    match vectors {
        // SAFETY: the processor has these instructions, because `Vectors::here` and `Vectors::all` return no others.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 => unsafe { avx512::gcd_rows(rows, outputs) },
        // SAFETY: the processor has these instructions, because `Vectors::here` and `Vectors::all` return no others.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx2 => unsafe { avx2::gcd_rows(rows, outputs) },
        _ => portable(rows, outputs),
    }
}

/// Returns the greatest common divisor of `a` and `b`; `gcd(0, n)` is `n`.
pub fn gcd(a: u64, b: u64) -> u64 {
    gcds(&[[a, b]])[0]
}

/// How many pairs the portable body works on at once: 8 keep a core busy. `cargo bench --bench algorithms` compares
/// this with one pair at a time.
const LANES: usize = 8;

/// Does what [`gcd_rows`] does, on any processor.
fn portable(rows: &[[u64; 2]], outputs: &mut Vec<u64>) {
    let (groups, rest) = rows.as_chunks::<LANES>();
    for group in groups {
        outputs.extend_from_slice(&gcds(group));
    }
    outputs.extend(rest.iter().map(|&[a, b]| gcd(a, b)));
}

/// Returns the greatest common divisors of `pairs`. All pairs take as many steps as the one that needs most.
///
/// Shift counts are masked by 63, because a shift by 64 would be an overflow. The mask changes no result: only 0 has 64
/// trailing zeros, and 0 stays 0 by any shift.
#[inline(always)]
fn gcds<const LANES: usize>(pairs: &[[u64; 2]; LANES]) -> [u64; LANES] {
    let mut a = pairs.map(|[a, _]| odd(a));
    let mut b = pairs.map(|[_, b]| odd(b));
    loop {
        let mut unfinished = 0;
        for at in 0..LANES {
            let zeros = a[at].wrapping_sub(b[at]).trailing_zeros() & 63;
            (a[at], b[at]) = (a[at].min(b[at]), a[at].abs_diff(b[at]) >> zeros);
            unfinished |= a[at];
        }
        if unfinished == 0 {
            break;
        }
    }
    std::array::from_fn(|at| b[at] << ((pairs[at][0] | pairs[at][1]).trailing_zeros() & 63))
}

/// Returns `n` without its factors of two.
#[inline(always)]
fn odd(n: u64) -> u64 {
    n >> (n.trailing_zeros() & 63)
}

#[cfg(test)]
mod tests {
    use super::super::euclid;
    use super::*;

    /// Number of rows: more than any implementation works on at once.
    const MOST: usize = 80;

    fn edges() -> Vec<u64> {
        let mut edges = vec![0, 1, 2, 3, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1];
        let bits = (2..64).step_by(7).chain([31, 32, 33, 62]);
        edges.extend(bits.flat_map(|bit| [1 << bit, (1 << bit) - 1, (1 << bit) + 1]));
        let (mut a, mut b) = (1u64, 1u64); // consecutive Fibonacci numbers: the most steps of Euclid's algorithm
        while let Some(next) = a.checked_add(b) {
            (a, b) = (b, next);
        }
        edges.extend([a, b]);
        edges
    }

    fn check(rows: &[[u64; 2]]) {
        let expected: Vec<_> = rows.iter().map(|&[a, b]| euclid(a, b)).collect();
        for vectors in Vectors::all() {
            let mut outputs = vec![];
            with(vectors, rows, &mut outputs);
            assert_eq!(outputs, expected, "{vectors:?}");
        }
    }

    #[test]
    fn agrees_with_euclid_at_every_edge_in_every_lane() {
        let edges = edges();
        let rows: Vec<_> = edges.iter().flat_map(|&a| edges.iter().map(move |&b| [a, b])).collect();
        (0..MOST).for_each(|offset| check(&rows[offset..]));
        assert!(rows.iter().all(|&[a, b]| gcd(a, b) == euclid(a, b)));
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_euclid(rows in proptest::collection::vec((0u64.., 0u64.., 0u64..1 << 32), 0..3 * MOST)) {
            let rows: Vec<_> = rows.iter().map(|&(a, b, c)| [a.wrapping_mul(c), b.wrapping_mul(c)]).collect();
            check(&rows);
        }

        /// Pairs with a common factor of any size. Most numbers have few bits, and some have up to 64.
        #[test]
        fn agrees_with_euclid_on_every_mix_of_sizes(
            most in 0u32..=64,
            rows in proptest::collection::vec((0u64.., 0u64.., 0u64.., 0u32..64, 0u32..64, 0u32..64, 0..50), 0..3 * MOST),
        ) {
            let rows: Vec<_> = rows
                .into_iter()
                .map(|(a, b, factor, a_bits, b_bits, factor_bits, dice)| {
                    let most = if dice == 0 { 64 } else { most };
                    let cut = |n: u64, bits: u32| n & u64::MAX.checked_shr(64 - bits.min(most)).unwrap_or(0);
                    let factor = cut(factor, factor_bits).max(1);
                    let cut = |n, bits| cut(n, bits).saturating_mul(factor) & u64::MAX.checked_shr(64 - most).unwrap_or(0);
                    [cut(a, a_bits), cut(b, b_bits)]
                })
                .collect();
            check(&rows);
        }
    }
}
