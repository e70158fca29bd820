//! Makes every [`Kernel`] a [`BatchKernel`], by reading rows of any type that serde knows, and writing outputs of any
//! such type, with the `csv` crate.

use super::Kernel;
use super::batch::{BatchKernel, Written};
use crate::bad_row::BadRow;
use crate::csv::record::{Line, Record, split, unquoted};
use crate::csv::shown::shown;
use crate::csv::{Format, trimmed};
use ::csv::{ErrorKind, StringRecord};
use serde::{Serialize, de::DeserializeOwned};
use std::borrow::Cow;
use std::ops::Range;

impl<K: Kernel> BatchKernel for K {
    type Rows = Vec<K::Row>;
    type Outputs = Vec<K::Output>;

    fn result_name(&self) -> &str {
        self.name()
    }

    fn needs_nothing(&self) -> bool {
        self.is_self_contained()
    }

    fn sample_row(&self, number: u64) -> Option<String> {
        self.sample(number)
    }

    fn read(&self, record: &Record, rows: &mut Vec<K::Row>) -> Result<(), BadRow> {
        rows.push(read(record)?);
        Ok(())
    }

    fn try_read(&self, record: &Record, rows: &mut Vec<K::Row>) -> bool {
        let row = try_read(record);
        let is_good = row.is_some();
        rows.extend(row);
        is_good
    }

    fn map_batch(&self, rows: &Vec<K::Row>, outputs: &mut Vec<K::Output>) {
        self.map_rows(rows, outputs);
    }

    fn write(&self, outputs: &Vec<K::Output>, range: Range<usize>, format: Format, room: &mut [u8]) -> Written {
        write(&outputs[range], format, room)
    }

    fn is_known_to_write_rows(&self) -> bool {
        true
    }
}

/// Why the fields of a row do not form a value of the row type.
enum Unreadable {
    /// The field at this index, from 0, is not UTF-8.
    NotText(usize),
    /// A field has the wrong type, or there are too few fields; the error has the details.
    Mismatch(::csv::Error),
}

/// Trims the fields of a row and deserializes them as an `R`.
///
/// # Errors
/// If the fields do not form an `R`.
fn read<R: DeserializeOwned>(record: &Record) -> Result<R, BadRow> {
    parse(record).map_err(|unreadable| describe(record, unreadable))
}

/// Works like [`read`], but does not describe what is wrong, because the description costs far more than reading the
/// row.
fn try_read<R: DeserializeOwned>(record: &Record) -> Option<R> {
    parse(record).ok()
}

fn parse<R: DeserializeOwned>(record: &Record) -> Result<R, Unreadable> {
    let mut fields = StringRecord::with_capacity(record.text().len(), record.len());
    for at in 0..record.len() {
        let value = record.value(at);
        let value = record.format().notation.plain(trimmed(&value));
        fields.push_field(std::str::from_utf8(&value).map_err(|_| Unreadable::NotText(at))?);
    }
    fields.deserialize(None).map_err(Unreadable::Mismatch)
}

fn describe(record: &Record, unreadable: Unreadable) -> BadRow {
    let error = match unreadable {
        Unreadable::NotText(at) => {
            return BadRow::in_field(record, at, format!("is not UTF-8: {}", shown(&record.value(at))));
        }
        Unreadable::Mismatch(error) => error,
    };
    let ErrorKind::Deserialize { err, .. } = error.kind() else { return BadRow::row(error.to_string()) };
    match err.field().map(|at| at as usize).filter(|&at| at < record.len()) {
        Some(at) => {
            let (number, value) = (record.number(at), record.value(at));
            let what = format!("field {number}: {}: {}", err.kind(), shown(trimmed(&value)));
            BadRow { field: Some(number), ..BadRow::row(what) }
        }
        None => BadRow::row(format!("{}: {}", err.kind(), shown(record.text()))),
    }
}

/// Writes `outputs` to the front of `room`, as [`BatchKernel::write`] requires.
fn write<O: Serialize>(outputs: &[O], format: Format, room: &mut [u8]) -> Written {
    let mut written = Written::default();
    let mut settings = ::csv::WriterBuilder::new();
    settings.has_headers(false).flexible(true).delimiter(format.delimiter);
    // In a format without quotes a field cannot hold every value. So the `csv` writer is first made to quote all fields
    // with `aside`; `without_quotes` then knows where each field ends, and tells whether its value can be written.
    let aside = if format.delimiter == b'"' { b'\'' } else { b'"' };
    settings.quote(format.quote.unwrap_or(aside));
    if format.quote.is_none() {
        settings.quote_style(::csv::QuoteStyle::Always);
    }
    let mut writer = settings.from_writer(vec![]);
    let mut taken = 0;
    for output in outputs {
        if let Err(error) = writer.serialize(output).and_then(|()| Ok(writer.flush()?)) {
            written.bad = Some(format!("the output cannot be written as CSV: {error}"));
            break;
        }
        let quoted = &writer.get_ref()[taken..];
        taken += quoted.len();
        let line = match format.quote {
            Some(_) => Some(Cow::Borrowed(quoted)),
            None => without_quotes(quoted, aside, format).map(Cow::Owned),
        };
        let Some(line) = line else {
            let what = match format.blanks {
                false => {
                    "the output has the delimiter or a line end in a field, and there are no quotes; --quote says which"
                }
                true => {
                    "the output has a field that is empty or has a blank or a line end in it, which no field between blanks can"
                }
            };
            written.bad = Some(what.to_string());
            break;
        };
        let Some(space) = room[written.bytes..].get_mut(..line.len()) else { break };
        space.copy_from_slice(&line);
        written.bytes += line.len();
        written.outputs += 1;
    }
    written
}

/// Returns the row `line`, whose fields stand in `quote`, as written in `format`, which has no quotes. Returns `None`
/// if a field has a value that cannot be written without quotes.
fn without_quotes(line: &[u8], quote: u8, format: Format) -> Option<Vec<u8>> {
    let quoted = Format { quote: Some(quote), comment: None, blanks: false, ..format };
    let mut fields = vec![];
    let Line::Row { content, .. } = split(line, quoted, &mut fields) else { return None };
    let mut bare = vec![];
    for field in fields {
        let value = unquoted(field.raw(&line[..content]), quoted);
        if !format.can_hold(&value) {
            return None;
        }
        bare.extend_from_slice(&value);
        bare.push(format.delimiter);
    }
    bare.pop();
    bare.push(b'\n');
    Some(bare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::notation::Notation;
    use crate::csv::record::Field;

    fn row<R: DeserializeOwned>(text: &[u8]) -> Result<R, String> {
        let mut fields: Vec<Field> = vec![];
        split(text, Format::default(), &mut fields);
        read(&Record::new(text, &fields, None, Format::default())).map_err(|wrong| wrong.what)
    }

    #[test]
    fn fields_are_read_without_quotes_and_blanks() {
        assert_eq!(row(b"1.5, 2"), Ok((1.5, 2.0)));
        assert_eq!(row(b"\" -3\",\t4e2 ,x"), Ok((-3.0, 400.0)));
        assert_eq!(row(b"\"a, \"\"b\"\"\",c"), Ok(("a, \"b\"".to_string(), 'c')));
    }

    #[test]
    fn numbers_in_another_notation_are_read_as_those_they_are() {
        let notation = Notation { decimal: ',', thousands: Some('.'), whole_floats: true };
        let format = Format { delimiter: b';', notation, ..Format::default() };
        let (text, mut fields) = (b"1.234,5; -7,0;1e3;a,b;1.23", vec![]);
        split(text, format, &mut fields);
        let row = read::<(f64, i32, u16, String, String)>(&Record::new(text, &fields, None, format));
        let expected = (1234.5, -7, 1000, "a,b".to_string(), "1.23".to_string());
        assert_eq!(row.map_err(|wrong| wrong.what), Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(row::<(f64, f64)>(b"5,x").unwrap_err(), "field 2: invalid float literal: \"x\"");
        assert_eq!(row::<(u32, u32)>(b"1").unwrap_err(), "invalid length 1, expected a tuple of size 2: \"1\"");
        assert_eq!(row::<(u32, u32)>(b"3,\xff").unwrap_err(), "field 2 is not UTF-8: \"\\xff\"");
    }

    #[test]
    fn as_many_are_written_as_fit() {
        let mut room = [0; 8];
        let written = write(&[1.5, 2.25, 3.0], Format::default(), &mut room);
        assert_eq!(written, Written { outputs: 1, bytes: 4, ..Written::default() });
        let written = write(&[(1, "a,b")], Format::default(), &mut room);
        assert_eq!((written.bytes, &room), (8, b"1,\"a,b\"\n"));
        let tabs = Format { delimiter: b'\t', ..Format::default() };
        assert_eq!((write(&[(1, "a,b")], tabs, &mut room).bytes, &room[..6]), (6, &b"1\ta,b\n"[..]));
        let none = Format { delimiter: b'\t', quote: None, ..Format::default() };
        assert_eq!((write(&[("\"a\"", "")], none, &mut room).bytes, &room[..5]), (5, &b"\"a\"\t\n"[..]));
        assert_eq!((write(&["", " ", "x"], none, &mut room).bytes, &room[..5]), (5, &b"\n \nx\n"[..]));
        for text in ["a\tb", "a\nb", "a\rb"] {
            let written = write(&["x", text], none, &mut room);
            assert!(written.bad.is_some() && (written.outputs, written.bytes) == (1, 2), "{text:?}: {written:?}");
        }
        let unwritable = std::collections::BTreeMap::from([(1, 2)]);
        assert!(write(&[unwritable], Format::default(), &mut room).bad.is_some());
    }
}
