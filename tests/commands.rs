//! Commands as what is mapped over rows: real programs with each way of running them, commands that misbehave, and commands that
//! are killed.

mod common;

use common::{Finished, PATIENCE, Running, eventually, pmapgcd, run};
use std::fs;
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

/// Each executor that commands run with, with few rows in a block and with many.
fn ways() -> impl Iterator<Item = [&'static str; 6]> {
    let executors = ["serial", "threads", "shared"].into_iter();
    executors
        .flat_map(|executor| ["4096", "128K"].map(|size| ["--executor", executor, "-j", "2", "--block-size", size]))
}

/// The filter with this command, with what tests of commands need of the environment.
fn filter<'a>(way: [&'a str; 6], arguments: &[&'a str], command: &'a str) -> Command {
    let mut filter = pmapgcd(way.iter().chain(arguments).chain(&["--command", command]));
    // Set, it has Python write line by line, and hides how it is as a rule.
    filter.env_remove("PYTHONUNBUFFERED");
    filter
}

/// Whether the machine has the program that the command begins with.
fn is_there(command: &str) -> bool {
    let program = command.split(' ').next().unwrap_or_default();
    let found = Command::new("sh").args(["-c", &format!("command -v {program} >/dev/null")]).status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        common::skipped(&format!("there is no {program}"));
    }
    is_there
}

fn numbers(count: usize) -> String {
    (1..=count).map(|number| format!("{number}\n")).collect()
}

/// What is on stderr without the line that a command is started once a block, and without those of deaths.
fn last_line(stderr: &str) -> &str {
    stderr.lines().last().unwrap_or_default()
}

#[test]
fn real_programs_answer_as_without_us_whether_they_flush_or_not() {
    let rows = numbers(5000);
    let doubled: String = (1..=5000).map(|number| format!("{}\n", 2 * number)).collect();
    for command in [
        "awk '{print $1 * 2}'",
        "awk '{print $1 * 2; fflush()}'",
        "mawk '{print $1 * 2}'",
        "mawk -W interactive '{print $1 * 2}'",
        "gawk '{print $1 * 2}'",
        "gawk '{print $1 * 2; fflush()}'",
        "perl -ne 'print $_ * 2, \"\\n\"'",
        "perl -pe '$| = 1; $_ = $_ * 2 . \"\\n\"'",
        "sed 's/$/ * 2/' | bc",
        "jq '. * 2'",
        "jq --unbuffered '. * 2'",
        "python3 -c 'import sys\nfor line in sys.stdin: print(int(line) * 2)'",
        "python3 -c 'import sys\nfor line in sys.stdin: print(int(line) * 2, flush=True)'",
        "xargs -n 1 sh -c 'echo $(($0 * 2))'",
        "tr a b | xargs -n 1000 printf '%s * 2\\n' | bc",
    ] {
        // One process for each row takes its time.
        let (rows, expected) = match command.starts_with("xargs") {
            true => (numbers(100), doubled.lines().take(100).map(|line| format!("{line}\n")).collect()),
            false => (rows.clone(), doubled.clone()),
        };
        if !is_there(command) {
            continue;
        }
        // Small blocks are tried with the programs that start fast.
        for way in ways().filter(|way| way[5] == "128K" || command.starts_with("mawk")) {
            let finished = run(&mut filter(way, &[], command), &*rows);
            assert_eq!(finished.status.code(), Some(0), "{command} {way:?}: {}", finished.stderr);
            assert!(finished.stdout == expected.as_bytes(), "{command} {way:?}");
        }
    }
}

#[test]
fn what_answers_at_its_end_is_told_how_to_answer_at_once() {
    let rows = numbers(100);
    let said = |command| run(&mut pmapgcd(["-j1", "--block-size=64", "-c", command]), &*rows);
    let late = said("sed 's/^/<&/'");
    let starts = late.stderr.starts_with("pmapgcd: the command answers only at the end of its input: ");
    assert!(starts && late.stderr.contains("sed -u") && late.stderr.lines().count() == 1, "{}", late.stderr);
    said("sed -u 's/^/<&/'").is(0, late.stdout, "");
}

#[test]
fn what_prints_lines_for_some_rows_only_is_told_of_blocks() {
    let rows = "lib\nbin\n";
    let said = run(&mut pmapgcd(["-j1", "-c", "grep lib"]), rows);
    let hint = "use --command-mode block --command-ok 0,1";
    assert!(said.status.code() == Some(3) && last_line(&said.stderr).contains(hint), "{}", said.stderr);
    run(&mut pmapgcd(["-j1", "-c", "grep lib", "--command-mode=block", "--command-ok=0,1"]), rows).is(0, "lib\n", "");
    let said = run(&mut pmapgcd(["-j1", "-c", "exit 9"]), rows);
    assert!(!said.stderr.contains("--command-ok"), "{}", said.stderr);
}

#[test]
fn rows_are_sent_as_they_stand_or_as_their_values() {
    let rows = "name,path\r\n\"a, b\",\"d/a,b.txt\"\r\n\"say \"\"x\"\"\",p\n";
    for way in ways() {
        let is = |arguments: &[&str], expected: &str| {
            run(&mut filter(way, arguments, "sed -u 's/.*/<&>/'"), rows).is(0, expected, "");
        };
        is(&[], "<name,path>\n<\"a, b\",\"d/a,b.txt\">\n<\"say \"\"x\"\"\",p>\n");
        is(&["-k", "path"], "<d/a,b.txt>\n<p>\n");
        is(&["-k", "name", "--header"], "<a, b>\n<say \"x\">\n");
        is(&["-k", "path,name"], "<\"d/a,b.txt\",\"a, b\">\n<p,\"say \"\"x\"\"\">\n");
        let csv = ["--command-input", "csv"];
        is(&[&csv[..], &["-k", "name"]].concat(), "<\"a, b\">\n<\"say \"\"x\"\"\">\n");
        let appended = run(&mut filter(way, &["-k", "path", "--append=mime"], "sed -u 's/.*/<&>/'"), rows);
        let expected = "name,path,mime\r\n\"a, b\",\"d/a,b.txt\",\"<d/a,b.txt>\"\r\n\"say \"\"x\"\"\",p,<p>\n";
        appended.is(0, expected, "");
    }
}

#[test]
fn json_takes_values_that_text_cannot() {
    let rows = "1,\"a\nb\"\n2,c\n";
    for way in ways() {
        let json = ["--command-input", "json"];
        run(&mut filter(way, &json, "jq -c --unbuffered '.[1]'"), rows).is(0, "\"a\\nb\"\n\"c\"\n", "");
        let named = format!("name,\"x \"\"y\"\"\"\n{rows}");
        let named = |arguments: &[&'static str], expected: &str| {
            run(&mut filter(way, &[&json, arguments].concat(), "cat"), &*named).is(0, expected, "");
        };
        named(&["--header"], "{\"name\":\"1\",\"x \\\"y\\\"\":\"a\\nb\"}\n{\"name\":\"2\",\"x \\\"y\\\"\":\"c\"}\n");
        named(&["-k", "2", "--header"], "{\"x \\\"y\\\"\":\"a\\nb\"}\n{\"x \\\"y\\\"\":\"c\"}\n");
        named(&["-k", "name"], "{\"name\":\"1\"}\n{\"name\":\"2\"}\n");
        let twice = run(&mut filter(way, &[&json[..], &["--header"]].concat(), "cat"), "\n\na,b,a\n1,2,3\n");
        twice.is(2, "", "pmapgcd: stdin:3: field 3 has the name of field 1 too, \"a\"; choose one with -k\n");
        let ragged = run(&mut filter(way, &[&json[..], &["--header"]].concat(), "cat"), "a,b\n1\n");
        let what = "1 field where 2 are expected: \"1\"; each is given the name that its column has in the header";
        ragged.is(1, "", &format!("pmapgcd: stdin:2: {what}\n"));
        let what = "pmapgcd: stdin:1: field 2 has a line end in it, and the command reads lines: \"a\\nb\"; use --command-input json\n";
        let skipped = run(&mut filter(way, &["--bad-rows=skip"], "cat"), rows);
        skipped.is(1, "2,c\n", &format!("{what}pmapgcd: 1 bad row\n"));
    }
}

#[test]
fn a_row_can_do_nothing_in_the_shell() {
    let rows = "$(touch hacked)\n`touch hacked`\n;touch hacked\n' touch hacked '\n";
    for way in ways() {
        run(&mut filter(way, &[], "cat"), rows).is(0, rows, "");
    }
    assert!(!fs::exists("hacked").unwrap());
}

/// Dies of one row, in the way that it names.
fn dies(of: &str, how: &str) -> String {
    format!("while read row; do test \"$row\" = {of} && {{ echo \"no $row\" >&2; {how}; }}; echo \"$row\"; done")
}

#[test]
fn the_row_that_a_command_dies_of_is_named_with_how_and_its_last_words() {
    for way in ways() {
        for (how, said) in [("exit 5", "exited with status 5"), ("kill -SEGV $$", "was killed by SIGSEGV")] {
            let finished = run(&mut filter(way, &[], &dies("301", how)), numbers(1000));
            assert_eq!((finished.status.code(), &*finished.stdout), (Some(3), numbers(300).as_bytes()), "{way:?}");
            let expected = format!(
                "pmapgcd: stdin:301: the command keeps dying on this row: the last one {said}: no 301; all results before it \
                 are written"
            );
            assert_eq!(last_line(&finished.stderr), expected);
        }
        let finished = run(&mut filter(way, &["--bad-rows=blank"], &dies("301", "exit 5")), numbers(1000));
        let expected = numbers(1000).replace("\n301\n", "\n\n");
        assert_eq!((finished.status.code(), &*finished.stdout), (Some(1), expected.as_bytes()), "{}", finished.stderr);
    }
}

#[test]
fn a_last_line_without_its_end_is_an_answer_only_of_a_command_that_succeeds() {
    for way in ways() {
        for (end, status, results) in [("exit 0", 0, "12\n"), ("exit 5", 3, ""), ("kill -KILL $$", 3, "")] {
            let cut_short = format!("read row; printf ${{row%??}}; {end}");
            let finished = run(&mut filter(way, &[], &cut_short), "1234\n");
            assert_eq!((finished.status.code(), &*finished.stdout), (Some(status), results.as_bytes()), "{finished:?}");
            let answers = format!("while read row; do printf \"$row\\n\"; done; printf x; {end}");
            let finished = run(&mut filter(way, &["--command-mode=block"], &answers), "1\n");
            let results = if status == 0 { "1\nx\n" } else { "" };
            assert_eq!((finished.status.code(), &*finished.stdout), (Some(status), results.as_bytes()), "{finished:?}");
        }
    }
}

#[test]
fn with_an_output_file_the_error_says_that_it_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    for way in ways() {
        let output = format!("--output={}", results.display());
        let finished = run(&mut filter(way, &[&output], &dies("301", "exit 5")), numbers(1000));
        let said = last_line(&finished.stderr);
        assert!(said.ends_with(&format!("; {} is not written", results.display())) && !results.exists(), "{said}");
    }
}

#[test]
fn a_row_over_which_a_command_is_always_killed_is_named_in_the_end() {
    for way in ways() {
        let kills = "exec perl -e '$| = 1; while (<>) { kill 9, $$ if $_ == 301; print }'";
        let finished = run(&mut filter(way, &["--bad-rows=skip"], kills), numbers(400));
        let expected = numbers(400).replace("\n301\n", "\n");
        assert_eq!((finished.status.code(), &*finished.stdout), (Some(1), expected.as_bytes()), "{}", finished.stderr);
        assert!(finished.stderr.contains("stdin:301: the command keeps dying on this row: "), "{}", finished.stderr);
    }
}

#[test]
fn an_empty_answer_is_an_empty_field() {
    for way in ways() {
        run(&mut filter(way, &["--append", "-k1"], "sed -u 's/.*//'"), "a,1\n").is(0, "a,1,\n", "");
        run(&mut filter(way, &["--append", "-k1", "-dblank"], "sed -u 's/.*//'"), "a 1\n").is(0, "a 1 NA\n", "");
    }
}

#[test]
fn a_command_that_dies_once_is_started_again_and_a_kill_blames_no_row() {
    let folder = tempfile::tempdir().unwrap();
    for (number, way) in ways().enumerate() {
        for how in ["exit 1", "kill -KILL $$", "kill -TERM 0"] {
            let mark = folder.path().join(format!("{number} {}", how.replace(' ', "")));
            let how = format!("mkdir '{}' 2>/dev/null && {how}", mark.display());
            let finished = run(&mut filter(way, &[], &dies("301", &how)), numbers(1000));
            assert!(finished.status.success() && finished.stdout == numbers(1000).as_bytes(), "{}", finished.stderr);
            assert!(finished.stderr.contains("it is started again"), "{}", finished.stderr);
        }
    }
}

#[test]
fn a_command_that_cannot_be_run_is_one_line_and_no_output() {
    for way in ways() {
        for (command, code) in [("no-such-command", 127), ("/etc/passwd", 126)] {
            let finished = run(&mut filter(way, &["--bad-rows=skip"], command), numbers(5000));
            assert_eq!((finished.status.code(), &*finished.stdout), (Some(2), &b""[..]), "{finished:?}");
            let is_one_line = finished.stderr.lines().count() == 1 && finished.stderr.contains(command);
            assert!(is_one_line && finished.stderr.contains(&format!("(status {code})")), "{finished:?}");
            for arguments in [["--header", "--append=x"], ["--header", "--command-mode=block"]] {
                let finished = run(&mut filter(way, &arguments, command), "n\n1\n");
                assert_eq!((finished.status.code(), &*finished.stdout), (Some(2), &b""[..]), "{finished:?}");
            }
        }
    }
}

#[test]
fn a_header_comes_with_the_first_results_or_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).to_str().unwrap().to_string()
    };
    let (empty, full, other) = (file("empty", "n\n"), file("full", "n\n1\n"), file("other", "m\n2\n"));
    for way in ways() {
        let mut running = Running::start(&mut filter(way, &["--header", "--append=x"], "sed -u s/^/x/"));
        running.send("n\n1\n");
        assert_eq!((running.line(), running.line()), ("n,x".to_string(), "1,x1".to_string()));
        running.finish().is(0, "", "");
        let arguments = ["--header", "--append=x", &empty, &full];
        run(&mut filter(way, &arguments, "sed -u s/^/x/"), "").is(0, "n,x\n1,x1\n", "");
        // Whatever else ends the run, the header is written.
        for (rows, status, arguments) in
            [("n\n", 0, &["--append=x"][..]), ("n\n\"\n", 1, &["--append=x"]), ("n\n1\n", 3, &["--command-mode=block"])]
        {
            let finished = run(&mut filter(way, &[&["--header"], arguments].concat(), "exit 9"), rows);
            let header = if status == 3 { "n\n" } else { "n,x\n" };
            assert_eq!((finished.status.code(), &*finished.stdout), (Some(status), header.as_bytes()), "{finished:?}");
        }
        let finished = run(&mut filter(way, &["--header", "--append=x", &empty, &other], "cat"), "");
        assert_eq!(finished.stdout, b"n,x\n", "{finished:?}");
    }
}

#[test]
fn more_or_fewer_lines_than_rows_end_the_run_with_both_counts_and_the_row() {
    for way in ways() {
        for (command, counts) in [
            ("sed -u '301{p;p}'", "2 or more lines for 1 row"),
            ("awk '$1 != 301'", "0 lines for 1 row"),
            ("awk '{print} $1 == 301 {print; print}'", "3 or more lines for 1 row"),
        ] {
            // sed counts lines and not rows: it comes to 301 in a process that has read so many.
            let is_named = command.starts_with("awk");
            let finished = run(&mut filter(way, &["--bad-rows=skip"], command), numbers(1000));
            assert_eq!(finished.status.code(), Some(3), "{command} {way:?}: {}", finished.stderr);
            let said = last_line(&finished.stderr);
            if is_named {
                let counts = counts.replace("3 or more", "2 or more");
                let counts = [counts, "3 or more lines for 1 row".into(), "3 lines for 1 row".into()];
                let is_said = counts.iter().any(|counts| said.contains(&format!("has answered {counts}")));
                assert!(is_said && said.contains("stdin:301: "), "{command}: {said}");
                assert_eq!(finished.stdout, numbers(300).as_bytes(), "{command}");
            } else {
                assert!(said.contains("or more lines for"), "{said}");
            }
        }
    }
}

#[test]
fn a_line_too_many_is_noticed_wherever_it_comes() {
    // Each of these flushes what it prints. The line too many comes with the last row, with the first, in the middle, and before
    // any row.
    for command in [
        "sed -u '$!b;p'",
        "while read row; do echo $row; test $row = 1 && echo; done; true",
        "while read row; do echo $row; test $row = 5 && echo; done; true",
        "echo ready; sed -u ''",
        "python3 -uc 'import sys\nfor row in sys.stdin.readlines(1): print(row, end=str())\nfor row in sys.stdin: print(row)'",
    ] {
        for way in ways() {
            let finished = run(&mut filter(way, &["--bad-rows=skip"], command), numbers(9));
            // A line that comes with the last row of all cannot be told from the end of the answer by all commands.
            let is_last = command.starts_with("sed");
            assert!(is_last || finished.status.code() == Some(3), "{command} {way:?}: {}", finished.stderr);
        }
    }
}

#[test]
fn nothing_hangs() {
    let start = Instant::now();
    for way in ways().filter(|way| way[5] == "128K") {
        for (what, command, status) in [
            ("writes before it reads", "yes", 3),
            ("reads nothing and ends", "true", 3),
            ("reads nothing and answers", "seq 1000", 3),
            ("closes its input", "exec <&-; sleep 1000", 3),
            ("closes its output", "exec >&-; sleep 1000", 3),
            ("closes its input in the middle", "read row; echo $row; exec <&-; sleep 1000", 0),
            ("goes on after the end of its input", "cat; sleep 1000", 0),
            ("leaves the pipe to a child", "sleep 1000 & cat", 0),
            ("leaves the pipe to a child and ends", "sleep 1000 & exit 4", 3),
            ("stops", "kill -STOP $$", 3),
            ("never ends a line", "tr '\\n' x", 3),
            ("writes to stderr without end", "yes >&2 & cat", 0),
            ("writes to stderr without end and ends", "yes >&2 & exit 4", 3),
            ("leaves its group", "exec setsid cat", 0),
            ("leaves its group and buffers", "exec timeout 1000 awk '{print}'", 0),
        ] {
            // Each try takes a second where the command has closed a pipe and lives on.
            let is_slow = command.starts_with("exec") || command.starts_with("read");
            let rows = numbers(if is_slow { 3 } else { 3000 });
            let finished = run(&mut filter(way, &[], command), &*rows);
            assert_eq!(finished.status.code(), Some(status), "{what} {way:?}: {}", finished.stderr);
            let is_all = status != 0 || finished.stdout == rows.as_bytes();
            assert!(is_all, "{what} {way:?}");
        }
    }
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn a_silent_command_does_not_hide_that_nobody_reads_the_output() {
    for way in ways().filter(|way| way[5] == "128K") {
        for is_open in [true, false] {
            let mut running = Running::start(&mut filter(way, &[], "read row; echo $row; sleep 1000"));
            running.send("1\n");
            assert_eq!(running.line(), "1");
            running.send("2\n3\n4\n");
            if !is_open {
                running.child.stdin = None;
            }
            running.child.stdout = None;
            let finished = running.end();
            let signal = std::os::unix::process::ExitStatusExt::signal(&finished.status);
            assert_eq!((signal, &*finished.stderr), (Some(13), ""), "{way:?}");
        }
    }
}

#[test]
fn a_line_too_few_of_a_command_that_answers_row_by_row_is_found_after_one_silence() {
    let rows = numbers(2000);
    for way in ways().filter(|way| way[5] == "128K") {
        let start = Instant::now();
        let finished = run(&mut filter(way, &[], "awk '/^1500$/ {next} {print; fflush()}'"), &*rows);
        assert_eq!(finished.status.code(), Some(3), "{way:?}: {}", finished.stderr);
        assert!(last_line(&finished.stderr).contains("stdin:1500: "), "{way:?}: {}", finished.stderr);
        assert!(start.elapsed() < Duration::from_secs(18), "{way:?}: {:?}", start.elapsed());
    }
}

#[test]
fn the_status_after_a_complete_answer_does_not_count() {
    for way in ways().filter(|way| way[5] == "128K") {
        for pause in ["0", "0.2"] {
            for status in [1, 3, 126, 127] {
                let command = format!("read row; echo $row; sleep {pause}; exit {status}");
                let finished = run(&mut filter(way, &[], &command), "1\n2\n3\n");
                assert_eq!(finished.status.code(), Some(0), "{way:?} {command}: {}", finished.stderr);
                assert_eq!(finished.stdout, b"1\n2\n3\n", "{way:?} {command}");
            }
        }
    }
}

#[test]
fn a_command_may_do_something_after_its_last_answer_although_nobody_reads_the_output_any_more() {
    for way in ways().filter(|way| way[5] == "128K") {
        let folder = tempfile::tempdir().unwrap();
        let saved = folder.path().join("saved");
        let command =
            format!("while read row; do echo $row; done; timeout 2.5 yes > /dev/null; echo done > {}", saved.display());
        let mut running = Running::start(&mut filter(way, &[], &command));
        running.send("1\n2\n3\n");
        running.child.stdin = None;
        assert_eq!([running.line(), running.line(), running.line()], ["1", "2", "3"]);
        running.child.stdout = None;
        let finished = running.end();
        assert_eq!((finished.status.code(), &*finished.stderr), (Some(0), ""), "{way:?}");
        assert!(saved.exists(), "{way:?}");
    }
}

#[test]
fn what_a_silent_command_leaves_undone_is_said() {
    for (command, said) in [
        (
            "sleep 7; cat",
            "pmapgcd: the command leaves rows unread, and does nothing; --block-timeout says how long it may\n",
        ),
        (
            "cat; sleep 1000",
            "pmapgcd: the command of worker 0 has answered all rows, and is killed because it does not end\n",
        ),
    ] {
        run(&mut pmapgcd(["-j1", "-c", command]), numbers(3)).is(0, numbers(3), said);
    }
}

#[test]
fn answers_may_be_far_longer_than_rows() {
    let long = "awk '{s = sprintf(\"%3000s\", $1); print s}'";
    let expected: String = (1..=500).map(|number| format!("{number:>3000}\n")).collect();
    for way in ways() {
        let finished = run(&mut filter(way, &[], long), numbers(500));
        assert!(finished.status.success() && finished.stdout == expected.as_bytes(), "{way:?}: {}", finished.stderr);
        let finished = run(&mut filter(way, &[], "awk '{printf \"%3000000s\\n\", $1}'"), "1\n2\n");
        let what = "pmapgcd: stdin:1: the output is longer than a block; use a larger --block-size";
        assert_eq!((finished.status.code(), last_line(&finished.stderr)), (Some(1), what));
    }
}

#[test]
fn one_that_waits_for_long_row_by_row_is_not_taken_for_one_that_buffers() {
    let slow = "while read row; do sleep 0.5; echo $row; done";
    for way in ways().filter(|way| way[5] == "128K") {
        run(&mut filter(way, &[], slow), numbers(3)).is(0, numbers(3), "");
    }
}

#[test]
fn in_lines_mode_the_end_of_its_input_comes_only_when_no_more_is_awaited() {
    let folder = tempfile::tempdir().unwrap();
    let lines = ["--command-mode", "lines"];
    let is_all = |finished: Finished, rows: String| {
        assert!(finished.status.success() && finished.stdout == rows.as_bytes(), "{}", finished.stderr);
        finished.stderr.matches("answers only at the end of its input: it is started once a block").count()
    };
    let has_end = &|way: [&'static str; 6]| {
        // The run ends, however many blocks and batches there are.
        is_all(run(&mut filter(way, &lines, "awk '{print $1}'"), numbers(2)), numbers(2));
        let hints = is_all(run(&mut filter(way, &lines, "awk '{print $1}'"), numbers(3000)), numbers(3000));
        assert!(hints == 1, "{way:?}");
        // One loop does not wait for input and for a command at the same time.
        if way[1] == "serial" {
            return;
        }
        let mark = folder.path().join(way[1]);
        let mut running =
            Running::start(&mut filter(way, &lines, &format!("awk '{{print $1}}'; mkdir '{}'", mark.display())));
        running.send("1\n");
        std::thread::sleep(Duration::from_secs(12));
        assert!(!mark.exists(), "{way:?}");
        is_all(running.finish(), numbers(1));
        assert!(mark.exists(), "{way:?}");
    };
    std::thread::scope(|scope| {
        for way in ways().filter(|way| way[5] == "128K") {
            scope.spawn(move || has_end(way));
        }
    });
}

/// Python that begins with this code, which reads rows, and then runs this one for each row.
fn python(read: &str) -> String {
    format!("python3 -c 'import os, queue, select, sys, threading, time\n{read}'")
}

/// Code of Python that reads all rows, calls `wait` before each read, and answers at the end of its input.
const ALL: &str = "text = b\"\"\nwhile piece := os.read(0, 65536):\n    text += piece\n    wait()\nos.write(1, text)";

#[test]
fn one_with_a_thread_that_waits_for_a_signal_is_known_for_one_that_buffers() {
    let way = ["--executor", "shared", "-j", "1", "--block-size", "64"];
    for waits in ["signal.sigwait([signal.SIGUSR1])", "signal.pause()"] {
        let thread =
            format!("import signal\nthreading.Thread(target=lambda: {waits}, daemon=True).start()\nwait = bool");
        let start = Instant::now();
        let finished = run(&mut filter(way, &[], &python(&format!("{thread}\n{ALL}"))), numbers(50));
        finished.is(0, numbers(50), &finished.stderr);
        assert!(start.elapsed() < Duration::from_secs(9), "{waits}: {:?}", start.elapsed());
    }
}

#[test]
fn one_that_waits_for_its_input_by_polling_is_known_for_one_that_buffers() {
    let pollers = [
        "p = select.poll(); p.register(0, select.POLLIN); wait = p.poll",
        "p = select.epoll(); p.register(0, select.EPOLLIN); wait = p.poll",
        "wait = lambda: select.select([0], [], [])",
    ];
    let way = ["--executor", "shared", "-j", "1", "--block-size", "64"];
    for poller in pollers {
        let finished = run(&mut filter(way, &[], &python(&format!("{poller}\n{ALL}"))), numbers(50));
        finished.is(0, numbers(50), &finished.stderr);
        assert!(finished.stderr.contains("answers only at the end of its input"), "{poller}: {}", finished.stderr);
    }
    // One thread waits for rows, another for the clock.
    let works = "rows = queue.Queue()\ndef work():\n    while True:\n        row = rows.get()\n        time.sleep(0.5)\n        \
                 print(row, end=\"\", flush=True)\n        rows.task_done()\n\
                 threading.Thread(target=work, daemon=True).start()\nfor row in sys.stdin: rows.put(row)\nrows.join()";
    run(&mut filter(way, &[], &python(works)), numbers(2)).is(0, numbers(2), "");
}

#[test]
fn an_answer_to_no_row_is_told_from_a_line_too_many() {
    for (command, is_early) in [("echo hi; cat", true), ("while read r; do echo $r; printf x; done", false)] {
        let finished = run(&mut pmapgcd(["-j1", "-c", command]), numbers(3));
        assert_eq!(finished.status.code(), Some(3), "{command}");
        let said = last_line(&finished.stderr);
        assert_eq!(said.contains("answered before it had read a row for each line: "), is_early, "{said}");
    }
}

#[test]
fn a_row_that_comes_alone_is_answered_at_once() {
    for way in ways() {
        let mut running = Running::start(&mut filter(way, &[], "sed -u s/^/x/"));
        for number in 0..3 {
            running.send(format!("{number}\n"));
            let start = Instant::now();
            assert_eq!(running.line(), format!("x{number}"));
            assert!(start.elapsed() < Duration::from_secs(20));
        }
        assert!(running.finish().status.success());
    }
}

/// The processes that have this in their command line, but for ours.
fn processes(mark: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let has_mark = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.contains(mark) && !line.contains("pmapgcd")
    };
    entries.filter(has_mark).collect()
}

#[test]
fn nobody_is_left_whoever_is_killed() {
    for (number, way) in ways().enumerate() {
        // A child and its child, which ignore what can be ignored.
        let mark = format!("{}.{number}", 7_000_000 + std::process::id());
        let command = format!("trap '' HUP TERM INT; (sleep {mark}; true) & sleep {mark}; true");
        let mut filter = filter(way, &[], &command);
        let mut child = filter.stdin(std::process::Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b"1\n").unwrap();
        eventually("the command runs", || processes(&mark).len() >= 4);
        child.kill().unwrap();
        child.wait().unwrap();
        eventually("nobody of its group is left", || processes(&mark).is_empty());
    }
}

#[test]
fn a_command_has_standard_streams_alone_its_number_and_a_group_of_its_own() {
    for way in ways() {
        let found = run(&mut filter(way, &[], "while read row; do ls /proc/self/fd | tr '\\n' ' '; echo; done"), "1\n");
        // The last is that of the folder which ls reads.
        found.is(0, "0 1 2 3 \n", "");
        let found = run(&mut filter(way, &[], "while read row; do echo $PMAPGCD_WORKER_NUMBER; done"), "1\n");
        assert!(found.stdout == b"0\n" || found.stdout == b"1\n", "{found:?}");
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (arguments, what) in [
        (&["--executor=pickle", "-c", "cat"][..], "--executor pickle is for functions of this program"),
        (&["-c", " "], "--command is empty"),
        (&["-c", "cat", "--algorithm=trial"], "cannot be used with"),
        (&["-c", "cat", "--base=16"], "cannot be used with"),
        (&["-c", "cat", "--max-digits=5"], "cannot be used with"),
        (&["--command-mode=lines"], "--command"),
        (&["-c", "shared"], "use --executor shared"),
        (&["-c", "cat", "--command-mode=block", "--append"], "does not count lines"),
        (&["-c", "cat", "--command-mode=block", "--bad-rows=blank"], "does not count lines"),
        (&["-c", "cat", "--command-ok=256"], "an exit status from 0 to 255 is expected"),
    ] {
        let finished = run(&mut pmapgcd(arguments), "");
        assert_eq!(finished.status.code(), Some(2), "{finished:?}");
        assert!(finished.stderr.contains(what), "{finished:?}");
    }
}

const BLOCK: [&str; 2] = ["--command-mode", "block"];

#[test]
fn in_block_mode_a_command_prints_any_number_of_lines_and_the_header_comes_once() {
    let rows: String = (1..=30_000).map(|number| format!("{number},{}\n", ["ham", "spam"][number % 2])).collect();
    let kept: String = rows.lines().filter(|row| !row.contains("spam")).map(|row| format!("{row}\n")).collect();
    for way in ways() {
        let block = |arguments: &[&'static str], command: &str, rows: &str| {
            run(&mut filter(way, &[&BLOCK, arguments].concat(), command), rows)
        };
        block(&[], "sed /spam/d", &rows).is(0, &kept, "");
        block(&[], "grep -v spam", &rows).is(0, &kept, "");
        block(&["--header"], "sed /spam/d", &format!("n,what\n{rows}")).is(0, format!("n,what\n{kept}"), "");
        block(&[], "grep -c . >/dev/null", &rows).is(0, "", "");
        block(&["--command-ok", "0,1"], "grep nothing", &rows).is(0, "", "");
        block(&["-k", "2"], "sort -u", "1,b\n2,a\n3,b\n").is(0, "a\nb\n", "");
        block(&["--bad-rows", "skip", "-k", "2"], "tac", "1,b\n2\n3,c\n").is(
            1,
            "c\nb\n",
            "pmapgcd: stdin:2: 1 field where 2 are needed: \"2\"\npmapgcd: 1 bad row\n",
        );
        block(&["-k", "2"], "tac", "1,b\n3,c\n2\n4,d\n").is(
            1,
            "c\nb\n",
            "pmapgcd: stdin:3: 1 field where 2 are needed: \"2\"\n",
        );
    }
}

#[test]
fn blocks_of_block_mode_depend_on_the_rows_alone() {
    let rows = numbers(5000);
    let mut blocks = vec![];
    let (mut block, mut expected) = (vec![], vec![]);
    for row in rows.split_inclusive('\n') {
        if block.iter().map(|row: &&str| row.len()).sum::<usize>() + row.len() > 4096 {
            blocks.push(std::mem::take(&mut block));
        }
        block.push(row);
    }
    blocks.push(block);
    blocks.iter_mut().for_each(|block| block.reverse());
    blocks.concat().iter().for_each(|row| expected.extend_from_slice(row.as_bytes()));
    for way in ways().filter(|way| way[5] == "4096") {
        let mut running = Running::start(&mut filter(way, &BLOCK, "tac"));
        let (first, second) = rows.split_at(2000);
        running.send(first);
        std::thread::sleep(Duration::from_millis(300));
        running.send(second);
        let finished = running.finish();
        assert!(finished.status.success() && finished.stdout == expected, "{way:?} {}", finished.stderr);
    }
}

#[test]
fn a_block_is_tried_twice_and_then_the_run_ends_with_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    for (number, way) in ways().enumerate() {
        let finished = run(&mut filter(way, &BLOCK, "cat; echo no more >&2; exit 7"), "1\n2\n3\n");
        let what = "exited with status 7: no more";
        let expected = format!(
            "no more\npmapgcd: the command of worker N {what}; its block is sent to another one\nno more\npmapgcd: stdin:1-3: the \
             command keeps failing on these rows: the last one {what}; all results before it are written\n"
        );
        let said = finished.stderr.replace("worker 0", "worker N").replace("worker 1", "worker N");
        assert_eq!((finished.status.code(), &*finished.stdout, &*said), (Some(3), &b""[..], &*expected), "{way:?}");
        for how in ["exit 7", "kill -KILL $$"] {
            let mark = folder.path().join(format!("{number} {}", how.replace(' ', "")));
            let command = format!("cat; mkdir '{}' 2>/dev/null && {how}; true", mark.display());
            let finished = run(&mut filter(way, &BLOCK, &command), numbers(3000));
            assert!(finished.status.success() && finished.stdout == numbers(3000).as_bytes(), "{}", finished.stderr);
        }
    }
}

#[test]
fn an_answer_may_be_longer_than_memory_is_wanted_for_it() {
    for way in ways().filter(|way| way[5] == "128K") {
        let mut running = Running::start(&mut filter(way, &BLOCK, "cat; yes 0123456789 | head -n 8000000; echo end"));
        running.send("a\n");
        let finished = running.finish();
        assert!(finished.status.success(), "{way:?} {}", finished.stderr);
        assert_eq!(finished.stdout.len(), 2 + 11 * 8_000_000 + 4);
        assert!(finished.stdout.starts_with(b"a\n0123456789\n") && finished.stdout.ends_with(b"\n0123456789\nend\n"));
    }
}

#[test]
fn a_worker_that_dies_amid_a_long_answer_does_not_have_it_printed_twice() {
    let way = ["--executor", "shared", "-j", "1", "--block-size", "128K"];
    let mut running = Running::start(&mut filter(way, &BLOCK, "cat; yes 0123456789 | head -n 2000000"));
    running.send("a\n");
    running.child.stdin = None;
    assert_eq!(running.line(), "a");
    // Nobody reads the output any further, so that the worker is in the middle of its answer.
    let worker = running.children()[0] as i32;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(worker), nix::sys::signal::Signal::SIGKILL).unwrap();
    let finished = running.finish();
    assert_eq!(finished.status.code(), Some(3), "{}", finished.stderr);
    let said = "stdin:1: a worker was killed by SIGKILL when a part of its results was written, and the rest is lost";
    assert!(finished.stderr.contains(said), "{}", finished.stderr);
    assert!(finished.stdout.len() < 11 * 2_000_000);
}

#[test]
fn costly_rows_are_shared_by_all_workers() {
    for way in [["--executor", "threads"], ["--executor", "shared"]] {
        let start = Instant::now();
        let mut filter =
            pmapgcd(way.into_iter().chain(["-j", "4", "-c", "while read row; do sleep 0.5; echo $row; done"]));
        run(&mut filter, numbers(12)).is(0, numbers(12), "");
        assert!(start.elapsed() < Duration::from_millis(5000), "{way:?} {:?}", start.elapsed());
        let times = ["1", "4"].map(|jobs| {
            let start = Instant::now();
            let arguments = ["-j", jobs, "-c", "while read row; do sleep 0.01; echo $row; done"];
            run(&mut pmapgcd(way.into_iter().chain(arguments)), numbers(200)).is(0, numbers(200), "");
            start.elapsed()
        });
        // However busy the machine is: the rows mostly wait.
        assert!(times[1] < times[0] * 3 / 4, "{way:?} {times:?}");
    }
}

#[test]
fn cheap_rows_are_sent_many_at_a_time() {
    for way in [["--executor", "threads"], ["--executor", "shared"]] {
        let mut filter = pmapgcd(way.into_iter().chain(["-j", "1", "--stats=json", "-c", "cat"]));
        let finished = run(&mut filter, numbers(100_000));
        let stats: serde_json::Value = serde_json::from_str(&finished.stderr).expect(&finished.stderr);
        assert_eq!(stats["workers"][0]["rows"], 100_000, "{way:?}: {stats}");
        // In blocks of one row each this would take a hundred times as long.
        assert!(stats["workers"][0]["blocks"].as_u64().unwrap() < 5000, "{way:?}: {stats}");
    }
}

#[test]
fn commands_that_are_killed_at_random_lose_and_double_nothing() {
    let expected: String = (1..=20_000).map(|number| format!("{number}x\n")).collect();
    for (number, way) in ways().filter(|way| way[5] == "4096").enumerate() {
        for (mode, command) in [("lines", "sed -u"), ("block", "sed")] {
            let mark = format!("{}{number}{mode}", std::process::id());
            let command = format!(": {mark}; {command} s/$/x/; test 1");
            let mut running = Running::start(&mut filter(way, &["--command-mode", mode], &command));
            running.feed(|stdin| stdin.write_all(numbers(20_000).as_bytes()));
            for _ in 0..20 {
                std::thread::sleep(Duration::from_millis(7));
                for pid in processes(&mark) {
                    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
                }
            }
            let finished = running.finish();
            assert!(finished.status.success(), "{way:?} {}", finished.stderr);
            assert!(finished.stdout == expected.as_bytes(), "{way:?} {}", finished.stderr);
        }
    }
}

#[test]
fn rows_of_other_formats_are_sent_in_their_own() {
    for way in ways() {
        run(&mut filter(way, &["-d", ";", "-k", "3,1"], "cat"), "1;2;3\r\n4;5;6\r\n").is(0, "3;1\n6;4\n", "");
        run(&mut filter(way, &["-d", "tab", "--append"], "cut -f2"), "1\t\"2\t3\n").is(0, "1\t\"2\t3\t\"2\n", "");
        run(&mut filter(way, &["--quote", "'", "-k", "1"], "cat"), "'a,b',c\n").is(0, "a,b\n", "");
        let csv = ["--command-input", "csv", "-d", ";"];
        run(&mut filter(way, &csv, "cat"), "a,b;\"c\"\"d\";e\n").is(0, "\"a,b\",\"c\"\"d\",e\n", "");
    }
}

#[test]
fn a_command_ignores_the_signals_that_we_were_started_with() {
    // SIGPIPE is number 13, and SIGHUP number 1.
    for (ignored, expected) in [("PIPE HUP", "1001"), ("HUP", "1"), ("PIPE", "1000")] {
        for executor in ["serial", "threads", "shared"] {
            let command = "while read row; do sed -n s/SigIgn:.//p /proc/self/status; done";
            let script = format!("trap '' {ignored}; echo 1 | \"$0\" --executor {executor} -c '{command}'");
            // Whatever is ignored here, as INT and QUIT are in what a shell runs in the background.
            let shell = ["--default-signal", "sh", "-c", &script, common::BINARY];
            let output = Command::new("env").args(shell).output().unwrap();
            let found = String::from_utf8(output.stdout).unwrap();
            // Only the first 31 are ours to pass on.
            let found = u64::from_str_radix(found.trim(), 16).unwrap() & 0x7fff_ffff;
            assert_eq!(format!("{found:x}"), expected, "{executor} {ignored}");
        }
    }
}

#[test]
fn a_command_sees_the_end_of_its_input_and_what_comes_then_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    for (number, way) in ways().enumerate() {
        let mark = folder.path().join(number.to_string());
        let rest = format!("sleep 0.3; mkdir '{}'", mark.display());
        run(&mut filter(way, &[], &format!("sed -u s/^/x/; {rest}")), "1\n").is(0, "x1\n", "");
        assert!(mark.is_dir(), "{way:?}");
        let finished = run(&mut filter(way, &[], "sed -u s/^/x/; exit 9"), "1\n");
        let said = "pmapgcd: the command of worker 0 has answered all rows, and then exited with status 9\n";
        finished.is(0, "x1\n", said);
        for surplus in ["echo total", "printf total; sleep 0.3"] {
            let finished = run(&mut filter(way, &[], &format!("sed -u s/^/x/; {surplus}")), "1\n");
            assert_eq!((finished.status.code(), &*finished.stdout), (Some(3), &b"x1\n"[..]), "{}", finished.stderr);
            assert!(finished.stderr.contains("has answered more lines than there are rows"), "{}", finished.stderr);
        }
    }
}

#[test]
fn a_brace_pair_and_a_command_that_never_answers_get_a_hint() {
    for way in ways() {
        let finished = run(&mut filter(way, &[], "cat {}"), "1\n");
        assert_eq!(finished.status.code(), Some(3));
        let said = last_line(&finished.stderr);
        assert!(said.contains("try it by hand") && said.contains("{} is not replaced"), "{said}");
    }
}

#[test]
fn threads_do_not_wait_for_a_command_when_the_run_has_failed() {
    // The first row is bad and ends the run, while the command works on the second for far longer than anybody waits.
    let start = Instant::now();
    let way = ["--executor", "threads", "-j", "2", "--block-size", "4096"];
    let finished = run(&mut filter(way, &["-k", "2"], "while read row; do sleep 1000; done"), "x\ny,1\nz,1\n");
    finished.is(1, "", "pmapgcd: stdin:1: 1 field where 2 are needed: \"x\"\n");
    assert!(start.elapsed() < Duration::from_secs(60));
}
