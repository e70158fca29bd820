//! Kernels: the functions that are mapped over rows. Here are their traits, and the stock kernel, which computes
//! greatest common divisors.
//!
//! [`Kernel`] is the simple trait, for a function from one row to one output; [`function`] and [`stateful`] make a
//! kernel of a closure. The rest of the program knows only the trait [`BatchKernel`](batch::BatchKernel). [`rows`]
//! makes every `Kernel` a `BatchKernel`, by reading rows and writing outputs for it.

pub mod batch;
pub mod columns;
pub mod function;
pub mod gcd;
#[cfg(feature = "big")]
pub mod integer;
#[cfg(feature = "stock")]
pub mod native;
mod rows;
pub mod stateful;

pub use function::Function;

use serde::{Serialize, de::DeserializeOwned};

/// A type that a row can be read into: any that serde can make from fields. Every type that is [`Serialize`] and
/// [`Deserialize`](serde::Deserialize), and borrows nothing, is one.
///
/// - A number, text, character or `bool` is a field. An `Option` is a field that may be empty, and an enum a field that
///   contains the name of a variant.
/// - Tuples and arrays are fields in their order. A `Vec` is all fields that are left.
/// - A struct is its fields in their order. With a header, columns are found by the names of the fields; serde's
///   `rename` and `alias` count.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a row",
    label = "this is not made from the fields of a row",
    note = "a row is a number, a text (String, not &str), a tuple, an array or a Vec of such, or a struct with #[derive(serde::Serialize, serde::Deserialize)]",
    note = "a row owns what is in it: where there is a lifetime, as in &str, take String"
)]
pub trait Row: Serialize + DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + 'static> Row for T {}

/// A type that a row can be mapped to: any that serde can take apart into fields. Every type that is [`Serialize`] is
/// one.
///
/// - A number, text, character, `bool` or variant of an enum is a field, and `None` an empty field.
/// - Tuples, arrays and structs are one field for each of their parts. So is a `Vec`, which must have the same length
///   in each row.
/// - `Ok` is the value in it. `Err` makes the row a bad one, and its error is the message. The error may be a text, or
///   a [`BadRow`](crate::BadRow), which `?` makes of any error.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the output of a kernel",
    label = "this cannot be written as fields",
    note = "an output is a number, a text, a tuple, an array or a Vec of such, or a struct with #[derive(serde::Serialize)]; what has only a Display is written with .to_string()",
    note = "for a Result, the error is a text or pmapgcd::BadRow, which `?` makes of any error: fn map(…) -> Result<f64, pmapgcd::BadRow>"
)]
pub trait Output: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize> Output for T {}

/// A function from a row to an output.
///
/// Only the types [`Row`](Kernel::Row) and [`Output`](Kernel::Output) and the method [`map`](Kernel::map) must be
/// written. All other methods have defaults. A kernel that is faster on many rows at once can override
/// [`map_rows`](Kernel::map_rows). A kernel that keeps rows in a form of its own is a
/// [`BatchKernel`](batch::BatchKernel).
///
/// Each worker process builds the kernel anew, so a kernel may hold settings, but no state: its output for one row must
/// not depend on the rows before. A value that is expensive to make can be made once for each worker with
/// [`Stateful`](crate::Stateful). Worker processes are usually ended by SIGKILL, so that no `Drop` is run and no buffer
/// is flushed.
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
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a kernel",
    label = "this is not mapped over rows",
    note = "a closure or function becomes one in pmapgcd::Function(…), a type of yours by `impl pmapgcd::Kernel for …`"
)]
pub trait Kernel: Sync {
    /// The type into which a row is read. With a header, a struct gets the columns that have the names of its fields.
    /// Otherwise the type gets the fields in the order of the row, or of `--columns` if that is given.
    type Row: Row;
    /// The type to which a row is mapped.
    type Output: Output;

    /// Returns the output of one row.
    fn map(&self, row: &Self::Row) -> Self::Output;

    /// Returns the name of the output column that `--append` adds to the header.
    fn name(&self) -> &str {
        "result"
    }

    /// Returns the names of the output columns, one for each field of the output. By default these are the names of the
    /// output's fields if it is a struct, or else the kernel's name, with a number if the output has several fields.
    fn names(&self) -> Vec<String> {
        rows::names::by_type(self)
    }

    /// Returns the names of the columns that the kernel takes, in the order of its fields. With a header they choose
    /// the columns, unless `--columns` does. By default they are the names of the fields if the row is a struct. Help
    /// and completions show the names.
    fn columns(&self) -> Vec<String> {
        rows::columns::<Self::Row>()
    }

    /// Whether a row may have more fields than the kernel takes. If so, the further fields are ignored. By default,
    /// such a row is bad.
    fn ignores_rest(&self) -> bool {
        false
    }

    /// Returns the version that `--version` prints. Programs usually return `Some(env!("CARGO_PKG_VERSION"))` here.
    fn version(&self) -> Option<&str> {
        None
    }

    /// Makes ready what a worker needs to map rows. It is called in the worker's thread, before the worker is confined.
    /// It can be called again in the same thread, and should then keep what is ready already.
    ///
    /// # Errors
    /// If the kernel cannot be used. The run then ends with this message.
    fn open(&self) -> Result<(), String> {
        Ok(())
    }

    /// Gives back what [`open`](Kernel::open) has made ready in this thread. It is called when a worker ends but its
    /// process goes on, as with worker threads.
    fn close(&self) {}

    /// Whether the kernel asks the system for nothing but memory and the time of the clock: no file, no network, no
    /// other process, no thread. If so, its worker processes are denied all other system calls, so that no row can make
    /// them do anything else.
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
