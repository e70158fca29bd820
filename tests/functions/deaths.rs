//! Pythons that die, by themselves and by others.

use super::{EXECUTORS, Module, run};
use crate::common::{Running, eventually};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

const DEADLY: &str = "
import ctypes, os, signal, resource, time
def f(a: int) -> int:
    if a == 44: ctypes.string_at(0)
    if a == 45: os._exit(7)
    if a == 46: os.kill(os.getpid(), signal.SIGKILL)
    if a == 47: os.closerange(3, 100)
    return a * 2
def slow(a: int) -> int:
    time.sleep(0.0005)
    return a * 2
def hangs(a: int) -> int:
    while a == 44: time.sleep(1)
    return a
def eats(a: int) -> int:
    return len(bytearray(1 << 40)) if a == 2 else a
";

#[test]
fn the_row_that_python_dies_of_is_named_and_the_run_goes_on() {
    let module = Module::new(DEADLY);
    for executor in EXECUTORS {
        for (row, cause) in [
            (44, "was killed by SIGSEGV"),
            (45, "exited with status 7"),
            (46, "was killed by SIGKILL"),
            (47, "exited with status 1"),
        ] {
            // Dozens of kills are needed before a row is blamed for them, and threads watch the processes as serial does.
            if row == 46 && executor == "threads" {
                continue;
            }
            let rows: String = (0..60).map(|n| format!("{}\n", if n == 50 { row } else { 1 })).collect();
            let expected = "2\n".repeat(59);
            let finished = module.map("f", &["--executor", executor, "-j2", "--bad-rows=skip"], &rows);
            assert_eq!(finished.status.code(), Some(1), "{executor} {row}: {}", finished.stderr);
            assert!(finished.stdout == expected.as_bytes(), "{executor} {row}");
            let said = format!("pmapgcd: stdin:51: Python keeps dying on this row: the last one {cause}\n");
            assert!(finished.stderr.contains(&said), "{executor} {row}: {}", finished.stderr);
            let told = "pmapgcd: the Python of worker ";
            assert!(finished.stderr.contains(told), "{}", finished.stderr);
        }
    }
}

/// A process that the function forks, and that does not end in it, neither maps rows nor answers.
#[test]
fn a_forked_process_ends_where_the_call_does() {
    let module = Module::new(
        "import os, sys\n\
         def f(a: int, how: str) -> int:\n    child = os.fork()\n    if child == 0:\n        \
         if how == 'exec': os.execvp('/nowhere/program', ['program'])\n        \
         if how == 'exit': sys.exit(7)\n        \
         if how == 'text': sys.exit('in the child')\n        \
         if how == 'raise': raise ValueError('in the child')\n        \
         return 0\n    \
         return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) + a\n\
         def g(a: list[int], how: list[str]) -> list[int]:\n    return [f(a[0], how[0])] * len(a)\n\
         if os.environ.get('IMPORT'):\n    if os.fork() == 0: sys.exit(3)\n    os.wait()\n",
    );
    // Each executor with either function. The parent waits for its child, so that nothing here is a matter of chance.
    for round in 0..6 {
        let executor = EXECUTORS[round % 3];
        for (how, status, said) in [
            ("return", 0, ""),
            ("exit", 7, ""),
            ("text", 1, "in the child\n"),
            ("raise", 1, "ValueError: in the child\n"),
            ("exec", 1, "FileNotFoundError: [Errno 2] No such file or directory\n"),
        ] {
            let (function, rows) = if round % 2 == 0 { ("f", 12) } else { ("g", 1) };
            let batch = if rows == 1 { &["--python-batch"][..] } else { &[] };
            let input: String = (0..rows).map(|n| format!("{},{how}\n", 10 * n)).collect();
            let expected: String = (0..rows).map(|n| format!("{}\n", 10 * n + status)).collect();
            let arguments = [&["-j2", "--executor", executor], batch].concat();
            let mut filter = module.filter(function, arguments);
            let finished = run(filter.env("IMPORT", if round == 0 { "1" } else { "" }), input);
            assert_eq!(finished.status.code(), Some(0), "{how}: {}", finished.stderr);
            assert_eq!(String::from_utf8_lossy(&finished.stdout), expected, "{how}");
            let times = if said.is_empty() { 0 } else { finished.stderr.matches(said).count() };
            assert_eq!(times, if said.is_empty() { finished.stderr.len() } else { rows }, "{how}: {}", finished.stderr);
            assert!(!finished.stderr.contains("<stdin>"), "{}", finished.stderr);
        }
    }
}

/// A worker of another's, that is, or one whose function has changed it.
#[test]
fn an_answer_with_fewer_rows_is_told_as_such() {
    let module = Module::new(
        "import __main__\nwhole = __main__.map_rows\n\
         def fewer(*given):\n    done, nanos = whole(*given)\n    return done - 1, nanos\n\
         __main__.map_rows = fewer\ndef f(a): return a\n",
    );
    let finished = module.map("f", &["-j1"], "5\n");
    let what = "pmapgcd: stdin:1: Python keeps dying on this row: the last one has answered 0 rows without a bad one at their end, where 1 were wanted\n";
    assert!(finished.status.code() == Some(1) && finished.stderr.ends_with(what), "{}", finished.stderr);
}

#[test]
fn too_little_memory_is_an_exception() {
    let module = Module::new(DEADLY);
    let arguments = ["--worker-memory=1G", "--bad-rows=skip"];
    let stderr = "pmapgcd: stdin:2: MemoryError (it.py:16)\npmapgcd: 1 bad row\n";
    module.always("eats", &arguments, "1\n2\n3\n", 1, "1\n3\n", stderr);
}

#[test]
fn a_row_that_takes_too_long_is_named() {
    let module = Module::new(DEADLY);
    let finished = module.map("hangs", &["--block-timeout=1", "--bad-rows=skip", "-j2"], "1\n44\n3\n");
    assert_eq!((finished.status.code(), &*finished.stdout), (Some(1), &b"1\n3\n"[..]), "{}", finished.stderr);
    assert!(finished.stderr.contains("stdin:2: workers keep dying on this row"), "{}", finished.stderr);
}

/// The processes whose command line has this word in it.
fn processes(word: &str) -> Vec<i32> {
    let all =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let line = |pid: i32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    all.filter(|&pid| line(pid).windows(word.len()).any(|part| part == word.as_bytes())).collect()
}

/// The Pythons of a run: the grandchildren that run the worker's file.
fn pythons_of(run: u32) -> Vec<i32> {
    let of_run = |pid: i32| {
        let mut at = pid;
        for _ in 0..4 {
            let stat = fs::read_to_string(format!("/proc/{at}/stat")).unwrap_or_default();
            let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
            match parent {
                Some(parent) if parent == run as i32 => return true,
                Some(parent) => at = parent,
                None => return false,
            }
        }
        false
    };
    processes("-\0pmapgcd\0").into_iter().filter(|&pid| of_run(pid)).collect()
}

#[test]
fn pythons_that_are_killed_again_and_again_cost_no_row() {
    let module = Module::new(DEADLY);
    let rows: String = (0..20_000).map(|n| format!("{n}\n")).collect();
    let expected: String = (0..20_000).map(|n| format!("{}\n", 2 * n)).collect();
    for executor in ["threads", "shared"] {
        let mut running = Running::start(&mut module.filter("slow", ["-j2", "--executor", executor]));
        let input = rows.clone();
        running.feed(move |pipe| pipe.write_all(input.as_bytes()));
        // Who is killed while it starts is started again without a word.
        assert_eq!(running.line(), "0");
        let (id, start, mut killed) = (running.child.id(), Instant::now(), 0);
        while killed < 12 && start.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(300));
            for pid in pythons_of(id).into_iter().take(1) {
                killed += i32::from(kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).is_ok());
            }
        }
        let finished = running.finish();
        assert_eq!(finished.status.code(), Some(0), "{executor}: {}", finished.stderr);
        assert!(finished.stdout == expected.as_bytes()["0\n".len()..], "{executor}");
        assert!(killed > 3 && finished.stderr.contains("was killed by SIGKILL"), "{killed} {}", finished.stderr);
    }
}

#[test]
fn no_python_outlives_its_run_and_nobody_prints_a_traceback() {
    let module = Module::new(DEADLY);
    for (executor, signal) in
        EXECUTORS.into_iter().flat_map(|executor| [(executor, Signal::INT), (executor, Signal::KILL)])
    {
        let mut running = Running::start(&mut module.filter("slow", ["-j2", "--executor", executor]));
        running.send((0..100_000).map(|n| format!("{n}\n")).collect::<String>().as_bytes());
        running.line();
        let id = running.child.id();
        let theirs = pythons_of(id);
        assert!(!theirs.is_empty());
        kill_process(Pid::from_raw(id as i32).unwrap(), signal).unwrap();
        let finished = running.finish();
        assert_eq!(finished.stderr, "", "{executor} {signal:?}");
        eventually("no Python is left", || theirs.iter().all(|pid| !processes("-\0pmapgcd\0").contains(pid)));
    }
}
