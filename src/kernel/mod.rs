//! The function mapped over rows.

pub mod gcd;

use crate::csv;
use serde::{Serialize, de::DeserializeOwned};

/// A function from a row to an output, with how rows are read and outputs written.
///
/// Only [`map`](Kernel::map) has to be written: rows, a line each with commas and no quotes, are then read into any type
/// that serde can build from a record of the `csv` crate, and outputs written as CSV. A kernel that can do better on many rows at once, or has a format of its own,
/// overrides the rest.
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

    /// A row, as text without its end, for `--compare` to make a workload of where it is given none. The number is the
    /// row's.
    fn sample(&self, _number: u64) -> Option<String> {
        None
    }

    /// Appends the output of each row to `outputs`, in order: one for each.
    fn map_rows(&self, rows: &[Self::Row], outputs: &mut Vec<Self::Output>) {
        outputs.extend(rows.iter().map(|row| self.map(row)));
    }

    /// Reads rows from the front of `text`, which holds whole rows, and appends them to `rows`: until there are
    /// `limit` more, the text ends, or a row is bad.
    fn decode(&self, text: &[u8], limit: usize, rows: &mut Vec<Self::Row>) -> Decoded {
        csv::rows::decode(text, limit, rows)
    }

    /// Writes outputs to the front of `room`, one line each, as many as fit.
    fn encode(&self, outputs: &[Self::Output], room: &mut [u8]) -> Encoded {
        csv::rows::encode(outputs, room)
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

/// How far [`Kernel::decode`] came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes read: the next row starts there.
    pub bytes: usize,
    /// Line ends among them.
    pub lines: usize,
    /// What is wrong with the row that starts at `bytes`, if that is why decoding stopped; without place or file.
    pub bad: Option<String>,
}

/// How far [`Kernel::encode`] came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Outputs written.
    pub outputs: usize,
    /// Bytes written.
    pub bytes: usize,
    /// What is wrong with the next output, if that is why encoding stopped and not that the room was full.
    pub bad: Option<String>,
}
