//! Checks how the sources are organised: which folder may use which (its floor), where `unsafe` may stand, and that files that are
//! named in comments and docs exist. `docs/architecture.md` has the picture.

mod architectures;
mod arrows;
mod links;
mod release;

use arrows::{arrows, circle, sources};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The crates that this build is made of, as `cargo metadata` describes them.
static PACKAGES: LazyLock<Vec<serde_json::Value>> = LazyLock::new(|| {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    // For this platform only: crates for other platforms need not have been fetched.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let arguments = ["metadata", "--format-version=1", "--offline", "--filter-platform", &platform];
    let metadata = Command::new(cargo).args(arguments).output().unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
});

/// The floors, from the top down. A file may use files of lower floors and of its own folder.
const FLOORS: [&[&str]; 8] = [
    &["main", "lib", "allocator", "cli"],
    &["compare", "filter", "pool"],
    &["executor"],
    &["work", "input", "output"],
    &["kernel", "flow", "process", "ring"],
    &["bad_row"],
    &["csv"],
    &["error", "steps", "tally", "vectors"],
];

/// Which folder must not use which others, though the floors would allow it, and why. An empty list means all others.
const NEVER: [(&str, &[&str], &str); 8] = [
    ("ring", &[], "it is as if it were a crate of its own"),
    ("kernel", &["executor", "input", "output", "process"], "a kernel knows rows, never processes"),
    ("csv", &["kernel", "executor", "input", "output"], "it knows text, never kernels"),
    ("work", &["executor", "input", "output"], "what maps bytes does not know who asks, or where they lie"),
    ("input", &["output"], "one is the reader's, the other the writer's"),
    ("output", &["input"], "one is the writer's, the other the reader's"),
    ("executor", &["csv", "kernel"], "who does it does not know what is done"),
    ("pool", &["compare"], "only the command line compares"),
];

fn floor(folder: &str) -> usize {
    FLOORS.iter().position(|floor| floor.contains(&folder)).unwrap_or_else(|| panic!("{folder} has no floor"))
}

/// The folder in `src` that a file is in, or the file's own name if it is in none.
fn folder(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

#[test]
fn files_use_only_what_is_below_them_or_in_their_folder() {
    let mut count = 0;
    for (file, used) in arrows() {
        for other in used.iter().filter(|other| folder(other) != folder(&file)) {
            count += 1;
            assert!(floor(folder(&file)) < floor(folder(other)), "{file} uses {other}");
        }
    }
    assert!(count > 100, "found only {count} uses: does this test still read the sources?");
}

#[test]
fn nobody_uses_what_he_must_not_know() {
    for (file, used) in arrows() {
        for (who, whom, why) in NEVER.iter().filter(|(who, ..)| *who == folder(&file)) {
            let is_forbidden =
                |other: &&String| folder(other) != *who && (whom.is_empty() || whom.contains(&folder(other)));
            assert_eq!(used.iter().find(is_forbidden), None, "{file}: {why}");
        }
    }
    let comparing = |(file, used): &(String, _)| {
        let used: &std::collections::BTreeSet<String> = used;
        !["cli", "compare"].contains(&folder(file)) && used.iter().any(|other| folder(other) == "compare")
    };
    assert_eq!(arrows().into_iter().find(comparing), None, "only the command line compares");
}

#[test]
fn no_files_use_each_other_round_about() {
    assert_eq!(circle(&arrows()), None);
}

#[test]
fn unsafe_code_stands_only_where_it_is_rationed() {
    let allowed = [
        "allocator.rs",
        "csv/pass.rs",
        "kernel/gcd/binary/mod.rs",
        "kernel/gcd/lanes/mod.rs",
        "kernel/gcd/plain/mod.rs",
        "kernel/native/call.rs",
        "kernel/native/guard.rs",
        "kernel/native/library.rs",
        "kernel/native/session.rs",
        "process/descriptors.rs",
        "process/exit.rs",
        "process/group.rs",
        "process/aside.rs",
        "process/streams.rs",
        "ring/bytes.rs",
        "ring/event.rs",
        "ring/segment.rs",
    ];
    for file in sources() {
        let text = fs::read_to_string(Path::new("src").join(&file)).unwrap();
        assert_eq!(text.contains("allow(unsafe_code)"), allowed.contains(&&*file), "{file}");
    }
}

/// All files below this folder, without what cargo builds.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let entries = entries.filter(|path| !path.ends_with("target"));
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn no_file_is_longer_than_it_has_a_reason_for() {
    for file in sources() {
        let text = fs::read_to_string(Path::new("src").join(&file)).unwrap();
        let lines = text.lines().count();
        let head = text.lines().take_while(|line| line.starts_with("//!")).collect::<String>();
        let has_reason =
            ["is long because", "has more than 300 lines because"].iter().any(|reason| head.contains(reason));
        assert!(lines <= 300 || has_reason, "{file}: it has {lines} lines, and its first ones do not say why");
        assert!(lines <= 400, "{file}: it has {lines} lines");
    }
}

#[test]
fn files_that_are_named_are_there() {
    let is_in_name = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let mut count = 0;
    let texts =
        ["src", "tests", "benches", "examples", "docs", "fuzz/fuzz_targets", "fuzz/judges"].into_iter().map(Path::new);
    let fronts = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "Cargo.toml"].map(PathBuf::from);
    // That file names files of the libc crate.
    let is_ours = |path: &PathBuf| !path.ends_with("tests/tidy/architectures.rs");
    for path in texts.flat_map(files).chain(fronts).filter(is_ours) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let names = text.split(|c| !is_in_name(c)).map(|name| name.trim_end_matches('.'));
        for name in names.filter(|name| name.ends_with(".rs") && name.contains('/') && !name.starts_with('/')) {
            count += 1;
            // Relative to the repository, to `src`, or to the file that names it.
            let froms = [Path::new(""), Path::new("src"), path.parent().unwrap()];
            assert!(froms.iter().any(|from| from.join(name).exists()), "{}: there is no {name}", path.display());
        }
    }
    assert!(count > 50, "found only {count} names: does this test still read the files?");
}

#[test]
fn the_map_has_every_file() {
    let page = fs::read_to_string("docs/architecture.md").unwrap();
    let (_, map) = page.split_once("## What each file is for").unwrap();
    let (map, _) = map.split_once("\n## ").unwrap();
    // A folder has an entry of its own; in it files are named without their ending, and a folder in it by its name alone.
    for file in sources() {
        let path = file.trim_end_matches(".rs");
        let (folder, name) = path.split_once('/').unwrap_or(("", path));
        let entry = match folder {
            "" => map,
            folder => map.split("\n- ").find(|entry| entry.starts_with(&format!("`{folder}/`:"))).unwrap_or_default(),
        };
        let is_named = |name: &str| entry.contains(&format!("`{name}`")) || entry.contains(&format!("`{name}/`"));
        let parent = name.rsplit_once('/').map(|(parent, _)| parent).unwrap_or_default();
        // What is all tests needs no entry, and neither does the front of a folder, which lists what is in there.
        assert!(
            is_named(name) || is_named(parent) || name.ends_with("tests") || name.ends_with("mod"),
            "docs/architecture.md does not say what {file} is for"
        );
    }
}
