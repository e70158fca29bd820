//! `-o` with a file that exists: what is kept of the file, and what happens where it cannot be replaced.

use crate::common::strace::{calls, may_trace};
use crate::common::{BINARY, Running, eventually, run};
use crate::{EXECUTORS, Folder};
use rustix::fs::{XattrFlags, chown, getxattr, setxattr};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

const ACCESS: &str = "system.posix_acl_access";
const DEFAULT: &str = "system.posix_acl_default";

/// An access list as the system has it: the owner may read and write, user 65534 may read, the group and others nothing.
fn access_list() -> Vec<u8> {
    const ANYBODY: u32 = u32::MAX;
    let entries = [(1, 6, ANYBODY), (2, 4, 65534), (4, 0, ANYBODY), (16, 4, ANYBODY), (32, 0, ANYBODY)];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, who) in entries {
        list.extend([&u16::to_le_bytes(tag)[..], &u16::to_le_bytes(rights), &u32::to_le_bytes(who)].concat());
    }
    list
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 1000];
    let length = getxattr(path, name, &mut value[..]).ok()?;
    value.truncate(length);
    Some(value)
}

/// Gives a file an attribute, and answers whether there can be such a thing here.
fn give(path: &Path, name: &str, value: &[u8]) -> bool {
    match setxattr(path, name, value, XattrFlags::empty()) {
        Ok(()) => true,
        Err(Errno::NOTSUP) => {
            crate::common::skipped(&format!("there is no {name} in {}", path.display()));
            false
        }
        Err(error) => panic!("{name} of {}: {error}", path.display()),
    }
}

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        crate::common::skipped("only root can give files away");
    }
    is_root
}

/// Whether we may mount what only our own processes see.
fn may_mount() -> bool {
    let mut command = Command::new("unshare");
    command.args(["-m", "true"]).stderr(Stdio::null());
    let may = command.status().is_ok_and(|status| status.success());
    if !may {
        crate::common::skipped("unshare -m is not permitted here");
    }
    may
}

fn folder() -> Folder {
    Folder::with([("a.csv", "12,18\n"), ("bad.csv", "5,10\nx\n"), ("out.csv", "a longer text than the result\n")])
}

/// What is said when a file is written in place.
fn told(name: &str, why: &str) -> String {
    format!("pmapgcd: {name}: it cannot be replaced ({why}), so it is written in place\n")
}

#[test]
fn a_file_that_is_replaced_keeps_its_owner_mode_access_list_and_attributes() {
    for executor in EXECUTORS {
        for (option, is_rejected) in [("-o", false), ("--rejects", true)] {
            let folder = folder();
            let path = folder.path("out.csv");
            for mode in [0o600, 0o666, 0o755, 0o1640] {
                folder.set_permissions("out.csv", mode);
                let before = fs::metadata(&path).unwrap();
                let has_list = give(&path, ACCESS, &access_list());
                let has_attribute = give(&path, "user.origin", b"a scale");
                if rustix::process::geteuid().is_root() {
                    chown(&path, Some(Uid::from_raw(1234)), Some(Gid::from_raw(5678))).unwrap();
                }
                let (kept, mode) = (fs::metadata(&path).unwrap(), folder.permissions("out.csv"));
                let finished = folder.run([executor, "--bad-rows=skip", option, "out.csv", "bad.csv"], "");
                assert_eq!(finished.stderr.lines().count(), 2, "{finished:?}");
                assert!(folder.read("out.csv").starts_with(if is_rejected { "file,line" } else { "5\n" }));
                let found = fs::metadata(&path).unwrap();
                assert_ne!(found.ino(), before.ino(), "it is replaced");
                assert_eq!((found.uid(), found.gid()), (kept.uid(), kept.gid()));
                assert_eq!(folder.permissions("out.csv"), mode);
                assert_eq!(attribute(&path, ACCESS), has_list.then(access_list));
                assert_eq!(attribute(&path, "user.origin"), has_attribute.then(|| b"a scale".to_vec()));
            }
        }
    }
}

#[test]
fn a_file_without_an_access_list_is_not_given_that_of_new_files_in_its_folder() {
    for executor in EXECUTORS {
        let folder = folder();
        folder.set_permissions("out.csv", 0o640);
        if !give(folder.0.path(), DEFAULT, &access_list()) {
            return;
        }
        for name in ["out.csv", "new.csv"] {
            folder.run([executor, "-o", name, "a.csv"], "").is(0, "", "");
        }
        assert_eq!((attribute(&folder.path("out.csv"), ACCESS), folder.permissions("out.csv")), (None, 0o640));
        assert_eq!(attribute(&folder.path("new.csv"), ACCESS), Some(access_list()), "as any new file");
    }
}

#[test]
fn what_changes_beside_the_contents_during_the_run_is_kept() {
    for executor in EXECUTORS {
        let folder = folder();
        let mut running = folder.start([executor, "-o", "out.csv"]);
        running.send("12,18\n");
        running.writes("6\n");
        folder.set_permissions("out.csv", 0o600);
        running.finish().is(0, "", "");
        assert_eq!((folder.read("out.csv"), folder.permissions("out.csv")), ("6\n".to_string(), 0o600));
    }
}

#[test]
fn the_group_keeps_its_rights_where_a_file_is_not_ours_and_others_get_none() {
    if !is_root() {
        return;
    }
    for executor in EXECUTORS {
        let folder = folder();
        let path = folder.path("out.csv");
        let replaced = |owner, group, mode| {
            fs::write(&path, "before\n").unwrap();
            folder.set_permissions("out.csv", mode);
            chown(&path, Some(Uid::from_raw(owner)), Some(Gid::from_raw(group))).unwrap();
            let mut command = folder.unprivileged();
            let finished = run(command.args([executor, "-o", "out.csv", "a.csv"]).current_dir(&folder.0), "");
            assert_eq!(folder.read("out.csv"), "6\n");
            let found = fs::metadata(&path).unwrap();
            assert_eq!(folder.permissions("out.csv"), mode);
            fs::remove_file(&path).unwrap();
            (found.uid(), found.gid(), finished.stderr)
        };
        // A group of ours: it becomes our file, with all the rights that it had.
        assert_eq!(replaced(1234, 65534, 0o664), (65534, 65534, String::new()));
        // A group that we may not give it to: the old file is written to.
        assert_eq!(replaced(1234, 5678, 0o666), (1234, 5678, told("out.csv", "Operation not permitted")));
    }
}

#[test]
fn a_file_that_cannot_be_replaced_is_written_in_place() {
    if !may_trace() {
        return;
    }
    for executor in EXECUTORS {
        let folder = folder();
        let ino = fs::metadata(folder.path("out.csv")).unwrap().ino();
        let why = [
            ("EPERM", "Operation not permitted"),
            ("EACCES", "Permission denied"),
            ("EXDEV", "Invalid cross-device link"),
            ("EBUSY", "Device or resource busy"),
            ("ENOSYS", "Function not implemented"),
        ];
        for (error, why) in why {
            for (call, name) in [("linkat", "out.csv"), ("linkat", "new.csv"), ("rename,renameat,renameat2", "out.csv")]
            {
                for (option, input) in [("--output", "a.csv"), ("--rejects", "bad.csv")] {
                    let _ = fs::remove_file(folder.path("new.csv"));
                    let mut strace = Command::new("strace");
                    strace.args(["-qqq", "-o", "/dev/null", "-e", &format!("inject={call}:error={error}")]);
                    strace.args([BINARY, executor, "--bad-rows=skip", option, name, input]).current_dir(&folder.0);
                    let finished = run(&mut strace, "");
                    assert_eq!(finished.stderr.matches(&told(name, why)).count(), 1, "{finished:?}");
                    assert_eq!(finished.status.code(), Some(if input == "a.csv" { 0 } else { 1 }));
                    let expected = if option == "--output" { "6\n" } else { "file,line," };
                    assert!(folder.read(name).starts_with(expected), "{finished:?}");
                    assert!(!folder.names().iter().any(|name| name.to_str().unwrap().starts_with(".pmapgcd")));
                }
            }
        }
        assert_eq!(fs::metadata(folder.path("out.csv")).unwrap().ino(), ino);
    }
}

#[test]
fn a_file_stays_as_it_was_where_it_is_the_disk_that_fails() {
    if !may_trace() {
        return;
    }
    for executor in EXECUTORS {
        for (error, why) in [("EIO", "Input/output error"), ("ENOSPC", "No space left on device")] {
            for call in ["linkat", "rename,renameat,renameat2"] {
                let folder = folder();
                let mut strace = Command::new("strace");
                strace.args(["-qqq", "-o", "/dev/null", "-e", &format!("inject={call}:error={error}")]);
                strace.args([BINARY, executor, "-o", "out.csv", "a.csv"]).current_dir(&folder.0);
                run(&mut strace, "").is(2, "", &format!("pmapgcd: out.csv: {why}\n"));
                assert_eq!(folder.read("out.csv"), "a longer text than the result\n");
                assert_eq!(folder.names(), ["a.csv", "bad.csv", "out.csv"]);
            }
        }
    }
}

#[test]
fn a_temporary_name_that_cannot_be_taken_away_is_told() {
    if !may_trace() {
        return;
    }
    // `shared` takes the name of its memory away by the same call.
    for executor in EXECUTORS.into_iter().filter(|executor| !executor.contains("shared")) {
        let folder = folder();
        let mut strace = Command::new("strace");
        strace.args(["-qqq", "-o", "/dev/null", "-e", "inject=rename,renameat,renameat2:error=EBUSY"]);
        strace.args(["-e", "inject=unlinkat:error=EPERM", BINARY, executor, "-o", "out.csv", "a.csv"]);
        let finished = run(strace.current_dir(&folder.0), "");
        let names = folder.names();
        let left = names.iter().find_map(|name| name.to_str().filter(|name| name.starts_with(".pmapgcd-"))).unwrap();
        let left = format!("pmapgcd: out.csv: {left} is left beside it: Operation not permitted\n");
        finished.is(0, "", &(told("out.csv", "Device or resource busy") + &left));
        assert_eq!(folder.read("out.csv"), "6\n");
    }
}

/// Runs a script where it may mount.
fn mounting(folder: &Folder, script: &str) -> crate::Finished {
    let mut command = Command::new("unshare");
    run(command.args(["-m", "sh", "-ec", script, BINARY]).current_dir(&folder.0), "")
}

#[test]
fn a_mount_point_is_written_in_place() {
    if !may_mount() {
        return;
    }
    for executor in EXECUTORS {
        let folder = folder();
        fs::write(folder.path("point"), "").unwrap();
        let mount = "mount --bind out.csv point";
        let finished = mounting(&folder, &format!("{mount}; \"$0\" {executor} -o point a.csv; cat point"));
        finished.is(0, "6\n", &told("point", "Device or resource busy"));
        assert_eq!((folder.read("out.csv"), folder.read("point")), ("6\n".to_string(), String::new()));

        let skip = format!("\"$0\" {executor} --bad-rows=skip --rejects point bad.csv 2>&1 || cut -c -9 point");
        let finished = mounting(&folder, &format!("{mount}; {skip}"));
        let row = "pmapgcd: bad.csv:2: 1 field where 2 are expected: \"x\"\n";
        let told = told("point", "Device or resource busy");
        // What is said of the row may come before or after the result.
        let lines = |text: &str| std::collections::BTreeSet::from_iter(text.lines().map(str::to_owned));
        let expected = format!("{row}5\n{told}pmapgcd: 1 bad row\nfile,line\nbad.csv,2\n");
        assert_eq!(lines(&String::from_utf8(finished.stdout).unwrap()), lines(&expected));
        assert_eq!(folder.names(), ["a.csv", "bad.csv", "out.csv", "point"]);

        // A file of its own in a folder that is not written to, as in containers.
        let script = "mkdir inside; touch inside/out.csv; mount --bind inside inside; mount --bind out.csv inside/out.csv; \
            mount -o remount,ro,bind inside; ";
        let finished =
            mounting(&folder, &format!("{script} \"$0\" {executor} -o inside/out.csv a.csv; cat inside/out.csv"));
        finished.is(0, "6\n", &self::told("inside/out.csv", "Read-only file system"));
        fs::remove_dir_all(folder.path("inside")).unwrap();
        let nowhere =
            mounting(&folder, &format!("{script} TMPDIR=/none \"$0\" {executor} -o inside/out.csv nothing.csv"));
        let expected = "pmapgcd: inside/out.csv: no file can be made beside it (Read-only file system), and none in /none \
            (No such file or directory); set TMPDIR\n";
        nowhere.is(2, "", expected);
        fs::remove_dir_all(folder.path("inside")).unwrap();
        // And where it can neither be replaced nor written to, no row is read.
        let read_only = "mount -o remount,ro,bind point";
        let refused = mounting(&folder, &format!("{mount}; {read_only}; \"$0\" {executor} -o point nothing.csv"));
        refused.is(2, "", "pmapgcd: point: Read-only file system\n");
    }
}

#[test]
fn a_file_in_place_stays_as_it_was_where_there_is_no_room() {
    if !may_mount() {
        return;
    }
    for executor in EXECUTORS {
        let folder = folder();
        fs::write(folder.path("many.csv"), "12,18\n".repeat(200_000)).unwrap();
        let script = "mkdir small; mount -t tmpfs -o size=64k small small; touch point; echo before > small/file; \
            mount --bind small/file point";
        let finished = mounting(&folder, &format!("{script}; \"$0\" {executor} -o point many.csv || cat point"));
        let told = told("point", "Device or resource busy");
        finished.is(0, "before\n", &format!("{told}pmapgcd: point: No space left on device\n"));
    }
}

#[test]
fn a_file_of_another_in_a_sticky_folder_is_written_in_place() {
    if !is_root() {
        return;
    }
    for executor in EXECUTORS {
        let folder = folder();
        let path = folder.path("out.csv");
        let mut command = folder.unprivileged();
        chown(folder.0.path(), Some(Uid::from_raw(1234)), None).unwrap();
        folder.set_permissions(".", 0o1777);
        folder.set_permissions("out.csv", 0o666);
        chown(&path, Some(Uid::from_raw(1235)), Some(Gid::from_raw(65534))).unwrap();
        let finished = run(command.args([executor, "-o", "out.csv", "a.csv"]).current_dir(&folder.0), "");
        finished.is(0, "", &told("out.csv", "Operation not permitted"));
        assert_eq!((folder.read("out.csv"), fs::metadata(&path).unwrap().uid()), ("6\n".to_string(), 1235));
        assert_eq!(folder.names(), ["a.csv", "bad.csv", "out.csv", "pmapgcd"]);
    }
}

#[test]
fn a_file_in_a_folder_that_takes_no_other_is_written_in_place_when_all_is_done() {
    for executor in EXECUTORS {
        let folder = folder();
        let mut command = folder.unprivileged();
        command.current_dir(&folder.0).args([executor, "-o"]);
        let again = || {
            let mut again = Command::new(command.get_program());
            again.args(command.get_args()).current_dir(&folder.0);
            if is_root() {
                use std::os::unix::process::CommandExt;
                again.uid(65534).gid(65534);
            }
            again
        };
        folder.set_permissions("out.csv", 0o666);
        folder.set_permissions(".", 0o555);
        run(again().args(["new.csv", "nothing.csv"]), "").is(2, "", "pmapgcd: new.csv: Permission denied\n");
        let mut running = Running::start(again().arg("out.csv"));
        running.send("12,18\n");
        running.writes("6\n");
        running.child.kill().unwrap();
        assert_eq!(running.end().status.signal(), Some(9));
        assert_eq!(folder.read("out.csv"), "a longer text than the result\n", "a run that is killed changes nothing");
        run(again().args(["out.csv", "a.csv"]), "").is(0, "", &told("out.csv", "Permission denied"));
        assert_eq!(folder.read("out.csv"), "6\n");
        folder.set_permissions("out.csv", 0o444);
        run(again().args(["out.csv", "nothing.csv"]), "").is(2, "", "pmapgcd: out.csv: Permission denied\n");
        folder.set_permissions(".", 0o777);
    }
}

#[test]
fn file_systems_without_unnamed_files_have_a_temporary_name() {
    if !may_trace() {
        return;
    }
    for executor in EXECUTORS {
        let folder = folder();
        folder.set_permissions("out.csv", 0o604);
        let arguments = [executor, "-o", "out.csv", "a.csv"];
        let number = calls(folder.0.path(), &arguments, "openat", "O_TMPFILE")[0];
        let inject = format!("inject=openat:error=EOPNOTSUPP:when={number}");
        let traced = |more: &[&str]| {
            let mut strace = Command::new("strace");
            strace.args(["-qqq", "-o", "/dev/null", "-e", &inject]).args(more);
            strace.arg(BINARY).args(arguments).current_dir(&folder.0);
            run(&mut strace, "")
        };
        traced(&[]).is(0, "", "");
        assert_eq!((folder.read("out.csv"), folder.permissions("out.csv")), ("6\n".to_string(), 0o604));
        let refused = traced(&["-e", "inject=rename,renameat,renameat2:error=EBUSY"]);
        refused.is(0, "", &told("out.csv", "Device or resource busy"));
        fs::remove_file(folder.path("trace")).unwrap();
        assert_eq!(folder.names(), ["a.csv", "bad.csv", "out.csv"]);
    }
}

#[test]
fn other_names_of_a_file_keep_what_it_held() {
    for executor in EXECUTORS {
        let folder = folder();
        fs::hard_link(folder.path("out.csv"), folder.path("other.csv")).unwrap();
        folder.run([executor, "-o", "out.csv", "a.csv"], "").is(0, "", "");
        assert_eq!(folder.read("out.csv"), "6\n");
        assert_eq!(folder.read("other.csv"), "a longer text than the result\n");
        fs::hard_link(folder.path("out.csv"), folder.path("third.csv")).unwrap();
        let twice = ["--bad-rows=skip", "-o", "out.csv", "--rejects", "third.csv", "a.csv"];
        let finished = folder.run([executor].into_iter().chain(twice), "");
        finished.is(2, "", "pmapgcd: third.csv cannot be two outputs at once; write to another file\n");
    }
}

#[test]
fn links_lead_from_folder_to_folder_and_not_in_circles() {
    for executor in EXECUTORS {
        let folder = folder();
        fs::create_dir_all(folder.path("one/two")).unwrap();
        fs::create_dir(folder.path("three")).unwrap();
        symlink("one/two", folder.path("short")).unwrap();
        symlink("short/link", folder.path("link")).unwrap();
        symlink("../../three/file", folder.path("one/two/link")).unwrap();
        folder.run([executor, "-o", "link", "a.csv"], "").is(0, "", "");
        assert_eq!(folder.read("three/file"), "6\n");
        symlink("circle", folder.path("circle")).unwrap();
        let refused = folder.run([executor, "-o", "circle", "nothing.csv"], "");
        refused.is(2, "", "pmapgcd: circle: Too many levels of symbolic links\n");
        for (name, why) in [("link/", "Not a directory"), ("new/", "Is a directory"), ("..", "Is a directory")] {
            let expected = format!("pmapgcd: {name}: {why}\n");
            folder.run([executor, "-o", name, "nothing.csv"], "").is(2, "", &expected);
        }
    }
}

#[test]
fn what_comes_or_goes_under_the_name_during_the_run_loses_no_results() {
    for executor in EXECUTORS {
        let folder = folder();
        fs::create_dir(folder.path("here")).unwrap();
        let mut new = folder.start([executor, "-o", "new.csv"]);
        let mut gone = folder.start([executor, "-o", "out.csv"]);
        let mut moved = folder.start([executor, "-o", "here/out.csv"]);
        let all = [&mut new, &mut gone, &mut moved];
        all.into_iter().for_each(|running| running.send("12,18\n"));
        for (running, name) in [(&new, "."), (&gone, "."), (&moved, "here")] {
            let looks_at = folder.path(name).canonicalize().unwrap();
            let entries = || fs::read_dir(format!("/proc/{}/fd", running.child.id())).into_iter().flatten().flatten();
            let is_open = || entries().any(|entry| fs::read_link(entry.path()).is_ok_and(|open| open == looks_at));
            eventually("the folder of the output is open", is_open);
        }
        fs::write(folder.path("new.csv"), "something else\n").unwrap();
        fs::remove_file(folder.path("out.csv")).unwrap();
        fs::rename(folder.path("here"), folder.path("there")).unwrap();
        [new, gone, moved].into_iter().for_each(|running| running.finish().is(0, "", ""));
        for name in ["new.csv", "out.csv", "there/out.csv"] {
            assert_eq!(folder.read(name), "6\n");
        }
        assert_eq!(folder.names(), ["a.csv", "bad.csv", "new.csv", "out.csv", "there"]);
    }
}

#[test]
fn a_fifo_is_written_to_as_it_is() {
    for executor in EXECUTORS {
        let folder = folder();
        folder.make_fifo("fifo");
        let finished = folder.shell(&format!("cat fifo & \"$0\" {executor} -o fifo a.csv; wait"));
        finished.is(0, "6\n", "");
        let rejects = format!("\"$0\" {executor} --bad-rows=skip --rejects fifo bad.csv > out.csv 2> said");
        let finished = folder.shell(&format!("cut -c -9 fifo & {rejects}; wait"));
        finished.is(0, "file,line\nbad.csv,2\n", "");
    }
}
