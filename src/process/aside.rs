//! Keeps kernels away from standard input and output. Both streams are moved to other descriptors. A kernel that reads
//! standard input finds it empty, and what a kernel prints goes to standard error.
#![allow(unsafe_code)]

use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use rustix::fs::{Stat, fstat, stat};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};

/// The descriptors to which standard input and output were moved; -1 if they were not.
static MOVED: [AtomicI32; 2] = [const { AtomicI32::new(-1) }; 2];

/// Returns where the standard stream `number` is now, if it was moved.
pub fn moved(number: i32) -> Option<BorrowedFd<'static>> {
    let moved = MOVED.get(usize::try_from(number).ok()?)?.load(Ordering::Relaxed);
    // SAFETY: the descriptor `moved` is open: `has_moved` took it from its owner, and only `put_stdout_back` closes it.
    // That is called when the run is over and nobody uses a descriptor that this function has returned.
    (moved >= 0).then(|| unsafe { BorrowedFd::borrow_raw(moved) })
}

/// Records that the standard stream `number` is at the descriptor `there` from now on.
pub fn has_moved(number: usize, there: OwnedFd) {
    MOVED[number].store(there.into_raw_fd(), Ordering::Relaxed);
}

/// Replaces standard input by an empty one: a pipe that nobody writes to. A pipe is used instead of `/dev/null`,
/// because [`present_name`] must be able to tell the replacement from every other file.
///
/// # Errors
/// If no descriptors are left.
pub fn read_nothing() -> io::Result<()> {
    let (end, _) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    Ok(rustix::stdio::dup2_stdin(end)?)
}

/// Moves standard output back to descriptor 1. What this process has printed and not yet flushed still goes to standard
/// error.
pub fn put_stdout_back() {
    let _ = io::Write::flush(&mut io::stdout());
    let moved = MOVED[1].swap(-1, Ordering::Relaxed);
    if moved >= 0 {
        // SAFETY: the descriptor in `moved` is open, and nobody else owns it: `has_moved` took it from its owner, and
        // `swap` has removed it from `MOVED`.
        let moved = unsafe { OwnedFd::from_raw_fd(moved) };
        let _ = rustix::stdio::dup2_stdout(moved);
    }
}

/// Returns standard input, wherever it is now.
pub fn stdin() -> BorrowedFd<'static> {
    moved(0).unwrap_or(rustix::stdio::stdin())
}

/// Returns a name by which the file `path` can be opened now. The name differs from `path` only if `path` means
/// standard input, as `/dev/stdin` does, and standard input was moved.
pub fn present_name(path: &Path) -> PathBuf {
    let stand_in = || Some((stat(path).ok()?, fstat(rustix::stdio::stdin()).ok()?));
    let is_moved = |(named, stand_in): (Stat, Stat)| (named.st_dev, named.st_ino) == (stand_in.st_dev, stand_in.st_ino);
    match moved(0).filter(|_| stand_in().is_some_and(is_moved)) {
        Some(moved) => format!("/proc/self/fd/{}", moved.as_raw_fd()).into(),
        None => path.to_path_buf(),
    }
}
