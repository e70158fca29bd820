//! What the fuzz targets call: one function for each target, which takes any bytes and panics where a promise is broken.
//!
//! Under `cfg(fuzzing)` the library compiles this folder as its module `fuzzing` (see `src/lib.rs`), because the judges call
//! modules that are private to the crate. Without that flag nothing here is part of the library.
//!
//! The first bytes of an input choose the options; the rest is text, or what a worker wrote, unchanged. So a fuzzer that keeps
//! and joins pieces of its inputs keeps rows and reports whole.

mod arguments;
mod blocks;
mod decoder;
mod header;
mod hostile;
mod judge;
mod segment;

pub use arguments::arguments;
pub use blocks::blocks;
pub use decoder::decoder;
pub use header::header;
pub use hostile::{frames, report};
pub use segment::segment;

use crate::csv::Format;
use crate::executor::bell;
use crate::input::Shape;
use crate::input::reader::{Input, Reader, Watch};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::MemfdFlags;
use std::fs::File;
use std::io::Write;
use std::sync::LazyLock;

/// The most bytes of text that a judge looks at: longer texts take longer and find nothing more.
const MOST: usize = 4096;

/// One of the formats that arguments may ask for, chosen by the bits of a byte.
fn format(byte: u8) -> Format {
    let pick = |at: u8| usize::from(byte >> at & 3);
    Format {
        delimiter: b",;\t "[pick(0)],
        quote: [Some(b'"'), Some(b'\''), None, Some(b'"')][pick(2)],
        comment: [None, Some(b'#'), None, Some(b'!')][pick(4)],
    }
}

/// A file without a name that holds these bytes.
fn file(bytes: &[u8]) -> File {
    let mut file = File::from(rustix::fs::memfd_create("fuzz", MemfdFlags::CLOEXEC).unwrap());
    file.write_all(bytes).unwrap();
    file
}

/// What a reader watches while it waits: a bell that nobody rings, and an output that is never closed.
static QUIET: LazyLock<(OwnedFd, File)> = LazyLock::new(|| (bell().unwrap(), File::create("/dev/null").unwrap()));

/// A reader of the file behind this descriptor.
fn reader(file: &impl AsFd, shape: Shape, passes_over: bool) -> Reader<'static> {
    let input = Input::Path(format!("/proc/self/fd/{}", file.as_fd().as_raw_fd()).into());
    let watch = Watch { stop: QUIET.0.as_fd(), output: QUIET.1.as_fd() };
    Reader::new(vec![input], shape, watch).passing_over(passes_over)
}

/// How many line ends the text has, counted one by one.
fn newlines(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte == b'\n').count()
}
