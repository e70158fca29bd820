//! The system calls that a run makes, and the errors with which each of them is likely to fail.

/// Which calls fail, and with which errors. If a run makes a call that is neither here nor in [`LEFT_OUT`], the test fails.
pub const ERRORS: [(&str, &str); 57] = [
    ("clone", "EAGAIN ENOMEM EPERM"),
    ("clone3", "EAGAIN ENOMEM EPERM"),
    ("close_range", "ENOSYS EPERM"),
    ("dup2", "EMFILE"),
    ("eventfd2", "EMFILE ENFILE ENOMEM ENOSYS"),
    ("execve", "ENOENT EACCES ENOMEM EPERM"),
    ("fadvise64", "EINVAL ENOSYS EPERM"),
    ("fallocate", "EOPNOTSUPP ENOSPC EFBIG EINTR ENOSYS EPERM"),
    ("fchmod", "EPERM EROFS"),
    ("fchown", "EPERM"),
    ("fcntl", "EMFILE"),
    ("fdatasync", "EIO EINVAL ENOSPC EDQUOT ENOSYS EPERM"),
    ("fgetxattr", "EOPNOTSUPP EPERM"),
    ("flistxattr", "EOPNOTSUPP EPERM"),
    ("fremovexattr", "EOPNOTSUPP EPERM EACCES"),
    ("fsetxattr", "EOPNOTSUPP EPERM ENOSPC"),
    ("fstat", "EIO"),
    ("fstatfs", "ENOSYS EPERM"),
    ("fsync", "EIO EINVAL"),
    ("ftruncate", "EFBIG EIO EINTR EPERM"),
    ("getcwd", "ENOENT"),
    ("getdents64", "EIO ENOENT"),
    ("getrandom", "ENOSYS EPERM"),
    ("ioctl", "ENOTTY EIO"),
    ("kill", "EPERM"),
    ("linkat", "EPERM EACCES ENOENT EXDEV EMLINK ENOSYS EDQUOT EROFS"),
    ("lseek", "ESPIPE"),
    ("madvise", "EINVAL EPERM"),
    ("munmap", "ENOMEM"),
    ("newfstatat", "EACCES EIO"),
    ("open", "EACCES EMFILE ENOSPC EOPNOTSUPP EISDIR"),
    ("openat", "EMFILE ENFILE EACCES ENOENT ENOMEM EINTR"),
    ("pidfd_open", "EPERM ENOSYS EMFILE EINVAL"),
    ("pidfd_send_signal", "EPERM ENOSYS"),
    ("pipe2", "EMFILE ENFILE"),
    ("poll", "ENOMEM EINTR EAGAIN"),
    ("ppoll", "ENOMEM EINTR EINVAL"),
    ("prctl", "EINVAL EPERM"),
    ("preadv2", "EIO EINTR EAGAIN EOPNOTSUPP ENOSYS EPERM"),
    ("prlimit64", "EPERM EINVAL ENOSYS"),
    ("pwrite64", "ENOSPC EIO EINTR"),
    ("read", "EIO EINTR EISDIR"),
    ("readlink", "EACCES ENOENT"),
    ("readlinkat", "EACCES EIO ENOMEM"),
    ("recvfrom", "ECONNRESET ENOMEM EINTR"),
    ("renameat", "EBUSY EPERM EXDEV EACCES EIO ENOSPC"),
    ("sched_getaffinity", "ENOSYS EPERM"),
    ("seccomp", "EINVAL ENOSYS EPERM EACCES"),
    ("sendto", "EPIPE ENOBUFS EINTR"),
    ("shutdown", "ENOTCONN"),
    ("socketpair", "EMFILE EPERM EAFNOSUPPORT ENOBUFS"),
    ("statx", "ENOSYS EACCES EPERM"),
    ("unlink", "ENOENT EACCES"),
    ("unlinkat", "EACCES EPERM"),
    ("wait4", "EINTR"),
    ("waitid", "EINTR EINVAL ENOSYS"),
    ("write", "EIO ENOSPC EDQUOT EFBIG EINTR EAGAIN EPIPE"),
];

/// Which calls never fail in this test, and why.
pub const LEFT_OUT: [(&str, &str); 6] = [
    (
        "getpid gettid getppid exit exit_group getuid geteuid getgid getegid sched_yield rt_sigreturn restart_syscall \
         clock_gettime clock_nanosleep nanosleep membarrier getrusage",
        "they cannot fail, or not in a way that says anything",
    ),
    (
        "access arch_prctl pread64 set_tid_address set_robust_list rseq mprotect brk",
        "by these the loader and libc set up programs and threads; they do without, or end the process",
    ),
    (
        "rt_sigaction rt_sigprocmask sigaltstack futex",
        "with what std and libc ask for they cannot fail, and these end the process where they do",
    ),
    (
        "mmap",
        "nearly all are libc's, for memory and for stacks of threads, and strace cannot tell them from that of our segment, \
         whose path it cannot know. tests/refused.rs has that one refused, and in tests/environment.rs they all are, by a \
         limit",
    ),
    (
        "close",
        "strace says that it failed and leaves the descriptor open, so that others wait for ever for its end. \
         tests/cli/closing.rs has it fail for outputs, in the one thread that closes them",
    ),
    ("tgkill", "a signal to itself, by which libc ends a process"),
];

/// Whether this call never fails in this test.
pub fn is_left_out(call: &str) -> bool {
    LEFT_OUT.iter().any(|(calls, _)| calls.split_whitespace().any(|left_out| left_out == call))
}

/// Whether this call fails in some runs.
pub fn is_injected(call: &str) -> bool {
    ERRORS.iter().any(|(injected, _)| *injected == call)
}
