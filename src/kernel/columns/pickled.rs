//! Columns in the form in which the executor `pickle` sends them by serde: `{"f64": [1.5, 2.0]}` for each column, and
//! which values are present. What is read back is checked: columns must be equally long, and texts must be UTF-8.

use super::results::{BadResult, Results};
use super::rows::Typed;
use super::{Column, Columns, Texts, Validity, Values};
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

/// A column.
#[derive(serde::Serialize, serde::Deserialize)]
struct Plain {
    values: PlainValues,
    there: Option<Vec<bool>>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum PlainValues {
    I32(Vec<i32>),
    I64(Vec<i64>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Text(Vec<String>),
    Bool(Vec<bool>),
}

impl From<&Column> for Plain {
    fn from(column: &Column) -> Self {
        let values = match &column.values {
            Values::I32(values) => PlainValues::I32(values.clone()),
            Values::I64(values) => PlainValues::I64(values.clone()),
            Values::U32(values) => PlainValues::U32(values.clone()),
            Values::U64(values) => PlainValues::U64(values.clone()),
            Values::F32(values) => PlainValues::F32(values.clone()),
            Values::F64(values) => PlainValues::F64(values.clone()),
            Values::Text(texts) => {
                let text = |at| String::from_utf8_lossy(texts.get(at)).into_owned();
                PlainValues::Text((0..texts.len()).map(text).collect())
            }
            Values::Bool(values) => PlainValues::Bool(values.clone()),
        };
        let there = |validity: &Validity| (0..column.values.len()).map(|at| validity.get(at)).collect();
        Plain { values, there: column.validity.as_ref().map(there) }
    }
}

impl TryFrom<Plain> for Column {
    type Error = &'static str;

    fn try_from(plain: Plain) -> Result<Self, &'static str> {
        let values = match plain.values {
            PlainValues::I32(values) => Values::I32(values),
            PlainValues::I64(values) => Values::I64(values),
            PlainValues::U32(values) => Values::U32(values),
            PlainValues::U64(values) => Values::U64(values),
            PlainValues::F32(values) => Values::F32(values),
            PlainValues::F64(values) => Values::F64(values),
            PlainValues::Text(list) => {
                if list.iter().map(String::len).sum::<usize>() > i32::MAX as usize {
                    return Err("more text than a block holds");
                }
                let mut texts = Texts::default();
                list.iter().for_each(|text| texts.push(text.as_bytes()));
                Values::Text(texts)
            }
            PlainValues::Bool(values) => Values::Bool(values),
        };
        let mut validity = None;
        if let Some(there) = plain.there {
            if there.len() != values.len() {
                return Err("not one mark for each value");
            }
            there.into_iter().for_each(|there| validity.get_or_insert_with(Validity::default).push(there));
            validity.get_or_insert_with(Validity::default);
        }
        Ok(Column { values, validity, large: vec![] })
    }
}

impl Serialize for Columns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.columns.iter().map(Plain::from).collect::<Vec<_>>().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let plain = Vec::<Plain>::deserialize(deserializer)?;
        let columns: Vec<Column> =
            plain.into_iter().map(Column::try_from).collect::<Result<_, _>>().map_err(D::Error::custom)?;
        let rows = columns.first().map_or(0, |column| column.values.len());
        match columns.iter().all(|column| column.values.len() == rows) {
            true => Ok(Columns { columns, rows }),
            false => Err(D::Error::custom("columns of different lengths")),
        }
    }
}

impl Serialize for Typed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.parts.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Typed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Typed { parts: Vec::deserialize(deserializer)? })
    }
}

impl Serialize for Results {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.columns, self.rows, &self.bad).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Results {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (columns, rows, bad): (Columns, usize, Vec<BadResult>) = Deserialize::deserialize(deserializer)?;
        if columns.rows > rows {
            return Err(D::Error::custom("more results than rows"));
        }
        if !bad.is_sorted_by(|one, next| one.row < next.row) || bad.last().is_some_and(|last| last.row >= columns.rows)
        {
            return Err(D::Error::custom("bad rows out of order"));
        }
        Ok(Results { columns, rows, bad })
    }
}
