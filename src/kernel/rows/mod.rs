//! Makes every [`Kernel`] a [`BatchKernel`], by reading rows of any type that serde knows, and writing outputs of any
//! such type.
//!
//! [`layout`] learns once what fields a type of rows has. If all fields are numbers, and of types that columns can
//! have, many rows are read at a time. They are first read into columns, and [`take`] then makes rows from the columns.
//! Other rows are read from their text one by one, by [`record`]. [`outputs`] writes outputs; [`mod@write`] takes each
//! one apart into its values, the [`cell`]s.

mod cell;
mod layout;
pub mod names;
mod outputs;
mod record;
mod take;
mod write;

use super::batch::{Batch, BatchKernel, Other, Written, read_each};
use super::columns::Columns;
use super::columns::rows::{GROUP, Parser};
use super::columns::types::{Input, Signature};
use super::{Kernel, Row};
use crate::bad_row::BadRow;
use crate::csv::Format;
use crate::csv::index::Rows as Found;
use crate::csv::notation::may_be_number;
use crate::csv::record::Record;
use cell::Sent;
use layout::Layout;
use names::Width;
use outputs::{Known, Outputs};
use record::read;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use std::ops::Range;
use take::{InColumns, InList, Taken};

/// The name that `Integer` gives to serde when it is deserialized. By this name [`record`] knows that the integer may
/// have any size.
pub const INTEGER: &str = "pmapgcd::Integer";

/// The most digits of an [`Integer`](crate::Integer), which has no fixed width. The stock kernel has the same limit.
pub const MOST_DIGITS: usize = 100_000;

/// A batch of rows.
#[derive(Debug)]
pub struct Rows<R> {
    list: Vec<R>,
    fast: Fast,
}

/// The way in which rows are read many at a time.
#[derive(Debug, Default)]
enum Fast {
    /// It is not known yet whether rows can be read many at a time.
    #[default]
    Unknown,
    /// Rows cannot be read many at a time, because their fields are not all numbers.
    Never,
    /// Rows are read by this parser, into these columns.
    Columns(Box<(Parser, Columns)>),
}

impl Fast {
    /// Returns the way to read rows of this layout.
    fn of(layout: &Layout) -> Self {
        let Some(numbers) = layout.numbers().filter(|numbers| !numbers.is_empty()) else { return Fast::Never };
        let inputs: Vec<Input> = numbers.into_iter().map(|(of, may_lack)| Input { of, may_lack }).collect();
        let count = inputs.len();
        let signature = Signature { inputs, repeats: false, outputs: vec![] };
        let columns = Columns::new(&signature, count);
        Fast::Columns(Box::new((Parser::new(signature, vec![]), columns)))
    }
}

impl<R> Default for Rows<R> {
    fn default() -> Self {
        Rows { list: vec![], fast: Fast::Unknown }
    }
}

impl<R: Row> Batch for Rows<R> {
    fn len(&self) -> usize {
        self.list.len()
    }
    fn clear(&mut self) {
        self.list.clear();
    }
}

impl<R: Row> Serialize for Rows<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.list.iter().map(|row| write::sent_row(row)))
    }
}

impl<'de, R: Row> Deserialize<'de> for Rows<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let row = |sent: Sent| match sent {
            Sent::Fields(fields) | Sent::Named(_, fields) => {
                R::deserialize(&mut Taken(InList(&fields))).map_err(D::Error::custom)
            }
            Sent::Bad(_, what) => Err(D::Error::custom(what)),
        };
        let list = Vec::<Sent>::deserialize(deserializer)?.into_iter().map(row).collect::<Result<_, _>>()?;
        Ok(Rows { list, fast: Fast::Unknown })
    }
}

impl<R: Row> Rows<R> {
    /// Goes through `found`, as [`BatchKernel::read_rows`] requires.
    fn read_found(&mut self, found: &Found, ignores_rest: bool, other: Other<Self>) -> usize {
        if let Fast::Unknown = self.fast {
            self.fast = Fast::of(&Layout::of::<R>());
        }
        let mut from = 0;
        while from < found.len() {
            let to = found.len().min(from + GROUP);
            let Rows { list, fast: Fast::Columns(fast) } = self else { return read_each(found, self, other) };
            let (parser, columns) = &mut **fast;
            let count = columns.columns.len();
            if found.width() != count && !(ignores_rest && found.width() > count) {
                return read_each(found, self, other);
            }
            columns.truncate(0);
            let good = parser.read_group(found, from..to, columns);
            let row = |row| R::deserialize(&mut Taken(InColumns { columns: &columns.columns, row }));
            let before = list.len();
            list.extend((0..good).map_while(|at| row(at).ok()));
            from += list.len() - before;
            // The next row is unusual or bad, or the type refuses it. So leave it to `other`.
            if from < to {
                from += 1;
                if !other(from - 1, self) {
                    break;
                }
            }
        }
        from
    }
}

/// Returns the names of the fields of the row type `R`, if it is a struct.
pub fn columns<R: Row>() -> Vec<String> {
    Layout::of::<R>().names().into_iter().map(|names| names[0].to_string()).collect()
}

impl<K: Kernel> BatchKernel for K {
    type Rows = Rows<K::Row>;
    type Outputs = Outputs<K::Output>;

    fn result_name(&self) -> &str {
        self.name()
    }

    fn result_names(&self) -> Vec<String> {
        self.names()
    }

    fn width(&self) -> Option<usize> {
        names::width(self)
    }

    fn names_by_trial(&self) -> Option<Vec<String>> {
        names::by_trial(self)
    }

    fn first_width<'o>(&self, outputs: &'o Self::Outputs) -> Option<&'o Known> {
        Some(&outputs.width)
    }

    fn check(&self) -> Result<(), String> {
        let layout = Layout::of::<K::Row>();
        let (named, count) = (self.columns().len(), layout.count());
        match (layout.refused, count) {
            (Some(what), _) => Err(what.to_string()),
            _ if names::of::<K::Output>() == Width::Fields(0) => Err(
                "the kernel returns nothing, and each row needs a result: a number, a text, a tuple of them, a struct"
                    .to_string(),
            ),
            (None, Some(count)) if named > 0 && named != count => {
                Err(format!("the kernel names {named} columns and takes {count} fields"))
            }
            (None, _) => Ok(()),
        }
    }

    fn fields(&self) -> Option<usize> {
        self.takes().filter(|_| !self.ignores_rest())
    }

    fn takes(&self) -> Option<usize> {
        let named = self.columns().len();
        Layout::of::<K::Row>().count().or((named > 0).then_some(named))
    }

    fn column_names(&self) -> Vec<Vec<String>> {
        let own = self.columns();
        let names = Layout::of::<K::Row>().names();
        let is_own =
            own.len() != names.len() || own.iter().zip(&names).any(|(own, names)| !names.contains(&own.as_str()));
        match is_own {
            true => own.into_iter().map(|name| vec![name]).collect(),
            // Take each name with the aliases that serde has for it.
            false => names.iter().map(|names| names.iter().map(|name| name.to_string()).collect()).collect(),
        }
    }

    fn own_version(&self) -> Option<&str> {
        self.version()
    }

    fn needs_nothing(&self) -> bool {
        self.is_self_contained()
    }

    fn open(&self) -> Result<(), String> {
        Kernel::open(self)
    }

    fn close(&self) {
        Kernel::close(self);
    }

    fn takes_missing(&self, field: usize) -> bool {
        let layout = Layout::of::<K::Row>();
        let last = layout.fields.last().filter(|_| layout.is_open);
        layout.fields.get(field).or(last).is_some_and(|field| field.may_lack)
    }

    fn sample_row(&self, number: u64) -> Option<String> {
        self.sample(number)
    }

    fn read(&self, record: &Record, rows: &mut Self::Rows) -> Result<(), BadRow> {
        let row = read(record, self.ignores_rest());
        rows.list.push(row.map_err(|unfit| unfit.described(record, self.takes()))?);
        Ok(())
    }

    fn try_read(&self, record: &Record, rows: &mut Self::Rows) -> bool {
        let row = read(record, self.ignores_rest()).ok();
        let is_good = row.is_some();
        rows.list.extend(row);
        is_good
    }

    fn read_rows(&self, found: &Found, rows: &mut Self::Rows, other: Other<Self::Rows>) -> usize {
        rows.read_found(found, self.ignores_rest(), other)
    }

    fn may_be_value(&self, text: &[u8]) -> bool {
        may_be_number(text) || Layout::of::<K::Row>().numbers().is_none()
    }

    fn map_batch(&self, rows: &Self::Rows, outputs: &mut Self::Outputs) {
        self.map_rows(&rows.list, outputs.list());
    }

    fn write(&self, outputs: &Self::Outputs, range: Range<usize>, format: Format, room: &mut [u8]) -> Written {
        outputs.write(range, format, room)
    }

    fn is_known_to_write_rows(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
