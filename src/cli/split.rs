//! `--split`: prints ranges of whole rows into which a file can be cut, for runs with `--range`.

use super::files::{check_output, only_file, output};
use super::plan::Plan;
use crate::error::Error;
use crate::input::ranges::{FileRange, ranges};
use crate::input::reader::Input;

/// Reads the file to its end, and then prints `count` ranges, or fewer if the file has fewer rows.
///
/// # Errors
/// If FILE is not exactly one regular file, if it cannot be read, or if the ranges cannot be written.
pub fn split(plan: &Plan, count: u64) -> Result<(), Error> {
    let input = Input::Path(only_file(&plan.options.files, "--split")?);
    let name = input.name();
    let output = output(plan.options.output.as_deref())?;
    check_output(std::slice::from_ref(&input), &output)?;
    let failed = |error| Error::io(&name, error);
    let file = input.open().map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::usage(format!("{name}: only a regular file has ranges")));
    }
    let ranges =
        ranges(file, metadata.len(), count, plan.setup.shape.format, plan.setup.shape.skip_lines).map_err(failed)?;
    let line = |range: &FileRange| format!("{},{},{}\n", range.offset, range.length, range.first_line);
    output.write_all(ranges.iter().map(line).collect::<String>().as_bytes())?;
    output.complete()
}
