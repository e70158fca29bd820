//! What the command line says of rows and results, for kernels over text.

use crate::csv::Format;

/// What becomes of bad rows.
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
    /// How rows are written.
    pub format: Format,
    /// Whether a row is printed with its result.
    pub append: bool,
    /// What becomes of bad rows.
    pub on_bad_row: OnBadRow,
    /// How many bad rows anybody may hear of. What is wrong with those after them is not put into words.
    pub most_told: Option<u64>,
}
