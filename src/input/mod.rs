//! Where rows come from: [`reader`] cuts files and pipes into blocks of whole rows, [`header`] reads their headers, and [`ranges`] says
//! where a file can be cut for several runs.

pub mod header;
pub mod ranges;
pub mod reader;

pub use header::Shape;

/// The mark that a file in UTF-8 may begin with. It is no part of the first row.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
