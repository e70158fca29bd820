//! The judge: reads a text row by row with the `csv` crate and computes results with `num-bigint`, so that the
//! program's own code can be compared with it.

use super::newlines;
use crate::csv::{Format, trimmed};
use ::csv::{ByteRecord, ReaderBuilder, Terminator};
use num_bigint::BigUint;
use num_integer::Integer;
use std::io::Read;
use std::ops::Range;

/// A row of a text.
pub struct Row {
    /// The range of the row in the text, without its line end.
    pub content: Range<usize>,
    /// Where the next row begins.
    pub end: usize,
    /// The fields, unquoted.
    pub fields: Vec<Vec<u8>>,
    /// Whether a quote in the row is never closed, so that the row extends to the end of the text.
    pub is_open: bool,
    /// Where in the row the first carriage return stands that is outside quotes and not part of the line end, and the
    /// number of its field (`None` in a comment).
    pub stray: Option<(usize, Option<usize>)>,
}

impl Row {
    pub fn len(&self) -> usize {
        self.end - self.content.start
    }
}

/// Returns the first record of the text, its length in bytes, and whether another record follows.
fn record(text: &[u8], format: Format) -> (ByteRecord, usize, bool) {
    let mut reader = ReaderBuilder::new();
    reader.has_headers(false).flexible(true).terminator(Terminator::Any(b'\n')).buffer_capacity(512);
    reader.delimiter(format.delimiter);
    match format.quote {
        Some(quote) => reader.quote(quote),
        None => reader.quoting(false),
    };
    // Put a line end first: without it the reader would take a byte order mark here for one at the start of a file, and
    // skip it.
    let mut reader = reader.from_reader((&b"\n"[..]).chain(text));
    let mut first = ByteRecord::new();
    reader.read_byte_record(&mut first).unwrap();
    let length = reader.position().byte() as usize - 1;
    (first, length, reader.read_byte_record(&mut ByteRecord::new()).unwrap())
}

/// Returns the fields of the text if it ends within quotes. To find out, another line is appended: within quotes it
/// does not become a record of its own.
fn open_fields(text: &[u8], format: Format) -> Option<ByteRecord> {
    let (fields, _, has_more) = record(&[text, b"\nmore"].concat(), format);
    (!has_more).then_some(fields)
}

/// Returns how many line ends come before a quote that is never closed, or `None` if the text has no such quote.
pub fn lines_before_open_quote(text: &[u8], format: Format) -> Option<usize> {
    let fields = open_fields(text, format)?;
    Some(newlines(text) + 1 - newlines(fields.iter().next_back()?))
}

/// Splits a text into its rows. The text must begin at the start of a row.
///
/// The rules differ from the `csv` crate's in two ways: comments and lines with nothing but spaces or tabs are not
/// rows, and a carriage return is part of a line end only before a line feed.
pub fn rows(text: &[u8], format: Format) -> Vec<Row> {
    let (mut rows, mut at) = (vec![], 0);
    while at < text.len() {
        let end = text[at..].iter().position(|&byte| byte == b'\n').map_or(text.len(), |length| at + length + 1);
        let line = text[at..end].strip_suffix(b"\n").unwrap_or(&text[at..end]);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let is_comment = format.comment.is_some_and(|comment| line.starts_with(&[comment]));
        if let Some(stray) = line.iter().position(|&byte| byte == b'\r').filter(|_| is_comment) {
            let (content, stray) = (at..at + line.len(), Some((stray, None)));
            rows.push(Row { content, end, fields: vec![], is_open: false, stray });
            at = end;
            continue;
        }
        if is_comment || line.iter().all(|&byte| b" \t".contains(&byte) && byte != format.delimiter) {
            at = end;
            continue;
        }
        let (fields, length, _) = record(&text[at..], format);
        let raw = &text[at..at + length];
        let is_open = at + length == text.len() && open_fields(raw, format).is_some();
        let mut fields: Vec<Vec<u8>> = fields.iter().map(<[u8]>::to_vec).collect();
        let mut content = raw.strip_suffix(b"\n").unwrap_or(raw).len();
        if !is_open && raw[..content].ends_with(b"\r") {
            content -= 1;
            assert_eq!(fields.last_mut().and_then(Vec::pop), Some(b'\r'));
        }
        let stray = stray_return(&raw[..content], format).filter(|_| !is_open);
        rows.push(Row { content: at..at + content, end: at + length, fields, is_open, stray });
        at += length;
    }
    rows
}

/// Returns where the first carriage return outside quotes stands in a row without its line end, and the number of its
/// field.
fn stray_return(row: &[u8], format: Format) -> Option<(usize, Option<usize>)> {
    let (mut field, mut at, mut begins, mut is_open) = (1, 0, true, false);
    while at < row.len() {
        let is_quote = Some(row[at]) == format.quote;
        if is_open && is_quote && row.get(at + 1) == Some(&row[at]) {
            at += 1;
        } else if is_open {
            is_open = !is_quote;
        } else if begins && is_quote {
            is_open = true;
        } else if row[at] == b'\r' {
            return Some((at, Some(field)));
        } else {
            field += usize::from(row[at] == format.delimiter);
        }
        begins = !is_open && row[at] == format.delimiter;
        at += 1;
    }
    None
}

/// Returns the greatest common divisor of the two fields; or the number of the bad field, if one is to blame, and the
/// beginning of the message that the program must print.
pub fn divisor(
    row: &Row,
    columns: Option<[usize; 2]>,
    length: Option<usize>,
    (radix, max_digits): (u32, usize),
) -> Result<BigUint, (Option<usize>, String)> {
    let (count, pair) = (row.fields.len(), columns.unwrap_or([0, 1]));
    let (needed, plural) = (pair[0].max(pair[1]) + 1, if count == 1 { "" } else { "s" });
    if let Some((_, field)) = row.stray {
        let of = field.map_or("the comment".to_string(), |field| format!("field {field}"));
        return Err((field, format!("{of} has a carriage return outside quotes, ")));
    }
    match columns {
        Some(_) if count < needed => {
            return Err((None, format!("{count} field{plural} where {needed} are needed: \"")));
        }
        _ if let Some(length) = length.filter(|&length| length != count) => {
            let are = if length == 1 { "is" } else { "are" };
            return Err((None, format!("{count} field{plural} where {length} {are} expected: \"")));
        }
        None if count != 2 => return Err((None, format!("{count} field{plural} where 2 are expected: \""))),
        _ => {}
    }
    let number = |at: usize| {
        magnitude(&row.fields[at], radix, max_digits).map_err(|what| (Some(at + 1), format!("field {} {what}", at + 1)))
    };
    Ok(number(pair[0])?.gcd(&number(pair[1])?))
}

fn magnitude(value: &[u8], radix: u32, max_digits: usize) -> Result<BigUint, String> {
    let value = trimmed(value);
    let digits = match value {
        [b'-' | b'+', digits @ ..] => digits,
        digits => digits,
    };
    let digits = match (radix, digits) {
        (16, [b'0', b'x' | b'X', digits @ ..])
        | (8, [b'0', b'o' | b'O', digits @ ..])
        | (2, [b'0', b'b' | b'B', digits @ ..]) => digits,
        (_, digits) => digits,
    };
    if digits.is_empty() || !digits.iter().all(|&digit| char::from(digit).is_digit(radix)) {
        return Err(match value {
            [] => "is empty",
            _ if value.contains(&0) => "has a NUL byte: \"",
            _ if std::str::from_utf8(value).is_err() => "is not UTF-8: \"",
            _ => "is not an integer: \"",
        }
        .to_string());
    }
    let number = BigUint::parse_bytes(digits, radix).unwrap();
    let length = digits.len() - digits.iter().take_while(|&&digit| digit == b'0').count();
    if length > max_digits { Err(format!("has {length} digits, ")) } else { Ok(number) }
}
