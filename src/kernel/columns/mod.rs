//! Rows as typed columns: each column is one array of values, in the layout that Apache Arrow has for it. A kernel that
//! takes columns reads numbers without parsing, and every language can view such arrays without copying them.
//!
//! [`types`] says what columns a kernel takes. [`numbers`] finds the value of a field. It gives no value to an integer
//! that does not fit into its type; a float has the value that Rust's parser finds. [`rows`] reads rows of CSV into
//! columns, and [`results`] prints what a kernel has made of them. `methods` has the methods that are the same in all
//! kernels of columns. [`pickled`] has the form in which the executor `pickle` sends columns.

pub mod decimal;
#[cfg(feature = "compare")]
pub mod methods;
pub mod numbers;
mod pickled;
pub mod results;
pub mod rows;
pub mod types;

use types::Type;

/// Which values of a column are present: one bit each, 1 if the value is present, beginning with the lowest bit of a
/// byte.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Validity {
    bytes: Vec<u8>,
    len: usize,
}

impl Validity {
    /// Returns the validity of `len` values that are all present.
    pub fn all(len: usize) -> Self {
        Validity { bytes: vec![0xff; len.div_ceil(8)], len }
    }

    /// Returns whether the value at `at` is present.
    pub fn get(&self, at: usize) -> bool {
        self.bytes[at / 8] >> (at % 8) & 1 == 1
    }

    /// Appends whether the next value is present.
    pub fn push(&mut self, is_there: bool) {
        if self.len.is_multiple_of(8) {
            self.bytes.push(0xff);
        }
        let bit = 1 << (self.len % 8);
        let byte = &mut self.bytes[self.len / 8];
        *byte = if is_there { *byte | bit } else { *byte & !bit };
        self.len += 1;
    }

    /// Marks the next `count` values as present.
    fn extend(&mut self, count: usize) {
        let last = self.len % 8;
        if last > 0 {
            self.bytes[self.len / 8] |= 0xff << last;
        }
        self.len += count;
        self.bytes.resize(self.len.div_ceil(8), 0xff);
    }

    fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.bytes.truncate(self.len.div_ceil(8));
    }

    /// Returns the bytes for the values from `at` on, as if there were no values before them.
    pub fn from(&self, at: usize) -> Vec<u8> {
        if at.is_multiple_of(8) {
            return self.bytes[at / 8..].to_vec();
        }
        let mut rest = Validity::default();
        (at..self.len).for_each(|at| rest.push(self.get(at)));
        rest.bytes
    }
}

/// Texts, one behind the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Texts {
    /// The offset in `bytes` at which each text begins, followed by the end of the last one.
    pub offsets: Vec<i32>,
    /// The bytes of all texts. They are UTF-8.
    pub bytes: Vec<u8>,
}

impl Default for Texts {
    fn default() -> Self {
        Texts { offsets: vec![0], bytes: vec![] }
    }
}

impl Texts {
    /// Returns the number of texts.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Returns the text at index `at`.
    pub fn get(&self, at: usize) -> &[u8] {
        &self.bytes[self.offsets[at] as usize..self.offsets[at + 1] as usize]
    }

    /// Appends a text. All texts of a block together have less than 2^31 bytes, because the block itself has.
    pub fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.offsets.push(self.bytes.len() as i32);
    }

    fn truncate(&mut self, len: usize) {
        self.offsets.truncate(len + 1);
        self.bytes.truncate(self.offsets.last().copied().unwrap_or_default() as usize);
    }
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Values {
    I32(Vec<i32>),
    I64(Vec<i64>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Text(Texts),
    Bool(Vec<bool>),
}

/// Evaluates one expression if the values are numbers or truth values, of whatever type, and another if they are texts.
macro_rules! with_values {
    ($values:expr, $numbers:ident => $same:expr, $texts:ident => $other:expr) => {
        match $values {
            $crate::kernel::columns::Values::I32($numbers) => $same,
            $crate::kernel::columns::Values::I64($numbers) => $same,
            $crate::kernel::columns::Values::U32($numbers) => $same,
            $crate::kernel::columns::Values::U64($numbers) => $same,
            $crate::kernel::columns::Values::F32($numbers) => $same,
            $crate::kernel::columns::Values::F64($numbers) => $same,
            $crate::kernel::columns::Values::Bool($numbers) => $same,
            $crate::kernel::columns::Values::Text($texts) => $other,
        }
    };
}
pub(crate) use with_values;

impl Values {
    /// Returns an empty list of values of this type.
    pub fn new(of: Type) -> Self {
        match of {
            Type::I32 => Values::I32(vec![]),
            Type::I64 | Type::Int => Values::I64(vec![]),
            Type::U32 => Values::U32(vec![]),
            Type::U64 => Values::U64(vec![]),
            Type::F32 => Values::F32(vec![]),
            Type::F64 => Values::F64(vec![]),
            Type::Text => Values::Text(Texts::default()),
            Type::Bool => Values::Bool(vec![]),
        }
    }

    /// Returns the type of the values.
    pub fn of(&self) -> Type {
        match self {
            Values::I32(_) => Type::I32,
            Values::I64(_) => Type::I64,
            Values::U32(_) => Type::U32,
            Values::U64(_) => Type::U64,
            Values::F32(_) => Type::F32,
            Values::F64(_) => Type::F64,
            Values::Text(_) => Type::Text,
            Values::Bool(_) => Type::Bool,
        }
    }

    /// Returns the number of values.
    pub fn len(&self) -> usize {
        with_values!(self, numbers => numbers.len(), texts => texts.len())
    }

    fn truncate(&mut self, len: usize) {
        with_values!(self, numbers => numbers.truncate(len), texts => texts.truncate(len));
    }
}

/// A column of values.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Column {
    /// The values, with 0 or no text in place of those that are missing.
    pub values: Values,
    /// Which of the values are present; `None` if all are.
    pub validity: Option<Validity>,
    /// In a column of integers of any size, those of more than 64 bits, in the order of rows: the index of the row, and
    /// the integer in decimal digits, behind a minus if it is negative. `values` has zeros in their places.
    #[serde(skip)]
    pub large: Vec<(usize, Vec<u8>)>,
}

impl Column {
    /// Returns an empty column of this type. `may_lack` says whether values in it may be missing.
    pub fn new(of: Type, may_lack: bool) -> Self {
        Column { values: Values::new(of), validity: may_lack.then(Validity::default), large: vec![] }
    }

    /// Appends an integer of more than 64 bits to a column of integers of any size.
    pub fn push_large(&mut self, digits: Vec<u8>) {
        if let Values::I64(values) = &mut self.values {
            self.large.push((values.len(), digits));
            values.push(0);
        }
    }

    /// Returns the digits of the integer at `at` if it has more than 64 bits.
    pub fn large_at(&self, at: usize) -> Option<&[u8]> {
        if self.large.is_empty() {
            return None;
        }
        let found = self.large.binary_search_by_key(&at, |(row, _)| *row).ok()?;
        Some(&self.large[found].1)
    }

    /// Returns whether the value at `at` is present.
    pub fn has(&self, at: usize) -> bool {
        self.validity.as_ref().is_none_or(|validity| validity.get(at))
    }

    /// Appends a missing value. In a column in which values may not be missing, it becomes 0 or an empty text.
    fn push_missing(&mut self) {
        with_values!(&mut self.values, numbers => numbers.push(Default::default()), texts => texts.push(b""));
        if let Some(validity) = &mut self.validity {
            validity.push(false);
        }
    }

    /// Marks the values that were appended since the last call as present.
    fn note_values(&mut self) {
        if let Some(validity) = &mut self.validity {
            validity.extend(self.values.len() - validity.len);
        }
    }

    fn truncate(&mut self, len: usize) {
        self.values.truncate(len);
        while self.large.pop_if(|(row, _)| *row >= len).is_some() {}
        if let Some(validity) = &mut self.validity {
            validity.truncate(len);
        }
    }
}

/// Rows of equally many fields, as columns.
#[derive(Clone, Debug, PartialEq, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Columns {
    /// The columns, each with a value for every row.
    pub columns: Vec<Column>,
    /// The number of rows.
    #[serde(skip)]
    pub rows: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_kept_however_they_come() {
        let is_there = |at: usize| !at.is_multiple_of(3) && at != 11;
        for len in 0..40 {
            let mut validity = Validity::default();
            (0..len).for_each(|at| validity.push(is_there(at)));
            for from in 0..=len {
                let rest = validity.from(from);
                assert!((from..len).all(|at| (rest[(at - from) / 8] >> ((at - from) % 8) & 1 == 1) == is_there(at)));
            }
            let mut more = validity.clone();
            more.truncate(len / 2);
            more.extend(9);
            assert!(
                (0..len / 2).all(|at| more.get(at) == is_there(at)) && (len / 2..len / 2 + 9).all(|at| more.get(at))
            );
        }
        assert_eq!(Validity::all(9).bytes, [0xff, 0xff]);
    }

    #[test]
    fn texts_and_missing_values_can_be_taken_back() {
        let mut column = Column::new(Type::Text, true);
        let Values::Text(texts) = &mut column.values else { panic!() };
        texts.push("é".as_bytes());
        column.note_values();
        column.push_missing();
        assert_eq!((column.values.len(), column.has(0), column.has(1)), (2, true, false));
        column.truncate(1);
        let Values::Text(texts) = &column.values else { panic!() };
        assert_eq!((texts.len(), texts.get(0), texts.bytes.len()), (1, "é".as_bytes(), 2));
    }
}
