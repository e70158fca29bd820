//! Writes rows with their results behind them (`--append`).

use crate::csv::Format;
use crate::kernel::batch::{BatchKernel, Written};
use crate::work::outputs;
use crate::work::settings::line_end;
use memchr::memchr_iter;
use std::ops::Range;

/// How many bytes of results are written at a time, unless one result is longer: few enough that they stay in the
/// first-level cache.
const PRINTED: usize = 8 << 10;
/// So many bytes are copied at once, however few are needed: a row and a result are usually shorter, and a copy of a
/// known size takes no call.
const SHORT: usize = 32;

/// Writes results behind the rows that they are of. Keeps the memory for that.
#[derive(Debug)]
pub struct Appender {
    buffer: Vec<u8>,
}

impl Default for Appender {
    fn default() -> Self {
        Appender { buffer: vec![0; PRINTED] }
    }
}

impl Appender {
    /// Writes rows to the front of `room`, each with its output behind it, as many as fit. The rows are at `places` in
    /// `block`, and their outputs are those in `range`. Stops at the first output that cannot be written.
    pub fn write<K: BatchKernel>(
        &mut self,
        kernel: &K,
        outputs: &K::Outputs,
        range: Range<usize>,
        format: Format,
        (block, places): (&[u8], &[Range<usize>]),
        room: &mut [u8],
    ) -> Written {
        // How many results are printed in one call. A call takes longer than to write one of them.
        let (mut written, mut most) = (Written::default(), range.len());
        while written.outputs < range.len() {
            let first = range.start + written.outputs;
            let last = range.end.min(first + most);
            let mut printed = outputs::write(kernel, outputs, first..last, format, &mut self.buffer);
            let ends = memchr_iter(b'\n', &self.buffer[..printed.bytes]).count();
            if printed.outputs > 1 && ends != printed.outputs {
                // A result with line ends within quotes is among them, so that they cannot be told apart.
                most = 1;
                printed = outputs::write(kernel, outputs, first..first + 1, format, &mut self.buffer);
            }
            if printed.outputs == 0 {
                if printed.bad.is_none() && self.buffer.len() < room.len() {
                    self.buffer.resize(2 * self.buffer.len(), 0);
                    continue;
                }
                return Written { outputs: written.outputs, bytes: written.bytes, ..printed };
            }
            let (results, places) = (&self.buffer[..printed.bytes], &places[written.outputs..][..printed.outputs]);
            let mut start = 0;
            for place in places {
                // Results are short, so a search byte by byte takes less time than to begin a faster one.
                let (rest, is_end) = (results.get(start..).unwrap_or_default(), |&byte: &u8| byte == b'\n');
                let mut bytes = rest.iter();
                let length = if places.len() == 1 { bytes.rposition(is_end) } else { bytes.position(is_end) };
                let printed = &rest[..length.unwrap_or(rest.len())];
                // The result's line end is replaced by that of the row.
                let result = start..start + printed.strip_suffix(b"\r").unwrap_or(printed).len();
                start += printed.len() + 1;
                let line_end = line_end(block, place.end);
                let length = place.len() + 1 + result.len() + line_end.len();
                // Row, result and line end may each be copied together with bytes behind them.
                let Some(line) = room[written.bytes..].get_mut(..length.max(3 * SHORT)) else {
                    // Near its end the room has no space for more than is needed.
                    let Some(line) = room[written.bytes..].get_mut(..length) else { return written };
                    let parts = [&block[place.clone()], &[format.delimiter], &self.buffer[result], line_end];
                    line.copy_from_slice(&parts.concat());
                    written.bytes += length;
                    written.outputs += 1;
                    continue;
                };
                copy(block, place.clone(), line);
                line[place.len()] = format.delimiter;
                let line = &mut line[place.len() + 1..];
                copy(&self.buffer, result.clone(), line);
                let line = &mut line[result.len()..];
                line[0] = line_end[0];
                if let Some(&last) = line_end.get(1) {
                    line[1] = last;
                }
                written.bytes += length;
                written.outputs += 1;
            }
        }
        written
    }
}

/// Copies the bytes of `text` at `range` to the front of `room`, in which bytes behind them may be overwritten too.
#[inline(always)]
fn copy(text: &[u8], range: Range<usize>, room: &mut [u8]) {
    match (text[range.start..].first_chunk::<SHORT>(), room.first_chunk_mut::<SHORT>()) {
        (Some(from), Some(to)) if range.len() <= SHORT => *to = *from,
        _ => room[..range.len()].copy_from_slice(&text[range]),
    }
}
