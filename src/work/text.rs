//! A kernel over rows of text: maps blocks of CSV to results as CSV.
//!
//! [`Loaded::map_block`] is the loop in which every filter spends its time. It takes a batch of rows at a time: reads
//! the rows ([`Decoder`]), has the kernel map them, and writes the results. It goes on until the block is done, the
//! room for results is full, or a bad row ends the run.

use crate::bad_row::BadRow;
use crate::error::Error;
use crate::kernel::batch::{Batch, BatchKernel, Written};
use crate::ring::Care;
use crate::steps::{Step, lap};
use crate::work::decoder::Decoder;
use crate::work::outputs;
use crate::work::remote::{self, Failure, Remote};
use crate::work::{BATCH, Mapped, Mapper, Pace, Work, check_outputs};

pub use crate::work::settings::{OnBadRow, Settings};
use crate::work::settings::{TOO_LONG, line_end};

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
        Box::new(Loaded { kernel, settings, remote, decoder, outputs: K::Outputs::default(), reports: vec![] })
    }

    fn map_task(&self, task: &[u8]) -> Result<(Vec<u8>, usize), Error> {
        remote::reply(task, |rows: &K::Rows, outputs| self.kernel.map_batch(rows, outputs))
    }
}

/// A kernel with the scratch space that one worker keeps from block to block.
struct Loaded<'k, K: BatchKernel> {
    kernel: &'k K,
    settings: Settings,
    remote: Option<Remote<'k>>,
    decoder: Decoder<'k, K>,
    outputs: K::Outputs,
    /// The reports of bad rows in the current part of the block.
    reports: Vec<u8>,
}

impl<K: BatchKernel> Loaded<'_, K> {
    /// Maps the rows of the batch, here or in the process behind `remote`.
    fn map_rows(&mut self) -> Result<(), Failure> {
        let rows = &self.decoder.rows;
        if let Some(remote) = &mut self.remote {
            self.outputs = remote.map(rows, rows.len())?;
            return Ok(());
        }
        self.outputs.clear();
        self.kernel.map_batch(rows, &mut self.outputs);
        check_outputs(self.outputs.len(), rows.len());
        Ok(())
    }

    /// Writes the results of the batch to the front of `room`, as many as fit.
    fn write(&self, block: &[u8], room: &mut [u8]) -> Written {
        let Settings { format, append, .. } = self.settings;
        if !append {
            return outputs::write(self.kernel, &self.outputs, 0..self.outputs.len(), format, room);
        }
        let mut written = Written::default();
        for (number, place) in self.decoder.places.iter().enumerate() {
            let Some(mut room) = room.get_mut(written.bytes..) else { break };
            let row = &block[place.clone()];
            let Some(space) = room.split_off_mut(..row.len() + 1) else { break };
            space[..row.len()].copy_from_slice(row);
            space[row.len()] = format.delimiter;
            let result = outputs::write(self.kernel, &self.outputs, number..number + 1, format, room);
            if result.outputs == 0 {
                written.bad = result.bad;
                break;
            }
            // The result's line end is replaced by that of the row.
            let result = room[..result.bytes].strip_suffix(b"\n").unwrap_or_default();
            let result = result.strip_suffix(b"\r").unwrap_or(result).len();
            let end = line_end(block, place.end);
            let Some(space) = room.get_mut(result..result + end.len()) else { break };
            space.copy_from_slice(end);
            written.bytes += row.len() + 1 + result + end.len();
            written.outputs += 1;
        }
        written
    }
}

impl<K: BatchKernel> Mapper for Loaded<'_, K> {
    fn map_block(&mut self, head: &[u8], input: &[u8], room: &mut [u8], care: Care) -> Result<Mapped, Failure> {
        self.decoder.begin(head);
        self.reports.clear();
        let pace = Pace::with(care);
        let batch = if care.is_needed() { 1 } else { self.remote.as_ref().map_or(BATCH, |remote| remote.chunk_size) };
        let mut mapped = Mapped::default();
        while mapped.consumed < input.len() {
            let start = mapped.consumed;
            care.note(start);
            let (end, bad) = self.decoder.read(input, start, batch, care);
            lap(Step::Take);
            let rows = self.decoder.rows.len();
            let mut written = Written::default();
            // If many rows are bad, batches are often empty.
            if rows > 0 {
                self.map_rows()?;
                let free = room.len() - self.reports.len();
                written = self.write(input, &mut room[mapped.results..free]);
            }
            lap(Step::Merge);
            mapped.results += written.bytes;
            mapped.rows += written.outputs;
            let bad = if written.outputs == rows {
                mapped.consumed = end;
                bad
            } else {
                self.decoder.place(input, start, written.outputs + 1);
                let row = self.decoder.places[written.outputs].clone();
                mapped.consumed = row.start;
                let too_long = || (mapped.results == 0 && self.reports.is_empty()).then(|| TOO_LONG.to_string());
                let Some(what) = written.bad.or_else(too_long) else { break };
                let end = memchr::memchr(b'\n', &input[row.end..]).map_or(input.len(), |length| row.end + length + 1);
                Some(BadRow::row(what).at(row, end))
            };
            if let Some(bad) = bad
                && !self.settings.enter(&bad, input, room, &mut mapped, &mut self.reports)
            {
                break;
            }
            if pace.is_enough() {
                break;
            }
        }
        Ok(mapped.with_reports(input, room, &self.reports))
    }
}

#[cfg(test)]
mod tests;
