//! Settings for reading rows of text and printing their results.

use crate::csv::Format;

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
