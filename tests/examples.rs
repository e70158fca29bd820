//! The examples do what they say.

mod common;

use common::{BINARY, run};
use std::path::Path;
use std::process::Command;

/// An example that `cargo test` has built; `cargo test --test examples` alone does not.
fn example(name: &str) -> Command {
    Command::new(Path::new(BINARY).with_file_name("examples").join(name))
}

const EXECUTORS: [&str; 4] = ["serial", "threads", "pickle", "shared"];

#[test]
fn item_41_runs_under_all_four_executors_and_python() {
    let finished = run(&mut example("item_41"), "");
    let text = String::from_utf8(finished.stdout).unwrap();
    assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(0), ""), "{text}");
    let names: Vec<_> = text.lines().filter(|line| line.contains(" Took ")).map(|line| &line[..8]).collect();
    assert_eq!(names, ["serial  ", "threads ", "pickle  ", "shared  ", "map     ", "Thread  ", "Process "], "{text}");
}

#[test]
fn haversine_is_the_same_filter_with_a_kernel_of_its_own() {
    let rows = "52.52,13.405,48.8566,2.3522\r\n\n 0 , 0, 0,180\n1,2,1,2\n".repeat(500);
    let expected = "877.4645379215092\n20015.114442035923\n0.0\n".repeat(500);
    for executor in EXECUTORS {
        // Results of some rows are longer than the rows: at this block size they come in parts.
        for block_size in ["64", "128K"] {
            let arguments = ["--executor", executor, "-j", "3", "--block-size", block_size];
            run(example("haversine").args(arguments), rows.as_str()).is(0, &expected, "");
            let bad = format!("{rows}1,2,x,4\n5,6,7,8\n");
            let error = "haversine: stdin:2001: field 3 is not a number: \"x\"\n";
            run(example("haversine").args(arguments), bad).is(1, &expected, error);
        }
    }
}

#[test]
fn a_kernel_of_ones_own_reads_rows_as_other_programs_write_them() {
    let rows = "sep=;\n52,52;13,405;48,8566;2,3522\nNA;0;0;0\n0;0;0;1.80,0\n";
    let error = "haversine: stdin:4: field 4 is not a number: \"1.80,0\"\n";
    for executor in EXECUTORS {
        let german = ["--skip-lines=1", "-d;", "--decimal=,", "--thousands=.", "--na=NA", "--executor", executor];
        run(example("haversine").args(german), rows).is(1, "877.4645379215092\n\n", error);
        let aligned = ["-d", "blank", "--executor", executor, "--append"];
        run(example("haversine").args(aligned), " 0  0   0\t180\n").is(0, " 0  0   0\t180 20015.114442035923\n", "");
    }
}

#[test]
fn filters_have_help_and_a_manual_page_and_a_version_only_if_they_say_one() {
    for argument in ["-h", "--help", "--man"] {
        let finished = run(example("haversine").arg(argument), "");
        let text = String::from_utf8(finished.stdout).unwrap();
        assert_eq!((finished.status.code(), &*finished.stderr), (Some(0), ""));
        assert!(text.contains("haversine") && text.contains("kilometres") && !text.contains("version"), "{text}");
    }
    let finished = run(example("haversine").arg("--version"), "");
    assert_eq!(finished.status.code(), Some(2), "{finished:?}");
}

#[test]
fn collatz_rows_are_shared_out_by_the_counter() {
    let finished = run(&mut example("collatz"), "");
    let text = String::from_utf8(finished.stdout).unwrap();
    assert_eq!((finished.status.code(), text.lines().count()), (Some(0), 2), "{text} {}", finished.stderr);
    assert!(text.lines().all(|line| line.ends_with(" seconds")), "{text}");
}

#[test]
fn generate_gives_the_same_rows_for_the_same_seed() {
    let rows =
        |seed: &str| run(example("generate").args(["--rows", "1000", "--kind", "mixed", "--seed", seed]), "").stdout;
    assert_eq!(rows("1"), rows("1"));
    assert_ne!(rows("1"), rows("2"));
    assert_eq!(rows("1").iter().filter(|&&byte| byte == b'\n').count(), 1000);
}
