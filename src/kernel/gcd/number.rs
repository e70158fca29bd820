//! Reads integers of any size, and describes what is wrong with a field that does not hold one.

use super::base::Base;
use super::digits;
use crate::csv::notation::{self, NoInteger, Notation};
use crate::csv::shown::shown;
use dashu_int::UBig;

/// The magnitude of an integer, in the narrowest form that holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Number {
    /// Below 2^64.
    Small(u64),
    /// From 2^64.
    Big(UBig),
}

impl From<UBig> for Number {
    fn from(number: UBig) -> Self {
        u64::try_from(&number).map_or(Number::Big(number), Number::Small)
    }
}

impl Number {
    /// Does what [`parse`](Number::parse) does, and also reads a `field` that is written in `notation`. In bases other
    /// than 10, `notation` is ignored.
    pub fn read(field: &[u8], base: Base, notation: Notation, max_digits: usize) -> Option<Self> {
        Number::parse(field, base, max_digits).or_else(|| {
            // `parse` comes first, because most numbers are plain. What is wrong with a field is not kept here:
            // `what_is_wrong` finds it when a message is needed.
            let has_notation = base == Base::Decimal && (notation.thousands.is_some() || notation.whole_floats);
            let digits = has_notation.then(|| notation.integer(field, max_digits).ok()).flatten()?;
            Number::parse(if digits.is_empty() { b"0" } else { &digits }, base, max_digits)
        })
    }

    /// Returns the magnitude of the integer in `field`: digits of this base, with or without a sign and a prefix.
    /// Returns `None` if the field is not an integer, or has more than `max_digits` digits, leading zeros not counted.
    pub fn parse(field: &[u8], base: Base, max_digits: usize) -> Option<Self> {
        let (digits, mut limbs) = (base.bare(field).filter(|digits| digits.len() <= max_digits)?, vec![]);
        digits::read(base, digits, &mut limbs).then(|| match limbs[..] {
            [] => Number::Small(0),
            [limb] => Number::Small(limb),
            _ => Number::Big(digits::number_of(&limbs)),
        })
    }
}

/// Returns the value of a field that consists of 1 to 19 decimal digits, as most fields do. Returns `None` for other
/// fields.
pub fn plain(field: &[u8]) -> Option<u64> {
    let push = |value: u64, byte: &u8| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0'));
    if field.is_empty() || field.len() > 19 { None } else { field.iter().try_fold(0, push) }
}

/// Returns what is wrong with `field`, from which blanks were trimmed and which [`Number::read`] could not read.
pub fn what_is_wrong(field: &[u8], base: Base, notation: Notation, max_digits: usize) -> String {
    let integer = match base {
        Base::Decimal => notation.integer(field, max_digits).map(|digits| digits.len()),
        _ => match base.digits(field).map(<[u8]>::len) {
            Some(digits) if digits > max_digits => Err(NoInteger::TooLong(digits)),
            Some(digits) => Ok(digits),
            None => Err(NoInteger::NoNumber),
        },
    };
    let what = match integer {
        Err(NoInteger::TooLong(digits)) => {
            return format!(
                "has {digits} digits, more than the {max_digits} that --max-digits allows: {}",
                shown(field)
            );
        }
        _ if field.is_empty() => return notation::empty("an integer"),
        _ if field.contains(&0) => "has a NUL byte",
        _ if std::str::from_utf8(field).is_err() => "is not UTF-8",
        Err(NoInteger::Fraction) if notation.whole_floats => "is not a whole number",
        _ => {
            let of_base =
                || Some(format!("; integers in base {0} are read with --base {0}", base.other(field)?.radix()));
            let of_notation = || if base == Base::Decimal { notation::hint(field, notation) } else { None };
            let hint = notation::no_value(field).or_else(of_notation).or_else(of_base);
            return format!(
                "is not an integer: {}{}",
                shown(field),
                hint.unwrap_or_else(|| format!("; {}", base.expected()))
            );
        }
    };
    format!("{what}: {}", shown(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_any_size_are_read() {
        let digits = "98765432109876543210".repeat(30);
        for length in 1..=digits.len() {
            let digits = &digits[..length];
            for text in [digits.to_string(), format!("-{digits}"), format!("+000{digits}")] {
                let number = Number::from(UBig::from_str_radix(digits, 10).unwrap());
                assert_eq!(Number::parse(text.as_bytes(), Base::Decimal, length), Some(number));
            }
            assert_eq!(Number::parse(digits.as_bytes(), Base::Decimal, length - 1), None);
            let what = what_is_wrong(digits.as_bytes(), Base::Decimal, Notation::default(), length - 1);
            assert!(what.starts_with(&format!("has {length} digits, more than the {} ", length - 1)), "{what}");
        }
        for (digits, number) in [
            ("-0", Number::Small(0)),
            ("18446744073709551615", Number::Small(u64::MAX)),
            ("18446744073709551616", Number::Big(UBig::ONE << 64)),
            ("340282366920938463463374607431768211456", Number::Big(UBig::from(u128::MAX) + 1u8)),
        ] {
            assert_eq!(Number::parse(digits.as_bytes(), Base::Decimal, 99), Some(number));
        }
        for (digits, number) in [
            ("-0xffffffffffffffff", Number::Small(u64::MAX)),
            ("0X10000000000000000", Number::Big(UBig::ONE << 64)),
            ("0000", Number::Small(0)),
        ] {
            assert_eq!(Number::parse(digits.as_bytes(), Base::Hexadecimal, 17), Some(number));
        }
    }

    #[test]
    fn anything_else_is_no_integer() {
        for text in ["", "-", "+", "+-1", "- 1", "1.0", "1e3", "0x10", "1_000", "1 000", "１", "\u{2212}1", "1\0"] {
            assert_eq!(Number::parse(text.as_bytes(), Base::Decimal, 99), None, "{text}");
        }
    }

    #[test]
    fn what_is_said_of_other_bases_names_the_option_or_the_digits() {
        for (base, text, said) in [
            (Base::Decimal, "0x1f", "is not an integer: \"0x1f\"; integers in base 16 are read with --base 16"),
            (
                Base::Hexadecimal,
                "1g",
                "is not an integer: \"1g\"; hexadecimal digits are expected, with or without 0x and a sign",
            ),
            (Base::Hexadecimal, "123", "has 3 digits, more than the 2 that --max-digits allows: \"123\""),
            (
                Base::Hexadecimal,
                "",
                "is empty; an integer is expected; if that stands for no value, say so with --na ''",
            ),
            (Base::Octal, "NA", "is not an integer: \"NA\"; if that stands for no value, say so with --na 'NA'"),
            (
                Base::Octal,
                "1.0",
                "is not an integer: \"1.0\"; octal digits are expected, with or without 0o and a sign",
            ),
            (Base::Binary, "0o12", "is not an integer: \"0o12\"; integers in base 8 are read with --base 8"),
        ] {
            assert_eq!(what_is_wrong(text.as_bytes(), base, Notation::default(), 2), said);
        }
    }
}
