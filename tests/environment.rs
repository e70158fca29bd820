//! A world that is short of something: the right output all the same, or one clear error, and nothing left behind.
//!
//! Root has each run in a mount namespace with a `/dev/shm` of its own, in which nothing must be left. Where that is
//! not permitted, what needs it is skipped with a note, and the rest runs as it is.

mod common;

use common::{BINARY, Finished, Kind, eventually, input_and_output, is_alive, run};
use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use tempfile::TempDir;

const EXECUTORS: [&str; 4] = ["serial", "threads", "pickle", "shared"];
/// The program with its arguments, in a shell's command.
const RUN: &str = r#""$0" "$@""#;
/// Its shared memory, where nothing else is said: as much as a stock container has.
const STOCK: &str = "mount -t tmpfs -o size=64m shm /dev/shm";
/// A user whom permissions bind, as they do not bind root, and of whom nobody else has processes, to count them.
const USER: &str = "setpriv --reuid=54321 --regid=54321 --clear-groups";

/// Whether we may have a world of our own: root, and permitted to mount.
fn is_permitted() -> bool {
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", STOCK]).stderr(Stdio::null());
    let permitted = command.status().is_ok_and(|status| status.success());
    if !permitted {
        println!("skipped: unshare -m and mount are not permitted here");
    }
    permitted
}

/// A folder that everybody may look into, with the program and some rows.
struct World {
    folder: TempDir,
    few: (Vec<u8>, Vec<u8>),
    many: (Vec<u8>, Vec<u8>),
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // By another process: a file that this one has open for writing could not be run.
        assert!(Command::new("cp").arg(BINARY).arg(folder.path()).status().unwrap().success());
        let rows = |count| input_and_output(Kind::Wide.rows(6).take(count));
        World { folder, few: rows(3), many: rows(100_000) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a shell's command, in which [`RUN`] is the program, after this setup, which takes root. Names that are left
    /// in `/dev/shm` are put on stderr; processes that are left make this fail, and so does what takes a minute.
    #[track_caller]
    fn run(&self, setup: Option<&str>, command: &str, arguments: &[&str], stdin: &[u8]) -> Finished {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
        let mut timed = Command::new("timeout");
        timed.args(["-k", "1", "60"]).env("PMAPGCD_TEST_RUN", &mark).env_remove("RUST_BACKTRACE");
        match setup {
            Some(setup) => {
                let script = format!("{setup} || exit 99; {command}; status=$?; ls -A /dev/shm >&2; exit $status");
                timed.args(["unshare", "-m", "sh", "-c", &script]);
            }
            None => drop(timed.args(["sh", "-c", command])),
        }
        let finished = run(timed.arg(self.path("pmapgcd")).args(arguments).current_dir(self.folder.path()), stdin);
        let mark = format!("PMAPGCD_TEST_RUN={mark}\0");
        eventually("no process is left", || !is_marked(&mark));
        finished
    }

    /// How it goes with every executor, few and many rows, one worker, two and eight: `ends` hears of each run whether
    /// it is the whole output; where it is not, it is a part of it and one error, with status 2 or 3.
    #[track_caller]
    fn try_all(&self, setup: Option<&str>, command: &str, ends: impl Fn(Tried)) {
        for executor in EXECUTORS {
            for (is_few, (input, output)) in [(true, &self.few), (false, &self.many)] {
                for jobs in ["1", "2", "8"] {
                    let finished = self.run(setup, command, &["--executor", executor, "-j", jobs], input);
                    let is_whole = is_whole(&finished, output);
                    ends(Tried { executor, is_few, is_narrow: jobs != "8", is_whole, stderr: &finished.stderr });
                }
            }
        }
    }

    /// As [`World::try_all`], where nothing that is needed is missing.
    #[track_caller]
    fn answers(&self, setup: Option<&str>, command: &str) {
        self.try_all(setup, command, |tried| {
            assert!(tried.is_whole && tried.stderr.is_empty(), "{command}: {tried:?}")
        });
    }
}

/// A run, and what came of it.
#[derive(Debug)]
#[allow(dead_code)] // some are for the message only
struct Tried<'a> {
    executor: &'a str,
    is_few: bool,
    is_narrow: bool,
    is_whole: bool,
    stderr: &'a str,
}

/// Whether this is the whole output and not a part of it with an error; fails when it is neither.
#[track_caller]
fn is_whole(finished: &Finished, expected: &[u8]) -> bool {
    // Neither a panic, nor what the allocator or the shell says, nor a name left in /dev/shm.
    assert!(finished.stderr.lines().all(|line| line.starts_with("pmapgcd: ")), "{finished:?}");
    let (command, stdout) = (&finished.command, &finished.stdout);
    match finished.status.code() {
        Some(0) => assert!(stdout == expected, "{command}: {} bytes, {}", stdout.len(), finished.stderr),
        Some(2 | 3) => {
            let is_part = expected.starts_with(stdout) && stdout.last().is_none_or(|&byte| byte == b'\n');
            assert!(is_part && !finished.stderr.is_empty(), "{command}: {} bytes, {}", stdout.len(), finished.stderr);
        }
        _ => panic!("{command}: {}, {}", finished.status, finished.stderr),
    }
    finished.status.success()
}

/// Whether a process lives that has this in its environment.
fn is_marked(mark: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap();
    let mut pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.any(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(mark.len()).any(|window| window == mark.as_bytes()) && is_alive(pid)
    })
}

#[test]
fn shared_memory_may_be_short() {
    let world = World::new();
    if !is_permitted() {
        return;
    }
    world.answers(Some(STOCK), RUN);
    for options in ["size=64k", "size=1m", "ro"] {
        world.try_all(Some(&format!("mount -t tmpfs -o {options} shm /dev/shm")), RUN, |tried| {
            let is_enough = tried.executor != "shared" || (options == "size=1m" && tried.is_few);
            assert_eq!(tried.is_whole, is_enough, "{options}: {tried:?}");
            assert!(is_enough || tried.stderr.contains("shared memory in /dev/shm: "), "{options}: {tried:?}");
        });
    }
}

/// In more and more address space from where the program is just loaded. What it is that is refused differs.
#[test]
fn address_space_may_be_short() {
    let world = World::new();
    let setup = is_permitted().then_some(STOCK);
    let limited = |kib: usize| format!("(ulimit -v {kib}; exec {RUN})");
    let is_loaded = |command: String| world.run(setup, &command, &["--version"], b"").status.success();
    let least = (1..).map(|at| at << 8).find(|&kib| is_loaded(limited(kib))).unwrap();
    for more in (0..24).map(|step| step << 8).chain([8, 12, 16, 32, 64, 512].map(|mib| mib << 10)) {
        for executor in EXECUTORS {
            for (input, output) in [&world.few, &world.many] {
                let finished = world.run(setup, &limited(least + more), &["--executor", executor, "-j", "2"], input);
                // What std and glibc allocate when a thread begins is not ours to refuse: they abort.
                let theirs = ["failed to allocate an alternative stack", "failed to register TLS destructor"];
                if theirs.iter().any(|what| finished.stderr.contains(what)) {
                    assert!(output.starts_with(&finished.stdout), "{finished:?}");
                    continue;
                }
                is_whole(&finished, output);
            }
        }
    }
}

#[test]
fn descriptors_may_be_short() {
    let world = World::new();
    let setup = is_permitted().then_some(STOCK);
    for most in [16, 12, 11, 10, 9, 8, 7, 6, 5, 4] {
        let command = format!("(ulimit -n {most}; exec {RUN})");
        world.try_all(setup, &command, |tried| {
            assert!(tried.is_whole || most < 16 || !tried.is_narrow, "{most}: {tried:?}");
            assert!(tried.is_whole || tried.stderr.contains("Too many open files"), "{most}: {tried:?}");
        });
    }
}

#[test]
fn processes_may_be_short() {
    let world = World::new();
    if !is_permitted() {
        return;
    }
    // Not by the shell's ulimit: that of dash has no -u.
    for most in [1, 2, 3, 4, 5, 8, 64] {
        world.try_all(Some(STOCK), &format!("{USER} prlimit --nproc={most} {RUN}"), |tried| {
            let is_enough = tried.executor == "serial" || most == 64 || (most == 8 && tried.is_narrow);
            assert!(tried.is_whole || !is_enough, "{most}: {tried:?}");
            assert!(tried.is_whole || tried.stderr.contains("cannot start a "), "{most}: {tried:?}");
        });
    }
}

#[test]
fn one_processor_is_enough() {
    World::new().answers(is_permitted().then_some(STOCK), &format!("taskset -c 0 {RUN}"));
}

#[test]
fn neither_privileges_nor_proc_are_needed() {
    if is_permitted() {
        World::new().answers(Some(STOCK), &format!("{USER} {RUN}"));
        World::new().answers(Some(&format!("{STOCK} && mount -t tmpfs none /proc")), RUN);
    }
}

/// A static binary needs no libraries. To try one, whether or not the target for musl is installed:
/// `RUSTFLAGS=-Ctarget-feature=+crt-static cargo test --test environment --target x86_64-unknown-linux-gnu`
#[test]
fn the_program_and_its_libraries_are_enough() {
    let world = World::new();
    if !is_permitted() {
        return;
    }
    fs::create_dir(world.path("root")).unwrap();
    let libraries = Command::new("ldd").arg(BINARY).output().unwrap();
    let libraries = String::from_utf8(libraries.stdout).unwrap();
    for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
        let copy = world.path(&format!("root{library}"));
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(library, copy).unwrap();
    }
    assert!(Command::new("cp").arg(BINARY).arg(world.path("root")).status().unwrap().success());
    let command = "chroot root /pmapgcd \"$@\"";
    world.try_all(Some(STOCK), command, |tried| {
        assert_eq!(tried.is_whole, tried.executor != "shared", "{tried:?}");
        assert!(tried.is_whole || tried.stderr.contains("/dev/shm: No such file or directory"), "{tried:?}");
    });
    fs::create_dir_all(world.path("root/dev/shm")).unwrap();
    world.answers(Some(&format!("{STOCK} && mount --bind /dev/shm root/dev/shm")), command);
}

#[test]
fn standard_streams_that_are_not_needed_may_be_closed() {
    let world = World::new();
    let setup = is_permitted().then_some(STOCK);
    world.answers(setup, &format!("{RUN} 2>&-"));
    let (input, output) = &world.many;
    fs::write(world.path("many.csv"), input).unwrap();
    for executor in EXECUTORS {
        let from_file = ["--executor", executor, "-j", "2", "many.csv"];
        world.run(setup, &format!("{RUN} <&- 2>&-"), &from_file, b"").is(0, output, "");
        let to_file = ["--executor", executor, "-j", "2", "-o", "many.txt"];
        world.run(setup, &format!("{RUN} >&-"), &to_file, input).is(0, "", "");
        assert!(fs::read(world.path("many.txt")).unwrap() == *output, "{executor}");
    }
}

#[test]
fn standard_streams_that_are_needed_and_closed_are_an_error() {
    let world = World::new();
    for executor in EXECUTORS {
        for (stream, name) in [("<&-", "stdin"), (">&-", "stdout")] {
            let finished = world.run(None, &format!("{RUN} {stream}"), &["--executor", executor], &world.few.0);
            finished.is(2, "", &format!("pmapgcd: {name}: Bad file descriptor\n"));
        }
    }
}

/// Refuses this system call in this way, if its first argument is this.
fn refusal(call: i64, first: i32, how: SeccompAction) -> BpfProgram {
    let is_first = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, first as u64).unwrap();
    let rules = [(call, vec![SeccompRule::new(vec![is_first]).unwrap()])].into();
    let architecture = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, how, architecture);
    filter.unwrap().try_into().unwrap()
}

#[test]
fn a_system_that_does_not_let_workers_be_confined_is_told_of_and_the_run_goes_on() {
    let world = World::new();
    let setting = libc::SECCOMP_SET_MODE_FILTER as i32;
    for (call, name, first, error) in [
        (libc::SYS_seccomp, "seccomp", setting, libc::EPERM),
        (libc::SYS_seccomp, "seccomp", setting, libc::EINVAL),
        (libc::SYS_seccomp, "seccomp", setting, libc::ENOSYS),
        (libc::SYS_prctl, "prctl", libc::PR_SET_NO_NEW_PRIVS, libc::EINVAL),
    ] {
        let error_text = io::Error::from_raw_os_error(error);
        let told = format!(
            "pmapgcd: workers cannot be confined: Error calling `{name}`: {error_text}; \
             going on without (--no-sandbox says nothing)\n"
        );
        // Of this thread alone, and of all that it starts.
        let in_refusing_system = || {
            seccompiler::apply_filter(&refusal(call, first, SeccompAction::Errno(error as u32))).unwrap();
            for executor in EXECUTORS {
                let has_workers = ["pickle", "shared"].contains(&executor);
                for (input, output) in [&world.few, &world.many] {
                    let run = |more| world.run(None, RUN, &["--executor", executor, more], input);
                    run("-j1").is(0, output, if has_workers { &told } else { "" });
                    run("--no-sandbox").is(0, output, "");
                    // It is over, perhaps, before the worker that would say it comes to do so.
                    let many = run("-j8");
                    let says = if many.stderr.is_empty() || !has_workers { "" } else { &told };
                    many.is(0, output, says);
                }
            }
        };
        thread::scope(|scope| scope.spawn(in_refusing_system).join().unwrap());
    }
}

/// As services do under systemd's `SystemCallFilter=@system-service`.
#[test]
fn workers_that_die_of_a_filter_around_the_program_end_the_run_with_what_to_do() {
    let world = World::new();
    let in_killing_system = || {
        let kill = refusal(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER as i32, SeccompAction::KillProcess);
        seccompiler::apply_filter(&kill).unwrap();
        for executor in ["pickle", "shared"] {
            for (input, output) in [&world.few, &world.many] {
                for jobs in ["-j1", "-j8"] {
                    let finished = world.run(None, RUN, &["--executor", executor, jobs], input);
                    let says_what_to_do = finished.stderr.lines().last().unwrap().contains("use --no-sandbox)");
                    assert!(!is_whole(&finished, output) && says_what_to_do, "{finished:?}");
                    world.run(None, RUN, &["--executor", executor, jobs, "--no-sandbox"], input).is(0, output, "");
                }
            }
        }
    };
    thread::scope(|scope| scope.spawn(in_killing_system).join().unwrap());
}
