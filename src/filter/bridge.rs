//! Copies bytes between the caller and a run: from the caller's `Read` to the descriptor that the run reads, and from
//! the descriptor that the run writes to the caller's `Write`.

use crate::process::bell::ring_bell;
use rustix::fd::OwnedFd;
use rustix::net::{SendFlags, Shutdown, send, shutdown};
use std::io::{self, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

/// How many bytes are read from the input, or from the run's results, at a time.
const PIECE: usize = 64 << 10;

/// Calls `act`, and returns its result or its panic. If `act` fails or panics, rings the bell `stop` to end the run.
pub fn ringing(stop: &OwnedFd, act: impl FnOnce() -> io::Result<()>) -> thread::Result<io::Result<()>> {
    let done = catch_unwind(AssertUnwindSafe(act));
    if !matches!(done, Ok(Ok(()))) {
        ring_bell(stop);
    }
    done
}

/// Sends all of the input to `feed`, and then the end of input. If reading fails, the end is not sent: the last bytes
/// may be half a row, which must not be taken for a whole one.
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
                // The run has closed its end of the socket, so it has ended and reports its own error, if any.
                Err(_) => return Ok(()),
            }
        }
    }
    let _ = shutdown(feed, Shutdown::Write);
    Ok(())
}

/// Passes all bytes that can be read from `results` to `take`, until end of file or the first error.
pub fn drain_all(results: &OwnedFd, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        match rustix::io::retry_on_intr(|| rustix::io::read(results, &mut buffer))? {
            0 => return Ok(()),
            count => take(&buffer[..count])?,
        }
    }
}
