//! One row and its fields: RFC 4180, read as the `csv` crate reads it. The faster ways to find rows and fields are tested against
//! [`split`], which is kept simple.
//!
//! A quote opens a quoted field only as the first byte of a field. Within it two quotes stand for one. What follows the
//! closing quote, up to the delimiter, belongs to the value as it is. Three things differ from the `csv` crate:
//!
//! - A carriage return ends a row only together with the line feed behind it, or at the end of the input. Anywhere else outside
//!   quotes it makes the row a bad one.
//! - A line of nothing but blanks is no row.
//! - A quote that is never closed is an error.
//!
//! The file has more than 300 lines because a third of it is the test against that crate.

use super::Format;
use memchr::{memchr, memchr2};
use std::borrow::Cow;
use std::ops::Range;

/// What the line at the front of a text is. A line goes on behind a line end within quotes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    /// A row.
    Row {
        /// Bytes without its line end.
        content: usize,
        /// Bytes with it.
        length: usize,
    },
    /// A row or a comment with a carriage return outside quotes that does not end it.
    Stray {
        /// Where the carriage return stands.
        at: usize,
        /// Bytes without its line end.
        content: usize,
        /// Bytes with it.
        length: usize,
    },
    /// A blank line or a comment.
    Nothing {
        /// Bytes with its line end.
        length: usize,
    },
    /// A row with a quoted field that is not closed up to the end of the text.
    Unclosed {
        /// Where the quote stands.
        quote: usize,
    },
}

impl Line {
    /// Bytes with its line end, unless it has none because of an open quote.
    pub fn length(self) -> Option<usize> {
        match self {
            Line::Row { length, .. } | Line::Stray { length, .. } | Line::Nothing { length } => Some(length),
            Line::Unclosed { .. } => None,
        }
    }
}

/// The raw bytes of a field, quotes and all, in its row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    start: u32,
    end: u32,
}

impl Field {
    /// From `start` to `end` in the text of a row that begins at `row`.
    #[inline(always)]
    pub fn new(start: usize, end: usize, row: usize) -> Self {
        Field { start: (start - row) as u32, end: (end - row) as u32 }
    }

    /// Its bytes, in the text of its row.
    pub fn raw(self, row: &[u8]) -> &[u8] {
        &row[self.range()]
    }

    /// The place of its bytes in the text of its row.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Splits the line at the front of `text` into `fields`. The text is not empty, and ends where a row or the input does. Of a row
/// that is not closed there are the fields before the open quote; a blank line and a comment have none.
pub fn split(text: &[u8], format: Format, fields: &mut Vec<Field>) -> Line {
    fields.clear();
    if let Some(length) = nothing(text, format) {
        return Line::Nothing { length };
    }
    if format.begins_comment(text) {
        let (line, length) = first_line(text);
        let at = memchr(b'\r', line).unwrap_or_default();
        return Line::Stray { at, content: line.len(), length };
    }
    let mut start = 0;
    loop {
        let mut at = start;
        if format.is_quoted(&text[start..]) {
            match closing_quote(text, start) {
                Some(close) => at = close + 1,
                None => return Line::Unclosed { quote: start },
            }
        }
        let end = memchr2(format.delimiter, b'\n', &text[at..]).map(|end| at + end);
        let mut field = |end: usize| fields.push(Field::new(start, end, 0));
        match end {
            Some(end) if text[end] == format.delimiter => {
                field(end);
                start = end + 1;
            }
            _ => {
                let line = &text[..end.unwrap_or(text.len())];
                // The carriage return of the line end, unless it is within the quotes.
                let content = line.len() - usize::from(line.len() > at && line.ends_with(b"\r"));
                field(content);
                let length = end.map_or(text.len(), |end| end + 1);
                return match stray_return(&text[..content], fields, format) {
                    Some(at) => Line::Stray { at, content, length },
                    None => Line::Row { content, length },
                };
            }
        }
    }
}

/// The length of the line at the front with its end, if that is a blank line or a comment.
#[inline(always)]
pub fn nothing(text: &[u8], format: Format) -> Option<usize> {
    let first = *text.first()?;
    let is_comment = format.begins_comment(text);
    // Most rows begin with something else.
    if !is_comment && first != b'\n' && first != b'\r' && !format.is_blank(first) {
        return None;
    }
    let (line, length) = first_line(text);
    // Behind a carriage return in a comment there may be rows.
    let is_nothing = if is_comment { !line.contains(&b'\r') } else { line.iter().all(|&byte| format.is_blank(byte)) };
    is_nothing.then_some(length)
}

/// The line at the front without its end, and its length with it. A line end within quotes counts here, too.
fn first_line(text: &[u8]) -> (&[u8], usize) {
    let end = memchr(b'\n', text);
    let line = &text[..end.unwrap_or(text.len())];
    (line.strip_suffix(b"\r").unwrap_or(line), end.map_or(text.len(), |end| end + 1))
}

/// Where the quote stands that closes the field that begins with a quote at `start`, if there is one.
pub(super) fn closing_quote(text: &[u8], start: usize) -> Option<usize> {
    let quote = text[start];
    let mut from = start + 1;
    loop {
        let found = from + memchr(quote, text.get(from..)?)?;
        if text.get(found + 1) != Some(&quote) {
            return Some(found);
        }
        from = found + 2;
    }
}

/// A row as a kernel sees it: the fields that were chosen with `--columns`, in that order, or else all fields.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    text: &'a [u8],
    fields: &'a [Field],
    columns: Option<&'a [usize]>,
    format: Format,
}

impl<'a> Record<'a> {
    /// The row in `text`, which was split into these fields. The fields at these places are chosen; the row must have them.
    pub(crate) fn new(text: &'a [u8], fields: &'a [Field], columns: Option<&'a [usize]>, format: Format) -> Self {
        debug_assert!(columns.is_none_or(|columns| columns.iter().all(|&at| at < fields.len())));
        Record { text, fields, columns, format }
    }

    /// How many fields there are.
    #[allow(clippy::len_without_is_empty)] // a row has at least one
    pub fn len(&self) -> usize {
        self.columns.map_or(self.fields.len(), <[usize]>::len)
    }

    /// The number of a field in messages: its place in the whole row, counted from 1.
    pub fn number(&self, field: usize) -> usize {
        self.columns.map_or(field, |columns| columns[field]) + 1
    }

    /// The value of a field, counted from 0, without its quotes.
    ///
    /// # Panics
    /// When `field` is not below [`len`](Record::len).
    pub fn value(&self, field: usize) -> Cow<'a, [u8]> {
        unquoted(self.fields[self.number(field) - 1].raw(self.text), self.format)
    }

    /// How the row is written.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// The whole row, byte for byte, without its line end.
    pub fn text(&self) -> &'a [u8] {
        self.text
    }
}

/// The value in the raw bytes of a field.
pub fn unquoted(raw: &[u8], format: Format) -> Cow<'_, [u8]> {
    let Some(&quote) = raw.first().filter(|_| format.is_quoted(raw)) else { return Cow::Borrowed(raw) };
    let close = closing_quote(raw, 0).unwrap_or(raw.len());
    let (inside, after) = (&raw[1..close], raw.get(close + 1..).unwrap_or_default());
    if after.is_empty() && memchr(quote, inside).is_none() {
        return Cow::Borrowed(inside);
    }
    // Two quotes stand for one: the first of them is left out.
    let mut is_first = false;
    let is_kept = |byte: &&u8| {
        is_first = **byte == quote && !is_first;
        !is_first
    };
    inside.iter().filter(is_kept).chain(after).copied().collect()
}

/// The place of the first carriage return outside quotes, in a row that was split into these fields. `row` has no line end.
pub fn stray_return(row: &[u8], fields: &[Field], format: Format) -> Option<usize> {
    // Most rows have none, quoted or not.
    memchr(b'\r', row)?;
    fields.iter().find_map(|field| {
        let raw = field.raw(row);
        let after_quotes = if format.is_quoted(raw) { closing_quote(raw, 0)? + 1 } else { 0 };
        memchr(b'\r', &raw[after_quotes..]).map(|at| field.range().start + after_quotes + at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8], format: Format) -> Vec<Vec<Vec<u8>>> {
        let (mut rows, mut fields, mut rest) = (vec![], vec![], text);
        while !rest.is_empty() {
            rest = match split(rest, format, &mut fields) {
                Line::Nothing { length } => &rest[length..],
                Line::Row { content, length } => {
                    let record = Record::new(&rest[..content], &fields, None, format);
                    rows.push((0..record.len()).map(|at| record.value(at).into_owned()).collect());
                    &rest[length..]
                }
                other => panic!("{other:?}"),
            };
        }
        rows
    }

    fn rows_by_csv(text: &[u8], format: Format) -> Vec<Vec<Vec<u8>>> {
        let mut reader = ::csv::ReaderBuilder::new();
        reader.has_headers(false).flexible(true).delimiter(format.delimiter).comment(format.comment);
        match format.quote {
            Some(quote) => reader.quote(quote),
            None => reader.quoting(false),
        };
        let records = reader.from_reader(text).into_byte_records();
        records.map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect()).collect()
    }

    #[test]
    fn quotes_are_read_as_rfc_4180_has_them() {
        let text = b"a,\"b\"\"c\",\"d,e\nf\"\r\n\"\",,x\"y\"\n\"1\"2\"3,\"\"\"\"\n \"q\",z\r";
        let format = Format::default();
        assert_eq!(rows(text, format), rows_by_csv(text, format));
        assert_eq!(rows(text, format)[1], [&b""[..], b"", b"x\"y\""]);
        assert_eq!(split(b"a,\"b\n", format, &mut vec![]), Line::Unclosed { quote: 2 });
        assert_eq!(split(b"\"a\"\"", format, &mut vec![]), Line::Unclosed { quote: 0 });
    }

    #[test]
    fn blank_lines_and_comments_are_no_rows() {
        let format = Format { comment: Some(b'#'), ..Format::default() };
        let found = rows(b"\n \t\r\n#a,\"b\n1,2\n\n3,#4\n#", format);
        assert_eq!(found, [[b"1".to_vec(), b"2".to_vec()], [b"3".to_vec(), b"#4".to_vec()]]);
        let tabs = Format { delimiter: b'\t', ..Format::default() };
        assert_eq!(rows(b"\t\n \n", tabs).len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_csv_crate(
            text in proptest::collection::vec(proptest::sample::select(b"\"\"\",,\n\n1a;'# x".as_slice()), 0..60),
            delimiter in proptest::sample::select(b",;".as_slice()),
            quote in proptest::sample::select([Some(b'"'), Some(b'\''), None].as_slice()),
            comment in proptest::sample::select([Some(b'#'), None].as_slice()),
        ) {
            let format = Format { delimiter, quote, comment };
            // A comment without a line end is an empty row to the crate.
            let text = [text, b"\n".to_vec()].concat();
            let (mut rest, mut is_closed) = (&text[..], true);
            while !rest.is_empty() && is_closed {
                match split(rest, format, &mut vec![]).length() {
                    Some(length) => rest = &rest[length..],
                    None => is_closed = false,
                }
            }
            // Lines of blanks are rows to the crate.
            let has_blank_line = text.split(|&byte| byte == b'\n').any(|line| {
                !line.is_empty() && line.iter().all(|&byte| byte == b' ')
            });
            if is_closed && !has_blank_line {
                proptest::prop_assert_eq!(rows(&text, format), rows_by_csv(&text, format));
            }
        }
    }
}
