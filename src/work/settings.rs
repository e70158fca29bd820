//! Settings for reading rows of text and printing their results.

use crate::bad_row::{BadRow, Kind, Report};
use crate::csv::Format;
use crate::work::Mapped;
use std::borrow::Cow;
use std::sync::Arc;

/// The message about a row whose result has no room in a block.
pub(super) const TOO_LONG: &str = "the output is longer than a block; use a larger --block-size";

/// What happens to bad rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnBadRow {
    /// The first one ends the run
    #[default]
    Stop,
    /// They have no line in the output
    Skip,
    /// They have an empty line in the output
    Blank,
}

/// How a filter reads rows and prints results.
#[derive(Clone, Default, Debug)]
pub struct Settings {
    /// Delimiter, quote and comment characters.
    pub format: Format,
    /// Whether each row is printed with its result appended.
    pub append: bool,
    /// How many fields a result has; `None` if the first result decides it.
    pub results: Option<usize>,
    /// What happens to bad rows.
    pub on_bad_row: OnBadRow,
    /// The most bad rows of a part for which a message is needed. `None`: all of them. Further bad rows get no message,
    /// because wording a message takes time.
    pub most_told: Option<u64>,
    /// The texts that stand for a missing value. If a row has one of them in a field in which the kernel needs a value,
    /// the row is not given to the kernel, and its result is empty.
    pub missing: Arc<[Vec<u8>]>,
}

impl Settings {
    /// Appends what is printed for `bad` to the results in `room`. If `bad` is a bad row, also appends its report to
    /// `reports`. `bad` can also be a row that lacks a value, which needs no report. Returns whether the rows behind
    /// `bad` still belong to this part of the block. If there is not enough room, nothing is written, and `bad` becomes
    /// the first row of the next part, where all of the room is free for it.
    pub(super) fn enter(
        &self,
        bad: &BadRow,
        block: &[u8],
        room: &mut [u8],
        mapped: &mut Mapped,
        reports: &mut Vec<u8>,
    ) -> bool {
        let kept = self.kept(block, bad);
        let used = mapped.results + reports.len();
        let is_missing = bad.kind == Kind::Missing;
        let report = if is_missing { 0 } else { Report::length(bad) };
        if used > 0 && used + kept.len() + report > room.len() {
            return false;
        }
        if is_missing {
            mapped.rows += 1;
        } else {
            Report::append(bad, mapped.results, reports, room.len() - used - kept.len());
        }
        room[mapped.results..mapped.results + kept.len()].copy_from_slice(&kept);
        mapped.results += kept.len();
        if !self.ends_run(bad) {
            mapped.consumed = bad.end;
        }
        !self.ends_part(bad)
    }

    /// Whether the run ends at `bad`, which is a bad row or one that lacks a value.
    fn ends_run(&self, bad: &BadRow) -> bool {
        bad.kind.ends_run() || self.on_bad_row == OnBadRow::Stop && bad.kind != Kind::Missing
    }

    /// Whether the part ends at `bad`, so that the rows behind it are not mapped in the same part. A row on which
    /// workers keep dying ends its part, so that its report is handed over at once. If the part went on and a worker
    /// died over a later row, the whole part would be mapped again, and workers would die on this row again.
    pub(super) fn ends_part(&self, bad: &BadRow) -> bool {
        self.ends_run(bad) || bad.kind == Kind::Deadly
    }

    /// Returns what stands in place of a result if `append` is off: an empty line, or a line of empty fields if a
    /// result has several fields.
    pub fn empty_result(&self) -> Vec<u8> {
        let Settings { format, results, .. } = *self;
        let fields = results.filter(|&count| count > 1).map_or(vec![], |count| vec![format.empty_field(); count]);
        [fields.join(&format.delimiter), b"\n".to_vec()].concat()
    }

    /// Returns what is printed in place of a result for a bad row, or for one that lacks a value.
    fn kept(&self, block: &[u8], bad: &BadRow) -> Cow<'static, [u8]> {
        let Settings { on_bad_row, append, format, .. } = *self;
        match on_bad_row == OnBadRow::Blank || bad.kind == Kind::Missing {
            true if append && bad.kind != Kind::Unclosed => {
                let end = line_end(block, bad.row.end);
                let empty = [&[format.delimiter], format.empty_field()].concat().repeat(self.results.unwrap_or(1));
                [&block[bad.row.clone()], &empty, end].concat().into()
            }
            true => self.empty_result().into(),
            false => b"".into(),
        }
    }
}

/// Returns the line end of the row whose content ends at byte `end`. A last row without a line end is given `\n`.
pub(super) fn line_end(block: &[u8], end: usize) -> &'static [u8] {
    if block.get(end) == Some(&b'\r') { b"\r\n" } else { b"\n" }
}
