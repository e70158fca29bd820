//! Tells what a thread of a command waits for, by the system call that it is in.
//!
//! A command that has read all rows and waits for more might hold back its answers until its input ends. But if one of
//! its threads waits for a socket, sleeps, or polls with a time limit, that thread might still produce answers,
//! although another thread waits for more rows. The same holds for everything else that a thread can wait for, except
//! for another thread or process of the command, and for signals.

use nix::libc;
use std::ffi::{OsStr, OsString, c_long};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// For more of the command's input.
    Input,
    /// For something else, which might come by itself: an answer over a network, a point in time, a device.
    Other,
    /// For another thread or process of the command, or for nothing.
    No,
}

/// How many descriptors are looked at, at most, if a thread waits for several at once. The command decides how many
/// there are, so there must be a limit.
const MOST: usize = 1024;

/// Returns what a thread waits for. `process` is the folder of its process in `/proc`, and `call` is the content of the
/// thread's file `syscall`. `input` is the name of the pipe that is the command's input, as in `pipe:[123]`.
pub fn of_thread(process: &Path, call: &str, input: &OsStr) -> Waits {
    let number = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok();
    let mut words = call.split_ascii_whitespace();
    let Some(Ok(call)) = words.next().map(str::parse::<c_long>) else { return Waits::No };
    let mut arguments = [0; 6];
    for (argument, word) in arguments.iter_mut().zip(words) {
        *argument = number(word).unwrap_or(0);
    }
    // For calls that take the time limit in milliseconds: a negative number means no limit. The other calls with a
    // limit take its address, or 0 for no limit.
    let has_limit = |argument: u64| argument as i32 >= 0;
    let (descriptors, has_limit) = match call {
        libc::SYS_read | libc::SYS_readv | libc::SYS_splice | libc::SYS_tee => (vec![arguments[0]], false),
        libc::SYS_sendfile => (vec![arguments[1]], false),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll => (polled(process, arguments[0], arguments[1]), has_limit(arguments[2])),
        libc::SYS_ppoll => (polled(process, arguments[0], arguments[1]), arguments[2] != 0),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_select => (selected(process, arguments[0], arguments[1]), arguments[4] != 0),
        libc::SYS_pselect6 => (selected(process, arguments[0], arguments[1]), arguments[4] != 0),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_epoll_wait => (watched(process, arguments[0]), has_limit(arguments[3])),
        libc::SYS_epoll_pwait => (watched(process, arguments[0]), has_limit(arguments[3])),
        libc::SYS_epoll_pwait2 => (watched(process, arguments[0]), arguments[3] != 0),
        // Whoever sends a signal to the command knows nothing of its rows, so waiting for a signal is not waiting for
        // anything that could bring an answer.
        libc::SYS_rt_sigtimedwait => (vec![], arguments[2] != 0),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_pause => return Waits::No,
        // A thread in one of these calls waits for another thread or a child of its process, or for a signal.
        libc::SYS_futex | libc::SYS_futex_waitv | libc::SYS_wait4 | libc::SYS_waitid | libc::SYS_rt_sigsuspend => {
            return Waits::No;
        }
        // Sleeping, waiting for a network, and whatever else there is, such as waiting for a device.
        _ => return Waits::Other,
    };
    let files: Vec<OsString> = descriptors.iter().filter_map(|&number| file(process, number)).collect();
    // Unnamed pipes and event descriptors most likely connect threads and processes of the command. A socket, or a path
    // (of a device or a FIFO), leads elsewhere.
    let is_elsewhere =
        |file: &OsString| [&b"socket:"[..], b"/"].iter().any(|start| file.as_encoded_bytes().starts_with(start));
    if has_limit || files.iter().any(is_elsewhere) {
        return Waits::Other;
    }
    if files.iter().any(|file| file == input) { Waits::Input } else { Waits::No }
}

/// Returns the name of the file that is open in the process under this number.
fn file(process: &Path, number: u64) -> Option<OsString> {
    fs::read_link(process.join(format!("fd/{number}"))).ok().map(OsString::from)
}

/// Returns bytes of the memory of the process.
fn memory(process: &Path, at: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    File::open(process.join("mem")).ok()?.read_exact_at(&mut bytes, at).ok()?;
    Some(bytes)
}

/// Returns the descriptors in the array of `count` `struct pollfd` at address `at`.
fn polled(process: &Path, at: u64, count: u64) -> Vec<u64> {
    let count = MOST.min(count as usize);
    let bytes = memory(process, at, 8 * count).unwrap_or_default();
    let (entries, _) = bytes.as_chunks::<8>();
    let numbers = entries.iter().map(|[a, b, c, d, ..]| i32::from_ne_bytes([*a, *b, *c, *d]));
    numbers.filter_map(|number| number.try_into().ok()).collect()
}

/// Returns the descriptors below `end` in the `fd_set` at address `at`.
fn selected(process: &Path, end: u64, at: u64) -> Vec<u64> {
    let end = MOST.min(end as usize);
    let bytes = memory(process, at, 8 * end.div_ceil(64)).unwrap_or_default();
    let (words, _) = bytes.as_chunks::<8>();
    let is_in = |&number: &usize| {
        words.get(number / 64).is_some_and(|&word| u64::from_ne_bytes(word) >> (number % 64) & 1 == 1)
    };
    (0..end).filter(is_in).map(|number| number as u64).collect()
}

/// Returns the descriptors that the epoll descriptor of this number watches.
fn watched(process: &Path, number: u64) -> Vec<u64> {
    let about = fs::read_to_string(process.join(format!("fdinfo/{number}"))).unwrap_or_default();
    let targets = about.lines().filter_map(|line| line.strip_prefix("tfd:"));
    targets.filter_map(|line| line.split_ascii_whitespace().next()?.parse().ok()).take(MOST).collect()
}
