//! Reads a row of text into any type that serde knows: its fields one after the other, without the blanks around them.
//!
//! The file has more than 300 lines because serde has a method for each kind of value.

use super::take::deserialize_sequences;
use crate::bad_row::BadRow;
use crate::csv::notation::{NoInteger, Notation};
use crate::csv::record::Record;
use crate::csv::shown::shown;
use crate::csv::trimmed;
use crate::kernel::columns::numbers::{self, MOST_DIGITS, Number, no_integer, what_is_wrong};
use crate::kernel::columns::types::Type;
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use std::fmt::{self, Display};

/// Why the fields of a row do not form a value of the row type. The message about it is made only if somebody needs it.
#[derive(Debug)]
pub enum Unfit {
    /// There are too few fields.
    Few,
    /// There are more fields than the type takes. The number is how many it takes.
    Many(usize),
    /// The field at this index, from 0, is not a number of this type.
    NoNumber(usize, Type),
    /// The field at this index is not an integer of the type that has this name and this range.
    NoInteger(usize, &'static str, String),
    /// The field at this index is not UTF-8.
    NotText(usize),
    /// The field at this index, or the whole row if there is no index, is not what was expected. The string names what
    /// was expected.
    Other(Option<usize>, &'static str),
    /// The type has refused the row, or the field at this index, with these words.
    Refused(Option<usize>, String),
}

impl Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Unfit {}

impl de::Error for Unfit {
    fn custom<T: Display>(what: T) -> Self {
        Unfit::Refused(None, what.to_string())
    }
}

impl Unfit {
    /// Returns the bad row for `record`, with a message about this fault. `needed` is how many fields a row needs, if
    /// that is known.
    pub fn described(self, record: &Record, needed: Option<usize>) -> BadRow {
        let notation = record.format().notation;
        let count = record.len();
        let plural = if count == 1 { "" } else { "s" };
        let value = |at: usize| shown(trimmed(&record.value(at)));
        match self {
            Unfit::Few => {
                let needed = needed.map_or("more".to_string(), |needed| needed.to_string());
                let are = if needed == "1" { "is" } else { "are" };
                BadRow::row(format!("{count} field{plural} where {needed} {are} needed: {}", shown(record.text())))
            }
            Unfit::Many(most) => {
                let are = if most == 1 { "is" } else { "are" };
                BadRow::row(format!("{count} field{plural} where {most} {are} expected: {}", shown(record.text())))
            }
            Unfit::NoNumber(at, of) => {
                BadRow::in_field(record, at, what_is_wrong(trimmed(&record.value(at)), of, notation))
            }
            Unfit::NoInteger(at, name, range) => {
                BadRow::in_field(record, at, no_integer(trimmed(&record.value(at)), name, &range, notation))
            }
            Unfit::NotText(at) => BadRow::in_field(record, at, format!("is not UTF-8: {}", value(at))),
            Unfit::Other(Some(at), what) => BadRow::in_field(record, at, format!("is not {what}: {}", value(at))),
            Unfit::Refused(Some(at), what) => {
                let number = record.number(at);
                BadRow { field: Some(number), ..BadRow::row(format!("field {number}: {what}: {}", value(at))) }
            }
            Unfit::Other(None, what) => BadRow::row(format!("the row is not {what}: {}", shown(record.text()))),
            Unfit::Refused(None, what) => BadRow::row(format!("{what}: {}", shown(record.text()))),
        }
    }
}

/// Reads `record` as an `R`. `ignores_rest` says whether there may be fields behind those that an `R` takes.
///
/// # Errors
/// If the fields do not form an `R`.
pub fn read<R: DeserializeOwned>(record: &Record, ignores_rest: bool) -> Result<R, Unfit> {
    let mut fields = Fields { record, next: 0 };
    let row = R::deserialize(&mut fields).map_err(|unfit| match unfit {
        // The type has taken the only field of the row, so the field is at fault.
        Unfit::Refused(None, what) if fields.next == 1 && record.len() == 1 => Unfit::Refused(Some(0), what),
        unfit => unfit,
    })?;
    if fields.next < record.len() && !ignores_rest {
        return Err(Unfit::Many(fields.next));
    }
    Ok(row)
}

/// The fields of a row, from the next one on.
struct Fields<'r> {
    record: &'r Record<'r>,
    next: usize,
}

impl<'r> Fields<'r> {
    /// Returns the next `count` fields as elements; `None` stands for all that are left.
    fn elements(&mut self, count: Option<usize>) -> Elements<'_, 'r> {
        Elements { fields: self, left: count }
    }

    /// Passes over the next field, and returns its index.
    fn pass(&mut self) -> Result<usize, Unfit> {
        let at = self.next;
        if at == self.record.len() {
            return Err(Unfit::Few);
        }
        self.next += 1;
        Ok(at)
    }

    fn notation(&self) -> Notation {
        self.record.format().notation
    }

    /// Passes over the next field, and returns the number of this type in it.
    fn number<N: Number>(&mut self, of: Type) -> Result<N, Unfit> {
        let at = self.pass()?;
        numbers::read(trimmed(&self.record.value(at)), self.notation()).ok_or(Unfit::NoNumber(at, of))
    }

    /// Passes over the next field, and returns the integer in it. The integer's type has this name and this range.
    fn integer<N>(&mut self, name: &'static str, range: [N; 2]) -> Result<N, Unfit>
    where
        N: TryFrom<u128> + TryFrom<i128> + Display,
    {
        let at = self.pass()?;
        let value = self.record.value(at);
        integer(trimmed(&value), self.notation()).ok_or_else(|| {
            let [least, most] = range;
            Unfit::NoInteger(at, name, format!("{least} to {most}"))
        })
    }

    /// Passes over the next field, and returns what `take` makes of its text.
    fn text<T>(&mut self, take: impl FnOnce(&str) -> Result<T, Unfit>) -> Result<T, Unfit> {
        let at = self.pass()?;
        let value = self.record.value(at);
        take(std::str::from_utf8(trimmed(&value)).map_err(|_| Unfit::NotText(at))?)
    }
}

/// Returns the integer in `value`, if it fits into an `N`.
fn integer<N: TryFrom<u128> + TryFrom<i128>>(value: &[u8], notation: Notation) -> Option<N> {
    let digits = notation.integer(value, MOST_DIGITS).ok()?;
    let push = |sum: u128, digit: &u8| sum.checked_mul(10)?.checked_add(u128::from(digit - b'0'));
    let magnitude = digits.iter().try_fold(0, push)?;
    if !value.starts_with(b"-") {
        return N::try_from(magnitude).ok();
    }
    // Subtract, and do not negate: the magnitude of `i128::MIN` is larger than `i128::MAX`.
    let negative = 0i128.checked_sub_unsigned(magnitude)?;
    N::try_from(negative).ok()
}

/// Writes the methods that read numbers: first those of the types that columns have, then the other integers.
macro_rules! numbers {
    ($($ask:ident $visit:ident $of:expr,)*; $($ask_integer:ident $visit_integer:ident $number:ident,)*) => {
        $(fn $ask<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
            visitor.$visit(self.number($of)?)
        })*
        $(fn $ask_integer<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
            visitor.$visit_integer(self.integer(stringify!($number), [$number::MIN, $number::MAX])?)
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Fields<'_> {
    type Error = Unfit;

    deserialize_sequences!();

    numbers! {
        deserialize_i32 visit_i32 Type::I32,
        deserialize_i64 visit_i64 Type::I64,
        deserialize_u32 visit_u32 Type::U32,
        deserialize_u64 visit_u64 Type::U64,
        deserialize_f32 visit_f32 Type::F32,
        deserialize_f64 visit_f64 Type::F64,;
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i128 visit_i128 i128,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u128 visit_u128 u128,
    }

    /// For types that accept any value: a field that looks like a truth value, an integer or a float is read as such,
    /// any other as a text.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let notation = self.notation();
        self.text(|text| {
            let value = text.as_bytes();
            if let Ok(truth) = text.parse() {
                visitor.visit_bool(truth)
            } else if let Some(number) = numbers::read(value, notation) {
                visitor.visit_u64(number)
            } else if let Some(number) = numbers::read(value, notation) {
                visitor.visit_i64(number)
            } else if let Some(number) = numbers::read(value, notation) {
                visitor.visit_f64(number)
            } else {
                visitor.visit_str(text)
            }
        })
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let at = self.next;
        self.text(|text| match text.parse() {
            Ok(truth) => visitor.visit_bool(truth),
            Err(_) => Err(Unfit::Other(Some(at), "true or false")),
        })
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let at = self.next;
        self.text(|text| match text.parse() {
            Ok(character) => visitor.visit_char(character),
            Err(_) => Err(Unfit::Other(Some(at), "one character")),
        })
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.text(|text| visitor.visit_str(text))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let at = self.pass()?;
        visitor.visit_bytes(trimmed(&self.record.value(at)))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.pass()?;
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        if self.next < self.record.len() && self.record.lacks(self.next) {
            self.next += 1;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Unfit> {
        if name == super::INTEGER {
            let (at, notation) = (self.pass()?, self.notation());
            let value = self.record.value(at);
            let value = trimmed(&value);
            let digits = notation.integer(value, super::MOST_DIGITS).map_err(|no| match no {
                NoInteger::TooLong(_) => Unfit::Refused(Some(at), format!("more than {} digits", super::MOST_DIGITS)),
                _ => Unfit::NoInteger(at, name, String::new()),
            })?;
            let sign = if value.starts_with(b"-") { "-" } else { "" };
            let digits = std::str::from_utf8(&digits).unwrap_or_default();
            let text = format!("{sign}{}", if digits.is_empty() { "0" } else { digits });
            return visitor.visit_newtype_struct(StrDeserializer::new(&text));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_map<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unfit> {
        Err(Unfit::Other(None, "a map"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        self.text(|text| visitor.visit_enum(StrDeserializer::new(text)))
    }
}

/// The elements of a tuple or a struct, or of a list, which has all fields that are left.
struct Elements<'f, 'r> {
    fields: &'f mut Fields<'r>,
    /// How many elements are left; `None` for a list, which takes all fields.
    left: Option<usize>,
}

impl<'de> SeqAccess<'de> for Elements<'_, '_> {
    type Error = Unfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unfit> {
        let start = self.fields.next;
        match &mut self.left {
            Some(0) => return Ok(None),
            Some(left) => *left -= 1,
            None if start == self.fields.record.len() => return Ok(None),
            None => {}
        }
        seed.deserialize(&mut *self.fields).map(Some).map_err(|unfit| match unfit {
            Unfit::Refused(None, what) if self.fields.next == start + 1 => Unfit::Refused(Some(start), what),
            unfit => unfit,
        })
    }
}

#[cfg(test)]
mod tests;
