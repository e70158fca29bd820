//! Pipes, full disks, and closed ends.

use crate::common::{Running, eventually, is_alive, pmapgcd, run, shell};
use crate::{EXECUTORS, Folder};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;

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
    let folder = Folder::with([("pairs.csv", &"12,18\n".repeat(200_000))]);
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
