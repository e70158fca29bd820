//! Rows of any type that serde knows, by the `csv` crate.

use super::Written;
use crate::bad_row::BadRow;
use crate::csv::record::{Line, Record, split, unquoted};
use crate::csv::shown::shown;
use crate::csv::{Format, trimmed};
use ::csv::{ErrorKind, StringRecord};
use serde::{Serialize, de::DeserializeOwned};

/// Why a row is not what it was to be read into.
enum Unreadable {
    /// This field, counted from 0, is not UTF-8.
    NotText(usize),
    /// These fields have other types, or there are more or fewer of them.
    Others(StringRecord, ::csv::Error),
}

/// The fields of a row, without the blanks around them, as a value of this type.
///
/// # Errors
/// When they are not.
pub fn read<R: DeserializeOwned>(record: &Record) -> Result<R, BadRow> {
    parse(record).map_err(|unreadable| describe(record, unreadable))
}

/// The same, where nobody hears why they are not.
pub fn try_read<R: DeserializeOwned>(record: &Record) -> Option<R> {
    parse(record).ok()
}

fn parse<R: DeserializeOwned>(record: &Record) -> Result<R, Unreadable> {
    let mut fields = StringRecord::with_capacity(record.text().len(), record.len());
    for at in 0..record.len() {
        let value = record.value(at);
        fields.push_field(std::str::from_utf8(trimmed(&value)).map_err(|_| Unreadable::NotText(at))?);
    }
    fields.deserialize(None).map_err(|error| Unreadable::Others(fields.clone(), error))
}

fn describe(record: &Record, unreadable: Unreadable) -> BadRow {
    let (fields, error) = match unreadable {
        Unreadable::NotText(at) => {
            return BadRow::in_field(record, at, format!("is not UTF-8: {}", shown(&record.value(at))));
        }
        Unreadable::Others(fields, error) => (fields, error),
    };
    match error.kind() {
        ErrorKind::Deserialize { err, .. } => match err.field() {
            Some(at) if (at as usize) < record.len() => {
                let (at, value) = (at as usize, fields.get(at as usize).unwrap_or_default());
                let what = format!("field {}: {}: {}", record.number(at), err.kind(), shown(value.as_bytes()));
                BadRow { field: Some(record.number(at)), ..BadRow::row(what) }
            }
            _ => BadRow::row(format!("{}: {}", err.kind(), shown(record.text()))),
        },
        _ => BadRow::row(error.to_string()),
    }
}

/// As [`BatchKernel::write`](crate::BatchKernel::write) has it.
pub fn write<O: Serialize>(outputs: &[O], format: Format, room: &mut [u8]) -> Written {
    let mut written = Written::default();
    let mut settings = ::csv::WriterBuilder::new();
    settings.has_headers(false).flexible(true).delimiter(format.delimiter);
    // Without quotes a field may not hold everything, which shows if all are quoted first.
    let aside = if format.delimiter == b'"' { b'\'' } else { b'"' };
    settings.quote(format.quote.unwrap_or(aside));
    if format.quote.is_none() {
        settings.quote_style(::csv::QuoteStyle::Always);
    }
    let mut writer = settings.from_writer(vec![]);
    let (mut bare, mut taken) = (vec![], 0);
    for output in outputs {
        if let Err(error) = writer.serialize(output).and_then(|()| Ok(writer.flush()?)) {
            written.bad = Some(format!("the output cannot be written as CSV: {error}"));
            break;
        }
        if format.quote.is_none() {
            let line = &writer.get_ref()[taken..];
            if !take_quotes_off(line, Format { quote: Some(aside), ..format }, &mut bare) {
                let what = "the output has the delimiter or a line end in a field, and there are no quotes; --quote says which";
                written.bad = Some(what.to_string());
                break;
            }
            taken += line.len();
        }
        let text = if format.quote.is_some() { writer.get_ref() } else { &bare };
        if text.len() > room.len() {
            break;
        }
        written.bytes = text.len();
        written.outputs += 1;
    }
    let text = if format.quote.is_some() { writer.get_ref() } else { &bare };
    room[..written.bytes].copy_from_slice(&text[..written.bytes]);
    written
}

/// Appends a row of this format without its quotes, if it reads the same without them; answers whether it does.
fn take_quotes_off(line: &[u8], format: Format, bare: &mut Vec<u8>) -> bool {
    let mut fields = vec![];
    let Line::Row { content, .. } = split(line, Format { comment: None, ..format }, &mut fields) else { return false };
    for (at, field) in fields.iter().enumerate() {
        let value = unquoted(field.raw(&line[..content]), format);
        if value.iter().any(|&byte| byte == format.delimiter || matches!(byte, b'\r' | b'\n')) {
            return false;
        }
        bare.extend((at > 0).then_some(format.delimiter));
        bare.extend_from_slice(&value);
    }
    bare.push(b'\n');
    true
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn what_is_wrong_is_named() {
        assert_eq!(row::<(f64, f64)>(b"5,x").unwrap_err(), "field 2: invalid float literal: \"x\"");
        assert_eq!(row::<(u32, u32)>(b"1").unwrap_err(), "invalid length 1, expected a tuple of size 2: \"1\"");
        assert_eq!(row::<(u32, u32)>(b"3,\xff").unwrap_err(), "field 2 is not UTF-8: \"\\xff\"");
    }

    #[test]
    fn as_many_are_written_as_fit() {
        let mut room = [0; 8];
        let written = write(&[1.5, 2.25, 3.0], Format::default(), &mut room);
        assert_eq!(written, Written { outputs: 1, bytes: 4, bad: None });
        let written = write(&[(1, "a,b")], Format::default(), &mut room);
        assert_eq!((written.bytes, &room), (8, b"1,\"a,b\"\n"));
        let tabs = Format { delimiter: b'\t', ..Format::default() };
        assert_eq!((write(&[(1, "a,b")], tabs, &mut room).bytes, &room[..6]), (6, &b"1\ta,b\n"[..]));
        let none = Format { delimiter: b'\t', quote: None, comment: None };
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
