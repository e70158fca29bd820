//! What this process was started with: its standard streams, other descriptors, and variables of its environment. And the
//! signals whose handling it sets.
//!
//! std opens `/dev/null` in the place of standard streams that are closed, before `main`, and what is written there is lost
//! without a word. After that nothing tells such a stream from a `/dev/null` that the user meant. So a program that cares has
//! [`note_closed_streams!`](crate::note_closed_streams) note which are closed before std does that.
#![allow(unsafe_code)]

use nix::libc;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::ffi::OsString;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Which of stdin, stdout and stderr were closed when this program was started, if it has had that noted.
static CLOSED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];

/// The flags of a descriptor, or -1 where none is open under this number.
fn flags(number: i32) -> i32 {
    // SAFETY: F_GETFD reads nothing from memory, whatever the descriptor.
    unsafe { libc::fcntl(number, libc::F_GETFD) }
}

/// Notes which standard streams this program was started without, before std puts `/dev/null` in their place: so that a
/// filter ends with an error where its input or output is closed, and does not lose its results in silence.
///
/// Write it once, beside `main`, in a program that calls [`filter`](crate::filter) or [`Options::run`](crate::Options::run).
/// It puts a function of this crate among those that the loader calls before `main`. That function asks whether the descriptors
/// 0, 1 and 2 are open, and does nothing else. Do not write it in a library: the program's author has to choose it.
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
            // SAFETY: the loader calls the functions in this section before `main`, in the only thread. This one needs nothing that
            // std sets up.
            #[used]
            #[unsafe(link_section = ".init_array")]
            static NOTE: extern "C" fn() = $crate::__note_closed_streams;
        };
    };
}

/// The function that [`note_closed_streams!`](crate::note_closed_streams) has the loader call before `main`.
#[doc(hidden)]
pub extern "C" fn note() {
    for (number, closed) in CLOSED.iter().enumerate() {
        closed.store(flags(number as i32) == -1, Ordering::Relaxed);
    }
}

/// The value of an environment variable that was meant for this process alone. The variable is removed, so that neither libraries
/// nor the processes that this one starts see it. It stays if other threads run already, which may be reading the environment.
pub fn take_variable(name: &str) -> Option<OsString> {
    let value = std::env::var_os(name)?;
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads == 1 {
        // SAFETY: there is no other thread. Without /proc that is not certain; but whoever has this variable is a worker process,
        // and comes here first thing in `main`.
        unsafe { std::env::remove_var(name) };
    }
    Some(value)
}

/// Sets how two signals are handled, whatever this process inherited: SIGCHLD not ignored, or the system would reap our children
/// before we learn how they ended; SIGXFSZ ignored, so that a file at its limit is an error of the write.
pub fn heed_signals() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    for (number, how) in [(Signal::SIGCHLD, SigHandler::SigDfl), (Signal::SIGXFSZ, SigHandler::SigIgn)] {
        // SAFETY: neither sets a handler, so no code of ours runs in one.
        let _ = unsafe { signal(number, how) };
    }
}

/// Ends this process as a filter ends whose output nobody reads any more: by SIGPIPE, in silence. Rust ignores that signal.
pub fn die_of_broken_pipe() -> ! {
    // The first process of a container does not die of a signal that it sends itself.
    if std::process::id() != 1 {
        let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGPIPE);
    }
    std::process::exit(128 + signal_hook::consts::SIGPIPE)
}

/// A standard stream, under another descriptor number.
///
/// # Errors
/// When this process was started without it, or there are no more descriptors.
pub fn given(stream: &impl AsFd) -> io::Result<OwnedFd> {
    inherited(stream.as_fd().as_raw_fd())
}

/// The open file that this process was started with under this number, under another number. Both share offset and mode.
///
/// Files that std or we opened do not count. They are marked to be closed when a program is started (`FD_CLOEXEC`). What was
/// open before this program was started cannot have that mark.
///
/// # Errors
/// When there was none, or there are no more descriptors.
pub fn inherited(number: i32) -> io::Result<OwnedFd> {
    let closed = usize::try_from(number).ok().and_then(|number| CLOSED.get(number));
    let flags = flags(number);
    let is_own = flags & libc::FD_CLOEXEC != 0;
    if flags == -1 || is_own || closed.is_some_and(|closed| closed.load(Ordering::Relaxed)) {
        return Err(Errno::BADF.into());
    }
    // SAFETY: the descriptor is open, and nothing here closes what the process was started with.
    unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned()
}

/// Writes to a file, and waits where a plain write would fail with EAGAIN: another program that has the file open may have made
/// it non-blocking.
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
