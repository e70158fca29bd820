//! Makes a worker process begin with its standard streams and no other descriptors.
//!
//! This process might have inherited descriptors that are not marked to be closed at `exec`, and libraries might open
//! such descriptors. A worker must not get any of these descriptors (`tests/crash.rs`). They are marked to be closed
//! after `fork` and before `exec`: the marks then apply only to the child's copies, and this process keeps its
//! descriptors as they are.
#![allow(unsafe_code)]

use nix::libc;
use rustix::fs::{Dir, DirEntry, Mode, OFlags};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The first descriptor number after the standard streams.
const FIRST: i32 = 3;

/// How many descriptor numbers are marked one by one if the system can neither mark all descriptors at once nor list
/// those that are open.
const GUESSED: i32 = 4096;

/// Arranges that the process started by `command` inherits only its standard streams, and at most two other
/// descriptors. `program` is the descriptor N if the program is started by a path such as `/proc/self/fd/N`. It must
/// stay open because valgrind opens that path after `exec`. `given` is a descriptor that the process is given. The
/// caller must not have marked it as close-on-exec.
///
/// If another thread opens a descriptor that is not close-on-exec during this call, the new process might inherit it,
/// and so might any other program that this process starts at that time.
pub fn keep_standard_streams_only(command: &mut Command, program: Option<i32>, given: Option<i32>) {
    let mark = match unmarked([program, given]) {
        // Usually there is nothing to mark. Without a function to call before `exec`, std needs no `fork` to start the
        // program, which saves a third of a millisecond, and much more if this process has gigabytes of memory.
        Some(numbers) if numbers.is_empty() => return,
        Some(numbers) => Box::new(move || numbers.iter().copied().for_each(mark)) as Box<dyn Fn() + Send + Sync>,
        None => Box::new(move || {
            mark_all();
            given.into_iter().for_each(unmark);
        }),
    };
    // SAFETY: between `fork` and `exec` the child must not allocate memory or take a lock, because another thread might
    // have held the lock at the fork. Both marking functions only make system calls.
    unsafe {
        command.pre_exec(move || {
            mark();
            Ok(())
        })
    };
}

/// Returns the descriptors that the started program would inherit, except the standard streams and `kept`. `None` if
/// the system does not list the open descriptors.
fn unmarked(kept: [Option<i32>; 2]) -> Option<Vec<i32>> {
    // Do not use std to read the folder: it panics if closing the folder fails.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let entries = rustix::fs::open("/proc/self/fd", flags, Mode::empty()).and_then(Dir::new).ok()?;
    let number = |entry: rustix::io::Result<DirEntry>| entry.ok()?.file_name().to_str().ok()?.parse().ok();
    // SAFETY: F_GETFD accesses no memory. For a descriptor that is not open it returns -1, which has all bits set.
    let is_marked = |number| unsafe { libc::fcntl(number, libc::F_GETFD) } & libc::FD_CLOEXEC != 0;
    let is_inherited = |&number: &i32| number >= FIRST && !kept.contains(&Some(number)) && !is_marked(number);
    Some(entries.filter_map(number).filter(is_inherited).collect())
}

/// Marks a descriptor to be closed at `exec`.
fn mark(number: i32) {
    // SAFETY: F_SETFD accesses no memory, and only fails for a descriptor that is not open.
    unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
}

/// Removes the mark, so that the descriptor stays open at `exec`.
fn unmark(number: i32) {
    // SAFETY: F_SETFD accesses no memory, and only fails for a descriptor that is not open.
    unsafe { libc::fcntl(number, libc::F_SETFD, 0) };
}

/// Marks all descriptors except the standard streams to be closed at `exec`. This includes the descriptor through which
/// std learns why a program could not be started, which does no harm: this descriptor has the mark already, and stays
/// open until `exec` succeeds.
fn mark_all() {
    // Make the system call directly, because not every C library has a function for it. The call fails before Linux
    // 5.11, and under a filter of system calls that does not know it.
    // SAFETY: the call accesses no memory, and with this flag closes nothing before `exec`.
    if unsafe { libc::syscall(libc::SYS_close_range, FIRST, -1, libc::CLOSE_RANGE_CLOEXEC) } != 0 {
        (FIRST..GUESSED).for_each(mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::process::Stdio;

    /// Returns the descriptors that a child sees when `prepare` has been applied to its command.
    fn seen(prepare: impl FnOnce(&mut Command)) -> Vec<i32> {
        let mut command = Command::new("ls");
        command.arg("/proc/self/fd").stdin(Stdio::null()).stdout(Stdio::piped());
        prepare(&mut command);
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect()
    }

    #[test]
    fn a_child_has_no_descriptor_but_its_standard_streams_and_its_parent_keeps_all() {
        let open = |_| rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()).unwrap();
        let files: Vec<_> = (0..200).map(open).collect();
        let ours: Vec<i32> = files.iter().map(|file| file.as_raw_fd()).collect();
        let are_open = || ours.iter().all(|&number| flags(number) == Some(0));
        assert!(are_open());
        let inherited = seen(|_| {});
        assert!(ours.iter().all(|number| inherited.contains(number)), "{inherited:?}");
        // Number 3 is the folder that `ls` reads.
        assert_eq!(seen(|command| keep_standard_streams_only(command, None, None)), [0, 1, 2, 3]);
        // SAFETY: `mark_all` only makes system calls.
        let all = seen(|command| unsafe {
            command.pre_exec(|| {
                mark_all();
                Ok(())
            });
        });
        assert_eq!(all, [0, 1, 2, 3]);
        for program in [ours[0], ours[100], ours[199]] {
            let seen = seen(|command| keep_standard_streams_only(command, Some(program), None));
            // The fifth descriptor is the folder that `ls` reads.
            assert!(seen.len() == 5 && seen.contains(&program), "{program}: {seen:?}");
        }
        assert!(are_open());
    }

    fn flags(number: i32) -> Option<i32> {
        let text = std::io::read_to_string(File::open(format!("/proc/self/fdinfo/{number}")).ok()?).ok()?;
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
        Some(i32::from_str_radix(flags.trim(), 8).ok()? & libc::O_CLOEXEC)
    }
}
