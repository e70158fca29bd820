//! The package of Python, `pmapgcd.Executor` and `pmapgcd.map_csv`: runs the tests in `tests/executor`, which are written in Python.

mod common;

use common::{BINARY, skipped};
use std::path::{Path, PathBuf};
use std::process::Command;

/// All interpreters of Python 3.9 or newer: those in `PATH`, the one that is `python3` first, and those of pyenv.
fn pythons() -> Vec<PathBuf> {
    let named = (9..=15).map(|minor| PathBuf::from(format!("python3.{minor}")));
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".pyenv")));
    let kept = root.and_then(|root| root.join("versions").read_dir().ok()).into_iter().flatten().flatten();
    let kept = kept.map(|version| version.path().join("bin/python3"));
    let mut found: Vec<(PathBuf, String)> = vec![];
    for path in [PathBuf::from("python3")].into_iter().chain(named).chain(kept) {
        let who = "import os, sys; assert sys.version_info >= (3, 9); print(os.path.realpath(sys.executable))";
        let Ok(done) = Command::new(&path).args(["-c", who]).output() else { continue };
        let real = String::from_utf8_lossy(&done.stdout).to_string();
        if done.status.success() && found.iter().all(|(_, other)| *other != real) {
            found.push((path, real));
        }
    }
    found.into_iter().map(|(path, _)| path).collect()
}

/// Runs one of the files. Fails if a test does, or if Python warns of anything.
#[track_caller]
fn passes(python: &Path, file: &str) {
    let mut path = vec![Path::new(BINARY).parent().unwrap().to_path_buf()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut command = Command::new(python);
    command.args(["-W", "error"]).arg(Path::new("tests/executor").join(file));
    command.env("PATH", std::env::join_paths(path).unwrap()).env_remove("PYTHONUNBUFFERED");
    let done = command.output().unwrap();
    let (output, error) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    print!("{}, {file}:\n{output}{error}", python.display());
    if done.status.code() == Some(77) {
        return skipped(output.lines().next().unwrap_or_default().trim_start_matches("skipped: "));
    }
    assert!(done.status.success(), "{file} with {}", python.display());
    assert!(!error.contains("Warning") && !error.contains("Exception ignored"), "{error}");
}

#[test]
fn calls_are_those_of_concurrent_futures_with_the_oldest_python_too() {
    // `PMAPGCD_PYTHONS=all cargo test --test executor` takes all others as well.
    let most = if std::env::var_os("PMAPGCD_PYTHONS").is_some() { usize::MAX } else { 2 };
    pythons().iter().take(most).for_each(|python| passes(python, "test_calls.py"));
}

#[test]
fn values_are_those_of_plain_map() {
    // In one Python alone, because it takes long: docs/testing.md has the command for others.
    passes(Path::new("python3"), "test_values.py");
}

#[test]
fn deaths_harm_their_own_call_alone() {
    passes(Path::new("python3"), "test_deaths.py");
}

#[test]
fn nothing_is_left_of_a_pool() {
    passes(Path::new("python3"), "test_ends.py");
}

#[test]
fn memory_is_flat() {
    passes(Path::new("python3"), "test_flat.py");
}

#[test]
fn arrays_and_frames_go_there_and_back() {
    passes(Path::new("python3"), "test_frames.py");
}

#[test]
fn rows_of_files_are_mapped() {
    passes(Path::new("python3"), "test_csv.py");
}

#[test]
fn the_tests_of_cpython_pass() {
    // It looks for a Python that has them by itself.
    passes(Path::new("python3"), "cpython.py");
}
