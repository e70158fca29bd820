//! Pipes, full disks, and streams that are closed.

use crate::common::strace::may_trace;
use crate::common::{Running, eventually, is_alive, pmapgcd, run, shell};
use crate::{EXECUTORS, Folder};
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

#[test]
fn a_row_is_answered_while_the_input_stays_open() {
    for executor in EXECUTORS {
        let mut running = Running::start(&mut pmapgcd([executor]));
        for (row, gcd) in [("12,18\n", "6"), ("\n5,10\r\n", "5"), ("7,1", ""), ("4\n9,", "7"), ("6\n", "3")] {
            running.send(row);
            if !gcd.is_empty() {
                assert_eq!(running.line(), gcd);
            }
        }
        running.finish().is(0, "", "");
    }
}

#[test]
fn a_bad_row_ends_the_run_while_the_input_stays_open() {
    for executor in EXECUTORS {
        let mut running = Running::start(&mut pmapgcd([executor]));
        running.send("12,18\nx\n");
        running.end().is(1, "6\n", "pmapgcd: stdin:2: 1 field where 2 are expected: \"x\"\n");
    }
}

/// `| head -1`, and all that it must leave behind: nothing.
fn dies_in_silence(mut running: Running) {
    let workers = running.children();
    drop(running.child.stdout.take());
    let finished = running.end();
    assert_eq!((finished.status.signal(), &*finished.stderr), (Some(13), ""), "{}", finished.status);
    eventually("no worker is left", || !workers.iter().any(|&pid| is_alive(pid)));
}

#[test]
fn dies_of_sigpipe_in_silence_when_nobody_reads_any_more() {
    let folder = Folder::with([("pairs.csv", &"12,18\n".repeat(2_000_000))]);
    for executor in EXECUTORS {
        let mut from_pipe = Running::start(&mut pmapgcd([executor, "-j2"]));
        from_pipe.feed(|pipe| {
            loop {
                pipe.write_all(b"12,18\n5,10\n")?;
            }
        });
        let mut from_file = folder.start([executor, "-j2", "pairs.csv"]);
        for running in [&mut from_pipe, &mut from_file] {
            assert_eq!(running.line(), "6");
        }
        dies_in_silence(from_pipe);
        dies_in_silence(from_file);
    }
}

#[test]
fn dies_of_sigpipe_even_when_no_input_comes() {
    let folder = Folder::with([]);
    folder.make_fifo("fifo");
    for executor in EXECUTORS {
        dies_in_silence(Running::start(&mut pmapgcd([executor])));
        dies_in_silence(folder.start([executor, "fifo"]));
        let mut after_a_row = Running::start(&mut pmapgcd([executor]));
        after_a_row.send("12,18\n5,1");
        assert_eq!(after_a_row.line(), "6");
        dies_in_silence(after_a_row);
    }
}

#[test]
fn dies_of_sigpipe_even_where_it_was_told_to_ignore_it() {
    for executor in EXECUTORS {
        let mut running = Running::start(&mut shell(&format!("trap '' PIPE; exec \"$0\" {executor}")));
        running.send("12,18\n");
        assert_eq!(running.line(), "6");
        dies_in_silence(running);
    }
}

#[test]
fn a_full_disk_is_an_error() {
    for executor in EXECUTORS {
        let full = run(&mut shell(&format!("\"$0\" {executor} > /dev/full")), "12,18\n");
        full.is(2, "", "pmapgcd: stdout: No space left on device\n");
        let full = run(&mut pmapgcd([executor, "-o", "/dev/full"]), "12,18\n");
        full.is(2, "", "pmapgcd: /dev/full: No space left on device\n");
        run(&mut pmapgcd([executor, "-o", "/dev/full"]), "").is(0, "", "");
    }
}

#[test]
fn closed_standard_streams_do_no_harm() {
    let folder = Folder::with([("a.csv", "12,18\n"), ("bad.csv", "5,10\nx\n")]);
    for executor in EXECUTORS {
        let script = |arguments: &str| folder.shell(&format!("exec \"$0\" {executor} {arguments}"));
        script("a.csv <&-").is(0, "6\n", "");
        script("a.csv 2>&-").is(0, "6\n", "");
        script("bad.csv <&- 2>&-").is(1, "5\n", "");
        script("-o out.csv a.csv <&- >&- 2>&-").is(0, "", "");
        assert_eq!(folder.read("out.csv"), "6\n");
        for arguments in ["<&-", "a.csv >&-", "a.csv <&- >&-"] {
            let finished = script(arguments);
            let harmless = matches!(finished.status.code(), Some(0 | 2)) && finished.stderr.lines().count() <= 1;
            assert!(harmless && finished.stdout.is_empty(), "{arguments}: {finished:?}");
        }
    }
}

/// A run whose input another process takes between `poll`, which says that it is there, and the read, which strace holds up.
/// `write` goes to what is at this path, and another opening of that takes it.
fn dies_of_sigpipe_though_input_is_taken(executor: &str, folder: &Folder, path: &Path, write: impl Fn(&[u8])) {
    let path_of_shell = path.display();
    let inject = format!("-P {path_of_shell} -e inject=read,preadv2:delay_enter=400000");
    let script = format!("exec strace -f -qqq -o trace {inject} \"$0\" {executor} < {path_of_shell}");
    let mut running = Running::start(shell(&script).current_dir(&folder.0));
    write(b"12,18\n");
    assert_eq!(running.line(), "6");
    let other = open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY, Mode::empty()).unwrap();
    write(b"5,10\n");
    thread::sleep(Duration::from_millis(150));
    let mut taken = [0; 16];
    assert_eq!(rustix::io::read(&other, &mut taken), Ok(5));
    // It has come to the read by now, and nothing is there.
    thread::sleep(Duration::from_millis(500));
    dies_in_silence(running);
}

#[test]
fn dies_of_sigpipe_even_where_another_process_takes_the_input_of_a_pipe() {
    if !may_trace() {
        return;
    }
    for executor in EXECUTORS {
        let folder = Folder::with([]);
        let path = folder.make_fifo("fifo");
        let fifo = open(&path, OFlags::RDWR, Mode::empty()).unwrap();
        let write = |text: &[u8]| assert_eq!(rustix::io::write(&fifo, text), Ok(text.len()));
        dies_of_sigpipe_though_input_is_taken(executor, &folder, &path, write);
    }
}

#[test]
fn dies_of_sigpipe_even_where_another_process_takes_the_input_of_a_terminal() {
    if !may_trace() {
        return;
    }
    for executor in EXECUTORS {
        let folder = Folder::with([]);
        let other_side = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&other_side).unwrap();
        unlockpt(&other_side).unwrap();
        let name = ptsname(&other_side, vec![]).unwrap();
        let path = Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()));
        let write = |text: &[u8]| assert_eq!(rustix::io::write(&other_side, text), Ok(text.len()));
        // Waiting for rows from a terminal is told, and nothing else.
        let folder = &folder;
        dies_of_sigpipe_though_input_is_taken(&format!("{executor} -"), folder, path, write);
    }
}

#[test]
fn two_runs_that_share_a_pipe_answer_each_row_once_between_them() {
    // Each row is a write of its own, so that it comes to one of them whole.
    for executor in EXECUTORS {
        let script = format!(
            "{{ \"$0\" {executor} -j1 > one & \"$0\" {executor} -j1 > two <&3 & wait; }} 3<&0; cat one two | sort | uniq -c"
        );
        let folder = Folder::with([]);
        let mut running = Running::start(shell(&script.replace("-j1 > one", "-j1 > one <&3")).current_dir(&folder.0));
        for _ in 0..500 {
            running.send("12,18\n");
        }
        running.finish().is(0, "    500 6\n", "");
    }
}
