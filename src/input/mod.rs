//! Where rows come from. [`reader`] cuts files and pipes into blocks of whole rows. [`header`] reads the headers of
//! inputs. [`ranges`] finds where a file can be cut into parts for several runs. [`windows`] finds the rows in a part
//! of a file, for workers that read the file themselves.

pub mod header;
pub mod ranges;
pub mod reader;
pub mod windows;

pub use header::Shape;

/// The byte order mark with which a UTF-8 file may begin. The mark does not belong to the first row.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
