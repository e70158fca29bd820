//! The stock kernel: the greatest common divisor of the two integers in a row.

mod binary;

use crate::csv::pairs;
use crate::kernel::{Decoded, Encoded, Kernel};

/// The greatest common divisor of two unsigned 64-bit integers; `gcd(0, n)` is `n`, and `gcd(0, 0)` is 0.
///
/// ```
/// use pmapgcd::{Gcd, Kernel};
/// assert_eq!(Gcd.map(&(1963309, 2265973)), 1);
/// assert_eq!(Gcd.map(&(12, 18)), 6);
/// ```
pub struct Gcd;

impl Kernel for Gcd {
    type Row = (u64, u64);
    type Output = u64;

    fn map(&self, &(a, b): &(u64, u64)) -> u64 {
        binary::gcd(a, b)
    }

    fn map_rows(&self, rows: &[(u64, u64)], outputs: &mut Vec<u64>) {
        binary::gcd_rows(rows, outputs);
    }

    fn decode(&self, text: &[u8], limit: usize, rows: &mut Vec<(u64, u64)>) -> Decoded {
        pairs::decode(text, limit, rows)
    }

    fn encode(&self, outputs: &[u64], room: &mut [u8]) -> Encoded {
        pairs::encode(outputs, room)
    }
}
