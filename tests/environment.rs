//! Runs that are short of something: memory, descriptors, processes, `/proc`. Each must give the right output or one clear error,
//! and leave nothing behind.
//!
//! As root, each run has a mount namespace with a `/dev/shm` of its own, in which nothing may be left. Where that is not permitted,
//! tests that need it are skipped with a note.

mod common;

use common::BINARY;
use common::world::{EXECUTORS, RUN, STOCK, World, is_permitted, is_whole};
use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::fs;
use std::io;
use std::process::Command;
use std::thread;

/// A user for runs that need one: permissions bind this user, unlike root, and nobody else's processes count against its limit.
const USER: &str = "setpriv --reuid=54321 --regid=54321 --clear-groups";

#[test]
fn shared_memory_may_be_short() {
    let world = World::new();
    if !is_permitted() {
        return;
    }
    world.answers(Some(STOCK), RUN);
    for options in ["size=64k", "size=512k", "ro"] {
        world.try_all(Some(&format!("mount -t tmpfs -o {options} shm /dev/shm")), RUN, |tried| {
            let is_enough = tried.executor != "shared";
            assert_eq!(tried.is_whole, is_enough, "{options}: {tried:?}");
            assert!(is_enough || tried.stderr.contains("shared memory in /dev/shm: "), "{options}: {tried:?}");
        });
    }
}

#[test]
fn the_ring_has_as_many_slots_as_there_is_room_for() {
    let world = World::new();
    if !is_permitted() {
        return;
    }
    let (input, output) = &world.many;
    for size in ["600k", "1m", "2m", "8m", "64m"] {
        let setup = format!("mount -t tmpfs -o size={size} shm /dev/shm");
        for (jobs, block_size) in [(1, "128K"), (2, "128K"), (64, "128K"), (1000, "128K"), (64, "4K"), (2, "100K")] {
            let arguments = ["--block-size", block_size, "-j", &jobs.to_string()];
            for (input, output) in [&world.few, &world.many] {
                let finished = world.run(Some(&setup), RUN, &arguments, input);
                let told = finished.stderr.strip_prefix("pmapgcd: /dev/shm has room for ");
                let is_told = told.is_some_and(|told| told.contains(" blocks at a time; going on with "));
                assert!(finished.stderr.is_empty() || is_told, "{size}: {finished:?}");
                assert!(is_whole(&finished, output), "{size}: {finished:?}");
            }
            // Each worker has a slot, or a message says that there are fewer workers.
            let finished = world.run(Some(&setup), RUN, &arguments, b"");
            assert!(finished.stderr.is_empty() || jobs > 2, "{size}: {finished:?}");
            assert!(!finished.stderr.is_empty() || jobs < 1000, "{size}: {finished:?}");
        }
    }
    // The message names the lower of the two limits: the limit for files in a larger file system, or else the file system.
    let limited = |blocks| format!("(ulimit -f {blocks}; exec {RUN})");
    for (size, blocks, told) in
        [("2m", 1_000_000, "/dev/shm has room for "), ("0", 4000, "ulimit -f allows 2048000 bytes, which is room for ")]
    {
        let setup = format!("mount -t tmpfs -o size={size} shm /dev/shm");
        let finished = world.run(Some(&setup), &limited(blocks), &["-j64"], input);
        let told = format!("pmapgcd: {told}");
        assert!(finished.stderr.starts_with(&told) && finished.stderr.lines().count() == 1, "{size}: {finished:?}");
        assert!(is_whole(&finished, output), "{size}: {finished:?}");
    }
    // A file system without a limit, and one that somebody else has almost filled.
    let nearly_full = "mount -t tmpfs -o size=3m shm /dev/shm && truncate -s 2M /dev/shm/x && fallocate -l 2M /dev/shm/x && exec 9< /dev/shm/x && rm /dev/shm/x";
    for setup in ["mount -t tmpfs -o size=0 shm /dev/shm", nearly_full] {
        world.run(Some(setup), RUN, &["-j2"], input).is(0, output, "");
    }
}

/// A ring of more than 64 MiB takes its memory slot by slot, so that another program may take it first.
#[test]
fn a_ring_of_large_blocks_that_loses_its_room_to_another_ends_with_an_error() {
    let world = World::new();
    if !is_permitted() {
        return;
    }
    let others = "cat /dev/zero > /dev/shm/others 2> /dev/null";
    let rows = format!("(echo 12,18; until [ -s results ]; do sleep 0.01; done; {others}; echo 5,10; echo 3,2)");
    let command =
        format!("{rows} | {RUN} > results; status=$?; cat results; rm results /dev/shm/others; (exit $status)");
    let setup = "mount -t tmpfs -o size=200m shm /dev/shm";
    let finished = world.run(Some(setup), &command, &["-j2", "--block-size=16M"], b"");
    assert!(!is_whole(&finished, b"6\n5\n1\n"), "{finished:?}");
    let told =
        "in /dev/shm: No space left on device; make room there, or use a smaller --block-size, or --executor threads\n";
    assert!(finished.stderr.ends_with(told) && finished.stderr.lines().count() == 1, "{finished:?}");
    // A ring of up to 64 MiB has all its memory from the start.
    world.run(Some(setup), &command, &["-j2", "--block-size=4M"], b"").is(0, "6\n5\n1\n", "");
}

/// Shared memory is a file, so that the limit for files counts for it. dash counts in blocks of 512 bytes.
#[test]
fn files_may_have_to_be_short() {
    let world = World::new();
    let setup = is_permitted().then_some(STOCK);
    for blocks in [1, 8, 100, 1200, 4000, 100_000] {
        let command = format!("(ulimit -f {blocks}; exec {RUN})");
        world.try_all(setup, &command, |tried| {
            let is_enough = tried.executor != "shared" || blocks >= 1200;
            assert_eq!(tried.is_whole, is_enough, "{blocks}: {tried:?}");
            let names_limit = tried.stderr.contains(&format!("(ulimit -f allows {} bytes)", blocks * 512));
            assert!(is_enough || names_limit && tried.stderr.contains("--executor threads"), "{blocks}: {tried:?}");
        });
        for executor in EXECUTORS {
            let arguments = ["--executor", executor, "-j2", "-o", "many.txt"];
            let finished = world.run(setup, &command, &arguments, &world.many.0);
            let is_enough = blocks * 512 >= world.many.1.len() && (executor != "shared" || blocks >= 1200);
            assert_eq!(finished.status.success(), is_enough, "{finished:?}");
            let path = world.path("many.txt");
            assert_eq!(path.exists(), is_enough, "{finished:?}");
            if is_enough {
                assert!(fs::read(&path).unwrap() == world.many.1, "{finished:?}");
                fs::remove_file(path).unwrap();
            } else {
                assert!(finished.stderr.contains("(ulimit -f allows "), "{finished:?}");
            }
        }
    }
    // If this limit is why there are fewer workers, the message names it, and not /dev/shm, which has more room.
    let finished = world.run(setup, &format!("(ulimit -f 4000; exec {RUN})"), &["-j64"], &world.many.0);
    let told = "pmapgcd: ulimit -f allows 2048000 bytes, which is room for ";
    assert!(finished.stderr.starts_with(told) && finished.stderr.lines().count() == 1, "{finished:?}");
    assert!(is_whole(&finished, &world.many.1), "{finished:?}");
}

/// Limits the address space, from just enough to load the program upwards. Each time something else is refused.
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
                // std and glibc abort when they cannot allocate what a thread needs at its start: nothing of ours can help.
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
    // By prlimit, since the ulimit of dash has no -u.
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

/// A filter that treats this system call in this way if its first argument is `first`.
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
        let error_text = io::Error::from_raw_os_error(error).to_string();
        let error_text = error_text.split(" (os").next().unwrap();
        let told = format!(
            "pmapgcd: workers cannot be confined: {name}: {error_text}; \
             going on without (--no-sandbox says nothing)\n"
        );
        // The filter holds for this thread and all processes that it starts.
        let in_refusing_system = || {
            seccompiler::apply_filter(&refusal(call, first, SeccompAction::Errno(error as u32))).unwrap();
            for executor in EXECUTORS {
                let has_workers = ["pickle", "shared"].contains(&executor);
                for (input, output) in [&world.few, &world.many] {
                    let run = |more| world.run(None, RUN, &["--executor", executor, more], input);
                    run("-j1").is(0, output, if has_workers { &told } else { "" });
                    run("--no-sandbox").is(0, output, "");
                    // The run may be over before the worker comes to say it.
                    let many = run("-j8");
                    let says = if many.stderr.is_empty() || !has_workers { "" } else { &told };
                    many.is(0, output, says);
                }
            }
        };
        thread::scope(|scope| scope.spawn(in_refusing_system).join().unwrap());
    }
}

/// The filter kills, as systemd's `SystemCallFilter=@system-service` does.
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
