//! Pickles rows and outputs, and unpickles them.
//!
//! serde-pickle can write integers above 2^63 - 1 but cannot read them into an integer type of Rust. Therefore a pickle
//! is first read into serde-pickle's own values, and `Unpickled` passes these to serde.

use crate::error::printable;
use crate::work::opcodes::is_plain;
use serde::Serialize;
use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_pickle::{DeOptions, Error, SerOptions, Value};

/// Appends the pickle of `value` to `pickle`. Error messages call the value `name`.
///
/// # Errors
/// If the value has a type that cannot be pickled.
pub fn pickle<T: Serialize>(name: &str, value: &T, pickle: &mut Vec<u8>) -> Result<(), crate::error::Error> {
    let pickled = serde_pickle::to_writer(pickle, value, SerOptions::new());
    pickled.map_err(|error| crate::error::Error::defect(format!("the {name} cannot be pickled: {error}")))
}

/// Returns the value in this pickle. Error messages call the value `name`.
///
/// # Errors
/// If these bytes are not a pickle, or not one of a `T`.
pub fn unpickle<T: DeserializeOwned>(name: &str, pickle: &[u8]) -> Result<T, crate::error::Error> {
    let value = serde_pickle::value_from_slice(pickle, DeOptions::new());
    let value = value.and_then(|value| T::deserialize(Unpickled(value)));
    value.map_err(|error| {
        let what = printable(error.to_string().as_ref());
        crate::error::Error::defect(format!("the {name} cannot be unpickled: {what}"))
    })
}

/// Does what [`unpickle`] does, for bytes from a worker. Such bytes may be anything, so pickles that [`pickle`] would
/// not make are refused before they are unpickled.
///
/// # Errors
/// If these bytes are not a pickle of a `T` such as [`pickle`] makes.
pub fn unpickle_untrusted<T: DeserializeOwned>(name: &str, pickle: &[u8]) -> Result<T, crate::error::Error> {
    if !is_plain(pickle) {
        return Err(crate::error::Error::workers(format!("a worker has sent {name} that are not what it was to send")));
    }
    unpickle(name, pickle)
}

struct Unpickled(Value);

impl IntoDeserializer<'_, Error> for Unpickled {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Unpickled {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Int(integer) => {
                match (u64::try_from(&integer), i128::try_from(&integer), u128::try_from(&integer)) {
                    (Ok(integer), ..) => visitor.visit_u64(integer),
                    (_, Ok(integer), _) => visitor.visit_i128(integer),
                    (.., Ok(integer)) => visitor.visit_u128(integer),
                    _ => Err(Error::custom("an integer of more than 128 bits")),
                }
            }
            Value::List(values) | Value::Tuple(values) => {
                visitor.visit_seq(SeqDeserializer::new(values.into_iter().map(Unpickled)))
            }
            Value::Dict(values) => {
                let values = values.into_iter().map(|(key, value)| (Unpickled(key.into_value()), Unpickled(value)));
                visitor.visit_map(MapDeserializer::new(values))
            }
            Value::None => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::I64(value) => visitor.visit_i64(value),
            Value::F64(value) => visitor.visit_f64(value),
            Value::Bytes(value) => visitor.visit_byte_buf(value),
            Value::String(value) => visitor.visit_string(value),
            Value::Set(values) | Value::FrozenSet(values) => {
                visitor.visit_seq(SeqDeserializer::new(values.into_iter().map(|value| Unpickled(value.into_value()))))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::None => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::String(variant) => variant.into_deserializer().deserialize_enum(name, variants, visitor),
            Value::Dict(variant) => {
                let variant = variant.into_iter().map(|(key, value)| (Unpickled(key.into_value()), Unpickled(value)));
                let variant = MapAccessDeserializer::new(MapDeserializer::new(variant));
                variant.deserialize_enum(name, variants, visitor)
            }
            _ => Err(Error::custom("no variant")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    enum Shape {
        Point,
        Circle(u64),
        Box { width: u64 },
    }

    #[test]
    fn what_was_pickled_comes_back() {
        fn comes_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: T) {
            let mut bytes = vec![];
            pickle("value", &value, &mut bytes).unwrap();
            assert_eq!(unpickle_untrusted::<T>("value", &bytes).unwrap(), value);
        }
        comes_back([0u64, 1, 1 << 31, 1 << 63, u64::MAX]);
        comes_back((i64::MIN, -1i8, 2.5f64, 'x', "text".to_string()));
        comes_back((Some(u64::MAX), None::<u8>, vec![(1u8, true)], BTreeMap::from([(u64::MAX, "a".to_string())])));
        comes_back([Shape::Point, Shape::Circle(u64::MAX), Shape::Box { width: 7 }]);
    }

    #[test]
    fn what_is_no_pickle_or_another_is_refused() {
        let mut bytes = vec![];
        pickle("value", &[300u64], &mut bytes).unwrap();
        assert!(unpickle::<Vec<u8>>("value", &bytes).is_err());
        assert!(unpickle::<Vec<u64>>("value", &bytes[..3]).is_err());
        assert!(unpickle_untrusted::<Vec<u64>>("value", b"]N2\x862\x86.").is_err());
    }

    #[test]
    fn what_is_said_of_a_pickle_has_nothing_in_it_that_a_terminal_would_obey() {
        let mut bytes = vec![];
        pickle("value", &"\x1b[7m", &mut bytes).unwrap();
        let error = unpickle::<Shape>("value", &bytes).unwrap_err().to_string();
        assert!(error.contains("\\u{1b}[7m"), "{error}");
    }
}
