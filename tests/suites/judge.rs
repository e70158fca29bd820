//! What the `csv` crate reads in a file, and which results its rows should have.

use crate::common::{STRAY_RETURN, euclid, stray_return};
use csv::{ByteRecord, ReaderBuilder, Terminator};

pub const MARK: &[u8] = b"\xef\xbb\xbf";

/// A row and how it stands in its file.
pub struct Row {
    /// The offset of its first byte.
    pub start: usize,
    /// Where an error in it is said to be.
    pub line: usize,
    pub text: Vec<u8>,
    pub end: &'static str,
    pub fields: Vec<Vec<u8>>,
    pub is_unclosed: bool,
}

pub fn records(bytes: &[u8], terminator: Terminator) -> Vec<ByteRecord> {
    let mut reader = ReaderBuilder::new();
    let mut reader = reader.has_headers(false).flexible(true).terminator(terminator).from_reader(bytes);
    reader.byte_records().map(Result::unwrap).collect()
}

/// The rows by the `csv` crate, told of the differences.
pub fn read(bytes: &[u8]) -> Vec<Row> {
    let text = bytes.strip_prefix(MARK).unwrap_or(bytes);
    let found = records(text, Terminator::Any(b'\n'));
    let is_cut_off = records(&[text, b"\n\nx"].concat(), Terminator::Any(b'\n')).len() == found.len();
    let starts = found.iter().map(|record| record.position().unwrap().byte() as usize);
    let ends = starts.clone().skip(1).chain([text.len()]);
    let mut rows = vec![];
    for (number, (record, (from, to))) in (1..).zip(found.iter().zip(starts.zip(ends))) {
        let blank_lines = text[from..to].iter().take_while(|byte| **byte == b'\n').count();
        let mut fields: Vec<_> = record.iter().map(<[u8]>::to_vec).collect();
        let last = fields.last_mut().unwrap();
        let start = bytes.len() - text.len() + from + blank_lines;
        let is_unclosed = is_cut_off && number == found.len();
        let (mut row, mut end) = (text[from + blank_lines..to].to_vec(), "\n");
        let before = if is_unclosed { bytes } else { &bytes[..start] };
        let mut line = 1 + newlines(before);
        if is_unclosed {
            line -= newlines(last);
        } else {
            while row.ends_with(b"\n") {
                row.pop();
            }
            if row.pop_if(|byte| *byte == b'\r').is_some() {
                last.pop();
                end = "\r\n";
            }
        }
        if fields.len() > 1 || row.iter().any(|byte| !b" \t".contains(byte)) {
            rows.push(Row { start, line, text: row, end, fields, is_unclosed });
        }
    }
    rows
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// A field at fault, as in the rejects, and how the reason starts.
pub type Fault = (String, String);

impl Row {
    pub fn appended(&self, result: impl ToString) -> Vec<u8> {
        [&self.text, &b","[..], result.to_string().as_bytes(), self.end.as_bytes()].concat()
    }

    /// The field with a carriage return that ends no row.
    pub fn field_with_stray_return(&self) -> Option<usize> {
        stray_return(&self.text, b',', Some(b'"')).map(|(field, _)| field).filter(|_| !self.is_unclosed)
    }

    /// The gcd, or all that may be said to be wrong, where all rows are to have so many fields, if that is given.
    pub fn judge(&self, columns: Option<[usize; 2]>, length: Option<usize>) -> Result<u64, Vec<Fault>> {
        let count = self.fields.len();
        let fields = if count == 1 { "field" } else { "fields" };
        let largest = columns.map_or(2, |[first, second]| first.max(second));
        if let Some(field) = self.field_with_stray_return() {
            return Err(vec![(field.to_string(), format!("field {field} {STRAY_RETURN}"))]);
        }
        match columns {
            _ if self.is_unclosed => return Err(vec![]),
            Some(_) if count < largest => {
                return Err(vec![(String::new(), format!("{count} {fields} where {largest} are needed: "))]);
            }
            Some(_) if let Some(length) = length.filter(|&length| length != count) => {
                return Err(vec![(String::new(), format!("{count} {fields} where {length} are expected: "))]);
            }
            None if count != 2 => {
                return Err(vec![(String::new(), format!("{count} {fields} where 2 are expected: "))]);
            }
            _ => {}
        }
        let found = columns.unwrap_or([1, 2]).map(|column| {
            magnitude(&self.fields[column - 1]).map_err(|what| (column.to_string(), format!("field {column} {what}")))
        });
        match found {
            [Ok(first), Ok(second)] => Ok(euclid(first, second)),
            found => Err(found.into_iter().filter_map(Result::err).collect()),
        }
    }
}

fn magnitude(field: &[u8]) -> Result<u64, &'static str> {
    let number = std::str::from_utf8(field).map_err(|_| "is not UTF-8: ")?.trim_matches([' ', '\t']);
    match number.strip_prefix(['+', '-']).unwrap_or(number) {
        _ if number.is_empty() => Err("is empty"),
        digits if digits.contains('\0') => Err("has a NUL byte: "),
        digits if digits.starts_with(|c: char| c.is_ascii_digit()) => digits.parse().map_err(|_| "is not an integer: "),
        _ => Err("is not an integer: "),
    }
}
