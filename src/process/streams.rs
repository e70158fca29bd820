//! What this process was started with: which standard streams, and what it is told in its environment. And the signals that
//! a parent needs as they are by default.
//!
//! std puts `/dev/null` in the place of standard streams that are closed, before `main`, and what is written there is lost
//! without a word. Afterwards nothing tells that from a `/dev/null` that somebody meant. So a program that cares has
//! [`note_closed_streams!`](crate::note_closed_streams) note them before std does that.
#![allow(unsafe_code)]

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::ffi::OsString;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

static CLOSED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];

/// Notes which standard streams this program was started without, before std puts `/dev/null` in their place: so that a
/// filter ends with an error where its input or output is closed, and does not lose its results in silence.
///
/// Write it once, beside `main`, in a program that calls [`filter`](crate::filter) or [`Options::run`](crate::Options::run).
/// It puts a function of this crate among those that the loader calls before `main`, which asks whether the descriptors 0, 1
/// and 2 are open and does nothing else. A library must not have it, and no program has it that does not ask for it.
///
/// ```no_run
/// pmapgcd::note_closed_streams!();
///
/// fn main() -> std::process::ExitCode {
///     pmapgcd::filter("Print the sum of each row `a,b`", &pmapgcd::Function(|&(a, b): &(u32, u32)| u64::from(a) + u64::from(b)))
/// }
/// ```
#[macro_export]
macro_rules! note_closed_streams {
    () => {
        const _: () = {
            // SAFETY: the loader calls what is in this section before `main`, in the one thread that there is, and the function
            // needs nothing of what std sets up.
            #[used]
            #[unsafe(link_section = ".init_array")]
            static NOTE: extern "C" fn() = $crate::__note_closed_streams;
        };
    };
}

/// What [`note_closed_streams!`](crate::note_closed_streams) has called before `main`.
#[doc(hidden)]
pub extern "C" fn note() {
    for (number, closed) in CLOSED.iter().enumerate() {
        // SAFETY: F_GETFD reads nothing from memory, whatever the descriptor.
        let flags = unsafe { nix::libc::fcntl(number as i32, nix::libc::F_GETFD) };
        closed.store(flags == -1, Ordering::Relaxed);
    }
}

/// The value of an environment variable that was meant for this process alone. It is taken out of the environment, so that
/// neither libraries nor the processes that this one starts see it; unless other threads run already, which may be reading
/// the environment just now.
pub fn take_variable(name: &str) -> Option<OsString> {
    let value = std::env::var_os(name)?;
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads == 1 {
        // SAFETY: there is no other thread. Where /proc is missing that is not certain; but then this is a worker process,
        // which comes here first thing in `main`.
        unsafe { std::env::remove_var(name) };
    }
    Some(value)
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
