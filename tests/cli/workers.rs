//! How many workers are started, how much memory they may take, and which processes may be workers.

use crate::common::{BINARY, Running, eventually, is_alive, pmapgcd, run};
use crate::{EXECUTORS, Folder};
use rustix::process::{Pid, Signal};
use std::path::PathBuf;
use std::process::Command;
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

/// Sends rows, each a block of its own, until there are this many workers. Each worker is stopped, so that its block stays undone.
fn hold_up_workers(running: &mut Running, count: usize) {
    for workers in 1..=count {
        while running.children().len() < workers {
            running.send("12,18\n");
            thread::sleep(Duration::from_millis(5));
        }
        for pid in running.children() {
            // Before it is this program, whoever starts it would wait.
            let name = || std::fs::read_to_string(format!("/proc/{pid}/comm"));
            eventually("a worker comes up", || name().unwrap() == "pmapgcd-worker\n");
            signal(pid, Signal::STOP);
        }
    }
}

fn signal(pid: u32, signal: Signal) {
    rustix::process::kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
}

#[test]
fn a_worker_is_started_for_each_block_that_waits() {
    let mut running = Running::start(&mut pmapgcd(["-j", "3"]));
    has_workers(&running, 0);
    send_blocks(&mut running, 1);
    has_workers(&running, 1);
    hold_up_workers(&mut running, 3);
    for _ in 0..5 {
        running.send("12,18\n");
        thread::sleep(Duration::from_millis(5));
    }
    has_workers(&running, 3);
    let workers = running.children();
    workers.iter().for_each(|&pid| signal(pid, Signal::CONT));
    let finished = running.finish();
    assert!(finished.status.success() && finished.stdout.starts_with(b"6\n6\n"), "{finished:?}");
    assert!(!workers.iter().any(|&pid| is_alive(pid)));
}

/// How many rows each worker had, by the statistics on stderr.
fn rows_of_workers(stderr: &str) -> Vec<u64> {
    let stats: serde_json::Value = serde_json::from_str(stderr.lines().last().unwrap_or_default()).expect(stderr);
    stats["workers"].as_array().unwrap().iter().map(|worker| worker["rows"].as_u64().unwrap()).collect()
}

#[test]
fn a_few_cheap_rows_take_one_worker() {
    // Unless it is held up at its start, which does not happen most of the time.
    for (jobs, rows) in [("-j4", 500), ("-j64", 10)] {
        let is_one = |_: &usize| {
            let finished = run(&mut pmapgcd([jobs, "--stats=json"]), "12,18\n".repeat(rows));
            rows_of_workers(&finished.stderr) == [rows as u64]
        };
        let count = (0..9).filter(is_one).count();
        assert!(count >= 5, "{jobs}: one worker in {count} of 9 runs");
    }
}

#[test]
fn costly_rows_are_shared_out_evenly() {
    let faulty = PathBuf::from(BINARY).with_file_name("examples").join("faulty");
    let folder = Folder::with([("slow.csv", "13,107\n".repeat(200).as_str())]);
    for (executor, file) in
        ["shared", "threads", "pickle"].into_iter().flat_map(|executor| [(executor, true), (executor, false)])
    {
        // 50 rows each, if all four begin at once and none is held up.
        eventually("costly rows are shared out evenly", || {
            let mut command = Command::new(&faulty);
            command.args(["-j4", "--stats=json", "--executor", executor]).current_dir(&folder.0);
            let stdin = if file { String::new() } else { "13,107\n".repeat(200) };
            let finished = run(if file { command.arg("slow.csv") } else { &mut command }, stdin);
            let rows = rows_of_workers(&finished.stderr);
            rows.len() == 4 && rows.iter().all(|&rows| (20..=80).contains(&rows))
        });
    }
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
        hold_up_workers(&mut running, count);
        for _ in 0..5 {
            running.send("12,18\n");
            thread::sleep(Duration::from_millis(5));
        }
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
