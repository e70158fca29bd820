//! How many workers are started, how much memory they may take, and which processes may be workers.

use crate::EXECUTORS;
use crate::common::{Running, eventually, is_alive, pmapgcd, run};
use std::thread;
use std::time::Duration;

/// Rows sent one at a time, each a block of its own.
fn send_blocks(running: &mut Running, count: usize) {
    for _ in 0..count {
        running.send("12,18\n");
        assert_eq!(running.line(), "6");
    }
}

/// Comes to this many workers, and stays there.
#[track_caller]
fn has_workers(running: &Running, count: usize) {
    eventually("as many workers are started as there is work for", || running.children().len() == count);
    thread::sleep(Duration::from_millis(20));
    assert_eq!(running.children().len(), count);
}

#[test]
fn no_more_workers_are_started_than_there_are_blocks() {
    let mut running = Running::start(&mut pmapgcd(["-j", "3"]));
    has_workers(&running, 0);
    for workers in [1, 2, 3, 3] {
        send_blocks(&mut running, 1);
        has_workers(&running, workers);
    }
    let workers = running.children();
    running.finish().is(0, "", "");
    assert!(!workers.iter().any(|&pid| is_alive(pid)));
}

#[test]
fn rows_that_are_ready_together_share_a_block() {
    let mut running = Running::start(&mut pmapgcd(["-j", "4"]));
    running.send("12,18\n".repeat(500));
    for _ in 0..500 {
        assert_eq!(running.line(), "6");
    }
    has_workers(&running, 1);
}

#[test]
fn serial_starts_no_worker() {
    let mut running = Running::start(&mut pmapgcd(["--executor", "serial", "-j", "4"]));
    send_blocks(&mut running, 5);
    has_workers(&running, 0);
}

#[test]
fn by_default_there_is_a_worker_for_each_processor_that_it_may_use() {
    let workers_are = |count: usize| {
        let mut running = Running::start(&mut pmapgcd([""; 0]));
        send_blocks(&mut running, count + 2);
        has_workers(&running, count);
    };
    workers_are(thread::available_parallelism().unwrap().get());
    thread::scope(|scope| {
        scope.spawn(|| {
            let allowed = rustix::thread::sched_getaffinity(None).unwrap();
            let mut one = rustix::thread::CpuSet::new();
            one.set((0..).find(|&processor| allowed.is_set(processor)).unwrap());
            rustix::thread::sched_setaffinity(None, &one).unwrap();
            workers_are(1);
        });
    });
}

#[test]
fn the_memory_of_a_worker_is_beside_its_program_and_the_blocks_that_are_shared() {
    // The last takes some hundred kilobytes.
    let threes = "3".repeat(100_000);
    let rows = format!("{}{},{threes}\n", "12,18\n".repeat(1000), "9".repeat(100_000));
    for executor in EXECUTORS {
        for size in ["256K", "32M", "256M"] {
            for more in ["--bad-rows=stop", "--append"] {
                let options =
                    [executor, "-j2", "--worker-memory=64M", "--max-digits=100000", "--block-size", size, more];
                let finished = run(&mut pmapgcd(options), &*rows);
                assert_eq!((finished.status.code(), &*finished.stderr), (Some(0), ""), "{options:?}");
                let results = String::from_utf8(finished.stdout).unwrap();
                assert!(results.lines().count() == 1001 && results.trim_end().ends_with(&threes), "{options:?}");
            }
        }
    }
}

#[test]
fn the_mark_of_a_worker_in_the_environment_is_refused() {
    for junk in ["", "junk", "1", "/", "1/", "/1", "-1/1", "1/0", "1/-1", "1/1", "99999999999/1", "1/99999999999"] {
        let finished = run(pmapgcd([""; 0]).env("PMAPGCD_WORKER", junk), "12,18\n");
        let told = finished.stderr.starts_with("pmapgcd: ") && finished.stderr.lines().count() == 1;
        assert!(finished.status.code() == Some(2) && told, "{junk:?}: {finished:?}");
        assert!(finished.stdout.is_empty(), "{junk:?}: {finished:?}");
    }
}

/// How often the threads of these processes have gone to sleep of themselves.
fn sleeps(processes: &[u32]) -> u64 {
    let tasks = processes.iter().flat_map(|pid| std::fs::read_dir(format!("/proc/{pid}/task")).unwrap());
    let sleeps = tasks.map(|task| {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse::<u64>().unwrap()
    });
    sleeps.sum()
}

#[test]
fn while_there_is_nothing_to_do_nothing_is_done() {
    for executor in EXECUTORS {
        let mut running = Running::start(&mut pmapgcd([executor, "-j4", "--block-size=64"]));
        send_blocks(&mut running, 50);
        let mut processes = running.children();
        processes.push(running.child.id());
        // Whoever still has to find out that there is no more to do.
        thread::sleep(Duration::from_millis(300));
        let before = sleeps(&processes);
        thread::sleep(Duration::from_millis(500));
        assert_eq!(sleeps(&processes), before, "{executor}");
        running.finish().is(0, "", "");
    }
}
