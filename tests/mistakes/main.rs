//! What beginners get wrong with kernels, and that the compiler's message names it.
//!
//! Each mistake is a program that does not compile. All are checked by one run of cargo, in a package that depends on this crate as a program
//! of theirs would, with the target folder of this build. `PMAPGCD_MISTAKES=1 cargo test --test mistakes -- --nocapture` shows the messages.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each mistake: its name, what the program has beside `main`, the kernel, and what the message about it says.
const MISTAKES: [(&str, &str, &str, &[&str]); 14] = [
    (
        "two_arguments",
        "",
        "Function(|a: f64, b: f64| a + b)",
        &[
            "cannot be mapped over rows",
            "it takes one argument, the row: a tuple for several fields, as in |(a, b): (f64, f64)| a + b",
        ],
    ),
    ("no_types", "", "Function(|(a, b)| a + b)", &["type annotations needed"]),
    (
        "borrowed_text",
        "fn length(text: &str) -> usize { text.len() }",
        "Function(length)",
        // The compiler's own words: what a lifetime lacks cannot be said in others.
        &["`&str` must implement `Deserialize<'0>`"],
    ),
    (
        "row_without_derive",
        "struct Place { lat: f64 } fn lat(place: &Place) -> f64 { place.lat }",
        "Function(lat)",
        &["`Place` cannot be a row", "#[derive(serde::Serialize, serde::Deserialize)]"],
    ),
    (
        "row_without_clone",
        "#[derive(Serialize, Deserialize)] struct Place { lat: f64 } fn lat(place: Place) -> f64 { place.lat }",
        "Function(lat)",
        &[
            "cannot be mapped over rows",
            "one by value whose type lacks Clone, Serialize or Deserialize",
            "#[derive(Clone, serde::Serialize, serde::Deserialize)]",
        ],
    ),
    (
        "row_by_value_without_deserialize",
        "#[derive(Clone, Serialize)] struct Place { lat: f64 } fn lat(place: Place) -> f64 { place.lat }",
        "Function(lat)",
        &["one by value whose type lacks Clone, Serialize or Deserialize"],
    ),
    (
        "output_without_derive",
        "struct Way { km: f64 } fn way(km: f64) -> Way { Way { km } }",
        "Function(way)",
        &["`Way` cannot be the output of a kernel", "#[derive(serde::Serialize)]"],
    ),
    (
        "output_with_display_alone",
        "",
        "Function(|n: u64| std::io::Error::other(n.to_string()))",
        &["`std::io::Error` cannot be the output of a kernel", "written with .to_string()"],
    ),
    (
        "error_without_serialize",
        "fn parsed(text: String) -> Result<u64, std::num::ParseIntError> { text.parse() }",
        "Function(parsed)",
        &["`Result<u64, ParseIntError>` cannot be the output of a kernel", "the error is a text or pmapgcd::BadRow"],
    ),
    ("bare_function", "fn twice(x: f64) -> f64 { 2.0 * x }", "twice", &["is not a kernel", "pmapgcd::Function(…)"]),
    ("no_kernel", "struct Twice;", "Twice", &["`Twice` is not a kernel", "impl pmapgcd::Kernel for"]),
    ("counting_closure", "", "{ let mut count = 0; Function(move |_: u64| { count += 1; count }) }", &["FnMut"]),
    (
        "state_is_not_taken",
        "",
        "Stateful::new(|| Ok::<u64, String>(1), |row: f64| row)",
        &["with a state of type `u64`", "it takes two arguments, as in |model: &mut Model"],
    ),
    (
        "cannot_be_shared",
        "",
        "{ let table = std::rc::Rc::new(vec![1u64]); Function(move |n: usize| table[n]) }",
        &["cannot be shared between threads safely"],
    ),
];

/// The folder in which cargo builds.
fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().find(|folder| folder.ends_with("debug") || folder.ends_with("release")).unwrap().with_file_name("")
}

/// Writes the package, and returns its folder.
fn package(target: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = target.join("mistakes");
    fs::create_dir_all(folder.join("src/bin")).unwrap();
    let manifest = format!(
        "[package]\nname = \"mistakes\"\nedition = \"2024\"\n\n[dependencies]\npmapgcd = {{ path = {root:?}, default-features = false, \
         features = [\"cli\"] }}\nserde = {{ version = \"1\", features = [\"derive\"] }}\n\n[workspace]\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    for (name, items, kernel, _) in MISTAKES {
        let program = format!(
            "#![allow(unused)]\nuse pmapgcd::{{Function, Stateful}};\nuse serde::{{Deserialize, Serialize}};\n\n{items}\n\nfn main() -> \
             std::process::ExitCode {{\n    pmapgcd::filter(\"Map rows\", &{kernel})\n}}\n"
        );
        fs::write(folder.join("src/bin").join(format!("{name}.rs")), program).unwrap();
    }
    folder
}

#[test]
fn each_message_names_the_mistake() {
    let target = target();
    let folder = package(&target);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["check", "--offline", "--bins", "--keep-going", "--message-format=json"]).current_dir(folder);
    let checked = cargo.env("CARGO_TARGET_DIR", &target).env_remove("RUSTFLAGS").output().unwrap();
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    for line in String::from_utf8(checked.stdout).unwrap().lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        if message["message"]["level"] == "error" {
            let name = message["target"]["name"].as_str().unwrap().to_string();
            *said.entry(name).or_default() += message["message"]["rendered"].as_str().unwrap();
        }
    }
    let stderr = String::from_utf8_lossy(&checked.stderr);
    for (name, _, _, expected) in MISTAKES {
        let said = said.get(name).unwrap_or_else(|| panic!("{name} compiles, or was not reached: {stderr}"));
        if std::env::var_os("PMAPGCD_MISTAKES").is_some() {
            println!("{name}:\n{said}");
        }
        for words in expected {
            assert!(said.contains(words), "{name}: {words:?} is not said:\n{said}");
        }
    }
}
