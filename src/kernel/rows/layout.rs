//! What fields a type of rows has: how many, of which types, and under which names. No row is needed to find out: serde
//! makes a value of the type from made-up fields, and this module notes what serde asks for.
//!
//! The file has more than 300 lines because serde has a method for each kind of value.

use crate::kernel::columns::types::Type;
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt::{self, Display};

/// A field of a row.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Field {
    /// Its name, and then its aliases. Empty if the field has no name, as in a tuple.
    pub names: Vec<&'static str>,
    /// The type of the field, if it is a number of a type that columns have.
    pub number: Option<Type>,
    /// Whether the value may be missing.
    pub may_lack: bool,
}

/// The fields of a type of rows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Layout {
    /// The fields, in order.
    pub fields: Vec<Field>,
    /// Whether a row may have more fields, or the type does not tell how many it has.
    pub is_open: bool,
    /// Why rows cannot have this type.
    pub refused: Option<&'static str>,
}

/// Texts that are tried for a type that is made from a text: some of these types accept only certain texts.
const TEXTS: [&str; 6] = ["1", "2000-01-01", "00:00:00", "2000-01-01T00:00:00Z", "127.0.0.1", "a"];

impl Layout {
    /// Returns the fields of the row type `R`.
    pub fn of<R: DeserializeOwned>() -> Self {
        let whole = trace::<R>(&[]);
        if whole.keys.is_empty() || whole.refused.is_some() {
            // If no value could be made, a field refused all the texts that were tried, and the fields behind it are
            // not known.
            let is_open = whole.is_open || !whole.is_made;
            return Layout { fields: whole.fields, is_open, refused: whole.refused };
        }
        // The fields of a struct can be asked for one by one.
        let (mut layout, mut is_named) = (Layout::default(), true);
        for names in groups::<R>(&whole.keys) {
            let mut found = trace::<R>(&names[..1]);
            layout.is_open |= found.is_open || found.is_nested && !found.is_made;
            layout.refused = layout.refused.or(found.refused);
            if let ([field], false) = (&mut found.fields[..], found.is_nested) {
                field.names = names;
            }
            is_named &= found.fields.iter().all(|field| !field.names.is_empty());
            layout.fields.append(&mut found.fields);
        }
        if !is_named {
            layout.fields.iter_mut().for_each(|field| field.names.clear());
        }
        layout
    }

    /// Returns the number of fields of every row, if the type tells it.
    pub fn count(&self) -> Option<usize> {
        (!self.is_open).then_some(self.fields.len())
    }

    /// If each field of a row is a number whose type a column can have: returns for each field its type, and whether
    /// its value may be missing.
    pub fn numbers(&self) -> Option<Vec<(Type, bool)>> {
        let number = |field: &Field| Some((field.number?, field.may_lack));
        self.count().and_then(|_| self.fields.iter().map(number).collect())
    }

    /// Returns the name and the aliases of each field. Returns an empty list if the number of fields is not known, or
    /// if some field has no name.
    pub fn names(&self) -> Vec<Vec<&'static str>> {
        let is_named = self.count().is_some() && self.fields.iter().all(|field| !field.names.is_empty());
        if is_named { self.fields.iter().map(|field| field.names.clone()).collect() } else { vec![] }
    }
}

/// Returns a made-up row. Its numbers are 1, and each of its texts is the first of [`TEXTS`] with which a row can be
/// made.
pub fn sample<R: DeserializeOwned>() -> Option<R> {
    let made = |text| {
        let mut found = Found::default();
        R::deserialize(Tracer { text, found: &mut found, is_top: true, may_lack: false, only: &[] }).ok()
    };
    TEXTS.into_iter().find_map(made)
}

/// Returns the names of a struct's fields, each with its aliases. `keys` are all these names; the names of one field
/// follow each other.
fn groups<R: DeserializeOwned>(keys: &[&'static str]) -> Vec<Vec<&'static str>> {
    let mut groups: Vec<Vec<&'static str>> = vec![];
    for &key in keys {
        // A struct refuses a field that is given twice, under its name or an alias, and the error has the field's name.
        // So two keys that are refused together belong to one field.
        let last = groups.last_mut().and_then(|last| Some((trace::<R>(&[last[0], key]).twice?, last)));
        match last {
            Some((own, last)) if own == key => last.insert(0, key),
            Some((_, last)) => last.push(key),
            None => groups.push(vec![key]),
        }
    }
    groups
}

/// What was noted about a type in an attempt to make a value of it.
#[derive(Default)]
struct Found {
    fields: Vec<Field>,
    is_open: bool,
    refused: Option<&'static str>,
    /// The names of the fields of a struct, aliases among them.
    keys: Vec<&'static str>,
    /// Whether a value of the type was made. If only some fields of a struct were offered, whether a value was made for
    /// the last of them.
    is_made: bool,
    /// Whether the row has tuples, structs or lists in it.
    is_nested: bool,
    /// The field that was given twice, if one was.
    twice: Option<&'static str>,
}

/// Tries to make a value of type `R`. A struct is given the fields whose names are in `only`, or all fields if `only`
/// is empty.
fn trace<R: DeserializeOwned>(only: &[&'static str]) -> Found {
    let mut found = Found::default();
    for text in TEXTS {
        found = Found::default();
        let made = R::deserialize(Tracer { text, found: &mut found, is_top: true, may_lack: false, only });
        found.is_made |= made.is_ok();
        found.twice = if let Err(Untraced::Twice(own)) = made { Some(own) } else { None };
        if found.is_made || found.twice.is_some() || found.refused.is_some() {
            break;
        }
    }
    found
}

/// Why no value was made.
#[derive(Debug)]
enum Untraced {
    /// This field was given twice.
    Twice(&'static str),
    /// Anything else.
    Other,
}

impl Display for Untraced {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("no value is made")
    }
}

impl std::error::Error for Untraced {}

impl de::Error for Untraced {
    fn custom<T: Display>(_: T) -> Self {
        Untraced::Other
    }
    fn duplicate_field(name: &'static str) -> Self {
        Untraced::Twice(name)
    }
}

/// A deserializer that notes what it is asked for, and gives values that most types accept.
struct Tracer<'t> {
    text: &'static str,
    found: &'t mut Found,
    /// Whether this is the whole row.
    is_top: bool,
    /// Whether the value may be missing.
    may_lack: bool,
    /// The names of the fields for which a struct is given values. If the list is empty, the struct is given values for
    /// all its fields.
    only: &'t [&'static str],
}

impl<'t> Tracer<'t> {
    fn note(self, number: Option<Type>) {
        self.found.fields.push(Field { names: vec![], number, may_lack: self.may_lack });
    }

    /// Returns access to the elements of a tuple, a struct or a list, of which there are at most `left`.
    fn elements(self, left: usize) -> Elements<'t> {
        self.found.is_nested |= !self.is_top || self.may_lack;
        Elements { text: self.text, found: self.found, left }
    }

    fn refuse<T>(self, what: &'static str) -> Result<T, Untraced> {
        self.found.refused = Some(what);
        Err(Untraced::Other)
    }
}

/// Notes a field, and gives a value for it.
macro_rules! fields {
    ($($ask:ident $number:expr => $visit:ident $value:expr,)*) => { $(
        fn $ask<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraced> {
            let text = self.text;
            self.note($number);
            let value: fn(&'static str) -> _ = $value;
            visitor.$visit(value(text))
        }
    )* };
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Untraced;

    fields! {
        deserialize_i32 Some(Type::I32) => visit_i32 |_| 1,
        deserialize_i64 Some(Type::I64) => visit_i64 |_| 1,
        deserialize_u32 Some(Type::U32) => visit_u32 |_| 1,
        deserialize_u64 Some(Type::U64) => visit_u64 |_| 1,
        deserialize_f32 Some(Type::F32) => visit_f32 |_| 1.0,
        deserialize_f64 Some(Type::F64) => visit_f64 |_| 1.0,
        deserialize_i8 None => visit_i8 |_| 1,
        deserialize_i16 None => visit_i16 |_| 1,
        deserialize_i128 None => visit_i128 |_| 1,
        deserialize_u8 None => visit_u8 |_| 1,
        deserialize_u16 None => visit_u16 |_| 1,
        deserialize_u128 None => visit_u128 |_| 1,
        deserialize_bool None => visit_bool |_| true,
        deserialize_char None => visit_char |_| 'x',
        deserialize_str None => visit_str |text| text,
        deserialize_string None => visit_str |text| text,
        deserialize_identifier None => visit_str |text| text,
        deserialize_bytes None => visit_bytes str::as_bytes,
        deserialize_byte_buf None => visit_bytes str::as_bytes,
        deserialize_any None => visit_str |text| text,
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraced> {
        self.note(None);
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraced> {
        visitor.visit_some(Tracer { may_lack: true, ..self })
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraced> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Untraced> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Untraced> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraced> {
        self.found.is_open = true;
        visitor.visit_seq(self.elements(1))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Untraced> {
        visitor.visit_seq(self.elements(count))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Untraced> {
        visitor.visit_seq(self.elements(count))
    }

    fn deserialize_map<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Untraced> {
        self.refuse("a row cannot be a map, which #[serde(flatten)] makes too: its fields have to be known")
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Untraced> {
        if !self.is_top {
            return visitor.visit_seq(self.elements(usize::MAX));
        }
        self.found.keys = keys.to_vec();
        match self.only {
            [] => visitor.visit_seq(self.elements(usize::MAX)),
            only => visitor.visit_map(Keyed { text: self.text, found: self.found, left: only }),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Untraced> {
        self.note(None);
        visitor.visit_enum(StrDeserializer::new(variants.first().copied().unwrap_or_default()))
    }
}

/// Gives serde the elements of a tuple, a struct or a list, and notes them in `found`.
struct Elements<'t> {
    text: &'static str,
    found: &'t mut Found,
    left: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Untraced;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Untraced> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let tracer = Tracer { text: self.text, found: self.found, is_top: false, may_lack: false, only: &[] };
        seed.deserialize(tracer).map(Some)
    }
}

/// Gives serde made-up values for the fields `left` of a struct, by name, and notes these fields in `found`.
struct Keyed<'t> {
    text: &'static str,
    found: &'t mut Found,
    left: &'t [&'static str],
}

impl<'de> MapAccess<'de> for Keyed<'_> {
    type Error = Untraced;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Untraced> {
        let Some((key, left)) = self.left.split_first() else { return Ok(None) };
        self.left = left;
        seed.deserialize(StrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Untraced> {
        let tracer = Tracer { text: self.text, found: self.found, is_top: false, may_lack: false, only: &[] };
        let made = seed.deserialize(tracer);
        self.found.is_made = made.is_ok();
        made
    }
}

#[cfg(test)]
mod tests;
