//! The command line.

use crate::Folder;
use crate::common::{pmapgcd, run, shell};

#[test]
fn wrong_usage_is_told_and_ends_with_status_2() {
    let wrong = [
        ("--jobs", "-j0 -j-1 -jx -j1.5 -j4097 --jobs= -j"),
        ("--block-size", "--block-size=63 --block-size=0 --block-size=2G --block-size=x --block-size= --block-size"),
        ("--executor", "--executor=nonsense --executor= --executor"),
        ("--output", "-o --output"),
        ("--nonsense", "--nonsense"),
        ("-x", "-x"),
    ];
    for (option, arguments) in wrong {
        for argument in arguments.split(' ') {
            let finished = run(&mut pmapgcd([argument]), "12,18\n");
            assert_eq!((finished.status.code(), &*finished.stdout), (Some(2), &b""[..]), "{argument}: {finished:?}");
            assert!(finished.stderr.starts_with("error: ") && finished.stderr.contains(option), "{finished:?}");
        }
    }
}

#[test]
fn help_and_version_are_printed_on_request() {
    // On a screen of eighty columns.
    for (argument, most, rare) in [("-h", 30, false), ("--help", 52, true)] {
        let finished = run(&mut pmapgcd([argument]), "");
        let help = String::from_utf8(finished.stdout).unwrap();
        assert_eq!((finished.status.code(), &*finished.stderr), (Some(0), ""));
        for part in ["Usage: pmapgcd [OPTIONS] [FILE]...", "--jobs", "--output", "-V", "Examples:", "Exit status: 0"] {
            assert!(help.contains(part), "{part} in {help}");
        }
        assert!(["--executor", "--block-size", "--man"].iter().all(|option| help.contains(option) == rare), "{help}");
        assert!(help.lines().count() <= most, "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        let finished = run(&mut shell(&format!("exec \"$0\" {argument} > /dev/full")), "");
        finished.is(2, "", "pmapgcd: stdout: No space left on device\n");
    }
    for argument in ["-V", "--version"] {
        run(&mut pmapgcd([argument]), "").is(0, concat!("pmapgcd ", env!("CARGO_PKG_VERSION"), "\n"), "");
    }
}

#[test]
fn options_may_stand_anywhere_and_sizes_have_units() {
    let folder = Folder::with([("a.csv", "12,18\n")]);
    folder.run(["a.csv", "-j2", "a.csv", "--block-size", "1k"], "").is(0, "6\n6\n", "");
    folder.run(["--block-size=2M", "-j", "2", "a.csv"], "").is(0, "6\n", "");
}

#[test]
fn vectors_that_are_none_are_refused() {
    for (name, status, stdout) in [("portable", 0, "6\n"), ("avx2", 0, "6\n"), ("AVX2", 2, ""), ("", 2, "")] {
        let finished = run(pmapgcd([""; 0]).env("PMAPGCD_VECTORS", name), "12,18\n");
        assert_eq!((finished.status.code(), &*finished.stdout), (Some(status), stdout.as_bytes()), "{finished:?}");
    }
}

#[test]
fn statistics_add_up_under_every_executor() {
    let rows = "12,18\nx,1\n5,10\n".repeat(20_000);
    for executor in ["serial", "threads", "pickle", "shared"] {
        let arguments = ["--executor", executor, "-j2", "--bad-rows=skip", "--max-bad=100000", "--stats=json"];
        let finished = run(&mut pmapgcd(arguments), rows.as_str());
        assert_eq!((finished.status.code(), finished.stdout.len()), (Some(1), 80_000), "{}", finished.stderr);
        let last = finished.stderr.lines().last().unwrap();
        let stats: serde_json::Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{}", finished.stderr));
        assert_eq!((&stats["rows"], &stats["bad_rows"]), (&40_000.into(), &20_000.into()), "{executor}: {last}");
        assert_eq!(stats["bytes"], rows.len(), "{executor}: {last}");
        let workers = stats["workers"].as_array().unwrap();
        let sum: u64 = workers.iter().map(|worker| worker["rows"].as_u64().unwrap()).sum();
        assert_eq!(sum, 40_000, "{executor}: {last}");
        assert!(stats["seconds"].as_f64().unwrap() > 0.0 && stats["restarts"] == 0, "{executor}: {last}");
        assert!(stats["peak_memory"]["parent"].as_u64().unwrap() > 1 << 20, "{executor}: {last}");
    }
    let finished = run(&mut pmapgcd(["--stats", "-j1"]), "12,18\n");
    assert!(finished.stderr.starts_with("rows        1, bad rows 0\n"), "{}", finished.stderr);
    assert_eq!((finished.status.code(), &*finished.stdout), (Some(0), &b"6\n"[..]));
}

#[test]
fn colours_are_for_terminals_or_on_request() {
    let bad = |arguments: &[&str]| run(&mut pmapgcd(arguments), "1,x\n").stderr;
    assert!(bad(&[]).starts_with("pmapgcd: stdin:1: "));
    assert!(bad(&["--color", "always"]).starts_with("\x1b[1;31mpmapgcd:\x1b[0m stdin:1: "));
    assert!(bad(&["--color=always", "--what"]).contains("\x1b["), "a usage error too");
    assert!(!bad(&["--color=never", "--what"]).contains("\x1b["));
}
