//! The files of a run: its inputs, and its outputs for results and for bad rows.

use super::options::Options;
use crate::error::{Error, printable};
use crate::input::ranges::FileRange;
use crate::input::reader::Input;
use crate::output::Output;
use crate::process::aside::{present_name, stdin};
use crate::process::console::say;
use clap::Args;
use rustix::fs::{FileType, Stat, fstat, stat};
use rustix::io::Errno;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// The inputs and outputs of a run.
pub struct Files {
    /// The inputs, in the order in which they are read.
    pub inputs: Vec<Input>,
    /// The output for results.
    pub results: Output,
    /// The output for bad rows; `None` without `--rejects`.
    pub rejects: Option<Output>,
}

impl Files {
    /// Opens the outputs that the options name. Each input is opened later, when its turn comes.
    ///
    /// # Errors
    /// If an output cannot be written to, if it is also an input, or if results and bad rows would go to the same file.
    pub fn of(options: &Options) -> Result<Self, Error> {
        let results = output(options.output.as_deref())?;
        results.widen();
        let rejects = options.rejects.as_deref().map(|path| output(Some(path))).transpose()?;
        let inputs = match (options.range, options.first_line) {
            (Some((offset, length)), Some(first_line)) => {
                let range = FileRange { offset, length, first_line };
                vec![Input::Range(only_file(&options.files, "--range")?, range)]
            }
            _ => inputs(&options.files),
        };
        check_output(&inputs, &results)?;
        if let Some(rejects) = &rejects {
            check_output(&inputs, rejects)?;
            rejects.is_not(&results)?;
        }
        Ok(Files { inputs, results, rejects })
    }

    /// Whether results or bad rows go to a terminal.
    pub fn is_on_terminal(&self) -> bool {
        self.results.is_terminal() || self.rejects.as_ref().is_some_and(Output::is_terminal)
    }

    /// The total size of the inputs, in bytes; `None` if an input is not a regular file.
    pub fn size(&self) -> Option<u64> {
        self.inputs.iter().map(size).sum()
    }
}

/// Returns the inputs that `files` names, where `-` is stdin. Without names the input is stdin.
pub fn inputs(files: &[PathBuf]) -> Vec<Input> {
    if files.is_empty() && stdin().is_terminal() {
        say(&"waiting for rows, one a line, from the terminal; Ctrl-D ends them");
    }
    let input = |path: &PathBuf| if path.as_os_str() == "-" { Input::Stdin } else { Input::Path(path.clone()) };
    if files.is_empty() { vec![Input::Stdin] } else { files.iter().map(input).collect() }
}

/// Checks that none of `files` was meant as the value of the option before it. An option whose value can be left out
/// takes a value only behind `=`, so a word behind a blank is read as a FILE.
///
/// # Errors
/// If a word behind such an option would be read as a FILE, and there is no file of this name.
pub fn check_names(files: &[PathBuf]) -> Result<(), Error> {
    let arguments: Vec<_> = std::env::args_os().take_while(|argument| argument != "--").collect();
    let is_missing = |name: &OsString| {
        name != "-"
            && files.iter().any(|file| file.as_os_str() == name)
            && stat(name.as_os_str()).is_err_and(|error| error == Errno::NOENT)
    };
    let misplaced = arguments.windows(2).find_map(|pair| {
        let option = pair[0].to_str()?.strip_prefix("--")?;
        (is_missing(&pair[1]) && needs_equals(option)).then(|| (option, printable(&pair[1])))
    });
    let Some((option, name)) = misplaced else { return Ok(()) };
    Err(Error::usage(format!(
        "{name}: No such file or directory; if it is the value of --{option}, it stands behind =: --{option}={name}"
    )))
}

/// Whether this option takes a value only behind `=`.
fn needs_equals(option: &str) -> bool {
    let options = Options::augment_args(clap::Command::new(""));
    options.get_arguments().any(|known| known.get_long() == Some(option) && known.is_require_equals_set())
}

/// Returns the one FILE for an option that works on a single file, like `--range`. `option` is the name for the
/// message.
///
/// # Errors
/// If `files` does not hold exactly one name, or that name is `-`.
pub fn only_file(files: &[PathBuf], option: &str) -> Result<PathBuf, Error> {
    match files {
        [file] if file.as_os_str() != "-" => Ok(file.clone()),
        _ => Err(Error::usage(format!("{option} takes exactly one FILE, by its name"))),
    }
}

/// Opens the output at `path`, or stdout if `path` is `-` or `None`.
///
/// # Errors
/// If the output cannot be written to.
pub fn output(path: Option<&Path>) -> Result<Output, Error> {
    path.filter(|path| path.as_os_str() != "-").map_or_else(Output::stdout, Output::file)
}

/// Checks that `output` is open for writing and is none of the inputs.
///
/// # Errors
/// If `output` is also an input, or is open for reading only.
pub fn check_output(inputs: &[Input], output: &Output) -> Result<(), Error> {
    let is_written_over = |input: &&Input| stat_of(input).is_some_and(|found| output.writes_over(&found));
    match inputs.iter().find(is_written_over) {
        Some(input) => Err(Error::usage(format!("{} is both input and output; write to another file", input.name()))),
        None => output.check_writable(),
    }
}

fn stat_of(input: &Input) -> Option<Stat> {
    match input {
        Input::Path(path) | Input::Range(path, _) => stat(present_name(path)).ok(),
        Input::Stdin => fstat(stdin()).ok(),
        Input::Open(file, _) => fstat(file).ok(),
    }
}

/// How many bytes of `input` are left to read; `None` if `input` is not a regular file.
fn size(input: &Input) -> Option<u64> {
    let read_before = match input {
        Input::Range(_, range) => return Some(range.length),
        Input::Path(_) => 0,
        // The process that started this program may have read the beginning of the file already. Only the rest counts.
        Input::Stdin => rustix::fs::tell(stdin()).ok()?,
        Input::Open(file, _) => rustix::fs::tell(file).ok()?,
    };
    let stat = stat_of(input).filter(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)?;
    // A size of 0 says nothing: files such as those in /proc have contents although they report that they are empty.
    Some((stat.st_size as u64).saturating_sub(read_before)).filter(|&size| size > 0)
}
