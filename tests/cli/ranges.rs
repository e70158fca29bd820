//! `--split` and `--range`: several runs compute one file.

use crate::common::Finished;
use crate::{EXECUTORS, Folder, ways};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

/// A row with a line end within quotes, a blank line and a comment.
const ROWS: &str = "#c\n12,18\n\n5,\"1\n0\"\r\n#\"\n7,14\nx,y\n9,6";

const EXPECTED: &str = "; decimal digits are expected, with or without a sign";

impl Folder {
    /// Computes one range of a file.
    fn range<'a>(&self, range: &'a str, first_line: &'a str, others: impl IntoIterator<Item = &'a str>) -> Finished {
        self.run(["--range", range, "--first-line", first_line].into_iter().chain(others), "")
    }
}

#[test]
fn a_file_is_cut_at_the_first_ends_of_rows_at_or_behind_equal_shares() {
    let folder = Folder::with([
        ("rows.csv", ROWS),
        ("none.csv", ""),
        ("blank.csv", "\n\n\n"),
        ("mark.csv", "\u{feff}"),
        ("return.csv", "\r\r\n1,2\n"),
    ]);
    let split = |count, others: &[&str]| folder.run([&["--split", count], others].concat(), "");
    let options = ["--comment=#", "rows.csv"];
    split("1", &options).is(0, "0,34,1\n", "");
    split("2", &options).is(0, "0,19,1\n19,15,6\n", "");
    // Due at 11 and at 22.
    split("3", &options).is(0, "0,19,1\n19,3,6\n22,12,7\n", "");
    for count in ["34", "1000000", "18446744073709551615"] {
        // The first range has all before the first row, and that.
        split(count, &options).is(0, "0,9,1\n9,1,3\n10,9,4\n19,3,6\n22,5,7\n27,4,8\n31,3,9\n", "");
    }
    split("3", &["none.csv"]).is(0, "", "");
    split("3", &["blank.csv"]).is(0, "0,3,1\n", "");
    split("9", &["return.csv"]).is(0, "0,3,1\n3,4,2\n", "");
    split("3", &["mark.csv"]).is(0, "0,3,1\n", "");
}

#[test]
fn quotes_and_comments_are_as_the_options_say() {
    let folder =
        Folder::with([("rows.csv", "1,'2\n3'\n\"4\n5\",6\n#'\n7,8\n"), ("open.csv", "1,2\n3,\"4\n5,6\n7,8\n")]);
    let split = |others: &[&str]| folder.run([&["--split", "100"], others].concat(), "");
    split(&["rows.csv"]).is(0, "0,5,1\n5,3,2\n8,8,3\n16,3,5\n19,4,6\n", "");
    split(&["--quote", "'", "--comment", "#", "rows.csv"]).is(0, "0,8,1\n8,3,3\n11,5,4\n16,3,5\n19,4,6\n", "");
    split(&["--quote", "none", "rows.csv"]).is(0, "0,5,1\n5,3,2\n8,3,3\n11,5,4\n16,3,5\n19,4,6\n", "");
    // The row with a quote that is never closed goes on to the end of the file.
    split(&["open.csv"]).is(0, "0,4,1\n4,13,2\n", "");
}

#[test]
fn a_row_of_any_length_is_passed_in_little_memory() {
    let folder = Folder::with([("rows.csv", "1,2\n3,\"")]);
    let file = File::options().write(true).open(folder.path("rows.csv")).unwrap();
    file.write_all_at(b"\n\"\n5,6\n", 1 << 28).unwrap();
    let run = folder.shell("ulimit -v 65536; exec \"$0\" --split 9 rows.csv");
    run.is(0, "0,268435459,1\n268435459,4,4\n", "");
}

#[test]
fn ranges_are_written_to_a_file_if_that_is_asked_for() {
    let folder = Folder::with([("rows.csv", "1,2\n3,4\n")]);
    folder.run(["--split", "2", "-o", "ranges", "rows.csv"], "").is(0, "", "");
    assert_eq!(folder.read("ranges"), "0,4,1\n4,4,2\n");
    let what = "pmapgcd: rows.csv is both input and output; write to another file\n";
    folder.run(["--split", "2", "-o", "rows.csv", "rows.csv"], "").is(2, "", what);
    assert_eq!(folder.read("rows.csv"), "1,2\n3,4\n");
}

#[test]
fn lines_and_offsets_are_those_of_the_whole_file() {
    let folder = Folder::with([("rows.csv", ROWS)]);
    let first = "field 2 is not an integer: \"1\\n0\"";
    let second = "field 1 is not an integer: \"x\"";
    for way in ways(&["64", "128K"]) {
        let with = |others: [&'static str; 4]| way.into_iter().chain(others);
        let stop = ["--comment=#", "--bad-rows=stop", "--quote=\"", "rows.csv"];
        let message = format!("pmapgcd: rows.csv:4: {first}{EXPECTED}\n");
        folder.range("0,19", "1", with(stop)).is(1, "6\n", &message);
        let message = format!("pmapgcd: rows.csv:8: {second}{EXPECTED}\n");
        folder.range("19,12", "6", with(stop)).is(1, "7\n", &message);
        folder.range("31,3", "9", with(stop)).is(0, "3\n", "");
        let skip = ["--comment=#", "--bad-rows=skip", "--rejects=bad.csv", "rows.csv"];
        let message = format!("pmapgcd: rows.csv:8: {second}{EXPECTED}\npmapgcd: 1 bad row\n");
        folder.range("19,15", "6", with(skip)).is(1, "7\n3\n", &message);
        let reason = format!("{second}{EXPECTED}").replace('"', "\"\"");
        assert_eq!(
            folder.read("bad.csv"),
            format!("file,line,offset,field,reason,row\nrows.csv,8,27,1,\"{reason}\",\"x,y\"\n")
        );
    }
}

#[test]
fn a_row_that_is_too_long_is_named_by_its_place_in_the_whole_file() {
    let row = format!("12,{}6\n", "0".repeat(100));
    let folder = Folder::with([("rows.csv", &*format!("1,2\n{row}3,4\n"))]);
    let what = "the row is longer than a block, 64 bytes; use a larger --block-size";
    let message = format!("pmapgcd: rows.csv:2: {what}\n");
    for executor in EXECUTORS {
        let options = [executor, "--block-size=64", "rows.csv"];
        folder.range("4,109", "2", options).is(1, "", &message);
        let options = options.into_iter().chain(["--bad-rows=blank", "--rejects=bad.csv"]);
        folder.range("4,109", "2", options).is(1, "\n1\n", &format!("{message}pmapgcd: 1 bad row\n"));
        assert!(folder.read("bad.csv").contains("\nrows.csv,2,4,,"), "{}", folder.read("bad.csv"));
    }
}

#[test]
fn the_header_is_read_from_the_front_of_the_file_and_printed_once() {
    let folder = Folder::with([("rows.csv", "\u{feff}\nx,b,a\r\n1,12,18\n2,5,10\n3,7,z\n")]);
    for way in ways(&["64", "128K"]) {
        let with = |others: [&'static str; 2]| way.into_iter().chain(others).chain(["rows.csv"]);
        folder.range("0,11", "1", with(["-ka,b", "--append"])).is(0, "\u{feff}x,b,a,gcd\r\n", "");
        folder.range("11,8", "3", with(["-ka,b", "--append"])).is(0, "1,12,18,6\n", "");
        folder.range("19,7", "4", with(["-ka,b", "--no-sandbox"])).is(0, "5\n", "");
        let message = format!("pmapgcd: rows.csv:5: field 3 is not an integer: \"z\"{EXPECTED}\n");
        folder.range("19,13", "4", with(["-k2,3", "--header"])).is(1, "5\n", &message);
        let message = "pmapgcd: rows.csv:2: there is no column \"c\": there are 3 columns, \"x\", \"b\", \"a\"\n";
        for (range, line) in [("0,19", "1"), ("19,13", "4")] {
            folder.range(range, line, with(["-ka,c", "--no-sandbox"])).is(2, "", message);
        }
        let message = "pmapgcd: rows.csv: the range does not begin behind the header; take ranges from --split\n";
        folder.range("4,15", "2", with(["-ka,b", "--no-sandbox"])).is(2, "", message);
    }
}

#[test]
fn nothing_before_a_range_is_read_but_the_header() {
    let folder = Folder::with([("rows.csv", "a,b\n")]);
    // To read that much would take minutes, and bring a row that is longer than a block.
    const FAR: u64 = 1 << 40;
    let file = File::options().write(true).open(folder.path("rows.csv")).unwrap();
    file.write_all_at(b"\n12,18\n5,x\n", FAR).unwrap();
    for executor in EXECUTORS {
        let (range, line) = (format!("{},10", FAR + 1), "300000000001");
        let options = [executor, "-ka,b", "--bad-rows=skip", "--rejects=bad.csv", "rows.csv"];
        let message = format!("field 2 is not an integer: \"x\"{EXPECTED}");
        let said = format!("pmapgcd: rows.csv:300000000002: {message}\npmapgcd: 1 bad row\n");
        folder.range(&range, line, options).is(1, "6\n", &said);
        let rejected = format!("\nrows.csv,300000000002,{},2,", FAR + 7);
        assert!(folder.read("bad.csv").contains(&rejected), "{}", folder.read("bad.csv"));
    }
}

#[test]
fn words_in_a_range_are_taken_for_a_header_only_at_the_start_of_the_file() {
    let folder = Folder::with([("rows.csv", "a,b\nc,d\n")]);
    let what = |line, name| format!("pmapgcd: rows.csv:{line}: field 1 is not an integer: \"{name}\"{EXPECTED}");
    let hint = "; if the first row is names, say so with --header";
    folder.range("0,4", "1", ["rows.csv"]).is(1, "", &format!("{}{hint}\n", what(1, "a")));
    folder.range("4,4", "2", ["rows.csv"]).is(1, "", &format!("{}\n", what(2, "c")));
}

#[test]
fn ranges_that_split_does_not_print_are_refused() {
    let folder = Folder::with([("rows.csv", "12,18\n5,10\n7,14")]);
    let refused = |range, line, what| {
        let message = format!("pmapgcd: rows.csv: {what}; take ranges from --split\n");
        for executor in EXECUTORS {
            folder.range(range, line, [executor, "rows.csv"]).is(2, "", &message);
        }
    };
    refused("1,5", "2", "byte 1 does not begin a line");
    refused("5,6", "2", "byte 5 does not begin a line");
    refused("6,4", "2", "the range does not end where a line does, at byte 10");
    refused("6,10", "2", "the range goes on to byte 16, and the file has 15");
    refused("15,1", "2", "the range goes on to byte 16, and the file has 15");
    refused(
        "18446744073709551615,18446744073709551615",
        "2",
        "the range goes on to byte 18446744073709551615, and the file has 15",
    );
    refused("6,5", "1", "byte 6 cannot be in line 1");
    refused("6,5", "8", "byte 6 cannot be in line 8");
    refused("0,6", "2", "byte 0 cannot be in line 2");
    folder.range("6,9", "2", ["rows.csv"]).is(0, "5\n7\n", "");
}

#[test]
fn only_one_regular_file_has_ranges() {
    let folder = Folder::with([("rows.csv", "12,18\n")]);
    folder.make_fifo("fifo");
    fs::create_dir(folder.path("folder")).unwrap();
    for (files, what) in [
        (&[][..], "takes exactly one FILE, by its name"),
        (&["-"], "takes exactly one FILE, by its name"),
        (&["rows.csv", "rows.csv"], "takes exactly one FILE, by its name"),
    ] {
        let split = folder.run([&["--split", "2"], files].concat(), "12,18\n");
        split.is(2, "", &format!("pmapgcd: --split {what}\n"));
        folder.range("0,6", "1", files.iter().copied()).is(2, "", &format!("pmapgcd: --range {what}\n"));
    }
    for (file, what) in [("none.csv", "No such file or directory"), ("folder", "Is a directory")] {
        let message = format!("pmapgcd: {file}: {what}\n");
        folder.run(["--split", "2", file], "").is(2, "", &message);
        folder.range("0,6", "1", [file]).is(2, "", &message);
    }
    for file in ["fifo", "/dev/null"] {
        let message = format!("pmapgcd: {file}: only a regular file has ranges\n");
        folder.run(["--split", "2", file], "").is(2, "", &message);
        folder.range("0,6", "1", [file]).is(2, "", &message);
    }
}

#[test]
fn a_range_goes_with_its_line_and_not_with_what_reads_all() {
    let folder = Folder::with([("rows.csv", "12,18\n")]);
    for (arguments, what) in [
        ("--range 0,6", "--first-line <N>"),
        ("--first-line 1", "--range <OFFSET,LENGTH>"),
        ("--range 0,6 --first-line 1 --compare", "'--compare'"),
        ("--range 0,6 --first-line 1 --split 2", "'--split <N>'"),
        ("--split 2 --compare", "'--compare'"),
        ("--split 0", "'0' for '--split <N>'"),
        ("--split x", "'x' for '--split <N>'"),
        ("--range 0,0 --first-line 1", "two numbers of bytes as --split prints them are expected"),
        ("--range 6 --first-line 1", "two numbers of bytes as --split prints them are expected"),
        ("--range 0,6,1 --first-line 1", "two numbers of bytes as --split prints them are expected"),
    ] {
        let finished = folder.run(arguments.split(' ').chain(["rows.csv"]), "");
        assert_eq!((finished.status.code(), &*finished.stdout), (Some(2), &b""[..]), "{arguments}: {finished:?}");
        assert!(finished.stderr.starts_with("error: ") && finished.stderr.contains(what), "{finished:?}");
    }
}
