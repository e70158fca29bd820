//! Rows of any type that serde knows, by the `csv` crate.

use super::shown::shown;
use crate::kernel::{Decoded, Encoded};
use serde::{Serialize, de::DeserializeOwned};

/// As [`Kernel::decode`](crate::Kernel::decode) has it.
pub fn decode<R: DeserializeOwned>(text: &[u8], limit: usize, rows: &mut Vec<R>) -> Decoded {
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(::csv::Trim::All)
        .buffer_capacity(text.len().min(1 << 14))
        .from_reader(text);
    let mut record = ::csv::StringRecord::new();
    let mut decoded = Decoded::default();
    for _ in 0..limit {
        let start = row_start(text, decoded.bytes);
        match reader.read_record(&mut record).and_then(|more| more.then(|| record.deserialize(None)).transpose()) {
            Ok(None) => {
                decoded.bytes = text.len();
                break;
            }
            Ok(Some(row)) => {
                rows.push(row);
                decoded.bytes = row_start(text, reader.position().byte() as usize);
            }
            Err(error) => {
                decoded.bytes = start;
                decoded.bad = Some(reason(&error, &text[start..]));
                break;
            }
        }
    }
    // The reader's own line numbers are off after blank lines and CRLF (BurntSushi/rust-csv#208, #395).
    decoded.lines = memchr::memchr_iter(b'\n', &text[..decoded.bytes]).count();
    decoded
}

/// Where the next row starts at or after `at`: the reader leaves the `\n` of `\r\n` and blank lines for later.
fn row_start(text: &[u8], at: usize) -> usize {
    at + text[at..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

fn reason(error: &::csv::Error, row: &[u8]) -> String {
    let field = |at: u64| {
        let mut fields = ::csv::ByteRecord::new();
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(row);
        let _ = reader.read_byte_record(&mut fields);
        shown(fields.get(at as usize).unwrap_or_default())
    };
    let end = memchr::memchr2(b'\r', b'\n', row).unwrap_or(row.len());
    match error.kind() {
        ::csv::ErrorKind::Deserialize { err, .. } => match (err.field(), err.kind()) {
            (Some(at), kind) => format!("field {}: {kind}: {}", at + 1, field(at)),
            (None, kind) => format!("{kind}: {}", shown(&row[..end])),
        },
        ::csv::ErrorKind::Utf8 { err, .. } => {
            format!("field {} is not UTF-8: {}", err.field() + 1, field(err.field() as u64))
        }
        _ => error.to_string(),
    }
}

/// As [`Kernel::encode`](crate::Kernel::encode) has it.
pub fn encode<O: Serialize>(outputs: &[O], room: &mut [u8]) -> Encoded {
    let mut encoded = Encoded::default();
    let mut writer = ::csv::WriterBuilder::new().has_headers(false).flexible(true).from_writer(vec![]);
    for output in outputs {
        if let Err(error) = writer.serialize(output).and_then(|()| Ok(writer.flush()?)) {
            encoded.bad = Some(format!("the output cannot be written as CSV: {error}"));
            break;
        }
        if writer.get_ref().len() > room.len() {
            break;
        }
        encoded.bytes = writer.get_ref().len();
        encoded.outputs += 1;
    }
    room[..encoded.bytes].copy_from_slice(&writer.get_ref()[..encoded.bytes]);
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_positions_and_lines_agree_with_the_text() {
        let text = b"1.5, 2\r\n\r\n\n-3,4e2\n5,x\n";
        let mut rows: Vec<(f64, f64)> = vec![];
        let decoded = decode(text, 1, &mut rows);
        assert_eq!((decoded.bytes, decoded.lines, decoded.bad), (11, 3, None), "the next row starts at -3");
        let decoded = decode(text, 100, &mut rows);
        assert_eq!(rows, [(1.5, 2.0), (1.5, 2.0), (-3.0, 400.0)]);
        assert_eq!((&text[decoded.bytes..], decoded.lines), (&b"5,x\n"[..], 4));
        assert_eq!(decoded.bad.unwrap(), "field 2: invalid float literal: \"x\"");
    }

    #[test]
    fn too_few_fields_and_bytes_that_are_not_text_are_named() {
        let bad = |text: &[u8]| decode(text, 9, &mut Vec::<(u32, u32)>::new()).bad;
        assert_eq!(bad(b"1\n").unwrap(), "invalid length 1, expected a tuple of size 2: \"1\"");
        assert_eq!(bad(b"1,2\n3,\xff\n").unwrap(), "field 2 is not UTF-8: \"\\xff\"");
        assert_eq!(bad(b"1,2\n\n"), None);
        assert_eq!(bad(b""), None);
    }

    #[test]
    fn encodes_as_many_as_fit() {
        let mut room = [0; 8];
        let encoded = encode(&[1.5, 2.25, 3.0], &mut room);
        assert_eq!(encoded, Encoded { outputs: 1, bytes: 4, bad: None });
        let encoded = encode(&[(1, "a,b")], &mut room);
        assert_eq!((encoded.bytes, &room), (8, b"1,\"a,b\"\n"));
        let unwritable = std::collections::BTreeMap::from([(1, 2)]);
        assert!(encode(&[unwritable], &mut room).bad.is_some());
    }
}
