//! Reads the header of each input: where the chosen columns are, and what `--append` prints of the header.

use crate::bad_row::BadRow;
use crate::csv::columns::{Columns, names};
use crate::csv::head::Head;
use crate::csv::record::{Line, Record, split};
use crate::csv::returns::stray_return_in;
use crate::csv::shown::shown;
use crate::csv::{Format, alike, hints};
use std::collections::HashMap;

/// What the options and the kernel say about the rows of all inputs.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// The format of the rows.
    pub format: Format,
    /// Whether the first row of each input is a header.
    pub has_header: bool,
    /// The columns that are the kernel's input. `None`: all columns are.
    pub columns: Option<Columns>,
    /// How many fields each row must have if no columns are chosen. `None`: the kernel takes any number of fields.
    pub fields: Option<usize>,
    /// Names of the columns of results that `--append` adds to the header. `None`: rows are not printed with their
    /// results.
    pub append: Option<Vec<String>>,
    /// Whether the header is printed unchanged, before all results. Has no effect if `append` adds columns to the
    /// header.
    pub keeps_header: bool,
    /// Whether the header is passed on to the workers in the head of each block. All rows must then have as many fields
    /// as the header, unless columns are chosen.
    pub passes_header: bool,
    /// Whether each block is filled as far as the input goes, even if that means waiting for more input.
    pub fills_blocks: bool,
    /// How many lines at the start of each input are not rows.
    pub skip_lines: u64,
}

impl Shape {
    /// Returns the size of a block's head in bytes.
    pub fn head_size(&self) -> usize {
        Head::size(self.columns.as_ref(), self.append.is_some(), self.passes_header)
    }

    /// Whether all rows must have as many fields as the first row. They must if results are appended to the rows and
    /// neither a header nor the kernel fixes the number of fields. (Where columns are chosen, the kernel fixes how
    /// many, but not how many fields a row has.) This rule makes the results stand in one column.
    pub fn goes_by_first_row(&self) -> bool {
        self.append.is_some() && !self.has_header && (self.columns.is_some() || self.fields.is_none())
    }

    /// Returns the number of fields of the first usable row in `text`, which consists of whole rows; `None` if there is
    /// no such row. Rows that are malformed are skipped: those that lack a chosen column, have a stray carriage return,
    /// or have an open quote. What the fields contain does not matter here.
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

/// What must be remembered of the headers of earlier inputs, to compare later headers with them.
#[derive(Default)]
pub struct Headers {
    /// The column names in the header that was printed, and the name of the input with this header. `None` until a
    /// header is printed.
    printed: Option<(Vec<Vec<u8>>, String)>,
}

/// A header that was found at the front of an input.
#[derive(Default, Debug)]
pub struct Header {
    /// Number of bytes from the start of the searched text to the end of the header, behind which the rows begin.
    pub length: usize,
    /// What the header says about the rows, in the form in which the head of each block passes it to the workers.
    pub head: Head,
    /// The bytes to print before the rows: the header with one more column, or nothing.
    pub print: Vec<u8>,
}

impl Headers {
    /// Finds the header in `text`, which consists of whole lines from the front of the input named `input`. Returns
    /// `None` if `text` has only blank lines and comments.
    ///
    /// # Errors
    /// If the header is bad, lacks a chosen column, or differs from the header that has been printed. The error holds
    /// the offset in `text` of the place that its message must name.
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
                    let passed = match shape.passes_header {
                        true => usable_names(&record, columns.as_deref()).map_err(|bad| bad.named_at(at))?,
                        false => vec![],
                    };
                    let is_fixed = shape.append.is_some() || shape.passes_header && columns.is_none();
                    let head = Head { fields: is_fixed.then_some(record.len()), columns, header: passed };
                    let end = if rest[content..].starts_with(b"\r") { "\r\n" } else { "\n" };
                    let print = self.printed(shape, &record, end, input).map_err(bad)?;
                    return Ok(Some(Header { length: at + length, head, print }));
                }
            }
        }
        Ok(None)
    }

    /// Returns the bytes to print for `header`, with the line end `end`. Returns no bytes if headers are not printed,
    /// or if an equal header has been printed already.
    fn printed(&mut self, shape: &Shape, header: &Record, end: &str, input: &str) -> Result<Vec<u8>, String> {
        if shape.append.is_none() && !shape.keeps_header {
            return Ok(vec![]);
        }
        let names = names(header);
        match &self.printed {
            Some((printed, _)) if *printed == names => return Ok(vec![]),
            Some((printed, first)) => {
                let other = difference(&names, printed);
                let what = if shape.append.is_some() { "--append prints all rows" } else { "all rows are printed" };
                return Err(format!("this header is not that of {first}, under which {what}: {other}"));
            }
            None => {}
        }
        let mut print = header.text().to_vec();
        for (at, name) in shape.append.iter().flatten().enumerate() {
            if names.iter().any(|other| other == name.as_bytes()) {
                let name = shown(name.as_bytes());
                return Err(format!("there is a column {name} already; give the results another with --append=NAME"));
            }
            if shape.append.iter().flatten().take(at).any(|other| other == name) {
                return Err(format!(
                    "two results have the name {}; give them others with --append=A,B",
                    shown(name.as_bytes())
                ));
            }
            print.push(shape.format.delimiter);
            shape.format.append_field(&mut print, name.as_bytes(), false);
        }
        self.printed = Some((names, input.to_string()));
        print.extend(end.as_bytes());
        Ok(print)
    }
}

/// Returns the bytes of the header if the names of its columns can be the names of an object's members: they are text,
/// and no two are equal. Only the columns in `columns` count; if `columns` is `None`, all columns count.
fn usable_names(header: &Record, columns: Option<&[usize]>) -> Result<Vec<u8>, BadRow> {
    if header.text().len() > Head::MOST_HEADER {
        let what = format!("the header has more than {} bytes; --command-input csv needs no names", Head::MOST_HEADER);
        return Err(BadRow::row(what));
    }
    let names = names(header);
    let mut seen = HashMap::new();
    let all: Vec<usize> = (0..names.len()).collect();
    for &at in columns.unwrap_or(&all) {
        let name = &names[at];
        let what = match seen.insert(name, at) {
            _ if std::str::from_utf8(name).is_err() => {
                format!("has a name that is not UTF-8, as JSON is: {}", shown(name))
            }
            Some(other) if other == at => format!("is chosen twice: {}", shown(name)),
            Some(other) => {
                format!("has the name of field {} too, {}; choose one with -k", other + 1, shown(name))
            }
            None => continue,
        };
        return Err(BadRow::in_field(header, at, what));
    }
    Ok(header.text().to_vec())
}

/// Returns in words how `names` differ from `others`.
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
