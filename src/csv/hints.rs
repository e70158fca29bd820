//! Hints about what the user may have meant, printed after the message about a bad first row or header. Most suggest an
//! option that was forgotten. A hint is given only if its advice would have helped with the row at hand. Hints for
//! files that are not CSV at all are in [`disguise`](super::disguise).

use super::columns::{Column, Columns, names};
use super::disguise::delimiter_option;
use super::record::{Field, Line, Record, split, stray_return};
use super::{Format, alike, trimmed};
use crate::error::must_be_escaped;
use std::collections::BTreeSet;

/// The delimiters that hints may suggest, in the order in which they are tried.
const USUAL: &[u8] = b"\t;|,:";

/// The hint for a row in which a quote opens a field and no quote closes it.
pub const NO_QUOTES: &str = "; if quotes are part of values, say so with --quote none";

/// How inputs are read, as far as hints depend on it.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The format of the rows.
    pub format: Format,
    /// The columns that are the kernel's input. `None`: all columns are.
    pub columns: Option<Columns>,
    /// Whether each input begins with a header.
    pub has_header: bool,
    /// Whether the input is read from its start, and not only a range from its middle.
    pub has_front: bool,
}

impl Reading {
    /// Returns the hint for the bad row `row`, or an empty text if there is none. `at_fault` is the number of the field
    /// that is bad, from 1, or `None` if the row as a whole is bad. Most hints are given only if the row is the first
    /// one read of the input (`is_first`), because a bad row further back is seldom caused by wrong options. Hints
    /// about quotes are given for any row.
    pub fn hint(&self, row: &[u8], at_fault: Option<usize>, is_first: bool) -> String {
        self.find(row, at_fault, is_first && self.has_front).unwrap_or_default()
    }

    /// Returns the hint that `row`, which could be read, may be a header. If it does not look like one, returns an
    /// empty text.
    pub fn hint_at_header(&self, row: &[u8], is_first: bool) -> String {
        let mut fields = vec![];
        match split(row, self.format, &mut fields) {
            Line::Row { content, .. } if is_first && self.has_front => {
                self.names(&Record::new(&row[..content], &fields, None, self.format), None).unwrap_or_default()
            }
            _ => String::new(),
        }
    }

    fn find(&self, row: &[u8], at_fault: Option<usize>, is_first: bool) -> Option<String> {
        if !is_first && !row.contains(&self.format.quote.unwrap_or(b'"')) {
            return None;
        }
        let mut fields = vec![];
        let content = match split(row, self.format, &mut fields) {
            Line::Row { content, .. } => content,
            Line::Unclosed { quote } => {
                // If a stray carriage return precedes the quote, it is the likely cause of the open quote, and the
                // message names it already.
                let is_stray = stray_return(&row[..quote], &fields, self.format).is_some();
                return (!is_stray).then(|| NO_QUOTES.to_string());
            }
            // The message about a stray carriage return already contains a hint.
            Line::Stray { .. } | Line::Nothing { .. } => return None,
        };
        let record = Record::new(&row[..content], &fields, None, self.format);
        let of_first = || {
            let columns = self.columns.as_ref().filter(|_| !self.has_header);
            let hint = columns.and_then(|columns| digits(columns, &names(&record)));
            let hint = hint.or_else(|| self.names(&record, at_fault)).or_else(|| comment(&record));
            let is_for_one = at_fault.is_none() || is_of_numbers(record.text());
            hint.or_else(|| one_field(&record).filter(|_| is_for_one))
        };
        is_first.then(of_first).flatten().or_else(|| quotes(&record, at_fault))
    }

    /// Returns the hint to use `--header`, if the row has words in place of numbers, so that it is probably a header.
    fn names(&self, row: &Record, at_fault: Option<usize>) -> Option<String> {
        let is_name = |at| {
            let is_letter = |first: &u8| first.is_ascii_alphabetic() || *first == b'_' || !first.is_ascii();
            trimmed(&row.value(at)).first().is_some_and(is_letter)
        };
        let is_number = |at| {
            let value = row.value(at);
            !trimmed(&value).is_empty() && trimmed(&value).iter().all(u8::is_ascii_digit)
        };
        let is_header = match at_fault {
            None => row.len() > 1 && (0..row.len()).all(is_name),
            Some(number) => number <= row.len() && is_name(number - 1) && !(0..row.len()).any(is_number),
        };
        (!self.has_header && is_header).then(|| "; if the first row is names, say so with --header".to_string())
    }
}

/// Returns the hint for a `header` that lacks some of `columns`, or an empty text if there is none.
pub fn of_header(columns: &Columns, header: &Record) -> String {
    let names = names(header);
    let alike = |column: &Column| match column {
        Column::OneOf(called) if called.iter().any(|name| names.contains(name)) => None,
        column => column
            .name()
            .filter(|name| !names.iter().any(|other| other == name))
            .and_then(|name| alike::hint(name, &names)),
    };
    written_otherwise(columns, header)
        .or_else(|| columns.list().iter().find_map(alike))
        .or_else(|| digits(columns, &names))
        .or_else(|| comment(header))
        .or_else(|| one_field(header))
        .unwrap_or_default()
}

/// Returns the hint to use another delimiter or quote, if `header` has all of `columns` when it is split with that
/// delimiter or quote.
fn written_otherwise(columns: &Columns, header: &Record) -> Option<String> {
    if !columns.has_names() {
        // If columns are chosen by number only, a match proves nothing: splitting at another delimiter may happen to
        // give enough columns.
        return None;
    }
    let (format, text) = (header.format(), header.text());
    let mut fields: Vec<Field> = vec![];
    let mut has_all = |other: Format| match split(text, other, &mut fields) {
        Line::Row { content, .. } => columns.places_under(&Record::new(&text[..content], &fields, None, other)).is_ok(),
        _ => false,
    };
    let has_runs = text.windows(2).any(|pair| pair == b"  ");
    // All bytes of the text that could be the delimiter: the common delimiters first, and quotation marks last, because
    // a quotation mark is more likely the quote.
    let likely = text.iter().filter(|&&byte| !(has_runs && byte == b' ') && delimiter_option(byte).is_some());
    let usual = |byte| USUAL.iter().position(|&usual| usual == byte).unwrap_or(USUAL.len());
    let likely: BTreeSet<_> = likely.map(|&byte| (usual(byte), b"'\"".contains(&byte), byte)).collect();
    let delimiters = std::iter::once(format.delimiter).chain(likely.into_iter().map(|(.., byte)| byte));
    for delimiter in delimiters {
        for quote in [Format::default_quote(delimiter), format.quote, Some(b'"'), Some(b'\'')] {
            let other = Format { delimiter, quote, blanks: false, ..format };
            if quote != Some(delimiter) && other != format && has_all(other) {
                return Some(meant(format, other));
            }
        }
    }
    let words: Vec<&[u8]> = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
    let is_word = |column: &Column| match column {
        Column::At(at) => *at < words.len(),
        Column::Named(name) => words.contains(&name.as_slice()),
        Column::OneOf(called) => called.iter().any(|name| words.contains(&name.as_slice())),
    };
    (words.len() > 1 && columns.list().iter().all(is_word)).then(blanks)
}

/// Returns the hint to change `format` to `other`, with the options that do so.
fn meant(format: Format, other: Format) -> String {
    let quote = match other.quote {
        Some(b'\'') => " --quote \"'\"",
        Some(_) => " --quote '\"'",
        None => " --quote none",
    };
    if other.delimiter == format.delimiter && !format.blanks {
        return format!("; if quotes stand around fields, say so with{quote}");
    }
    // The default of `--quote` depends on the delimiter. So the hint names `--quote` if the default of the new
    // delimiter is not the right quote, or if the user has given a wrong `--quote`, which would still replace the
    // default.
    let is_told = format.quote != Format::default_quote(format.delimiter);
    let is_to_be_told =
        other.quote != Format::default_quote(other.delimiter) || (is_told && other.quote != format.quote);
    let (and_quotes, quote) = if is_to_be_told { (" and quotes around them", quote) } else { ("", "") };
    let stand = match other.delimiter {
        b'\t' => "tabs stand".to_string(),
        b' ' => "blanks stand".to_string(),
        b'\'' => "\"'\" stands".to_string(),
        graphic if graphic.is_ascii_graphic() => format!("'{}' stands", char::from(graphic)),
        other => format!("the character \\x{other:02x} stands"),
    };
    let option = delimiter_option(other.delimiter).unwrap_or_default();
    format!("; if {stand} between fields{and_quotes}, say so with {option}{quote}")
}

/// Returns the hint for fields with any number of blanks between them.
fn blanks() -> String {
    "; if blanks stand between fields, say so with -d blank".to_string()
}

/// Returns the hint to set the delimiter, if `row` has only one field and this field contains a byte that could be the
/// delimiter.
fn one_field(row: &Record) -> Option<String> {
    if row.len() > 1 {
        return None;
    }
    let (format, text) = (row.format(), row.text());
    let other = |delimiter| {
        let quote = if text.starts_with(b"\"") { Some(b'"') } else { Format::default_quote(delimiter) };
        meant(format, Format { delimiter, quote, blanks: false, ..format })
    };
    let is_taken = |byte| [format.quote, format.comment].contains(&Some(byte));
    let mut others = text.iter().filter(|byte| !byte.is_ascii_digit() && !b"+-. \t".contains(byte));
    let usual = USUAL.iter().find(|&&delimiter| delimiter != format.delimiter && text.contains(&delimiter));
    usual.map(|&delimiter| other(delimiter)).or_else(|| match others.next() {
        // The text consists of numbers, and all bytes between the numbers are the same, so that byte must be the
        // delimiter.
        Some(&delimiter) if others.all(|&byte| byte == delimiter) && !is_taken(delimiter) => {
            delimiter_option(delimiter).is_some().then(|| other(delimiter))
        }
        Some(_) => None,
        None if text.windows(2).any(|pair| pair == b"  ") || text.starts_with(b" ") => Some(blanks()),
        None => trimmed(text).contains(&b' ').then(|| other(b' ')),
    })
}

/// Whether `text` consists only of bytes of numbers and of bytes that can stand between numbers.
fn is_of_numbers(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE \"".contains(byte) || USUAL.contains(byte))
}

/// Returns the hint to use `--comment`, if `row` begins with `#` or `%` and the format has no comments.
fn comment(row: &Record) -> Option<String> {
    let first = *row.text().first().filter(|first| b"#%".contains(first))?;
    let first = char::from(first);
    (row.format().comment.is_none())
        .then(|| format!("; if lines that begin with '{first}' are no rows, say so with --comment '{first}'"))
}

/// Returns the hint to use `--quote`, if quotes around a field were read as part of its value.
fn quotes(row: &Record, at_fault: Option<usize>) -> Option<String> {
    let format = row.format();
    let is_quoted = |at: usize, quote: u8| {
        let value = row.value(at);
        let value = trimmed(&value);
        value.first() == Some(&quote) && (at_fault.is_none() || value.len() > 1 && value.ends_with(&[quote]))
    };
    let places = at_fault.map_or(0..row.len(), |number| number - 1..number.min(row.len()));
    let mut quotes =
        [b'"', b'\''].into_iter().filter(|&quote| format.quote != Some(quote) && format.delimiter != quote);
    let quote = quotes.find(|&quote| places.clone().any(|at| is_quoted(at, quote)))?;
    // Give the hint only for values that begin with the quote. If a blank stands before the quote, the quote is part of
    // the value, so `--quote` would not help.
    let raw = places.clone().any(|at| row.value(at).first() == Some(&quote));
    (raw && (format.quote.is_none() || at_fault.is_some()))
        .then(|| meant(format, Format { quote: Some(quote), blanks: false, ..format }))
}

/// Returns the hint to put quotes around a column name that consists of digits. The hint is given if a number in
/// `columns` is larger than the number of columns, but is the name of a column.
fn digits(columns: &Columns, names: &[Vec<u8>]) -> Option<String> {
    let named = |place: usize| names.iter().find(|name| is_number(name, place + 1));
    let is_meant = |column: &Column| matches!(column, Column::At(at) if *at >= names.len() && named(*at).is_some());
    if !columns.list().iter().any(is_meant) {
        return None;
    }
    let text = |column: &Column| {
        let name = match column {
            Column::At(at) if *at < names.len() => return Some((at + 1).to_string()),
            Column::At(at) => match named(*at) {
                Some(name) => name,
                None => return Some((at + 1).to_string()),
            },
            column => column.name()?,
        };
        let name = str::from_utf8(name).ok()?;
        let is_plain = name.chars().all(|c| c.is_alphanumeric() || c == '_') && name.contains(char::is_alphabetic);
        Some(if is_plain { name.to_string() } else { format!("\"{}\"", name.replace('"', "\"\"")) })
    };
    let list = columns.list().iter().map(text).collect::<Option<Vec<_>>>()?.join(",");
    let hint = format!("; a name of digits stands in quotes: -k '{}'", list.replace('\'', "'\\''"));
    (!hint.contains(must_be_escaped)).then_some(hint)
}

/// Whether `name` is `number` in decimal digits.
fn is_number(name: &[u8], number: usize) -> bool {
    name.iter().all(u8::is_ascii_digit) && str::from_utf8(name).is_ok_and(|digits| digits.parse() == Ok(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_blames_the_only_field_gets_the_delimiter_hint_too() {
        let reading = Reading { format: Format::default(), columns: None, has_header: false, has_front: true };
        let hint = "; if ';' stands between fields, say so with -d ';'";
        assert_eq!(reading.hint(b"1.5;-2e3", Some(1), true), hint);
        assert_eq!(reading.hint(b"a;b", None, true), hint);
        // A single field that contains words is not taken for several fields, so there is no hint.
        assert_eq!(reading.hint(b"1 a; b", Some(1), true), "");
        for row in [&b"1.5;2"[..], b"a;b", b"a,b", b"", b"\n"] {
            assert_eq!(reading.hint(row, None, false), "");
            let in_the_middle = Reading { has_front: false, ..reading.clone() };
            assert_eq!(in_the_middle.hint(row, None, true), "");
        }
    }
}
