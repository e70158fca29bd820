//! Kernels that take rows in batches. Each kernel chooses the form in which it stores the rows. [`rows`](super::rows)
//! makes every [`Kernel`](super::Kernel) such a kernel.

use crate::bad_row::BadRow;
use crate::csv::Format;
use crate::csv::index::Rows;
use crate::csv::notation::Notation;
use crate::csv::record::Record;
use serde::{Serialize, de::DeserializeOwned};
use std::cell::Cell;
use std::ops::Range;

/// A collection that holds a batch of rows, or the outputs of a batch. `Vec` is one.
pub trait Batch: Default + Serialize + DeserializeOwned {
    /// Returns the number of rows or outputs.
    fn len(&self) -> usize;

    /// Whether there are no rows or outputs.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all rows or outputs.
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

/// The function that [`BatchKernel::read_rows`] calls with the index of each row that it does not read itself. The
/// function returns whether to go on.
pub type Other<'a, R> = &'a mut dyn FnMut(usize, &mut R) -> bool;

/// A kernel that takes rows in batches, in a form of its own. This is the trait of the kernels that a filter runs.
///
/// The types [`Rows`](BatchKernel::Rows) and [`Outputs`](BatchKernel::Outputs) and four methods must be written:
/// [`result_name`](BatchKernel::result_name), [`read`](BatchKernel::read), [`map_batch`](BatchKernel::map_batch) and
/// [`write`](BatchKernel::write). All other methods have defaults.
///
/// Writing a `BatchKernel` pays if rows can be kept in a form that is faster to work on than a vector of rows.
/// [`Gcd`](crate::Gcd) is an example: it keeps integers of 64 bits in one array and larger ones in another. Every
/// [`Kernel`](crate::Kernel) is a `BatchKernel` whose batches are vectors.
///
/// As with a [`Kernel`](crate::Kernel), each worker process builds the kernel anew, and is usually ended by SIGKILL.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a kernel",
    label = "this is not mapped over rows",
    note = "a closure or function becomes one in pmapgcd::Function(…), a type of yours by `impl pmapgcd::Kernel for …`"
)]
pub trait BatchKernel: Sync {
    /// The collection that holds a batch of rows.
    type Rows: Batch;
    /// The collection that holds the outputs of a batch of rows.
    type Outputs: Batch;

    /// Returns the names of the output columns if they can be learnt only from an output. Maps a made-up row to get
    /// one.
    #[doc(hidden)]
    fn names_by_trial(&self) -> Option<Vec<String>> {
        None
    }

    /// Returns the name of the output column that `--append` adds to the header, as
    /// [`Kernel::name`](crate::Kernel::name) does.
    fn result_name(&self) -> &str;

    /// Returns the names of the output columns: one, unless each output is written as several fields.
    fn result_names(&self) -> Vec<String> {
        vec![self.result_name().to_string()]
    }

    /// Returns how many fields each output has, if that is known before any row is mapped.
    fn width(&self) -> Option<usize> {
        Some(self.result_names().len())
    }

    /// Returns the cell in `outputs` for the number of fields of each output. The cell is empty until the number is
    /// known, and the caller can set it. `None`: outputs always have as many fields as there are names.
    #[doc(hidden)]
    fn first_width<'o>(&self, _outputs: &'o Self::Outputs) -> Option<&'o Cell<Option<usize>>> {
        None
    }

    /// Checks what the kernel says about itself.
    ///
    /// # Errors
    /// If the kernel cannot be used.
    #[doc(hidden)]
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Returns how many columns `--columns` must choose; `None` if it may choose any number. The default is what
    /// [`fields`](BatchKernel::fields) returns.
    fn takes(&self) -> Option<usize> {
        self.fields()
    }

    /// Returns the names of the columns that the kernel takes, in the order of its fields, each followed by its
    /// aliases. With a header they choose the columns, unless `--columns` does. If there are no names, columns are
    /// taken by their position.
    fn column_names(&self) -> Vec<Vec<String>> {
        vec![]
    }

    /// Returns the version that `--version` prints, if the kernel has one.
    fn own_version(&self) -> Option<&str> {
        None
    }

    /// Reads the row `record` and appends it to `rows`.
    ///
    /// # Errors
    /// If the row is bad. `rows` must then be left unchanged.
    fn read(&self, record: &Record, rows: &mut Self::Rows) -> Result<(), BadRow>;

    /// Appends the outputs of all `rows` to `outputs`: one per row, in order.
    fn map_batch(&self, rows: &Self::Rows, outputs: &mut Self::Outputs);

    /// Writes the outputs in `range` to the front of `room`, as many as fit, each as one line that ends in `\n`. A line
    /// end within quotes does not end the line. An output that is written as no line or as several lines is reported as
    /// a bad row.
    fn write(&self, outputs: &Self::Outputs, range: Range<usize>, format: Format, room: &mut [u8]) -> Written;

    /// Returns the number of fields that every row must have without `--columns`. The default is `None`: rows may
    /// differ.
    fn fields(&self) -> Option<usize> {
        None
    }

    /// Whether the kernel asks the system for nothing but memory and the time of the clock, as
    /// [`Kernel::is_self_contained`](crate::Kernel::is_self_contained) says.
    fn needs_nothing(&self) -> bool {
        false
    }

    /// Makes ready what a worker needs to map rows. It is called in the worker's thread, before the worker is confined.
    /// It can be called again in the same thread, and should then keep what is ready already.
    ///
    /// # Errors
    /// If the kernel cannot be used. The run then ends with this message.
    fn open(&self) -> Result<(), String> {
        Ok(())
    }

    /// Gives back what [`open`](BatchKernel::open) has made ready in this thread. It is called when a worker ends but
    /// its process goes on, as with worker threads.
    fn close(&self) {}

    /// Whether the kernel accepts rows in which the field at index `field`, from 0, has no value. If so, the kernel is
    /// told which values are missing. If not, the kernel is not given such rows.
    #[doc(hidden)]
    fn takes_missing(&self, _field: usize) -> bool {
        false
    }

    /// Returns how many rows the kernel should be given at most at a time; `None` for the usual number. A kernel that
    /// is fast only with more rows than usual asks for more.
    #[doc(hidden)]
    fn most_rows(&self) -> Option<usize> {
        None
    }

    /// Called after [`map_batch`](BatchKernel::map_batch). Returns the reason if no further row can be mapped in this
    /// thread, whatever the row contains. The run then ends with this message.
    #[doc(hidden)]
    fn failure(&self) -> Option<String> {
        None
    }

    /// Tells the kernel that the run has failed, so that calls of [`map_batch`](BatchKernel::map_batch) which wait for
    /// another process return.
    #[doc(hidden)]
    fn abandon(&self) {}

    /// Returns a sample row for `--compare` without an input, as [`Kernel::sample`](crate::Kernel::sample).
    fn sample_row(&self, _number: u64) -> Option<String> {
        None
    }

    /// Reads the row like [`read`](BatchKernel::read), but returns only whether the row is good. `try_read` is called
    /// first, as most rows are good and need no message. `read` is called afterwards to learn what is wrong with a bad
    /// row, if that is to be printed.
    fn try_read(&self, record: &Record, rows: &mut Self::Rows) -> bool {
        self.read(record, rows).is_ok()
    }

    /// Goes through the rows in `found`, in order. Appends each row that it can read to `rows`, and calls `other` with
    /// the index of each row that it cannot: `other` appends that row if the row is good, and answers whether to go on.
    /// Returns how many rows it has gone through. Only a kernel that can read many rows faster than one by one with
    /// [`try_read`](BatchKernel::try_read) needs to write this method.
    fn read_rows(&self, found: &Rows, rows: &mut Self::Rows, other: Other<Self::Rows>) -> usize {
        read_each(found, rows, other)
    }

    /// Whether the kernel is known to print nothing to stdout.
    #[doc(hidden)]
    fn prints_nothing(&self) -> bool {
        false
    }

    /// Whether [`read_rows`](BatchKernel::read_rows) might accept a field with this value, which has no blanks around
    /// it.
    #[doc(hidden)]
    fn may_be_value(&self, _text: &[u8]) -> bool {
        true
    }

    /// Whether the kernel reads numbers in this notation.
    #[doc(hidden)]
    fn reads_notation(&self, _notation: Notation) -> bool {
        true
    }

    /// Whether [`write`](BatchKernel::write) is known to write one line per output, as it does in the kernels of this
    /// crate. Other kernels are asked to write one output at a time, so that missing and additional lines are noticed.
    #[doc(hidden)]
    fn is_known_to_write_rows(&self) -> bool {
        false
    }
}

/// Goes through the rows as [`BatchKernel::read_rows`] requires, and leaves every row to `other`.
pub(crate) fn read_each<R>(found: &Rows, rows: &mut R, other: Other<R>) -> usize {
    (0..found.len()).find(|&row| !other(row, rows)).map_or(found.len(), |last| last + 1)
}

/// What a call of [`BatchKernel::write`] has written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Number of outputs that were written.
    pub outputs: usize,
    /// Number of bytes that were written.
    pub bytes: usize,
    /// What is wrong with the next output, if `write` stopped because of it. `None` if all outputs were written or the
    /// room is full.
    pub bad: Option<String>,
    /// If `bad` is set and a single field is at fault: the index of that field among those that the kernel receives.
    pub field: Option<usize>,
}
