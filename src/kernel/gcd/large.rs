//! The greatest common divisor of pairs in which a number has more than 64 bits.

use super::binary;
use super::digits::{limbs_of, number_of};
use super::lanes;
use super::values::{Divisors, Pairs};
use dashu_int::ops::Gcd;
use std::ops::{Range, RangeInclusive};

/// How many limbs the longer number of a pair has that is worked on together with others.
const TOGETHER: RangeInclusive<usize> = 2..=160;

/// Sets the divisors of all large pairs.
pub fn gcds(pairs: &Pairs, divisors: &mut Divisors) {
    let limbs = |at: usize| pairs.limbs(&pairs.large[at]);
    let longer = |[a, b]: [&[u64]; 2]| a.len().max(b.len());
    // One division makes numbers of different lengths alike, and that is more than many at once can do.
    let is_for_lanes = |at: &usize| {
        let pair = limbs(*at);
        TOGETHER.contains(&longer(pair)) && pair[0].len().abs_diff(pair[1].len()) <= 1 + longer(pair) / 8
    };
    let mut order: Vec<usize> = (0..pairs.large.len()).filter(is_for_lanes).collect();
    order.sort_by_key(|&at| longer(limbs(at)));
    let alike: Vec<lanes::Pair> = order.iter().map(|&at| limbs(at)).collect();
    let (mut found, mut answers) = (vec![], vec![Answer::None; pairs.large.len()]);
    lanes::gcds(&alike, &mut |at, divisor| {
        let length = divisor.iter().rposition(|&limb| limb != 0).map_or(0, |last| last + 1);
        answers[order[at]] = match divisor[..length] {
            [small] => Answer::Small(small),
            _ => Answer::Large(found.len()..found.len() + length),
        };
        if length > 1 {
            found.extend_from_slice(&divisor[..length]);
        }
    });
    for (large, answer) in pairs.large.iter().zip(answers) {
        if let Answer::Small(divisor) = answer {
            divisors.small[large.at] = divisor;
            continue;
        }
        let [a, b] = pairs.limbs(large);
        divisors.set_with(large.at, |_, limbs| {
            match &answer {
                Answer::Large(place) => limbs.extend_from_slice(&found[place.clone()]),
                _ => append_gcd(a, b, limbs),
            }
            true
        });
    }
}

/// The divisor of a pair: none so far, or one of one limb, or where the limbs of a larger one are.
#[derive(Clone)]
enum Answer {
    None,
    Small(u64),
    Large(Range<usize>),
}

/// Appends the limbs of the greatest common divisor of two numbers to `limbs`. None of them has zeros on top.
pub fn append_gcd(a: &[u64], b: &[u64], limbs: &mut Vec<u64>) {
    match (two_limbs(a), two_limbs(b)) {
        (Some(0), _) => limbs.extend_from_slice(b),
        (_, Some(0)) => limbs.extend_from_slice(a),
        (Some(a), Some(b)) => {
            let divisor = wide(a, b);
            let both = [divisor as u64, (divisor >> 64) as u64];
            limbs.extend_from_slice(if both[1] == 0 { &both[..1] } else { &both });
        }
        _ => limbs.extend(limbs_of(&number_of(a).gcd(&number_of(b)))),
    }
}

/// Returns the number if it has at most 128 bits.
fn two_limbs(limbs: &[u64]) -> Option<u128> {
    match *limbs {
        [] => Some(0),
        [limb] => Some(limb.into()),
        [low, high] => Some(u128::from(high) << 64 | u128::from(low)),
        _ => None,
    }
}

/// Returns the greatest common divisor of two numbers that are not 0, by the binary algorithm. Once both numbers fit
/// into 64 bits, [`binary`] takes over.
fn wide(a: u128, b: u128) -> u128 {
    // One step of Euclid's makes numbers of very different lengths alike.
    let (mut a, mut b) = (a.max(b), a.min(b));
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
mod tests {
    use super::*;
    use dashu_int::UBig;

    fn euclid(mut a: UBig, mut b: UBig) -> UBig {
        while !b.is_zero() {
            (a, b) = (b.clone(), a % b);
        }
        a
    }

    fn check(a: &UBig, b: &UBig) {
        let [a_limbs, b_limbs] = [a, b].map(|number| limbs_of(number).collect::<Vec<_>>());
        let mut divisor = vec![7];
        append_gcd(&a_limbs, &b_limbs, &mut divisor);
        assert_eq!((divisor[0], number_of(&divisor[1..])), (7, euclid(a.clone(), b.clone())), "{a} {b}");
        assert_ne!(divisor.last(), Some(&0));
    }

    #[test]
    fn agrees_with_euclid_at_every_edge() {
        let one = UBig::ONE;
        let mut edges = vec![UBig::ZERO, one.clone(), UBig::from(6u8), UBig::from(97u8)];
        for bits in [1, 63, 64, 65, 100, 127, 128, 129, 192, 1000] {
            edges.extend([(&one << bits) - &one, &one << bits, (&one << bits) + &one, UBig::from(15u8) << bits]);
        }
        let (mut a, mut b) = (one.clone(), one);
        for count in 1..1000 {
            (a, b) = (b.clone(), a + b);
            if count % 90 < 2 {
                edges.push(b.clone());
            }
        }
        edges.iter().for_each(|a| edges.iter().for_each(|b| check(a, b)));
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_euclid(
            (a, b, c) in (0u128.., 0u128.., 0u128..),
            (a_bits, b_bits, c_bits) in (0..128u32, 0..128u32, 0..128u32),
        ) {
            let (a, b, c) = (UBig::from(a >> a_bits), UBig::from(b >> b_bits), UBig::from(c >> c_bits));
            check(&a, &b);
            check(&(&a * &c), &(&b * &c));
        }
    }
}
