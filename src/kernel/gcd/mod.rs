//! The stock kernel: the greatest common divisor of the two integers in a row.

mod binary;
mod euclid;
mod trial;

use crate::csv::pairs;
use crate::kernel::{Decoded, Encoded, Kernel};

/// How a greatest common divisor is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum Algorithm {
    /// The fastest: binary, several pairs at once
    #[default]
    Auto,
    /// Shifts and subtractions, one pair at a time
    Binary,
    /// Remainders
    Euclid,
    /// Trial division, as in Item 41 of Effective Python: milliseconds for pairs in the millions
    Trial,
}

/// The greatest common divisor of two unsigned 64-bit integers; `gcd(0, n)` is `n`, and `gcd(0, 0)` is 0.
///
/// ```
/// use pmapgcd::{Algorithm, Gcd, Kernel};
/// assert_eq!(Gcd::default().map(&[1963309, 2265973]), 1);
/// assert_eq!(Gcd::new(Algorithm::Trial).map(&[12, 18]), 6);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Gcd {
    algorithm: Algorithm,
}

impl Gcd {
    /// The kernel with this algorithm.
    pub fn new(algorithm: Algorithm) -> Self {
        Gcd { algorithm }
    }
}

impl Kernel for Gcd {
    type Row = [u64; 2];
    type Output = u64;

    fn map(&self, &[a, b]: &[u64; 2]) -> u64 {
        match self.algorithm {
            Algorithm::Auto | Algorithm::Binary => binary::gcd(a, b),
            Algorithm::Euclid => euclid::gcd(a, b),
            Algorithm::Trial => trial::gcd(a, b),
        }
    }

    fn map_rows(&self, rows: &[[u64; 2]], outputs: &mut Vec<u64>) {
        match self.algorithm {
            Algorithm::Auto => binary::gcd_rows(rows, outputs),
            _ => outputs.extend(rows.iter().map(|row| self.map(row))),
        }
    }

    fn decode(&self, text: &[u8], limit: usize, rows: &mut Vec<[u64; 2]>) -> Decoded {
        pairs::decode(text, limit, rows)
    }

    fn encode(&self, outputs: &[u64], room: &mut [u8]) -> Encoded {
        pairs::encode(outputs, room)
    }

    fn sample(&self, number: u64) -> Option<String> {
        // Numbers like those of Item 41, below 4 000 000, in an order that repeats itself only after all of them.
        let spread = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let below = |n: u64| (spread(n) * 4_000_000) >> 32;
        Some(format!("{},{}", below(2 * number + 1), below(2 * number + 2)))
    }
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
            Gcd::new(algorithm).map_rows(&rows, &mut outputs);
            outputs
        };
        for algorithm in [Algorithm::Auto, Algorithm::Binary, Algorithm::Trial] {
            assert_eq!(outputs(algorithm), outputs(Algorithm::Euclid), "{algorithm:?}");
        }
    }
}
