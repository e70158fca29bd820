//! Kernels of one's own, as filters, under every executor: a program of its own, since its workers are this program again.

#[path = "../common/mod.rs"]
mod common;
mod kernels;

use common::{Finished, run};
use std::process::{Command, ExitCode};

const EXECUTORS: [&str; 4] = ["serial", "threads", "pickle", "shared"];

/// The variable that says which filter this program is.
const OWN: &str = "OWN";

fn own(kernel: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(OWN, kernel).args(arguments);
    command
}

/// Runs a filter under each executor, which must all give the same. Returns that.
#[track_caller]
fn all(kernel: &str, arguments: &[&str], rows: &str) -> Finished {
    let each = EXECUTORS.map(|executor| {
        let more = ["-j2", "--executor", executor];
        run(&mut own(kernel, &[&more[..], arguments].concat()), rows)
    });
    for other in &each[1..] {
        let (first, found) = (String::from_utf8_lossy(&each[0].stdout), String::from_utf8_lossy(&other.stdout));
        assert_eq!(first, found, "{}", other.command);
        assert_eq!((each[0].status, &each[0].stderr), (other.status, &other.stderr), "{}", other.command);
    }
    let [first, ..] = each;
    first
}

/// What a filter says, behind its name.
fn said(what: &str) -> String {
    let program = std::env::current_exe().unwrap();
    let program = program.file_name().unwrap().to_string_lossy().into_owned();
    what.lines().map(|line| format!("{program}: {line}\n")).collect()
}

fn columns_are_found_by_their_names() {
    let of = |header: &str, row: &str| format!("{header}\n{row}\n");
    for (header, row) in [
        ("lat1,lng1,lat2,lng2", "1,2,3,4"),
        ("lon1,lat1,lon2,lat2", "2,1,4,3"),
        ("id,lat2,x,lng2,lat1,lon1", "7,3,8,4,1,2"),
    ] {
        all("journey", &["--header"], &of(header, row)).is(0, "1 2 3 4\n", "");
        let appended = format!("{header},journey\n{row},1 2 3 4\n");
        all("journey", &["--header", "--append"], &of(header, row)).is(0, appended, "");
    }
    // Without a header by position, and as -k says in any case.
    all("journey", &[], "1,2,3,4\n").is(0, "1 2 3 4\n", "");
    all("journey", &["-k", "d,c,b,a"], "a,b,c,d\n4,3,2,1\n").is(0, "1 2 3 4\n", "");
    all("journey", &["--header", "-k", "1,2,3,4"], "lat2,b,c,d\n4,3,2,1\n").is(0, "4 3 2 1\n", "");
    let missing = "stdin:1: there is no column \"lat2\": there are 3 columns, \"lat1\", \"lng1\", \"lng2\"; -k says which columns are lat1,lng1,lat2,lng2\n";
    all("journey", &["--header"], "lat1,lng1,lng2\n1,2,3\n").is(2, "", &said(missing));
    let twice = "stdin:1: columns \"lng1\" and \"lon1\" are the same to the kernel; -k says which columns are lat1,lng1,lat2,lng2\n";
    all("journey", &["--header"], "lat1,lng1,lon1,lat2,lng2\n1,2,3,4,5\n").is(2, "", &said(twice));
    all("told", &["--header"], "right,x,left\n1,2,3\n").is(0, "4.0,2.0\n", "");
    let semicolons = all("told", &["--header"], "right;x;left\n1;2;3\n");
    assert!(semicolons.stderr.contains("say so with -d ';'"), "{}", semicolons.stderr);
}

fn a_row_has_as_many_fields_as_the_kernel_takes() {
    all("sum", &[], "1,2\n").is(0, "3\n", "");
    let three = "stdin:2: 3 fields where 2 are expected: \"1,2,3\"; say which of them count, as in -k 1,2\n";
    all("sum", &[], "1,2\n1,2,3\n").is(1, "3\n", &said(three));
    all("sum", &[], "1\n").is(1, "", &said("stdin:1: 1 field where 2 are expected: \"1\"\n"));
    assert!(all("sum", &["--bad-rows=skip"], "1\n1,2\n3,4,5\n").stderr.contains("2 bad rows"));
    all("first", &[], "1,2\n1,2,x\n").is(0, "3\n3\n", "");
    all("first", &[], "1\n").is(1, "", &said("stdin:1: 1 field where 2 are needed: \"1\"\n"));
    all("sum", &["-k", "1,2,3"], "1,2,3\n").is(2, "", &said("--columns names 3 where 2 are expected, like -k 1,2\n"));
    all("first", &["-k", "1,2,3"], "1,2,3\n").is(2, "", &said("--columns names 3 where 2 are expected, like -k 1,2\n"));
    let refused = "a row cannot be a map, which #[serde(flatten)] makes too: its fields have to be known\n";
    all("map", &[], "1\n").is(2, "", &said(refused));
}

fn an_error_is_a_bad_row() {
    let below = "stdin:2: field 2 is below 0\n";
    all("root", &[], "a,4\nb,-1\nc,9\n").is(1, "a,2.0\n", &said(below));
    let skipped = said("stdin:2: field 2 is below 0\n1 bad row\n");
    all("root", &["--bad-rows=skip"], "a,4\nb,-1\nc,9\n").is(1, "a,2.0\nc,3.0\n", &skipped);
    all("root", &["--bad-rows=blank"], "a,4\nb,-1\nc,9\n").is(1, "a,2.0\n,\nc,3.0\n", &skipped);
    let header = ["--bad-rows=blank", "-k", "who,square", "--append"];
    let appended = "square,who,name,root\n4,a,a,2.0\n-1,b,,\n";
    let at_first = said("stdin:3: field 1 is below 0\n1 bad row\n");
    all("root", &header, "square,who\n4,a\n-1,b\n").is(1, appended, &at_first);
    let none = said("stdin:1: is wrong\nstdin:2: is wrong\nstdin:3: field 1 is wrong\n3 bad rows\n");
    all("far", &["--bad-rows=skip"], "1\n9\n0\n").is(1, "", &none);
    let words = said("stdin:1: invalid digit found in string\n");
    all("parse", &[], "x\n").is(1, "", &words);
    all("words", &[], "x\n").is(1, "", &words);
    all("words", &[], "7\n").is(0, "7\n", "");
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("rejects.csv");
    all("root", &["--bad-rows=skip", "--rejects", rejects.to_str().unwrap()], "a,4\nb,-1\n");
    let rejects = std::fs::read_to_string(rejects).unwrap();
    assert!(rejects.contains(",2,field 2 is below 0,"), "{rejects}");
}

fn none_is_an_empty_field() {
    all("maybe", &[], "4\n-1\n\"\"\n5\n").is(0, "4.0\n\n\n5.0\n", "");
    all("maybe", &["--append"], "4\n-1\n").is(0, "4,4.0\n-1,\n", "");
    all("maybe", &["--na=NA", "--na=NaN"], "4\nNA\nNaN\n").is(0, "4.0\n\n\n", "");
    all("pairs", &[], "1,0.1\n,2\n").is(0, "1,0.1\n,\n", "");
    all("pairs", &["--header", "--append"], "y,x\n0.1,1\n2,\n").is(0, "y,x,a,b\n0.1,1,1,0.1\n2,,,\n", "");
    // A text for no value that the kernel is not told of.
    all("pairs", &["--na=-"], "-,2\n3,-\n4,5\n").is(0, ",\n,\n4,5.0\n", "");
}

fn outputs_are_as_many_fields_as_they_have() {
    all("array", &[], "2\n3\n").is(0, "2,4,8\n3,9,27\n", "");
    all("array", &["--header", "--append"], "a\n2\n").is(0, "a,result1,result2,result3\n2,2,4,8\n", "");
    all("array", &["--header", "--append=x,y,z"], "a\n2\n").is(0, "a,x,y,z\n2,2,4,8\n", "");
    let two =
        "--append names 2 columns, and a row has 3 results; as in -k, a name with a comma in it stands in quotes\n";
    all("array", &["--header", "--append=x,y"], "a\n2\n").is(2, "", &said(two));
    all("told", &["--header", "--append"], "left,right\n3,1\n").is(0, "left,right,sum,difference\n3,1,4.0,2.0\n", "");
    all("halves", &[], "123\n7\n").is(0, "3,12\n7,\n", "");
    all("halves", &["--header", "--append=low,high"], "a\n123\n7\n").is(0, "a,low,high\n123,3,12\n7,7,\n", "");
    // A struct is asked for its names, by mapping a row that is made up; one that is an error does not tell them.
    all("halves", &["--header", "--append"], "a\n123\n7\n").is(0, "a,low,high\n123,3,12\n7,7,\n", "");
    let blank = all("halves", &["--append", "--na=NA", "--bad-rows=blank"], "NA\nx\n7\n");
    assert_eq!(blank.stdout, b"NA,,\nx,,\n7,7,\n", "{blank:?}");
    let unnamed = "stdin:2: the output has 2 fields, low, high, where 1 is expected: as in the first row, or as --append=low,high or the kernel's names say\n";
    all("picky", &["--header", "--append"], "a\n123\n").is(1, "a,result\n", &said(unnamed));
    // It hangs in the process that maps the made-up row, and nowhere else.
    let hangs = run(&mut own("hangs", &["--header", "--append", "--block-timeout=1"]), "z\n2\n");
    hangs.is(0, "z,result\n2,2\n", "");
    all("size", &["--append"], "7\n70\n").is(0, "7,Small\n70,LARGE\n", "");
    all("list", &["--header", "--append=a,b"], "n\n2\n").is(0, "n,a,b\n2,2,2\n", "");
    let uneven = all("list", &[], "2\n2\n3\n2\n");
    let other = "stdin:3: the output has 3 fields where 2 are expected: as in the first row, or as --append=NAME1,NAME2,NAME3 or the kernel's names say\n";
    uneven.is(1, "2,2\n2,2\n", &said(other));
    let wide = format!("{},{}\n", i128::MIN, u128::MAX);
    all("wide", &[], &wide).is(0, &wide, "");
    all("text", &[], "\"a,b\"\n\" \"\"x\"\" \"\n").is(0, "\"a,b\"\n\"\"\"x\"\"\"\n", "");
}

fn all_results_have_as_many_fields_as_the_first() {
    let three = "stdin:2: the output has 3 fields where 2 are expected: as in the first row, or as --append=NAME1,NAME2,NAME3 or the kernel's names say\n";
    for _ in 0..10 {
        all("list", &[], "2\n3\n").is(1, "2,2\n", &said(three));
        all("sparse", &[], "1\n2\n15\n30\n").is(0, ",,\n2,,\n,15,15\n30,30,30\n", "");
    }
    all("sparse", &["--header", "--append"], "a\n1\n10\n").is(0, "a,one,two,three\n1,,,\n10,10,,10\n", "");
    // The first rows are bad, and most of the others. Of a large file workers read the rest for themselves.
    let rows = ["x\n".repeat(3), "3\n".repeat(50), "2\n".repeat(10_000), "3\n".repeat(9)].concat();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    std::fs::write(&file, &rows).unwrap();
    for executor in EXECUTORS {
        for input in ["-", file.to_str().unwrap()] {
            let skip = ["--bad-rows=skip", "--block-size=4K", "-j4", "--executor", executor, input];
            let finished = run(own("list", &skip).env("PMAPGCD_LEAST_WINDOW", "1"), &*rows);
            assert!(finished.stdout == "3,3,3\n".repeat(59).as_bytes(), "{finished:?}");
            assert!(finished.stderr.ends_with(": 10003 bad rows\n"), "{finished:?}");
        }
    }
}

fn an_output_has_a_field() {
    let none = said("stdin:1: the output has no field, as a list without elements has none\n1 bad row\n");
    all("list", &["--bad-rows=skip"], "0\n1\n").is(1, "1\n", &none);
    let nothing =
        "the kernel returns nothing, and each row needs a result: a number, a text, a tuple of them, a struct\n";
    all("unit", &[], "1\n2\n").is(2, "", &said(nothing));
}

fn closures_capture_and_states_are_opened_once_a_worker() {
    all("captures", &[], "9\n99\n100\n").is(0, "81\n9801\n\n", "");
    for executor in EXECUTORS {
        let mut command = own("state", &["--executor", executor]);
        run(command.env("OWN_STATE", "s"), "1\n2\n").is(0, "s1\ns2\n", "");
        let unset = said("the variable OWN_STATE is not set\n");
        run(&mut own("state", &["--executor", executor, "-j3"]), "1\n2\n".repeat(1000)).is(2, "", &unset);
        let panicked = run(&mut own("panics", &["--executor", executor, "-j3"]), "1\n2\n".repeat(1000));
        let told = said("the kernel panicked before it had any row: there is no model (at tests/own/kernels.rs:");
        assert!(panicked.stderr.starts_with(told.trim_end()) && panicked.stderr.lines().count() == 1, "{panicked:?}");
        assert_eq!((panicked.status.code(), &panicked.stdout[..]), (Some(2), &b""[..]), "{panicked:?}");
        let mut once = own("once", &["--executor", executor, "-j3"]);
        run(&mut once, "1\n").is(0, "1\n", "once\n");
    }
}

fn what_a_kernel_prints_is_no_result() {
    for executor in EXECUTORS {
        let finished = run(&mut own("prints", &["--executor", executor, "-j1"]), "1\n2\n");
        assert_eq!((finished.status.code(), &finished.stdout[..]), (Some(0), &b"2\n3\n"[..]), "{finished:?}");
        assert!(finished.stderr.contains("looking at 2"), "{finished:?}");
    }
}

fn a_kernel_takes_no_rows_from_stdin() {
    all("reads", &[], "1\n2\n3\n").is(0, "1\n2\n3\n", "");
    all("reads", &["/dev/stdin"], "1\n2\n3\n").is(0, "1\n2\n3\n", "");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    std::fs::write(&file, "1\n2\n").unwrap();
    for executor in EXECUTORS {
        for name in ["-", "/dev/stdin", "/proc/self/fd/0"] {
            let mut command = own("reads", &["--executor", executor, name]);
            command.stdin(std::fs::File::open(&file).unwrap());
            let finished = command.output().unwrap();
            assert_eq!(finished.stdout, b"1\n2\n", "{command:?}: {finished:?}");
        }
    }
}

fn help_and_completions_know_the_kernel() {
    let text = |kernel: &str, argument: &str| String::from_utf8(run(&mut own(kernel, &[argument]), "").stdout).unwrap();
    let program = std::env::current_exe().unwrap();
    let program = program.file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(text("told", "--version"), format!("{program} 7.5\n"));
    assert!(text("sum", "--version").starts_with(&format!("{program} (made with pmapgcd ")));
    assert!(text("told", "--help").contains("Columns for left,right"));
    // -k takes numbers too.
    assert!(!text("told", "--help").contains("possible values: left"), "{}", text("told", "--help"));
    assert!(text("sum", "--help").contains("2 columns to read"), "{}", text("sum", "--help"));
    assert!(text("journey", "--man").contains("lng1"));
    let mut completed = own("told", &["-k", ""]);
    let completed = run(completed.env("PMAPGCD_COMPLETE", "bash:1"), "");
    completed.is(0, "open\nleft\tcolumn\nright\tcolumn\n", "");
    for argument in ["--man", "--completions=bash", "--completions=zsh"] {
        assert!(text("journey", argument).contains(&program), "{argument}");
    }
    let hints = [
        ("sum", "1;2\n", "say so with -d ';'"),
        ("sum", "1 2\n", "say so with -d ' '"),
        ("sum", "1  2\n", "say so with -d blank"),
        ("sum", "a,b\n1,2\n", "say so with --header"),
        ("maybe", "NA\n", "say so with --na 'NA'"),
    ];
    for (kernel, rows, hint) in hints {
        let finished = all(kernel, &[], rows);
        assert!(finished.status.code() == Some(1) && finished.stderr.contains(hint), "{finished:?}");
    }
}

fn main() -> ExitCode {
    if let Ok(kernel) = std::env::var(OWN) {
        return kernels::run(&kernel);
    }
    columns_are_found_by_their_names();
    a_row_has_as_many_fields_as_the_kernel_takes();
    an_error_is_a_bad_row();
    none_is_an_empty_field();
    outputs_are_as_many_fields_as_they_have();
    all_results_have_as_many_fields_as_the_first();
    an_output_has_a_field();
    closures_capture_and_states_are_opened_once_a_worker();
    what_a_kernel_prints_is_no_result();
    a_kernel_takes_no_rows_from_stdin();
    help_and_completions_know_the_kernel();
    println!("own: all is well");
    ExitCode::SUCCESS
}
