//! Files as other programs write them: texts for no value, numbers with thousands or as floats, columns that are aligned with
//! blanks, and lines in front of the rows.

use crate::common::{pmapgcd, run};
use crate::{EXECUTORS, Folder, ways};

/// Checks a run of these options in all ways: with small blocks and large ones, and by all executors.
#[track_caller]
pub fn reads(options: &[&str], stdin: &str, status: i32, stdout: &str, stderr: &str) {
    for way in ways(&["64", "128K"])
        .chain([["--executor", "pickle", "--chunk-size", "2"], ["--executor", "threads", "-j", "2"]])
    {
        run(pmapgcd(way).args(options), stdin).is(status, stdout, stderr);
    }
}

#[test]
fn a_row_that_lacks_a_value_has_an_empty_result_and_is_not_bad() {
    let rows = "12,18\nNA,3\n20,30\n7, NA \n\"NA\",1\n,5\n9,6\n";
    reads(&["--na", "NA", "--na", ""], rows, 0, "6\n\n10\n\n\n\n3\n", "");
    let appended = "12,18,6\nNA,3,\n20,30,10\n7, NA ,\n\"NA\",1,\n,5,\n9,6,3\n";
    reads(&["--na=NA", "--na=", "--append"], rows, 0, appended, "");
    // Without one of them its rows are bad, and nothing else changes.
    let said = "pmapgcd: stdin:6: field 1 is empty; an integer is expected; if that stands for no value, say so with --na ''\n";
    reads(&["--na=NA"], rows, 1, "6\n\n10\n\n\n", said);
    reads(&["--na=NA", "--bad-rows=skip"], rows, 1, "6\n\n10\n\n\n3\n", &format!("{said}pmapgcd: 1 bad row\n"));
    reads(&["--na=NA", "--bad-rows=blank"], rows, 1, "6\n\n10\n\n\n\n3\n", &format!("{said}pmapgcd: 1 bad row\n"));
    let said =
        "pmapgcd: stdin:2: field 1 is not an integer: \"NA\"; if that stands for no value, say so with --na 'NA'\n";
    reads(&[], rows, 1, "6\n", said);
}

#[test]
fn only_the_columns_that_are_read_can_lack_a_value() {
    let rows = "id,a,b\r\nNA,12,18\r\n2,NA,5\r\n\\N,4,6";
    reads(
        &["-ka,b", "--na=NA", "--na=\\N", "--append"],
        rows,
        0,
        "id,a,b,gcd\r\nNA,12,18,6\r\n2,NA,5,\r\n\\N,4,6,2\n",
        "",
    );
    // A row of another length stays bad.
    let said = "pmapgcd: stdin:2: 3 fields where 2 are expected: \"NA,1,2\"; say which of them count, as in -k 1,2\n";
    reads(&["--na=NA"], "1,2\nNA,1,2\n", 1, "1\n", said);
}

#[test]
fn a_text_for_no_value_may_look_like_a_number() {
    let rows = format!("{}999,5\n12,18\n5,-99\n0999,9\n", "12,18\n".repeat(600));
    let results = format!("{}\n6\n\n9\n", "6\n".repeat(600));
    reads(&["--na=999", "--na=-99"], &rows, 0, &results, "");
    reads(&["--na=-99", "--na", " 999 ", "--na="], &rows, 0, &results, "");
}

#[test]
fn rows_that_lack_a_value_are_rows_in_the_statistics() {
    let rows = "12,18\nNA,1\n".repeat(5000);
    for executor in EXECUTORS {
        let finished = run(&mut pmapgcd([executor, "--na=NA", "--stats=json", "-j2"]), &*rows);
        assert!(finished.stderr.contains("\"rows\":10000,\"bad_rows\":0,"), "{finished:?}");
        assert_eq!(finished.stdout, "6\n\n".repeat(5000).into_bytes());
    }
}

#[test]
fn whole_numbers_may_be_written_as_floats() {
    let rows = "1920.0,1080.0\n1e+05,2.5E4\n-12.,18\n1.8446744073709551616e19,4294967296\n0.0,7\n";
    reads(&["--whole-floats"], rows, 0, "120\n25000\n6\n4294967296\n7\n", "");
    let said = "pmapgcd: stdin:1: field 2 is not a whole number: \"12.5\"\n";
    reads(&["--whole-floats"], "1,12.5\n", 1, "", said);
    let said =
        "pmapgcd: stdin:1: field 1 has 100001 digits, more than the 100000 that --max-digits allows: \"1e100000\"\n";
    reads(&["--whole-floats"], "1e100000,1\n", 1, "", said);
    for nothing in ["nan", "inf", "1e", "1e5.0", ".", "1,5"] {
        let finished = run(&mut pmapgcd(["--whole-floats", "-d;"]), format!("{nothing};1\n"));
        assert!(
            finished.status.code() == Some(1) && finished.stderr.contains("field 1 is not an integer"),
            "{finished:?}"
        );
    }
    let said = "pmapgcd: stdin:1: field 1 is not an integer: \"1920.0\"; whole numbers that are written as floats are read with --whole-floats\n";
    reads(&[], rows, 1, "", said);
}

#[test]
fn thousands_may_be_marked() {
    let german = ["-d;", "--decimal=,", "--thousands=.", "--whole-floats"];
    reads(&german, "1.234.567;2,0\n-1.000;5e2\n1234;2\n", 0, "1\n500\n2\n", "");
    reads(&["--thousands=,"], "\"1,234\",2\n\"-1,000,000\",15\n", 0, "2\n5\n", "");
    reads(&["-d;", "--thousands", "\u{202f}"], "1\u{202f}234;2\n", 0, "2\n", "");
    let said =
        "pmapgcd: stdin:2: field 1 is not an integer: \"1,23\"; decimal digits are expected, with or without a sign\n";
    reads(&["--thousands=,"], "1,2\n\"1,23\",2\n", 1, "1\n", said);
    let said = "pmapgcd: stdin:1: field 1 is not an integer: \"1,234\"; if ',' stands between thousands, say so with --thousands ','\n";
    reads(&[], "\"1,234\",2\n", 1, "", said);
}

#[test]
fn any_number_of_blanks_may_stand_between_fields() {
    let rows = "  12   18\n\n\t7\t14  \r\n \t \n1 2";
    reads(&["-dblank"], rows, 0, "6\n7\n1\n", "");
    reads(&["-dblank", "--append"], rows, 0, "  12   18 6\n\t7\t14   7\r\n1 2 1\n", "");
    reads(
        &["-dblank", "-kb,a", "--append", "--na=NA"],
        "  a  b\n 12 18\nNA 4\n",
        0,
        "  a  b gcd\n 12 18 6\nNA 4 NA\n",
        "",
    );
    reads(&["-dblank", "--comment=#", "--header"], "#1 2\na b\n3 6\n", 0, "3\n", "");
    let said = "pmapgcd: stdin:2: 3 fields where 2 are expected: \"1 2  3\"; say which of them count, as in -k 1,2\n";
    reads(&["-dblank"], "1 2\n1 2  3\n", 1, "1\n", said);
    // A quote is part of its value, and ends no row.
    reads(&["-dblank", "-k2,3"], "\"a 12 18\nb\" 4 6\n", 0, "6\n2\n", "");
    let rows = "      12      18\n".repeat(3000);
    reads(&["-dblank"], &rows, 0, &"6\n".repeat(3000), "");
    let finished = run(&mut pmapgcd(["-dblank"]), "1\r2 3\n");
    assert!(
        finished.stderr.starts_with("pmapgcd: stdin:1: field 1 has a carriage return outside quotes"),
        "{finished:?}"
    );
}

#[test]
fn lines_in_front_of_the_rows_are_passed_over() {
    let rows = "\u{feff}sep=;\n\"not closed\na;b\n12;18\n5;x\n";
    let said =
        "pmapgcd: stdin:5: field 2 is not an integer: \"x\"; decimal digits are expected, with or without a sign\n";
    reads(&["--skip-lines=2", "-d;", "-ka,b"], rows, 1, "6\n", said);
    reads(&["--skip-lines=2", "-d;", "-ka,b", "--append"], rows, 1, "\u{feff}a;b;gcd\n12;18;6\n", said);
    reads(&["--skip-lines=3"], "1,2\n\n3,6", 0, "", "");
    let said = "pmapgcd: stdin:4: there is no column \"q\"";
    for skipped in ["1", "2", "3"] {
        let finished = run(&mut pmapgcd(["--header", "-kq,b", "--skip-lines", skipped]), "x\n\n\na,b\n1,2\n");
        assert!(finished.status.code() == Some(2) && finished.stderr.starts_with(said), "{}", finished.stderr);
    }
    reads(&["--skip-lines=2"], "1,2\n\n3,6", 0, "3\n", "");
    // A line that is longer than a block, too, and in each file.
    let long = format!("{}\n4,6\n", "x".repeat(300_000));
    reads(&["--skip-lines=1"], &long, 0, "2\n", "");
    let folder = Folder::with([("a.csv", "x\n12,18\n"), ("b.csv", "y\n4,6\nz,1\n")]);
    let said =
        "pmapgcd: b.csv:3: field 1 is not an integer: \"z\"; decimal digits are expected, with or without a sign\n";
    folder.run(["--skip-lines=1", "a.csv", "b.csv"], "").is(1, "6\n2\n", said);
}

#[test]
fn ranges_are_of_the_rows_behind_the_lines_that_are_passed_over() {
    let text = format!("\"first\nsecond\na,b\n{}", "12,18\n5,10\n".repeat(100));
    let folder = Folder::with([("a.csv", &text)]);
    for count in ["1", "2", "7"] {
        let ranges = folder.run(["--skip-lines=2", "--header", "--split", count, "a.csv"], "");
        let ranges = String::from_utf8(ranges.stdout).unwrap();
        assert_eq!(ranges.lines().count().to_string(), count, "{ranges}");
        let mut results = String::new();
        for range in ranges.lines() {
            let (range, line) = range.rsplit_once(',').unwrap();
            let part = folder.run(["--skip-lines=2", "-ka,b", "--range", range, "--first-line", line, "a.csv"], "");
            assert_eq!((part.status.code(), &*part.stderr), (Some(0), ""));
            results += str::from_utf8(&part.stdout).unwrap();
        }
        assert_eq!(results, "6\n5\n".repeat(100));
    }
}

#[test]
fn lines_come_in_pieces() {
    use crate::common::Running;
    for executor in EXECUTORS {
        let mut running = Running::start(&mut pmapgcd([executor, "--skip-lines=2"]));
        for byte in "\u{feff}a\n\n12,18\n".bytes() {
            running.send([byte]);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        running.finish().is(0, "6\n", "");
    }
}

#[test]
fn characters_that_contradict_each_other_are_refused() {
    let both = "pmapgcd: --decimal and --thousands have to differ, and --decimal is '.' where it is not given\n";
    run(&mut pmapgcd(["--thousands=."]), "").is(2, "", both);
    run(&mut pmapgcd(["--thousands=,", "--decimal=,"]), "").is(2, "", both);
    let quotes = "pmapgcd: with -d blank there are no quotes; where one blank stands between fields, -d ' ' has them\n";
    run(&mut pmapgcd(["-dblank", "--quote=\""]), "").is(2, "", quotes);
    run(&mut pmapgcd(["-dblank", "--quote=none"]), "12  18\n").is(0, "6\n", "");
    for option in ["--decimal=5", "--thousands=", "--decimal=ab", "--thousands=e", "--decimal=-"] {
        let finished = run(&mut pmapgcd([option]), "");
        assert!(
            finished.status.code() == Some(2) && finished.stderr.contains("one character is expected"),
            "{finished:?}"
        );
    }
}
