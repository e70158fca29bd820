//! Input to blocks, and results to output, in order.

pub mod reader;
pub mod writer;
