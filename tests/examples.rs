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
fn item_41_is_the_page_with_one_more_changed_line() {
    let mut python = Command::new("python3");
    python.args(["-W", "error", "examples/item_41.py"]).env("PYTHONPATH", "python");
    let finished = run(&mut python, "");
    let text = String::from_utf8(finished.stdout).unwrap();
    assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(0), ""), "{text}");
    print!("{text}");
    let names: Vec<_> = text.lines().filter_map(|line| line.split(" Took ").next()).map(str::trim).collect();
    assert_eq!(names, ["map", "ThreadPoolExecutor", "ProcessPoolExecutor", "Executor"], "{text}");
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

/// Runs an example under each executor. All must end so.
#[track_caller]
fn each(name: &str, arguments: &[&str], rows: &str, status: i32, stdout: &str, stderr: &str) {
    for executor in EXECUTORS {
        let arguments = [arguments, &["-j2", "--executor", executor]].concat();
        run(example(name).args(arguments), rows).is(status, stdout, stderr);
    }
}

#[test]
fn lcm_of_more_than_64_bits_is_a_bad_row() {
    let error = "lcm: stdin:2: the least common multiple needs more than 64 bits\n";
    each("lcm", &[], "4,6\n9223372036854775808,3\n0,5\n", 1, "12\n", error);
    let skipping = ["--bad-rows=skip", "--header", "--append"];
    let error = "lcm: stdin:3: the least common multiple needs more than 64 bits\nlcm: 1 bad row\n";
    each("lcm", &skipping, "a,b\n4,6\n9223372036854775808,3\n0,5\n", 1, "a,b,lcm\n4,6,12\n0,5,0\n", error);
}

#[test]
fn bearing_finds_its_columns_by_name_and_has_two_results() {
    let rows = "lon1,lat1,to_lon,to_lat,name\n13.405,52.52,2.3522,48.8566,b\n0,0,0,0,n\n";
    let expected = "lon1,lat1,to_lon,to_lat,name,km,bearing\n13.405,52.52,2.3522,48.8566,b,877.4645379215093,246.74342315057362\n0,0,0,0,n,0.0,\n";
    each("bearing", &["--header", "--append"], rows, 0, expected, "");
    each(
        "bearing",
        &["--header", "--append=km,to"],
        "lat1,lon1,lat2,lon2\n0,0,0,90\n",
        0,
        "lat1,lon1,lat2,lon2,km,to\n0,0,0,90,10007.55722101796,90.0\n",
        "",
    );
    let error = "bearing: stdin:2: field 3 is no latitude: 91\n";
    each("bearing", &["-k", "b,a,c,d"], "a,b,c,d\n0,0,91,0\n", 1, "", error);
    let missing = "bearing: stdin:1: there is no column \"lat2\" or \"to_lat\": there are 2 columns, \"lat1\", \"lon1\"; -k says which columns are lat1,lon1,lat2,lon2\n";
    each("bearing", &["--header"], "lat1,lon1\n0,0\n", 2, "", missing);
}

#[test]
fn modpow_takes_integers_of_any_size() {
    let prime = "170141183460469231731687303715884105727";
    let rows = format!("base,exponent,modulus\n3,100,7\n-2,127,{prime}\n");
    each("modpow", &["--header"], &rows, 0, &format!("4\n{}\n", "170141183460469231731687303715884105726"), "");
    each("modpow", &["--least", "--header"], &rows, 0, "-3\n-1\n", "");
    each("modpow", &["-d;", "--thousands=.", "--decimal=,"], "10;4;1.001\n", 0, "991\n", "");
    each("modpow", &[], "2,-1,5\n", 1, "", "modpow: stdin:1: field 2 is a negative exponent\n");
    each("modpow", &[], "2,1,0\n", 1, "", "modpow: stdin:1: field 3 is no modulus: it must be above 0\n");
    each("modpow", &[], "2,1.5,5\n", 1, "", "modpow: stdin:1: field 2 is not an integer: \"1.5\"\n");
    let help = String::from_utf8(run(example("modpow").arg("--help"), "").stdout).unwrap();
    assert!(help.contains("Usage: modpow [OPTIONS] [FILE]...") && help.contains("--least"), "{help}");
}

#[test]
fn weekday_makes_a_word_of_a_text() {
    each(
        "weekday",
        &["--append"],
        "2000-02-29\n1969-07-20\n2026-11-26\n",
        0,
        "2000-02-29,Tuesday\n1969-07-20,Sunday\n2026-11-26,Thursday\n",
        "",
    );
    each("weekday", &[], "1900-02-29\n", 1, "", "weekday: stdin:1: month 2 of 1900 has no day 29\n");
    each("weekday", &[], "today\n", 1, "", "weekday: stdin:1: a date like 2000-02-29 is expected: today\n");
    each("weekday", &[], "2000-x-01\n", 1, "", "weekday: stdin:1: invalid digit found in string: x\n");
}

#[test]
fn score_opens_its_model_once_for_each_worker() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("weights.txt");
    std::fs::write(&model, "good 1.5\nbad -2\n").unwrap();
    let model = model.to_str().unwrap();
    let rows = "id,text\n1,\"Good, but BAD\"\n2,good good\n3,\n";
    let expected = "id,text,score\n1,\"Good, but BAD\",-0.5\n2,good good,3.0\n3,,0.0\n";
    each("score", &["--model", model, "-k", "text", "--append"], rows, 0, expected, "");
    let error = "score: /nowhere: No such file or directory (os error 2)\n";
    each("score", &["--model", "/nowhere", "-k", "text"], rows, 2, "", error);
}

#[test]
fn filters_have_help_a_manual_page_completions_and_a_version() {
    for argument in ["-h", "--help", "--man", "--completions=fish"] {
        let finished = run(example("haversine").arg(argument), "");
        let text = String::from_utf8(finished.stdout).unwrap();
        assert_eq!((finished.status.code(), &*finished.stderr), (Some(0), ""));
        assert!(text.contains("haversine"), "{text}");
        assert!(argument.starts_with("--completions") || text.contains("kilometres"), "{text}");
    }
    let version = |name: &str| String::from_utf8(run(example(name).arg("--version"), "").stdout).unwrap();
    let own = env!("CARGO_PKG_VERSION");
    assert_eq!(version("haversine"), format!("haversine (made with pmapgcd {own})\n"));
    assert_eq!([version("lcm"), version("modpow")], [format!("lcm {own}\n"), format!("modpow {own}\n")]);
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
