//! Tests of the built binary, as a user runs it.

#[path = "../common/mod.rs"]
mod common;

mod appended;
mod bad_rows;
mod bases;
mod closing;
mod columns;
mod descriptors;
mod hints;
mod inputs;
mod notations;
mod numbers;
mod output;
mod pipes;
mod policies;
mod ranges;
mod replacing;
mod returns;
mod rows;
mod usage;
mod workers;

use common::{Finished, Running, pmapgcd, run, shell};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

const EXECUTORS: [&str; 4] = ["--executor=serial", "--executor=threads", "--executor=pickle", "--executor=shared"];

/// Executors, numbers of workers and block sizes, in all combinations.
fn ways(sizes: &'static [&'static str]) -> impl Iterator<Item = [&'static str; 4]> {
    let executors = [["--executor", "serial"], ["-j", "1"], ["-j", "2"], ["-j", "4"]];
    executors.into_iter().flat_map(move |[how, value]| sizes.iter().map(move |size| [how, value, "--block-size", size]))
}

#[track_caller]
fn always(stdin: &[u8], status: i32, stdout: impl AsRef<[u8]>, stderr: &str) {
    for way in ways(&["64", "100", "128K"]) {
        run(&mut pmapgcd(way), stdin).is(status, &stdout, stderr);
    }
}

#[track_caller]
fn answers(stdin: &[u8], stdout: impl AsRef<[u8]>) {
    always(stdin, 0, stdout, "");
}

/// A folder to run in.
struct Folder(TempDir);

impl Folder {
    fn with<const N: usize>(files: [(&str, &str); N]) -> Self {
        let folder = Folder(tempfile::tempdir().unwrap());
        for (name, text) in files {
            fs::write(folder.path(name), text).unwrap();
        }
        folder
    }

    fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.0.path().join(name.as_ref())
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn make_fifo(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        path
    }

    fn names(&self) -> Vec<OsString> {
        let mut names: Vec<_> = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    fn permissions(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o7777
    }

    fn set_permissions(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    fn run(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>, stdin: &str) -> Finished {
        run(pmapgcd(arguments).current_dir(&self.0), stdin)
    }

    fn shell(&self, script: &str) -> Finished {
        run(shell(script).current_dir(&self.0), "")
    }

    fn start(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Running {
        Running::start(pmapgcd(arguments).current_dir(&self.0))
    }

    /// The program for a user whom permissions bind, which root is not.
    fn unprivileged(&self) -> Command {
        if !rustix::process::geteuid().is_root() {
            return pmapgcd([""; 0]);
        }
        let copy = self.path("pmapgcd");
        // By another process: a file that this one has open for writing could not be run.
        assert!(Command::new("cp").arg(common::BINARY).arg(&copy).status().unwrap().success());
        self.set_permissions(".", 0o777);
        let mut command = Command::new(copy);
        command.uid(65534).gid(65534);
        command
    }
}
