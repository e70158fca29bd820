//! Reads rows one by one, and has the kernel describe bad ones.

use crate::bad_row::{BadRow, Kind};
use crate::csv::record::Record;
use crate::csv::trimmed;
use crate::kernel::batch::BatchKernel;
use crate::work::settings::Settings;

/// Reads single rows, and has the kernel describe bad ones.
pub struct Single<'k, K> {
    /// The kernel that reads rows.
    pub kernel: &'k K,
    /// How rows are read.
    pub settings: Settings,
    /// For how many bad rows of this part of the block a message was worded. At most as many are worded in each part as
    /// the whole run can print, because this worker does not know how many bad rows earlier blocks have.
    told: u64,
    /// For each field index, whether the kernel accepts a row without a value in that field. The list grows when a
    /// field beyond its end is asked for.
    takes_missing: Vec<bool>,
}

impl<'k, K: BatchKernel> Single<'k, K> {
    /// Returns a reader of single rows for `kernel`.
    pub fn new(kernel: &'k K, settings: Settings) -> Self {
        Single { kernel, settings, told: 0, takes_missing: vec![] }
    }

    /// Begins a part of a block.
    pub fn begin(&mut self) {
        self.told = 0;
    }

    /// Whether the message about the next bad row of this part might be printed.
    fn is_heard(&self) -> bool {
        self.settings.most_told.is_none_or(|most| self.told < most)
    }

    /// Returns the message that `what` makes, or an empty string if the message would not be printed: wording it costs
    /// far more than reading the row.
    pub fn tell(&mut self, what: impl FnOnce() -> String) -> String {
        if !self.is_heard() {
            return String::new();
        }
        self.told += 1;
        what()
    }

    /// Appends the row `record`, which has as many fields as it must have, to `rows`. The error says what is wrong if
    /// the row is bad.
    pub fn read(&mut self, record: &Record, rows: &mut K::Rows) -> Result<(), BadRow> {
        if !self.settings.missing.is_empty() && self.lacks_value(record) {
            return Err(BadRow::default().of(Kind::Missing));
        }
        let (kernel, record) = (self.kernel, &record.missing(&self.settings.missing));
        if kernel.try_read(record, rows) {
            return Ok(());
        }
        if !self.is_heard() {
            return Err(BadRow::default());
        }
        let read = kernel.read(record, rows);
        self.told += u64::from(read.is_err());
        read
    }

    /// Whether the row has a text for a missing value in a field in which the kernel needs a value.
    fn lacks_value(&mut self, record: &Record) -> bool {
        while self.takes_missing.len() < record.len() {
            self.takes_missing.push(self.kernel.takes_missing(self.takes_missing.len()));
        }
        let is_missing = |value: &[u8]| self.settings.missing.iter().any(|text| text == value);
        (0..record.len()).any(|at| !self.takes_missing[at] && is_missing(trimmed(&record.value(at))))
    }
}
