//! Runs the commands that README.md, the pages in `docs/` and that in `examples/real/` show, and compares their output with what the page shows.
//!
//! A `console` block is a dialogue: commands after `$ ` (continued after `> `), each followed by everything that a terminal
//! would show. A `sh` block holds commands that must end with status 0; their output is not compared. Each block is run by a
//! bash of its own. All blocks of a page are run in the same folder, in their order on the page.
//!
//! `SNAPSHOTS=overwrite cargo test --test documented` replaces the output in the pages by today's.

mod common;

use common::{BINARY, Kind, input_and_output, run};
use snapbox::Data;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The pages whose commands are run.
const PAGES: [&str; 17] = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/install.md",
    "docs/options.md",
    "docs/rows.md",
    "docs/commands.md",
    "docs/kernels.md",
    "docs/rust.md",
    "docs/python.md",
    "docs/recipes.md",
    "docs/sharing.md",
    "docs/speed.md",
    "docs/clusters.md",
    "docs/scaling.md",
    "docs/guarantees.md",
    "docs/testing.md",
    "examples/real/README.md",
];

/// Commands of `sh` blocks that this test does not run, because they take too long or need what this machine may not have.
/// Each entry has how the command begins, the file that runs it in a short form, and a text in that file that shows it.
const ELSEWHERE: [(&str, &str, &str); 26] = [
    ("cat examples/pairs.csv | cargo run --release -q -- -j 4", ".ci/run", "cargo run --release -q -- -j 4"),
    ("cargo build --release", "packaging/deb", "cargo build --release"),
    ("tests/all", ".ci/run", "\ntests/all "),
    ("cargo test", "tests/all", "cargo test --no-run"),
    ("cargo install --locked --path .", "tests/package", "cargo install --locked --path ."),
    ("pip install maturin", "tests/wheel", "install --quiet 'maturin"),
    ("pip install \"$(packaging/wheel)\"", "tests/wheel", "packaging/wheel"),
    ("cp \"$(packaging/static)\"", "tests/static", "packaging/static"),
    ("sudo dpkg --install \"$(packaging/deb)\"", "tests/package", "package=$(packaging/deb)"),
    ("pmapgcd --compare -j 2 --plot docs/sharing.svg small.csv", "tests/compare.rs", "--plot"),
    ("cargo run --release -q --example generate -- ", "tests/clusters", "GENERATE, \"--rows\""),
    ("cargo run --release -q --example item_41", "tests/examples.rs", "item_41"),
    ("cargo run --release -q --example collatz", "tests/examples.rs", "collatz"),
    ("PMAPGCD_CHAOS_SECONDS=600 ", "tests/chaos.rs", "PMAPGCD_CHAOS_SECONDS"),
    ("PMAPGCD_INJECTED=all ", "tests/injected/main.rs", "PMAPGCD_INJECTED"),
    ("fuzz/smoke", ".ci/run", "fuzz/smoke"),
    ("RUSTC_BOOTSTRAP=1 cargo fuzz run decoder ", "fuzz/Cargo.toml", "name = \"decoder\""),
    ("LOOM_MAX_PREEMPTIONS=2 ", ".ci/run", "LOOM_MAX_PREEMPTIONS=2"),
    ("benches/peers ", ".ci/run", "benches/peers --quick"),
    ("cargo bench --bench stages", "Cargo.toml", "name = \"stages\""),
    ("pip install 'dask[distributed]'", "tests/clusters", "dask[distributed]"),
    ("examples/dask_cluster.py ", "tests/clusters", "dask_cluster.py"),
    ("pip install pyspark", "tests/clusters", "pyspark"),
    ("examples/spark_pipe.py ", "tests/clusters", "spark_pipe.py"),
    ("PMAPGCD_ROUNDS=1000 ", "tests/executor.rs", "test_values.py"),
    ("python3 tests/executor/cpython.py", "tests/executor.rs", "cpython.py"),
];

/// Programs that a block may use and that may be missing, each with a shell command that tests for it. A block that uses a
/// missing program is skipped.
const OPTIONAL: [(&str, &str); 4] = [
    ("parallel", "command -v parallel"),
    ("zstd", "command -v zstd"),
    ("man", "command -v man"),
    ("systemd-run", "test -d /run/systemd/system"),
];

#[test]
fn dialogues_and_commands_of_the_pages_are_as_they_are_shown() {
    for page in PAGES {
        let place = Place::new();
        let text = fs::read_to_string(page).unwrap();
        let replayed = place.replayed(page, &text);
        let compared = snapbox::Assert::new().action_env("SNAPSHOTS").normalize_paths(false);
        compared.eq(replayed, Data::read_from(Path::new(page), None));
    }
}

#[test]
fn what_is_run_elsewhere_is_there_and_is_documented() {
    let pages = PAGES.map(|page| fs::read_to_string(page).unwrap()).concat();
    for (command, file, text) in ELSEWHERE {
        assert!(pages.contains(&format!("\n{command}")), "no page has {command}");
        assert!(fs::read_to_string(file).unwrap().contains(text), "{file} has no {text:?}, which is to try {command}");
    }
}

#[test]
fn each_option_of_the_help_has_an_example() {
    let help = String::from_utf8(run(&mut common::pmapgcd(["--help"]), "").stdout).unwrap();
    let page = fs::read_to_string("docs/options.md").unwrap();
    let commands: Vec<&str> = page.lines().filter(|line| line.starts_with("$ ") && line.contains("pmapgcd")).collect();
    let is_tried = |option: &str| {
        let ends = |rest: &str| !rest.starts_with(|next: char| next == '-' || next.is_ascii_alphanumeric());
        commands.iter().any(|line| line.match_indices(option).any(|(at, _)| ends(&line[at + option.len()..])))
    };
    let options: Vec<&str> = help
        .lines()
        .filter(|line| line.trim_start().starts_with('-'))
        .filter_map(|line| line.find("--").map(|at| &line[at..]))
        .map(|line| line.split(|end: char| end != '-' && !end.is_ascii_alphanumeric()).next().unwrap())
        .collect();
    assert!(options.len() > 30 && options.contains(&"--algorithm"), "{options:?}");
    let missing: Vec<_> = options.iter().filter(|option| !is_tried(option)).collect();
    assert!(missing.is_empty(), "docs/options.md has no example of {missing:?}");
}

/// The folder in which the blocks of a page are run. It holds the files that they need, and a folder `bin` with a stand-in
/// for ssh, which comes first in their PATH.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        fs::create_dir(folder.path().join("include")).unwrap();
        fs::copy("include/pmap_kernel.h", folder.path().join("include/pmap_kernel.h")).unwrap();
        for real in fs::read_dir("examples/real").unwrap().map(|real| real.unwrap()) {
            fs::copy(real.path(), folder.path().join(real.file_name())).unwrap();
        }
        file("pairs.csv", b"12,18\n1963309,2265973\n5,10\n");
        fs::copy("examples/screens.csv", folder.path().join("screens.csv")).unwrap();
        file("small.csv", &input_and_output(Kind::Small.rows(1).take(5000)).0);
        // The pages use machines that do not exist: this ssh runs their commands on this machine.
        file("bin/ssh", b"#!/bin/sh\nwhile [ \"${1#-}\" != \"$1\" ]; do shift; done\nshift\n[ \"$1\" != -- ] || shift\nexec sh -c \"$*\"\n");
        fs::set_permissions(folder.path().join("bin/ssh"), fs::Permissions::from_mode(0o755)).unwrap();
        Place(folder)
    }

    /// The page, with the output of its commands replaced by today's.
    fn replayed(&self, page: &str, text: &str) -> String {
        let mut replayed = String::new();
        let mut lines = text.split_inclusive('\n');
        while let Some(line) = lines.next() {
            replayed += line;
            let kind = line.trim();
            if ["```c", "```rust", "```python"].contains(&kind) {
                let block: String = lines.by_ref().take_while(|line| line.trim() != "```").collect();
                self.source(&block);
                replayed += &format!("{block}```\n");
                continue;
            }
            if kind != "```console" && kind != "```sh" {
                continue;
            }
            let mut block = String::new();
            let end = lines.by_ref().find(|line| {
                let is_end = line.trim() == "```";
                block += if is_end { "" } else { line };
                is_end
            });
            match kind {
                "```console" => block = self.dialogue(&block),
                _ => self.commands(page, &block),
            }
            replayed += &block;
            replayed += end.unwrap_or_default();
        }
        replayed
    }

    /// Writes a block of source to the file that its first line names, for the dialogues that follow.
    fn source(&self, block: &str) {
        let first = block.lines().next().unwrap_or_default();
        let name = first.trim_start_matches(['/', '*', '#', ' ']).trim_end_matches(['/', '*', ' ']);
        if [".c", ".rs", ".py"].iter().any(|end| name.ends_with(end)) {
            fs::write(self.0.path().join(name), block).unwrap();
        }
    }

    /// The block with today's output; the block as it is, where a program that it uses is missing.
    fn dialogue(&self, block: &str) -> String {
        if is_skipped(block) {
            return block.to_string();
        }
        let mut commands: Vec<String> = vec![];
        for line in block.split_inclusive('\n') {
            match (line.strip_prefix("$ "), line.strip_prefix("> "), commands.last_mut()) {
                (Some(command), ..) => commands.push(command.to_string()),
                (None, Some(more), Some(command)) => *command += more,
                _ => {}
            }
        }
        let script: String = commands.iter().map(|command| format!("{command}printf '\\036'\n")).collect();
        let (_, shown) = self.bash(&script);
        let shown: Vec<&str> = shown.split_terminator('\x1e').collect();
        assert_eq!(shown.len(), commands.len(), "{block}{shown:?}");
        let both = commands.iter().zip(shown);
        both.map(|(command, shown)| format!("$ {}{shown}", command.trim_end().replace('\n', "\n> ") + "\n")).collect()
    }

    /// Runs the commands of a `sh` block, and panics if one of them fails.
    fn commands(&self, page: &str, block: &str) {
        let mut script = String::from("set -e\n");
        for command in split(block) {
            if !ELSEWHERE.iter().any(|(elsewhere, ..)| command.starts_with(elsewhere)) {
                script += &command;
            }
        }
        if !is_skipped(&script) {
            let (is_success, shown) = self.bash(&script);
            assert!(is_success, "{page}: {script}{shown}");
        }
    }

    /// Runs the script. Returns whether it succeeded, and what it wrote to stdout and stderr.
    fn bash(&self, script: &str) -> (bool, String) {
        let path = std::env::var("PATH").unwrap();
        let own = Path::new(BINARY).parent().unwrap();
        // The examples are there too, as programs of kernels in Rust.
        let (bin, examples) = (self.0.path().join("bin"), own.join("examples"));
        let path = format!("{}:{}:{}:{path}", bin.display(), own.display(), examples.display());
        // rustup finds its toolchains in the home folder, if it is not told where.
        let rustup = std::env::var("RUSTUP_HOME").or_else(|_| std::env::var("HOME").map(|home| home + "/.rustup"));
        let mut bash = Command::new("timeout");
        bash.args(["-k", "1", "120", "bash", "-c", &format!("exec 2>&1\n{script}")]);
        // GNU parallel keeps files in the home folder: it gets this one instead of the user's.
        bash.env("PATH", path)
            .env("HOME", self.0.path())
            .env("RUSTUP_HOME", rustup.unwrap_or_default())
            .env_remove("RUST_BACKTRACE")
            .current_dir(self.0.path());
        let output = bash.stdin(Stdio::null()).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    }
}

/// Whether the script uses a program that is missing.
fn is_skipped(script: &str) -> bool {
    let is_there = |test| Command::new("sh").args(["-c", test]).stdout(Stdio::null()).status().unwrap().success();
    let words: Vec<_> = script.split(|end: char| !end.is_ascii_alphanumeric() && end != '-').collect();
    let missing = OPTIONAL.iter().find(|(name, test)| words.contains(name) && !is_there(test));
    if let Some((name, _)) = missing {
        common::skipped(&format!("there is no {name}"));
    }
    missing.is_some()
}

/// The commands of a block. A command goes on after a line that ends with `\`, `|` or `&&`.
fn split(block: &str) -> Vec<String> {
    let mut commands = vec![];
    let mut command = String::new();
    for line in block.split_inclusive('\n') {
        command += line;
        let end = line.trim_end();
        if !["\\", "|", "&&"].iter().any(|more| end.ends_with(more)) {
            commands.push(std::mem::take(&mut command));
        }
    }
    commands
}
