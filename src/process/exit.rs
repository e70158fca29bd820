//! A child process by its descriptor (a pidfd): whether it has ended, and how.
//!
//! A descriptor, unlike a process number, never comes to mean another process. That matters where this crate is part of a
//! program that ignores SIGCHLD, so that the system reaps our children as they end, or that reaps all children itself: then the
//! number of a worker that has ended may by now be that of another child, which is not ours to wait for, or to kill.
//!
//! std has pidfds too, but not yet in its stable part.
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

/// A descriptor of this child, if the system can wait for it by one. It cannot before Linux 5.4, under valgrind, where a
/// container's filter does not know the calls, or when no descriptors are left.
pub fn descriptor(child: &Child) -> Option<OwnedFd> {
    let process = pidfd_open(Pid::from_raw(child.id() as i32)?, PidfdFlags::empty()).ok()?;
    // Ask, and leave the answer for later. A child that somebody else has reaped already has a descriptor all the same.
    let asked = waited(&process, WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT);
    matches!(asked, Ok(_) | Err(Errno::CHILD)).then_some(process)
}

/// How the process ended, or `None` if it has not.
///
/// # Errors
/// When it has ended and nothing tells how: somebody else has reaped it, and the system has not kept its status.
pub fn try_wait(process: &OwnedFd) -> io::Result<Option<ExitStatus>> {
    status(process, WaitIdOptions::NOHANG)
}

/// Waits for the end of the process, and answers how it ended.
///
/// # Errors
/// As for [`try_wait`].
pub fn wait(process: &OwnedFd) -> io::Result<Option<ExitStatus>> {
    status(process, WaitIdOptions::empty())
}

fn waited(process: &OwnedFd, options: WaitIdOptions) -> rustix::io::Result<Option<WaitIdStatus>> {
    rustix::io::retry_on_intr(|| waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED | options))
}

fn status(process: &OwnedFd, options: WaitIdOptions) -> io::Result<Option<ExitStatus>> {
    // std makes its type of the number that wait(2) answers with.
    let raw = |ended: WaitIdStatus| ended.exit_status().map(|code| (code & 0xff) << 8).or(ended.terminating_signal());
    match waited(process, options) {
        Ok(ended) => Ok(ended.and_then(raw).map(ExitStatus::from_raw)),
        Err(Errno::CHILD) => kept_status(process).map(Some).ok_or_else(|| Errno::CHILD.into()),
        Err(error) => Err(error.into()),
    }
}

/// The first version of `struct pidfd_info` of linux/pidfd.h. Later systems accept it too.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// PIDFD_INFO_EXIT: asks for the status that the process has ended with.
const EXIT: u64 = 1 << 3;
/// PIDFD_GET_INFO.
const GET_INFO: Opcode = opcode::read_write::<Info>(0xff, 11);

/// The system reports the end of a process a little before it keeps its status. Until then it answers without a status; and a
/// system that keeps none fails the request, after the end or from the start. So the loop ends long before this many looks.
const LOOKS: usize = 1000;
const LOOK: Duration = Duration::from_millis(1);

/// How a process ended that somebody else has reaped. Linux keeps that since 6.15, for as long as there is a descriptor.
fn kept_status(process: &OwnedFd) -> Option<ExitStatus> {
    for look in 0..LOOKS {
        if look > 0 {
            thread::sleep(LOOK);
        }
        let mut info = Info { mask: EXIT, ..Info::default() };
        // SAFETY: this request reads and writes a structure of this layout; its size is part of the request's number.
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
