//! Columns in the form in which the executor `pickle` sends them by serde: `{"f64": [1.5, 2.0]}` for each column, with
//! a note of which of its values are present. What is read back is checked: columns must be equally long, and texts
//! must be UTF-8.

use super::results::{BadResult, Results};
use super::{Column, Columns, Texts, Validity};
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((0..self.len()).map(|at| String::from_utf8_lossy(self.get(at))))
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let list = Vec::<String>::deserialize(deserializer)?;
        if list.iter().map(String::len).sum::<usize>() > i32::MAX as usize {
            return Err(D::Error::custom("more text than a block holds"));
        }
        let mut texts = Texts::default();
        list.iter().for_each(|text| texts.push(text.as_bytes()));
        Ok(texts)
    }
}

impl Serialize for Validity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((0..self.len).map(|at| self.get(at)))
    }
}

impl<'de> Deserialize<'de> for Validity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut validity = Validity::default();
        Vec::deserialize(deserializer)?.into_iter().for_each(|is_there| validity.push(is_there));
        Ok(validity)
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let columns = Vec::<Column>::deserialize(deserializer)?;
        let rows = columns.first().map_or(0, |column| column.values.len());
        let is_whole = |column: &Column| column.validity.as_ref().is_none_or(|validity| validity.len == rows);
        if columns.iter().any(|column| column.values.len() != rows) {
            return Err(D::Error::custom("columns of different lengths"));
        }
        match columns.iter().all(is_whole) {
            true => Ok(Columns { columns, rows }),
            false => Err(D::Error::custom("not one mark for each value")),
        }
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
