//! Settings for reading rows of text and printing their results.

use crate::bad_row::{BadRow, Kind};
use crate::csv::Format;
use std::borrow::Cow;

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
#[derive(Clone, Copy, Default, Debug)]
pub struct Settings {
    /// Delimiter, quote and comment characters.
    pub format: Format,
    /// Whether each row is printed with its result appended.
    pub append: bool,
    /// What happens to bad rows.
    pub on_bad_row: OnBadRow,
    /// For how many bad rows of a part messages are needed; `None` for all. No message is worded for later ones, which
    /// saves time.
    pub most_told: Option<u64>,
}

impl Settings {
    /// Returns what is printed in place of a result for a bad row.
    pub(super) fn kept(&self, block: &[u8], bad: &BadRow) -> Cow<'static, [u8]> {
        match *self {
            Settings { on_bad_row: OnBadRow::Blank, append: true, format, .. } if bad.kind != Kind::Unclosed => {
                [&block[bad.row.clone()], &[format.delimiter], line_end(block, bad.row.end)].concat().into()
            }
            Settings { on_bad_row: OnBadRow::Blank, .. } => b"\n".into(),
            _ => b"".into(),
        }
    }
}

/// Returns the line end of the row whose content ends at byte `end`. A last row without a line end is given `\n`.
pub(super) fn line_end(block: &[u8], end: usize) -> &'static [u8] {
    if block.get(end) == Some(&b'\r') { b"\r\n" } else { b"\n" }
}
