//! Bad rows: how many a run tolerates, which are named on stderr, and the file of `--rejects`.

use crate::bad_row::{BadRow, Kind};
use crate::error::Error;
use crate::process::console::say;
use crate::process::streams::Patient;
use std::fs::File;
use std::io::{self, BufWriter};

/// How many bad rows are named on stderr. The others are only counted.
pub const SAID: u64 = 10;

/// Where a bad row stands.
#[derive(Clone, Copy)]
pub struct Standing<'a> {
    /// The input that it is in.
    pub file: &'a str,
    /// The line that is named.
    pub line: u64,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// Its bytes, as many as there are.
    pub bytes: &'a [u8],
}

/// The bad rows so far.
pub struct BadRows {
    /// How many bad rows the run tolerates. `None`: it stops at the first.
    most: Option<u64>,
    count: u64,
    rejects: Option<Rejects>,
}

struct Rejects {
    writer: ::csv::Writer<BufWriter<Patient<File>>>,
    name: String,
}

impl BadRows {
    /// No bad rows yet. The run tolerates so many; with `None` it stops at the first.
    pub fn new(most: Option<u64>) -> Self {
        BadRows { most, count: 0, rejects: None }
    }

    /// The same, with all bad rows written to this file, which messages call `name`.
    ///
    /// # Errors
    /// When it cannot be written to.
    pub fn written_to(self, file: File, name: &str) -> Result<Self, Error> {
        let mut rejects =
            Rejects { writer: ::csv::Writer::from_writer(BufWriter::new(Patient(file))), name: name.to_string() };
        rejects.write(["file", "line", "offset", "field", "reason", "row"].map(str::as_bytes))?;
        Ok(BadRows { rejects: Some(rejects), ..self })
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Counts a bad row that is neither named on stderr nor written to the rejects.
    pub fn count_one(&mut self) {
        self.count += 1;
    }

    /// Whether the next bad row is named or written anywhere, or ends the run. Otherwise it is only counted.
    pub fn is_heard(&self) -> bool {
        self.rejects.is_some() || self.count < SAID || self.most.is_none_or(|most| self.count >= most)
    }

    /// Counts a bad row that stands there, and names it or writes it to the rejects.
    ///
    /// # Errors
    /// The message of that row when it is one too many; or that the rejects cannot be written.
    pub fn enter(&mut self, bad: &BadRow, at: Standing) -> Result<(), Error> {
        self.count += 1;
        let what = format!("{}{}", bad.what, bad.hint);
        if let Some(rejects) = &mut self.rejects {
            let numbers = [at.line.to_string(), at.offset.to_string()];
            let field = bad.field.map_or(String::new(), |field| field.to_string());
            let [line, offset] = numbers.each_ref().map(|number| number.as_bytes());
            rejects.write([at.file.as_bytes(), line, offset, field.as_bytes(), what.as_bytes(), at.bytes])?;
        }
        let row = |what| Error::row(at.file, at.line, what);
        match self.most {
            None if bad.kind == Kind::Deadly => {
                let what = format!("{what}; all results before it are written");
                return Err(Error::deaths(at.file, (at.line, at.line), what));
            }
            None => return Err(row(what)),
            Some(most) if self.count > most => {
                return Err(row(format!("{what}; the run ends here, at more than --max-bad {most}")));
            }
            Some(_) if self.count <= SAID => say(&row(what)),
            Some(_) => {}
        }
        Ok(())
    }

    /// Writes out what is buffered of the rejects.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> Result<(), Error> {
        let Some(rejects) = &mut self.rejects else { return Ok(()) };
        rejects.writer.flush().map_err(|error| rejects.failed(error))
    }
}

impl Rejects {
    fn write(&mut self, fields: [&[u8]; 6]) -> Result<(), Error> {
        self.writer.write_record(fields).map_err(|error| match error.into_kind() {
            ::csv::ErrorKind::Io(error) => self.failed(error),
            other => Error::defect(format!("{}: {other:?}", self.name)),
        })
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::write(&self.name, error)
    }
}
