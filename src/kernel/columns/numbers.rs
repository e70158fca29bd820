//! Finds the value of a number from its text. An integer that does not fit into its type has no value. A float has the
//! value that Rust's own parser finds.

use super::decimal::{Decimal, LOADED, decimal, integer, unsigned};
use super::types::Type;
use crate::csv::notation::{self, NoInteger, Notation};
use crate::csv::shown::shown;

/// A type of numbers.
pub trait Number: Copy + Default {
    /// Whether the type is one of integers.
    const IS_INTEGER: bool;

    /// Appends the numbers of these magnitudes to `numbers`, up to the first that does not fit into this type.
    fn extend(numbers: &mut Vec<Self>, magnitudes: &[u64]);

    /// Does what [`plain`](Number::plain) does for the text from `start` to `end` of `text`.
    #[inline]
    fn plain_in(text: &[u8], start: usize, end: usize) -> Option<Self> {
        Self::plain(&text[start..end])
    }

    /// Returns the number that `text` consists of, if it is written plainly, as most are. Otherwise the caller asks
    /// [`read`].
    fn plain(text: &[u8]) -> Option<Self>;

    /// Returns the number that `text` consists of, in whatever way it is written. There must be no blanks around it.
    fn general(text: &[u8], notation: Notation) -> Option<Self>;
}

/// Returns the number in `value`, which has no blanks around it; `None` if it is not a number of this type.
pub fn read<N: Number>(value: &[u8], notation: Notation) -> Option<N> {
    N::general(value, notation)
}

/// Whether [`Number::plain`] finds the right value of every plainly written number in this notation.
pub fn has_plain(of: Type, notation: Notation) -> bool {
    !of.is_float() || notation.decimal == '.'
}

macro_rules! integers {
    ($($number:ident),*) => { $(
        impl Number for $number {
            const IS_INTEGER: bool = true;

            #[inline]
            fn extend(numbers: &mut Vec<Self>, magnitudes: &[u64]) {
                let are_all = magnitudes.iter().fold(true, |all, &magnitude| all & (magnitude <= Self::MAX as u64));
                let good = if are_all {
                    magnitudes.len()
                } else {
                    magnitudes.iter().take_while(|&&magnitude| magnitude <= Self::MAX as u64).count()
                };
                numbers.extend(magnitudes[..good].iter().map(|&magnitude| magnitude as Self));
            }

            #[inline]
            fn plain(text: &[u8]) -> Option<Self> {
                let (is_negative, magnitude) = integer(text)?;
                match is_negative {
                    false => Self::try_from(magnitude).ok(),
                    true => Self::try_from(-i128::from(magnitude)).ok(),
                }
            }

            fn general(text: &[u8], notation: Notation) -> Option<Self> {
                Self::plain(text).or_else(|| {
                    let digits = notation.integer(text, MOST_DIGITS).ok()?;
                    let sign = if text.starts_with(b"-") { &b"-"[..] } else { b"" };
                    Self::plain(&[sign, if digits.is_empty() { b"0" } else { &digits }].concat())
                })
            }
        }
    )* };
}
integers!(i32, i64, u32, u64);

/// The most digits of an integer of a type with a fixed size: the largest `u128` has 39.
pub const MOST_DIGITS: usize = 39;

impl Number for bool {
    const IS_INTEGER: bool = false;

    fn extend(_: &mut Vec<Self>, _: &[u64]) {}

    #[inline]
    fn plain(text: &[u8]) -> Option<Self> {
        match text {
            b"1" | b"true" | b"True" => Some(true),
            b"0" | b"false" | b"False" => Some(false),
            _ => None,
        }
    }

    fn general(text: &[u8], _: Notation) -> Option<Self> {
        let is = |word: &[u8]| text.eq_ignore_ascii_case(word);
        Self::plain(text).or_else(|| is(b"true").then_some(true)).or_else(|| is(b"false").then_some(false))
    }
}

/// The most digits of an integer in a column of integers of any size.
const MOST_OF_ANY: usize = 100_000;

/// Returns the digits of the integer in `text`, with a minus in front if it is negative; `None` if it is no integer.
/// `text` has no blanks around it.
pub fn digits(text: &[u8], notation: Notation) -> Option<Vec<u8>> {
    let digits = notation.integer(text, MOST_OF_ANY).ok()?;
    let sign = if text.starts_with(b"-") && !digits.is_empty() { &b"-"[..] } else { b"" };
    Some([sign, if digits.is_empty() { b"0" } else { &digits }].concat())
}

/// The powers of ten that a float of 64 bits represents exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Returns the largest n for which 10^n is exact in a float of this many binary digits. It is exact if 5^n has at most
/// this many binary digits. Each factor 5 adds log2(5) digits, a little less than 2.33.
const fn most_tens(digits: u32) -> u32 {
    digits * 100 / 233
}

macro_rules! floats {
    ($($number:ident),*) => { $(
        impl Number for $number {
            const IS_INTEGER: bool = false;

            fn extend(_: &mut Vec<Self>, _: &[u64]) {}

            /// If floats represent the digits and the power of ten exactly, one division gives the float nearest to the
            /// number, as W. D. Clinger found ("How to Read Floating Point Numbers Accurately", 1990).
            #[inline]
            fn plain(text: &[u8]) -> Option<Self> {
                let Decimal { is_negative, digits, behind } = decimal(text)?;
                if digits > 1 << <$number>::MANTISSA_DIGITS || behind > most_tens(<$number>::MANTISSA_DIGITS) {
                    return std::str::from_utf8(text).ok()?.parse().ok();
                }
                let value = digits as $number / TENS[behind as usize] as $number;
                Some(if is_negative { -value } else { value })
            }

            #[inline]
            fn plain_in(text: &[u8], start: usize, end: usize) -> Option<Self> {
                let is_negative = text.get(start) == Some(&b'-');
                let length = end.wrapping_sub(start + usize::from(is_negative));
                let window = text.get(end.wrapping_sub(LOADED)..end).and_then(<[u8]>::first_chunk);
                if let Some(window) = window
                    && length.wrapping_sub(1) < LOADED
                    && let Some(Decimal { digits, behind, .. }) = unsigned(window, length)
                    && digits <= 1 << <$number>::MANTISSA_DIGITS
                    && behind <= most_tens(<$number>::MANTISSA_DIGITS)
                {
                    let value = digits as $number / TENS[behind as usize] as $number;
                    return Some(if is_negative { -value } else { value });
                }
                Self::plain(&text[start..end])
            }

            fn general(text: &[u8], notation: Notation) -> Option<Self> {
                // In a notation other than the plain one, not every text that looks like a plain number is a number.
                if text.iter().any(u8::is_ascii_digit) && !notation.has_number(text) {
                    return None;
                }
                let plain = notation.plain(text);
                let value: $number = std::str::from_utf8(&plain).ok()?.parse().ok()?;
                // Accept an infinity only if the text says so in words. Otherwise the number is too large.
                (!value.is_infinite() || !plain.iter().any(u8::is_ascii_digit)).then_some(value)
            }
        }
    )* };
}
floats!(f32, f64);

/// Returns what is wrong with the field `value`, which has no blanks around it and is not a value of type `of`.
pub fn what_is_wrong(value: &[u8], of: Type, notation: Notation) -> String {
    if of == Type::Bool {
        return format!("is not true or false, or 1 or 0: {}", shown(value));
    }
    let article = if of.is_float() { "a number" } else { "an integer" };
    if std::str::from_utf8(value).is_err() {
        return format!("is not UTF-8: {}", shown(value));
    }
    if of == Type::Text {
        return "holds more text than a block".to_string();
    }
    if value.is_empty() {
        return notation::empty(article);
    }
    if of.is_float() {
        return match notation.has_number(value) {
            true => format!("is out of the range of {}: {}", of.name(), shown(value)),
            false => {
                format!("is not a number: {}{}", shown(value), notation::hint(value, notation).unwrap_or_default())
            }
        };
    }
    let range = match of {
        Type::I32 => format!("{} to {}", i32::MIN, i32::MAX),
        Type::I64 => format!("{} to {}", i64::MIN, i64::MAX),
        Type::U32 => format!("0 to {}", u32::MAX),
        _ => format!("0 to {}", u64::MAX),
    };
    no_integer(value, of.name(), &range, notation)
}

/// Returns what is wrong with the field `value`, which is not an integer of the type that has this name and this range.
pub fn no_integer(value: &[u8], name: &str, range: &str, notation: Notation) -> String {
    if std::str::from_utf8(value).is_err() {
        return format!("is not UTF-8: {}", shown(value));
    }
    if value.is_empty() {
        return notation::empty("an integer");
    }
    let most = if name == Type::Int.name() { MOST_OF_ANY } else { MOST_DIGITS };
    match notation.integer(value, most) {
        Err(NoInteger::TooLong(digits)) if most == MOST_OF_ANY => {
            format!("has {digits} digits, more than {MOST_OF_ANY}: {}", shown(value))
        }
        Ok(_) | Err(NoInteger::TooLong(_)) => format!("is out of the range of {name}, {range}: {}", shown(value)),
        Err(NoInteger::Fraction) if notation.whole_floats => format!("is not a whole number: {}", shown(value)),
        Err(_) => {
            format!("is not an integer: {}{}", shown(value), notation::hint(value, notation).unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests;
