//! A kernel over rows of text: maps blocks of CSV to results as CSV.
//!
//! [`Loaded::map_block`] is the loop in which every filter spends its time. It takes one batch of rows after another:
//! it reads the rows ([`Decoder`]), has the kernel map them, and writes the results. It goes on until the block is
//! done, the room for results is full, or a bad row ends the run.

use crate::bad_row::{BadRow, Kind};
use crate::csv::scan::Scan;
use crate::error::Error;
use crate::kernel::batch::{Batch, BatchKernel, Written};
use crate::process::last_words;
use crate::ring::Care;
use crate::steps::{Step, lap};
use crate::work::decoder::Decoder;
use crate::work::remote::{self, Failure, Remote};
use crate::work::{BATCH, Mapped, Mapper, Pace, Work, append, check_outputs, outputs};
use std::cell::Cell;
use std::ops::Range;

use crate::work::settings::TOO_LONG;
pub use crate::work::settings::{OnBadRow, Settings};

/// A kernel over blocks of text. A block's [`Head`](crate::csv::head::Head) names the columns that are the kernel's
/// input; if there is no head, all columns are.
#[derive(Clone)]
pub struct Text<'k, K> {
    kernel: &'k K,
    settings: Settings,
}

impl<'k, K: BatchKernel> Text<'k, K> {
    /// Makes a work of `kernel` that reads and writes text as `settings` say.
    pub fn new(kernel: &'k K, settings: Settings) -> Self {
        Text { kernel, settings }
    }
}

impl<K: BatchKernel> Work for Text<'_, K> {
    fn mapper<'m>(&'m self, remote: Option<Remote<'m>>) -> Box<dyn Mapper + 'm> {
        let decoder = Decoder::new(self.kernel, self.settings.clone());
        let (kernel, settings) = (self.kernel, self.settings.clone());
        let opened = if remote.is_some() { Ok(()) } else { opened(kernel) };
        let batch = remote.as_ref().map_or(kernel.most_rows().unwrap_or(BATCH), |remote| remote.chunk_size);
        let (outputs, printed, reports) = (K::Outputs::default(), vec![], vec![]);
        let bytes_per_row = 1;
        Box::new(Loaded { kernel, settings, remote, opened, decoder, outputs, printed, reports, batch, bytes_per_row })
    }

    fn map_task(&self, task: &[u8]) -> Result<(Vec<u8>, usize), Error> {
        if let Err(what) = opened(self.kernel) {
            return remote::refusal(&what);
        }
        remote::reply(task, |rows: &K::Rows, outputs| self.kernel.map_batch(rows, outputs))
    }

    fn takes_first_width(&self) -> bool {
        self.settings.results.is_none() && self.kernel.first_width(&K::Outputs::default()).is_some()
    }

    fn abandon(&self) {
        self.kernel.abandon();
    }
}

/// Makes the kernel ready in this thread. If it cannot be used, for example because it panics, returns the reason.
fn opened(kernel: &impl BatchKernel) -> Result<(), String> {
    last_words::keep();
    last_words::caught(|| kernel.open())
        .unwrap_or_else(|words| Err(format!("the kernel panicked before it had any row: {words}")))
}

/// A kernel with the scratch space that one worker keeps from block to block.
struct Loaded<'k, K: BatchKernel> {
    kernel: &'k K,
    settings: Settings,
    remote: Option<Remote<'k>>,
    /// Whether the kernel can be used here, or why not.
    opened: Result<(), String>,
    decoder: Decoder<'k, K>,
    outputs: K::Outputs,
    /// The buffer of [`append::write`].
    printed: Vec<u8>,
    /// The reports of bad rows in the current part of the block.
    reports: Vec<u8>,
    /// How many rows are mapped together at most.
    batch: usize,
    /// How many bytes the result of a recent row took on average. More than [`BATCH`] rows are mapped together only if
    /// there is room for their results, because rows whose results have no room must be mapped again.
    bytes_per_row: usize,
}

impl<K: BatchKernel> Drop for Loaded<'_, K> {
    fn drop(&mut self) {
        if self.remote.is_none() {
            self.kernel.close();
        }
    }
}

impl<K: BatchKernel> Loaded<'_, K> {
    /// Maps the rows of the batch, here or in the process behind `remote`.
    fn map_rows(&mut self) -> Result<(), Failure> {
        let rows = &self.decoder.rows;
        // Unless the options or the kernel say how many fields an output has, the first output of the run decides it.
        // Keep this number, because outputs from another process come without it.
        let first = self.kernel.first_width(&self.outputs).and_then(Cell::get);
        if let Some(remote) = &mut self.remote {
            self.outputs = remote.map(rows, rows.len())?;
        } else {
            self.outputs.clear();
            self.kernel.map_batch(rows, &mut self.outputs);
            check_outputs(self.outputs.len(), rows.len());
        }
        if let Some(width) = self.kernel.first_width(&self.outputs) {
            width.set(self.settings.results.or(first));
        }
        Ok(())
    }

    /// Writes the results of these rows of the batch to the front of `room`, as many as fit.
    fn write(&mut self, block: &[u8], rows: Range<usize>, room: &mut [u8]) -> Written {
        let Settings { format, append, .. } = self.settings;
        if !append {
            return outputs::write(self.kernel, &self.outputs, rows, format, room);
        }
        let places = (block, &self.decoder.places[rows.clone()]);
        append::write(&mut self.printed, self.kernel, &self.outputs, rows, format, places, room)
    }

    /// Writes the results of the batch, what is printed for its bad rows, and their reports. The rows of the batch
    /// begin at byte `mapped.consumed` of the block and end at byte `end`. Returns whether more rows of this part can
    /// be mapped behind the batch.
    fn write_batch(&mut self, block: &[u8], end: usize, room: &mut [u8], mapped: &mut Mapped) -> bool {
        let bad_rows = std::mem::take(&mut self.decoder.bad);
        let mut from = 0;
        for (before, bad) in &bad_rows {
            if !self.write_rows(block, from..*before, room, mapped) {
                return false;
            }
            mapped.consumed = bad.row.start;
            if !self.settings.enter(bad, block, room, mapped, &mut self.reports) {
                return false;
            }
            from = *before;
        }
        // Put the vector back, so that its memory is reused.
        self.decoder.bad = bad_rows;
        if !self.write_rows(block, from..self.decoder.rows.len(), room, mapped) {
            return false;
        }
        mapped.consumed = end;
        true
    }

    /// Does what [`write_batch`](Loaded::write_batch) does for these rows, which are good and have no bad row between
    /// them. One of their outputs can still turn out to be bad.
    fn write_rows(&mut self, block: &[u8], mut rows: Range<usize>, room: &mut [u8], mapped: &mut Mapped) -> bool {
        while !rows.is_empty() {
            let free = room.len() - self.reports.len();
            let written = self.write(block, rows.clone(), &mut room[mapped.results..free]);
            mapped.results += written.bytes;
            mapped.rows += written.outputs;
            rows.start += written.outputs;
            if rows.is_empty() {
                break;
            }
            let Some(row) = self.decoder.place(block, mapped.consumed, written.outputs) else { return false };
            mapped.consumed = row.start;
            let too_long = || (mapped.results == 0 && self.reports.is_empty()).then(|| TOO_LONG.to_string());
            let Some(what) = written.bad.or_else(too_long) else { return false };
            let end = memchr::memchr(b'\n', &block[row.end..]).map_or(block.len(), |length| row.end + length + 1);
            let field = written.field.and_then(|field| self.decoder.number_in(block, &row, field));
            let what = field.map_or(what.clone(), |number| format!("field {number} {what}"));
            let bad = BadRow { field, ..BadRow::row(what) }.of(Kind::Refused).at(row, end);
            if !self.settings.enter(&bad, block, room, mapped, &mut self.reports) {
                return false;
            }
            rows.start += 1;
        }
        true
    }
}

impl<K: BatchKernel> Mapper for Loaded<'_, K> {
    fn first_width(&self) -> Option<&Cell<Option<usize>>> {
        self.kernel.first_width(&self.outputs).filter(|_| self.settings.results.is_none())
    }

    fn take_listed(&mut self, scan: &mut Scan) {
        self.decoder.take_listed(scan);
    }

    fn map_block(&mut self, head: &[u8], input: &[u8], room: &mut [u8], care: Care) -> Result<Mapped, Failure> {
        self.decoder.begin(head);
        self.reports.clear();
        if let Err(what) = &self.opened {
            return Ok(Mapped::impossible(what, room));
        }
        let pace = Pace::with(care);
        let batch = if care.is_needed() { 1 } else { self.batch };
        let mut mapped = Mapped::default();
        while mapped.consumed < input.len() {
            care.note(mapped.consumed);
            let room_for = (room.len() - self.reports.len() - mapped.results) / self.bytes_per_row;
            let limit = if self.remote.is_some() { batch } else { batch.min(room_for.max(BATCH)) };
            let end = self.decoder.read(input, mapped.consumed, limit, care);
            lap(Step::Take);
            // If all rows that were read are bad, the batch is empty.
            if !self.decoder.rows.is_empty() {
                self.map_rows()?;
                if let Some(what) = self.kernel.failure() {
                    self.reports.clear();
                    return Ok(Mapped::impossible(what, room));
                }
            }
            let goes_on = self.write_batch(input, end, room, &mut mapped);
            lap(Step::Merge);
            if !goes_on || pace.is_enough() {
                break;
            }
        }
        self.bytes_per_row = mapped.results.checked_div(mapped.rows).map_or(1, |bytes| bytes + bytes / 8 + 1);
        // The index has usually counted the line ends already.
        let mapped = match self.decoder.line_feeds(mapped.consumed) {
            Some(lines) => Mapped { lines, ..mapped },
            None => mapped.with_lines(input),
        };
        Ok(mapped.with_reports(room, &self.reports))
    }
}

#[cfg(test)]
mod tests;
