//! A file for more than one run: `--split` says where it can be cut, and `--range` has one of the parts computed.

use super::options::Options;
use super::outputs::output_to;
use crate::csv::Format;
use crate::error::Error;
use crate::flow::ranges::{FileRange, ranges};
use crate::flow::reader::Input;
use crate::output::Output;
use std::path::Path;

impl Options {
    /// Prints the ranges that `--split` asks for, once all of the file is read.
    pub(super) fn print_ranges(&self, format: Format) -> Result<(), Error> {
        let input = Input::Path(self.only_file("--split")?.to_path_buf());
        let name = input.name();
        let output = self.output.as_deref().map_or_else(Output::stdout, output_to)?;
        output.is_none_of(std::slice::from_ref(&input))?;
        let failed = |error| Error::io(&name, error);
        let file = input.open().map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(Error::usage(format!("{name}: only a regular file has ranges")));
        }
        let ranges = ranges(file, metadata.len(), self.split.unwrap_or(1), format).map_err(failed)?;
        let line = |range: &FileRange| format!("{},{},{}\n", range.offset, range.length, range.first_line);
        output.write_all(ranges.iter().map(line).collect::<String>().as_bytes())?;
        output.complete()
    }

    /// The part of the file that `--range` asks for.
    pub(super) fn input_of_range(&self) -> Result<Option<Input>, Error> {
        let (Some((offset, length)), Some(first_line)) = (self.range, self.first_line) else { return Ok(None) };
        let path = self.only_file("--range")?.to_path_buf();
        Ok(Some(Input::Range(path, FileRange { offset, length, first_line })))
    }

    fn only_file(&self, option: &str) -> Result<&Path, Error> {
        match &self.files[..] {
            [file] if file.as_os_str() != "-" => Ok(file),
            _ => Err(Error::usage(format!("{option} takes exactly one FILE, by its name"))),
        }
    }
}
