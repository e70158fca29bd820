//! The function that is mapped over rows: its traits, and the stock one.
//!
//! [`Kernel`] is the simple trait, for a function from one row to one output. [`BatchKernel`](batch::BatchKernel) is what the rest of the
//! program knows. Every `Kernel` is one, with the reading and writing of [`rows`].

pub mod batch;
pub mod gcd;
mod rows;

use serde::{Serialize, de::DeserializeOwned};

/// A function from a row to an output.
///
/// The types [`Row`](Kernel::Row) and [`Output`](Kernel::Output) and the method [`map`](Kernel::map) have to be written, nothing
/// else. The fields of a row, in their order or in that of `--columns`, are read into any type that serde can build from a record of
/// the `csv` crate; outputs are written as CSV. A kernel that can do better on many rows at once writes
/// [`map_rows`](Kernel::map_rows), and one with a form of its own for rows is a [`BatchKernel`](batch::BatchKernel).
///
/// A kernel is built anew in each worker process, so it holds settings, not state: what it does with one row must not depend
/// on the rows before. Worker processes end by SIGKILL: no `Drop` is run and no buffer is flushed.
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
    /// What a row is read into. Fields beyond those of this type are ignored.
    /// The `pickle` executor cannot handle integers of more than 64 bits.
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
    /// If so, its worker processes are denied all other system calls, whatever a row makes them do.
    fn is_self_contained(&self) -> bool {
        false
    }

    /// The row of this number, as text without its line end. `--compare` makes its workload of such rows where it is given
    /// no input; a kernel that has none must be given some.
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
