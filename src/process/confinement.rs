//! What a worker may still ask of the system once it has all it needs: memory, time, sleep, its last words and its end.

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
    /// Whether system calls are filtered.
    pub filter: bool,
    /// Most bytes of address space beside what it has when it begins to work.
    pub memory: Option<u64>,
}

/// Limits the memory of this process, for good: to what it has now and so much more. What it has now is the program, its
/// libraries and what is `mapped` for it, like the segment, all of which is no sign of a kernel gone mad.
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

/// What a program with its libraries may have in address space, where the system does not say what it has.
const PROGRAM: u64 = 64 << 20;

/// How many bytes of address space this process has; none where `/proc` is not there to say it.
fn address_space() -> Option<u64> {
    // Not in pages: rustix asks the vector of the loader for their size, which valgrind makes up in a way that it cannot read.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    let kib: u64 = size.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// Filters the system calls of this process, for good; over this socket, if there is one, it talks to its parent.
///
/// # Errors
/// When the system refuses.
pub fn filter(confinement: Confinement, socket: Option<BorrowedFd>) -> Result<(), Error> {
    if !confinement.filter {
        return Ok(());
    }
    let cannot = |error: &dyn fmt::Display| Error::usage(format!("workers cannot be confined: {error}"));
    let refused = |call: &str, error| Error::io(format!("workers cannot be confined: {call}"), error);
    let program = program(socket).map_err(|error| cannot(&error))?;
    apply_filter(&program).map_err(|error| match error {
        // As they come they end in the number of the system's error.
        seccompiler::Error::Prctl(error) => refused("prctl", error),
        seccompiler::Error::Seccomp(error) => refused("seccomp", error),
        other => cannot(&other),
    })
}

/// What is not named here fails with EPERM.
fn program(socket: Option<BorrowedFd>) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = FREE.iter().map(|&call| (call, vec![])).collect();
    let is = |argument, value| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
            .and_then(|condition| SeccompRule::new(vec![condition]))
    };
    let has = |argument, mask: i32, value: i32| {
        let masked = SeccompCmpOp::MaskedEq(mask as u64);
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, masked, value as u64)
            .and_then(|condition| SeccompRule::new(vec![condition]))
    };
    // Last words, on stderr; what a kernel prints to stdout goes there too.
    rules.insert(libc::SYS_write, vec![is(0, 1)?, is(0, 2)?]);
    rules.insert(libc::SYS_writev, vec![is(0, 1)?, is(0, 2)?]);
    // Memory, but nobody's file, and no new code.
    let anonymous = SeccompRule::new(vec![
        SeccompCondition::new(
            3,
            SeccompCmpArgLen::Dword,
            SeccompCmpOp::MaskedEq(libc::MAP_ANONYMOUS as u64),
            libc::MAP_ANONYMOUS as u64,
        )?,
        SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64), 0)?,
    ])?;
    rules.insert(libc::SYS_mmap, vec![anonymous]);
    rules.insert(libc::SYS_mprotect, vec![has(2, libc::PROT_EXEC, 0)?]);
    // To wait and to wake, but not to have those who wait for one thing wait for another; private or not, by any clock.
    let waits = |operation: i32| {
        let masked = SeccompCmpOp::MaskedEq(!(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME) as u32 as u64);
        SeccompCondition::new(1, SeccompCmpArgLen::Dword, masked, operation as u64)
            .and_then(|condition| SeccompRule::new(vec![condition]))
    };
    let waiting = [libc::FUTEX_WAIT, libc::FUTEX_WAKE, libc::FUTEX_WAIT_BITSET, libc::FUTEX_WAKE_BITSET];
    rules.insert(libc::SYS_futex, waiting.into_iter().map(waits).collect::<Result<_, _>>()?);
    // What allocators say of memory that they need no more; shared pages stay where they are.
    let advice = [libc::MADV_DONTNEED, libc::MADV_FREE].map(|advice| is(2, advice as u64));
    rules.insert(libc::SYS_madvise, advice.into_iter().collect::<Result<_, _>>()?);
    // A signal to itself, as in abort.
    let own = u64::from(std::process::id());
    rules.insert(libc::SYS_tgkill, vec![is(0, own)?]);
    // Whether a descriptor is open, as std asks before it closes one.
    rules.insert(libc::SYS_fcntl, vec![is(1, libc::F_GETFD as u64)?]);
    if let Some(socket) = socket {
        for call in [libc::SYS_read, libc::SYS_sendto] {
            rules.insert(call, vec![is(0, socket.as_raw_fd() as u64)?]);
        }
    }
    let architecture = std::env::consts::ARCH.try_into()?;
    let otherwise = SeccompAction::Errno(libc::EPERM as u32);
    SeccompFilter::new(rules, otherwise, SeccompAction::Allow, architecture)?.try_into()
}

/// Calls that are free whatever their arguments.
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
