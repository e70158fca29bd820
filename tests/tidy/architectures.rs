//! Would the sources compile for processors that no toolchain is installed for? Each name that they use of libc is looked up in
//! the sources of the libc crate, in the files that define names for such a processor.

use super::PACKAGES;
use super::arrows::sources;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ARCHITECTURES: [&str; 2] = ["aarch64", "riscv64"];

/// Items behind this line are for x86-64 alone.
const ONLY: &str = "#[cfg(target_arch = \"x86_64\")]";

/// The folder of the libc crate's sources that this build has.
fn libc() -> PathBuf {
    let libc = PACKAGES.iter().find(|package| package["name"] == "libc").unwrap();
    Path::new(libc["manifest_path"].as_str().unwrap()).with_file_name("src")
}

/// What libc defines for Linux on this architecture with glibc: constants and functions.
fn defined(libc: &Path, architecture: &str) -> BTreeSet<String> {
    let shared = ["new/linux_uapi", "new/common", "new/glibc", "unix/linux_like/linux/arch/generic"];
    let mut folders: Vec<PathBuf> = shared.iter().map(|folder| libc.join(folder)).collect();
    let mut files = vec![libc.join("unix/linux_like/linux_l4re_shared.rs")];
    // The file of each folder on the way to the architecture's.
    let mut folder = libc.join("unix");
    for name in ["", "linux_like", "linux", "gnu", "b64", architecture] {
        folder.push(name);
        files.push(folder.join("mod.rs"));
    }
    folders.push(folder);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    let names = texts.flat_map(|text| {
        let words: Vec<String> = text.split_whitespace().map(str::to_string).collect();
        let names = words.windows(2).filter(|pair| ["const", "fn", "type", "struct"].contains(&&*pair[0]));
        names.map(|pair| name(&pair[1]).to_string()).collect::<Vec<_>>()
    });
    names.collect()
}

/// The name at the front of a text.
fn name(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())]
}

/// The names of libc that this text uses, as `libc::NAME` or `libc::{NAME, NAME}`, without items that are for x86-64 alone.
fn used(text: &str) -> BTreeSet<String> {
    let lines = text.lines().collect::<Vec<_>>();
    let is_kept = |at: &usize| *at == 0 || lines[at - 1].trim() != ONLY;
    let text = (0..lines.len()).filter(is_kept).map(|at| lines[at]).collect::<Vec<_>>().join("\n");
    let places = text.match_indices("libc::").map(|(at, found)| &text[at + found.len()..]);
    let names = places.flat_map(|rest| match rest.strip_prefix('{') {
        Some(list) => list.split('}').next().unwrap().split(',').map(|part| name(part.trim()).to_string()).collect(),
        None => vec![name(rest).to_string()],
    });
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn what_is_used_of_libc_is_there_on_other_processors_too() {
    let libc = libc();
    let used: BTreeSet<String> =
        sources().iter().flat_map(|file| used(&fs::read_to_string(Path::new("src").join(file)).unwrap())).collect();
    assert!(used.len() > 40 && used.contains("SYS_futex") && used.contains("fcntl"), "{used:?}");
    for architecture in ARCHITECTURES {
        let defined = defined(&libc, architecture);
        assert!(defined.contains("SYS_ppoll") && !defined.contains("SYS_poll"), "{architecture}: not its own table");
        let missing: Vec<_> = used.difference(&defined).collect();
        assert!(missing.is_empty(), "{architecture} has not {missing:?}");
    }
}

#[test]
fn names_are_found_in_lists_and_those_for_one_processor_are_left_out() {
    let text = format!("use nix::libc::{{A, b}};\n{ONLY}\nlibc::C,\nlibc::D(nix::libc::E)");
    assert_eq!(used(&text), ["A", "D", "E", "b"].map(str::to_string).into());
}
