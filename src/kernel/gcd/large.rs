//! The greatest common divisor of pairs in which a number has more than 64 bits.

use super::binary;
use super::number::Number;
use dashu_int::UBig;
use dashu_int::ops::Gcd;

/// Returns the greatest common divisor of two numbers, at least one of which has more than 64 bits.
pub fn gcd([a, b]: &[Number; 2]) -> Number {
    match (a, b) {
        (Number::Big(_), _) | (_, Number::Big(_)) => UBig::from(a).gcd(UBig::from(b)).into(),
        (&Number::Small(a), &Number::Small(b)) => Number::Small(binary::gcd(a, b)),
        (&Number::Small(a), &Number::Wide(b)) | (&Number::Wide(b), &Number::Small(a)) => match a {
            0 => Number::Wide(b),
            a => Number::Small(binary::gcd(a, (b % u128::from(a)) as u64)),
        },
        (&Number::Wide(a), &Number::Wide(b)) => wide(a, b).into(),
    }
}

/// Returns the greatest common divisor of two numbers that are not 0, by the binary algorithm. Once both numbers fit
/// into 64 bits, [`binary`] takes over.
fn wide(a: u128, b: u128) -> u128 {
    let twos = (a | b).trailing_zeros();
    let (mut a, mut b) = (a >> a.trailing_zeros(), b >> b.trailing_zeros());
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

    fn euclid(mut a: UBig, mut b: UBig) -> UBig {
        while !b.is_zero() {
            (a, b) = (b.clone(), a % b);
        }
        a
    }

    fn check(a: &UBig, b: &UBig) {
        let pair = [Number::from(a.clone()), Number::from(b.clone())];
        assert_eq!(gcd(&pair), Number::from(euclid(a.clone(), b.clone())), "{a} {b}");
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

    #[test]
    fn what_is_read_is_what_it_takes() {
        let read = |digits: &str| Number::parse(digits.as_bytes(), 99).unwrap();
        assert_eq!(
            gcd(&[read("-170141183460469231731687303715884105728"), read("18446744073709551616")]),
            read("18446744073709551616")
        );
    }
}
