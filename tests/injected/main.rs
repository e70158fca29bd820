//! Errors of the system, one by one: strace has each system call that a run makes fail with each of its likely errors, the
//! first time, later, and always. Whatever fails, the run ends, with the right output or a clear error and its status, and
//! leaves no process, no file beside those it was to write, and nothing that holds memory in `/dev/shm`.
//!
//! A part of all these runs is tried here, another one for each seed. All of them, 3650, for some minutes, by
//! `PMAPGCD_INJECTED=all cargo test --test injected`; others by `PMAPGCD_INJECTED=2000` (a seed) or `openat` (a call).

mod common;

use common::euclid;
use common::world::{STOCK, is_permitted};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the part that is tried here goes on.
const SHORT: Duration = Duration::from_secs(40);

/// The likely errors of calls. Those that are not here cannot fail (`getpid`), or only fail in libraries that end the
/// process by themselves (`mmap` for the stack of a thread, `futex`, `rt_sigaction`).
const ERRORS: [(&str, &str); 49] = [
    ("clone", "EAGAIN ENOMEM EPERM"),
    ("clone3", "EAGAIN ENOMEM EPERM"),
    ("close_range", "ENOSYS EPERM"),
    ("dup2", "EMFILE"),
    ("eventfd2", "EMFILE ENFILE ENOMEM ENOSYS"),
    ("execve", "ENOENT EACCES ENOMEM EPERM"),
    ("fallocate", "EOPNOTSUPP ENOSPC EFBIG EINTR ENOSYS EPERM"),
    ("fchmod", "EPERM EROFS"),
    ("fchown", "EPERM"),
    ("fcntl", "EMFILE"),
    ("fdatasync", "EIO EINVAL ENOSPC EDQUOT"),
    ("fgetxattr", "EOPNOTSUPP EPERM"),
    ("flistxattr", "EOPNOTSUPP EPERM"),
    ("fsetxattr", "EOPNOTSUPP EPERM ENOSPC"),
    ("fstat", "EIO"),
    ("fstatfs", "ENOSYS EPERM"),
    ("fsync", "EIO EINVAL"),
    ("ftruncate", "EFBIG EIO EINTR EPERM"),
    ("getcwd", "ENOENT"),
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
    ("poll", "ENOMEM EINTR EAGAIN"),
    ("ppoll", "ENOMEM EINTR EINVAL"),
    ("prctl", "EINVAL EPERM"),
    ("prlimit64", "EPERM EINVAL ENOSYS"),
    ("pwrite64", "ENOSPC EIO EINTR"),
    ("read", "EIO EINTR EISDIR"),
    ("readlink", "EACCES ENOENT"),
    ("recvfrom", "ECONNRESET ENOMEM EINTR"),
    ("renameat", "EBUSY EPERM EXDEV EACCES EIO ENOSPC"),
    ("sched_getaffinity", "ENOSYS EPERM"),
    ("seccomp", "EINVAL ENOSYS EPERM EACCES"),
    ("sendto", "EPIPE ENOBUFS EINTR"),
    ("shutdown", "ENOTCONN"),
    ("socketpair", "EMFILE EPERM EAFNOSUPPORT ENOBUFS"),
    ("statx", "ENOSYS EACCES EPERM"),
    ("unlinkat", "EACCES EPERM"),
    ("wait4", "EINTR"),
    ("write", "EIO ENOSPC EDQUOT EFBIG EINTR EAGAIN EPIPE"),
];

/// Which calls of a thread fail, counted after those that load the program. `INTR` and `AGAIN` pass.
const TIMES: [&str; 5] = ["1", "2", "3", "5", "*"];
const PASSING: [&str; 5] = ["1", "2", "3", "5", "8"];

/// A way to run: an executor, from a file or from a pipe.
type Way = (&'static str, bool);

const WAYS: [Way; 8] = [
    ("shared", false),
    ("shared", true),
    ("pickle", false),
    ("threads", true),
    ("serial", false),
    ("pickle", true),
    ("threads", false),
    ("serial", true),
];

/// What to run over, what is to come of it, and where.
struct Bench {
    folder: tempfile::TempDir,
    input: String,
    output: String,
}

/// What strace had fail, and how that ended.
struct Ended {
    what: String,
    status: Option<ExitStatus>,
    stderr: String,
}

impl Bench {
    fn new() -> Self {
        let (mut input, mut output) = (String::new(), String::new());
        for (number, (a, b)) in common::Kind::Wide.rows(12).take(3000).enumerate() {
            if number % 1000 == 7 {
                input.push_str("x,1\n");
            } else {
                writeln!(input, "{a},{b}").unwrap();
                writeln!(output, "{}", euclid(a, b)).unwrap();
            }
        }
        let bench = Bench { folder: tempfile::tempdir().unwrap(), input, output };
        fs::write(bench.path("rows.csv"), &bench.input).unwrap();
        bench
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// The program under strace with these options, in a `/dev/shm` of its own.
    fn traced(&self, (executor, is_pipe): Way, options: &[String]) -> Command {
        let script =
            format!("{STOCK} || exit 99; \"$@\"; status=$?; du -k /dev/shm/* > shm 2> /dev/null; exit $status");
        let mut command = Command::new("unshare");
        command.args(["-m", "bash", "-c", &script, "bash", "strace", "-f", "-qqq", "-o", "trace"]);
        command.args(options).arg(common::BINARY).args(["--executor", executor, "-j2", "--block-size=16K"]);
        command.args(["--bad-rows=skip", "--rejects=out/bad.csv", "-o", "out/gcds.txt"]);
        if is_pipe {
            command.stdin(Stdio::piped());
        } else {
            command.arg("rows.csv").stdin(Stdio::null());
        }
        command.current_dir(&self.folder).env_remove("RUST_BACKTRACE").env("PMAPGCD_TEST_RUN", self.folder.path());
        command
    }

    /// How often a thread of the program calls what, at most, and how often before it comes to `main`.
    fn calls(&self, way: Way) -> BTreeMap<String, usize> {
        let ended = self.run(way, &[], "nothing".to_string());
        assert_eq!(ended.status.and_then(|status| status.code()), Some(1), "{}", ended.stderr);
        let trace = fs::read_to_string(self.path("trace")).unwrap();
        let mut calls = BTreeMap::new();
        let first = trace.split(' ').next().unwrap().to_string();
        let mut is_loaded = false;
        for line in trace.lines() {
            let mut words = line.split_whitespace();
            let thread = words.next().unwrap();
            let Some((call, _)) = words.next().and_then(|word| word.split_once('(')) else { continue };
            // std's first deed, in the first thread.
            is_loaded |= line.contains("rt_sigaction(SIGPIPE");
            let before = calls.entry(call.to_string()).or_insert(0);
            *before += usize::from(thread == first && !is_loaded);
        }
        calls
    }

    fn run(&self, way: Way, options: &[String], what: String) -> Ended {
        let _ = fs::remove_dir_all(self.path("out"));
        fs::create_dir(self.path("out")).unwrap();
        let stderr = File::create(self.path("stderr")).unwrap();
        let mut child = self.traced(way, options).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        if let Some(mut stdin) = child.stdin.take() {
            let input = self.input.clone();
            thread::spawn(move || std::io::Write::write_all(&mut stdin, input.as_bytes()));
        }
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match child.try_wait().unwrap() {
                None if Instant::now() > deadline => break None,
                None => thread::sleep(Duration::from_millis(2)),
                status => break status,
            }
        };
        let what = format!("{} from a {}: {what}", way.0, if way.1 { "pipe" } else { "file" });
        if status.is_none() {
            for pid in self.processes() {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            child.wait().unwrap();
        } else {
            common::eventually(&format!("no process is left after {what}"), || self.processes().is_empty());
        }
        Ended { what, status, stderr: String::from_utf8_lossy(&fs::read(self.path("stderr")).unwrap()).into_owned() }
    }

    /// The processes of this run that live.
    fn processes(&self) -> Vec<rustix::process::Pid> {
        let mark = format!("PMAPGCD_TEST_RUN={}\0", self.folder.path().display());
        let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let is_marked = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.windows(mark.len()).any(|window| window == mark.as_bytes()) && common::is_alive(*pid)
        };
        pids.filter(is_marked).filter_map(|pid: u32| rustix::process::Pid::from_raw(pid as i32)).collect()
    }

    /// What is wrong with how it ended, if anything is.
    fn fault(&self, ended: &Ended) -> Option<String> {
        let Some(status) = ended.status else { return Some("it hangs".to_string()) };
        // Where stderr itself cannot be written to, nothing can be said.
        let is_silenced = ended.what.contains(": write fails");
        let fault = |text: &str| Some(format!("{text}: {status}"));
        let written = fs::read_to_string(self.path("out/gcds.txt")).ok();
        let names = |folder: &Path| -> BTreeSet<String> {
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        let known = ["gcds.txt", "bad.csv"].map(str::to_string);
        if !names(&self.path("out")).into_iter().all(|name| known.contains(&name)) {
            return fault("a file is left");
        }
        let memory = fs::read_to_string(self.path("shm")).unwrap_or_default();
        if memory.lines().any(|line| !line.starts_with("0\t")) {
            return fault("shared memory is left");
        }
        if ["panicked at", "memory allocation of"].iter().any(|text| ended.stderr.contains(text)) {
            return fault("it panics");
        }
        match status.code() {
            Some(1) if written.as_ref() != Some(&self.output) => fault("its results are not right"),
            Some(1) => None,
            // All or nothing: the rejects may be what failed.
            Some(2 | 3) if written.as_ref().is_some_and(|written| *written != self.output) => {
                fault("a part is written")
            }
            Some(2 | 3) if ended.stderr.trim().is_empty() && !is_silenced => fault("it says nothing"),
            Some(2 | 3) => None,
            None if is_silenced && status.signal() == Some(signal_hook::consts::SIGPIPE) => None,
            // bash says so of its child.
            Some(141) if is_silenced => None,
            _ => fault("it ends by an accident"),
        }
    }
}

/// A run of each way, call, error and time, in an order that a seed gives.
fn plan(bench: &Bench, mut random: common::harm::Random) -> Vec<(Way, &'static str, &'static str, String)> {
    let mut plan = vec![];
    for way in WAYS {
        let calls = bench.calls(way);
        for (call, errors) in ERRORS {
            let Some(&before) = calls.get(call) else { continue };
            for error in errors.split(' ') {
                let times = if ["EINTR", "EAGAIN"].contains(&error) && call != "clone3" { PASSING } else { TIMES };
                for time in times {
                    let when = match time.parse::<usize>() {
                        Ok(time) => format!("{}", before + time),
                        Err(_) => format!("{}+", before + 1),
                    };
                    plan.push((way, call, error, when));
                }
            }
        }
    }
    for at in (1..plan.len()).rev() {
        plan.swap(at, random.below(at + 1));
    }
    plan
}

#[test]
fn whatever_system_call_fails_a_run_ends_right_or_with_an_error() {
    if Command::new("strace").arg("-V").output().is_err() || !is_permitted() {
        println!("skipped: it takes strace, and root");
        return;
    }
    let which = std::env::var("PMAPGCD_INJECTED").unwrap_or_default();
    let seed = common::harm::Random(which.parse().unwrap_or(1));
    let plan = plan(&Bench::new(), seed);
    let is_named = plan.iter().any(|&(_, call, ..)| call == which);
    let deadline = Instant::now() + if which == "all" || is_named { Duration::from_secs(1 << 30) } else { SHORT };
    let plan = Mutex::new(plan.into_iter().filter(|&(_, call, ..)| !is_named || call == which));
    let next = || plan.lock().unwrap().next().filter(|_| Instant::now() < deadline);
    let (tried, faults) = (AtomicUsize::new(0), Mutex::new(vec![]));
    let try_all = || {
        let bench = Bench::new();
        while let Some((way, call, error, when)) = next() {
            let inject = format!("inject={call}:error={error}:when={when}");
            let options = ["-e".to_string(), format!("trace={call}"), "-e".to_string(), inject];
            let ended = bench.run(way, &options, format!("{call} fails with {error}, {when}"));
            tried.fetch_add(1, Ordering::Relaxed);
            if let Some(fault) = bench.fault(&ended) {
                println!("{}: {fault}\n{}", ended.what, ended.stderr);
                faults.lock().unwrap().push(format!("{}: {fault}", ended.what));
            }
        }
    };
    // Most of the time they wait.
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(try_all))));
    let (tried, faults) = (tried.into_inner(), faults.into_inner().unwrap());
    println!("{tried} runs");
    assert!(faults.is_empty() && tried > 0, "{} of {tried} runs went wrong:\n{}", faults.len(), faults.join("\n"));
}
