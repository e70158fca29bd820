//! Which source file uses which other, found in their text: `use` declarations, and paths that begin with `crate::` or `super::`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A file by its path below `src`, as `executor/run.rs`.
pub type File = String;

/// Each file, and the files that it uses outside its tests. A folder's `mod.rs` is the front of the folder: that it names the
/// files in there does not count as using them.
pub fn arrows() -> BTreeMap<File, BTreeSet<File>> {
    let files: Vec<File> = sources().into_iter().filter(|file| !file.ends_with("/tests.rs")).collect();
    let modules: BTreeMap<Vec<String>, File> = files.iter().map(|file| (module(file), file.clone())).collect();
    let uses = |file: &File| {
        let text = fs::read_to_string(Path::new("src").join(file)).unwrap();
        let own = module(file);
        let folder =
            if file.ends_with("mod.rs") || own.is_empty() { own.clone() } else { own[..own.len() - 1].to_vec() };
        let found = paths(&code(&text)).into_iter().filter_map(|path| {
            let absolute = absolute(&path, &own)?;
            // The longest beginning of the path that is a module; the rest is a name in that module.
            let lengths = (1..=absolute.len()).rev();
            lengths.map(|length| &absolute[..length]).find_map(|path| modules.get(path)).cloned()
        });
        let is_own_front = |used: &File| file.ends_with("mod.rs") && module(used).starts_with(&folder);
        found.filter(|used| used != file && !is_own_front(used)).collect()
    };
    files.iter().map(|file| (file.clone(), uses(file))).collect()
}

/// All files of the sources.
pub fn sources() -> Vec<File> {
    let (mut folders, mut files) = (vec![PathBuf::from("src")], vec![]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path.strip_prefix("src").unwrap().to_str().unwrap().to_string()),
            }
        }
    }
    files.sort();
    files
}

/// The module that a file is: `executor/run.rs` is `["executor", "run"]`.
fn module(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    if path == "lib" { vec![] } else { path.split('/').map(str::to_string).collect() }
}

/// The text without comments and without the tests at its end.
fn code(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// All paths that begin with `crate`, `super` or `self`. A path with braces counts as one path for each name in them.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = vec![];
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let is_word = code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
            if !is_word {
                branches(&code[at..], &mut vec![], &mut found);
            }
        }
    }
    found
}

/// Reads one path of a use tree from the front of `text`, and answers what follows it.
fn branches<'a>(mut text: &'a str, before: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let depth = before.len();
    loop {
        text = text.trim_start();
        if let Some(rest) = text.strip_prefix('{') {
            text = rest;
            while !text.trim_start().starts_with('}') {
                text = branches(text, before, found).trim_start();
                text = text.strip_prefix(',').unwrap_or(text);
            }
            text = text.trim_start().strip_prefix('}').unwrap_or(text);
            break;
        }
        let length = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        before.push(text[..length].to_string());
        text = &text[length..];
        match text.strip_prefix("::") {
            Some(rest) if !rest.starts_with('<') && length > 0 => text = rest,
            _ => {
                found.push(before.clone());
                // Skip `as NAME`, or whatever else is not part of the path.
                let end = text.find([',', '}', ';', '\n']).unwrap_or(text.len());
                text = if text.trim_start().starts_with("as ") { &text[end..] } else { text.trim_start_matches('*') };
                break;
            }
        }
    }
    before.truncate(depth);
    text
}

/// The path from the crate's root, without `crate`, that this path means in the module `own`.
fn absolute(path: &[String], own: &[String]) -> Option<Vec<String>> {
    let mut rest = path;
    let mut base = match rest.first()?.as_str() {
        "crate" => {
            rest = &rest[1..];
            vec![]
        }
        _ => own.to_vec(),
    };
    while let Some(first) = rest.first() {
        match first.as_str() {
            "super" => drop(base.pop()),
            "self" => {}
            _ => break,
        }
        rest = &rest[1..];
    }
    base.extend_from_slice(rest);
    Some(base)
}

/// Files that use each other in a circle, if there are any.
pub fn circle(arrows: &BTreeMap<File, BTreeSet<File>>) -> Option<Vec<File>> {
    fn visit<'a>(
        file: &'a File,
        arrows: &'a BTreeMap<File, BTreeSet<File>>,
        way: &mut Vec<&'a File>,
        done: &mut BTreeSet<&'a File>,
    ) -> Option<Vec<File>> {
        if let Some(at) = way.iter().position(|before| *before == file) {
            return Some(way[at..].iter().map(|file| file.to_string()).collect());
        }
        if done.contains(file) {
            return None;
        }
        way.push(file);
        let found = arrows[file].iter().find_map(|used| visit(used, arrows, way, done));
        way.pop();
        done.insert(file);
        found
    }
    let mut done = BTreeSet::new();
    arrows.keys().find_map(|file| visit(file, arrows, &mut vec![], &mut done))
}
