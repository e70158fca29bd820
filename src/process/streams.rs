//! What this process was started with. Which standard streams: std puts /dev/null in the place of those that are closed,
//! before `main`, and what is written there is lost without a word. No other descriptors, if it is a worker. And the
//! signals that a parent needs as they are by default.
#![allow(unsafe_code)]

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::ffi::CStr;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// The environment variable that tells a process that it is a worker, and which.
pub const MARK: &CStr = c"PMAPGCD_WORKER";

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
    // SAFETY: `MARK` is a string, and nobody changes the environment before `main`. Nothing of this program has opened a
    // descriptor yet: those above stderr are what whoever started the parent had open, and are not for a worker.
    unsafe {
        if !nix::libc::getenv(MARK.as_ptr()).is_null() {
            nix::libc::syscall(nix::libc::SYS_close_range, 3, u32::MAX, 0);
        }
    }
}

/// Has this process hear of its children, and of files that may not grow, whatever whoever started it ignored.
pub fn heed_signals() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    for (number, how) in [(Signal::SIGCHLD, SigHandler::SigDfl), (Signal::SIGXFSZ, SigHandler::SigIgn)] {
        // SAFETY: neither is a handler that could do something unsafe.
        let _ = unsafe { signal(number, how) };
    }
}

/// Ends this process as a filter ends whose reader is gone: by SIGPIPE, in silence. Rust ignores that signal.
pub fn die_of_broken_pipe() -> ! {
    // The first process of a container does not die of signals.
    if std::process::id() != 1 {
        let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGPIPE);
    }
    std::process::exit(128 + signal_hook::consts::SIGPIPE)
}

/// The stream under another descriptor.
///
/// # Errors
/// When this process was started without it, or there are no more descriptors.
pub fn given(stream: &impl AsFd) -> io::Result<OwnedFd> {
    inherited(stream.as_fd().as_raw_fd())
}

/// What this process was started with under this number, under another: the same offset, the same mode.
///
/// Descriptors of our own do not count. They are told by their flag to be closed when a program is started: what is open
/// from before the start of this one cannot have it, and all that std or we open has it.
///
/// # Errors
/// When there was none, or there are no more descriptors.
pub fn inherited(number: i32) -> io::Result<OwnedFd> {
    let closed = usize::try_from(number).ok().and_then(|number| CLOSED.get(number));
    // SAFETY: F_GETFD reads nothing from memory, whatever the descriptor.
    let flags = unsafe { nix::libc::fcntl(number, nix::libc::F_GETFD) };
    let is_own = flags & nix::libc::FD_CLOEXEC != 0;
    if flags == -1 || is_own || closed.is_some_and(|closed| closed.load(Ordering::Relaxed)) {
        return Err(Errno::BADF.into());
    }
    // SAFETY: it is open, and nobody here closes what the process was started with.
    unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned()
}

/// A file, which waits where others would fail: whoever has it open beside us may have made it non-blocking.
pub struct Patient<F>(pub F);

impl<F: AsFd> io::Write for Patient<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(&self.0, bytes) {
                Err(Errno::AGAIN) => {
                    let mut fds = [PollFd::new(&self.0, PollFlags::OUT)];
                    rustix::io::retry_on_intr(|| poll(&mut fds, None))?;
                }
                written => return Ok(written?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
