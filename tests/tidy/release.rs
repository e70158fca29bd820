//! What is published: version and date, addresses, what packages are made of, and the Rust that is needed.

use super::{PACKAGES, files};
use std::fs;
use std::path::Path;

fn text(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The value of a field of Cargo.toml.
fn field(name: &str) -> String {
    let text = text("Cargo.toml");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \"")?.split('"').next());
    value.unwrap_or_else(|| panic!("no {name}")).to_string()
}

#[test]
fn the_changelog_begins_with_this_version_and_its_date() {
    let text = text("CHANGELOG.md");
    let heading = text.lines().find_map(|line| line.strip_prefix("## ")).unwrap();
    let (version, date) = heading.split_once(", ").unwrap_or((heading, ""));
    assert_eq!(version, field("version"));
    let parts: Vec<&str> = date.split('-').collect();
    let is_date =
        parts.iter().map(|part| part.len()).eq([4, 2, 2]) && parts.concat().bytes().all(|b| b.is_ascii_digit());
    assert!(is_date, "{heading:?} has no date like 2026-11-26");
}

/// Whoever hosts the project writes an address at one place.
#[test]
fn the_address_of_the_project_stands_in_cargo_toml_alone() {
    let address = field("repository");
    let owner = address.rsplit('/').nth(1).unwrap().to_string() + "/pmapgcd";
    let folders = ["src", "docs", "packaging", ".github", ".ci", "examples", "include"].map(Path::new);
    let fronts = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "Dockerfile", "pyproject.toml"].map(Into::into);
    let named = |path: &std::path::PathBuf| fs::read_to_string(path).is_ok_and(|text| text.contains(&owner));
    let found: Vec<_> = folders.into_iter().flat_map(files).chain(fronts).filter(named).collect();
    assert!(found.is_empty(), "{owner} stands in {found:?}");
    assert_eq!(field("homepage"), address);
}

#[test]
fn what_the_container_is_built_of_is_there() {
    let text = text("Dockerfile");
    let copied = text.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--"));
    let names: Vec<&str> = copied.flat_map(|line| line.rsplit_once(' ').unwrap().0.split(' ')).collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        assert!(Path::new(name).exists(), "there is no {name}");
        let ignored = text_lines(".dockerignore");
        assert!(ignored.contains(&format!("!{name}")), ".dockerignore leaves {name} out");
    }
    let rust = format!("rust:{}-", field("rust-version"));
    assert!(text.contains(&rust), "the Dockerfile is not for {rust}");
}

fn text_lines(file: &str) -> Vec<String> {
    text(file).lines().map(str::to_string).collect()
}

/// Clippy's `incompatible_msrv` holds our own sources to `rust-version`, and this what they depend on.
#[test]
fn no_dependency_needs_a_newer_rust() {
    let number = |version: &str| -> Vec<u64> { version.split('.').map(|part| part.parse().unwrap()).collect() };
    let newer = |package: &&serde_json::Value| {
        package["rust_version"].as_str().is_some_and(|version| number(version) > number(&field("rust-version")))
    };
    assert!(PACKAGES.len() > 50);
    assert_eq!(PACKAGES.iter().find(newer).map(|package| &package["name"]), None);
}

#[test]
fn other_systems_are_refused_in_words() {
    let text = text("src/lib.rs");
    let (_, behind) = text.split_once("#[cfg(not(target_os = \"linux\"))]\ncompile_error!(\"").expect("no refusal");
    assert!(behind.split('"').next().unwrap().contains("Linux"));
}
