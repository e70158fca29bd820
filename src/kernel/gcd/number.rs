//! Integers of any size, and what is said about a field that is none.

use crate::csv::shown::shown;
use dashu_int::UBig;
use std::fmt;

/// An integer without its sign, in the narrowest form that holds it.
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

/// Why a field is no integer that is read.
#[derive(Debug, PartialEq, Eq)]
pub enum NotRead {
    /// It is none.
    NoInteger,
    /// It has so many digits, which are too many.
    TooLong(usize),
}

impl Number {
    /// The magnitude of an integer in decimal digits, with or without a sign, of at most `max_digits` but for zeros in
    /// front.
    ///
    /// # Errors
    /// When it is no such integer.
    pub fn parse(field: &[u8], max_digits: usize) -> Result<Self, NotRead> {
        let digits = field.strip_prefix(b"-").or_else(|| field.strip_prefix(b"+")).unwrap_or(field);
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(NotRead::NoInteger);
        }
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        let digits = &digits[zeros..];
        if digits.len() > max_digits {
            return Err(NotRead::TooLong(digits.len()));
        }
        // 19 digits always fit into 64 bits, 38 into 128.
        if digits.len() <= 19 {
            return Ok(Number::Small(value(digits)));
        }
        if digits.len() <= 38 {
            let (high, low) = digits.split_at(digits.len() - 19);
            return Ok((u128::from(value(high)) * 10u128.pow(19) + u128::from(value(low))).into());
        }
        let digits = std::str::from_utf8(digits).map_err(|_| NotRead::NoInteger)?;
        UBig::from_str_radix(digits, 10).map(Number::from).map_err(|_| NotRead::NoInteger)
    }
}

/// The value of a field of 1 to 19 digits and nothing else: most fields are.
pub fn plain(field: &[u8]) -> Option<u64> {
    let push = |value: u64, byte: &u8| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0'));
    if field.is_empty() || field.len() > 19 { None } else { field.iter().try_fold(0, push) }
}

/// The value of at most 19 digits.
fn value(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'))
}

/// What is wrong with a field, without its blanks, that [`Number::parse`] did not read.
pub fn what_is_wrong(field: &[u8], why: NotRead, max_digits: usize) -> String {
    const EXPECTED: &str = "decimal digits are expected, with or without a sign";
    match why {
        NotRead::TooLong(digits) => {
            format!("has {digits} digits, more than the {max_digits} that --max-digits allows: {}", shown(field))
        }
        NotRead::NoInteger if field.is_empty() => "is empty; an integer is expected".to_string(),
        NotRead::NoInteger if field.contains(&0) => format!("has a NUL byte: {}", shown(field)),
        NotRead::NoInteger if std::str::from_utf8(field).is_err() => format!("is not UTF-8: {}", shown(field)),
        NotRead::NoInteger => format!("is not an integer: {}; {EXPECTED}", shown(field)),
    }
}

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
            assert_eq!(Number::parse(digits.as_bytes(), length - 1), Err(NotRead::TooLong(length)));
        }
        for (digits, number) in [
            ("-0", Number::Small(0)),
            ("18446744073709551615", Number::Small(u64::MAX)),
            ("18446744073709551616", Number::Wide(1 << 64)),
            ("340282366920938463463374607431768211455", Number::Wide(u128::MAX)),
            ("340282366920938463463374607431768211456", Number::Big(UBig::from(u128::MAX) + 1u8)),
        ] {
            assert_eq!(Number::parse(digits.as_bytes(), 99), Ok(number));
        }
    }

    #[test]
    fn anything_else_is_no_integer() {
        for text in ["", "-", "+", "+-1", "- 1", "1.0", "1e3", "0x10", "1_000", "1 000", "１", "\u{2212}1", "1\0"] {
            assert_eq!(Number::parse(text.as_bytes(), 99), Err(NotRead::NoInteger), "{text}");
        }
    }
}
