//! Between a reader or a writer of the program and the descriptors that a run reads and writes.

use crate::executor::run::ring_bell;
use rustix::fd::OwnedFd;
use rustix::net::{SendFlags, Shutdown, send, shutdown};
use std::io::{self, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

/// How much is read from the input, and written to the output, at a time.
const PIECE: usize = 64 << 10;

/// Does this, and rings for the run to stop if it fails or panics.
pub fn ringing(stop: &OwnedFd, act: impl FnOnce() -> io::Result<()>) -> thread::Result<io::Result<()>> {
    let done = catch_unwind(AssertUnwindSafe(act));
    if !matches!(done, Ok(Ok(()))) {
        ring_bell(stop);
    }
    done
}

/// Sends all of the input, and its end. After an error no end is sent: what came last may be half a row.
pub fn feed_all(input: &mut impl Read, feed: &OwnedFd) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        let mut piece = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => &buffer[..count],
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        while !piece.is_empty() {
            match rustix::io::retry_on_intr(|| send(feed, piece, SendFlags::NOSIGNAL)) {
                Ok(sent) => piece = &piece[sent..],
                // The run has ended, and says why.
                Err(_) => return Ok(()),
            }
        }
    }
    let _ = shutdown(feed, Shutdown::Write);
    Ok(())
}

/// Takes all that comes, to its end or the first error.
pub fn drain_all(results: &OwnedFd, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        match rustix::io::retry_on_intr(|| rustix::io::read(results, &mut buffer))? {
            0 => return Ok(()),
            count => take(&buffer[..count])?,
        }
    }
}
