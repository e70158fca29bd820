//! Bad rows in a run that goes on (`--bad-rows skip` and `blank`).

use crate::common::{pmapgcd, run};
use crate::{EXECUTORS, Folder, ways};
use std::fs;

const WHAT: &str = "field 2 is not an integer: \"x\"; decimal digits are expected, with or without a sign";

#[test]
fn bad_rows_are_passed_over_or_leave_a_line() {
    let rows = "12,18\n5,x\n\n\"a\nb\",10\n7,14\n5,x\n";
    let stderr = format!(
        "pmapgcd: stdin:2: {WHAT}\npmapgcd: stdin:4: field 1 is not an integer: \"a\\nb\"; decimal digits are expected, \
         with or without a sign\npmapgcd: stdin:7: {WHAT}\npmapgcd: 3 bad rows\n"
    );
    for way in ways(&["64", "128K"]) {
        for (how, stdout) in [("skip", "6\n7\n"), ("blank", "6\n\n\n7\n\n")] {
            run(&mut pmapgcd(way.into_iter().chain(["--bad-rows", how])), rows).is(1, stdout, &stderr);
        }
        let appended = "12,18,6\n5,x,\n\"a\nb\",10,\n7,14,7\n5,x,\n";
        run(&mut pmapgcd(way.into_iter().chain(["--bad-rows=blank", "--append"])), rows).is(1, appended, &stderr);
        run(&mut pmapgcd(way.into_iter().chain(["--bad-rows=skip"])), "12,18\n").is(0, "6\n", "");
    }
}

#[test]
fn ten_are_named_and_all_are_counted_and_kept() {
    // A report is longer than its row: blocks come back in parts.
    let rows = "12,18\n5,x\r\n".repeat(5000);
    let folder = Folder::with([("rows.csv", &rows)]);
    let mut stderr: String = (1..=10).map(|number| format!("pmapgcd: rows.csv:{}: {WHAT}\n", 2 * number)).collect();
    stderr += "pmapgcd: 5000 bad rows\n";
    let quoted = WHAT.replace('"', "\"\"");
    let reject = |number| format!("rows.csv,{},{},2,\"{quoted}\",\"5,x\"\n", 2 * number, 11 * number - 5);
    let rejects: String = (1..=5000).map(reject).collect();
    for way in ways(&["64", "4096", "128K"]) {
        let arguments = ["--bad-rows=skip", "--rejects=bad.csv", "rows.csv"];
        folder.run(way.into_iter().chain(arguments), "").is(1, "6\n".repeat(5000), &stderr);
        assert_eq!(folder.read("bad.csv"), format!("file,line,offset,field,reason,row\n{rejects}"));
        fs::remove_file(folder.path("bad.csv")).unwrap();
    }
}

#[test]
fn too_many_bad_rows_end_the_run_before_the_results_after_them() {
    let rows = "12,18\n5,x\n".repeat(1000);
    for way in ways(&["64", "128K"]) {
        for most in [0, 3, 500] {
            let most_is = most.to_string();
            let arguments = ["--bad-rows=skip", "--max-bad", &most_is];
            let finished = run(&mut pmapgcd(way.into_iter().chain(arguments)), &*rows);
            let named = |number| format!("pmapgcd: stdin:{}: {WHAT}\n", 2 * number);
            let last = named(most + 1).replace('\n', &format!("; the run ends here, at more than --max-bad {most}\n"));
            let stderr = (1..=10.min(most)).map(named).collect::<String>() + &last;
            finished.is(1, "6\n".repeat(most + 1), &stderr);
        }
        let arguments = ["--bad-rows=blank", "--max-bad=1000"];
        assert_eq!(run(&mut pmapgcd(way.into_iter().chain(arguments)), &*rows).stdout, b"6\n\n".repeat(1000));
    }
}

#[test]
fn rejects_are_kept_however_the_run_ends() {
    for executor in EXECUTORS {
        let folder = Folder::with([("a.csv", "12,18\n5,x\n")]);
        let kept = |place: &str| {
            format!("file,line,offset,field,reason,row\n{place},2,\"{}\",\"5,x\"\n", WHAT.replace('"', "\"\""))
        };
        folder.run([executor, "--rejects=bad", "a.csv"], "").is(1, "6\n", &format!("pmapgcd: a.csv:2: {WHAT}\n"));
        assert_eq!(folder.read("bad"), kept("a.csv,2,6"));
        let finished = folder.run([executor, "--bad-rows=skip", "--rejects=bad", "-", "none"], "\u{feff}\r\n5,x");
        finished.is(2, "", &format!("pmapgcd: stdin:2: {WHAT}\npmapgcd: none: No such file or directory\n"));
        assert_eq!(folder.read("bad"), kept("stdin,2,5"));
        // Nothing was found out: what is there stays.
        let finished = folder.run([executor, "--rejects=bad", "none"], "");
        finished.is(2, "", "pmapgcd: none: No such file or directory\n");
        assert_eq!(folder.read("bad"), kept("stdin,2,5"));
        folder.run([executor, "--rejects=bad", "-o=out", "--bad-rows=skip"], "1,2\n").is(0, "", "");
        assert_eq!((&*folder.read("bad"), &*folder.read("out")), ("file,line,offset,field,reason,row\n", "1\n"));
    }
}

#[test]
fn rejects_go_nowhere_else() {
    let folder = Folder::with([("a.csv", "12,18\n5,x\n")]);
    let both = "pmapgcd: a.csv is both input and output; write to another file\n";
    folder.run(["--rejects=a.csv", "a.csv"], "").is(2, "", both);
    let twice = "pmapgcd: out cannot be two outputs at once; write to another file\n";
    folder.run(["--rejects=out", "-o=out", "a.csv"], "").is(2, "", twice);
    folder.run(["--rejects=./out", "-o=out", "a.csv"], "").is(2, "", &twice.replace("out ", "./out "));
    let finished = folder.shell("echo 5,x | \"$0\" --rejects /dev/stdin --bad-rows skip");
    finished.is(2, "", "pmapgcd: stdin is both input and output; write to another file\n");
    folder.run(["--rejects=-", "a.csv"], "").is(2, "", &twice.replace("out ", "stdout "));
    let finished = folder.run(["--rejects=-", "-o=out", "--bad-rows=skip", "a.csv"], "");
    assert_eq!((finished.status.code(), finished.stdout.iter().filter(|&&byte| byte == b'\n').count()), (Some(1), 2));
    assert_eq!(folder.read("out"), "6\n");
    // What is in a log stays there.
    folder
        .shell("echo before > log; \"$0\" --rejects /dev/stderr --bad-rows skip a.csv 2>> log; true")
        .is(0, "6\n", "");
    assert!(folder.read("log").starts_with("before\npmapgcd: a.csv:2: "));
    assert!(folder.read("log").contains("a.csv,2,6,2,"));
    folder.run(["--rejects=no/where", "a.csv"], "").is(2, "", "pmapgcd: no/where: No such file or directory\n");
    let finished = folder.run(["--rejects=/dev/full", "--bad-rows=skip", "a.csv"], "");
    finished.is(2, "6\n", &format!("pmapgcd: a.csv:2: {WHAT}\npmapgcd: /dev/full: No space left on device\n"));
    assert_eq!(folder.read("a.csv"), "12,18\n5,x\n");
}

#[test]
fn results_go_to_their_file_though_rows_are_bad() {
    let folder = Folder::with([("a.csv", "12,18\n5,x\n7,14\n")]);
    folder.run(["-o=out", "--bad-rows=blank", "a.csv"], "").is(
        1,
        "",
        &format!("pmapgcd: a.csv:2: {WHAT}\npmapgcd: 1 bad row\n"),
    );
    assert_eq!(folder.read("out"), "6\n\n7\n");
}

#[test]
fn a_row_too_long_for_a_block_is_a_bad_row() {
    let long = format!("\"{}\n,\"\"\",7", "x".repeat(1000));
    let rows = format!("12,18\n{long}\n{long}\r\n5,10\n{long}");
    let line = |line| format!("pmapgcd: stdin:{line}: the row is longer than a block, ");
    for way in ways(&["64", "500"]) {
        for (how, stdout) in [("skip", "6\n5\n"), ("blank", "6\n\n\n5\n\n")] {
            let finished = run(&mut pmapgcd(way.into_iter().chain(["--bad-rows", how])), &*rows);
            for (message, place) in finished.stderr.lines().zip([2, 4, 7]) {
                assert!(message.starts_with(&line(place)), "{finished:?}");
            }
            finished.is(1, stdout, &finished.stderr);
            assert!(finished.stderr.ends_with("\npmapgcd: 3 bad rows\n"), "{finished:?}");
            assert_eq!(finished.stderr.matches("close the quote").count(), 3);
        }
    }
}

#[test]
fn a_quote_that_is_never_closed_is_named_by_its_line() {
    let rows = "12,18\n\"5\n\n5\",7\n5,\"10\n7,14\n8,12\n";
    let what = "field 2 begins with a quote that is never closed: \"\\\"10\\n7,14\\n8,12\\n\"; if quotes are part of values, say so with --quote none";
    let first = "pmapgcd: stdin:2: field 1 is not an integer: \"5\\n\\n5\"; decimal digits are expected, with or without a sign";
    for way in ways(&["64", "128K"]) {
        let finished = run(&mut pmapgcd(way.into_iter().chain(["--bad-rows=skip"])), rows);
        finished.is(1, "6\n", &format!("{first}\npmapgcd: stdin:5: {what}\npmapgcd: 2 bad rows\n"));
        let none = run(&mut pmapgcd(way.into_iter().chain(["--quote=none", "--bad-rows=skip"])), rows);
        assert_eq!(none.stdout, b"6\n7\n4\n");
    }
}

#[test]
fn a_limit_on_digits_can_be_set() {
    for executor in EXECUTORS {
        run(&mut pmapgcd([executor, "--max-digits=3"]), "-000999,27\n").is(0, "27\n", "");
        let what = "field 2 has 4 digits, more than the 3 that --max-digits allows: \"1000\"";
        run(&mut pmapgcd([executor, "--max-digits=3"]), "1,1\n1,1000\n").is(
            1,
            "1\n",
            &format!("pmapgcd: stdin:2: {what}\n"),
        );
    }
}

#[test]
fn comments_and_blank_lines_may_be_longer_than_a_block() {
    let long = |start: &str| format!("{start}{:>1000}\r\n", "");
    let rows = format!("12,18\n{}{}{}5,10\n", long("#\"c"), long(" "), long("#"));
    for way in ways(&["64", "128K"]) {
        for policy in ["stop", "blank"] {
            let finished = run(&mut pmapgcd(way.into_iter().chain(["--comment=#", "--bad-rows", policy])), &*rows);
            finished.is(0, "6\n5\n", "");
        }
        let header = format!("{}a,b\n12,18\n", long("#"));
        run(&mut pmapgcd(way.into_iter().chain(["--comment=#", "--header"])), header).is(0, "6\n", "");
    }
    // A blank line that is one byte longer than a block, so that its carriage return fills the block.
    let rows = format!("12,18\n{:>63}\r\n5,10\n", "");
    run(&mut pmapgcd(["--block-size=64"]), &*rows).is(0, "6\n5\n", "");
    // A carriage return that ends no line is no blank: such a row is bad, whatever its length.
    for line in [format!("\r{:>1000}\n", ""), format!("{:>1000}\r\r\n", "")] {
        for way in ways(&["64", "128K"]) {
            let finished =
                run(&mut pmapgcd(way.into_iter().chain(["--bad-rows=skip"])), format!("12,18\n{line}5,10\n"));
            finished.is(1, "6\n5\n", &finished.stderr);
            assert!(finished.stderr.ends_with("pmapgcd: 1 bad row\n"), "{finished:?}");
        }
    }
    // Blanks before a row make it too long.
    let finished = run(&mut pmapgcd(["--block-size=64"]), format!("12,18\n{:>1000}\n", "5,10"));
    assert!(finished.stderr.starts_with("pmapgcd: stdin:2: the row is longer than a block, 64 bytes"), "{finished:?}");
}

#[test]
fn of_any_number_of_bad_rows_those_that_are_said_are_told_with_what_is_wrong() {
    let text: String = (1..=20_000).map(|number| format!("12,x{number}\n")).collect();
    let what = |number| {
        format!("field 2 is not an integer: \"x{number}\"; decimal digits are expected, with or without a sign")
    };
    let said = |number| format!("pmapgcd: stdin:{number}: {}\n", what(number));
    let first: String = (1..=10).map(said).collect();
    let folder = Folder::with([]);
    for executor in EXECUTORS {
        // In blocks of a few rows the words end far before the rows do, too.
        for size in ["--block-size=128K", "--block-size=1000"] {
            let finished = run(&mut pmapgcd([executor, size, "--bad-rows=skip"]), &*text);
            finished.is(1, "", &format!("{first}pmapgcd: 20000 bad rows\n"));
            let finished = run(&mut pmapgcd([executor, size, "--bad-rows=skip", "--max-bad=3000"]), &*text);
            let last = format!("{}; the run ends here, at more than --max-bad 3000\n", said(3001).trim_end());
            finished.is(1, "", &format!("{first}{last}"));
        }
        let finished = folder.run([executor, "--bad-rows=skip", "--rejects=bad.csv"], &text);
        finished.is(1, "", &format!("{first}pmapgcd: 20000 bad rows\n"));
        let rejects = folder.read("bad.csv");
        let reason = what(20_000).replace('"', "\"\"");
        assert_eq!(rejects.lines().count(), 20_001);
        assert!(rejects.ends_with(&format!(",2,\"{reason}\",\"12,x20000\"\n")), "{:?}", rejects.lines().last());
    }
}
