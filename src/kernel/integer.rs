//! Integers of any size, as fields of rows and of outputs.

use super::rows::INTEGER;
use dashu_int::IBig;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// An integer of any size and sign, as a field of a row or of an output. Its arithmetic is that of the crate
/// `dashu_int`, which this crate exports as [`dashu_int`](crate::dashu_int).
///
/// An integer is read by the same rules as in the stock kernel. It may have a sign, it is written in the notation that
/// `--thousands` and `--whole-floats` set, and it has at most 100 000 digits.
///
/// ```
/// use pmapgcd::{Function, Integer, Kernel};
///
/// let product = Function(|(a, b): (Integer, Integer)| Integer(a.0 * b.0));
/// let row = ("123456789012345678901234567890".parse().unwrap(), "-10".parse().unwrap());
/// assert_eq!(product.map(&row).to_string(), "-1234567890123456789012345678900");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Integer(pub IBig);

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Integer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let is_decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = IBig::from_str_radix(text, 10).ok().filter(|_| is_decimal);
        number.map(Integer).ok_or_else(|| "an integer is expected".to_string())
    }
}

impl<N> From<N> for Integer
where
    IBig: From<N>,
{
    fn from(number: N) -> Self {
        Integer(number.into())
    }
}

impl Serialize for Integer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(INTEGER, Digits)
    }
}

/// Makes an integer from its digits.
struct Digits;

impl<'de> Visitor<'de> for Digits {
    type Value = Integer;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an integer")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Integer, D::Error> {
        deserializer.deserialize_str(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Integer, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Integer, E> {
        Ok(Integer(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Integer, E> {
        Ok(Integer(number.into()))
    }
}
