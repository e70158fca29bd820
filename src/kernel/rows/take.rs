//! Turns a list of cells into a value of any type that serde knows. The cells are a row's, from columns or from what
//! `pickle` has sent.

use super::cell::{Cell, Kept};
use crate::kernel::columns::{Column, Values};
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use std::fmt::{self, Display};

/// Where cells come from, one after the other.
pub trait Source {
    /// Returns the next cell, without passing over it.
    fn peek(&self) -> Option<Cell<'_>>;
    /// Passes over the next cell, which must exist.
    fn pass(&mut self);
}

/// The cells of one row in columns.
pub struct InColumns<'c> {
    /// The columns that are left.
    pub columns: &'c [Column],
    /// The index of the row.
    pub row: usize,
}

impl Source for InColumns<'_> {
    #[inline(always)]
    fn peek(&self) -> Option<Cell<'_>> {
        let (column, row) = (self.columns.first()?, self.row);
        Some(match &column.values {
            _ if !column.has(row) => Cell::Missing,
            Values::I32(values) => Cell::Signed(values[row].into()),
            Values::I64(values) => Cell::Signed(values[row]),
            Values::U32(values) => Cell::Unsigned(values[row].into()),
            Values::U64(values) => Cell::Unsigned(values[row]),
            Values::F32(values) => Cell::Single(values[row]),
            Values::F64(values) => Cell::Double(values[row]),
            // Kernels in Rust have no columns of truth values.
            Values::Bool(_) => return None,
            Values::Text(texts) => Cell::Text(std::str::from_utf8(texts.get(row)).unwrap_or_default()),
        })
    }

    #[inline(always)]
    fn pass(&mut self) {
        self.columns = &self.columns[1..];
    }
}

/// Cells in a list.
pub struct InList<'c>(pub &'c [Kept]);

impl Source for InList<'_> {
    fn peek(&self) -> Option<Cell<'_>> {
        self.0.first().map(Kept::cell)
    }
    fn pass(&mut self) {
        self.0 = &self.0[1..];
    }
}

/// The error that cells do not make a value. It does not say what is wrong, because a bad row is read again from its
/// text, and the error of that attempt says it.
#[derive(Debug)]
pub struct Unfit;

impl Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the fields do not make a row")
    }
}

impl std::error::Error for Unfit {}

impl de::Error for Unfit {
    fn custom<T: Display>(_: T) -> Self {
        Unfit
    }
}

/// Writes the methods of a `Deserializer` that read a value made of several fields, or of none. For several fields they
/// call the method `elements` with the number of fields, or with `None` for all that are left. It must return a
/// `SeqAccess` to these fields.
macro_rules! deserialize_sequences {
    () => {
        fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
            visitor.visit_unit()
        }

        fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unfit> {
            visitor.visit_unit()
        }

        fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
            visitor.visit_seq(self.elements(None))
        }

        #[inline]
        fn deserialize_tuple<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Unfit> {
            visitor.visit_seq(self.elements(Some(count)))
        }

        #[inline]
        fn deserialize_tuple_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            count: usize,
            visitor: V,
        ) -> Result<V::Value, Unfit> {
            visitor.visit_seq(self.elements(Some(count)))
        }

        #[inline]
        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            _: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Unfit> {
            // A struct asks for as many elements as it has fields, so no limit is needed here.
            visitor.visit_seq(self.elements(Some(usize::MAX)))
        }
    };
}
pub(super) use deserialize_sequences;

/// Makes values from the cells of a source.
pub struct Taken<S>(pub S);

impl<S: Source> Taken<S> {
    /// Returns the next `count` cells as elements; `None` stands for all that are left.
    #[inline(always)]
    fn elements(&mut self, count: Option<usize>) -> Elements<'_, S> {
        Elements { taken: self, left: count.unwrap_or(usize::MAX) }
    }
}

impl<'de, S: Source> Deserializer<'de> for &mut Taken<S> {
    type Error = Unfit;

    deserialize_sequences!();

    #[inline(always)]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let value = match self.0.peek().ok_or(Unfit)? {
            Cell::Missing => visitor.visit_unit(),
            Cell::Bool(value) => visitor.visit_bool(value),
            Cell::Signed(value) => visitor.visit_i64(value),
            Cell::Unsigned(value) => visitor.visit_u64(value),
            Cell::Wide(value) => visitor.visit_i128(value),
            Cell::Widest(value) => visitor.visit_u128(value),
            Cell::Single(value) => visitor.visit_f32(value),
            Cell::Double(value) => visitor.visit_f64(value),
            Cell::Text(text) => visitor.visit_str(text),
        };
        self.0.pass();
        value
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        if self.0.peek() == Some(Cell::Missing) {
            self.0.pass();
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        let value = match self.0.peek() {
            Some(Cell::Text(name)) => visitor.visit_enum(StrDeserializer::new(name)),
            _ => Err(Unfit),
        };
        self.0.pass();
        value
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf map identifier ignored_any
    }
}

/// The elements of a list, of a tuple or of a struct.
struct Elements<'t, S> {
    taken: &'t mut Taken<S>,
    /// How many elements are left. Above `usize::MAX / 2`: all cells that the source still has.
    left: usize,
}

impl<'de, S: Source> SeqAccess<'de> for Elements<'_, S> {
    type Error = Unfit;

    #[inline(always)]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unfit> {
        if self.left == 0 || self.left > usize::MAX / 2 && self.taken.0.peek().is_none() {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.taken).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        (self.left <= usize::MAX / 2).then_some(self.left)
    }
}
