//! Reads integers of any size, and describes what is wrong with a field that does not hold one.

use crate::csv::notation::{self, NoInteger, Notation};
use crate::csv::shown::shown;
use dashu_int::UBig;
use std::fmt;

/// The magnitude of an integer, in the narrowest form that holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Number {
    /// Below 2^64.
    Small(u64),
    /// From 2^64, below 2^128.
    Wide(u128),
    /// From 2^128.
    Big(UBig),
}

impl From<u128> for Number {
    fn from(number: u128) -> Self {
        u64::try_from(number).map_or(Number::Wide(number), Number::Small)
    }
}

impl From<UBig> for Number {
    fn from(number: UBig) -> Self {
        u128::try_from(&number).map_or(Number::Big(number), Number::from)
    }
}

impl From<&Number> for UBig {
    fn from(number: &Number) -> Self {
        match number {
            Number::Small(number) => UBig::from(*number),
            Number::Wide(number) => UBig::from(*number),
            Number::Big(number) => number.clone(),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Small(number) => number.fmt(f),
            Number::Wide(number) => f.write_str(itoa::Buffer::new().format(*number)),
            Number::Big(number) => number.fmt(f),
        }
    }
}

impl Number {
    /// Does what [`parse`](Number::parse) does for a `field` in any notation.
    pub fn read(field: &[u8], notation: Notation, max_digits: usize) -> Option<Self> {
        Number::parse(field, max_digits).or_else(|| {
            // Most numbers are plain, and no message is made here of those that are none.
            let has_notation = notation.thousands.is_some() || notation.whole_floats;
            let digits = has_notation.then(|| notation.integer(field, max_digits).ok()).flatten()?;
            Number::parse(if digits.is_empty() { b"0" } else { &digits }, max_digits)
        })
    }

    /// Returns the magnitude of the integer in `field`: decimal digits, with or without a sign. Returns `None` if the
    /// field is not an integer, or has more than `max_digits` digits, leading zeros not counted.
    pub fn parse(field: &[u8], max_digits: usize) -> Option<Self> {
        let digits = digits(field).filter(|digits| digits.len() <= max_digits)?;
        // 19 digits always fit into 64 bits, and 38 into 128.
        match digits.len() {
            0..=19 => Some(Number::Small(value(digits))),
            20..=38 => {
                let (high, low) = digits.split_at(digits.len() - 19);
                Some((u128::from(value(high)) * 10u128.pow(19) + u128::from(value(low))).into())
            }
            _ => UBig::from_str_radix(std::str::from_utf8(digits).ok()?, 10).ok().map(Number::from),
        }
    }
}

/// Returns the digits of the integer in `field` without its sign and leading zeros, so that 0 has no digits. Returns
/// `None` if the field is not an integer.
fn digits(field: &[u8]) -> Option<&[u8]> {
    let digits = field.strip_prefix(b"-").or_else(|| field.strip_prefix(b"+")).unwrap_or(field);
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit)).then(|| &digits[zeros..])
}

/// Returns the value of a field that consists of 1 to 19 digits, as most fields do. Returns `None` for other fields.
pub fn plain(field: &[u8]) -> Option<u64> {
    let push = |value: u64, byte: &u8| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0'));
    if field.is_empty() || field.len() > 19 { None } else { field.iter().try_fold(0, push) }
}

/// Returns the value of `digits`, of which there are at most 19.
fn value(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'))
}

/// Returns what is wrong with `field`, from which blanks were trimmed and which [`Number::read`] could not read.
pub fn what_is_wrong(field: &[u8], notation: Notation, max_digits: usize) -> String {
    let integer = notation.integer(field, max_digits);
    let what = match integer {
        Err(NoInteger::TooLong(digits)) => {
            return format!(
                "has {digits} digits, more than the {max_digits} that --max-digits allows: {}",
                shown(field)
            );
        }
        _ if field.is_empty() => return "is empty; an integer is expected".to_string(),
        _ if field.contains(&0) => "has a NUL byte",
        _ if std::str::from_utf8(field).is_err() => "is not UTF-8",
        Err(NoInteger::Fraction) if notation.whole_floats => "is not a whole number",
        _ => {
            let hint = notation::hint(field, notation).unwrap_or_else(|| format!("; {EXPECTED}"));
            return format!("is not an integer: {}{hint}", shown(field));
        }
    };
    format!("{what}: {}", shown(field))
}

/// The part of a message that says what an integer looks like.
const EXPECTED: &str = "decimal digits are expected, with or without a sign";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_any_size_are_read_and_written() {
        let digits = "98765432109876543210".repeat(30);
        for length in 1..=digits.len() {
            let digits = &digits[..length];
            for text in [digits.to_string(), format!("-{digits}"), format!("+000{digits}")] {
                assert_eq!(Number::parse(text.as_bytes(), length).unwrap().to_string(), digits);
            }
            assert_eq!(Number::parse(digits.as_bytes(), length - 1), None);
            let what = what_is_wrong(digits.as_bytes(), Notation::default(), length - 1);
            assert!(what.starts_with(&format!("has {length} digits, more than the {} ", length - 1)), "{what}");
        }
        for (digits, number) in [
            ("-0", Number::Small(0)),
            ("18446744073709551615", Number::Small(u64::MAX)),
            ("18446744073709551616", Number::Wide(1 << 64)),
            ("340282366920938463463374607431768211455", Number::Wide(u128::MAX)),
            ("340282366920938463463374607431768211456", Number::Big(UBig::from(u128::MAX) + 1u8)),
        ] {
            assert_eq!(Number::parse(digits.as_bytes(), 99), Some(number));
        }
    }

    #[test]
    fn anything_else_is_no_integer() {
        for text in ["", "-", "+", "+-1", "- 1", "1.0", "1e3", "0x10", "1_000", "1 000", "１", "\u{2212}1", "1\0"] {
            assert_eq!(Number::parse(text.as_bytes(), 99), None, "{text}");
        }
    }
}
