//! Makes system calls fail, with `strace`.

use super::shell;
use std::path::Path;
use std::process::{Command, Stdio};

/// Whether strace is installed and may trace; prints a note if not.
pub fn may_trace() -> bool {
    let mut command = Command::new("strace");
    command.args(["-o", "/dev/null", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    let may = command.status().is_ok_and(|status| status.success());
    if !may {
        super::skipped("there is no strace, or it may not trace");
    }
    may
}

/// A shell script in which `STRACE` is strace with this injection, for one process and not its children.
pub fn traced(script: &str, inject: &str) -> Command {
    let strace = format!("env LC_ALL=C strace -qqq -o trace {inject}");
    shell(&script.replace("STRACE", &strace))
}

/// Which of a program's calls of `name`, counted from 1, have this text in strace's line, where descriptors are shown with their
/// paths.
pub fn calls(folder: &Path, arguments: &[&str], name: &str, holding: &str) -> Vec<usize> {
    let mut command = Command::new("strace");
    command.args(["-qqq", "-y", "-s", "1", "-o", "trace", "-e"]).arg(format!("trace={name}"));
    let status = command.arg(super::BINARY).args(arguments).current_dir(folder).stderr(Stdio::null()).status();
    assert!(status.unwrap().code().is_some());
    let trace = std::fs::read_to_string(folder.join("trace")).unwrap();
    let start = format!("{name}(");
    let lines = trace.lines().filter(|line| line.starts_with(&start)).enumerate();
    lines.filter(|(_, line)| line.contains(holding)).map(|(at, _)| at + 1).collect()
}
