//! Kernels: the functions that are mapped over rows. Here are their traits, and the stock kernel, which computes
//! greatest common divisors.
//!
//! [`Kernel`] is the simple trait, for a function from one row to one output. The rest of the program knows only the
//! trait [`BatchKernel`](batch::BatchKernel). [`rows`] makes every `Kernel` a `BatchKernel`, by reading rows and
//! writing outputs for it.

pub mod batch;
pub mod columns;
pub mod gcd;
#[cfg(feature = "cli")]
pub mod native;
mod rows;

use serde::{Serialize, de::DeserializeOwned};

/// A function from a row to an output.
///
/// Only the types [`Row`](Kernel::Row) and [`Output`](Kernel::Output) and the method [`map`](Kernel::map) must be
/// written. The fields of a row, in their order or in that of `--columns`, are read into any type that serde can build
/// from a record of the `csv` crate. Outputs are written as CSV. A kernel that is faster on many rows at once can
/// override [`map_rows`](Kernel::map_rows). A kernel that keeps rows in a form of its own is a
/// [`BatchKernel`](batch::BatchKernel).
///
/// Each worker process builds the kernel anew, so a kernel may hold settings, but no state: its output for one row must
/// not depend on the rows before. Worker processes are ended by SIGKILL, so no `Drop` is run and no buffer is flushed.
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
    /// The type into which a row is read. Fields of a row beyond those of the type are ignored. The `pickle` executor
    /// cannot handle integers of more than 64 bits.
    type Row: Serialize + DeserializeOwned;
    /// The type to which a row is mapped.
    type Output: Serialize + DeserializeOwned;

    /// Returns the output of one row.
    fn map(&self, row: &Self::Row) -> Self::Output;

    /// Returns the name of the output column that `--append` adds to the header.
    fn name(&self) -> &str {
        "result"
    }

    /// Whether the kernel needs only memory and time from the system: no file, no network, no other process, no thread.
    /// If so, its worker processes are denied all other system calls, so that no row can make them do anything else.
    fn is_self_contained(&self) -> bool {
        false
    }

    /// Returns the sample row of this number, as text without a line end. `--compare` uses sample rows if it is given
    /// no input. For a kernel that returns `None`, `--compare` needs an input.
    fn sample(&self, _number: u64) -> Option<String> {
        None
    }

    /// Appends the outputs of all `rows` to `outputs`: one per row, in order.
    fn map_rows(&self, rows: &[Self::Row], outputs: &mut Vec<Self::Output>) {
        outputs.extend(rows.iter().map(|row| self.map(row)));
    }
}

/// A kernel that consists of a function only, without settings.
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
