//! `-o FILE`: the file appears when it is complete.

use crate::common::run;
use crate::{EXECUTORS, Folder};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;

#[test]
fn an_output_file_appears_when_it_is_complete() {
    for executor in EXECUTORS {
        let folder = Folder::with([]);
        let mut running = folder.start([executor, "-o", "out.csv"]);
        running.send("12,18\n");
        running.writes("6\n");
        assert!(!folder.path("out.csv").exists());
        running.send("5,10\n");
        running.finish().is(0, "", "");
        assert_eq!(folder.read("out.csv"), "6\n5\n");
        assert_eq!(folder.names(), ["out.csv"]);
    }
}

#[test]
fn an_output_file_is_replaced_as_a_whole_and_keeps_its_permissions() {
    for executor in EXECUTORS {
        let folder = Folder::with([("a.csv", "12,18\n"), ("out.csv", "a longer text than the result\n")]);
        folder.set_permissions("out.csv", 0o640);
        let mut before = File::open(folder.path("out.csv")).unwrap();
        folder.run([executor, "--output", "out.csv", "a.csv"], "").is(0, "", "");
        assert_eq!(folder.read("out.csv"), "6\n");
        assert_eq!(folder.permissions("out.csv"), 0o640);
        assert_eq!(io::read_to_string(&mut before).unwrap(), "a longer text than the result\n");
        assert_eq!(folder.names(), ["a.csv", "out.csv"]);

        folder.run([executor, "-onew.csv", "a.csv"], "").is(0, "", "");
        assert_eq!(folder.permissions("new.csv"), folder.permissions("a.csv"), "as the umask has it");
    }
}

#[test]
fn an_output_file_stays_as_it_is_when_the_run_fails() {
    for executor in EXECUTORS {
        let folder = Folder::with([("out.csv", "before\n"), ("a.csv", "12,18\n"), ("bad.csv", "12,18\nx\n")]);
        let failing = [(["bad.csv", "a.csv"], 1), (["a.csv", "none.csv"], 2), (["a.csv", "."], 2)];
        for (inputs, status) in failing {
            for target in ["out.csv", "new.csv"] {
                let finished = folder.run([executor, "-o", target].into_iter().chain(inputs), "");
                assert_eq!(finished.status.code(), Some(status), "{finished:?}");
                assert_eq!(folder.read("out.csv"), "before\n");
                assert_eq!(folder.names(), ["a.csv", "bad.csv", "out.csv"]);
            }
        }
    }
}

#[test]
fn a_killed_run_leaves_nothing_beside_its_output_file() {
    for executor in EXECUTORS {
        let folder = Folder::with([("out.csv", "before\n")]);
        let mut running = folder.start([executor, "-o", "out.csv"]);
        running.send("12,18\n");
        running.writes("6\n");
        running.child.kill().unwrap();
        assert_eq!(running.end().status.signal(), Some(9));
        assert_eq!(folder.names(), ["out.csv"]);
        assert_eq!(folder.read("out.csv"), "before\n");
    }
}

#[test]
fn an_output_file_is_what_a_symbolic_link_points_to() {
    for executor in EXECUTORS {
        for target_text in [Some("before\n"), None] {
            let folder = Folder::with([]);
            fs::create_dir(folder.path("deep")).unwrap();
            let target = folder.path("deep/target.csv");
            if let Some(text) = target_text {
                fs::write(&target, text).unwrap();
            }
            symlink("deep/target.csv", folder.path("link.csv")).unwrap();
            folder.run([executor, "-o", "link.csv"], "12,18\n").is(0, "", "");
            assert!(folder.path("link.csv").is_symlink(), "the link itself stays, target {target_text:?}");
            assert_eq!(fs::read_to_string(target).unwrap(), "6\n");
            assert_eq!(folder.names(), ["deep", "link.csv"]);
        }
    }
}

#[test]
fn an_output_file_may_have_as_long_a_name_as_any_file() {
    for executor in EXECUTORS {
        let folder = Folder::with([]);
        let name = "o".repeat(255);
        folder.run([executor, "-o", &name], "12,18\n").is(0, "", "");
        assert_eq!(folder.read(&name), "6\n");
    }
}

#[test]
fn an_output_that_is_no_file_with_a_name_is_written_to_as_it_is() {
    let folder = Folder::with([]);
    for executor in EXECUTORS {
        let script =
            |script: &str| folder.shell(&script.replace("PMAPGCD", &format!("echo 12,18 | \"$0\" {executor}")));
        script("PMAPGCD -o /dev/fd/1").is(0, "6\n", "");
        script("PMAPGCD -o /dev/null").is(0, "", "");
        script("exec 3<>gone; rm gone; PMAPGCD -o /dev/fd/3 && cat /dev/fd/3").is(0, "6\n", "");
        assert_eq!(folder.names(), [""; 0]);
    }
}

#[test]
fn an_output_file_that_is_an_input_is_refused() {
    let refused = |name: &str| format!("pmapgcd: {name} is both input and output; write to another file\n");
    for executor in EXECUTORS {
        let folder = Folder::with([("a.csv", "12,18\n"), ("b.csv", "5,10\n")]);
        fs::hard_link(folder.path("a.csv"), folder.path("hard.csv")).unwrap();
        symlink("a.csv", folder.path("soft.csv")).unwrap();
        for output in ["a.csv", "./a.csv", "hard.csv", "soft.csv"] {
            for input in ["a.csv", "hard.csv", "soft.csv"] {
                folder.run([executor, "-o", output, "b.csv", input], "").is(2, "", &refused(input));
            }
            let redirected = folder.shell(&format!("\"$0\" {executor} -o {output} < a.csv"));
            redirected.is(2, "", &refused("stdin"));
            let redirected = folder.shell(&format!("\"$0\" {executor} b.csv a.csv >> {output}"));
            redirected.is(2, "", &refused("a.csv"));
            let redirected = folder.shell(&format!("\"$0\" {executor} b.csv - < a.csv >> {output}"));
            redirected.is(2, "", &refused("stdin"));
        }
        assert_eq!(folder.read("a.csv"), "12,18\n");
        assert_eq!(folder.names(), ["a.csv", "b.csv", "hard.csv", "soft.csv"]);
        folder.shell(&format!("\"$0\" {executor} /dev/null < /dev/null > /dev/null")).is(0, "", "");
    }
}

#[test]
fn an_output_file_that_cannot_be_written_is_named() {
    for executor in EXECUTORS {
        let folder = Folder::with([("a.csv", "12,18\n"), ("fixed.csv", "before\n")]);
        let named = |output| folder.run([executor, "-o", output, "a.csv"], "");
        named("none/out.csv").is(2, "", "pmapgcd: none/out.csv: No such file or directory\n");
        named(".").is(2, "", "pmapgcd: .: Is a directory\n");
        folder.set_permissions("fixed.csv", 0o444);
        let mut command = folder.unprivileged();
        let fixed = run(command.args([executor, "-o", "fixed.csv", "a.csv"]).current_dir(&folder.0), "");
        fixed.is(2, "", "pmapgcd: fixed.csv: Permission denied\n");
        assert_eq!(folder.read("fixed.csv"), "before\n");
    }
}
