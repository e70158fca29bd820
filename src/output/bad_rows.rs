//! Handles bad rows: counts them, names the first [`SAID`] on stderr, writes all to the file of `--rejects`, and ends
//! the run if there are too many.

use crate::bad_row::{BadRow, Kind};
use crate::csv::lines;
use crate::error::Error;
use crate::process::console::say;
use crate::process::streams::Patient;
use std::fs::File;
use std::io::{self, BufWriter};

/// How many bad rows are named on stderr. Any further ones are only counted, so that they do not flood the terminal.
pub const SAID: u64 = 10;

/// The place of a bad row, and its text.
#[derive(Clone, Copy)]
pub struct Standing<'a> {
    /// Name of the input that the row is in.
    pub file: &'a str,
    /// Number of the line that the message names, counted from 1.
    pub line: u64,
    /// Where the row begins in its input, in bytes.
    pub offset: u64,
    /// The bytes of the row, as far as they are known.
    pub bytes: &'a [u8],
}

/// The bad rows of a run so far: their number, and where they are reported.
pub struct BadRows {
    /// How many bad rows the run tolerates. `None`: the run ends at the first.
    most: Option<u64>,
    count: u64,
    rejects: Option<Rejects>,
    /// The name of the output, if it is written only when the run succeeds.
    unwritten: Option<String>,
}

struct Rejects {
    writer: ::csv::Writer<BufWriter<Patient<File>>>,
    name: String,
}

impl BadRows {
    /// Returns a value without bad rows, for a run that tolerates `most` bad rows. `None`: the run ends at the first.
    pub fn new(most: Option<u64>) -> Self {
        BadRows { most, count: 0, rejects: None, unwritten: None }
    }

    /// Returns `self`, for a run whose output is written only when the run succeeds. Messages call the output `name`.
    pub fn unwritten(self, name: &str) -> Self {
        BadRows { unwritten: Some(name.to_string()), ..self }
    }

    /// Says, for the end of an error message, what has become of the results before the rows at which the run ends.
    /// `them` is the pronoun for these rows.
    pub fn results_before(&self, them: &str) -> String {
        match &self.unwritten {
            Some(name) => format!("; {name} is not written"),
            None => format!("; all results before {them} are written"),
        }
    }

    /// Returns `self` with `file` as the rejects, the file to which all bad rows are written. Messages call the file
    /// `name`.
    ///
    /// # Errors
    /// If the file cannot be written to.
    pub fn written_to(self, file: File, name: &str) -> Result<Self, Error> {
        let mut rejects =
            Rejects { writer: ::csv::Writer::from_writer(BufWriter::new(Patient(file))), name: name.to_string() };
        rejects.write(["file", "line", "offset", "field", "reason", "row"].map(str::as_bytes))?;
        Ok(BadRows { rejects: Some(rejects), ..self })
    }

    /// The number of bad rows so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Counts a bad row without reporting it on stderr or in the rejects.
    pub fn count_one(&mut self) {
        self.count += 1;
    }

    /// Whether the next bad row must be reported and not only counted: because it would be named on stderr, written to
    /// the rejects, or end the run. (If `most` is `None`, the first bad row ends the run.) If so, pass it to
    /// [`enter`](Self::enter). Otherwise [`count_one`](Self::count_one) is enough.
    pub fn is_heard(&self) -> bool {
        self.rejects.is_some() || self.count < SAID || self.most.is_none_or(|most| self.count >= most)
    }

    /// Counts the bad row `bad` at the place `at`, writes it to the rejects, and names it on stderr if it is among the
    /// first [`SAID`].
    ///
    /// # Errors
    /// If the row ends the run, by its kind or because it is one bad row too many: the error is the message about the
    /// row. Also if the rejects cannot be written.
    pub fn enter(&mut self, bad: &BadRow, at: Standing) -> Result<(), Error> {
        if bad.kind.ends_run() {
            return Err(match bad.kind {
                Kind::Unrunnable => Error::usage(bad.what.clone()),
                _ => {
                    let last = at.line + at.bytes.split_last().map_or(0, |(_, row)| lines(row) as u64);
                    let what = format!("{}{}", bad.what, self.results_before("it"));
                    Error::deaths(at.file, (at.line, last), what)
                }
            });
        }
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
                let what = what + &self.results_before("it");
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

    /// Writes the buffered part of the rejects to their file.
    ///
    /// # Errors
    /// If the rejects cannot be written.
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
