//! The header of each input: which of its columns count, and what is printed of it with `--append`.

use crate::bad_row::BadRow;
use crate::csv::columns::{Columns, names};
use crate::csv::head::Head;
use crate::csv::record::{Line, Record, split};
use crate::csv::returns::stray_return_in;
use crate::csv::shown::shown;
use crate::csv::{Format, alike, hints};

/// What all inputs are like, as the options say.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// How rows are written.
    pub format: Format,
    /// Whether the first row of each input is a header.
    pub has_header: bool,
    /// The columns that count. `None`: all columns count.
    pub columns: Option<Columns>,
    /// How many fields a row has to have where all columns count, if the kernel says so.
    pub fields: Option<usize>,
    /// The name of the results in the header. `None`: rows are not printed with their results.
    pub append: Option<String>,
}

impl Shape {
    /// How many bytes the head of a block takes.
    pub fn head_size(&self) -> usize {
        Head::size(self.columns.as_ref(), self.append.is_some())
    }

    /// Whether the first row decides how many fields all rows must have. It does where rows are printed with one more field, so that
    /// all results stand in one column, and neither a header nor the kernel decides it.
    pub fn goes_by_first_row(&self) -> bool {
        self.append.is_some() && !self.has_header && (self.columns.is_some() || self.fields.is_none())
    }

    /// How many fields the first row in `text` has, which is whole rows. Rows that are bad whatever their fields hold are skipped:
    /// those that lack a column, have a stray carriage return, or an open quote.
    pub fn fields_of_first_row(&self, text: &[u8]) -> Option<usize> {
        let least = self.columns.as_ref().and_then(|columns| columns.places().into_iter().max()).map_or(0, |at| at + 1);
        let (mut fields, mut at) = (vec![], 0);
        while at < text.len() {
            match split(&text[at..], self.format, &mut fields) {
                Line::Row { .. } if fields.len() >= least => return Some(fields.len()),
                line => at += line.length()?,
            }
        }
        None
    }
}

/// What has to be remembered of the headers of earlier inputs.
#[derive(Default)]
pub struct Headers {
    /// The names in the header that was printed, and the name of its input.
    printed: Option<(Vec<Vec<u8>>, String)>,
}

/// A header that was found at the front of an input.
#[derive(Default, Debug)]
pub struct Header {
    /// How many bytes there are from the start of the input to the first row.
    pub length: usize,
    /// What it says of the rows under it.
    pub head: Head,
    /// What is to be printed of it, if anything.
    pub print: Vec<u8>,
}

impl Headers {
    /// Finds the header in `text`, which is whole lines from the front of the input of this name. Nothing where there is no row yet.
    ///
    /// # Errors
    /// When the header lacks a column, or differs from the header that is printed already: what is wrong, and which place in
    /// `text` the message is to name.
    pub fn find(&mut self, shape: &Shape, text: &[u8], input: &str) -> Result<Option<Header>, BadRow> {
        let mut fields = vec![];
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            match split(rest, shape.format, &mut fields) {
                Line::Nothing { length } => at += length,
                Line::Unclosed { quote } => {
                    let what = format!("the header has a quote that is never closed: {}", shown(&rest[quote..]));
                    return Err(BadRow::row(what).named_at(at + quote).hinting(hints::NO_QUOTES));
                }
                Line::Stray { at: stray, content, .. } => {
                    let of = if fields.is_empty() { "the comment" } else { "the header" };
                    return Err(BadRow::row(stray_return_in(of, &rest[..content])).named_at(at + stray));
                }
                Line::Row { content, length } => {
                    let record = Record::new(&rest[..content], &fields, None, shape.format);
                    let bad = |what: String| BadRow::row(what).named_at(at);
                    let columns = shape.columns.as_ref().map(|columns| {
                        let hinting = |bad: BadRow| bad.hinting(hints::of_header(columns, &record));
                        columns.places_under(&record).map_err(|what| hinting(bad(what)))
                    });
                    let columns = columns.transpose()?;
                    let head = Head { fields: shape.append.as_ref().map(|_| record.len()), columns };
                    let end = if rest[content..].starts_with(b"\r") { "\r\n" } else { "\n" };
                    let print = self.printed(shape, &record, end, input).map_err(bad)?;
                    return Ok(Some(Header { length: at + length, head, print }));
                }
            }
        }
        Ok(None)
    }

    /// What is printed of this header, which ends with `end`. Nothing without `--append`, and where the same header is printed
    /// already.
    fn printed(&mut self, shape: &Shape, header: &Record, end: &str, input: &str) -> Result<Vec<u8>, String> {
        let Some(name) = &shape.append else { return Ok(vec![]) };
        let names = names(header);
        match &self.printed {
            Some((printed, _)) if *printed == names => return Ok(vec![]),
            Some((printed, first)) => {
                let other = difference(&names, printed);
                return Err(format!(
                    "this header is not that of {first}, under which --append prints all rows: {other}"
                ));
            }
            None => {}
        }
        if names.iter().any(|other| other == name.as_bytes()) {
            let name = shown(name.as_bytes());
            return Err(format!("there is a column {name} already; give the results another with --append=NAME"));
        }
        self.printed = Some((names, input.to_string()));
        Ok([header.text(), &[shape.format.delimiter], &quoted(name, shape.format), end.as_bytes()].concat())
    }
}

/// How these names differ from the others, in words.
fn difference(names: &[Vec<u8>], others: &[Vec<u8>]) -> String {
    let differing = names.iter().zip(others).enumerate().find(|(_, (name, other))| name != other);
    match differing.filter(|_| names.len() == others.len()) {
        Some((at, (name, other))) => {
            let [name, other] = alike::apart(name, other);
            format!("column {} is {name} and not {other}", at + 1)
        }
        None => format!("{} columns and not {}", names.len(), others.len()),
    }
}

/// A name as a field of this format, in quotes where it needs them.
fn quoted(name: &str, format: Format) -> Vec<u8> {
    let needs = |byte: u8| byte == format.delimiter || Some(byte) == format.quote || matches!(byte, b'\n' | b'\r');
    let Some(quote) = format.quote.filter(|_| name.bytes().any(needs)) else { return name.into() };
    let quote = char::from(quote);
    format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}"))).into()
}
