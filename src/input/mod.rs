//! Where rows come from: files and pipes, cut into blocks of whole rows.

pub mod header;
pub mod ranges;
pub mod reader;

pub use header::Shape;

/// What a file in UTF-8 may begin with; it is no part of its first row.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
