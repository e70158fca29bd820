//! The answers of a command to a batch of rows: one line for each row, up to the first row that has no answer.

use crate::csv::shown::shown;
use crate::work::settings::{Settings, line_end};
use memchr::memchr_iter;
use std::ops::Range;

/// Answers, one behind the other.
#[derive(Default)]
pub struct Answers {
    /// What the command has printed.
    pub bytes: Vec<u8>,
    /// The end of each answer in `bytes`.
    ends: Vec<usize>,
    /// A row with its answer, while it is written. Kept so that its memory is reused.
    line: Vec<u8>,
}

impl Answers {
    /// Returns the number of answers.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Removes all answers.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Keeps the first `len` answers.
    pub fn truncate(&mut self, len: usize) {
        self.ends.truncate(len);
    }

    /// Records as answers the lines that end at byte `before` or later. Lines that end before it are recorded already.
    pub fn note_ends(&mut self, before: usize) {
        self.ends.extend(memchr_iter(b'\n', &self.bytes[before..]).map(|end| before + end + 1));
    }

    /// Writes the answers to these rows at the front of `room`: as many as have arrived and fit. `places` says where in
    /// the block each row is; it is needed only with `--append`. Returns the number of answers written and their length
    /// in bytes. If the next answer cannot be written at all, also returns what is wrong with it.
    pub fn write(
        &mut self,
        block: &[u8],
        places: &[Range<usize>],
        rows: Range<usize>,
        settings: &Settings,
        room: &mut [u8],
    ) -> (usize, usize, Option<String>) {
        let rows = rows.start..rows.end.min(self.ends.len());
        let first = rows.start.checked_sub(1).map_or(0, |before| self.ends[before]);
        let (format, ends) = (settings.format, &self.ends[rows.clone()]);
        if !settings.append {
            let fits = ends.partition_point(|&end| end - first <= room.len());
            let bytes = fits.checked_sub(1).map_or(0, |last| ends[last] - first);
            room[..bytes].copy_from_slice(&self.bytes[first..first + bytes]);
            return (fits, bytes, None);
        }
        let (mut written, mut start) = (0, first);
        for (number, (&end, place)) in ends.iter().zip(&places[rows]).enumerate() {
            let answer = &self.bytes[start..end - 1];
            let answer = answer.strip_suffix(b"\r").unwrap_or(answer);
            let answer = if answer.is_empty() { format.empty_field() } else { answer };
            start = end;
            if !format.can_hold(answer) {
                let hint = if format.blanks { "-d ' ' instead of -d blank" } else { "--quote '\"'" };
                let what = format!(
                    "the command's answer cannot be a field, because there are no quotes ({hint} allows them): {}",
                    shown(answer)
                );
                return (number, written, Some(what));
            }
            self.line.clear();
            self.line.extend_from_slice(&block[place.clone()]);
            self.line.push(format.delimiter);
            format.append_field(&mut self.line, answer, false);
            self.line.extend_from_slice(line_end(block, place.end));
            let Some(space) = room.get_mut(written..written + self.line.len()) else { return (number, written, None) };
            space.copy_from_slice(&self.line);
            written += self.line.len();
        }
        (ends.len(), written, None)
    }
}
