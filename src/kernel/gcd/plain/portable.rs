//! Loads numbers on any processor, eight digits at a time.

use super::walk::{self, LOADED, Load};
#[cfg(feature = "big")]
use crate::csv::index::Rows;
#[cfg(feature = "big")]
use crate::kernel::{batch::Other, gcd::values::Pairs};

#[cfg(feature = "big")]
/// Does what [`super::read_rows`] does.
pub fn read_rows(found: &Rows, pairs: &mut Pairs, wide: bool, other: Other<Pairs>) -> usize {
    walk::read_rows(found, pairs, wide, other, Portable)
}

/// Does what [`super::load`] does.
pub fn load(text: &[u8], fields: &[(u32, u32)], loaded: &mut [u64]) -> usize {
    walk::load(text, fields, loaded, Portable)
}

struct Portable;

impl Load for Portable {
    #[inline(always)]
    fn pair(&self, [a, b]: [&[u8; LOADED]; 2], digits: [u32; 2]) -> Option<[u64; 2]> {
        Some([last_digits(a, digits[0] as usize)?, last_digits(b, digits[1] as usize)?])
    }

    #[inline(always)]
    fn pairs(&self, [a, b, c, d]: [&[u8; LOADED]; 4], digits: [[u32; 2]; 2]) -> Option<[[u64; 2]; 2]> {
        Some([self.pair([a, b], digits[0])?, self.pair([c, d], digits[1])?])
    }
}

/// Returns the value of the last `digits` bytes of `text`, modulo 2^64, or `None` if they are not all digits.
#[inline(always)]
fn last_digits(text: &[u8; LOADED], digits: usize) -> Option<u64> {
    const E8: u64 = 100_000_000;
    let eight = |end: usize, digits: usize| eight_digits(text[end - 8..end].first_chunk()?, digits);
    let last = eight(LOADED, digits.min(8))?;
    if digits <= 8 {
        return Some(last);
    }
    let middle = eight(LOADED - 8, (digits - 8).min(8))?;
    if digits <= 16 {
        return Some(middle * E8 + last);
    }
    Some((eight(LOADED - 16, digits - 16)? * E8 + middle).wrapping_mul(E8).wrapping_add(last))
}

/// Reads a number from the last `digits` bytes of `bytes`. `digits` must be from 1 to 8. Returns `None` if one of these
/// last bytes is not a digit. The bytes before them may be anything.
///
/// All eight bytes are handled as one word ("SWAR"). The check for digits is much like fast_float's
/// `is_made_of_eight_digits_fast`. The digits are combined pairwise in three multiplications (D. Lemire, "Quickly
/// parsing eight digits", 2018; after J. Khalid).
#[inline(always)]
fn eight_digits(bytes: &[u8; 8], digits: usize) -> Option<u64> {
    // The first digit is in the lowest byte that is kept. The bytes before it become zeros.
    let values = (u64::from_le_bytes(*bytes) ^ 0x3030_3030_3030_3030) & u64::MAX << (64 - 8 * digits);
    if (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = (values.wrapping_mul(10) + (values >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours.wrapping_mul(10_000) + (fours >> 32)) & 0xffff_ffff)
}
