//! Bad rows: how many there may be, and where they are told.

use crate::bad_row::{BadRow, Kind};
use crate::error::Error;
use crate::process::console::say;
use crate::process::streams::Patient;
use std::fs::File;
use std::io::{self, BufWriter};

/// How many are said on stderr; of the others there is a count.
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
    /// With so many the run goes on; none is too many for one that is to stop at the first.
    most: Option<u64>,
    count: u64,
    rejects: Option<Rejects>,
}

struct Rejects {
    writer: ::csv::Writer<BufWriter<Patient<File>>>,
    name: String,
}

impl BadRows {
    /// None yet, of which the run is to survive so many, or else end at the first.
    pub fn new(most: Option<u64>) -> Self {
        BadRows { most, count: 0, rejects: None }
    }

    /// Has all of them written to this file, which messages call `name`.
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

    /// Takes note of one of which nobody hears.
    pub fn count_one(&mut self) {
        self.count += 1;
    }

    /// Whether the next one is said or written anywhere; else it is only counted.
    pub fn is_heard(&self) -> bool {
        self.rejects.is_some() || self.count < SAID || self.most.is_none_or(|most| self.count >= most)
    }

    /// Takes note of one that stands there.
    ///
    /// # Errors
    /// When it is one too many, or cannot be written to where it belongs.
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

    /// Writes out what was taken note of.
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
            other => Error::usage(format!("{}: {other:?}", self.name)),
        })
    }

    fn failed(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Error::broken_pipe(),
            _ => Error::io(self.name.clone(), error),
        }
    }
}
