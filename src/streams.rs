//! Which standard streams this process was started with: std puts /dev/null in the place of those that are closed,
//! before `main`, and what is written there is lost without a word.
#![allow(unsafe_code)]

use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

static CLOSED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];

// SAFETY: the loader calls what is in this section, before `main` and in the one thread that there is; `note` needs
// nothing of what std sets up.
#[used]
#[unsafe(link_section = ".init_array")]
static NOTE: extern "C" fn() = note;

extern "C" fn note() {
    for (number, closed) in CLOSED.iter().enumerate() {
        // SAFETY: F_GETFD reads nothing from memory, whatever the descriptor.
        let flags = unsafe { nix::libc::fcntl(number as i32, nix::libc::F_GETFD) };
        closed.store(flags == -1, Ordering::Relaxed);
    }
}

/// The stream under another descriptor.
///
/// # Errors
/// When this process was started without it, or there are no more descriptors.
pub fn given(stream: &impl AsFd) -> io::Result<OwnedFd> {
    let closed = CLOSED.get(stream.as_fd().as_raw_fd() as usize);
    if closed.is_some_and(|closed| closed.load(Ordering::Relaxed)) {
        return Err(rustix::io::Errno::BADF.into());
    }
    stream.as_fd().try_clone_to_owned()
}
