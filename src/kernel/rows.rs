//! Rows of any type that serde knows, by the `csv` crate.

use super::{Written, Wrong};
use crate::csv::record::Record;
use crate::csv::shown::shown;
use crate::csv::{Format, trimmed};
use ::csv::{ErrorKind, StringRecord};
use serde::{Serialize, de::DeserializeOwned};

/// The fields of a row, without the blanks around them, as a value of this type.
///
/// # Errors
/// When they are not.
pub fn read<R: DeserializeOwned>(record: &Record) -> Result<R, Wrong> {
    let mut fields = StringRecord::with_capacity(record.text().len(), record.len());
    for at in 0..record.len() {
        let value = record.value(at);
        match std::str::from_utf8(trimmed(&value)) {
            Ok(text) => fields.push_field(text),
            Err(_) => return Err(Wrong::in_field(record, at, format!("is not UTF-8: {}", shown(&value)))),
        }
    }
    fields.deserialize(None).map_err(|error| match error.kind() {
        ErrorKind::Deserialize { err, .. } => match err.field() {
            Some(at) if (at as usize) < record.len() => {
                let (at, value) = (at as usize, fields.get(at as usize).unwrap_or_default());
                let what = format!("field {}: {}: {}", record.number(at), err.kind(), shown(value.as_bytes()));
                Wrong { field: Some(record.number(at)), what }
            }
            _ => Wrong::row(format!("{}: {}", err.kind(), shown(record.text()))),
        },
        _ => Wrong::row(error.to_string()),
    })
}

/// As [`BatchKernel::write`](crate::BatchKernel::write) has it.
pub fn write<O: Serialize>(outputs: &[O], format: Format, room: &mut [u8]) -> Written {
    let mut written = Written::default();
    let mut settings = ::csv::WriterBuilder::new();
    settings.has_headers(false).flexible(true).delimiter(format.delimiter);
    match format.quote {
        Some(quote) => settings.quote(quote),
        None => settings.quote_style(::csv::QuoteStyle::Never),
    };
    let mut writer = settings.from_writer(vec![]);
    for output in outputs {
        if let Err(error) = writer.serialize(output).and_then(|()| Ok(writer.flush()?)) {
            written.bad = Some(format!("the output cannot be written as CSV: {error}"));
            break;
        }
        if writer.get_ref().len() > room.len() {
            break;
        }
        written.bytes = writer.get_ref().len();
        written.outputs += 1;
    }
    room[..written.bytes].copy_from_slice(&writer.get_ref()[..written.bytes]);
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::record::{Field, split};

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
        let unwritable = std::collections::BTreeMap::from([(1, 2)]);
        assert!(write(&[unwritable], Format::default(), &mut room).bad.is_some());
    }
}
