//! The floors of the house, and what must not stand in it.

use std::fs;
use std::path::{Path, PathBuf};

/// From the top down: a file may use what is below it, or on its own floor within its own folder.
const FLOORS: [&[&str]; 10] = [
    &["fuzzing"],
    &["main", "allocator", "cli"],
    &["compare", "pool"],
    &["output"],
    &["executor"],
    &["flow", "sandbox"],
    &["ring", "kernel"],
    &["csv"],
    &["error", "steps", "streams", "tally", "vectors"],
    &["console"],
];

fn floor(module: &str) -> usize {
    FLOORS.iter().position(|floor| floor.contains(&module)).unwrap_or_else(|| panic!("{module} has no floor"))
}

fn sources() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("src")];
    let mut files = vec![];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

fn module(path: &Path) -> String {
    let first = path.strip_prefix("src").unwrap().components().next().unwrap();
    Path::new(&first).with_extension("").display().to_string()
}

/// The modules that a file names by `crate::`, alone or in braces, outside its tests.
fn used(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).collect();
    let code = code.into_iter().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let names = code.split("crate::").skip(1);
    names.map(|rest| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect()).collect()
}

#[test]
fn modules_use_only_what_is_below_them() {
    let mut arrows = 0;
    for path in sources().iter().filter(|path| !path.ends_with("lib.rs")) {
        let own = module(path);
        for used in used(&fs::read_to_string(path).unwrap()).iter().filter(|used| **used != own) {
            arrows += 1;
            assert!(floor(&own) < floor(used), "{}: {own} uses {used}", path.display());
        }
    }
    assert!(arrows > 20, "found only {arrows} uses: does this test still read the sources?");
}

#[test]
fn unsafe_code_stands_only_where_it_is_rationed() {
    let allowed = [
        "src/allocator.rs",
        "src/ring/ends.rs",
        "src/ring/event.rs",
        "src/ring/segment.rs",
        "src/streams.rs",
        "src/csv/structure.rs",
        "src/kernel/gcd/binary/mod.rs",
        "src/kernel/gcd/plain/mod.rs",
    ];
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        let has_unsafe = text.contains("allow(unsafe_code)");
        assert_eq!(has_unsafe, allowed.iter().any(|allowed| path.ends_with(allowed)), "{}", path.display());
    }
}
