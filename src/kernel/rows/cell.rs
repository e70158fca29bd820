//! The value of one field in serde's terms. Rows and outputs are lists of such values when they are not in the form of
//! CSV.
//!
//! `pickle` sends rows and outputs as lists of such values, so that a process that does not know the types can print
//! what comes back: a number as a number, a text as a text, a missing value as `None`. A value of a type that pickles
//! do not have is sent as a dictionary that names the type.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt;

/// The value of a field.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Cell<'a> {
    /// No value.
    Missing,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    /// An integer of more than 64 bits.
    Wide(i128),
    /// A positive integer of more than 127 bits.
    Widest(u128),
    Single(f32),
    Double(f64),
    Text(&'a str),
}

/// A [`Cell`] that owns its text.
#[derive(Clone, PartialEq, Debug)]
pub enum Kept {
    /// Anything but a text.
    Value(Cell<'static>),
    /// A text.
    Text(String),
}

impl From<Cell<'_>> for Kept {
    fn from(cell: Cell) -> Self {
        Kept::Value(match cell {
            Cell::Text(text) => return Kept::Text(text.to_string()),
            Cell::Missing => Cell::Missing,
            Cell::Bool(value) => Cell::Bool(value),
            Cell::Signed(value) => Cell::Signed(value),
            Cell::Unsigned(value) => Cell::Unsigned(value),
            Cell::Wide(value) => Cell::Wide(value),
            Cell::Widest(value) => Cell::Widest(value),
            Cell::Single(value) => Cell::Single(value),
            Cell::Double(value) => Cell::Double(value),
        })
    }
}

impl Kept {
    /// Returns the value.
    pub fn cell(&self) -> Cell<'_> {
        match self {
            Kept::Value(cell) => *cell,
            Kept::Text(text) => Cell::Text(text),
        }
    }
}

/// A row or an output in the form in which it is sent: its fields, or, for an output that is an error, what is wrong.
#[derive(Clone, PartialEq, Debug)]
pub enum Sent {
    /// The fields.
    Fields(Vec<Kept>),
    /// The fields of a struct, and their names.
    Named(Vec<String>, Vec<Kept>),
    /// The index of the field at fault among those that the kernel takes, if a single field is at fault; and what is
    /// wrong.
    Bad(Option<usize>, String),
}

/// The keys of the dictionaries that stand for values which pickles do not have.
const SINGLE: &str = "f32";
const INTEGER: &str = "integer";
const BAD: &str = "bad";
const FIELD: &str = "field";
const NAMES: &str = "names";
const VALUES: &str = "values";

/// Serializes a dictionary of one entry.
fn entry<S: Serializer>(serializer: S, name: &str, value: &impl Serialize) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(name, value)?;
    map.end()
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.cell() {
            Cell::Missing => serializer.serialize_none(),
            Cell::Bool(value) => serializer.serialize_bool(value),
            Cell::Signed(value) => serializer.serialize_i64(value),
            Cell::Unsigned(value) => serializer.serialize_u64(value),
            Cell::Double(value) => serializer.serialize_f64(value),
            Cell::Text(text) => serializer.serialize_str(text),
            // Pickles have only floats of 64 bits. Send the type's name too: without it, the receiver would print the
            // value with the digits of such a float.
            Cell::Single(value) => entry(serializer, SINGLE, &f64::from(value)),
            Cell::Wide(value) => entry(serializer, INTEGER, &value.to_string()),
            Cell::Widest(value) => entry(serializer, INTEGER, &value.to_string()),
        }
    }
}

impl Serialize for Sent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // A single value is sent as it is.
            Sent::Fields(fields) => match &fields[..] {
                [field] => field.serialize(serializer),
                fields => fields.serialize(serializer),
            },
            Sent::Named(names, fields) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry(NAMES, names)?;
                map.serialize_entry(VALUES, fields)?;
                map.end()
            }
            Sent::Bad(field, what) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry(BAD, what)?;
                map.serialize_entry(FIELD, &field.map(|field| field as u64))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Sent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values)
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Sent::deserialize(deserializer)? {
            Sent::Fields(mut fields) if fields.len() == 1 => Ok(fields.remove(0)),
            _ => Err(D::Error::custom("a list where a value is expected")),
        }
    }
}

/// Reads whatever a pickle holds as a list of values.
struct Values;

fn one<E>(cell: Cell<'static>) -> Result<Sent, E> {
    Ok(Sent::Fields(vec![Kept::Value(cell)]))
}

impl<'de> Visitor<'de> for Values {
    type Value = Sent;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value, or a list of values")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Sent, E> {
        one(Cell::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Sent, E> {
        one(Cell::Signed(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Sent, E> {
        one(Cell::Unsigned(value))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Sent, E> {
        one(Cell::Double(value))
    }
    fn visit_str<E>(self, text: &str) -> Result<Sent, E> {
        Ok(Sent::Fields(vec![Kept::Text(text.to_string())]))
    }
    fn visit_string<E>(self, text: String) -> Result<Sent, E> {
        Ok(Sent::Fields(vec![Kept::Text(text)]))
    }
    fn visit_none<E>(self) -> Result<Sent, E> {
        one(Cell::Missing)
    }
    fn visit_unit<E>(self) -> Result<Sent, E> {
        one(Cell::Missing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Sent, A::Error> {
        let mut fields = vec![];
        while let Some(field) = list.next_element()? {
            fields.push(field);
        }
        Ok(Sent::Fields(fields))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sent, A::Error> {
        let unknown = || A::Error::custom("a dictionary that is neither a number nor an error");
        let (mut what, mut field, mut names, mut values) = (None, None, None, None);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                SINGLE => return one(Cell::Single(map.next_value::<f64>()? as f32)),
                INTEGER => {
                    let digits: String = map.next_value()?;
                    let wide = digits.parse().map(Cell::Wide);
                    return one(wide.or_else(|_| digits.parse().map(Cell::Widest)).map_err(|_| unknown())?);
                }
                BAD => what = Some(map.next_value::<String>()?),
                FIELD => field = map.next_value::<Option<u64>>()?,
                NAMES => names = Some(map.next_value::<Vec<String>>()?),
                VALUES => values = Some(map.next_value::<Vec<Kept>>()?),
                _ => return Err(unknown()),
            }
        }
        match (what, names, values) {
            (Some(what), None, None) => Ok(Sent::Bad(field.map(|field| field as usize), what)),
            (None, Some(names), Some(values)) => Ok(Sent::Named(names, values)),
            _ => Err(unknown()),
        }
    }
}
