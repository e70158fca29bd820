//! A run under strace with files and a `/dev/shm` of its own, and how it must end.

use crate::calls::{is_injected, is_left_out};
use crate::common::world::STOCK;
use crate::common::{BINARY, Kind, euclid, eventually, is_alive};
use rustix::fs::{XattrFlags, getxattr, setxattr};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the files for results and for bad rows are before a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Before {
    /// They are not there.
    Nothing,
    /// They are there and are replaced. Owner, group, mode and an attribute must be kept.
    Files,
    /// They are mount points, which cannot be replaced: files of another file system.
    Mounts,
}

/// A way to run.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    executor: &'static str,
    is_from_pipe: bool,
    before: Before,
}

const fn way(executor: &'static str, is_from_pipe: bool, before: Before) -> Way {
    Way { executor, is_from_pipe, before }
}

/// How files come to their names does not depend on the executor.
pub const WAYS: [Way; 11] = [
    way("shared", false, Before::Nothing),
    way("shared", true, Before::Nothing),
    way("pickle", false, Before::Nothing),
    way("threads", true, Before::Nothing),
    way("serial", false, Before::Nothing),
    way("pickle", true, Before::Nothing),
    way("threads", false, Before::Nothing),
    way("serial", true, Before::Nothing),
    way("serial", false, Before::Files),
    way("shared", true, Before::Files),
    way("serial", false, Before::Mounts),
];

/// The contents of files that were there before.
const OLD: &str = "before\n";
const RESULTS: &str = "gcds.txt";
const REJECTS: &str = "bad.csv";
/// An extended attribute that those files have.
const ORIGIN: (&str, &[u8]) = ("user.origin", b"a scale");

/// The input, the output that it must give, and the folder for both.
pub struct Bench {
    folder: tempfile::TempDir,
    input: String,
    output: String,
    /// Whether files have extended attributes here.
    has_attributes: bool,
    /// The bad rows as `--rejects` has them, behind the name of their file.
    bad: Vec<String>,
}

/// What strace had fail, and how that ended.
pub struct Ended {
    way: Way,
    pub what: String,
    status: Option<ExitStatus>,
    pub stderr: String,
}

impl Bench {
    pub fn new() -> Self {
        let (mut input, mut output, mut bad) = (String::new(), String::new(), vec![]);
        for (number, (a, b)) in Kind::Wide.rows(12).take(3000).enumerate() {
            if number % 1000 == 7 {
                let (line, offset) = (number + 1, input.len());
                let reason =
                    r#""field 1 is not an integer: ""x""; decimal digits are expected, with or without a sign""#;
                bad.push(format!("{line},{offset},1,{reason},\"x,1\""));
                input.push_str("x,1\n");
            } else {
                writeln!(input, "{a},{b}").unwrap();
                writeln!(output, "{}", euclid(a, b)).unwrap();
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let has_attributes = setxattr(folder.path(), ORIGIN.0, ORIGIN.1, XattrFlags::empty()).is_ok();
        let bench = Bench { folder, input, output, has_attributes, bad };
        fs::write(bench.path("rows.csv"), &bench.input).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The records of so many bad rows.
    fn rejects(&self, way: Way, count: usize) -> String {
        let file = if way.is_from_pipe { "stdin" } else { "rows.csv" };
        let records = self.bad.iter().take(count).map(|bad| format!("{file},{bad}\n"));
        "file,line,offset,field,reason,row\n".to_string() + &records.collect::<String>()
    }

    /// Brings the folder for outputs into its state before a run.
    fn lay_out(&self, before: Before) {
        let _ = fs::remove_dir_all(self.path("out"));
        fs::create_dir(self.path("out")).unwrap();
        for name in [RESULTS, REJECTS].into_iter().filter(|_| before == Before::Files) {
            let path = self.path("out").join(name);
            fs::write(&path, OLD).unwrap();
            if self.has_attributes {
                setxattr(&path, ORIGIN.0, ORIGIN.1, XattrFlags::empty()).unwrap();
            }
            fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
            chown(&path, Some(1234), Some(5678)).unwrap();
        }
    }

    /// The program under strace with these options, in a `/dev/shm` of its own. What it leaves there is in `shm`, and what it
    /// leaves in `out` is in `kept`.
    fn traced(&self, way: Way, options: &[String]) -> Command {
        let mount = format!(
            "mkdir -p disk; mount -t tmpfs disk disk; for name in {RESULTS} {REJECTS}; do \
             printf '{}' > disk/$name; touch out/$name; mount --bind disk/$name out/$name || exit 99; done",
            OLD.escape_default()
        );
        let mount = if way.before == Before::Mounts { &*mount } else { "" };
        // Without descriptors that whoever runs the tests has left open. Where there are any, std forks to start workers, and
        // waits for a worker's end when the socket fails by which it hears that the worker was started.
        let close = "for n in /proc/$$/fd/*; do n=${n##*/}; [ $n -lt 3 ] || eval \"exec $n>&-\"; done";
        let script = format!(
            "{close}\n{STOCK} || exit 99\n{mount}\n\"$@\"; status=$?\n\
             du -k /dev/shm/* > shm 2> /dev/null; rm -rf kept; cp -r out kept; exit $status"
        );
        let mut command = Command::new("unshare");
        command.args(["-m", "bash", "-c", &script, "bash", "strace", "-f", "-qqq", "-o", "trace"]);
        command.args(options).arg(BINARY).args(["--executor", way.executor, "-j2", "--block-size=16K"]);
        command.arg("--bad-rows=skip").arg(format!("--rejects=out/{REJECTS}")).arg(format!("--output=out/{RESULTS}"));
        if way.is_from_pipe {
            command.stdin(Stdio::piped());
        } else {
            command.arg("rows.csv").stdin(Stdio::null());
        }
        command.current_dir(&self.folder).env_remove("RUST_BACKTRACE").env("PMAPGCD_TEST_RUN", self.folder.path());
        command.env("PMAPGCD_LEAST_WINDOW", "64");
        command
    }

    /// Which calls the program makes in this way, and how often its first thread makes each before it comes to `main`.
    pub fn calls(&self, way: Way) -> BTreeMap<String, usize> {
        let ended = self.run(way, &[], "nothing fails");
        assert_eq!(ended.status.and_then(|status| status.code()), Some(1), "{}: {}", ended.what, ended.stderr);
        assert_eq!(self.fault(&ended), None, "{}: {}", ended.what, ended.stderr);
        let trace = fs::read_to_string(self.path("trace")).unwrap();
        let mut calls = BTreeMap::new();
        let first = trace.split(' ').next().unwrap().to_string();
        let mut is_loaded = false;
        for line in trace.lines() {
            let mut words = line.split_whitespace();
            let thread = words.next().unwrap();
            let Some((call, _)) = words.next().and_then(|word| word.split_once('(')) else { continue };
            // The process was killed before strace could see which call it made.
            if call == "???" {
                continue;
            }
            // The first thing that std does, in the first thread.
            is_loaded |= line.contains("rt_sigaction(SIGPIPE");
            assert!(is_injected(call) || is_left_out(call), "a call that this test does not know: {line}");
            let before = calls.entry(call.to_string()).or_insert(0);
            *before += usize::from(thread == first && !is_loaded);
        }
        calls
    }

    /// A run in this way, with these options for strace, of which `what` says what they do.
    pub fn run(&self, way: Way, options: &[String], what: &str) -> Ended {
        self.lay_out(way.before);
        let stderr = File::create(self.path("stderr")).unwrap();
        let mut child = self.traced(way, options).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        if let Some(mut stdin) = child.stdin.take() {
            let input = self.input.clone();
            thread::spawn(move || std::io::Write::write_all(&mut stdin, input.as_bytes()));
        }
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match child.try_wait().unwrap() {
                None if Instant::now() > deadline => break None,
                None => thread::sleep(Duration::from_millis(2)),
                status => break status,
            }
        };
        let from = if way.is_from_pipe { "pipe" } else { "file" };
        let what = format!("{} from a {from} to {:?}: {what}", way.executor, way.before);
        if status.is_none() {
            for pid in self.processes() {
                let _ = kill_process(pid, Signal::KILL);
            }
            child.wait().unwrap();
        } else {
            eventually(&format!("no process is left after {what}"), || self.processes().is_empty());
        }
        let stderr = String::from_utf8_lossy(&fs::read(self.path("stderr")).unwrap()).into_owned();
        Ended { way, what, status, stderr }
    }

    /// The processes of this run that are alive.
    fn processes(&self) -> Vec<Pid> {
        let mark = format!("PMAPGCD_TEST_RUN={}\0", self.folder.path().display());
        let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let is_marked = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.windows(mark.len()).any(|window| window == mark.as_bytes()) && is_alive(*pid)
        };
        pids.filter(is_marked).filter_map(|pid: u32| Pid::from_raw(pid as i32)).collect()
    }

    /// Whether the files that were there have what they had beside their contents. The owner may be another.
    fn has_kept_all(&self) -> bool {
        [RESULTS, REJECTS].map(|name| self.path("out").join(name)).iter().all(|path| {
            let found = fs::metadata(path).unwrap();
            let is_origin_kept =
                !self.has_attributes || getxattr(path, ORIGIN.0, &mut [0; 100][..]) == Ok(ORIGIN.1.len());
            (found.gid(), found.mode() & 0o7777) == (5678, 0o640) && is_origin_kept
        })
    }

    /// What is wrong with how the run ended, if anything is.
    pub fn fault(&self, ended: &Ended) -> Option<String> {
        let Some(status) = ended.status else { return Some("it hangs".to_string()) };
        // Where stderr itself cannot be written to, nothing can be said.
        let is_silenced = ended.what.contains(": write fails");
        let fault = |text: &str| Some(format!("{text}: {status}"));
        let read = |name: &str| fs::read_to_string(self.path("kept").join(name)).ok();
        let (results, rejects) = (read(RESULTS), read(REJECTS));
        let entries = fs::read_dir(self.path("kept")).unwrap();
        let names: BTreeSet<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let is_left = |name: &String| ![RESULTS, REJECTS].contains(&&**name);
        let is_told = |name: &String| is_silenced || ended.stderr.contains(&format!("{name} is left beside it"));
        if names.iter().any(|name| is_left(name) && !is_told(name)) {
            return fault("a file is left");
        }
        // Where the file system says that it has no attributes, there are none to be kept.
        let is_without = ended.what.contains(": flistxattr fails with EOPNOTSUPP");
        if ended.way.before == Before::Files && !is_without && !self.has_kept_all() {
            return fault("what is beside the contents of a file is not kept");
        }
        let memory = fs::read_to_string(self.path("shm")).unwrap_or_default();
        if memory.lines().any(|line| !line.starts_with("0\t")) {
            return fault("shared memory is left");
        }
        if ["panicked at", "memory allocation of"].iter().any(|text| ended.stderr.contains(text)) {
            return fault("it panics");
        }
        // As before, or as it is to be. Bad rows are named whichever way a run ends, as far as it came.
        let before = (ended.way.before != Before::Nothing).then_some(OLD);
        let is_whole = |name: &str, found: &Option<String>, whole: &[String]| {
            let is_told = ended.stderr.contains(&format!("out/{name}: it cannot be replaced ("));
            // A file that is written in place may hold a part.
            let is_half = ended.way.before == Before::Mounts && (is_told || is_silenced);
            found.as_deref() == before || found.as_ref().is_some_and(|found| whole.contains(found)) || is_half
        };
        let some_rejects: Vec<String> = (0..=self.bad.len()).map(|count| self.rejects(ended.way, count)).collect();
        match status.code() {
            Some(1) if results.as_ref() != Some(&self.output) => fault("its results are not right"),
            Some(1) if rejects != Some(self.rejects(ended.way, self.bad.len())) => fault("its rejects are not right"),
            Some(1) => None,
            // All or nothing: the rejects may be what failed.
            Some(2 | 3) if !is_whole(RESULTS, &results, std::slice::from_ref(&self.output)) => {
                fault("a part is written")
            }
            Some(2 | 3) if !is_whole(REJECTS, &rejects, &some_rejects) => fault("a part of the rejects is written"),
            Some(2 | 3) if ended.stderr.trim().is_empty() && !is_silenced => fault("it says nothing"),
            Some(2 | 3) => None,
            None if is_silenced && status.signal() == Some(signal_hook::consts::SIGPIPE) => None,
            // bash says this of a child that was killed.
            Some(141) if is_silenced => None,
            _ => fault("it ends by an accident"),
        }
    }
}
