//! The columns that the user chooses with `--columns`, by number or by name in the header.

use super::record::{Field, Line, Record, split, unquoted};
use super::shown::shown;
use super::{Format, trimmed};

/// A list of chosen columns, in the order in which the user gave them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Columns(Vec<Column>);

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Column {
    /// The column at this position in the row, counted from 0.
    At(usize),
    /// The column with this name in the header.
    Named(Vec<u8>),
    /// The column with one of these names. Messages that list chosen columns use the first name.
    OneOf(Vec<Vec<u8>>),
}

impl Columns {
    /// Parses a list like `3,1` or `price,"unit, weight"`: one CSV record of column names and of column numbers, which
    /// count from 1. A field in quotes is always a name, so that columns named with digits can be chosen.
    ///
    /// # Errors
    /// If `list` is not such a list.
    pub fn parse(list: &str) -> Result<Self, String> {
        const EXPECTED: &str = "names or numbers from 1 are expected, with a comma between them";
        if list.trim().is_empty() {
            return Err(EXPECTED.to_string());
        }
        let mut fields = vec![];
        let format = Format::default();
        match split(list.as_bytes(), format, &mut fields) {
            Line::Row { length, .. } if length == list.len() && !list.ends_with('\n') => {}
            Line::Unclosed { .. } => return Err("a quote is not closed".to_string()),
            _ => return Err(EXPECTED.to_string()),
        }
        let column = |field: &Field| {
            let raw = field.raw(list.as_bytes());
            let name = trimmed(&unquoted(raw, format)).to_vec();
            if raw.starts_with(b"\"") {
                return Ok(Column::Named(name));
            }
            match std::str::from_utf8(&name).ok().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
                Some("") => Err("a column has no name; a name that is empty stands in quotes".to_string()),
                Some(digits) => match digits.parse::<u32>() {
                    Ok(number @ 1..) => Ok(Column::At(number as usize - 1)),
                    Ok(_) => Err("columns are numbered from 1; a name of digits stands in quotes".to_string()),
                    Err(_) => Err(format!("no row has a column {digits}; a name of digits stands in quotes")),
                },
                None => Ok(Column::Named(name)),
            }
        };
        fields.iter().map(column).collect::<Result<_, _>>().map(Columns)
    }

    /// Returns a list of columns. Each item of `names` has the names that one column may have.
    pub fn called(names: Vec<Vec<String>>) -> Self {
        let column = |names: Vec<String>| Column::OneOf(names.into_iter().map(String::into_bytes).collect());
        Columns(names.into_iter().map(column).collect())
    }

    /// Returns for each column its index, from 0, or, if it is chosen by name, an error that holds the name.
    #[cfg(feature = "cli")]
    pub fn listed(&self) -> Vec<Result<usize, String>> {
        let one = |column: &Column| match column {
            Column::At(at) => Ok(*at),
            Column::Named(name) => Err(String::from_utf8_lossy(name).into_owned()),
            Column::OneOf(names) => Err(String::from_utf8_lossy(&names[0]).into_owned()),
        };
        self.0.iter().map(one).collect()
    }

    /// Returns these columns followed by `others`.
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Returns the number of columns in the list.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether any column is chosen by name. If so, the input must have a header.
    pub fn has_names(&self) -> bool {
        self.0.iter().any(|column| !matches!(column, Column::At(_)))
    }

    /// Returns the positions, from 0, of the columns that are chosen by number. These are all chosen columns if the
    /// input has no header, because names need one.
    pub fn places(&self) -> Vec<usize> {
        let place = |column: &Column| if let Column::At(place) = column { Some(*place) } else { None };
        self.0.iter().filter_map(place).collect()
    }

    /// Returns the columns in order.
    pub(super) fn list(&self) -> &[Column] {
        &self.0
    }

    /// Returns the positions, from 0, that the columns have in the rows under `header`.
    ///
    /// # Errors
    /// If `header` lacks one of the columns, or has two columns of a chosen name.
    pub fn places_under(&self, header: &Record) -> Result<Vec<usize>, String> {
        let names = names(header);
        let place = |column: &Column| match column {
            Column::At(place) if *place < names.len() => Ok(*place),
            Column::At(place) => Err(format!("there is no column {}: {}", place + 1, listed(&names))),
            Column::Named(name) => place_of(std::slice::from_ref(name), &names),
            Column::OneOf(called) => place_of(called, &names).map_err(|what| {
                let all: Vec<_> =
                    self.0.iter().filter_map(Column::name).map(|name| String::from_utf8_lossy(name)).collect();
                format!("{what}; -k says which columns are {}", all.join(","))
            }),
        };
        self.0.iter().map(place).collect()
    }
}

impl Column {
    /// Returns the name of the column, if it has one.
    pub(super) fn name(&self) -> Option<&[u8]> {
        match self {
            Column::At(_) => None,
            Column::Named(name) => Some(name),
            Column::OneOf(called) => called.first().map(Vec::as_slice),
        }
    }
}

/// Returns the index in `names` of the one name that is also in `called`.
fn place_of(called: &[Vec<u8>], names: &[Vec<u8>]) -> Result<usize, String> {
    let places: Vec<usize> = (0..names.len()).filter(|&at| called.contains(&names[at])).collect();
    match places[..] {
        [place] => Ok(place),
        [] => {
            let called: Vec<String> = called.iter().map(|name| shown(name)).collect();
            Err(format!("there is no column {}: {}", called.join(" or "), listed(names)))
        }
        [first, second, ..] if names[first] != names[second] => {
            let [first, second] = [first, second].map(|at| shown(&names[at]));
            Err(format!("columns {first} and {second} are the same to the kernel"))
        }
        _ => {
            let numbers: Vec<String> = places.iter().map(|place| (place + 1).to_string()).collect();
            let (name, numbers) = (shown(&names[places[0]]), numbers.join(" and "));
            Err(format!("column {name} is there more than once; use its number: {numbers}"))
        }
    }
}

/// Returns the names in `list`, which is a CSV record of names, without the blanks around each name.
///
/// # Errors
/// If `list` is not such a list.
pub fn names_in(list: &str) -> Result<Vec<String>, String> {
    let (mut fields, format) = (vec![], Format::default());
    match split(list.as_bytes(), format, &mut fields) {
        Line::Row { length, .. } if length == list.len() && !list.ends_with('\n') => {}
        Line::Unclosed { .. } => return Err("a quote is not closed".to_string()),
        _ => return Err("names are expected, with a comma between them".to_string()),
    }
    let name =
        |field: &Field| String::from_utf8_lossy(trimmed(&unquoted(field.raw(list.as_bytes()), format))).into_owned();
    Ok(fields.iter().map(name).collect())
}

/// Returns the column names in `header`, without the blanks around them.
pub fn names(header: &Record) -> Vec<Vec<u8>> {
    (0..header.len()).map(|at| trimmed(&header.value(at)).to_vec()).collect()
}

/// The most column names that a message lists, so that it stays readable.
const LISTED: usize = 30;

/// Returns the part of a message that counts and lists the column names `names`.
fn listed(names: &[Vec<u8>]) -> String {
    let list: Vec<String> = names.iter().take(LISTED).map(|name| shown(name)).collect();
    let more = if names.len() > LISTED { ", …" } else { "" };
    let (are, plural) = if names.len() == 1 { ("is", "") } else { ("are", "s") };
    format!("there {are} {} column{plural}, {}{more}", names.len(), list.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(list: &str, header: &str) -> Result<Vec<usize>, String> {
        let mut fields = vec![];
        split(header.as_bytes(), Format::default(), &mut fields);
        Columns::parse(list)?.places_under(&Record::new(header.as_bytes(), &fields, None, Format::default()))
    }

    #[test]
    fn columns_are_found_by_name_and_by_number() {
        let header = r#"id, a ,"b,c","d""e",7,a b"#;
        assert_eq!(places("a,id", header), Ok(vec![1, 0]));
        assert_eq!(places("2, 6", header), Ok(vec![1, 5]));
        assert_eq!(places(r#""b,c","d""e""#, header), Ok(vec![2, 3]));
        assert_eq!(places(r#""7",a b"#, header), Ok(vec![4, 5]));
        assert!(Columns::parse("1,a").unwrap().has_names() && !Columns::parse("1,2").unwrap().has_names());
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is() {
        assert_eq!(places("x,a", "a,b"), Err("there is no column \"x\": there are 2 columns, \"a\", \"b\"".into()));
        assert_eq!(places("1,3", "a,b"), Err("there is no column 3: there are 2 columns, \"a\", \"b\"".into()));
        let twice = "column \"a\" is there more than once; use its number: 1 and 3";
        assert_eq!(places("a,b", "a,b,a"), Err(twice.into()));
        for bad in ["", " ", "a,", "0,1", "\"a,b", "99999999999,1", "a\nb", "a,b\n"] {
            assert!(Columns::parse(bad).is_err(), "{bad:?}");
        }
    }
}
