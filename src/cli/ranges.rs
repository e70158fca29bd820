//! A file for more than one run: `--split` says where it can be cut, and `--range` has one of the parts computed.

use super::inputs;
use super::options::Options;
use super::plan::Plan;
use super::targets::output_to;
use crate::error::Error;
use crate::input::ranges::{FileRange, ranges};
use crate::input::reader::Input;
use crate::output::Output;
use std::path::Path;

/// Prints so many ranges of the file, or fewer, once all of it is read.
///
/// # Errors
/// When there is not one regular file, or it cannot be read, or they cannot be written.
pub fn print(plan: &Plan, count: u64) -> Result<(), Error> {
    let options = &plan.options;
    let input = Input::Path(only_file(options, "--split")?.to_path_buf());
    let name = input.name();
    let output = options.output.as_deref().map_or_else(Output::stdout, output_to)?;
    inputs::are_not(std::slice::from_ref(&input), &output)?;
    let failed = |error| Error::io(&name, error);
    let file = input.open().map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::usage(format!("{name}: only a regular file has ranges")));
    }
    let ranges = ranges(file, metadata.len(), count, plan.format).map_err(failed)?;
    let line = |range: &FileRange| format!("{},{},{}\n", range.offset, range.length, range.first_line);
    output.write_all(ranges.iter().map(line).collect::<String>().as_bytes())?;
    output.complete()
}

/// The part of the file that `--range` asks for.
///
/// # Errors
/// When it asks for that, and there is not one file.
pub fn input(options: &Options) -> Result<Option<Input>, Error> {
    let (Some((offset, length)), Some(first_line)) = (options.range, options.first_line) else { return Ok(None) };
    let path = only_file(options, "--range")?.to_path_buf();
    Ok(Some(Input::Range(path, FileRange { offset, length, first_line })))
}

fn only_file<'o>(options: &'o Options, option: &str) -> Result<&'o Path, Error> {
    match &options.files[..] {
        [file] if file.as_os_str() != "-" => Ok(file),
        _ => Err(Error::usage(format!("{option} takes exactly one FILE, by its name"))),
    }
}
