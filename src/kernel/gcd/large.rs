//! The greatest common divisor of pairs in which a number has more than 64 bits.

use super::digits::{limbs_of, number_of};
use super::lanes;
use super::values::{Divisors, Pairs};
use dashu_int::ops::Gcd;
use std::ops::RangeInclusive;

/// How many limbs the longer number of a pair must have for the pair to go through `lanes::gcds`, together with others.
/// Pairs of at most two limbs go through `lanes::short`.
const TOGETHER: RangeInclusive<usize> = 3..=160;

/// Sets the divisors of all large pairs.
pub fn gcds(pairs: &Pairs, divisors: &mut Divisors) {
    if pairs.large.is_empty() {
        return;
    }
    let (mut short, mut of_short) = (Vec::with_capacity(pairs.large.len()), vec![]);
    for large in &pairs.large {
        if let Some(pair) = two_limbs(pairs.limbs(large)) {
            short.push(pair);
        }
    }
    lanes::short(&short, &mut of_short);
    let longer = |[a, b]: [&[u64]; 2]| a.len().max(b.len());
    // Numbers of very different lengths are not for `lanes`: their divisor is found one pair at a time, where a single
    // division brings them to similar lengths. That saves more time than vectors do.
    let is_for_lanes = |pair: [&[u64]; 2]| {
        TOGETHER.contains(&longer(pair)) && pair[0].len().abs_diff(pair[1].len()) <= 1 + longer(pair) / 8
    };
    let limbs = |at: usize| pairs.limbs(&pairs.large[at]);
    let mut order: Vec<usize> = vec![];
    if short.len() < pairs.large.len() {
        order.extend((0..pairs.large.len()).filter(|&at| is_for_lanes(limbs(at))));
        order.sort_by_key(|&at| longer(limbs(at)));
    }
    let alike: Vec<lanes::Pair> = order.iter().map(|&at| limbs(at)).collect();
    // `found` has the limbs of all divisors that `lanes::gcds` finds. `places` says which of them belong to which pair.
    let (mut found, mut places) = (vec![], vec![None; if alike.is_empty() { 0 } else { pairs.large.len() }]);
    lanes::gcds(&alike, &mut |at, divisor| {
        let length = divisor.iter().rposition(|&limb| limb != 0).map_or(0, |last| last + 1);
        places[order[at]] = Some(found.len()..found.len() + length);
        found.extend_from_slice(&divisor[..length]);
    });
    let mut of_short = of_short.into_iter();
    for (at, large) in pairs.large.iter().enumerate() {
        let pair = pairs.limbs(large);
        match places.get(at) {
            _ if two_limbs(pair).is_some() => {
                let Some(divisor) = of_short.next() else { unreachable!("there is one for each of these pairs") };
                divisors.set_wide(large.at, [divisor]);
            }
            Some(Some(place)) => set(divisors, large.at, &found[place.clone()]),
            _ => set(divisors, large.at, &one(pair)),
        }
    }
}

/// Sets the divisor at index `at` to the number with these limbs.
fn set(divisors: &mut Divisors, at: usize, number: &[u64]) {
    divisors.set_with(at, |_, limbs| {
        limbs.extend_from_slice(number);
        true
    });
}

/// Returns the limbs of the greatest common divisor of a pair of any size.
fn one([a, b]: [&[u64]; 2]) -> Vec<u64> {
    match (a, b) {
        ([], other) | (other, []) => other.to_vec(),
        _ => limbs_of(&number_of(a).gcd(&number_of(b))).collect(),
    }
}

/// Returns the numbers of a pair if they have at most 128 bits.
#[inline]
fn two_limbs(pair: [&[u64]; 2]) -> Option<[u128; 2]> {
    let number = |limbs: &[u64]| match *limbs {
        [low, high] => Some(u128::from(high) << 64 | u128::from(low)),
        [limb] => Some(limb.into()),
        [] => Some(0),
        _ => None,
    };
    Some([number(pair[0])?, number(pair[1])?])
}

#[cfg(test)]
mod tests {
    use super::super::number::Number;
    use super::*;
    use crate::kernel::batch::Batch;
    use dashu_int::UBig;

    fn euclid(mut a: UBig, mut b: UBig) -> UBig {
        while !b.is_zero() {
            (a, b) = (b.clone(), a % b);
        }
        a
    }

    /// Checks the divisors of these pairs in one batch.
    fn check(pairs: &[[UBig; 2]]) {
        let (mut batch, mut divisors) = (Pairs::default(), Divisors::default());
        pairs.iter().for_each(|pair| batch.push(pair.clone().map(Number::from)));
        divisors.small.resize(batch.len(), 0);
        gcds(&batch, &mut divisors);
        let mut large = divisors.large.iter().peekable();
        for (at, [a, b]) in pairs.iter().enumerate() {
            let found = match large.next_if(|large| large.at == at) {
                Some(large) => number_of(divisors.limbs(large)[0]),
                None => UBig::from(divisors.small[at]),
            };
            // `gcds` leaves pairs of 64 bits alone.
            let is_large = batch.large.iter().any(|large| large.at == at);
            assert_eq!(found, if is_large { euclid(a.clone(), b.clone()) } else { UBig::ZERO }, "{a} {b}");
        }
        assert!(divisors.large.iter().all(|large| divisors.limbs(large)[0].last() != Some(&0)));
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
        let pairs: Vec<_> = edges.iter().flat_map(|a| edges.iter().map(|b| [a.clone(), b.clone()])).collect();
        check(&pairs);
        pairs.iter().for_each(|pair| check(std::slice::from_ref(pair)));
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_euclid(
            (a, b, c) in (0u128.., 0u128.., 0u128..),
            (a_bits, b_bits, c_bits) in (0..128u32, 0..128u32, 0..128u32),
        ) {
            let (a, b, c) = (UBig::from(a >> a_bits), UBig::from(b >> b_bits), UBig::from(c >> c_bits));
            check(&[[a.clone(), b.clone()], [&a * &c, &b * &c]]);
        }
    }
}
