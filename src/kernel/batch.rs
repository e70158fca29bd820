//! Kernels that take rows by the batch, in a form of their own. [`Kernel`](super::Kernel)s become such kernels in
//! [`rows`](super::rows).

use crate::bad_row::BadRow;
use crate::csv::Format;
use crate::csv::record::Record;
use serde::{Serialize, de::DeserializeOwned};
use std::ops::Range;

/// A batch of rows, or of their outputs. A vector is one.
pub trait Batch: Default + Serialize + DeserializeOwned {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all of them.
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
/// The types [`Rows`](BatchKernel::Rows) and [`Outputs`](BatchKernel::Outputs) and four methods have to be written:
/// [`result_name`](BatchKernel::result_name), [`read`](BatchKernel::read), [`map_batch`](BatchKernel::map_batch) and
/// [`write`](BatchKernel::write). The others are for speed, isolation and `--compare`.
///
/// It is worth the trouble where rows can be kept in a form that is faster to work on than a vector of rows. [`Gcd`](crate::Gcd) is
/// an example: it keeps integers of 64 bits in one array and larger ones in another. Every [`Kernel`](crate::Kernel) is a `BatchKernel`, whose
/// batches are vectors.
///
/// A kernel is built anew in each worker process, and workers end by SIGKILL, as [`Kernel`](crate::Kernel) says.
pub trait BatchKernel: Sync {
    /// Rows, as they are read.
    type Rows: Batch;
    /// The outputs of rows.
    type Outputs: Batch;

    /// What the output is called in the header of `--append`, as [`Kernel::name`](crate::Kernel::name).
    fn result_name(&self) -> &str;

    /// Reads one row and appends it to `rows`.
    ///
    /// # Errors
    /// When the row is bad; nothing is appended then.
    fn read(&self, record: &Record, rows: &mut Self::Rows) -> Result<(), BadRow>;

    /// Appends the output of each row to `outputs`, in order: one for each.
    fn map_batch(&self, rows: &Self::Rows, outputs: &mut Self::Outputs);

    /// Writes the outputs of this range to the front of `room`, as many as fit: one line for each, which ends in `\n`. A line
    /// end within quotes does not end the line. An output that is written as no line, or as several, is reported as a bad row.
    fn write(&self, outputs: &Self::Outputs, range: Range<usize>, format: Format, room: &mut [u8]) -> Written;

    /// How many fields a row has, if that is the same for all rows; `--columns` then has to choose so many.
    fn fields(&self) -> Option<usize> {
        None
    }

    /// Whether it needs nothing of the system but memory and time, as [`Kernel::is_self_contained`](crate::Kernel::is_self_contained).
    fn needs_nothing(&self) -> bool {
        false
    }

    /// A row for `--compare` where it is given no input, as [`Kernel::sample`](crate::Kernel::sample).
    fn sample_row(&self, _number: u64) -> Option<String> {
        None
    }

    /// As [`read`](BatchKernel::read), but returns only whether the row is good. It is called first, because most rows are good; what
    /// is wrong with a bad row is asked of `read` afterwards, and only where it is printed.
    fn try_read(&self, record: &Record, rows: &mut Self::Rows) -> bool {
        self.read(record, rows).is_ok()
    }

    /// A faster way for plain rows: appends rows from the front of `text`, at most `limit`, and stops at the first that has
    /// anything unusual about it, which is then split into fields for [`read`](BatchKernel::read). Returns how many bytes the appended
    /// rows have. It is called only where all fields of a row count.
    fn read_plain(&self, _text: &[u8], _delimiter: u8, _limit: usize, _rows: &mut Self::Rows) -> usize {
        0
    }

    /// Whether [`write`](BatchKernel::write) is known to write one line for each output, as the kernels of this crate do. All others
    /// are asked for one output at a time, so that a line too many or too few can be seen.
    #[doc(hidden)]
    fn is_known_to_write_rows(&self) -> bool {
        false
    }
}

/// How far [`BatchKernel::write`] came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// How many outputs were written.
    pub outputs: usize,
    /// How many bytes were written.
    pub bytes: usize,
    /// What is wrong with the next output, if that is why it stopped. Nothing where all are written or the room is full.
    pub bad: Option<String>,
}
