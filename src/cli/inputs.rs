//! What a run reads.

use super::options::Options;
use crate::error::Error;
use crate::input::reader::Input;
use crate::output::Output;
use crate::process::console::say;
use rustix::fs::{FileType, fstat, stat};
use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

/// The inputs of these names: stdin for `-`, and where there is none.
pub fn all(files: &[PathBuf]) -> Vec<Input> {
    if files.is_empty() {
        if io::stdin().is_terminal() {
            say(&"waiting for rows like 12,18 from the terminal; Ctrl-D ends them");
        }
        return vec![Input::Stdin];
    }
    let input = |path: &PathBuf| if path.as_os_str() == "-" { Input::Stdin } else { Input::Path(path.clone()) };
    files.iter().map(input).collect()
}

/// How many bytes of input there are, if all of it lies in regular files.
pub fn size(options: &Options) -> Option<u64> {
    if let Some((_, length)) = options.range {
        return Some(length);
    }
    let size = |path: &PathBuf| {
        if path.as_os_str() == "-" {
            return size_of_stdin();
        }
        let metadata = fs::metadata(path).ok()?;
        metadata.is_file().then_some(metadata.len())
    };
    if options.files.is_empty() { size_of_stdin() } else { options.files.iter().map(size).sum() }
}

/// What is left to read of stdin, if that is a regular file.
fn size_of_stdin() -> Option<u64> {
    let stat = fstat(io::stdin()).ok()?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    let at = rustix::fs::tell(io::stdin()).ok()?;
    is_file.then(|| (stat.st_size as u64).saturating_sub(at))
}

/// Whether stdin is a terminal, or `/dev/null`.
pub fn is_stdin_a_character_device() -> bool {
    fstat(io::stdin()).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice)
}

/// Refuses an output that is one of the inputs, or that is open for reading only.
///
/// # Errors
/// When it is.
pub fn are_not(inputs: &[Input], output: &Output) -> Result<(), Error> {
    for input in inputs {
        let found = match input {
            Input::Path(path) | Input::Range(path, _) => stat(path),
            Input::Stdin => fstat(io::stdin()),
            Input::Open(file, _) => fstat(file),
        };
        if found.is_ok_and(|found| output.writes_over(&found)) {
            let what = format!("{} is both input and output; write to another file", input.name());
            return Err(Error::usage(what));
        }
    }
    output.check_writable()
}
