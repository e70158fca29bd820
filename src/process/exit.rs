//! A process of ours by its descriptor (a pidfd): whether it has ended, and how.
//!
//! A descriptor, unlike a number, never comes to mean another process. That matters where this crate is part of a program that
//! ignores SIGCHLD, so that the system reaps our children as they end, or that reaps all children itself: then the number
//! of a worker that has ended may be that of another child by now, which is not ours to wait for, or to kill.
#![allow(unsafe_code)]

use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use rustix::process::{WaitId, WaitIdOptions, WaitIdStatus, waitid};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread;
use std::time::Duration;

/// How it ended, once it has, and `None` before.
///
/// # Errors
/// When that is not known: somebody else has reaped it, or the system has nothing to say of such descriptors.
pub fn try_wait(process: &OwnedFd) -> io::Result<Option<ExitStatus>> {
    wait_with(process, WaitIdOptions::NOHANG)
}

/// How it ended. Waits for that.
///
/// # Errors
/// As above.
pub fn wait(process: &OwnedFd) -> io::Result<Option<ExitStatus>> {
    wait_with(process, WaitIdOptions::empty())
}

fn wait_with(process: &OwnedFd, options: WaitIdOptions) -> io::Result<Option<ExitStatus>> {
    let wait = || waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED | options);
    match rustix::io::retry_on_intr(wait) {
        Ok(ended) => Ok(ended.and_then(status)),
        Err(Errno::CHILD) => kept_status(process).map(Some).ok_or_else(|| Errno::CHILD.into()),
        Err(error) => Err(error.into()),
    }
}

/// The same in std's type, which is made of the number that wait(2) answers with.
fn status(ended: WaitIdStatus) -> Option<ExitStatus> {
    let code = ended.exit_status().map(|code| (code & 0xff) << 8);
    Some(ExitStatus::from_raw(code.or(ended.terminating_signal())?))
}

/// `struct pidfd_info` of linux/pidfd.h as it was first, which later systems know too.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// PIDFD_INFO_EXIT: the code that a process has ended with.
const EXIT: u64 = 1 << 3;
/// PIDFD_GET_INFO.
const GET_INFO: Opcode = opcode::read_write::<Info>(0xff, 11);

/// The system says that a process has ended a little before it keeps how. As long as it knows the process it answers; where it
/// keeps nothing it says after that that there is no such process, or right away that there is no such request. So this is
/// more than there is ever need for.
const LOOKS: usize = 1000;
const LOOK: Duration = Duration::from_millis(1);

/// How a process ended that somebody else has reaped. Linux keeps that from 6.15 on, for as long as there is a descriptor.
fn kept_status(process: &OwnedFd) -> Option<ExitStatus> {
    for look in 0..LOOKS {
        if look > 0 {
            thread::sleep(LOOK);
        }
        let mut info = Info { mask: EXIT, ..Info::default() };
        // SAFETY: this request reads and writes a structure of this layout, whose size it is told as a part of its number.
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
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    use std::process::{Child, Command};

    fn started(command: &str) -> (Child, OwnedFd) {
        let child = Command::new("sh").args(["-c", command]).spawn().unwrap();
        let descriptor = pidfd_open(Pid::from_raw(child.id() as i32).unwrap(), PidfdFlags::empty()).unwrap();
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
