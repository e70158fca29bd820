//! Rows to values and back.

pub mod pairs;
pub mod rows;
mod shown;
