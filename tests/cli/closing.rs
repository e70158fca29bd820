//! Errors that a file system reports only in `close` and `fsync`, as NFS, FUSE and file systems with quotas do.

use crate::common::strace::{calls, may_trace, traced};
use crate::common::{pmapgcd, run};
use crate::{EXECUTORS, Folder};

fn folder() -> Folder {
    Folder::with([("a.csv", "12,18\n"), ("bad.csv", "5,10\nx\n")])
}

/// `close` fails for all that is the file `out`.
const CLOSE: &str = "-P \"$PWD/out\" -e inject=close:error=EDQUOT";

/// Runs a script with that, in which `PMAPGCD` is the program.
#[track_caller]
fn fails(folder: &Folder, script: &str, stdout: &str, stderr: &str) {
    let script = script.replace("PMAPGCD", "STRACE \"$0\"");
    run(traced(&script, CLOSE).current_dir(&folder.0), "").is(2, stdout, stderr);
}

#[test]
fn an_error_when_an_output_is_closed_is_said() {
    if !may_trace() {
        return;
    }
    let row = "pmapgcd: bad.csv:2: 1 field where 2 are expected: \"x\"\n";
    let quota = |name: &str| format!("pmapgcd: {name}: Disk quota exceeded\n");
    for executor in EXECUTORS {
        let folder = folder();
        let fails = |script: &str, stdout, stderr: &str| {
            fails(&folder, &script.replace("PMAPGCD", &format!("PMAPGCD {executor}")), stdout, stderr);
        };
        fails("PMAPGCD a.csv > out", "", &quota("stdout"));
        fails("PMAPGCD -o - a.csv > out", "", &quota("stdout"));
        fails("PMAPGCD -o out a.csv > out", "", &quota("out"));
        fails("PMAPGCD -o /dev/fd/3 a.csv 3> out", "", &quota("/dev/fd/3"));
        // Results before a bad row that ends the run are written: or they are not, and that is worse.
        fails("PMAPGCD bad.csv > out", "", &format!("{row}{}", quota("stdout")));
        let skip = "PMAPGCD --bad-rows skip";
        fails(&format!("{skip} --rejects /dev/fd/3 bad.csv 3> out"), "5\n", &format!("{row}{}", quota("/dev/fd/3")));
        fails(&format!("{skip} --rejects - -o results a.csv > out"), "", &quota("stdout"));
        assert!(!folder.path("results").exists(), "not without its rejects");
        let most = row.replace("\"x\"\n", "\"x\"; the run ends here, at more than --max-bad 0\n");
        let rejected = format!("{skip} --max-bad 0 --rejects /dev/fd/3 bad.csv 3> out");
        fails(&rejected, "5\n", &format!("{most}{}", quota("/dev/fd/3")));
    }
}

#[test]
fn an_error_when_stdout_is_closed_is_said_of_all_that_is_printed() {
    if !may_trace() {
        return;
    }
    for what in ["-h", "--help", "--version", "--man", "--completions=zsh", "--split=2 a.csv"] {
        let folder = folder();
        fails(&folder, &format!("PMAPGCD {what} > out"), "", "pmapgcd: stdout: Disk quota exceeded\n");
        assert!(!folder.read("out").is_empty());
        folder.shell(&format!("\"$0\" {what} >&-")).is(2, "", "pmapgcd: stdout: Bad file descriptor\n");
        folder.shell(&format!("\"$0\" {what} > /dev/full")).is(2, "", "pmapgcd: stdout: No space left on device\n");
    }
}

#[test]
fn a_signal_while_an_output_is_closed_is_no_error() {
    if !may_trace() {
        return;
    }
    for executor in EXECUTORS {
        let folder = folder();
        let script = format!("STRACE \"$0\" {executor} a.csv > out; echo status $?; cat out");
        let interrupted = CLOSE.replace("EDQUOT", "EINTR");
        run(traced(&script, &interrupted).current_dir(&folder.0), "").is(0, "status 0\n6\n", "");
        let script = format!("STRACE \"$0\" {executor} -o out a.csv; echo status $?; cat out");
        let interrupted = "-e inject=fdatasync,fsync:error=EINTR:when=1";
        run(traced(&script, interrupted).current_dir(&folder.0), "").is(0, "status 0\n6\n", "");
    }
}

#[test]
fn an_output_file_that_the_disk_cannot_keep_does_not_appear() {
    if !may_trace() {
        return;
    }
    for before in [None, Some("before\n")] {
        let folder = folder();
        let restore = || match before {
            Some(text) => std::fs::write(folder.path("out"), text).unwrap(),
            None => drop(std::fs::remove_file(folder.path("out"))),
        };
        // One worker, so that every run makes the same calls.
        let of_results = ["-j1", "-o", "out", "a.csv"];
        let of_rejects = ["-j1", "--bad-rows=skip", "--rejects", "out", "bad.csv"];
        let each = |executor| {
            [([&[executor], &of_results[..]].concat(), false), ([&[executor], &of_rejects[..]].concat(), true)]
        };
        for (arguments, is_rejected) in EXECUTORS.into_iter().flat_map(each) {
            restore();
            // The descriptor of the file that has no name yet. None is traced but the first thread of the parent, which
            // closes it: strace leaves open what it has not close, and others would wait for its end.
            let unnamed = format!("<{}/#", folder.0.path().canonicalize().unwrap().display());
            let closed = calls(folder.0.path(), &arguments, "close", &unnamed);
            assert!(!closed.is_empty());
            let cases = closed.iter().take(1).map(|number| format!("close:error=EDQUOT:when={number}"));
            for inject in cases.chain(["fdatasync,fsync:error=EDQUOT".to_string()]) {
                restore();
                let mut strace = std::process::Command::new("strace");
                strace.args(["-qqq", "-o", "/dev/null", "-e"]).arg(format!("inject={inject}"));
                strace.arg(crate::common::BINARY).args(&arguments).current_dir(&folder.0);
                let finished = run(&mut strace, "");
                assert_eq!(finished.status.code(), Some(2), "{inject}: {finished:?}");
                assert!(finished.stderr.ends_with("pmapgcd: out: Disk quota exceeded\n"), "{inject}: {finished:?}");
                assert_eq!(finished.stdout, if is_rejected { &b"5\n"[..] } else { b"" });
                let found = std::fs::read_to_string(folder.path("out")).ok();
                assert_eq!(found.as_deref(), before, "{inject}");
            }
        }
        let _ = std::fs::remove_file(folder.path("trace"));
        let names = folder.names();
        assert!(names.iter().all(|name| !name.to_str().unwrap().starts_with(".pmapgcd")), "{names:?}");
    }
}

#[test]
fn a_run_that_fails_says_no_error_twice() {
    let full = run(&mut pmapgcd(["-o", "/dev/full"]), "12,18\n");
    full.is(2, "", "pmapgcd: /dev/full: No space left on device\n");
    if !may_trace() {
        return;
    }
    let folder = folder();
    let both = "-P \"$PWD/out\" -e inject=close,write:error=EDQUOT";
    run(traced("STRACE \"$0\" a.csv > out", both).current_dir(&folder.0), "").is(
        2,
        "",
        "pmapgcd: stdout: Disk quota exceeded\n",
    );
}
