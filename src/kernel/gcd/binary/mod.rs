//! Binary GCD (J. Stein, "Computational problems associated with Racah algebra", J. Comput. Phys. 1, 1967), with the
//! shift taken from the difference before its sign is known: ctz(a - b) = ctz(b - a), so the count overlaps with the
//! minimum (D. Lemire, "Greatest common divisor, the extended Euclidean algorithm, and speed!", 2024).
//!
//! One step depends on the step before it, about six cycles, of which a core could do several side by side: so several
//! pairs are worked on at once, in as wide vectors as the processor has.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use crate::vectors::Vectors;
pub use portable::gcd;

/// Appends the greatest common divisor of each row.
pub fn gcd_rows(rows: &[[u64; 2]], outputs: &mut Vec<u64>) {
    with(Vectors::here(), rows, outputs);
}

fn with(vectors: Vectors, rows: &[[u64; 2]], outputs: &mut Vec<u64>) {
    match vectors {
        // SAFETY: the processor has the instructions of these vectors, since `Vectors` offers no others.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 => unsafe { avx512::gcd_rows(rows, outputs) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx2 => unsafe { avx2::gcd_rows(rows, outputs) },
        _ => portable::gcd_rows(rows, outputs),
    }
}

#[cfg(test)]
mod tests {
    use super::super::euclid::gcd as euclid;
    use super::*;

    /// More than any implementation works on at once.
    const MOST: usize = 40;

    fn edges() -> Vec<u64> {
        let mut edges = vec![0, 1, 2, 3, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1];
        edges.extend((2..64).step_by(7).flat_map(|bit| [1 << bit, (1 << bit) - 1, (1 << bit) + 1]));
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
    }
}
