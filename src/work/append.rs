//! Writes rows with their results appended (`--append`).

use crate::csv::Format;
use crate::kernel::batch::{BatchKernel, Written};
use crate::work::outputs;
use crate::work::settings::line_end;
use memchr::memchr_iter;
use std::ops::Range;

/// How many bytes of results are written at a time, unless one result is longer. The number is small, so that the
/// results stay in the first-level cache.
const PRINTED: usize = 8 << 10;
/// How many bytes are copied at once, even if fewer are needed. A copy of a fixed size needs no function call, and most
/// rows and results are shorter than this.
const SHORT: usize = 32;

/// Writes rows to the front of `room`, each with its output behind it, as many as fit. The rows are at `places` in
/// `block`, and their outputs are those in `range`. Stops at the first output that cannot be written.
///
/// `buffer` is where results are printed. It must be empty, or the one of an earlier call: so its memory is reused.
pub fn write<K: BatchKernel>(
    buffer: &mut Vec<u8>,
    kernel: &K,
    outputs: &K::Outputs,
    range: Range<usize>,
    format: Format,
    (block, places): (&[u8], &[Range<usize>]),
    room: &mut [u8],
) -> Written {
    if buffer.is_empty() {
        buffer.resize(PRINTED, 0);
    }
    // `most`: the most results that one call prints. It is the number of all results at first, because the fixed cost of
    // a call is higher than the cost of one result.
    let (mut written, mut most) = (Written::default(), range.len());
    while written.outputs < range.len() {
        let first = range.start + written.outputs;
        let last = range.end.min(first + most);
        let mut printed = outputs::write(kernel, outputs, first..last, format, buffer);
        let ends = memchr_iter(b'\n', &buffer[..printed.bytes]).count();
        if printed.outputs > 1 && ends != printed.outputs {
            // Some result has line ends within quotes, so line ends do not separate the results. Print them one by one.
            most = 1;
            printed = outputs::write(kernel, outputs, first..first + 1, format, buffer);
        }
        if printed.outputs == 0 {
            if printed.bad.is_none() && buffer.len() < room.len() {
                buffer.resize(2 * buffer.len(), 0);
                continue;
            }
            return Written { outputs: written.outputs, bytes: written.bytes, ..printed };
        }
        let (results, places) = (&buffer[..printed.bytes], &places[written.outputs..][..printed.outputs]);
        let mut start = 0;
        for place in places {
            // Results are short, so a search byte by byte takes less time than the start of a vector search. A
            // result that was printed alone can have line ends within quotes, so it ends at the last line end.
            let (rest, is_end) = (results.get(start..).unwrap_or_default(), |&byte: &u8| byte == b'\n');
            let mut bytes = rest.iter();
            let length = if places.len() == 1 { bytes.rposition(is_end) } else { bytes.position(is_end) };
            let printed = &rest[..length.unwrap_or(rest.len())];
            // The result's line end is replaced by that of the row.
            let result = printed.strip_suffix(b"\r").unwrap_or(printed);
            // Alone on its line, an empty result is a pair of quotes. Behind a row it need not be.
            let is_empty = format.quote.is_some_and(|quote| result == [quote; 2]);
            let result = start..start + if is_empty { 0 } else { result.len() };
            start += printed.len() + 1;
            let line_end = line_end(block, place.end);
            let length = place.len() + 1 + result.len() + line_end.len();
            // A row or a result that is shorter than `SHORT` bytes is copied as `SHORT` bytes, so the copy can
            // reach beyond the end of the line. Three times `SHORT` bytes are space enough for both.
            let Some(line) = room[written.bytes..].get_mut(..length.max(3 * SHORT)) else {
                // Near the end of `room` there can be enough space for the exact line, but no more.
                let Some(line) = room[written.bytes..].get_mut(..length) else { return written };
                let parts = [&block[place.clone()], &[format.delimiter], &buffer[result], line_end];
                line.copy_from_slice(&parts.concat());
                written.bytes += length;
                written.outputs += 1;
                continue;
            };
            copy(block, place.clone(), line);
            line[place.len()] = format.delimiter;
            let line = &mut line[place.len() + 1..];
            copy(buffer, result.clone(), line);
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

/// Copies the bytes of `text` at `range` to the front of `room`. If the range is shorter than `SHORT`, up to `SHORT`
/// bytes can be overwritten. The caller writes what belongs behind the copy afterwards.
#[inline(always)]
fn copy(text: &[u8], range: Range<usize>, room: &mut [u8]) {
    match (text[range.start..].first_chunk::<SHORT>(), room.first_chunk_mut::<SHORT>()) {
        (Some(from), Some(to)) if range.len() <= SHORT => *to = *from,
        _ => room[..range.len()].copy_from_slice(&text[range]),
    }
}
