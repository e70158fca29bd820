use super::*;
use crate::kernel::gcd::digits::{limbs_of, number_of};
use dashu_int::UBig;
use dashu_int::ops::Gcd;
use num_bigint::BigUint;
use num_integer::Integer;
use proptest::prelude::*;

/// Checks these pairs against dashu and num-bigint. No number may be 0. All pairs are given at once, so that they fill
/// vectors.
fn check(pairs: &[[UBig; 2]]) {
    let limbs: Vec<[Vec<u64>; 2]> =
        pairs.iter().map(|pair| pair.each_ref().map(|number| limbs_of(number).collect())).collect();
    let given: Vec<Pair> = limbs.iter().map(|[a, b]| [&a[..], &b[..]]).collect();
    let judge = |number: &UBig| BigUint::from_bytes_le(&number.to_le_bytes());
    let mut short: Vec<[u128; 2]> = vec![[0, 0], [0, 12], [1 << 127, 0], [0, u128::MAX]];
    short.extend(pairs.iter().filter_map(|[a, b]| Some([a.try_into().ok()?, b.try_into().ok()?])));
    for vectors in Vectors::all() {
        let mut found = vec![];
        short_with(vectors, &short, &mut found);
        for ([a, b], found) in short.iter().zip(&found) {
            assert_eq!(*found, Integer::gcd(a, b), "{vectors:?} {a} {b}");
        }
        assert_eq!(found.len(), short.len());
    }
    for vectors in Vectors::all().filter(|vectors| *vectors > Vectors::Portable) {
        let mut found = vec![None; pairs.len()];
        with(vectors, &given, true, &mut |at, limbs| {
            assert_eq!(found[at].replace(number_of(limbs)), None, "twice");
        });
        for ([a, b], found) in pairs.iter().zip(found) {
            let found = found.unwrap();
            assert_eq!(found, a.gcd(b), "{vectors:?} {a} {b}");
            assert_eq!(judge(&found), judge(a).gcd(&judge(b)));
        }
    }
}

#[test]
fn agrees_at_every_edge() {
    let one = || UBig::ONE;
    let mut edges = vec![one(), UBig::from(6u8), UBig::from(97u8)];
    for bits in [29, 30, 31, 59, 60, 61, 62, 63, 64, 65, 89, 90, 91, 127, 128, 129, 192, 1000, 2048, 8192] {
        edges.extend([(one() << bits) - one(), one() << bits, (one() << bits) + one(), UBig::from(15u8) << bits]);
    }
    let (mut a, mut b) = (one(), one());
    for count in 1..1500 {
        (a, b) = (b.clone(), a + b);
        if count % 90 < 2 {
            edges.push(b.clone());
        }
    }
    let pairs: Vec<_> = edges.iter().flat_map(|a| edges.iter().map(|b| [a.clone(), b.clone()])).collect();
    check(&pairs);
    // The same pair several times: sometimes in all lanes, and sometimes fewer times than there are lanes.
    (1..20).for_each(|count| check(&vec![pairs[pairs.len() - 2].clone(); count]));
}

#[test]
fn few_pairs_are_left_to_others() {
    let (a, b): (&[u64], &[u64]) = (&[3, 5, 7, 9], &[5, 3, 9, 7]);
    for vectors in Vectors::all() {
        let mut count = 0;
        with(vectors, &[[a, b]], false, &mut |_, _| count += 1);
        assert_eq!(count, 0, "{vectors:?}");
        with(vectors, &[[a, b]; 64], false, &mut |_, _| count += 1);
        assert_eq!(count, if vectors == Vectors::Portable { 0 } else { 64 }, "{vectors:?}");
    }
}

fn number() -> impl Strategy<Value = UBig> {
    let bits = prop_oneof![1..=512usize, 1..=8192usize];
    let limbs = proptest::collection::vec(prop_oneof![8 => 0u64.., 1 => Just(0), 1 => Just(u64::MAX)], 129);
    (limbs, bits).prop_map(|(limbs, bits)| {
        let number = number_of(&limbs) % (UBig::ONE << bits);
        if number.is_zero() { UBig::ONE } else { number }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Random pairs. In some, the numbers have a common factor, are equal, are powers of two, or differ by a power of
    /// two, or one is a multiple of the other.
    #[test]
    fn agrees_on_any_pairs(
        numbers in proptest::collection::vec((number(), number(), number(), 0..8, 0..300usize), 1..20),
    ) {
        let pairs: Vec<_> = numbers.into_iter().map(|(a, b, c, how, shift)| match how {
            0 => [&a * &c, &b * &c],
            1 => [a.clone(), a],
            2 => [&a * &b, a],
            3 => [UBig::ONE << shift, a],
            4 => [a.clone(), a + (UBig::ONE << shift)],
            5 => [&a << shift, &b << (shift / 2)],
            6 => [a.clone(), a + b],
            _ => [a, b],
        }).collect();
        check(&pairs);
    }
}
