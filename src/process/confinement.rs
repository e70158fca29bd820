//! Confines a worker once it is set up: limits its memory and its system calls. A worker may still use memory, read the
//! input file that it was given, read the clock, sleep, write to stderr (for example a panic's message), exit, and make
//! a few harmless calls ([`FREE`]). `tests/crash.rs` checks that a worker can neither open a file nor start a process.

use crate::error::{Error, reason};
use nix::libc;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustix::io::Errno;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter_all_threads,
};
use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::{AsRawFd, BorrowedFd};

/// How a worker process is confined.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Confinement {
    /// Whether to filter the worker's system calls.
    pub filter: bool,
    /// How many bytes of address space the worker may add to what it has when it begins to work. `None` means no limit.
    pub memory: Option<u64>,
}

/// Limits the address space of this process, irrevocably, to its present size plus `confinement.memory`.
/// `confinement.memory` is for what the mapped function allocates. The present size is added for the program, its
/// libraries, and mappings such as the segment. `mapped` is how many bytes are mapped beside the program. It is used
/// only if the present size cannot be read.
///
/// # Errors
/// If the system refuses to set the limit.
pub fn limit(confinement: Confinement, mapped: usize) -> Result<(), Error> {
    let Some(memory) = confinement.memory else { return Ok(()) };
    let memory = memory.saturating_add(address_space().unwrap_or(mapped as u64 + PROGRAM));
    // Do not exceed the limits that this process has inherited.
    let limits = getrlimit(Resource::RLIMIT_AS).unwrap_or((memory, memory));
    let set = setrlimit(Resource::RLIMIT_AS, limits.0.min(memory), limits.1.min(memory));
    set.map_err(|error| Error::io("the memory of workers cannot be limited", error.into()))
}

/// Upper bound for the address space of this program with its libraries. Used if the system does not say the real size.
const PROGRAM: u64 = 64 << 20;

/// Returns how many bytes of address space this process has, or `None` if `/proc` does not say.
fn address_space() -> Option<u64> {
    // `/proc/self/statm` is no alternative: it counts pages, and rustix reads the size of a page from the auxiliary
    // vector, which it cannot do under valgrind.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    let kib: u64 = size.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// Filters the system calls of all threads of this process, irrevocably. `socket` is the socket that connects the
/// worker with its parent, if there is one: reading from the socket and sending to it stay permitted. `file` is the
/// input file that the worker reads for itself, if there is one: reading at given offsets of the file (`pread64`) stays
/// permitted.
///
/// # Errors
/// If the system refuses to install the filter.
pub fn filter(confinement: Confinement, socket: Option<BorrowedFd>, file: Option<BorrowedFd>) -> Result<(), Error> {
    if !confinement.filter {
        return Ok(());
    }
    let cannot = |error: &dyn fmt::Display| Error::defect(format!("workers cannot be confined: {error}"));
    let refused = |call: &str, error| Error::io(format!("workers cannot be confined: {call}"), error);
    let program = program(socket, file).map_err(|error| cannot(&error))?;
    // Filter all threads, because a native kernel's library might have started some when it was loaded.
    apply_filter_all_threads(&program).map_err(|error| match error {
        // The messages of these two errors give the system's error only as a number. Pass on the system's error itself,
        // which is printed in words.
        seccompiler::Error::Prctl(error) => refused("prctl", error),
        seccompiler::Error::Seccomp(error) => refused("seccomp", error),
        other => cannot(&other),
    })
}

/// A condition on a system call: the number of an argument, a mask of the bits to compare, and the value that these
/// bits must have.
type Condition = (u8, i32, i32);

/// Mask that compares all bits of an argument.
const ALL: i32 = -1;

/// Builds the filter. It permits the calls in [`FREE`], and each call in `conditional` if all conditions in one of its
/// lists are fulfilled. All other calls fail with EPERM.
fn program(socket: Option<BorrowedFd>, file: Option<BorrowedFd>) -> Result<BpfProgram, seccompiler::BackendError> {
    let to_stderr: &[&[Condition]] = &[&[(0, ALL, 1)], &[(0, ALL, 2)]];
    let own = std::process::id() as i32;
    let [socket, file] = [socket, file].map(|descriptor| descriptor.map_or(-1, |descriptor| descriptor.as_raw_fd()));
    // The condition for one futex operation. The bits that choose private or shared words, or the clock, are ignored.
    let futex = |operation| (1, !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME), operation);
    let conditional: [(i64, &[&[Condition]]); 11] = [
        // Permit messages, such as a panic's, on stderr (2). In a worker, stdout (1) is a copy of stderr, so that a
        // kernel can print.
        (libc::SYS_write, to_stderr),
        (libc::SYS_writev, to_stderr),
        // Permit mapping of memory, but not of files and not for code.
        (libc::SYS_mmap, &[&[(3, libc::MAP_ANONYMOUS, libc::MAP_ANONYMOUS), (2, libc::PROT_EXEC, 0)]]),
        (libc::SYS_mprotect, &[&[(2, libc::PROT_EXEC, 0)]]),
        // Allow FUTEX_WAIT and FUTEX_WAKE; deny FUTEX_REQUEUE, which could make the parent wait for another word.
        (
            libc::SYS_futex,
            &[
                &[futex(libc::FUTEX_WAIT)],
                &[futex(libc::FUTEX_WAKE)],
                &[futex(libc::FUTEX_WAIT_BITSET)],
                &[futex(libc::FUTEX_WAKE_BITSET)],
            ],
        ),
        // Allocators use these two to give memory back. Other kinds of advice are denied, because some remove pages of
        // shared memory, which other processes need.
        (libc::SYS_madvise, &[&[(2, ALL, libc::MADV_DONTNEED)], &[(2, ALL, libc::MADV_FREE)]]),
        // Permit a signal to the process itself, which `abort` sends.
        (libc::SYS_tgkill, &[&[(0, ALL, own)]]),
        // std asks whether a descriptor is open before closing it.
        (libc::SYS_fcntl, &[&[(1, ALL, libc::F_GETFD)]]),
        // Permit reading from the parent and sending to it. Without a socket these two rules permit nothing, since no
        // descriptor has the number -1.
        (libc::SYS_read, &[&[(0, ALL, socket)]]),
        (libc::SYS_sendto, &[&[(0, ALL, socket)]]),
        // Permit reading the input file. Without a file this rule permits nothing, since no descriptor has the number
        // -1.
        (libc::SYS_pread64, &[&[(0, ALL, file)]]),
    ];
    let condition = |&(argument, bits, value): &Condition| {
        let masked = SeccompCmpOp::MaskedEq(bits as u32 as u64);
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, masked, value as u32 as u64)
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = FREE.iter().map(|&call| (call, vec![])).collect();
    for (call, alternatives) in conditional {
        let rule = |all: &&[Condition]| SeccompRule::new(all.iter().map(condition).collect::<Result<_, _>>()?);
        rules.insert(call, alternatives.iter().map(rule).collect::<Result<_, _>>()?);
    }
    let architecture = std::env::consts::ARCH.try_into()?;
    let otherwise = SeccompAction::Errno(libc::EPERM as u32);
    SeccompFilter::new(rules, otherwise, SeccompAction::Allow, architecture)?.try_into()
}

/// System calls that are permitted with any arguments.
const FREE: &[i64] = &[
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_brk,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrusage,
    libc::SYS_close,
    // Only the oldest architectures have the system call `poll`. On the others the C library uses `ppoll`.
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_membarrier,
    // A thread makes these calls when it begins. The library of a native kernel can start a thread while it is loaded,
    // and that thread may begin to run only after the filter is installed.
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
];

/// Gives up all rights that a worker does not need from here on. `unbound` is the error if the worker could not be made
/// to end with its parent. Returns a message for each restriction that the system refuses; the run goes on without it.
pub fn confine(
    unbound: Option<Errno>,
    confinement: Confinement,
    mapped: usize,
    socket: Option<BorrowedFd>,
    file: Option<BorrowedFd>,
) -> Vec<String> {
    let unbound = unbound.map(|error| {
        let error = reason(&error.into());
        format!("workers cannot be killed with their parent: {error}; going on, they end within seconds of it")
    });
    let unlimited = limit(confinement, mapped).err().map(|error| format!("{error}; going on without"));
    let unfiltered = filter(confinement, socket, file).err();
    let unfiltered = unfiltered.map(|error| format!("{error}; going on without (--no-sandbox says nothing)"));
    [unbound, unlimited, unfiltered].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_space_is_known_and_holds_the_program() {
        let before = address_space().unwrap();
        let mapped = memmap2::MmapMut::map_anon(1 << 30).unwrap();
        let with_more = address_space().unwrap();
        drop(mapped);
        // Other tests might map and unmap something at the same time, but not that much.
        assert!((1 << 20..1 << 40).contains(&before) && with_more > before + (1 << 29), "{before} {with_more}");
    }
}
