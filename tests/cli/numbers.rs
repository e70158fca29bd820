//! Options that take a number: the least and the greatest number work, and everything else is refused with a message
//! that gives the range.

use crate::Folder;
use crate::common::{pmapgcd, run};
use std::collections::BTreeSet;

const MOST: &str = "18446744073709551615";
const MORE: &str = "18446744073709551616";

/// An option that takes a number.
struct Number {
    option: &'static str,
    /// What it needs beside it.
    with: &'static [&'static str],
    /// Its least, its most, and some between.
    good: &'static [&'static str],
    /// Just outside of these.
    bad: &'static [&'static str],
    /// What the message names for its range.
    range: [&'static str; 2],
}

/// What no option takes as a number.
const NEVER: [&str; 14] = [
    "",
    " ",
    "-1",
    "-0.5",
    "-18446744073709551616",
    "NaN",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "0x10",
    "1_000",
    "1 000",
    "5x",
];
/// What only a time takes.
const NO_INTEGERS: [&str; 5] = ["1.5", "1e3", "1e18", "18446744073709551616", "1.5M"];
/// What only a size takes.
const UNITS: [&str; 5] = ["1k", "128K", "1M", "1G", "1GiB"];

const NUMBERS: [Number; 11] = [
    Number { option: "--jobs", with: &[], good: &["1", "2", "+3", "4096"], bad: &["0", "4097"], range: ["1", "4096"] },
    Number {
        option: "--block-size",
        with: &[],
        good: &["64", "1k", "128K", "1M", "64m"],
        bad: &["0", "63", "1073741825", "2G", "1T", "K", "1.5M", "64 K", "18446744073709551615G", "17179869184G"],
        range: ["64", "1G"],
    },
    Number { option: "--chunk-size", with: &[], good: &["1", "2", MOST], bad: &["0", MORE], range: ["1", MOST] },
    Number {
        option: "--block-timeout",
        with: &["--executor=shared"],
        good: &["0.01", "1e-1", "1.5", "60", "1e9", "1000000000"],
        bad: &["0", "0.0099", "1e-3", "1000000001", "1e10", "1e18", "18446744073709551616", "5s"],
        range: ["0.01", "1000000000"],
    },
    Number {
        option: "--worker-memory",
        with: &[],
        good: &["64M", "67108864", "8g", "1048576G", "1125899906842624"],
        bad: &["0", "1", "63M", "67108863", "1125899906842625", "1048577G", "1.5G", "1T", "17179869184G"],
        range: ["64M", "1048576G"],
    },
    Number {
        option: "--max-bad",
        with: &["--bad-rows=skip"],
        good: &["0", "1", MOST],
        bad: &[MORE],
        range: ["0", MOST],
    },
    Number {
        option: "--max-digits",
        with: &[],
        good: &["2", "100000", "1073741824"],
        bad: &["0", "1073741825"],
        range: ["1", "1073741824"],
    },
    Number { option: "--skip-lines", with: &[], good: &["0", "1", MOST], bad: &[MORE], range: ["0", MOST] },
    Number { option: "--split", with: &[], good: &["1", "2", MOST], bad: &["0", MORE], range: ["1", MOST] },
    Number {
        option: "--first-line",
        with: &["--range=0,6"],
        good: &["1"], // and no others at byte 0, but see below
        bad: &["0", MORE],
        range: ["1", MOST],
    },
    Number {
        option: "--range",
        with: &["--first-line=1"],
        good: &["0,6"],
        bad: &[
            "0",
            "0,0",
            "6",
            "-1,6",
            "0,-1",
            ",",
            "0,",
            ",6",
            "0,6,1",
            "0.5,6",
            "1e3,6",
            "18446744073709551616,1",
            "0,18446744073709551616",
        ],
        range: ["1", MOST],
    },
];

/// Options whose value is no number. That of --columns may be one, and is a matter of the file.
const OTHERS: [&str; 29] = [
    "--columns",
    "--delimiter",
    "--quote",
    "--comment",
    "--na",
    "--decimal",
    "--thousands",
    "--bad-rows",
    "--rejects",
    "--output",
    "--append",
    "--progress",
    "--stats",
    "--color",
    "--command",
    "--command-mode",
    "--command-input",
    "--command-ok",
    "--kernel",
    "--types",
    "--kernel-args",
    "--python",
    "--executor",
    "--plot",
    "--completions",
    "--algorithm",
    "--base",
    "--range",
    "--first-line",
];

#[test]
fn every_option_with_a_value_is_known_here() {
    let help = String::from_utf8(run(&mut pmapgcd(["--help"]), "").stdout).unwrap();
    let word = |line: &str| line.trim_start().trim_start_matches("-").chars().next().is_some_and(char::is_alphabetic);
    let options = help.lines().map(str::trim_start).filter(|line| line.starts_with('-') && word(line));
    let with_value = options.filter_map(|line| {
        let long = line.split([' ', ',', '=', '[']).find(|word| word.starts_with("--"))?;
        line.split("  ").next()?.contains('<').then(|| long.to_string())
    });
    let found: BTreeSet<String> = with_value.collect();
    let known = NUMBERS.iter().map(|number| number.option).chain(OTHERS).map(str::to_string).collect();
    assert_eq!(found, known, "{help}");
}

#[test]
fn a_number_at_its_edges_works() {
    let folder = Folder::with([("a.csv", "12,18\n"), ("none.csv", "")]);
    for Number { option, with, good, .. } in NUMBERS {
        for value in good {
            for executor in ["serial", "threads", "pickle", "shared"] {
                let is_too_much_work = executor == "pickle" && *value == "4096"; // as many processes, for one row
                let is_for_shared = with.contains(&"--executor=shared") && executor != "shared";
                if is_too_much_work || is_for_shared || (option == "--split" && executor != "shared") {
                    continue;
                }
                let option_and_value = format!("{option}={value}");
                // Over any row a worker may be held up for longer than this.
                let is_short = option == "--block-timeout" && value.parse::<f64>().unwrap() < 60.0;
                let (file, stdout) = if is_short { ("none.csv", "") } else { ("a.csv", "6\n") };
                let mut arguments = vec![file, &option_and_value];
                arguments.extend(with);
                let executor = format!("--executor={executor}");
                arguments.extend((!with.contains(&"--executor=shared")).then_some(&*executor));
                let finished = folder.run(&arguments, "");
                let stdout = match option {
                    "--split" => "0,6,1\n",
                    "--skip-lines" if *value != "0" => "",
                    _ => stdout,
                };
                // What is said, if anything, is that there are fewer workers.
                let is_told = finished.stderr.lines().all(|line| line.contains("; going on with "));
                let is_done = finished.status.code() == Some(0) && finished.stdout == stdout.as_bytes();
                assert!(is_done && (finished.stderr.is_empty() || (option == "--jobs" && is_told)), "{finished:?}");
            }
        }
    }
}

#[test]
fn the_largest_block_works_or_is_told_of() {
    for executor in ["serial", "threads", "pickle", "shared"] {
        let finished = run(&mut pmapgcd(["--block-size=1G", "-j1", "--executor", executor]), "12,18\n");
        if finished.status.code() == Some(0) {
            finished.is(0, "6\n", "");
        } else {
            let says = [" bytes of shared memory in /dev/shm: ", "--block-size"];
            assert!(executor == "shared" && says.iter().all(|part| finished.stderr.contains(part)), "{finished:?}");
            assert_eq!((finished.status.code(), &*finished.stdout), (Some(2), &b""[..]), "{finished:?}");
        }
    }
}

#[test]
fn what_is_out_of_range_or_no_number_is_refused_with_the_range() {
    let folder = Folder::with([("a.csv", "12,18\n")]);
    for Number { option, with, good, bad, range } in NUMBERS {
        let is_time = option == "--block-timeout";
        let is_size = good.contains(&"8g") || good.contains(&"128K");
        let never =
            NEVER.iter().chain(NO_INTEGERS.iter().filter(|_| !is_time)).chain(UNITS.iter().filter(|_| !is_size));
        for value in never.chain(bad) {
            for arguments in [vec![format!("{option}={value}")], vec![option.to_string(), value.to_string()]] {
                // A word of its own that begins with a dash and is no number is taken for an option.
                if arguments.len() == 2 && value.starts_with('-') && value.parse::<f64>().is_ok_and(|n| n.is_infinite())
                {
                    continue;
                }
                let arguments = arguments.iter().map(String::as_str).chain(with.iter().copied()).chain(["a.csv"]);
                let finished = folder.run(arguments, "");
                assert_eq!((finished.status.code(), &*finished.stdout), (Some(2), &b""[..]), "{finished:?}");
                let names = [option].into_iter().chain(range.map(|edge| edge));
                let is_told =
                    finished.stderr.starts_with("error: ") && names.clone().all(|part| finished.stderr.contains(part));
                assert!(is_told && finished.stderr.contains(" expected"), "{finished:?}");
            }
        }
    }
}

#[test]
fn a_range_that_the_file_does_not_have_is_refused() {
    let folder = Folder::with([("a.csv", "12,18\nx,1\n")]);
    for line in ["2", "1000", MOST] {
        let told = format!("pmapgcd: a.csv: byte 0 cannot be in line {line}; take ranges from --split\n");
        folder.run(["--range=0,10", "--first-line", line, "a.csv"], "").is(2, "", &told);
    }
    let told =
        format!("pmapgcd: a.csv: the range goes on to byte {MOST}, and the file has 10; take ranges from --split\n");
    folder.run(["--range", &format!("0,{MOST}"), "--first-line=1", "a.csv"], "").is(2, "", &told);
}
