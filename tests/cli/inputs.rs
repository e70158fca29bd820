//! The inputs from which rows are read.

use crate::common::{BINARY, Running, eventually, pmapgcd, run};
use crate::{EXECUTORS, Folder, ways};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

#[test]
fn files_and_stdin_are_read_in_the_order_they_are_named() {
    let folder = Folder::with([("a.csv", "12,18"), ("b.csv", "5,10\n"), ("-", "1,1\n")]);
    for executor in EXECUTORS {
        folder.run([executor, "b.csv", "a.csv", "b.csv"], "7,14\n").is(0, "5\n6\n5\n", "");
        folder.run([executor, "a.csv", "-", "b.csv"], "7,14").is(0, "6\n7\n5\n", "");
        folder.run([executor, "-", "a.csv", "-"], "7,14\n").is(0, "7\n6\n", "");
        folder.run([executor, "./-"], "7,14\n").is(0, "1\n", "");
        folder.run([executor, "--", "-"], "7,14\n").is(0, "7\n", "");
    }
}

#[test]
fn each_file_has_its_own_line_numbers() {
    let folder = Folder::with([("a.csv", "12,18\n\n5,10"), ("bad.csv", "\r\n7,14\r\n\n7,x\n")]);
    let what = "field 2 is not an integer: \"x\"; decimal digits are expected, with or without a sign";
    let error = |name| format!("pmapgcd: {name}:4: {what}\n");
    for way in ways(&["64", "128K"]) {
        let with_way = |files: [&'static str; 3]| way.into_iter().chain(files);
        folder.run(with_way(["a.csv", "a.csv", "bad.csv"]), "").is(1, "6\n5\n6\n5\n7\n", &error("bad.csv"));
        folder.run(with_way(["bad.csv", "a.csv", "bad.csv"]), "").is(1, "7\n", &error("bad.csv"));
        let bad = folder.read("bad.csv");
        folder.run(with_way(["a.csv", "-", "a.csv"]), &bad).is(1, "6\n5\n7\n", &error("stdin"));
    }
}

#[test]
fn an_input_that_cannot_be_read_is_named_after_all_results_before_it() {
    let folder = Folder::with([("a.csv", "12,18\n")]);
    fs::create_dir(folder.path("folder")).unwrap();
    for executor in EXECUTORS {
        let run = |name| folder.run([executor, "a.csv", name, "a.csv"], "");
        run("none.csv").is(2, "6\n", "pmapgcd: none.csv: No such file or directory\n");
        run("folder").is(2, "6\n", "pmapgcd: folder: Is a directory\n");
        run("a.csv/x").is(2, "6\n", "pmapgcd: a.csv/x: Not a directory\n");
        folder.shell(&format!("\"$0\" {executor} < folder")).is(2, "", "pmapgcd: stdin: Is a directory\n");
    }
}

#[test]
fn a_file_without_permission_is_named() {
    let folder = Folder::with([("a.csv", "12,18\n"), ("secret.csv", "5,10\n")]);
    folder.set_permissions("secret.csv", 0);
    for executor in EXECUTORS {
        let mut command = folder.unprivileged();
        let finished = run(command.args([executor, "a.csv", "secret.csv"]).current_dir(&folder.0), "");
        finished.is(2, "6\n", "pmapgcd: secret.csv: Permission denied\n");
    }
}

#[test]
fn an_input_that_vanishes_before_its_turn_is_named() {
    for executor in EXECUTORS {
        let folder = Folder::with([("gone.csv", "5,10\n")]);
        let mut running = folder.start([executor, "-", "gone.csv"]);
        running.send("12,18\n");
        assert_eq!(running.line(), "6");
        fs::remove_file(folder.path("gone.csv")).unwrap();
        running.finish().is(2, "", "pmapgcd: gone.csv: No such file or directory\n");
    }
}

#[test]
fn a_fifo_is_waited_for_and_read_as_it_is_written() {
    for executor in EXECUTORS {
        let folder = Folder::with([]);
        let fifo = folder.make_fifo("fifo");
        let mut running = folder.start([executor, "fifo"]);
        thread::sleep(Duration::from_millis(20));
        let mut fifo = File::options().write(true).open(fifo).unwrap();
        for (row, gcd) in [("12,18\n", "6"), ("5,10\n", "5")] {
            fifo.write_all(row.as_bytes()).unwrap();
            assert_eq!(running.line(), gcd);
        }
        fifo.write_all(b"7,14").unwrap();
        drop(fifo);
        running.end().is(0, "7\n", "");
    }
}

#[test]
fn names_of_any_bytes_are_opened_and_shown_without_harm() {
    let name = OsString::from_vec(b"a\xff\n\x1b.csv".to_vec());
    let folder = Folder::with([]);
    for executor in EXECUTORS.map(OsStr::new) {
        let missing = folder.run([executor, &name], "");
        missing.is(2, "", "pmapgcd: a\u{fffd}\\n\\u{1b}.csv: No such file or directory\n");
        fs::write(folder.path(&name), "12,18\nx\n").unwrap();
        let bad = folder.run([executor, &name], "");
        bad.is(1, "6\n", "pmapgcd: a\u{fffd}\\n\\u{1b}.csv:2: 1 field where 2 are expected: \"x\"\n");
        let target = OsString::from_vec(b"out\xfe".to_vec());
        folder.run([executor, OsStr::new("-o"), &target], "12,18\n").is(0, "", "");
        assert_eq!(fs::read(folder.path(&target)).unwrap(), b"6\n");
        assert_eq!(folder.names(), [name.clone(), target.clone()]);
        fs::remove_file(folder.path(&target)).unwrap();
        fs::remove_file(folder.path(&name)).unwrap();
    }
}

#[test]
fn who_pipes_rows_in_gets_no_hint_and_who_sits_at_a_terminal_gets_one() {
    let folder = Folder::with([]);
    for executor in EXECUTORS {
        run(&mut pmapgcd([executor]), "12,18\n").is(0, "6\n", "");
        at_terminal(&folder, executor, &["12,18\n", CTRL_D]);
        let hint = folder.read("stderr");
        assert!(hint.starts_with("pmapgcd: waiting for rows") && hint.lines().count() == 1, "{hint:?}");
    }
}

const CTRL_D: &str = "\x04";

#[test]
fn control_d_ends_rows_from_a_terminal_whether_or_not_the_line_has_ended() {
    let folder = Folder::with([]);
    for executor in EXECUTORS {
        at_terminal(&folder, executor, &["12,18\n", CTRL_D]);
        at_terminal(&folder, executor, &["12,18\n\x04"]);
        // In the middle of a line the first one only hands over what was typed.
        at_terminal(&folder, executor, &["12,18", CTRL_D, CTRL_D]);
    }
}

/// Types this, with pauses, at a terminal where 12,18 is answered and the program then ends.
#[track_caller]
fn at_terminal(folder: &Folder, executor: &str, typed: &[&str]) {
    let mut script = Command::new("script");
    script.args(["-qec", "exec \"$PMAPGCD\" $EXECUTOR 2>stderr", "/dev/null"]).current_dir(&folder.0);
    let mut running = Running::start(script.env("PMAPGCD", BINARY).env("EXECUTOR", executor));
    eventually("the terminal is there", || folder.path("stderr").exists());
    for keys in typed {
        thread::sleep(Duration::from_millis(100));
        running.send(keys);
    }
    let screen = String::from_utf8(running.end().stdout).unwrap();
    assert!(screen.lines().any(|line| line.trim_end() == "6" || line == "12,186"), "{screen:?}");
}
