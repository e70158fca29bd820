//! One row and its fields: CSV by RFC 4180, read as the `csv` crate reads it. The faster ways to find rows and fields
//! are tested against [`split`], so `split` is kept simple.
//!
//! A quote opens a quoted field only if it is the first byte of the field. Within the field, two quotes stand for one.
//! Bytes between the closing quote and the delimiter belong to the value unchanged. Three things differ from the `csv`
//! crate:
//!
//! - A carriage return ends a row only together with the line feed behind it, or at the end of the input. Elsewhere
//!   outside quotes it makes the row a bad one.
//! - A line that consists of blanks only is not a row.
//! - A quote that is never closed is an error.
//!
//! The file has more than 300 lines because a third of it is the test against the `csv` crate.

use super::{Format, blanks, trimmed};
use memchr::{memchr, memchr2};
use std::borrow::Cow;
use std::ops::Range;

/// The kind of the line at the front of a text. A line feed within quotes does not end the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    /// A row.
    Row {
        /// Length of the line in bytes, without the line end.
        content: usize,
        /// Length of the line in bytes, with the line end.
        length: usize,
    },
    /// A row or a comment with a stray carriage return: one outside quotes that does not belong to the line end.
    Stray {
        /// Offset of the first stray carriage return.
        at: usize,
        /// Length of the line in bytes, without the line end.
        content: usize,
        /// Length of the line in bytes, with the line end.
        length: usize,
    },
    /// A blank line or a comment.
    Nothing {
        /// Length of the line in bytes, with the line end.
        length: usize,
    },
    /// A row with a quoted field that is still open at the end of the text.
    Unclosed {
        /// Offset of the opening quote.
        quote: usize,
    },
}

impl Line {
    /// Returns the length of the line in bytes, with the line end. `None`: the line has no known end, because a quote
    /// is open.
    pub fn length(self) -> Option<usize> {
        match self {
            Line::Row { length, .. } | Line::Stray { length, .. } | Line::Nothing { length } => Some(length),
            Line::Unclosed { .. } => None,
        }
    }
}

/// Where the raw bytes of a field are in its row, with the quotes around them if there are any.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    start: u32,
    end: u32,
}

impl Field {
    /// Returns the field from `start` to `end` of a text, in which the row of the field begins at `row`.
    #[inline(always)]
    pub fn new(start: usize, end: usize, row: usize) -> Self {
        Field { start: (start - row) as u32, end: (end - row) as u32 }
    }

    /// Returns the raw bytes of the field, given the text of its row.
    pub fn raw(self, row: &[u8]) -> &[u8] {
        &row[self.range()]
    }

    /// Returns the range of the raw bytes in the text of the row.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Splits the line at the front of `text` into `fields`. `text` must not be empty, and must end where a row or the
/// input ends. If a quote is not closed, `fields` receives the fields before that quote. A blank line and a comment
/// have no fields.
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
    if format.blanks {
        let (line, length) = first_line(text);
        fields.extend(blanks::words(line).map(|word| Field::new(word.start, word.end, 0)));
        return match memchr(b'\r', line) {
            Some(at) => Line::Stray { at, content: line.len(), length },
            None => Line::Row { content: line.len(), length },
        };
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
                // Excludes the carriage return of the line end. A carriage return within the quotes belongs to the
                // value.
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

/// Returns the length in bytes, with the line end, of the line at the front of `text`, if that is a blank line or a
/// comment.
#[inline(always)]
pub fn nothing(text: &[u8], format: Format) -> Option<usize> {
    if !begins_nothing(text, format) {
        return None;
    }
    let (line, length) = first_line(text);
    is_all_nothing(line, format).then_some(length)
}

/// Whether `line`, which ends with a line feed, is a blank line or a comment.
#[inline(always)]
pub(super) fn is_nothing(line: &[u8], format: Format) -> bool {
    begins_nothing(line, format) && is_all_nothing(without_return(&line[..line.len() - 1]), format)
}

/// Whether the line at the front of `text` could be a blank line or a comment, judged by its first byte. For most rows
/// this saves looking at the whole line.
#[inline(always)]
fn begins_nothing(text: &[u8], format: Format) -> bool {
    let is_blank = |&first: &u8| first == b'\n' || first == b'\r' || format.is_blank(first);
    format.begins_comment(text) || text.first().is_some_and(is_blank)
}

/// Whether a line, which is given without its line end, is a blank line or a comment.
fn is_all_nothing(line: &[u8], format: Format) -> bool {
    // A comment that contains a carriage return is reported as a stray line, because the bytes behind the carriage
    // return might be rows.
    let is_comment = format.begins_comment(line);
    if is_comment { !line.contains(&b'\r') } else { line.iter().all(|&byte| format.is_blank(byte)) }
}

/// Returns the line at the front of `text` without its line end, and its length with the line end. A line feed within
/// quotes ends the line here, too.
fn first_line(text: &[u8]) -> (&[u8], usize) {
    let end = memchr(b'\n', text);
    let line = &text[..end.unwrap_or(text.len())];
    (without_return(line), end.map_or(text.len(), |end| end + 1))
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Returns the offset of the quote that closes the quoted field at `start`, or `None` if no quote closes it. `start` is
/// the offset of its opening quote.
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

/// A row as the kernel receives it: the fields chosen with `--columns`, in the order given there, or else all fields.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    text: &'a [u8],
    fields: &'a [Field],
    columns: Option<&'a [usize]>,
    format: Format,
    missing: &'a [Vec<u8>],
}

impl<'a> Record<'a> {
    /// Returns the record for the row `text`, which was split into `fields`. `columns` has the positions of the chosen
    /// fields, all of which the row must have.
    pub(crate) fn new(text: &'a [u8], fields: &'a [Field], columns: Option<&'a [usize]>, format: Format) -> Self {
        debug_assert!(columns.is_none_or(|columns| columns.iter().all(|&at| at < fields.len())));
        Record { text, fields, columns, format, missing: &[] }
    }

    /// Returns this record with `missing` as the texts that stand for missing values. The empty text stands for a
    /// missing value in any case.
    pub(crate) fn missing(self, missing: &'a [Vec<u8>]) -> Self {
        Record { missing, ..self }
    }

    /// Whether the field at index `field`, from 0, has no value: it is empty, or has a text that stands for a missing
    /// value.
    ///
    /// # Panics
    /// If `field` is not below [`len`](Record::len).
    pub fn lacks(&self, field: usize) -> bool {
        let value = self.value(field);
        let value = trimmed(&value);
        value.is_empty() || self.missing.iter().any(|text| text == value)
    }

    /// Returns the number of fields that the kernel receives.
    #[allow(clippy::len_without_is_empty)] // a row has at least one
    pub fn len(&self) -> usize {
        self.columns.map_or(self.fields.len(), <[usize]>::len)
    }

    /// Returns the number by which messages name the field at index `field`: its position in the whole row, from 1.
    pub fn number(&self, field: usize) -> usize {
        self.columns.map_or(field, |columns| columns[field]) + 1
    }

    /// Returns the value of the field at index `field`, from 0, without its quotes.
    ///
    /// # Panics
    /// If `field` is not below [`len`](Record::len).
    pub fn value(&self, field: usize) -> Cow<'a, [u8]> {
        unquoted(self.raw(field), self.format)
    }

    /// Returns the bytes of the field at index `field`, from 0, as they stand in the row, with quotes.
    ///
    /// # Panics
    /// If `field` is not below [`len`](Record::len).
    pub(crate) fn raw(&self, field: usize) -> &'a [u8] {
        self.fields[self.number(field) - 1].raw(self.text)
    }

    /// Returns the format in which the row is written.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Returns the whole row, byte for byte, without its line end.
    pub fn text(&self) -> &'a [u8] {
        self.text
    }
}

/// Returns the value of a field, given its raw bytes: without the quotes, and with each doubled quote replaced by one.
pub fn unquoted(raw: &[u8], format: Format) -> Cow<'_, [u8]> {
    let Some(&quote) = raw.first().filter(|_| format.is_quoted(raw)) else { return Cow::Borrowed(raw) };
    let close = closing_quote(raw, 0).unwrap_or(raw.len());
    let (inside, after) = (&raw[1..close], raw.get(close + 1..).unwrap_or_default());
    if after.is_empty() && memchr(quote, inside).is_none() {
        return Cow::Borrowed(inside);
    }
    // Two quotes stand for one, so the first of each two is left out.
    let mut is_first = false;
    let is_kept = |byte: &&u8| {
        is_first = **byte == quote && !is_first;
        !is_first
    };
    inside.iter().filter(is_kept).chain(after).copied().collect()
}

/// Returns the offset of the first carriage return outside quotes in `row`, which was split into `fields` and has no
/// line end.
pub fn stray_return(row: &[u8], fields: &[Field], format: Format) -> Option<usize> {
    // Most rows have no carriage return, not even within quotes, so one search saves looking at each field.
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

    #[test]
    fn any_number_of_blanks_may_stand_between_fields_and_around_a_row() {
        let format = Format { delimiter: b' ', quote: None, blanks: true, comment: Some(b'#'), ..Format::default() };
        let found = rows(b"  12\t 18 \r\n \t\n#1 2\n\"a b\" ,\n1", format);
        assert_eq!(found, [vec![&b"12"[..], b"18"], vec![b"\"a", b"b\"", b","], vec![b"1"]]);
        let mut fields = vec![];
        assert_eq!(split(b" 1\r 2\r\n3", format, &mut fields), Line::Stray { at: 2, content: 5, length: 7 });
        assert_eq!(fields.len(), 2);
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_csv_crate(
            text in proptest::collection::vec(proptest::sample::select(b"\"\"\",,\n\n1a;'# x".as_slice()), 0..60),
            delimiter in proptest::sample::select(b",;".as_slice()),
            quote in proptest::sample::select([Some(b'"'), Some(b'\''), None].as_slice()),
            comment in proptest::sample::select([Some(b'#'), None].as_slice()),
        ) {
            let format = Format { delimiter, quote, comment, ..Format::default() };
            // To the `csv` crate, a comment without a line end is an empty row.
            let text = [text, b"\n".to_vec()].concat();
            let (mut rest, mut is_closed) = (&text[..], true);
            while !rest.is_empty() && is_closed {
                match split(rest, format, &mut vec![]).length() {
                    Some(length) => rest = &rest[length..],
                    None => is_closed = false,
                }
            }
            // To the `csv` crate, lines of blanks are rows.
            let has_blank_line = text.split(|&byte| byte == b'\n').any(|line| {
                !line.is_empty() && line.iter().all(|&byte| byte == b' ')
            });
            if is_closed && !has_blank_line {
                proptest::prop_assert_eq!(rows(&text, format), rows_by_csv(&text, format));
            }
        }
    }
}
