//! `--append`: each row must have as many fields as the header or the first row, so that results stand under their
//! name.

use crate::common::{pmapgcd, run};
use crate::{EXECUTORS, Folder, ways};

const HEADER: &str = "id,a,b,note\r\n";
const ROWS: &str = "1,12,18,x\n2,5,10\n3,7,14,y,z\n4,9,\"6\",\n";
const APPENDED: &str = "1,12,18,x,6\n4,9,\"6\",,3\n";

/// What is said of a row of another length.
fn said(file: &str, line: usize, row: &str, count: usize, expected: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    let what = format!("{count} field{plural} where {expected} are expected: {row:?}");
    format!("pmapgcd: {file}:{line}: {what}; with --append all rows have as many as the header or the first row\n")
}

fn both(file: &str, line: usize) -> String {
    said(file, line, "2,5,10", 3, 4) + &said(file, line + 1, "3,7,14,y,z", 5, 4)
}

/// What is said of a row that has so many fields and lacks the third.
fn lacking(file: &str, line: usize, row: &str, fields: &str) -> String {
    format!("pmapgcd: {file}:{line}: {fields} where 3 are needed: \"{row}\"\n")
}

#[test]
fn a_row_of_another_length_than_the_header_is_bad() {
    for way in ways(&["64", "128K"]).chain([["--executor", "pickle", "--chunk-size", "2"]]) {
        let text = format!("{HEADER}{ROWS}");
        let options = ["-ka,b", "--append"];
        let stop = run(pmapgcd(way).args(options), &*text);
        stop.is(1, "id,a,b,note,gcd\r\n1,12,18,x,6\n", &said("stdin", 3, "2,5,10", 3, 4));
        let skip = run(pmapgcd(way).args(options).arg("--bad-rows=skip"), &*text);
        let stderr = both("stdin", 3) + "pmapgcd: 2 bad rows\n";
        skip.is(1, format!("id,a,b,note,gcd\r\n{APPENDED}"), &stderr);
        let blank = run(pmapgcd(way).args(options).arg("--bad-rows=blank"), &*text);
        let rows = "1,12,18,x,6\n2,5,10,\n3,7,14,y,z,\n4,9,\"6\",,3\n";
        blank.is(1, format!("id,a,b,note,gcd\r\n{rows}"), &stderr);
        // Without it rows may be of any length that has the columns.
        run(pmapgcd(way).arg("-ka,b"), &*text).is(0, "6\n5\n7\n3\n", "");
    }
}

#[test]
fn a_row_of_another_length_than_the_first_is_bad_where_there_is_no_header() {
    for way in ways(&["64", "128K"]).chain([["--executor", "pickle", "--chunk-size", "2"]]) {
        let options = ["-k2,3", "--append", "--bad-rows=skip"];
        let stderr = both("stdin", 2) + "pmapgcd: 2 bad rows\n";
        run(pmapgcd(way).args(options), ROWS).is(1, APPENDED, &stderr);
        // What is bad whatever its fields hold sets no length; what only has no number does.
        let text = format!("\n \nof 2020\n\"x\r\"\r,1,2,3,4,5,6\n{ROWS}");
        let finished = run(pmapgcd(way).args(options), &*text);
        assert!(finished.stderr.contains(&lacking("stdin", 3, "of 2020", "1 field")), "{finished:?}");
        assert!(finished.stderr.ends_with(&(both("stdin", 6) + "pmapgcd: 4 bad rows\n")), "{finished:?}");
        assert_eq!(String::from_utf8(finished.stdout).unwrap(), APPENDED);
        let finished = run(pmapgcd(way).args(options), &*format!("id,a,b,note\n{ROWS}"));
        assert_eq!(String::from_utf8(finished.stdout).unwrap(), APPENDED);
        run(pmapgcd(way).arg("-k2,3"), ROWS).is(0, "6\n5\n7\n3\n", "");
    }
}

#[test]
fn a_first_row_far_down_or_behind_a_long_one_counts() {
    for way in ways(&["64", "128K"]) {
        let text = format!("{}{}\n{ROWS}", "x,1\n".repeat(100), " ".repeat(1000) + "7,1,2,3,4,5");
        let finished = run(pmapgcd(way).args(["-k2,3", "--append", "--bad-rows=skip"]), &*text);
        let first = if way[3] == "64" { APPENDED.to_string() } else { format!("{}7,1,2,3,4,5,1\n", " ".repeat(1000)) };
        assert_eq!(String::from_utf8(finished.stdout).unwrap(), first, "{way:?}");
    }
}

#[test]
fn all_files_go_by_the_first_row_of_the_first() {
    let more = format!("{HEADER}5,10,15,\n6,8\n");
    let folder =
        Folder::with([("a.csv", ROWS), ("b.csv", "5,10,15,\n6,8\n"), ("c.csv", "1,2,3\n"), ("none.csv", "\n")]);
    let headed = Folder::with([("a.csv", &*format!("{HEADER}{ROWS}")), ("b.csv", &more)]);
    for way in ways(&["64", "128K"]).chain([["--executor", "pickle", "--chunk-size", "2"]]) {
        let options = ["--append", "--bad-rows=skip", "-k2,3"];
        let with = |files: &[&'static str]| way.into_iter().chain(options).chain(files.to_vec()).collect::<Vec<_>>();
        let stderr = both("a.csv", 2) + &lacking("b.csv", 2, "6,8", "2 fields");
        let finished = folder.run(with(&["none.csv", "a.csv", "b.csv"]), "");
        finished.is(1, format!("{APPENDED}5,10,15,,5\n"), &(stderr + "pmapgcd: 3 bad rows\n"));
        let finished = folder.run(with(&["a.csv", "c.csv"]), "");
        let stderr = both("a.csv", 2) + &said("c.csv", 1, "1,2,3", 3, 4);
        finished.is(1, APPENDED, &(stderr + "pmapgcd: 3 bad rows\n"));
        let finished = headed.run(with(&["--header", "a.csv", "b.csv"]), "");
        let stderr = both("a.csv", 3) + &lacking("b.csv", 3, "6,8", "2 fields");
        finished.is(1, format!("id,a,b,note,gcd\r\n{APPENDED}5,10,15,,5\n"), &(stderr + "pmapgcd: 3 bad rows\n"));
    }
}

#[test]
fn ranges_go_by_the_front_of_the_file() {
    let before = format!("title\n{}", " ".repeat(300) + "\n");
    let folder = Folder::with([("rows.csv", &*format!("{before}{ROWS}")), ("headed.csv", &*format!("{HEADER}{ROWS}"))]);
    for executor in EXECUTORS {
        for size in ["--block-size=64", "--block-size=128K"] {
            for (file, option, printed) in [("rows.csv", "-k2,3", ""), ("headed.csv", "-ka,b", "id,a,b,note,gcd\r\n")] {
                let options = [executor, size, option, "--append", "--bad-rows=skip", file];
                let split = folder.run(options.into_iter().chain(["--split=100"]), "");
                let mut stdout = String::new();
                for range in String::from_utf8(split.stdout).unwrap().lines() {
                    let (range, line) = range.rsplit_once(',').unwrap();
                    let part = folder.run(options.into_iter().chain(["--range", range, "--first-line", line]), "");
                    stdout += &String::from_utf8(part.stdout).unwrap();
                }
                assert_eq!(stdout, format!("{printed}{APPENDED}"), "{options:?}");
            }
        }
    }
}

#[test]
fn where_all_columns_count_a_row_has_what_the_kernel_takes() {
    for executor in EXECUTORS {
        let options = [executor, "--append", "--bad-rows=skip"];
        let what = "3 fields where 2 are expected: \"1,2,3\"; say which of them count, as in -k 1,2\n";
        let finished = run(&mut pmapgcd(options), "1,2,3\n12,18\n");
        finished.is(1, "12,18,6\n", &format!("pmapgcd: stdin:1: {what}pmapgcd: 1 bad row\n"));
        let finished = run(pmapgcd(options).arg("--header"), "a,b,c\n12,18\n");
        finished.is(1, "a,b,c,gcd\n", &(said("stdin", 2, "12,18", 2, 3) + "pmapgcd: 1 bad row\n"));
        // As many as the header has are too many as well.
        let finished = run(pmapgcd(options).arg("--header"), "a,b,c\n1,2,3\n");
        finished.is(1, "a,b,c,gcd\n", &format!("pmapgcd: stdin:2: {what}pmapgcd: 1 bad row\n"));
    }
}
