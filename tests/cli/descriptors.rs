//! Outputs that are named as descriptors, like `/dev/fd/3`, are written to as they were opened.

use crate::common::pmapgcd;
use crate::{EXECUTORS, Folder};
use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

const REJECTED: &str = "file,line,offset,field,reason,row\nbad.csv,1,0,,1 field where 2 are expected,x\n";

/// Names of descriptor 3, for a program that the shell has become.
const NAMES: [&str; 7] = [
    "/dev/fd/3",
    "/proc/self/fd/3",
    "/proc/thread-self/fd/3",
    "/proc/$$/fd/3",
    "/proc/$$/task/$$/fd/3",
    "/proc/self/../self/fd/../fd/3",
    "link",
];

fn folder() -> Folder {
    let folder = Folder::with([("a.csv", "12,18\n"), ("bad.csv", "x\n"), ("log", "held\n")]);
    symlink("deeper", folder.path("link")).unwrap();
    symlink("/dev/fd/3", folder.path("deeper")).unwrap();
    folder
}

#[test]
fn a_descriptor_is_appended_to_where_it_was_opened_so() {
    for executor in EXECUTORS {
        for name in NAMES {
            let folder = folder();
            // Another appends to the same file in between: an offset of our own would write over that.
            let script = format!(
                "echo other >> log; (exec \"$0\" {executor} -o \"{name}\" a.csv); echo later >&3; cat log; ls -A"
            );
            let names = "a.csv\nbad.csv\ndeeper\nlink\nlog\n";
            let finished = folder.shell(&format!("exec 3>>log; {}", script.replace("$$", "$(sh -c 'echo $PPID')")));
            finished.is(0, format!("held\nother\n6\nlater\n{names}"), "");
        }
    }
}

#[test]
fn a_descriptor_is_written_to_at_the_offset_that_it_has() {
    for executor in EXECUTORS {
        for (name, number) in [("/dev/fd/3", 3), ("/dev/stdout", 1), ("/dev/stderr", 2), ("/proc/self/fd/0", 0)] {
            let folder = folder();
            let run = format!("\"$0\" {executor} -o {name} a.csv");
            folder
                .shell(&format!("{{ echo before >&{number}; {run}; echo later >&{number}; }} {number}<>log"))
                .is(0, "", "");
            assert_eq!(folder.read("log"), "before\n6\nlater\n", "{name}");
        }
    }
}

#[test]
fn rejects_go_to_descriptors_in_the_same_way() {
    for executor in EXECUTORS {
        for name in ["/dev/fd/3", "/proc/thread-self/fd/3", "link"] {
            let folder = folder();
            let run = format!("\"$0\" {executor} --bad-rows skip --rejects {name} bad.csv");
            folder.shell(&format!("{{ {run} 2> messages; echo later >&3; }} 3>>log")).is(0, "", "");
            let rejected = REJECTED.replace("expected,x", "expected: \"\"x\"\"\",x").replace(",1 field", ",\"1 field");
            assert_eq!(folder.read("log"), format!("held\n{rejected}later\n"));
        }
    }
}

#[test]
fn a_descriptor_may_be_a_pipe_a_socket_or_a_file_that_has_no_name_any_more() {
    for executor in EXECUTORS {
        let folder = folder();
        let run = format!("\"$0\" {executor} -o /dev/fd/3 a.csv");
        folder.shell(&format!("{{ {run} 3>&1 >&4 | cat; }} 4>&1")).is(0, "6\n", "");
        folder.shell(&format!("exec 3<>gone; rm gone; {run}; ls gone; cat /dev/fd/3")).is(
            0,
            "6\n",
            "ls: cannot access 'gone': No such file or directory\n",
        );
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut command = pmapgcd([executor, "-o", "/dev/fd/0", "a.csv"]);
        command.current_dir(&folder.0).stdin(OwnedFd::from(ours));
        assert!(command.status().unwrap().success());
        // It holds the other end.
        drop(command);
        let mut text = String::new();
        theirs.read_to_string(&mut text).unwrap();
        assert_eq!(text, "6\n");
    }
}

/// What a child of this process is given: what has no flag to be closed when a program is started.
fn inherited() -> HashSet<i32> {
    let entries = fs::read_dir("/proc/self/fdinfo").unwrap().map(|entry| entry.unwrap());
    let is_kept = |text: &str| {
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        i32::from_str_radix(flags.trim(), 8).unwrap() & nix::libc::O_CLOEXEC == 0
    };
    let kept = entries.filter(|entry| fs::read_to_string(entry.path()).is_ok_and(|text| is_kept(&text)));
    kept.map(|entry| entry.file_name().to_str().unwrap().parse().unwrap()).collect()
}

#[test]
fn descriptors_that_the_program_was_not_started_with_are_none() {
    let inherited = inherited();
    for executor in EXECUTORS {
        let folder = folder();
        for number in (3..24).chain([1023, i32::MAX]).filter(|number| !inherited.contains(number)) {
            let expected =
                format!("pmapgcd: /dev/fd/{number}: this program was started without a descriptor {number}\n");
            let name = format!("/dev/fd/{number}");
            folder.run([executor, "-o", &name, "a.csv"], "").is(2, "", &expected);
            // Another output, and its folder, are open by then.
            let two = ["-o", "out.csv", "--bad-rows=skip", "--rejects", &name, "a.csv"];
            folder.run([executor].into_iter().chain(two), "").is(2, "", &expected);
        }
        for name in ["/dev/fd/x", "/dev/fd/03", "/dev/fd/-1", "/dev/fd/4294967299"] {
            let expected = format!("pmapgcd: {name}: No such file or directory\n");
            folder.run([executor, "-o", name, "a.csv"], "").is(2, "", &expected);
        }
        let closed = folder.shell(&format!("\"$0\" {executor} -o /dev/stdout a.csv >&-"));
        closed.is(2, "", "pmapgcd: /dev/stdout: this program was started without a descriptor 1\n");
        let closed = folder.shell(&format!("\"$0\" {executor} -o /dev/fd/0 a.csv <&-"));
        closed.is(2, "", "pmapgcd: /dev/fd/0: this program was started without a descriptor 0\n");
        assert_eq!(folder.read("log"), "held\n");
        assert!(!folder.path("out.csv").exists());
    }
}

#[test]
fn descriptors_that_are_not_open_for_writing_are_refused() {
    for executor in EXECUTORS {
        let folder = folder();
        let script = |script: &str| folder.shell(&script.replace("PMAPGCD", &format!("\"$0\" {executor}")));
        for what in ["log", ".", "/dev/null"] {
            let refused = script(&format!("PMAPGCD -o /dev/fd/3 a.csv 3< {what}"));
            refused.is(2, "", "pmapgcd: /dev/fd/3 is not open for writing\n");
        }
        script("PMAPGCD -o - a.csv 1< log").is(2, "", "pmapgcd: stdout is not open for writing\n");
        script("PMAPGCD a.csv 1< log").is(2, "", "pmapgcd: stdout is not open for writing\n");
        assert_eq!(folder.read("log"), "held\n");
    }
}

#[test]
fn a_file_that_another_process_has_open_is_not_replaced() {
    for executor in EXECUTORS {
        let folder = folder();
        let script = |script: &str| folder.shell(&script.replace("PMAPGCD", &format!("\"$0\" {executor}")));
        let refused = script("exec 3>>log; PMAPGCD -o /proc/$$/fd/3 a.csv 2> said; echo status $?; cut -d: -f3 said");
        refused.is(0, "status 2\n it is a file that another process has open; name the file itself\n", "");
        assert_eq!(folder.read("log"), "held\n");
        script("(PMAPGCD -o /proc/$$/fd/1 a.csv > /dev/null) | cat").is(0, "6\n", "");
    }
}

#[test]
fn a_descriptor_of_an_input_or_of_another_output_is_refused() {
    for executor in EXECUTORS {
        let folder = folder();
        let script = |script: &str| folder.shell(&script.replace("PMAPGCD", &format!("\"$0\" {executor}")));
        let both = "pmapgcd: log is both input and output; write to another file\n";
        script("PMAPGCD -o /dev/fd/3 log 3>>log").is(2, "", both);
        let skip = "PMAPGCD --bad-rows skip a.csv";
        let twice = |name: &str| format!("pmapgcd: {name} cannot be two outputs at once; write to another file\n");
        script(&format!("{skip} -o log --rejects /dev/fd/3 3>>log")).is(2, "", &twice("/dev/fd/3"));
        script(&format!("{skip} -o /dev/fd/3 --rejects log 3>>log")).is(2, "", &twice("log"));
        script(&format!("{skip} -o /dev/fd/3 --rejects /dev/fd/4 3>>log 4>>log")).is(2, "", &twice("/dev/fd/4"));
        assert_eq!(folder.read("log"), "held\n");
    }
}

#[test]
fn a_descriptor_that_another_has_made_non_blocking_loses_nothing() {
    for executor in EXECUTORS {
        let folder = folder();
        fs::write(folder.path("many.csv"), "12,18\nx\n".repeat(20_000)).unwrap();
        for (option, count) in [("--output", 20_000), ("--rejects", 20_001)] {
            let (mut ours, theirs) = std::io::pipe().unwrap();
            rustix::io::ioctl_fionbio(&theirs, true).unwrap();
            let mut command = pmapgcd([executor, "--bad-rows=skip", option, "/dev/fd/0", "many.csv"]);
            command.current_dir(&folder.0).stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            drop(command);
            let mut text = String::new();
            ours.read_to_string(&mut text).unwrap();
            assert_eq!((child.wait().unwrap().code(), text.lines().count()), (Some(1), count), "{option}");
        }
    }
}
