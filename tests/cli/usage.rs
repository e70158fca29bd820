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
    for (argument, most, rare) in [("-h", 39, false), ("--help", 73, true)] {
        let finished = run(&mut pmapgcd([argument]), "");
        let help = String::from_utf8(finished.stdout).unwrap();
        assert_eq!((finished.status.code(), &*finished.stderr), (Some(0), ""));
        // First what it is for, and then what the function may be.
        let groups = ["Map a function over the rows", "GCD", "\nFunction:", "\nRows:", "\nWorkers:", "\nMore:"];
        let places = groups.map(|part| help.find(part).unwrap_or(usize::MAX));
        assert!(places.is_sorted() && places[0] == 0 && places[5] < help.len(), "{places:?}: {help}");
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
    for (name, status, stdout) in [("portable", 0, "6\n"), ("avx2", 0, "6\n"), ("AVX2", 2, ""), ("", 0, "6\n")] {
        let finished = run(pmapgcd([""; 0]).env("PMAPGCD_VECTORS", name), "12,18\n");
        assert_eq!((finished.status.code(), &*finished.stdout), (Some(status), stdout.as_bytes()), "{finished:?}");
        assert!(status == 0 || finished.stderr.contains(&format!("PMAPGCD_VECTORS is {name:?}")), "{finished:?}");
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

#[test]
fn the_last_of_an_option_given_twice_counts() {
    let folder = Folder::with([("a.csv", "12;18\n"), ("bad.csv", "1,x\n1,y\n1,z\n"), ("ab.csv", "a,b\n12,18\n")]);
    for (arguments, stdout) in [
        ("-d , -d ; a.csv", "6\n"),
        ("--delimiter=, -d ; a.csv", "6\n"),
        ("--quote ; --quote ' -d ; a.csv", "6\n"),
        ("--comment ; --comment # -d ; a.csv", "6\n"),
        ("-j 1 --jobs 2 -j3 -d; a.csv", "6\n"),
        ("--executor shared --executor serial -d; a.csv", "6\n"),
        ("--block-size 64 --block-size 1K -d; a.csv", "6\n"),
        ("--chunk-size 1 --chunk-size 2 -d; a.csv", "6\n"),
        ("--block-timeout 0.01 --block-timeout 60 -d; a.csv", "6\n"),
        ("--worker-memory 64M --worker-memory 8G -d; a.csv", "6\n"),
        ("--no-sandbox --no-sandbox -d; a.csv", "6\n"),
        ("--algorithm trial --algorithm euclid -d; a.csv", "6\n"),
        ("--base 16 --base 10 -d; a.csv", "6\n"),
        ("--max-digits 1 --max-digits 2 -d; a.csv", "6\n"),
        ("--progress=always --progress=never -d; a.csv", "6\n"),
        ("--color always --color never -d; a.csv", "6\n"),
        ("--append=x --append -d; a.csv", "12;18;6\n"),
        ("--append --append=it --header --header ab.csv", "a,b,it\n12,18,6\n"),
        ("--range 1,2 --range 4,6 --first-line 7 --first-line 2 --header ab.csv", "6\n"),
        ("--split 5 --split 1 ab.csv", "0,10,1\n"),
    ] {
        folder.run(arguments.split(' '), "").is(0, stdout, "");
    }
    // What it would have done does not happen.
    folder.run("-o one -o two -d; a.csv".split(' '), "").is(0, "", "");
    assert_eq!((folder.names().contains(&"one".into()), &*folder.read("two")), (false, "6\n"));
    let finished = folder.run("--bad-rows=stop --bad-rows=skip --max-bad 0 --max-bad 9 bad.csv".split(' '), "");
    assert!(finished.stderr.ends_with("pmapgcd: 3 bad rows\n"), "{finished:?}");
    let finished = folder.run("--bad-rows=skip --rejects one --bad-rows=stop --rejects=two bad.csv".split(' '), "");
    assert_eq!((finished.status.code(), finished.stderr.lines().count()), (Some(1), 1), "{finished:?}");
    assert!(!folder.names().contains(&"one".into()) && folder.read("two").contains("bad.csv,1,"));
    let finished = folder.run("--stats=text --stats=json -d; a.csv".split(' '), "");
    assert!(finished.stderr.starts_with('{'), "{finished:?}");
    folder.run(["--completions=zsh", "--completions=bash"], "").is(
        0,
        folder.run(["--completions=bash"], "").stdout,
        "",
    );
    folder.run(["--man", "--man"], "").is(0, folder.run(["--man"], "").stdout, "");
    folder.run(["-V", "--version"], "").is(0, concat!("pmapgcd ", env!("CARGO_PKG_VERSION"), "\n"), "");
}

#[test]
fn a_value_that_is_taken_for_a_file_is_told_where_it_stands() {
    for option in ["--append", "--progress", "--stats"] {
        let finished = run(&mut pmapgcd([option, "-"]), "12,18\n");
        let result = if option == "--append" { "12,18,6\n" } else { "6\n" };
        assert_eq!((finished.status.code(), &*finished.stdout), (Some(0), result.as_bytes()), "{finished:?}");
    }
    let folder = Folder::with([("ab.csv", "a,b\n12,18\n"), ("always", "a,b\n5,10\n")]);
    for (option, value) in [("--append", "up"), ("--progress", "never"), ("--stats", "json")] {
        let what = format!("if it is the value of {option}, it stands behind =: {option}={value}");
        let finished = folder.run(["--header", option, value, "ab.csv", "-o", "out"], "");
        finished.is(2, "", &format!("pmapgcd: {value}: No such file or directory; {what}\n"));
    }
    assert!(!folder.names().contains(&"out".into()));
    // A file that is there is one, and so is what stands elsewhere.
    folder.run(["--header", "--progress", "always", "ab.csv"], "").is(0, "5\n6\n", "");
    folder.run(["ab.csv", "none", "--header"], "").is(2, "6\n", "pmapgcd: none: No such file or directory\n");
}

#[test]
fn lists_given_twice_add_up() {
    let folder = Folder::with([("abc.csv", "a,b,c\n12,5,18\n"), ("2.csv", "a,b,c\n7,1,14\n")]);
    folder.run(["-kc", "abc.csv", "--columns", "1", "2.csv"], "").is(0, "6\n7\n", "");
    folder.run(["-k3", "--header", "-k=1", "abc.csv"], "").is(0, "6\n", "");
    let what = "--columns names 4 where 2 are expected, like -k 1,2; all that -k is given add up";
    folder.run(["-ka,b", "-ka,c", "abc.csv"], "").is(2, "", &format!("pmapgcd: {what}\n"));
}

#[test]
fn options_that_exclude_each_other_do_so_however_often_they_are_given() {
    for (arguments, what) in [
        ("--split 2 --split 3 --compare", "'--compare'"),
        ("--range 0,6 --range 0,6 --first-line 1 --compare", "'--compare'"),
        ("--man --man -j2", "'--man'"),
        ("--compare --compare -o x -o y", "'--compare'"),
        // A value that is none is one, though another comes after it.
        ("-j0 -j2", "'--jobs <N>'"),
    ] {
        let finished = run(&mut pmapgcd(arguments.split(' ')), "");
        assert_eq!((finished.status.code(), &*finished.stdout), (Some(2), &b""[..]), "{arguments}: {finished:?}");
        assert!(finished.stderr.starts_with("error: ") && finished.stderr.contains(what), "{finished:?}");
    }
}
