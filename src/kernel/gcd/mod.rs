//! The stock kernel: the greatest common divisor of the two integers in a row.

#[cfg(feature = "big")]
mod base;
mod binary;
#[cfg(feature = "big")]
pub(crate) mod digits;
#[cfg(feature = "big")]
mod fields;
#[cfg(feature = "big")]
pub(crate) mod lanes;
#[cfg(feature = "big")]
mod large;
#[cfg(feature = "big")]
mod number;
pub(crate) mod plain;
#[cfg(feature = "big")]
mod stock;
#[cfg(feature = "big")]
mod values;

use crate::kernel::Kernel;
#[cfg(feature = "big")]
pub use base::Base;
#[cfg(feature = "big")]
pub use stock::Gcd;
#[cfg(feature = "big")]
pub use values::{Divisors, Pairs};

/// How a greatest common divisor is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Algorithm {
    /// The fastest: binary, several pairs at once
    #[default]
    Auto,
    /// Shifts and subtractions, one pair at a time
    Binary,
    /// Remainders
    Euclid,
    /// Trial division, as in Item 41 of Effective Python: takes milliseconds for a pair of numbers in the millions
    Trial,
}

impl Algorithm {
    /// All algorithms; the first is the default.
    pub const ALL: [Algorithm; 4] = [Algorithm::Auto, Algorithm::Binary, Algorithm::Euclid, Algorithm::Trial];

    /// Returns the name of the algorithm in the option `--algorithm` of the `pmapgcd` command.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Auto => "auto",
            Algorithm::Binary => "binary",
            Algorithm::Euclid => "euclid",
            Algorithm::Trial => "trial",
        }
    }
}

/// The kernel that computes the greatest common divisor of two unsigned 64-bit integers, for a [`Pool`](crate::Pool).
/// `gcd(0, n)` is `n`, and `gcd(0, 0)` is 0.
///
/// ```
/// use pmapgcd::{Algorithm, Gcd64, Kernel};
/// assert_eq!(Gcd64::default().map(&[1963309, 2265973]), 1);
/// assert_eq!(Gcd64::new(Algorithm::Trial).map(&[12, 18]), 6);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Gcd64 {
    algorithm: Algorithm,
}

impl Gcd64 {
    /// Returns the kernel that uses `algorithm`.
    pub fn new(algorithm: Algorithm) -> Self {
        Gcd64 { algorithm }
    }
}

impl Kernel for Gcd64 {
    type Row = [u64; 2];
    type Output = u64;

    fn map(&self, &[a, b]: &[u64; 2]) -> u64 {
        match self.algorithm {
            Algorithm::Auto | Algorithm::Binary => binary::gcd(a, b),
            Algorithm::Euclid => euclid(a, b),
            Algorithm::Trial => trial(a, b),
        }
    }

    fn name(&self) -> &str {
        "gcd"
    }

    fn is_self_contained(&self) -> bool {
        true
    }

    fn map_rows(&self, rows: &[[u64; 2]], outputs: &mut Vec<u64>) {
        match self.algorithm {
            Algorithm::Auto => binary::gcd_rows(rows, outputs),
            _ => outputs.extend(rows.iter().map(|row| self.map(row))),
        }
    }
}

/// Returns the greatest common divisor by Euclid's algorithm (*Elements*, VII.2), with remainders.
fn euclid(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Returns the greatest common divisor by trial division, from the smaller number downwards. The number of steps is at
/// most the smaller number. *Effective Python*, Item 41, uses this slow algorithm as an example of work that is worth
/// starting other processes for.
fn trial(a: u64, b: u64) -> u64 {
    let low = a.min(b);
    (1..=low).rev().find(|&divisor| a.is_multiple_of(divisor) && b.is_multiple_of(divisor)).unwrap_or(a | b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_algorithms_agree() {
        let edges = [0, 1, 2, 3, 4, 6, 7, 60, 64, 97, 1000, 1024, 1 << 12, (1 << 12) - 1];
        let rows: Vec<_> = edges.iter().flat_map(|&a| edges.iter().map(move |&b| [a, b])).collect();
        let outputs = |algorithm| {
            let mut outputs = vec![];
            Gcd64::new(algorithm).map_rows(&rows, &mut outputs);
            outputs
        };
        for algorithm in [Algorithm::Auto, Algorithm::Binary, Algorithm::Trial] {
            assert_eq!(outputs(algorithm), outputs(Algorithm::Euclid), "{algorithm:?}");
        }
    }
}
