//! Finds out by a descriptor (pidfd) whether a child process has ended, and how.
//!
//! A descriptor always means the same process, but the number of a process can be given to a new process once the old
//! one is reaped. This matters if this crate is part of a program that ignores SIGCHLD, so that the system reaps
//! workers as they end, or of a program that reaps all its children itself. The number of an ended worker can then
//! belong to another child of the program, and this crate must neither wait for that child nor kill it.
//!
//! The functions of std for pidfds are not in stable Rust yet, so they are not used here.
#![allow(unsafe_code)]

use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, WaitIdStatus, pidfd_open, waitid};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::Duration;

/// Returns a descriptor of `child`, if the system can wait for a process by a descriptor. Returns `None` before Linux
/// 5.4, under valgrind, if a container's filter does not know the system calls, or if no descriptors are left.
pub fn descriptor(child: &Child) -> Option<OwnedFd> {
    let process = pidfd_open(Pid::from_raw(child.id() as i32)?, PidfdFlags::empty()).ok()?;
    // Check that waiting works, but leave the status for later. The error `CHILD` means that other code has reaped the
    // child: its descriptor is still good.
    let asked = waited(&process, WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT);
    matches!(asked, Ok(_) | Err(Errno::CHILD)).then_some(process)
}

/// Returns how the process ended, or `None` if it has not.
///
/// # Errors
/// If other code has reaped the ended process, and the system has not kept its status.
pub fn try_wait(process: &OwnedFd) -> io::Result<Option<ExitStatus>> {
    status(process, WaitIdOptions::NOHANG)
}

/// Waits for the end of the process, and returns how it ended.
///
/// # Errors
/// The same as for [`try_wait`].
pub fn wait(process: &OwnedFd) -> io::Result<Option<ExitStatus>> {
    status(process, WaitIdOptions::empty())
}

fn waited(process: &OwnedFd, options: WaitIdOptions) -> rustix::io::Result<Option<WaitIdStatus>> {
    rustix::io::retry_on_intr(|| waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED | options))
}

fn status(process: &OwnedFd, options: WaitIdOptions) -> io::Result<Option<ExitStatus>> {
    // std creates an `ExitStatus` from the status number of wait(2): exit code times 256, or the signal.
    let raw = |ended: WaitIdStatus| ended.exit_status().map(|code| (code & 0xff) << 8).or(ended.terminating_signal());
    match waited(process, options) {
        Ok(ended) => Ok(ended.and_then(raw).map(ExitStatus::from_raw)),
        Err(Errno::CHILD) => kept_status(process).map(Some).ok_or_else(|| Errno::CHILD.into()),
        Err(error) => Err(error.into()),
    }
}

/// The first version of `struct pidfd_info` in linux/pidfd.h. Later systems accept it too.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// PIDFD_INFO_EXIT: the bit of `mask` that asks for the exit status of the process.
const EXIT: u64 = 1 << 3;
/// PIDFD_GET_INFO: the number of the request to `ioctl`.
const GET_INFO: Opcode = opcode::read_write::<Info>(0xff, 11);

/// How often to ask for a kept status before giving up. A short time passes between the end of a process and the moment
/// when the system keeps its status; requests during that time succeed without a status. If the system keeps no
/// statuses at all, the request fails. In practice fewer than this many requests have always been enough.
const LOOKS: usize = 1000;
const LOOK: Duration = Duration::from_millis(1);

/// Returns how a process ended that other code has reaped. Linux keeps the status since 6.15, for as long as a
/// descriptor of the process is open.
fn kept_status(process: &OwnedFd) -> Option<ExitStatus> {
    for look in 0..LOOKS {
        if look > 0 {
            thread::sleep(LOOK);
        }
        let mut info = Info { mask: EXIT, ..Info::default() };
        // SAFETY: PIDFD_GET_INFO reads and writes a `struct pidfd_info`, whose layout `Info` has. The number of the
        // request contains the size of `Info`, so that the system does not write beyond `info`.
        unsafe { ioctl(process, Updater::<GET_INFO, Info>::new(&mut info)) }.ok()?;
        if info.mask & EXIT != 0 {
            return Some(ExitStatus::from_raw(info.exit_code));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn started(command: &str) -> (Child, OwnedFd) {
        let child = Command::new("sh").args(["-c", command]).spawn().unwrap();
        let descriptor = descriptor(&child).unwrap();
        (child, descriptor)
    }

    #[test]
    fn a_status_is_what_std_says_it_is() {
        for command in ["exit 0", "exit 3", "kill -9 $$", "kill -ABRT $$"] {
            let (mut child, descriptor) = started(command);
            let (mut other, _) = started(command);
            let (found, expected) = (wait(&descriptor).unwrap().unwrap(), other.wait().unwrap());
            assert_eq!((found.code(), found.signal()), (expected.code(), expected.signal()), "{command}");
            assert!(child.wait().is_err(), "it is reaped");
        }
    }

    #[test]
    fn the_status_of_one_that_another_has_reaped_is_known_or_said_not_to_be() {
        let (mut child, descriptor) = started("sleep 0.05; exit 7");
        assert!(try_wait(&descriptor).unwrap().is_none());
        child.wait().unwrap();
        match try_wait(&descriptor) {
            Ok(ended) => assert_eq!(ended.unwrap().code(), Some(7)),
            Err(error) => assert_eq!(error.raw_os_error(), Some(Errno::CHILD.raw_os_error())),
        }
    }
}
