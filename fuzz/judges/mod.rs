//! The functions that the fuzz targets call, one for each target. Each takes any bytes, and panics if the program does
//! not do what is promised.
//!
//! Under `cfg(fuzzing)` the library compiles this folder as its module `fuzzing` (see `src/lib.rs`), because the judges
//! call modules that are private to the crate. Without that flag this folder is not part of the library.
//!
//! The first bytes of an input choose the options. The rest is used unchanged as text, or as what a worker has written.
//! A fuzzer that keeps and joins pieces of its inputs therefore keeps rows and reports whole.

mod answer;
mod arguments;
mod big;
mod blocks;
mod chain;
mod decoder;
mod header;
mod hostile;
mod judge;
mod kernel;
mod rows;
mod segment;

pub use answer::answer;
pub use arguments::arguments;
pub use big::big;
pub use blocks::blocks;
pub use chain::chain;
pub use decoder::decoder;
pub use header::header;
pub use hostile::{frames, report};
pub use kernel::kernel;
pub use rows::rows;
pub use segment::segment;

use crate::csv::Format;
use crate::input::Shape;
use crate::input::reader::{Input, Reader, Watch};
use crate::process::bell::bell;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::MemfdFlags;
use std::fs::File;
use std::io::Write;
use std::sync::LazyLock;

/// The most bytes of text that a judge uses. Longer texts take longer and find no other errors.
const MOST: usize = 4096;

/// Returns one of the formats that the command line can ask for, chosen by the bits of a byte.
fn format(byte: u8) -> Format {
    let pick = |at: u8| usize::from(byte >> at & 3);
    Format {
        delimiter: b",;\t "[pick(0)],
        quote: [Some(b'"'), Some(b'\''), None, Some(b'"')][pick(2)],
        comment: [None, Some(b'#'), None, Some(b'!')][pick(4)],
        ..Format::default()
    }
}

/// Makes a file without a name that holds `bytes`.
fn file(bytes: &[u8]) -> File {
    let mut file = File::from(rustix::fs::memfd_create("fuzz", MemfdFlags::CLOEXEC).unwrap());
    file.write_all(bytes).unwrap();
    file
}

/// What a reader watches while it waits for input: a bell that is never rung, and an output that is never closed.
static QUIET: LazyLock<(OwnedFd, File)> = LazyLock::new(|| (bell().unwrap(), File::create("/dev/null").unwrap()));

/// Makes a reader for the file that `file` is a descriptor of.
fn reader(file: &impl AsFd, shape: Shape, passes_over: bool) -> Reader<'static> {
    let input = Input::Path(format!("/proc/self/fd/{}", file.as_fd().as_raw_fd()).into());
    let watch = Watch { stop: QUIET.0.as_fd(), output: QUIET.1.as_fd() };
    Reader::new(vec![input], shape, watch).passing_over(passes_over)
}

/// Returns the number of line ends in the text. Counts them one by one, to be independent of the program's fast
/// counting.
fn newlines(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte == b'\n').count()
}
