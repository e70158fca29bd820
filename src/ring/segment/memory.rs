//! Memory that processes share: a file in `/dev/shm` whose name has been removed. Its length is chosen so that
//! `/dev/shm` has room for it.
//!
//! `shared_memory` makes the file and only sets its length. This module has the system provide the pages before a
//! process touches them. Otherwise, if `/dev/shm` were full, the first touch would kill the process by SIGBUS
//! (`tests/refused.rs`).

use nix::libc::RLIM_INFINITY;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{SigSet, SigmaskHow};
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use shared_memory::{ShmemConf, ShmemError};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Files in `/dev/shm` grow by this many bytes at a time.
pub const PAGE: usize = 4096;

/// How many names are tried for the file. A name can be taken already, because a process in another container that
/// shares `/dev/shm` can have the same process number and choose the same name.
const TRIES: u32 = 100;

/// Returns how many bytes `file` can have, and what limits them: the free space of its file system or `ulimit -f`,
/// whichever is less. `ulimit -f` applies to shared memory, too.
pub fn room(file: &File) -> (u64, Bound) {
    // A file system without a size limit reports 0 blocks.
    let free = rustix::fs::fstatvfs(file).ok().filter(|disk| disk.f_blocks > 0);
    let free = free.map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    match most_of_a_file() {
        Some(most) if most < free => (most, Bound::OfAFile(most)),
        _ => (free, Bound::Free),
    }
}

/// What limits the length of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// The free space of `/dev/shm`.
    Free,
    /// The limit on the length of a file (`ulimit -f`), in bytes.
    OfAFile(u64),
}

/// Returns the greatest length in bytes that the system lets this process give a file, or `None` if there is no limit.
fn most_of_a_file() -> Option<u64> {
    let (limit, _) = getrlimit(Resource::RLIMIT_FSIZE).ok()?;
    (limit != RLIM_INFINITY).then_some(limit)
}

/// Makes a file of one page, and removes its name.
pub fn unnamed() -> io::Result<File> {
    if most_of_a_file().is_some_and(|most| most < PAGE as u64) {
        return Err(Errno::FBIG.into());
    }
    // Block all signals while the file has a name, so that no signal but SIGKILL can end the process and leave the file
    // behind. This is not certain: another thread might still receive a signal that ends the process, and some systems
    // do not block signals at all.
    let signals = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK).ok();
    let made = made_and_unlinked();
    if let Some(signals) = signals {
        let _ = signals.thread_set_mask();
    }
    made
}

fn made_and_unlinked() -> io::Result<File> {
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
    Ok(opened?.into())
}

/// Returns a name for the file, which has it only for some microseconds. It contains the process number, the time and a
/// count, so another file of that name is unlikely. The random names of `shared_memory` are not used, because it panics
/// if the system provides no random numbers.
fn new_name() -> String {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.subsec_nanos());
    let number = NAMES.fetch_add(1, Ordering::Relaxed);
    format!("/shmem_{:X}_{time:X}_{number:X}", std::process::id())
}

/// Asks the system for the memory pages at `range` of `file`. The pages must not have been written to before, because
/// this function might fill them with zeros.
pub fn allocate(file: &File, range: Range<usize>) -> io::Result<()> {
    let (offset, length) = (range.start as u64, range.len() as u64);
    match rustix::io::retry_on_intr(|| rustix::fs::fallocate(file, FallocateFlags::empty(), offset, length)) {
        // Some file systems do not support `fallocate`, and some systems do not know or permit it. There, writing zeros
        // has the same effect.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => fill(file, range),
        done => Ok(done?),
    }
}

fn fill(file: &File, range: Range<usize>) -> io::Result<()> {
    static ZEROS: [u8; 16 * PAGE] = [0; 16 * PAGE];
    let mut pieces = range.clone().step_by(ZEROS.len());
    pieces.try_for_each(|at| file.write_all_at(&ZEROS[..ZEROS.len().min(range.end - at)], at as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_there_however_they_come() {
        for allocate in [allocate, fill] {
            let file = unnamed().unwrap();
            file.set_len(100 * PAGE as u64).unwrap();
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
