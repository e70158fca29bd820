//! What a worker process may still ask of the system once it has all it needs: memory, the time, sleep, last words on stderr,
//! and its end. It may neither open a file nor start a process (`tests/crash.rs`).

use crate::error::Error;
use nix::libc;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};
use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::{AsRawFd, BorrowedFd};

/// How a worker process is confined.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Confinement {
    /// Whether to filter its system calls.
    pub filter: bool,
    /// The most bytes of address space that it may add to what it has when it begins to work.
    pub memory: Option<u64>,
}

/// Limits the address space of this process, for good, to what it has now and `confinement.memory` more. What it has now is the
/// program, its libraries and what is `mapped` for it, like the segment: none of that is a sign of a kernel gone mad.
///
/// # Errors
/// When the system refuses.
pub fn limit(confinement: Confinement, mapped: usize) -> Result<(), Error> {
    let Some(memory) = confinement.memory else { return Ok(()) };
    let memory = memory.saturating_add(address_space().unwrap_or(mapped as u64 + PROGRAM));
    // No more than whoever started us allows.
    let limits = getrlimit(Resource::RLIMIT_AS).unwrap_or((memory, memory));
    let set = setrlimit(Resource::RLIMIT_AS, limits.0.min(memory), limits.1.min(memory));
    set.map_err(|error| Error::io("the memory of workers cannot be limited", error.into()))
}

/// The address space of a program with its libraries, at most, for where the system does not say it.
const PROGRAM: u64 = 64 << 20;

/// How many bytes of address space this process has; none where `/proc` is not there to say it.
fn address_space() -> Option<u64> {
    // Not from `statm`, which counts pages: rustix asks the auxiliary vector for their size, and valgrind's is one that it cannot
    // read.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    let kib: u64 = size.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// Filters the system calls of this process, for good. `socket` is the one over which it talks to its parent, if there is one.
///
/// # Errors
/// When the system refuses.
pub fn filter(confinement: Confinement, socket: Option<BorrowedFd>) -> Result<(), Error> {
    if !confinement.filter {
        return Ok(());
    }
    let cannot = |error: &dyn fmt::Display| Error::defect(format!("workers cannot be confined: {error}"));
    let refused = |call: &str, error| Error::io(format!("workers cannot be confined: {call}"), error);
    let program = program(socket).map_err(|error| cannot(&error))?;
    apply_filter(&program).map_err(|error| match error {
        // Printed as they are, these two would end in the number of the system's error.
        seccompiler::Error::Prctl(error) => refused("prctl", error),
        seccompiler::Error::Seccomp(error) => refused("seccomp", error),
        other => cannot(&other),
    })
}

/// A condition on a system call: the argument of this number, of which only these bits count, has this value.
type Condition = (u8, i32, i32);

/// All bits of an argument.
const ALL: i32 = -1;

/// The filter. It permits the calls of [`FREE`], and those here under one of their conditions. All others fail with EPERM.
fn program(socket: Option<BorrowedFd>) -> Result<BpfProgram, seccompiler::BackendError> {
    let to_stderr: &[&[Condition]] = &[&[(0, ALL, 1)], &[(0, ALL, 2)]];
    let own = std::process::id() as i32;
    let socket = socket.map_or(-1, |socket| socket.as_raw_fd());
    // Which operation it is, for private and for shared words, and by either clock.
    let futex = |operation| (1, !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME), operation);
    let conditional: [(i64, &[&[Condition]]); 10] = [
        // Last words, to stderr; stdout is stderr too, for what a kernel prints.
        (libc::SYS_write, to_stderr),
        (libc::SYS_writev, to_stderr),
        // Memory, but no file, and no code.
        (libc::SYS_mmap, &[&[(3, libc::MAP_ANONYMOUS, libc::MAP_ANONYMOUS), (2, libc::PROT_EXEC, 0)]]),
        (libc::SYS_mprotect, &[&[(2, libc::PROT_EXEC, 0)]]),
        // Allow FUTEX_WAIT and FUTEX_WAKE; deny FUTEX_REQUEUE, which would have the parent wait for another word.
        (
            libc::SYS_futex,
            &[
                &[futex(libc::FUTEX_WAIT)],
                &[futex(libc::FUTEX_WAKE)],
                &[futex(libc::FUTEX_WAIT_BITSET)],
                &[futex(libc::FUTEX_WAKE_BITSET)],
            ],
        ),
        // How allocators give memory back. Nothing that would take shared pages away from others.
        (libc::SYS_madvise, &[&[(2, ALL, libc::MADV_DONTNEED)], &[(2, ALL, libc::MADV_FREE)]]),
        // A signal to itself, as in `abort`.
        (libc::SYS_tgkill, &[&[(0, ALL, own)]]),
        // Whether a descriptor is open, which std asks before it closes one.
        (libc::SYS_fcntl, &[&[(1, ALL, libc::F_GETFD)]]),
        // What comes from the parent and goes to it. Without a socket this permits nothing: no descriptor has the number -1.
        (libc::SYS_read, &[&[(0, ALL, socket)]]),
        (libc::SYS_sendto, &[&[(0, ALL, socket)]]),
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

/// System calls that are permitted whatever their arguments.
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
    // Only the oldest architectures have `poll`; the others' libraries ask for this.
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_membarrier,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_space_is_known_and_holds_the_program() {
        let before = address_space().unwrap();
        let mapped = memmap2::MmapMut::map_anon(1 << 30).unwrap();
        let with_more = address_space().unwrap();
        drop(mapped);
        // Other tests may map and unmap something at the same time, but not that much.
        assert!((1 << 20..1 << 40).contains(&before) && with_more > before + (1 << 29), "{before} {with_more}");
    }
}
