//! Memory that processes share: a file of `/dev/shm` without a name, as long as there is room for it.
//!
//! `shared_memory` makes it, and only truncates: its pages have to be there for real before they are touched, since a
//! full `/dev/shm` would otherwise be a SIGBUS at the first touch.

use nix::libc::RLIM_INFINITY;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{SigSet, SigmaskHow};
use rustix::fd::OwnedFd;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use shared_memory::{ShmemConf, ShmemError};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The least that there is of a file.
pub const PAGE: usize = 4096;

/// Names that are tried: processes of another container may have the same number, and share `/dev/shm` with us.
const TRIES: u32 = 100;

/// How many bytes more a file may have: the less of what is free in its file system and of what `ulimit -f` allows, which
/// counts for shared memory as well.
pub fn room(descriptor: &OwnedFd) -> (u64, Bound) {
    // One without a limit says that it has no blocks.
    let free = rustix::fs::fstatvfs(descriptor).ok().filter(|disk| disk.f_blocks > 0);
    let free = free.map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    match most_of_a_file() {
        Some(most) if most < free => (most, Bound::OfAFile(most)),
        _ => (free, Bound::Free),
    }
}

/// Why a segment is no longer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// No more is free in `/dev/shm`.
    Free,
    /// `ulimit -f` allows no file of more bytes than these.
    OfAFile(u64),
}

/// How long a file of this process may be, if that is limited.
pub fn most_of_a_file() -> Option<u64> {
    let (limit, _) = getrlimit(Resource::RLIMIT_FSIZE).ok()?;
    (limit != RLIM_INFINITY).then_some(limit)
}

/// A file of one page that has no name any more.
pub fn unnamed() -> io::Result<OwnedFd> {
    if most_of_a_file().is_some_and(|most| most < PAGE as u64) {
        return Err(Errno::FBIG.into());
    }
    // While it has a name only SIGKILL can end us. Threads that others have may still take a signal, and end us by it; so
    // may we where signals cannot be made to wait.
    let signals = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK).ok();
    let made = made_and_unlinked();
    if let Some(signals) = signals {
        let _ = signals.thread_set_mask();
    }
    made
}

fn made_and_unlinked() -> io::Result<OwnedFd> {
    let mut tries = 0..TRIES;
    let shmem = loop {
        match ShmemConf::new().os_id(new_name()).size(PAGE).create() {
            Ok(shmem) => break shmem,
            Err(ShmemError::MappingIdExists) if tries.next().is_some() => {}
            Err(ShmemError::MapCreateFailed(code) | ShmemError::UnknownOsError(code)) => {
                return Err(io::Error::from_raw_os_error(code as i32));
            }
            Err(other) => return Err(io::Error::other(other.to_string())),
        }
    };
    let name = shmem.get_os_id();
    let opened = rustix::shm::open(name, rustix::shm::OFlags::RDWR, rustix::shm::Mode::empty());
    rustix::shm::unlink(name)?;
    Ok(opened?)
}

/// A name that hardly anybody has, for the microseconds that it is needed. The crate's own are random numbers, and it panics
/// where the system gives it none.
fn new_name() -> String {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.subsec_nanos());
    let number = NAMES.fetch_add(1, Ordering::Relaxed);
    format!("/shmem_{:X}_{time:X}_{number:X}", std::process::id())
}

/// Gives the file this length.
pub fn lengthen(descriptor: &OwnedFd, length: usize) -> io::Result<()> {
    Ok(rustix::io::retry_on_intr(|| rustix::fs::ftruncate(descriptor, length as u64))?)
}

/// Has these pages there for real. Nothing has been written to them yet.
pub fn allocate(descriptor: &OwnedFd, range: Range<usize>) -> io::Result<()> {
    let (offset, length) = (range.start as u64, range.len() as u64);
    match rustix::io::retry_on_intr(|| rustix::fs::fallocate(descriptor, FallocateFlags::empty(), offset, length)) {
        // Not every file system has this, nor every system. What is written is there.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => fill(descriptor, range),
        done => Ok(done?),
    }
}

fn fill(descriptor: &OwnedFd, mut range: Range<usize>) -> io::Result<()> {
    static NOTHING: [u8; 16 * PAGE] = [0; 16 * PAGE];
    while !range.is_empty() {
        let piece = &NOTHING[..range.len().min(NOTHING.len())];
        let written = rustix::io::retry_on_intr(|| rustix::io::pwrite(descriptor, piece, range.start as u64))?;
        if written == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        range.start += written;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_there_however_they_come() {
        for allocate in [allocate, fill] {
            let file = unnamed().unwrap();
            lengthen(&file, 100 * PAGE).unwrap();
            let before = rustix::fs::fstat(&file).unwrap().st_blocks;
            allocate(&file, PAGE..50 * PAGE + 1).unwrap();
            let stat = rustix::fs::fstat(&file).unwrap();
            assert_eq!(stat.st_size, 100 * PAGE as i64);
            assert!(stat.st_blocks >= before + 50 * PAGE as i64 / 512, "{}", stat.st_blocks);
        }
    }

    #[test]
    fn there_is_room_for_a_page() {
        assert!(room(&unnamed().unwrap()).0 >= PAGE as u64);
    }
}
