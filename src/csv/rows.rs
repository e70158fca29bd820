//! Rows of any type that serde knows, by the `csv` crate.

use super::shown::shown;
use crate::kernel::{Decoded, Encoded};
use ::csv::{ErrorKind, StringRecord};
use serde::{Serialize, de::DeserializeOwned};

/// As [`Kernel::decode`](crate::Kernel::decode) has it: fields between commas, without blanks around them; blank lines
/// are skipped. There are no quotes.
pub fn decode<R: DeserializeOwned>(text: &[u8], limit: usize, rows: &mut Vec<R>) -> Decoded {
    let mut record = StringRecord::new();
    let mut decoded = Decoded::default();
    let enough = rows.len() + limit;
    while rows.len() < enough && decoded.bytes < text.len() {
        let rest = &text[decoded.bytes..];
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let line = rest[..end].trim_ascii();
        if !line.is_empty() {
            match row(line, &mut record) {
                Ok(row) => rows.push(row),
                Err(bad) => {
                    decoded.bad = Some(bad);
                    break;
                }
            }
        }
        decoded.bytes += end;
        decoded.lines += 1;
    }
    decoded
}

fn row<R: DeserializeOwned>(line: &[u8], record: &mut StringRecord) -> Result<R, String> {
    let Ok(text) = std::str::from_utf8(line) else {
        let is_text = |field: &&[u8]| std::str::from_utf8(field).is_ok();
        let before = line.split(|&byte| byte == b',').take_while(is_text).count();
        let field = line.split(|&byte| byte == b',').nth(before).unwrap_or_default();
        return Err(format!("field {} is not UTF-8: {}", before + 1, shown(field)));
    };
    record.clear();
    text.split(',').for_each(|field| record.push_field(field.trim_ascii()));
    record.deserialize(None).map_err(|error| match error.kind() {
        ErrorKind::Deserialize { err, .. } => match err.field() {
            Some(at) => {
                let field = record.get(at as usize).unwrap_or_default();
                format!("field {}: {}: {}", at + 1, err.kind(), shown(field.as_bytes()))
            }
            None => format!("{}: {}", err.kind(), shown(line)),
        },
        _ => error.to_string(),
    })
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
        assert_eq!((decoded.bytes, decoded.lines, decoded.bad), (8, 1, None));
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
