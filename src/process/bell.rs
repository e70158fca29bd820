//! A bell: a descriptor by which one thread wakes another that waits in `poll`.

use crate::error::Error;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;

/// Makes a bell: a file descriptor that becomes readable when it is rung.
///
/// # Errors
/// If the system has no descriptors left.
pub fn bell() -> Result<OwnedFd, Error> {
    let made = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
    made.map_err(|error| Error::io("cannot make an event", error.into()))
}

/// Rings the bell: it stays readable until someone reads from it.
pub fn ring_bell(bell: &OwnedFd) {
    // This fails only if the bell has been rung about 2^64 times without being read, and then it is readable already.
    let _ = rustix::io::write(bell, &1u64.to_ne_bytes());
}
