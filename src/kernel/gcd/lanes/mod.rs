//! The greatest common divisors of many pairs of large numbers at once, one pair in each lane of a vector.
//!
//! The algorithm is T. Pornin's ("Optimized Binary GCD for Modular Inversion", Cryptology ePrint Archive 2020/972),
//! without the part that finds inverses. A round looks at only the lowest and the highest bits of both numbers. From
//! these bits it finds what some 30 halvings, and the subtractions between them, do to the numbers, and expresses it by
//! four factors. One pass over all limbs then applies these factors. Lanes need no branches of their own: a lane that
//! has no halving left in a round waits for the others.
//!
//! 1. `a` and `b` are approximated: each by its lowest 30 bits, and by 32 bits from the top of the longer number down.
//! 2. Sixteen times, `b` is halved until it is odd, and then the smaller number is subtracted from the larger, which
//!    leaves the smaller number in `a` and the difference in `b`. After the last subtraction, `b` is again halved until
//!    it is odd. A round has at most 30 halvings in all. The lowest bits are exact, so each halving is a halving of the
//!    number itself. If the highest bits of both numbers are equal, the wrong one can be taken for the smaller: then
//!    the difference is negative.
//! 3. `a` and `b` are replaced by sums: the old `a` times a factor, plus the old `b` times another factor. The sums are
//!    divided by 2^30, which leaves no remainder. Negative results change their signs. In a lane with fewer than 30
//!    halvings, the factors were first multiplied by two for each missing one.
//!
//! *Bound.* Until `b` is 0, each halving shortens the two numbers together by one bit, also where a difference was
//! negative. The paper proves this. A difference is even, so each round has at least 16 halvings. So the number of
//! rounds is at most a 16th of the bits of both numbers, plus one. If a pair needed more rounds, `done` would not be
//! called for this pair and those in the same vectors, and they would be left to the caller.
//!
//! *Exact.* The divisor is right even if that proof were wrong. The determinant of the four factors is a power of two
//! or its negative: each halving doubles it, and a subtraction keeps its magnitude. So each odd divisor of both old
//! numbers divides both new ones; and, by the inverse of the factors, each odd divisor of both new numbers divides both
//! old ones. The greatest common divisor is odd, because `a` is always odd.
//!
//! Limbs have 30 bits. In memory, `[limb][lane]` is their order.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod instructions;
#[cfg(target_arch = "x86_64")]
mod rounds;
#[cfg(target_arch = "x86_64")]
mod short;

use super::binary;
use crate::vectors::Vectors;

/// Two numbers as limbs of 64 bits, the least first.
pub type Pair<'a> = [&'a [u64]; 2];

/// Calls `done` with the index of each of these pairs, and with the limbs of its divisor, which can have zeros on top.
/// Does not call `done` for pairs that are faster to compute one at a time. The pairs should be sorted by length,
/// because vectors take as long for each pair as for the longest one in them.
pub fn gcds(pairs: &[Pair], done: &mut dyn FnMut(usize, &[u64])) {
    with(Vectors::here(), pairs, false, done);
}

/// Does what [`gcds`] does, using the instructions in `vectors`. If `all` is true, vectors are used also for the last
/// few pairs, which would be faster to compute one at a time.
pub fn with(vectors: Vectors, pairs: &[Pair], all: bool, done: &mut dyn FnMut(usize, &[u64])) {
    match vectors {
        // SAFETY: the processor has these instructions, because `Vectors::here` and `Vectors::all` return no others.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 => unsafe { avx512::gcds(pairs, all, done) },
        // SAFETY: the processor has these instructions, because `Vectors::here` and `Vectors::all` return no others.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx2 => unsafe { avx2::gcds(pairs, all, done) },
        _ => {}
    }
}

/// Appends the greatest common divisor of each of these pairs to `divisors`.
pub fn short(pairs: &[[u128; 2]], divisors: &mut Vec<u128>) {
    short_with(Vectors::here(), pairs, divisors);
}

/// Does what [`short`] does, using the instructions in `vectors`.
pub fn short_with(vectors: Vectors, pairs: &[[u128; 2]], divisors: &mut Vec<u128>) {
    match vectors {
        // SAFETY: the processor has these instructions, because `Vectors::here` and `Vectors::all` return no others.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 if pairs.len() >= short::LEAST => unsafe { short::gcds(pairs, divisors) },
        Vectors::Avx2 => {
            let limbs: &[[[u64; 2]; 2]] = bytemuck::cast_slice(pairs);
            let limbs: Vec<Pair> = limbs.iter().map(|[a, b]| [&a[..], &b[..]]).collect();
            let mut found = vec![None; pairs.len()];
            with(vectors, &limbs, false, &mut |at, divisor| found[at] = divisor.first_chunk::<2>().copied());
            divisors.extend(
                pairs.iter().zip(found).map(|(&[a, b], found)| found.map_or_else(|| one(a, b), bytemuck::cast)),
            );
        }
        _ => divisors.extend(pairs.iter().map(|&[a, b]| one(a, b))),
    }
}

/// Returns the greatest common divisor of two numbers, by the binary algorithm. Once both numbers fit into 64 bits,
/// [`binary`] takes over.
fn one(a: u128, b: u128) -> u128 {
    // Subtractions would take many steps for numbers of very different lengths. If only `b` fits into 64 bits, one
    // division, as in Euclid's algorithm, makes both fit.
    let (mut a, mut b) = (a.max(b), a.min(b));
    if b == 0 {
        return a;
    }
    if b >> 64 == 0 && a >> 64 != 0 {
        (a, b) = (b, a % b);
        if b == 0 {
            return a;
        }
    }
    let twos = (a | b).trailing_zeros();
    (a, b) = (a >> a.trailing_zeros(), b >> b.trailing_zeros());
    loop {
        match (u64::try_from(a), u64::try_from(b)) {
            (Ok(a), Ok(b)) => return u128::from(binary::gcd(a, b)) << twos,
            _ if a == b => return a << twos,
            _ => {
                let difference = a.abs_diff(b);
                a = a.min(b);
                b = difference >> difference.trailing_zeros();
            }
        }
    }
}

#[cfg(test)]
mod tests;
