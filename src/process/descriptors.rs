//! Which descriptors a worker process begins with: its standard streams, and no others.
//!
//! Whoever started us may have left us descriptors that are closed only when we close them, and libraries open some that
//! way. A worker must have none of them (`tests/crash.rs`). They are marked to be closed when the worker's program starts, and
//! that between `fork` and `exec`, where the marks are the child's own: this process keeps its descriptors as they are.
#![allow(unsafe_code)]

use nix::libc;
use rustix::fs::{Dir, DirEntry, Mode, OFlags};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The first descriptor that is no standard stream.
const FIRST: i32 = 3;

/// How many descriptors are marked where the system can neither mark them all nor say which there are.
const GUESSED: i32 = 4096;

/// Has the process that `command` starts begin with its standard streams, and with no other descriptor. Only `program` is left
/// alone, the descriptor by which the program may be named: valgrind opens it after `exec`.
///
/// A descriptor that another thread opens without a mark at this very moment may be passed on, as it may to any program that is
/// started here.
pub fn keep_standard_streams_only(command: &mut Command, program: Option<i32>) {
    let mark = match unmarked(program) {
        // As a rule there is nothing to be marked, and then std starts the program without a `fork`: that saves a third of a
        // millisecond, and much more where this process has gigabytes of memory.
        Some(numbers) if numbers.is_empty() => return,
        Some(numbers) => Box::new(move || numbers.iter().copied().for_each(mark)) as Box<dyn Fn() + Send + Sync>,
        None => Box::new(mark_all),
    };
    // SAFETY: between `fork` and `exec` nothing may be done that needs memory or a lock, which another thread may have held at
    // the fork. Both functions make system calls and nothing else.
    unsafe {
        command.pre_exec(move || {
            mark();
            Ok(())
        })
    };
}

/// The descriptors, beside the standard streams and `program`, that the program would inherit; `None` where the system does not
/// say which there are.
fn unmarked(program: Option<i32>) -> Option<Vec<i32>> {
    // Not by std, which panics where the system will not close a folder.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let entries = rustix::fs::open("/proc/self/fd", flags, Mode::empty()).and_then(Dir::new).ok()?;
    let number = |entry: rustix::io::Result<DirEntry>| entry.ok()?.file_name().to_str().ok()?.parse().ok();
    // SAFETY: F_GETFD reads nothing from memory, and no descriptor has to be there: it then answers -1, all ones.
    let is_marked = |number| unsafe { libc::fcntl(number, libc::F_GETFD) } & libc::FD_CLOEXEC != 0;
    let is_inherited = |&number: &i32| number >= FIRST && Some(number) != program && !is_marked(number);
    Some(entries.filter_map(number).filter(is_inherited).collect())
}

/// Marks a descriptor to be closed at `exec`.
fn mark(number: i32) {
    // SAFETY: F_SETFD reads nothing from memory, and no descriptor has to be there.
    unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
}

/// Marks all descriptors but the standard streams to be closed at `exec`. std has one of its own open at this point, to report
/// why the program could not be started: it works until then, and has this mark already.
fn mark_all() {
    // The system call itself, since not every libc has a function for it. Before Linux 5.11 it fails, or under a filter that does
    // not know the call.
    // SAFETY: it reads nothing from memory, and closes nothing before `exec`.
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

    /// What a child lists of its descriptors, if it is started after `prepare`.
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
        // The last is that of the folder which ls reads.
        assert_eq!(seen(|command| keep_standard_streams_only(command, None)), [0, 1, 2, 3]);
        // SAFETY: as above.
        let all = seen(|command| unsafe {
            command.pre_exec(|| {
                mark_all();
                Ok(())
            });
        });
        assert_eq!(all, [0, 1, 2, 3]);
        for program in [ours[0], ours[100], ours[199]] {
            let seen = seen(|command| keep_standard_streams_only(command, Some(program)));
            // Beside it that of the folder.
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
