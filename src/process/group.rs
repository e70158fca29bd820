//! A process group that is killed when the process that made it ends, even if that process is killed by SIGKILL.
//!
//! A process that is killed by SIGKILL cannot clean up. The system can then send a signal to the children of the
//! process (`PR_SET_PDEATHSIG`), but not to its grandchildren. So the group is led by a *watcher*: a fork of this
//! process that only reads from a pipe. No process writes to the pipe. Only this process holds the other end, so the
//! watcher's read returns when this process has ended. The watcher then kills its group. The group has the watcher's
//! process number. No other group can get this number before the watcher is reaped, so killing the group by its number
//! is safe.
#![allow(unsafe_code)]

use nix::libc;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, setpgid, waitpid};
use std::io;

/// A process group. All its processes are killed when this value is dropped, or when this process ends.
pub struct Group {
    watcher: Pid,
    /// The writing end of the watcher's pipe. The system closes it when this process ends, which the watcher notices.
    _alive: OwnedFd,
}

impl Group {
    /// Makes a group that has only its watcher.
    ///
    /// # Errors
    /// If the system refuses descriptors or processes.
    pub fn new() -> io::Result<Self> {
        let (watched, alive) = pipe_with(PipeFlags::CLOEXEC)?;
        // SAFETY: the child must not allocate memory or take a lock, because another thread might have held the lock at
        // the fork. `watch` only makes system calls, and never returns.
        let pid = match unsafe { libc::fork() } {
            // SAFETY: this is the child, which only runs `watch`: it makes only system calls, and never returns.
            0 => unsafe { watch(watched.as_raw_fd()) },
            pid => pid,
        };
        let watcher = Pid::from_raw(pid).filter(|_| pid > 0).ok_or_else(io::Error::last_os_error)?;
        // The watcher makes the same call for itself. Whichever process is first, the group exists before it is used.
        let _ = setpgid(Some(watcher), Some(watcher));
        Ok(Group { watcher, _alive: alive })
    }

    /// Returns the number of the group, which is the watcher's process id.
    pub fn number(&self) -> i32 {
        self.watcher.as_raw_nonzero().get()
    }

    /// Kills all processes of the group.
    pub fn kill(&self) {
        let _ = kill_process_group(self.watcher, Signal::KILL);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        let _ = rustix::io::retry_on_intr(|| waitpid(Some(self.watcher), WaitOptions::empty()));
    }
}

/// How many descriptor numbers are closed one by one if the system cannot close all descriptors at once, as before
/// Linux 5.9.
const GUESSED: i32 = 4096;

/// Runs the watcher: waits until no process holds the other end of `pipe`, then kills its own group, itself included.
///
/// # Safety
/// Must be called in a process that was just forked. It only makes system calls.
unsafe fn watch(pipe: i32) -> ! {
    // SAFETY: these system calls access no memory but this function's variables, and the descriptors are this process's
    // own copies.
    unsafe {
        let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut());
        libc::setpgid(0, 0);
        libc::prctl(libc::PR_SET_NAME, c"pmapgcd-watch".as_ptr());
        libc::dup2(pipe, 0);
        // Close all other descriptors. If the watcher kept a copy of a pipe's writing end, readers of this pipe would
        // never see the end of their input.
        if libc::syscall(libc::SYS_close_range, 1, u32::MAX, 0) != 0 {
            (1..GUESSED).for_each(|number| {
                libc::close(number);
            });
        }
        let mut byte = 0u8;
        while libc::read(0, (&raw mut byte).cast(), 1) < 0 && *libc::__errno_location() == libc::EINTR {}
        libc::kill(0, libc::SIGKILL);
        libc::_exit(0)
    }
}
