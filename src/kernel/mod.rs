//! The function mapped over rows.

pub mod gcd;
mod rows;

use crate::bad_row::BadRow;
use crate::csv::Format;
use crate::csv::record::Record;
use serde::{Serialize, de::DeserializeOwned};
use std::ops::Range;

/// A function from a row to an output.
///
/// Only [`map`](Kernel::map) has to be written: the fields of a row are read into any type that serde can build from a
/// record of the `csv` crate, in their order or that of `--columns`, and outputs written as CSV. A kernel that has a
/// form of its own for rows, or can do better on many at once, is a [`BatchKernel`]; every `Kernel` is one too.
///
/// A kernel is built anew in every worker process, so it holds settings, not state; what one row does must not depend
/// on the rows before it.
///
/// ```
/// struct Hypotenuse;
///
/// impl pmapgcd::Kernel for Hypotenuse {
///     type Row = (f64, f64);
///     type Output = f64;
///     fn map(&self, &(a, b): &(f64, f64)) -> f64 {
///         a.hypot(b)
///     }
/// }
/// ```
pub trait Kernel: Sync {
    /// What a row is read into. Fields of the row beyond those of this type are not looked at.
    /// The `pickle` executor knows no integers of 128 bits.
    type Row: Serialize + DeserializeOwned;
    /// What a row is mapped to.
    type Output: Serialize + DeserializeOwned;

    /// The output of one row.
    fn map(&self, row: &Self::Row) -> Self::Output;

    /// What the output is called in the header of `--append`.
    fn name(&self) -> &str {
        "result"
    }

    /// Whether it needs nothing of the system but memory and time: no file, no network, no other process, no thread.
    /// Its worker processes may then ask for nothing else, whatever rows make them do.
    fn is_self_contained(&self) -> bool {
        false
    }

    /// A row, as text without its end, for `--compare` to make a workload of where it is given none. The number is the
    /// row's.
    fn sample(&self, _number: u64) -> Option<String> {
        None
    }

    /// Appends the output of each row to `outputs`, in order: one for each.
    fn map_rows(&self, rows: &[Self::Row], outputs: &mut Vec<Self::Output>) {
        outputs.extend(rows.iter().map(|row| self.map(row)));
    }
}

/// A kernel that is nothing but a function.
///
/// ```
/// use pmapgcd::{Function, Kernel};
///
/// fn hypotenuse(&(a, b): &(f64, f64)) -> f64 {
///     a.hypot(b)
/// }
/// assert_eq!(Function(hypotenuse).map(&(3.0, 4.0)), 5.0);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Function<R, O>(pub fn(&R) -> O);

impl<R, O> Kernel for Function<R, O>
where
    R: Serialize + DeserializeOwned,
    O: Serialize + DeserializeOwned,
{
    type Row = R;
    type Output = O;
    fn map(&self, row: &R) -> O {
        self.0(row)
    }
}

/// Rows, or their outputs, that are worked on together.
pub trait Batch: Default + Serialize + DeserializeOwned {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Leaves none.
    fn clear(&mut self);
}

impl<T: Serialize + DeserializeOwned> Batch for Vec<T> {
    fn len(&self) -> usize {
        Vec::len(self)
    }
    fn clear(&mut self) {
        Vec::clear(self);
    }
}

/// A kernel that takes rows by the batch, in a form of its own: what a filter runs.
///
/// This is for kernels that are worth the trouble, as [`Gcd`](crate::Gcd) is, which keeps integers of 64 bits in an array
/// for itself and larger ones apart. Every [`Kernel`] is one, with batches that are vectors.
pub trait BatchKernel: Sync {
    /// Rows, as they are read.
    type Rows: Batch;
    /// Their outputs.
    type Outputs: Batch;

    /// How many fields a row has, if that is the same for all; `--columns` then has to choose so many.
    fn fields(&self) -> Option<usize> {
        None
    }

    /// As [`Kernel::name`].
    fn result_name(&self) -> &str;

    /// As [`Kernel::is_self_contained`].
    fn needs_nothing(&self) -> bool;

    /// As [`Kernel::sample`].
    fn sample_row(&self, number: u64) -> Option<String>;

    /// Reads one row and appends it to `rows`.
    ///
    /// # Errors
    /// When the row is bad; nothing is appended then.
    fn read(&self, record: &Record, rows: &mut Self::Rows) -> Result<(), BadRow>;

    /// As [`read`](BatchKernel::read), but answers only whether the row is good: most rows are, and where nobody hears what is
    /// wrong with the others it need not be said. Of those it answers no for, `read` is asked where somebody does.
    fn try_read(&self, record: &Record, rows: &mut Self::Rows) -> bool {
        self.read(record, rows).is_ok()
    }

    /// A faster way for rows that need no care: appends those at the front of `text`, at most `limit`, up to the first
    /// that has anything unusual about it, which [`read`](BatchKernel::read) gets to see. Answers how many bytes they
    /// have. It is asked only where all fields of a row count.
    fn read_plain(&self, _text: &[u8], _delimiter: u8, _limit: usize, _rows: &mut Self::Rows) -> usize {
        0
    }

    /// Appends the output of each row to `outputs`, in order: one for each.
    fn map_batch(&self, rows: &Self::Rows, outputs: &mut Self::Outputs);

    /// Writes outputs of this range to the front of `room`, a line each that ends in `\n`, as many as fit. Line ends within
    /// quotes do not count; an output that has none, or several, is a bad row.
    fn write(&self, outputs: &Self::Outputs, range: Range<usize>, format: Format, room: &mut [u8]) -> Written;

    /// Whether [`write`](BatchKernel::write) is one of this crate's, which keep to that: all others are asked for one output at a
    /// time, so that it can be seen whether they do.
    #[doc(hidden)]
    fn is_known_to_write_rows(&self) -> bool {
        false
    }
}

impl<K: Kernel> BatchKernel for K {
    type Rows = Vec<K::Row>;
    type Outputs = Vec<K::Output>;

    fn result_name(&self) -> &str {
        self.name()
    }

    fn needs_nothing(&self) -> bool {
        self.is_self_contained()
    }

    fn sample_row(&self, number: u64) -> Option<String> {
        self.sample(number)
    }

    fn read(&self, record: &Record, rows: &mut Vec<K::Row>) -> Result<(), BadRow> {
        rows.push(rows::read(record)?);
        Ok(())
    }

    fn try_read(&self, record: &Record, rows: &mut Vec<K::Row>) -> bool {
        let row = rows::try_read(record);
        let is_good = row.is_some();
        rows.extend(row);
        is_good
    }

    fn map_batch(&self, rows: &Vec<K::Row>, outputs: &mut Vec<K::Output>) {
        self.map_rows(rows, outputs);
    }

    fn write(&self, outputs: &Vec<K::Output>, range: Range<usize>, format: Format, room: &mut [u8]) -> Written {
        rows::write(&outputs[range], format, room)
    }

    fn is_known_to_write_rows(&self) -> bool {
        true
    }
}

/// How far [`BatchKernel::write`] came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Outputs written.
    pub outputs: usize,
    /// Bytes written.
    pub bytes: usize,
    /// What is wrong with the next output, if that is why it stopped and not that the room was full.
    pub bad: Option<String>,
}
