//! The command line.

use crate::Folder;
use crate::common::{pmapgcd, run};

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
    for argument in ["-h", "--help"] {
        let finished = run(&mut pmapgcd([argument]), "");
        let help = String::from_utf8(finished.stdout).unwrap();
        assert_eq!((finished.status.code(), &*finished.stderr), (Some(0), ""));
        for part in ["Usage: pmapgcd [OPTIONS] [FILE]...", "--jobs", "--executor", "--block-size", "--output", "-V"] {
            assert!(help.contains(part), "{part} in {help}");
        }
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
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
