//! The greatest common divisors of many pairs of large numbers at once, one pair in each lane of a vector.
//!
//! The algorithm is T. Pornin's ("Optimized Binary GCD for Modular Inversion", Cryptology ePrint Archive 2020/972),
//! without what it does for inverses. For some 30 halvings at a time it needs only the lowest bits of both numbers and
//! the highest ones, and finds four factors; with these, one pass over all limbs does to the numbers what that many
//! halvings and the subtractions between them would do. Lanes need no branches of their own: a lane that has no halving
//! left waits for the others.
//!
//! 1. `a` and `b` are approximated: the lowest 30 bits as they are, and 32 bits from the top of the longer number down.
//! 2. Sixteen times, `b` is halved while it is even, but not more than 30 times in all; then the smaller of the two odd
//!    numbers is taken from the larger, which becomes `b`. At the end `b` is halved once more like that. The lowest bits
//!    are exact, so each halving is one of the numbers themselves. Which number is the smaller may be wrong if their
//!    highest bits do not differ, and then the difference is negative.
//! 3. `a` and `b` are replaced by the sums of their products with the factors. These are divided by 2^30, which leaves
//!    no remainder, and lose their signs. Where a lane had fewer than 30 halvings, its factors have been multiplied by
//!    a power of two that makes up for them.
//!
//! *Bound.* As the paper proves, halvings shorten the two numbers by as many bits in all, also where a difference was
//! negative, until `b` is 0. A difference is even, and so each round has at least 16 halvings. So there are no more
//! rounds than a 16th of the bits of both numbers, and one. If a pair needed more, it would be left to the caller:
//! `done` would not be called for it.
//!
//! *Exact.* That the divisor is the right one does not depend on that proof. The determinant of the four factors is a
//! power of two or its negative, since each halving doubles it and no subtraction changes it. So a divisor of both old
//! numbers divides both new ones, if it is odd; and with the inverse of the factors, a divisor of both new numbers
//! divides both old ones. `a` is always odd.
//!
//! Limbs have 30 bits. `[limb][lane]` is how they lie in memory.
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

/// Calls `done` with the index of each of these pairs, and with the limbs of its divisor, which may have zeros on top. Pairs come in the
/// order of their lengths. Where one pair at a time is faster, there are no calls.
pub fn gcds(pairs: &[Pair], done: &mut dyn FnMut(usize, &[u64])) {
    with(Vectors::here(), pairs, false, done);
}

/// Does what [`gcds`] does, using the instructions in `vectors`. Vectors in which few lanes have a pair are used only if `all` says so.
pub fn with(vectors: Vectors, pairs: &[Pair], all: bool, done: &mut dyn FnMut(usize, &[u64])) {
    match vectors {
        // SAFETY: the processor has these instructions, because a `Vectors` never names others.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 => unsafe { avx512::gcds(pairs, all, done) },
        // SAFETY: as above.
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
        // SAFETY: the processor has these instructions, because a `Vectors` never names others.
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

/// Returns the greatest common divisor of two numbers, by the binary algorithm. Once both numbers fit into 64 bits, [`binary`] takes over.
fn one(a: u128, b: u128) -> u128 {
    // One step of Euclid's makes numbers of very different lengths alike.
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
