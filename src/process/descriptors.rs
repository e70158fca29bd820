//! Which descriptors a process has that is started here: its standard streams, and no others.
//!
//! Whoever started us may have left us descriptors that are closed only when we close them, and libraries open some that
//! way. A worker is to have none of them. They are marked to be closed when the worker's program starts, and that between
//! `fork` and `exec`, where the marks are the child's own: this process keeps its descriptors as they are.
#![allow(unsafe_code)]

use nix::libc;
use rustix::fs::{Dir, DirEntry, Mode, OFlags, RawDir};
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The first descriptor that is no standard stream.
const FIRST: i32 = 3;

/// How many descriptors are marked where the system can neither mark them all nor say which there are.
const GUESSED: i32 = 4096;

/// Has the process that this starts begin with its standard streams, and with no other descriptor. Nothing is done to `program`,
/// by which the program may be named: valgrind opens it only after `exec`.
///
/// A descriptor that another thread opens without a mark in just this moment may be passed on, as to any program that is
/// started here.
pub fn keep_standard_streams_only(command: &mut Command, program: Option<i32>) {
    // As a rule there is nothing to be marked, and then std starts the program without a `fork`: that saves a third of a
    // millisecond, and much more where this process has gigabytes of memory.
    if !is_any_unmarked(program) {
        return;
    }
    // SAFETY: between `fork` and `exec` nothing may be done that needs memory or a lock, which another thread may have held at
    // the fork. This makes system calls and nothing else, with buffers on the stack.
    unsafe {
        command.pre_exec(move || {
            mark(program);
            Ok(())
        })
    };
}

/// Whether this process has a descriptor but these that the program would inherit, or may have one.
fn is_any_unmarked(program: Option<i32>) -> bool {
    // Not by std, which panics where the system will not close a folder.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open("/proc/self/fd", flags, Mode::empty()).and_then(Dir::new);
    let Ok(entries) = folder else { return true };
    let number = |entry: rustix::io::Result<DirEntry>| entry.ok()?.file_name().to_str().ok()?.parse().ok();
    // SAFETY: F_GETFD reads nothing from memory, and no descriptor has to be there: it then answers -1, all ones.
    let is_marked = |number| unsafe { libc::fcntl(number, libc::F_GETFD) } & libc::FD_CLOEXEC != 0;
    entries.filter_map(number).any(|number| number >= FIRST && Some(number) != program && !is_marked(number))
}

/// Marks all others to be closed at `exec`. std has a descriptor of its own open now, to say why the program could not be
/// started: it works until then, and has this mark already.
fn mark(program: Option<i32>) {
    let program = program.filter(|&program| program >= FIRST);
    // Before Linux 5.11 it fails, or under a filter that does not know the call.
    let is_marked = match program {
        Some(program) => (program == FIRST || mark_range(FIRST, program - 1)) && mark_range(program + 1, -1),
        None => mark_range(FIRST, -1),
    };
    if !is_marked {
        mark_one_by_one(program);
    }
}

/// Marks all of this range, to -1, which is the last there can be; answers whether the system can do so.
fn mark_range(first: i32, last: i32) -> bool {
    // The system call itself, since not every libc has a function for it.
    // SAFETY: it reads nothing from memory and closes nothing before `exec`.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, libc::CLOSE_RANGE_CLOEXEC) == 0 }
}

fn mark_one_by_one(program: Option<i32>) {
    let mark_one = |number| {
        if number >= FIRST && Some(number) != program {
            // SAFETY: F_SETFD reads nothing from memory, and no descriptor has to be there.
            unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = rustix::fs::open(c"/proc/self/fd", flags, Mode::empty()) else {
        return (FIRST..GUESSED).for_each(mark_one);
    };
    let mut buffer = [MaybeUninit::uninit(); 2048];
    let mut entries = RawDir::new(folder, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let number = entry.file_name().to_str().ok().and_then(|name| name.parse().ok());
        number.into_iter().for_each(mark_one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::process::Stdio;

    /// What a child lists of its descriptors, with such a mark made before it starts.
    fn seen(mark: fn(Option<i32>), program: Option<i32>) -> Vec<i32> {
        let mut command = Command::new("ls");
        command.arg("/proc/self/fd").stdin(Stdio::null()).stdout(Stdio::piped());
        // SAFETY: as above.
        unsafe {
            command.pre_exec(move || {
                mark(program);
                Ok(())
            })
        };
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect()
    }

    #[test]
    fn a_child_has_no_descriptor_but_its_standard_streams_and_its_parent_keeps_all() {
        // So many that their names do not fit into one buffer.
        let open = |_| rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()).unwrap();
        let files: Vec<_> = (0..200).map(open).collect();
        let ours: Vec<i32> = files.iter().map(|file| file.as_raw_fd()).collect();
        let are_open = || ours.iter().all(|&number| flags(number) == Some(0));
        assert!(are_open() && is_any_unmarked(None));
        let inherited = seen(|_| {}, None);
        assert!(ours.iter().all(|number| inherited.contains(number)), "{inherited:?}");
        for mark in [mark as fn(_), mark_one_by_one] {
            // The last is that of the folder which ls reads.
            assert_eq!(seen(mark, None), [0, 1, 2, 3]);
            for program in [ours[0], ours[100], ours[199]] {
                let seen = seen(mark, Some(program));
                // Beside it that of the folder.
                assert!(seen.len() == 5 && seen.contains(&program), "{program}: {seen:?}");
            }
            assert!(are_open());
        }
    }

    fn flags(number: i32) -> Option<i32> {
        let text = std::io::read_to_string(File::open(format!("/proc/self/fdinfo/{number}")).ok()?).ok()?;
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
        Some(i32::from_str_radix(flags.trim(), 8).ok()? & libc::O_CLOEXEC)
    }
}
