//! Builds libraries, each once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use tempfile::TempDir;

/// The folder of all libraries. It is in the folder for what tests leave, because nobody removes a static.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()).path()
}

/// Returns a name for `--kernel` of the library that is built of a file of `examples/kernels`.
pub fn library(file: &str) -> String {
    if file == "stock.rs" {
        return stock().to_str().unwrap().to_string();
    }
    built(file, &Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/kernels").join(file))
}

/// Returns the same for a library of this text in C.
pub fn made(name: &str, text: &str) -> String {
    let source = folder().join(format!("{name}.c"));
    // Tests run at the same time, and each writes the same text.
    if !source.exists() {
        std::fs::write(&source, text).unwrap();
    }
    built(name, &source)
}

fn built(name: &str, source: &Path) -> String {
    static BUILT: OnceLock<Mutex<HashMap<String, ()>>> = OnceLock::new();
    let mut built = BUILT.get_or_init(Mutex::default).lock().unwrap();
    let stem = Path::new(name).file_stem().unwrap().to_str().unwrap();
    let library = format!("./lib{stem}.so");
    if built.insert(name.to_string(), ()).is_none() {
        let is_cpp = source.extension().is_some_and(|extension| extension == "cpp");
        let (compiler, standard) = if is_cpp { ("c++", "-std=c++11") } else { ("cc", "-std=c99") };
        let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
        let mut command = Command::new(compiler);
        command.args([
            standard,
            "-D_GNU_SOURCE",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pedantic",
            "-O1",
            "-shared",
            "-fPIC",
            "-I",
        ]);
        command.arg(include).args(["-o", &library]).arg(source).args(["-lm", "-lpthread"]).current_dir(folder());
        assert!(command.status().unwrap().success(), "{command:?}");
    }
    library
}

/// The example `stock`, which cargo has built together with the tests.
fn stock() -> PathBuf {
    let library = Path::new(super::common::BINARY).with_file_name("examples").join("libstock.so");
    if !library.exists() {
        let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
        assert!(Command::new(cargo).args(["build", "--example", "stock"]).status().unwrap().success());
    }
    library
}
