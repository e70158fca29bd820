//! What is done around each call of a kernel. What the kernel has printed is passed on. If the kernel ends the process,
//! a message says so.
#![allow(unsafe_code)]

use crate::error::program;
use nix::libc;
use std::cell::Cell;
use std::ffi::c_int;
use std::io::{self, Write};
use std::ptr::null_mut;

thread_local! {
    /// Whether this thread is in the code of a kernel.
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Calls `call`, which calls a kernel. Then writes out what the kernel has printed, because a worker process ends by
/// SIGKILL, which would lose it. If the kernel has forked, and the child comes back from the call, ends the child: it
/// would map the same rows at the same time as its parent.
pub fn inside<T>(call: impl FnOnce() -> T) -> T {
    let own = std::process::id();
    IS_INSIDE.set(true);
    let answer = call();
    IS_INSIDE.set(false);
    if std::process::id() != own {
        // SAFETY: this ends the process at once. No memory of it is used any more.
        unsafe { libc::_exit(3) }
    }
    // SAFETY: null is allowed here: it means all output streams of C, and so all that the kernel has printed to.
    unsafe { libc::fflush(null_mut()) };
    answer
}

unsafe extern "C" {
    /// Registers a function that is called if `quick_exit` ends the process. It belongs to C11, and glibc and musl have
    /// it.
    fn at_quick_exit(function: extern "C" fn()) -> c_int;
}

/// From here on, a kernel that calls `exit` or `quick_exit` ends this process with status 3 and a message, whatever
/// status it asks for. Call this if the kernel runs in the process that prints the results. Otherwise a run that the
/// kernel ends with status 0 would seem to have succeeded.
pub fn watch_exit() {
    extern "C" fn at_exit() {
        if IS_INSIDE.get() {
            let what = "the kernel has called exit: the rows that it was given, and all behind them, have no results";
            let _ = writeln!(io::stderr(), "{}: {what}", program());
            // SAFETY: this ends the process at once. No memory of it is used any more.
            unsafe { libc::_exit(3) }
        }
    }
    // SAFETY: `at_exit` never unwinds. It reads only `IS_INSIDE`, which has no destructor and so can be read even while
    // its thread ends.
    unsafe { libc::atexit(at_exit) };
    // SAFETY: the same as for `atexit`.
    unsafe { at_quick_exit(at_exit) };
}
