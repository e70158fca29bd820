//! Judges the arithmetic of large numbers: their divisors, with all vector instructions, and their digits in every base.

use crate::kernel::gcd::digits;
use crate::kernel::gcd::{Base, lanes, plain};
use crate::vectors::Vectors;
use num_bigint::BigUint;
use num_integer::Integer;

/// Checks pairs that the bytes make: five bytes say how a pair is made, and the others are limbs, again and again if there are too few.
pub fn big(bytes: &[u8]) {
    /// The most pairs: more than are worked on together.
    const PAIRS: usize = 24;
    let Some((&[count, base], rest)) = bytes.split_first_chunk() else { return };
    let (hows, limbs) = rest.as_chunks::<5>().0.split_at(rest.len() / 10);
    let limbs: Vec<u64> = limbs.as_flattened().chunks(8).map(word).collect();
    if hows.is_empty() || limbs.is_empty() {
        return;
    }
    let mut limbs = limbs.iter().enumerate().cycle().map(|(at, limb)| limb.rotate_left(at as u32));
    let mut number = |length: u8| {
        // The judge takes longer than all else for long numbers, so that most are short.
        let length = if length < 240 { length % 24 } else { length };
        let bytes: Vec<u8> = limbs.by_ref().take(usize::from(length)).flat_map(u64::to_le_bytes).collect();
        BigUint::from_bytes_le(&bytes).max(1u8.into())
    };
    let pairs: Vec<[BigUint; 2]> = hows
        .iter()
        .cycle()
        .take(usize::from(count) % PAIRS)
        .map(|&[how, a_length, b_length, factor, shift]| {
            let [a, b, factor] = [a_length, b_length, factor % 32].map(&mut number);
            match how % 6 {
                0 => [a, b],
                1 => [&a * &factor, b * factor],
                2 => [a.clone(), a * factor],
                3 => [a.clone() + (BigUint::from(1u8) << shift), a],
                4 => [a << shift, b << (shift / 2)],
                _ => [a.clone(), a + b],
            }
        })
        .collect();
    let own: Vec<[Vec<u64>; 2]> = pairs
        .iter()
        .map(|pair| pair.each_ref().map(|number| number.to_bytes_le().chunks(8).map(word).collect()))
        .collect();
    let given: Vec<lanes::Pair> = own.iter().map(|[a, b]| [&a[..], &b[..]]).collect();
    let short: Vec<[u128; 2]> =
        pairs.iter().filter_map(|[a, b]| Some([a.try_into().ok()?, b.try_into().ok()?])).collect();
    for vectors in Vectors::all() {
        let mut found = vec![];
        lanes::short_with(vectors, &short, &mut found);
        assert_eq!(found, short.iter().map(|[a, b]| a.gcd(b)).collect::<Vec<_>>(), "{vectors:?} {short:?}");
    }
    let expected: Vec<BigUint> = pairs.iter().map(|[a, b]| a.gcd(b)).collect();
    for vectors in Vectors::all().filter(|vectors| *vectors > Vectors::Portable) {
        let mut found = vec![None; pairs.len()];
        lanes::with(vectors, &given, true, &mut |at, limbs| {
            let bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
            assert!(found[at].replace(BigUint::from_bytes_le(&bytes)).is_none());
        });
        for ((pair, found), expected) in pairs.iter().zip(found).zip(&expected) {
            assert_eq!(found.as_ref(), Some(expected), "{vectors:?} {pair:?}");
        }
    }
    let base = Base::ALL[usize::from(base % 4)];
    for (number, own) in pairs.as_flattened().iter().zip(own.as_flattened()) {
        let (mut text, mut limbs) = (vec![], vec![]);
        digits::write(base, own, &mut text);
        assert_eq!(String::from_utf8(text.clone()).unwrap(), number.to_str_radix(base.radix()));
        assert!(digits::read(base, &text, &mut limbs) && limbs == *own, "{base:?} {number}");
        if base == Base::Hexadecimal {
            limbs.clear();
            let left = plain::hexadecimal(&text, &mut limbs);
            assert!(digits::read(base, left, &mut limbs) && limbs == *own, "{number}");
        }
    }
}

/// Returns the number with these bytes, the least first.
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}
