//! Rows in the form in which a command reads them: one line for each row.

use crate::bad_row::BadRow;
use crate::csv::Format;
use crate::csv::columns::names;
use crate::csv::head::Head;
use crate::csv::index::Rows as Found;
use crate::csv::record::{Line, Record, split};
use crate::csv::shown::shown;
use crate::kernel::batch::{Batch, BatchKernel, Other, Written, read_each};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The form in which rows are sent to a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Form {
    /// The row as it stands, or the value of its only chosen column
    #[default]
    Text,
    /// The values as RFC 4180 has them
    Csv,
    /// The values as a JSON object, or as an array if there is no header
    Json,
}

/// Turns rows into lines for a command. It is a kernel that only reads rows and maps nothing, so that commands can use
/// the decoder of rows and its messages about bad rows.
#[derive(Clone, Debug)]
pub struct Lines {
    /// The form of the lines.
    pub form: Form,
    /// How many columns `--columns` has chosen; `None` if it is not given.
    pub chosen: Option<usize>,
}

/// Lines for a command, one for each row.
#[derive(Default, Debug, Serialize, Deserialize)]
pub struct Rows {
    /// All lines, each with its line end.
    pub bytes: Vec<u8>,
    /// The end of each line in `bytes`.
    ends: Vec<usize>,
    /// What stands in front of each value of a JSON object: its name and a colon. Empty if rows are written as arrays.
    /// Clearing the rows does not clear this.
    members: Vec<Vec<u8>>,
}

impl Rows {
    /// Returns the lines of these rows.
    pub fn lines(&self, rows: Range<usize>) -> &[u8] {
        let end_of = |row: usize| row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[end_of(rows.start)..end_of(rows.end)]
    }

    /// Takes the names of the columns from a block's head. If the input has no header, rows are written as arrays.
    pub fn take_names(&mut self, head: &Head, format: Format) {
        self.members.clear();
        let mut fields = vec![];
        if head.header.is_empty() {
            return;
        }
        let Line::Row { content, .. } = split(&head.header, format, &mut fields) else { return };
        let names = names(&Record::new(&head.header[..content], &fields, None, format));
        let all: Vec<usize> = (0..names.len()).collect();
        for &at in head.columns.as_deref().unwrap_or(&all) {
            let name = names.get(at).map(|name| String::from_utf8_lossy(name)).unwrap_or_default();
            self.members.push(format!("{}:", serde_json::Value::from(name)).into());
        }
    }
}

impl Batch for Rows {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

impl BatchKernel for Lines {
    type Rows = Rows;
    type Outputs = Vec<()>;

    fn result_name(&self) -> &str {
        "result"
    }

    fn read(&self, record: &Record, rows: &mut Rows) -> Result<(), BadRow> {
        let start = rows.bytes.len();
        let written = match self.form {
            Form::Text => self.text(record, &mut rows.bytes),
            Form::Csv => csv(record, &mut rows.bytes),
            Form::Json => json(record, &rows.members, &mut rows.bytes),
        };
        if written.is_err() {
            rows.bytes.truncate(start);
            return written;
        }
        rows.bytes.push(b'\n');
        rows.ends.push(rows.bytes.len());
        Ok(())
    }

    fn read_rows(&self, found: &Found, rows: &mut Rows, other: Other<Rows>) -> usize {
        let count = found.len();
        if self.form == Form::Text && self.chosen.is_none() && count > 0 {
            // Copy all rows together if there is one line feed for each row: then no comment or blank line lies between
            // them, and no line end within quotes. There must be no `\r` either, because a row that ends with `\r\n` is
            // sent without the `\r`.
            let (start, end) = (found.place(0).start, found.place(count - 1).end);
            let text = &found.text()[start..=end];
            let is_plain = memchr::memchr(b'\r', text).is_none() && memchr::memchr_iter(b'\n', text).count() == count;
            if is_plain {
                let before = rows.bytes.len();
                rows.ends.extend((0..count).map(|row| before + found.place(row).end + 1 - start));
                rows.bytes.extend_from_slice(text);
                return count;
            }
        }
        read_each(found, rows, other)
    }

    fn map_batch(&self, _: &Rows, _: &mut Vec<()>) {}

    fn write(&self, _: &Vec<()>, _: Range<usize>, _: Format, _: &mut [u8]) -> Written {
        Written::default()
    }
}

impl Lines {
    fn text(&self, record: &Record, line: &mut Vec<u8>) -> Result<(), BadRow> {
        match self.chosen {
            None => line.extend_from_slice(record.text()),
            Some(1) => line.extend_from_slice(&record.value(0)),
            Some(_) => {
                for field in 0..record.len() {
                    if field > 0 {
                        line.push(record.format().delimiter);
                    }
                    line.extend_from_slice(record.raw(field));
                }
            }
        }
        refuse_line_ends(record)
    }
}

/// Returns an error if a value has a line end in it: the row would become two lines.
fn refuse_line_ends(record: &Record) -> Result<(), BadRow> {
    if memchr::memchr(b'\n', record.text()).is_none() {
        return Ok(());
    }
    match (0..record.len()).find(|&field| memchr::memchr(b'\n', record.raw(field)).is_some()) {
        Some(field) => {
            let value = shown(&record.value(field));
            let what = format!("has a line end in it, and the command reads lines: {value}; use --command-input json");
            Err(BadRow::in_field(record, field, what))
        }
        None => Ok(()),
    }
}

fn csv(record: &Record, line: &mut Vec<u8>) -> Result<(), BadRow> {
    for field in 0..record.len() {
        if field > 0 {
            line.push(b',');
        }
        Format::default().append_field(line, &record.value(field), record.len() == 1);
    }
    refuse_line_ends(record)
}

fn json(record: &Record, members: &[Vec<u8>], line: &mut Vec<u8>) -> Result<(), BadRow> {
    let [open, close] = if members.is_empty() { *b"[]" } else { *b"{}" };
    line.push(open);
    for field in 0..record.len() {
        if field > 0 {
            line.push(b',');
        }
        line.extend_from_slice(members.get(field).map_or(&[], Vec::as_slice));
        let value = record.value(field);
        let text = std::str::from_utf8(&value)
            .map_err(|_| BadRow::in_field(record, field, format!("is not UTF-8, as JSON is: {}", shown(&value))))?;
        // A string can always be written as JSON, and a vector can always be written to.
        let _ = serde_json::to_writer(&mut *line, text);
    }
    line.push(close);
    Ok(())
}
