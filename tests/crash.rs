//! Death, for real: workers and parents are killed and stopped; then results, messages and what is left behind are checked.

mod common;

use common::harm::{Random, assert_no_segment_is_left, pid, signal_one, workers};
use common::{BINARY, Kind, PATIENCE, Running, eventually, input_and_output, is_alive, run, shell};
use rustix::process::{Signal, kill_process};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

fn start(arguments: &[&str], input: impl Into<Stdio>) -> Child {
    let mut command = Command::new(BINARY);
    command.args(arguments).stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn read_all(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = vec![];
        stream.read_to_end(&mut all).unwrap();
        all
    })
}

/// Runs the program over `input` while `harm` is done to its workers again and again. Answers how often that was, and what the run
/// said on stderr. The output must be as if nothing had happened.
fn run_harmed(
    arguments: &[&str],
    input: &[u8],
    expected: &[u8],
    mut harm: impl FnMut(u32) -> u32 + Send,
) -> (u32, String) {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let mut parent = start(arguments, file);
    let (stdout, stderr) = (read_all(parent.stdout.take().unwrap()), read_all(parent.stderr.take().unwrap()));
    let over = AtomicBool::new(false);
    let id = parent.id();
    let (status, times) = thread::scope(|scope| {
        let harming = scope.spawn(|| {
            let mut times = 0;
            while !over.load(Ordering::Relaxed) {
                times += harm(id);
            }
            times
        });
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match parent.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > deadline => parent.kill().unwrap(),
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        over.store(true, Ordering::Relaxed);
        (status, harming.join().unwrap())
    });
    let stderr = String::from_utf8(stderr.join().unwrap()).unwrap();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(stdout.join().unwrap() == expected, "the output differs after {times} times");
    (times, stderr)
}

#[test]
fn hundreds_of_killed_workers_cost_nothing_but_time() {
    let (rows, expected) = input_and_output(Kind::Wide.rows(1).take(10_000_000));
    // Large blocks, so that most kills hit a worker that holds one.
    for (arguments, pause) in [(&["-j", "4", "--block-size", "1M"], 1), (&["-j", "2", "--block-size", "64K"], 0)] {
        let mut random = Random(pause);
        let (kills, stderr) = run_harmed(arguments, &rows, &expected, |parent| {
            thread::sleep(Duration::from_micros(1 + pause * 1000 + random.below(1000) as u64));
            u32::from(signal_one(parent, Signal::KILL, &mut random).is_some())
        });
        assert!(kills >= 100, "only {kills} kills: the machine was too quick for this test");
        let told = stderr.lines().filter(|line| line.contains("(pid ")).count();
        assert_eq!(told, 10, "ten are told in full: {stderr}");
        let summary = stderr.lines().last().unwrap();
        let number = |at| summary.split(' ').nth(at).unwrap().parse::<u32>().unwrap();
        let (total, redone) = (number(1), number(6));
        assert!(0 < redone && redone <= total && total <= kills, "{summary} after {kills} kills");
        println!("{arguments:?}: {kills} kills, {total} deaths, {redone} blocks computed again");
    }
    assert_no_segment_is_left();
}

#[test]
fn stopped_workers_hold_the_run_up_and_spoil_nothing() {
    let (rows, expected) = input_and_output(Kind::Wide.rows(2).take(1_000_000));
    let mut random = Random(7);
    let (stops, stderr) = run_harmed(&["-j", "3"], &rows, &expected, |parent| {
        let stopped = signal_one(parent, Signal::STOP, &mut random);
        thread::sleep(Duration::from_millis(5));
        if let Some(worker) = stopped {
            let _ = kill_process(pid(worker), Signal::CONT);
        }
        u32::from(stopped.is_some())
    });
    assert!(stops > 0);
    assert_eq!(stderr, "");
}

#[test]
fn a_worker_killed_while_it_waits_is_replaced() {
    let mut parent = start(&["-j", "2"], Stdio::piped());
    let mut stdin = parent.stdin.take().unwrap();
    let mut stdout = parent.stdout.take().unwrap();
    let mut line = [0; 2];
    for round in 0..40 {
        stdin.write_all(b"12,18\n").unwrap();
        stdout.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"6\n", "round {round}");
        for worker in workers(parent.id()) {
            let _ = kill_process(pid(worker), Signal::KILL);
        }
    }
    drop(stdin);
    assert_eq!(parent.wait().unwrap().code(), Some(0));
}

#[test]
fn a_killed_parent_leaves_no_process_and_no_segment() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL] {
        for busy in [false, true] {
            // A shell that runs this test in the background ignores some of these signals, and we would inherit that.
            let mut command = Command::new("env");
            command.args(["--default-signal=INT,HUP", BINARY, "-j", "3", "--block-size", "64"]);
            let mut parent = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let mut stdin = parent.stdin.take().unwrap();
            let line = b"9223372036854775807,9223372036854775808\n".repeat(if busy { 2000 } else { 8 });
            // Nobody reads stdout, so that busy workers fill the ring and then wait.
            thread::spawn(move || {
                while stdin.write_all(&line).is_ok() {
                    thread::sleep(if busy { Duration::ZERO } else { PATIENCE });
                }
            });
            // One worker is enough for the few rows of the idle run.
            eventually("there are workers", || workers(parent.id()).len() >= if busy { 3 } else { 1 });
            let orphans = workers(parent.id());
            kill_process(pid(parent.id()), signal).unwrap();
            assert_eq!(parent.wait().unwrap().signal(), Some(signal.as_raw()));
            eventually("the workers are gone", || !orphans.iter().any(|&worker| is_alive(worker)));
        }
    }
    assert_no_segment_is_left();
}

#[test]
fn a_parent_killed_while_it_starts_leaves_nothing_that_takes_memory() {
    for delay in 0..100 {
        let mut parent = start(&["-j", "2"], Stdio::piped());
        parent.stdin.take().unwrap().write_all(b"12,18\n12,18\n").unwrap();
        thread::sleep(Duration::from_micros(delay * 20));
        let orphans = workers(parent.id());
        parent.kill().unwrap();
        parent.wait().unwrap();
        eventually("the workers are gone", || !orphans.iter().any(|&worker| is_alive(worker)));
    }
    assert_no_segment_is_left();
}

/// An example that `cargo test` has built; `cargo test --test crash` alone does not.
fn faulty() -> PathBuf {
    PathBuf::from(BINARY).with_file_name("examples").join("faulty")
}

/// A filter that crashes on some rows, with these arguments.
fn faulty_run(arguments: &[&str], input: &str) -> common::Finished {
    let mut command = Command::new(faulty());
    // Only a row that takes for ever may be over the limit, on however slow a machine.
    let timeout = if input.contains("13,105") { "0.5" } else { "60" };
    command.args(["--block-timeout", timeout, "--worker-memory", "256M"]).args(arguments).env("RUST_BACKTRACE", "0");
    run(&mut command, input)
}

/// Rows that kill the worker that computes them, and what is said of the worker's end.
const DEADLY: [(&str, &str); 9] = [
    ("13,11", "was killed by SIGSEGV"),
    ("13,6", "was killed by SIGABRT"),
    ("13,0", "panicked"),
    ("13,108", "exited with status 0"),
    ("13,101", "was killed by SIGSEGV"),
    ("13,102", "was killed by SIGABRT"),
    ("13,103", "was killed by SIGABRT"),
    ("13,104", "was killed by SIGABRT"),
    ("13,105", "held its block for longer than --block-timeout, 0.5 seconds"),
];

#[test]
fn rows_that_kill_workers_are_found_and_named() {
    let before = "1,2\n\n".repeat(100);
    for (row, cause) in DEADLY {
        for arguments in [["-j1", "--block-size=64"], ["-j3", "--block-size=128K"]] {
            let finished = faulty_run(&arguments, &format!("{before}{row}\n4,5\n"));
            let (other_causes, last) = finished.stderr.trim_end().rsplit_once('\n').unwrap();
            let named = format!("faulty: stdin:201: workers keep dying on this row: the last one {cause}");
            assert!(
                last.starts_with(&named)
                    && last.ends_with("; all results before it are written")
                    && (3..=8).contains(&other_causes.matches(cause).count()),
                "{finished:?}"
            );
            finished.is(3, "3\n".repeat(100), &finished.stderr);
        }
    }
    assert_no_segment_is_left();
}

#[test]
fn rows_that_kill_workers_can_be_skipped() {
    for (row, cause) in DEADLY {
        let input = format!("1,2\n{row}\n3,4\n13,0\n\n{row}\n5,x\n5,6\n");
        for (jobs, policy, stdout) in [("-j1", "skip", "3\n7\n11\n"), ("-j3", "blank", "3\n\n7\n\n\n\n11\n")] {
            let finished = faulty_run(&[jobs, "--bad-rows", policy], &input);
            for line in [2, 4, 6] {
                let named = format!("faulty: stdin:{line}: workers keep dying on this row: the last one ");
                assert_eq!(finished.stderr.matches(&named).count(), 1, "{finished:?}");
            }
            assert!(finished.stderr.contains(cause) && finished.stderr.contains("faulty: stdin:7: field 2 is "));
            // Three for each row, and one more whenever rows before it were handed over in between.
            let last = finished.stderr.lines().last().unwrap();
            let counted = last.strip_prefix("faulty: ").and_then(|last| last.split_once(" workers died in all, "));
            let is_counted = counted.is_none_or(|(count, _)| (12..=30).contains(&count.parse().unwrap()));
            assert!(finished.stderr.contains("faulty: 4 bad rows\n") && is_counted, "{finished:?}");
            finished.is(1, stdout, &finished.stderr);
        }
    }
    assert_no_segment_is_left();
}

#[test]
fn why_a_row_is_deadly_is_said_once_and_stands_among_the_rejects() {
    let rejects = tempfile::NamedTempFile::new().unwrap();
    let path = rejects.path().to_str().unwrap();
    let reasons = [
        ("13,0", "panicked: a kernel that panics (at examples/faulty.rs:"),
        ("13,108", "exited with status 0"),
        ("13,101", "was killed by SIGSEGV"),
        ("13,105", "held its block for longer than --block-timeout, 0.5 seconds"),
    ];
    let input: String = reasons.map(|(row, _)| format!("1,2\n{row}\n")).concat();
    for arguments in [["-j1", "--block-size=64"], ["-j3", "--block-size=128K"]] {
        let finished = faulty_run(&[&arguments[..], &["--bad-rows=skip", "--rejects", path]].concat(), &input);
        finished.is(1, "3\n".repeat(4), &finished.stderr);
        let mut records = csv::Reader::from_path(path).unwrap().into_records();
        for (number, (row, reason)) in reasons.into_iter().enumerate() {
            let record = records.next().unwrap().unwrap();
            let reason = format!("workers keep dying on this row: the last one {reason}");
            assert_eq!((&record[1], &record[5]), (&*format!("{}", 2 * number + 2), row), "{record:?}");
            assert!(record[4].starts_with(&reason), "{record:?}");
            assert!(finished.stderr.contains(&record[4]), "{finished:?}");
        }
        assert!(records.next().is_none());
        assert_eq!(finished.stderr.matches("a kernel that panics").count(), 1, "{finished:?}");
    }
}

#[test]
fn a_panic_that_does_not_come_again_is_told_all_the_same() {
    // The file tells whether a worker has computed this row before.
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("was_here");
    let mut command = Command::new(faulty());
    command.args(["-j1", "--no-sandbox"]).env("FAULTY_ONCE", &mark);
    let finished = run(&mut command, "1,2\n13,109\n3,4\n");
    let said = finished.stderr.clone();
    finished.is(0, "3\n122\n7\n", &said);
    assert!(said.contains(" panicked; its block is computed again\n"), "{said}");
    let told =
        "faulty: a worker panicked, and its rows went well the next time: it happens only once (at examples/faulty.rs:";
    assert_eq!((said.matches(told).count(), said.matches("only once").count()), (1, 1), "{said}");
}

/// Rows of all kinds, deadly ones among them; the output that they must give with `--bad-rows skip`; and the lines of the bad ones.
fn random_rows(random: &mut Random) -> (String, String, Vec<usize>) {
    let (mut input, mut output, mut bad) = (String::new(), String::new(), vec![]);
    let one_in = [3, 40, 1000][random.below(3)];
    let rows = [50, 3000, 30_000][random.below(3)].min(25 * one_in);
    for line in 1..=rows {
        match random.below(2 * one_in) {
            0 => {
                input += ["13,0\n", "13,11\n", "13,101\n", "13,108\n"][random.below(4)];
                bad.push(line);
            }
            1 => {
                input += "x,1\n";
                bad.push(line);
            }
            n => {
                input += &format!("{n},{line}\n");
                output += &format!("{}\n", n + line);
            }
        }
    }
    // None of the other rows may be deadly by chance.
    if input.lines().any(|row| row.starts_with("13,") && !["13,0", "13,11", "13,101", "13,108"].contains(&row)) {
        return random_rows(random);
    }
    (input, output, bad)
}

#[test]
fn whatever_the_rows_and_the_kills_in_between_the_bad_rows_are_those_that_are_bad() {
    let seconds = std::env::var("PMAPGCD_CHAOS_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(8);
    let end = Instant::now() + Duration::from_secs(seconds);
    let folder = tempfile::tempdir().unwrap();
    let (rejects, rows) = (folder.path().join("rejects.csv"), folder.path().join("rows.csv"));
    let mut random = Random(std::env::var("PMAPGCD_CHAOS_SEED").map_or(7, |seed| seed.parse().unwrap()));
    let (mut runs, mut kills) = (0, 0);
    while Instant::now() < end || runs < 4 {
        let (input, output, bad) = random_rows(&mut random);
        let jobs = format!("-j{}", [1, 2, 4][random.below(3)]);
        let block = format!("--block-size={}", ["64", "1K", "16K", "128K"][random.below(4)]);
        let mut command = Command::new(faulty());
        command.args([&*jobs, &*block, "--bad-rows=skip", "--rejects"]).arg(&rejects);
        fs::write(&rows, &input).unwrap();
        let from_file = random.below(2) == 0;
        if from_file {
            command.arg(&rows);
        }
        let mut running = Running::start(&mut command);
        let said = format!(
            "run {runs}: {jobs} {block}, from a file: {from_file}, {} rows, bad: {bad:?}",
            input.lines().count()
        );
        if !from_file {
            running.feed(move |pipe| pipe.write_all(input.as_bytes()));
        }
        let (over, id) = (AtomicBool::new(false), running.child.id());
        // A kill every so many milliseconds, often enough to come in between; and no more than 25, since rows over which 30
        // workers are killed are given up.
        let (pause, is_killing) = (Duration::from_millis([3, 10][random.below(2)]), random.below(3) > 0);
        let mut killing_random = Random(random.below(1 << 20) as u64);
        let finished = thread::scope(|scope| {
            let killing = scope.spawn(|| {
                let mut kills = 0;
                while is_killing && kills < 25 && !over.load(Ordering::Relaxed) {
                    thread::sleep(pause);
                    kills += u32::from(signal_one(id, Signal::KILL, &mut killing_random).is_some());
                }
                kills
            });
            let finished = running.end();
            over.store(true, Ordering::Relaxed);
            kills += killing.join().unwrap();
            finished
        });
        let status = if bad.is_empty() { 0 } else { 1 };
        assert_eq!(
            (finished.status.code(), finished.stdout == output.as_bytes()),
            (Some(status), true),
            "{said}: {finished:?}"
        );
        let records = csv::Reader::from_path(&rejects).unwrap().into_records();
        let lines: Vec<usize> = records.map(|record| record.unwrap()[1].parse().unwrap()).collect();
        assert_eq!(lines, bad, "{said}: {}", finished.stderr);
        runs += 1;
    }
    println!("{runs} runs with {kills} kills in between");
    assert_no_segment_is_left();
}

#[test]
fn rows_over_which_workers_are_killed_from_outside_are_given_up() {
    let before = "1,2\n\n".repeat(100);
    for jobs in ["-j1", "-j3"] {
        let finished = faulty_run(&[jobs, "--block-size=64"], &format!("{before}13,9\n4,5\n"));
        // Blocks of 64 bytes hold 12 or 13 of the rows before; the one that kills comes in line 201.
        let written = finished.stdout.len() / 2;
        let last = finished.stderr.lines().last().unwrap();
        let place = last.strip_prefix("faulty: stdin:").unwrap_or_else(|| panic!("{finished:?}"));
        let (lines, what) = place.split_once(": ").unwrap();
        let (first, end) = lines.split_once('-').unwrap();
        let (first, end): (usize, usize) = (first.parse().unwrap(), end.parse().unwrap());
        assert!(first == 2 * written + 1 && first <= 201 && (201..=202).contains(&end), "{place}");
        let killed = "the last one was killed by SIGKILL; all results before them are written";
        assert_eq!(what, format!("workers keep dying on these rows: 30 so far, {killed}"));
        finished.is(3, "3\n".repeat(written), &finished.stderr);
    }
    assert_no_segment_is_left();
}

#[test]
fn a_block_that_was_given_up_does_not_count_against_the_worker_that_comes_after() {
    // A row a block: the first is held until it is overdue, three times. Meanwhile the second is given up and stays with
    // the number of those who died over it, and the next one of that number holds the third.
    let row = |row: &str| format!("{row:60}\n");
    let input = row("13,105") + &row("13,9") + &row("13,105") + &row("1,2");
    let finished = faulty_run(&["-j2", "--block-size=64"], &input);
    let found = (finished.status.code(), &*finished.stdout, finished.stderr.lines().last().unwrap());
    let error = "faulty: stdin:1: workers keep dying on this row: the last one held its block for longer than \
                 --block-timeout, 0.5 seconds; all results before it are written";
    assert_eq!(found, (Some(3), &b""[..], error), "{}", finished.stderr);
}

#[test]
fn workers_have_no_descriptors_of_whoever_started_the_program() {
    for executor in ["shared", "pickle"] {
        let script = format!("exec 8< /etc/passwd 9< /etc/passwd; exec \"$0\" -j1 --executor {executor} --no-sandbox");
        let mut running = Running::start(&mut shell(&script));
        running.send("12,18\n");
        assert_eq!(running.line(), "6");
        for worker in running.children() {
            let descriptors = fs::read_dir(format!("/proc/{worker}/fd")).unwrap();
            for descriptor in descriptors.map(|entry| entry.unwrap().path()) {
                let target = fs::read_link(&descriptor).unwrap().display().to_string();
                let number: u32 = descriptor.file_name().unwrap().to_str().unwrap().parse().unwrap();
                assert!(number < 5 && !target.contains("passwd"), "{executor}: {number} is {target}");
            }
        }
        running.finish().is(0, "", "");
    }
}

#[test]
fn signals_that_were_ignored_before_do_not_hide_what_became_of_workers() {
    for row in ["13,11", "13,102"] {
        let rows = format!("{}{row}\n4,5\n", "1,2\n".repeat(1000));
        let mut ignoring = Command::new("python3");
        ignoring.args(["-c", "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"]);
        let finished = run(ignoring.arg(faulty()).args(["-j2", "--bad-rows=skip"]).env("RUST_BACKTRACE", "0"), rows);
        let said = finished.stderr.clone();
        assert!(
            said.contains("faulty: stdin:1001: workers keep dying on this row: the last one was killed by SIG"),
            "{said}"
        );
        finished.is(1, "3\n".repeat(1000) + "9\n", &said);
    }
}

#[test]
fn rows_that_are_slow_together_are_not_slow_one_by_one() {
    // Half a second in one block, which is cut as large as the cheap rows before suggest.
    let input = "1,2\n".repeat(30_000) + &"13,107\n".repeat(100);
    for jobs in ["-j1", "-j3"] {
        let mut command = Command::new(faulty());
        let finished = run(command.args(["--block-timeout", "0.1", jobs]), input.as_str());
        let said = finished.stderr.clone();
        assert!(said.contains("held its block for longer than --block-timeout"), "{said}");
        finished.is(0, "3\n".repeat(30_000) + &"120\n".repeat(100), &said);
    }
}

#[test]
fn deaths_over_rows_that_are_done_count_no_more() {
    // In one block, for two seconds: a fault, and then more kills than a row that is at fault would take to be named.
    let mut command = Command::new(faulty());
    let mut running = Running::start(command.args(["-j1", "--bad-rows", "skip"]));
    running.send("13,107\n".repeat(400));
    running.child.stdin = None;
    for signal in [Signal::ABORT].into_iter().chain([Signal::KILL; 25]) {
        eventually("there is a worker, or no work", || !running.children().is_empty() || !is_alive(running.child.id()));
        thread::sleep(Duration::from_millis(60));
        running.children().into_iter().for_each(|worker| {
            let _ = kill_process(pid(worker), signal);
        });
    }
    let finished = running.end();
    let said = finished.stderr.clone();
    assert!(said.contains("was killed by SIGABRT"), "{said}");
    finished.is(0, "120\n".repeat(400), &said);
}

#[test]
fn workers_of_self_contained_kernels_can_open_no_file() {
    let mut command = Command::new(faulty());
    run(command.args(["-j1"]), "1,2\n13,106\n3,4\n").is(0, "3\n119\n7\n", "");
    let mut command = Command::new(faulty());
    run(command.args(["-j1", "--executor=pickle"]), "1,2\n13,106\n3,4\n").is(0, "3\n119\n7\n", "");
    let mut command = Command::new(faulty());
    let finished = run(command.args(["-j1", "--no-sandbox"]), "1,2\n13,106\n3,4\n");
    assert_eq!(finished.status.code(), Some(3));
    assert!(finished.stderr.contains("a file could be opened"), "{finished:?}");
}

#[test]
fn a_kernel_that_crashes_takes_what_its_executor_has_not_isolated() {
    let before = "1,2\n".repeat(3000);
    for (row, signal) in [("13,11", 11), ("13,6", 6), ("13,9", 9), ("13,0", 0)] {
        let input = format!("{before}{row}\n4,5\n");
        let run = |executor: &str| {
            let mut command = Command::new(faulty());
            command.args(["-j", "2", "--block-size", "1K", "--executor", executor]).env("RUST_BACKTRACE", "0");
            run(&mut command, input.as_str())
        };
        for executor in ["serial", "threads"] {
            let status = run(executor).status;
            let expected = if signal == 0 { (Some(101), None) } else { (None, Some(signal)) };
            assert_eq!((status.code(), status.signal()), expected, "{executor} {row}");
        }
        let finished = run("pickle");
        assert_eq!(finished.status.code(), Some(3), "{row}: {}", finished.stderr);
        let last = finished.stderr.lines().last().unwrap();
        assert!(last.starts_with("faulty: worker ") && last.contains(" and has broken the pool: "), "{last}");
        let written = String::from_utf8(finished.stdout).unwrap();
        assert!(written.len() <= 6000 && written == "3\n".repeat(written.len() / 2), "{row}");
    }
}

#[test]
fn a_killed_worker_breaks_the_pickle_pool_at_once_and_says_so() {
    for _ in 0..20 {
        let mut parent = start(&["-j", "2", "--executor", "pickle"], Stdio::piped());
        let mut stdin = parent.stdin.take().unwrap();
        stdin.write_all(b"12,18\n").unwrap();
        let mut line = [0; 2];
        parent.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
        // Its input is still open and nothing more comes: it must notice the death all the same.
        kill_process(pid(workers(parent.id())[0]), Signal::KILL).unwrap();
        let output = parent.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains("was killed by SIGKILL and has broken the pool"), "{stderr}");
        drop(stdin);
    }
}

#[test]
fn results_wait_for_a_block_that_is_computed_again() {
    // The slow path of recovery: the block of the killed worker is the first, and all others are done long before it.
    let input = "1,2\n".repeat(100_000);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, &input).unwrap();
    let mut parent = start(&["-j", "2", "--block-size", "4K"], File::open(&file).unwrap());
    let stdout = read_all(parent.stdout.take().unwrap());
    eventually("there is a worker", || !workers(parent.id()).is_empty() || !is_alive(parent.id()));
    if let Some(&worker) = workers(parent.id()).first() {
        let _ = kill_process(pid(worker), Signal::STOP);
        thread::sleep(Duration::from_millis(50));
        let _ = kill_process(pid(worker), Signal::KILL);
    }
    assert_eq!(parent.wait().unwrap().code(), Some(0));
    assert!(stdout.join().unwrap() == "1\n".repeat(100_000).as_bytes());
}
