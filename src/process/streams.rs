//! What this process was started with: its standard streams, other descriptors, and variables of its environment. Also
//! sets how this process handles some signals.
//!
//! If a standard stream is closed when a program starts, std opens `/dev/null` in its place before `main`, and what is
//! written there is lost without an error. From then on the closed stream looks like a `/dev/null` that the user has
//! chosen. A program that must tell the two apart uses [`note_closed_streams!`](crate::note_closed_streams), which
//! notes which streams are closed before std opens `/dev/null`.
#![allow(unsafe_code)]

use crate::process::aside::{has_moved, moved, read_nothing};
use nix::libc;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::Errno;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Whether stdin, stdout and stderr were closed when this program was started. All false if the program does not use
/// `note_closed_streams!`.
static CLOSED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];

/// Returns the flags of a descriptor, or -1 if no descriptor with this number is open.
fn flags(number: i32) -> i32 {
    // SAFETY: F_GETFD accesses no memory, and only fails for a descriptor that is not open.
    unsafe { libc::fcntl(number, libc::F_GETFD) }
}

/// Notes which standard streams are closed when this program starts, before std opens `/dev/null` in their place. A
/// filter then ends with an error if its input or output is closed, and does not lose its results silently.
///
/// Write it once, beside `main`, in a program that calls [`filter()`](crate::filter()) or
/// [`Options::run`](crate::Options::run). It adds a function of this crate to those that the loader calls before
/// `main`. That function asks whether the descriptors 0, 1 and 2 are open, and which signals are ignored or blocked. It
/// does nothing else. Do not write it in a library, because this choice belongs to the author of the program.
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
            // SAFETY: the loader calls the functions in this section before `main`, while there is only one thread.
            // This function needs nothing that std sets up.
            #[used]
            #[unsafe(link_section = ".init_array")]
            static NOTE: extern "C" fn() = $crate::__note_closed_streams;
        };
    };
}

/// The signals that were ignored, and those that were blocked, when this program was started: one bit for each signal,
/// with bit 0 for signal 1. They are noted because std changes them: it ignores SIGPIPE before `main`, and resets
/// SIGPIPE and the blocked signals in the programs that it starts.
static IGNORED: AtomicU64 = AtomicU64::new(0);
static BLOCKED: AtomicU64 = AtomicU64::new(0);
static IS_NOTED: AtomicBool = AtomicBool::new(false);

/// The environment variable by which a parent tells a worker process the ignored and the blocked signals, as
/// `IGNORED/BLOCKED` in hexadecimal.
pub const SIGNALS: &str = "PMAPGCD_SIGNALS";

/// The highest signal number, apart from the real-time signals.
const MOST_SIGNAL: i32 = 31;

/// Returns the signals that are ignored now, and those that are blocked.
fn signals() -> (u64, u64) {
    let mut ignored = 0;
    for number in 1..=MOST_SIGNAL {
        let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: without a new action the call only writes the present one to `action`, which has its size.
        let asked = unsafe { libc::sigaction(number, std::ptr::null(), action.as_mut_ptr()) };
        // SAFETY: all bytes of `action` are initialised, and any bytes are valid in its integer fields.
        let handler = unsafe { action.assume_init() }.sa_sigaction;
        ignored |= u64::from(asked == 0 && handler == libc::SIG_IGN) << (number - 1);
    }
    let mut mask = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: without a new mask the call only writes the present one to `mask`.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), mask.as_mut_ptr()) };
    let is_blocked = |number: i32| {
        // SAFETY: `mask` is a valid set: zeros are the empty set, and the call above can only have written another
        // valid set.
        u64::from(unsafe { libc::sigismember(mask.as_ptr(), number) } == 1)
    };
    (ignored, (1..=MOST_SIGNAL).map(|number| is_blocked(number) << (number - 1)).sum())
}

/// Returns the signals that were ignored, and those that were blocked, when the user started this program. A worker
/// process learns them from its parent; any other process has noted them before `main`. `None` if nothing was noted.
fn signals_at_start() -> Option<(u64, u64)> {
    if let Some(told) = take_signals() {
        let (ignored, blocked) = told.to_str()?.split_once('/')?;
        return Some((u64::from_str_radix(ignored, 16).ok()?, u64::from_str_radix(blocked, 16).ok()?));
    }
    let noted = (IGNORED.load(Ordering::Relaxed), BLOCKED.load(Ordering::Relaxed));
    IS_NOTED.load(Ordering::Relaxed).then_some(noted)
}

/// Returns the value of the variable [`SIGNALS`]. The first call removes it from the environment.
pub fn take_signals() -> Option<&'static OsString> {
    static TOLD: OnceLock<Option<OsString>> = OnceLock::new();
    TOLD.get_or_init(|| take_variable(SIGNALS)).as_ref()
}

/// Returns the value that the environment variable [`SIGNALS`] is to have in worker processes. Returns `None` if it is
/// not known which signals were ignored and blocked at the start.
pub fn signals_for_workers() -> Option<String> {
    signals_at_start().map(|(ignored, blocked)| format!("{ignored:x}/{blocked:x}"))
}

/// Passes on to the program that is run by `command` which signals were ignored, and which were blocked, when the user
/// started this program. For example, if this program was started under `nohup`, the other program ignores SIGHUP, too.
pub fn restore_signals(command: &mut Command) {
    let Some((ignored, blocked)) = signals_at_start() else { return };
    // SAFETY: the closure runs between `fork` and `exec`, where it must not allocate memory or take a lock. `sigset_t`
    // is a plain set of bits, and `sigaddset` and `signal` of these numbers touch no memory but the set.
    unsafe {
        command.pre_exec(move || {
            let mut mask = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
            libc::sigemptyset(mask.as_mut_ptr());
            for number in 1..=MOST_SIGNAL {
                let has = |set: u64| set >> (number - 1) & 1 == 1;
                libc::signal(number, if has(ignored) { libc::SIG_IGN } else { libc::SIG_DFL });
                if has(blocked) {
                    libc::sigaddset(mask.as_mut_ptr(), number);
                }
            }
            libc::sigprocmask(libc::SIG_SETMASK, mask.as_ptr(), std::ptr::null_mut());
            Ok(())
        })
    };
}

/// The function that [`note_closed_streams!`](crate::note_closed_streams) makes the loader call before `main`.
#[doc(hidden)]
pub extern "C" fn note() {
    let (ignored, blocked) = signals();
    IGNORED.store(ignored, Ordering::Relaxed);
    BLOCKED.store(blocked, Ordering::Relaxed);
    IS_NOTED.store(true, Ordering::Relaxed);
    for (number, closed) in CLOSED.iter().enumerate() {
        closed.store(flags(number as i32) == -1, Ordering::Relaxed);
    }
}

/// Returns the value of the environment variable `name`, which is meant for this process only. Removes the variable, so
/// that libraries and processes that this one starts do not see it. The variable stays if other threads are running,
/// because they might be reading the environment.
pub fn take_variable(name: &str) -> Option<OsString> {
    let value = std::env::var_os(name)?;
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads == 1 {
        // SAFETY: there is no other thread. Without /proc that is not certain, but only worker processes have this
        // variable, and they call this function at the beginning of `main`.
        unsafe { std::env::remove_var(name) };
    }
    Some(value)
}

/// Sets how two signals are handled, whatever this process has inherited. SIGCHLD must not be ignored, or the system
/// would reap our children before we learn how they ended. SIGXFSZ is ignored, so that writing beyond the limit of a
/// file's length is an error of that write instead of killing the process.
pub fn heed_signals() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    for (number, how) in [(Signal::SIGCHLD, SigHandler::SigDfl), (Signal::SIGXFSZ, SigHandler::SigIgn)] {
        // SAFETY: this installs no handler function, so that no code of ours runs when a signal arrives.
        let _ = unsafe { signal(number, how) };
    }
}

/// Ends this process by SIGPIPE, without a message, as filters end when nobody reads their output any more. Rust
/// programs ignore SIGPIPE, so this function first restores the default action.
pub fn die_of_broken_pipe() -> ! {
    // The first process of a container has the id 1. No signal that such a process sends to itself can kill it, so it
    // exits with the status that shells report for SIGPIPE.
    if std::process::id() != 1 {
        let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGPIPE);
    }
    std::process::exit(128 + signal_hook::consts::SIGPIPE)
}

/// Moves standard input to another descriptor, which [`given`] knows. From then on, a kernel that reads standard input
/// in this process finds it empty.
///
/// # Errors
/// If no descriptors are left.
pub fn set_stdin_aside() -> io::Result<()> {
    // If stdin was closed, `/dev/null` is in its place, and there is nothing to protect.
    let Ok(stdin) = inherited(0) else { return Ok(()) };
    read_nothing()?;
    has_moved(0, stdin);
    Ok(())
}

/// Moves standard output to another descriptor, which [`given`] knows, and puts standard error in its place. Whatever
/// libraries print in this process from then on goes to standard error, and never among the results.
///
/// # Errors
/// If no descriptors are left.
pub fn set_stdout_aside() -> io::Result<()> {
    let Ok(stdout) = inherited(1) else { return Ok(()) };
    rustix::stdio::dup2_stdout(io::stderr())?;
    has_moved(1, stdout);
    Ok(())
}

/// Returns a new descriptor of a standard stream.
///
/// # Errors
/// If this process was started without that stream, or if no descriptors are left.
pub fn given(stream: &impl AsFd) -> io::Result<OwnedFd> {
    inherited(stream.as_fd().as_raw_fd())
}

/// Returns a new descriptor of the open file that this process has inherited as descriptor `number`. Both descriptors
/// share offset and mode.
///
/// Files that std or this program opened do not count. Those of this program are recognized by the flag `FD_CLOEXEC`,
/// which an inherited descriptor cannot have. In place of a closed standard stream, std opens `/dev/null` without this
/// flag; such streams have been noted in `CLOSED`.
///
/// # Errors
/// If no file was inherited under this number, or if no descriptors are left.
pub fn inherited(number: i32) -> io::Result<OwnedFd> {
    if let Some(moved) = moved(number) {
        return moved.try_clone_to_owned();
    }
    let closed = usize::try_from(number).ok().and_then(|number| CLOSED.get(number));
    let flags = flags(number);
    let is_own = flags & libc::FD_CLOEXEC != 0;
    if flags == -1 || is_own || closed.is_some_and(|closed| closed.load(Ordering::Relaxed)) {
        return Err(Errno::BADF.into());
    }
    // SAFETY: the descriptor is open, as `flags` shows, and nobody closes it while it is duplicated here.
    unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned()
}

/// Takes over descriptor `number`, which this process has inherited. The returned value is the only owner of the
/// descriptor. The descriptor is not inherited by programs that this process starts, and is closed when the returned
/// value is dropped.
///
/// # Errors
/// If no file was inherited under this number.
pub fn taken(number: i32) -> io::Result<OwnedFd> {
    drop(inherited(number)?);
    // SAFETY: the descriptor is open. It was given to this process for the caller, so nobody else uses it.
    let taken = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::fcntl_setfd(&taken, rustix::io::FdFlags::CLOEXEC)?;
    Ok(taken)
}

/// How many bytes Linux is asked to buffer in a pipe: 16 times the default, and the most that an unprivileged process
/// may ask for.
const PIPE_SIZE: usize = 1 << 20;

/// Asks the system to buffer more in `file`, if `file` is a pipe. Then the processes at the two ends of the pipe wake
/// each other less often. If enlarging is not permitted, the pipe keeps its size.
pub fn widen(file: impl AsFd) {
    if rustix::pipe::fcntl_getpipe_size(&file).is_ok_and(|size| size < PIPE_SIZE) {
        let _ = rustix::pipe::fcntl_setpipe_size(file, PIPE_SIZE);
    }
}

/// Writes to a file, and waits if a write fails with EAGAIN. Writes fail with EAGAIN if another program that shares the
/// open file has made it non-blocking.
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
