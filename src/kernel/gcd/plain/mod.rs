//! The fast loader of numbers. It reads rows whose two integers both fit into 64 bits, or into 128 bits if the caller
//! asks for it. It leaves bad rows and rows with larger integers to the general loader, which can call a function of
//! this module for most of the digits of long hexadecimal numbers.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
mod portable;
mod walk;

#[cfg(feature = "big")]
use crate::csv::index::Rows;
#[cfg(feature = "big")]
use crate::kernel::{batch::Other, gcd::values::Pairs};
use crate::vectors::Vectors;

/// The most digits of a number that is loaded: as many as 2^64 - 1 has.
pub const MAX_DIGITS: u32 = 20;
#[cfg(feature = "big")]
pub use walk::WIDE_DIGITS;

#[cfg(feature = "big")]
/// Does what [`BatchKernel::read_rows`](crate::kernel::batch::BatchKernel::read_rows) says. It reads the rows whose
/// first two columns are integers below 2^64, or below 2^128 if `wide` is true, whatever their signs.
pub fn read_rows(found: &Rows, pairs: &mut Pairs, wide: bool, other: Other<Pairs>) -> usize {
    with(Vectors::here(), found, pairs, wide, other)
}

/// Loads fields of `text`, given by their starts and ends, as many as `loaded` has room for, up to the first one that
/// is not an integer of 1 to 19 digits without a sign. Returns how many were loaded. The length of `loaded` must be a
/// multiple of four, because four fields are loaded at a time.
pub fn load(text: &[u8], fields: &[(u32, u32)], loaded: &mut [u64]) -> usize {
    match Vectors::here() {
        // SAFETY: the processor has these instructions, because `Vectors::here` and `Vectors::all` return no others.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 | Vectors::Avx2 => unsafe { avx2::load(text, fields, loaded) },
        _ => portable::load(text, fields, loaded),
    }
}

/// Appends limbs of a hexadecimal number to `limbs`, the lowest limb first. With AVX2, takes 64 bytes at a time from
/// the end of `digits`, until fewer than 64 are left or the last 64 have a byte that is no digit. Without AVX2, takes
/// none. Returns the bytes of `digits` that are left.
#[cfg(feature = "big")]
pub fn hexadecimal<'d>(digits: &'d [u8], limbs: &mut Vec<u64>) -> &'d [u8] {
    hexadecimal_with(Vectors::here(), digits, limbs)
}

/// Does what [`hexadecimal`] does, using the instructions in `vectors`.
#[cfg(feature = "big")]
pub fn hexadecimal_with<'d>(vectors: Vectors, digits: &'d [u8], limbs: &mut Vec<u64>) -> &'d [u8] {
    match vectors {
        // SAFETY: the processor has these instructions, because `Vectors::here` and `Vectors::all` return no others.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 | Vectors::Avx2 => unsafe { avx2::hexadecimal(digits, limbs) },
        _ => digits,
    }
}

#[cfg(feature = "big")]
/// Does what [`read_rows`] does, using the instructions in `vectors`.
fn with(vectors: Vectors, found: &Rows, pairs: &mut Pairs, wide: bool, other: Other<Pairs>) -> usize {
    match vectors {
        // SAFETY: the processor has AVX2: `Vectors::here` and `Vectors::all` return only what the processor has, and
        // every processor with AVX-512 has AVX2.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 | Vectors::Avx2 => unsafe { avx2::read_rows(found, pairs, wide, other) },
        _ => portable::read_rows(found, pairs, wide, other),
    }
}

#[cfg(test)]
#[cfg(feature = "big")]
mod tests;
