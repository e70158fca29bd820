//! Surroundings that are short of something, to run the binary in.

use super::{BINARY, Finished, Kind, eventually, input_and_output, is_alive, run};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

pub const EXECUTORS: [&str; 4] = ["serial", "threads", "pickle", "shared"];
/// The program with its arguments, in a shell's command.
pub const RUN: &str = r#""$0" "$@""#;
/// The shell command that sets up the default `/dev/shm`, of the size that a stock container has.
pub const STOCK: &str = "mount -t tmpfs -o size=64m shm /dev/shm";

/// Whether we may set up mounts of our own: we are root, and permitted to.
pub fn is_permitted() -> bool {
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", STOCK]).stderr(Stdio::null());
    let permitted = command.status().is_ok_and(|status| status.success());
    if !permitted {
        super::skipped("unshare -m and mount are not permitted here");
    }
    permitted
}

/// A folder that every user may read, with the program and some rows.
pub struct World {
    pub folder: TempDir,
    pub few: (Vec<u8>, Vec<u8>),
    pub many: (Vec<u8>, Vec<u8>),
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // Copied by another process: a file that this one has open for writing could not be run.
        assert!(Command::new("cp").arg(BINARY).arg(folder.path()).status().unwrap().success());
        let rows = |count| input_and_output(Kind::Wide.rows(6).take(count));
        World { folder, few: rows(3), many: rows(100_000) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a shell's command, in which [`RUN`] is the program, after this setup, which takes root. Names that are left
    /// in `/dev/shm` are put on stderr; processes that are left make this fail, and so does what takes a minute.
    #[track_caller]
    pub fn run(&self, setup: Option<&str>, command: &str, arguments: &[&str], stdin: &[u8]) -> Finished {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
        let mut timed = Command::new("timeout");
        timed.args(["-k", "1", "60"]).env("PMAPGCD_TEST_RUN", &mark).env_remove("RUST_BACKTRACE");
        match setup {
            Some(setup) => {
                let script = format!("{setup} || exit 99; {command}; status=$?; ls -A /dev/shm >&2; exit $status");
                timed.args(["unshare", "-m", "sh", "-c", &script]);
            }
            None => drop(timed.args(["sh", "-c", command])),
        }
        let finished = run(timed.arg(self.path("pmapgcd")).args(arguments).current_dir(self.folder.path()), stdin);
        let mark = format!("PMAPGCD_TEST_RUN={mark}\0");
        eventually("no process is left", || !is_marked(&mark));
        finished
    }

    /// How it goes with every executor, few and many rows, one worker, two and eight: `ends` hears of each run whether
    /// it is the whole output; where it is not, it is a part of it and one error, with status 2 or 3.
    #[track_caller]
    pub fn try_all(&self, setup: Option<&str>, command: &str, ends: impl Fn(Tried)) {
        for executor in EXECUTORS {
            for (is_few, (input, output)) in [(true, &self.few), (false, &self.many)] {
                for jobs in ["1", "2", "8"] {
                    let finished = self.run(setup, command, &["--executor", executor, "-j", jobs], input);
                    let is_whole = is_whole(&finished, output);
                    ends(Tried { executor, is_few, is_narrow: jobs != "8", is_whole, stderr: &finished.stderr });
                }
            }
        }
    }

    /// As [`World::try_all`], where nothing that is needed is missing.
    #[track_caller]
    pub fn answers(&self, setup: Option<&str>, command: &str) {
        self.try_all(setup, command, |tried| {
            assert!(tried.is_whole && tried.stderr.is_empty(), "{command}: {tried:?}")
        });
    }
}

/// A run, and how it ended.
#[derive(Debug)]
#[allow(dead_code)] // some are for the message only
pub struct Tried<'a> {
    pub executor: &'a str,
    pub is_few: bool,
    pub is_narrow: bool,
    pub is_whole: bool,
    pub stderr: &'a str,
}

/// Whether this is the whole output. Fails if it is neither that nor a part of it with an error.
#[track_caller]
pub fn is_whole(finished: &Finished, expected: &[u8]) -> bool {
    // Stderr must hold no panic, no message of the allocator or the shell, and no name left in /dev/shm.
    assert!(finished.stderr.lines().all(|line| line.starts_with("pmapgcd: ")), "{finished:?}");
    let (command, stdout) = (&finished.command, &finished.stdout);
    match finished.status.code() {
        Some(0) => assert!(stdout == expected, "{command}: {} bytes, {}", stdout.len(), finished.stderr),
        Some(2 | 3) => {
            let is_part = expected.starts_with(stdout) && stdout.last().is_none_or(|&byte| byte == b'\n');
            assert!(is_part && !finished.stderr.is_empty(), "{command}: {} bytes, {}", stdout.len(), finished.stderr);
        }
        _ => panic!("{command}: {}, {}", finished.status, finished.stderr),
    }
    finished.status.success()
}

/// Whether a process is alive that has this in its environment.
pub fn is_marked(mark: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap();
    let mut pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.any(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(mark.len()).any(|window| window == mark.as_bytes()) && is_alive(pid)
    })
}
