//! A system that refuses calls, as containers, old kernels and services' filters do. The run must go on in another way, say in one
//! line what it goes on without, and never wait for what does not come.

mod common;

use common::harm::workers;
use common::world::{EXECUTORS, RUN, World};
use common::{Running, eventually, is_alive, pmapgcd, run, shell};
use nix::libc;
use rustix::process::{Pid, Signal, kill_process};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Command;
use std::thread;

/// Has the system refuse these calls with this error to the calling thread and to all processes that it starts. A call that has a
/// number beside it is refused only if its first argument is that number.
fn refuse(calls: &[(i64, Option<i32>)], error: i32) {
    let is = |first: i32| SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, first as u64).unwrap();
    let rule = |first: Option<i32>| first.map(|first| SeccompRule::new(vec![is(first)]).unwrap()).into_iter().collect();
    install(calls.iter().map(|&(call, first)| (call, rule(first))).collect(), error);
}

/// Has the system refuse what these rules say with this error, to the calling thread and to all processes that it starts.
fn install(rules: BTreeMap<i64, Vec<SeccompRule>>, error: i32) {
    let refusal = SeccompAction::Errno(error as u32);
    let architecture = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refusal, architecture).unwrap();
    seccompiler::apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
}

/// Runs the test in a thread of its own in which the calls are refused.
fn refusing(calls: &[(i64, Option<i32>)], error: i32, test: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let refused = scope.spawn(|| {
            refuse(calls, error);
            test();
        });
        refused.join().unwrap();
    });
}

const NO_PIDFD: [&[(i64, Option<i32>)]; 2] = [&[(libc::SYS_pidfd_open, None)], &[(libc::SYS_pidfd_send_signal, None)]];

#[test]
fn workers_are_watched_and_killed_where_there_are_no_descriptors_for_it() {
    let world = World::new();
    for calls in NO_PIDFD {
        for error in [libc::EPERM, libc::ENOSYS] {
            refusing(calls, error, || world.answers(None, RUN));
        }
    }
}

#[test]
fn a_worker_that_is_killed_is_noticed_where_there_are_no_descriptors_for_it() {
    refusing(NO_PIDFD[0], libc::ENOSYS, || {
        for executor in ["shared", "pickle"] {
            let mut running = Running::start(&mut pmapgcd(["--executor", executor, "-j1"]));
            running.send("12,18\n");
            assert_eq!(running.line(), "6");
            let victim = workers(running.child.id())[0];
            kill_process(Pid::from_raw(victim as i32).unwrap(), Signal::KILL).unwrap();
            if executor == "shared" {
                running.send("5,10\n");
                assert_eq!(running.line(), "5");
                let finished = running.finish();
                assert!(
                    finished.status.success() && finished.stderr.contains("was killed by SIGKILL; "),
                    "{finished:?}"
                );
            } else {
                let finished = running.end();
                assert_eq!(finished.status.code(), Some(3), "{finished:?}");
                assert!(finished.stderr.contains("was killed by SIGKILL and has broken the pool"), "{finished:?}");
            }
        }
    });
}

#[test]
fn a_time_limit_is_kept_where_there_are_no_descriptors_for_it() {
    let limited = || {
        let faulty = Path::new(common::BINARY).with_file_name("examples/faulty");
        let mut command = Command::new(faulty);
        run(command.args(["-j1", "--block-timeout=0.2", "--bad-rows=skip"]), "1,2\n13,105\n3,4\n")
    };
    for calls in NO_PIDFD {
        refusing(calls, libc::EPERM, || {
            let finished = limited();
            assert_eq!((finished.status.code(), &*finished.stdout), (Some(1), &b"3\n7\n"[..]), "{finished:?}");
        });
    }
    // If a worker cannot be killed at all, the run ends with an error, and the worker ends with it.
    refusing(&[(libc::SYS_pidfd_send_signal, None), (libc::SYS_kill, None)], libc::EPERM, || {
        let finished = limited();
        let says = "for longer than --block-timeout and cannot be killed: Operation not permitted\n";
        assert!(finished.status.code() == Some(3) && finished.stderr.ends_with(says), "{finished:?}");
        let pid = finished.stderr.split("(pid ").nth(1).and_then(|rest| rest.split(')').next()?.parse().ok());
        eventually("the worker has ended", || !is_alive(pid.unwrap()));
    });
}

#[test]
fn a_run_ends_where_workers_cannot_be_killed() {
    let world = World::new();
    refusing(&[(libc::SYS_pidfd_send_signal, None), (libc::SYS_kill, None)], libc::EPERM, || {
        for executor in EXECUTORS {
            world.run(None, RUN, &["--executor", executor, "-j2"], &world.many.0).is(0, &world.many.1, "");
        }
    });
}

#[test]
fn what_hardens_workers_and_is_refused_is_told_of_and_the_run_goes_on() {
    let world = World::new();
    let text = |error| io::Error::from_raw_os_error(error).to_string();
    let tells = |error| {
        let name = text(error).split(" (os").next().unwrap().to_string();
        [
            (
                vec![(libc::SYS_prctl, Some(libc::PR_SET_PDEATHSIG))],
                format!(
                    "pmapgcd: workers cannot be killed with their parent: {name}; going on, they end within seconds of it\n"
                ),
            ),
            (
                vec![(libc::SYS_prlimit64, None), (libc::SYS_setrlimit, None)],
                format!("pmapgcd: the memory of workers cannot be limited: {name}; going on without\n"),
            ),
            (
                vec![(libc::SYS_prctl, Some(libc::PR_SET_NO_NEW_PRIVS))],
                format!(
                    "pmapgcd: workers cannot be confined: prctl: {name}; going on without \
                     (--no-sandbox says nothing)\n"
                ),
            ),
            // Workers do without these, and nothing is said: a name for themselves, and descriptors marked all at once.
            (vec![(libc::SYS_prctl, Some(libc::PR_SET_NAME)), (libc::SYS_close_range, None)], String::new()),
        ]
    };
    for error in [libc::EPERM, libc::EINVAL, libc::ENOSYS] {
        for (calls, told) in tells(error) {
            refusing(&calls, error, || {
                for executor in EXECUTORS {
                    let told = if ["pickle", "shared"].contains(&executor) { &*told } else { "" };
                    for (input, output) in [&world.few, &world.many] {
                        world.run(None, RUN, &["--executor", executor, "-j1"], input).is(0, output, told);
                    }
                }
            });
        }
    }
}

/// `close_range` does not exist before Linux 5.9, and cannot mark descriptors before 5.11.
#[test]
fn workers_have_no_descriptors_of_others_where_they_cannot_be_marked_all_at_once() {
    for error in [libc::EPERM, libc::EINVAL, libc::ENOSYS] {
        refusing(&[(libc::SYS_close_range, None)], error, || {
            for executor in ["shared", "pickle"] {
                let script =
                    format!("exec 8< /etc/passwd 9< /etc/passwd; exec \"$0\" -j1 --executor {executor} --no-sandbox");
                let mut running = Running::start(&mut shell(&script));
                running.send("12,18\n");
                assert_eq!(running.line(), "6");
                let workers = workers(running.child.id());
                let inherited =
                    |number: u32| workers.iter().any(|pid| Path::new(&format!("/proc/{pid}/fd/{number}")).exists());
                assert!(!workers.is_empty() && inherited(2) && !inherited(8) && !inherited(9), "{executor}");
                running.finish().is(0, "", "");
            }
        });
    }
}

#[test]
fn workers_that_are_not_killed_with_their_parent_end_all_the_same() {
    refusing(&[(libc::SYS_prctl, Some(libc::PR_SET_PDEATHSIG))], libc::EPERM, || {
        for executor in ["shared", "pickle"] {
            let mut running = Running::start(&mut pmapgcd(["--executor", executor, "-j2"]));
            running.send("12,18\n");
            assert_eq!(running.line(), "6");
            let workers = workers(running.child.id());
            assert!(!workers.is_empty());
            running.child.kill().unwrap();
            running.child.wait().unwrap();
            eventually("the workers have ended", || !workers.iter().any(|&worker| is_alive(worker)));
        }
    });
}

#[test]
fn shared_memory_is_had_without_the_calls_that_some_systems_lack() {
    let world = World::new();
    for (calls, errors) in [
        (&[(libc::SYS_fallocate, None)], [libc::ENOSYS, libc::EOPNOTSUPP, libc::EPERM]),
        (&[(libc::SYS_getrandom, None)], [libc::ENOSYS, libc::EPERM, libc::ENOSYS]),
        (&[(libc::SYS_fstatfs, None)], [libc::ENOSYS, libc::EPERM, libc::EACCES]),
    ] {
        for error in errors {
            refusing(calls, error, || {
                world.run(None, RUN, &["--executor=shared", "-j2"], &world.many.0).is(0, &world.many.1, "");
            });
        }
    }
}

#[test]
fn rows_that_cannot_be_sent_break_the_pool_and_nobody_waits_for_their_results() {
    let world = World::new();
    refusing(&[(libc::SYS_sendto, None)], libc::ENOBUFS, || {
        for (input, _) in [&world.few, &world.many] {
            let finished = world.run(None, RUN, &["--executor=pickle", "-j2"], input);
            let says = ["pmapgcd: cannot send rows to worker 0: No buffer space available\n", " has broken the pool: "];
            let is_told = says.iter().all(|part| finished.stderr.contains(part));
            assert!(is_told && finished.status.code() == Some(3) && finished.stdout.is_empty(), "{finished:?}");
        }
    });
}

#[test]
fn the_comparison_needs_no_descriptors_of_processes() {
    refusing(&[(libc::SYS_pidfd_open, None), (libc::SYS_pidfd_send_signal, None)], libc::ENOSYS, || {
        // All its runs are watched alike, and one in each executor is killed. That of a command has the fewest other ones.
        let finished = run(&mut pmapgcd(["--compare", "-j1", "--json", "-c", "cat"]), "12,18\n5,10\n");
        assert_eq!((finished.status.code(), &*finished.stderr), (Some(0), ""));
    });
}

/// valgrind knows neither pidfds nor filters of system calls.
#[test]
fn it_runs_under_valgrind() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        common::skipped("there is no valgrind");
        return;
    }
    // Where there are no processes of workers, there are no children to trace.
    for (more, executors) in [(&[][..], &["pickle", "shared"][..]), (&["--trace-children=yes"], &EXECUTORS)] {
        for executor in executors {
            let mut command = Command::new("valgrind");
            command.args(["-q", "--log-file=/dev/null"]).args(more);
            let finished = run(command.arg(common::BINARY).args(["--executor", executor, "-j2"]), "12,18\n5,10\n");
            assert_eq!((finished.status.code(), &*finished.stdout), (Some(0), &b"6\n5\n"[..]), "{finished:?}");
        }
    }
}

/// Only our segment is mapped with MAP_SHARED: one page of it when it is made, and then all of it, by the parent and by each worker.
#[test]
fn shared_memory_that_cannot_be_mapped_is_an_error() {
    let world = World::new();
    let is = |argument, length, how, value| SeccompCondition::new(argument, length, how, value).unwrap();
    let is_shared = is(3, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(3), libc::MAP_SHARED as u64);
    let is_all = is(1, SeccompCmpArgLen::Qword, SeccompCmpOp::Gt, 4096);
    for conditions in [vec![is_shared.clone()], vec![is_shared, is_all]] {
        for (error, text) in [(libc::ENOMEM, "Cannot allocate memory"), (libc::EPERM, "Operation not permitted")] {
            let rules = [(libc::SYS_mmap, vec![SeccompRule::new(conditions.clone()).unwrap()])].into();
            thread::scope(|scope| {
                let refused = scope.spawn(|| {
                    install(rules, error);
                    world.try_all(None, RUN, |tried| {
                        assert_eq!(tried.is_whole, tried.executor != "shared", "{tried:?}");
                        let told = format!(" bytes of shared memory in /dev/shm: {text}");
                        assert!(tried.is_whole || tried.stderr.contains(&told), "{tried:?}");
                    });
                });
                refused.join().unwrap();
            });
        }
    }
}
