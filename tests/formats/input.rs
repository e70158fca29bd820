//! Makes random formats, and FILEs in them.

use crate::common::stray_return;
use csv::{ByteRecord, ReaderBuilder, Terminator};
use num_bigint::BigUint;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

#[derive(Clone, Debug)]
pub struct Field {
    /// As it reads, without quotes.
    pub value: Vec<u8>,
    /// The magnitude, or what a message says of it.
    pub number: Result<BigUint, &'static str>,
    /// How many bytes at its front stand in quotes, where that reads as the value; otherwise all of them do.
    quoted: Option<usize>,
}

fn quoted() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![4 => Just(None), 1 => Just(Some(usize::MAX)), 1 => (0..5usize).prop_map(Some)]
}

fn integer() -> impl Strategy<Value = BigUint> {
    let border = (select(&[31, 32, 63, 64, 127, 128]), 0..5u32);
    let factors = vec(select(&[2u64, 3, 12, 1 << 32, 10_000_000_000, (1 << 61) - 1]), 1..20);
    prop_oneof![
        6 => (0..=20u32).prop_map(BigUint::from),
        6 => (any::<u64>(), 0..64u32).prop_map(|(number, bits)| BigUint::from(number >> bits)),
        1 => any::<u128>().prop_map(BigUint::from),
        3 => border.prop_map(|(bits, below)| (BigUint::from(1u32) << bits) + 2u32 - below),
        2 => factors.prop_map(|factors| factors.into_iter().product()),
        1 => "[1-9][0-9]{0,300}".prop_map(|digits| digits.parse().unwrap()),
    ]
}

fn number() -> impl Strategy<Value = Field> {
    let blanks = || prop_oneof![7 => Just(String::new()), 1 => "[ \t]{1,3}"];
    let zeros = prop_oneof![7 => "", 1 => "0{1,50}"];
    let text = (blanks(), select(&["", "", "", "", "-", "+"]), zeros, integer(), blanks());
    (text, quoted()).prop_map(|((before, sign, zeros, number, after), quoted)| {
        let value = format!("{before}{sign}{zeros}{number}{after}").into_bytes();
        Field { value, number: Ok(number), quoted }
    })
}

fn no_number() -> impl Strategy<Value = Field> {
    let words = "abc/1 2/1\t2/1.5/1e3/0x1f/1_000/+/-/+-4/- 4/4-/1,5/1;5/1|5/1\r2/1\n2/\"12\"/ \"12\"/'12'/\x1b[7m/١٢";
    let words = words.split('/').map(str::as_bytes).collect::<Vec<_>>();
    let what = prop_oneof![
        5 => select(words).prop_map(|value| (value, "is not an integer: \"")),
        1 => select(vec![&b""[..], b" ", b"\t "]).prop_map(|value| (value, "is empty")),
        1 => select(vec![&b"\0"[..], b"1\x002", b"12\0"]).prop_map(|value| (value, "has a NUL byte: \"")),
        1 => select(vec![&b"\xff"[..], b"1\xff", b"\xc3\r"]).prop_map(|value| (value, "is not UTF-8: \"")),
    ];
    (what, quoted()).prop_map(|((value, what), quoted)| Field { value: value.to_vec(), number: Err(what), quoted })
}

/// A field that nobody asks for.
fn text() -> impl Strategy<Value = Field> {
    let pieces = "a/7/ /\t/,/;/|/\"/\"\"/'/#/\n/\r\n/\r/\\/\0/é".split('/').map(str::as_bytes).chain([&b"\xff"[..]]);
    let value = vec(select(pieces.collect::<Vec<_>>()), 0..6).prop_map(|pieces| pieces.concat());
    (value, quoted()).prop_map(|(value, quoted)| Field { value, number: Err("is not asked for"), quoted })
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub arguments: Vec<String>,
    pub delimiter: u8,
    quote: u8,
    comment: Option<u8>,
    /// The fields of the header, if there is one; there are as many columns without it.
    pub names: Vec<Field>,
    pub has_header: bool,
    /// None without `--columns`.
    pub columns: Option<[usize; 2]>,
    /// The name of the column that is appended.
    pub append: Option<&'static str>,
    pub bad_rows: &'static str,
    pub max_bad: usize,
    pub max_digits: usize,
    /// In percent.
    faults: u32,
}

const NAMES: [&str; 8] = ["a", "B", "left", "x,y", "1", "say \"hi\"", "two\nlines", "#7é"];

prop_compose! {
    pub fn settings()(
        (delimiter, delimiter_byte) in
            select(&[(",", b','), (";", b';'), ("|", b'|'), ("\t", b'\t'), ("\\t", b'\t'), ("tab", b'\t')]),
        quote in select(b"\"'"),
        comment in select(&[None, Some(b'#')]),
        names in (subsequence(NAMES.to_vec(), 2..=6).prop_shuffle(), vec(quoted(), 6), select(&["", " "])),
        columns in weighted(0.7, any::<[(Index, bool); 2]>()),
        header in any::<bool>(),
        append in select(&[None, None, Some("gcd"), Some("result")]),
        (bad_rows, max_bad) in (select(&["stop", "skip", "blank"]), weighted(0.3, 0..15usize)),
        max_digits in weighted(0.2, 1..100usize),
        jobs in 1..=4usize,
        faults in select(&[1, 1, 20]),
    ) -> Settings {
        let (mut names, quoted, blanks) = names;
        names.truncate(if columns.is_some() { 6 } else { 2 });
        let columns = columns.map(|columns| columns.map(|(index, by_name)| (index.index(names.len()), by_name)));
        let column = |(at, by_name): (usize, bool)| match names[at] {
            _ if !by_name => (at + 1).to_string(),
            name if name.bytes().all(|byte| byte.is_ascii_alphabetic()) => format!("{blanks}{name}"),
            name => format!("\"{}\"", name.replace('"', "\"\"")),
        };
        let has_header = header || columns.is_some_and(|columns| columns.iter().any(|(_, by_name)| *by_name));
        let append = append.map(|name| if has_header { name } else { "gcd" });
        let max_bad = max_bad.filter(|_| bad_rows != "stop");
        let arguments = [
            Some(format!("--delimiter={delimiter}")),
            Some(format!("--quote={}", char::from(quote))),
            comment.map(|comment| format!("--comment={}", char::from(comment))),
            columns.map(|columns| format!("--columns={}", columns.map(column).join(","))),
            header.then(|| "--header".to_string()),
            append.map(|name| if name == "gcd" { "--append".to_string() } else { format!("--append={name}") }),
            Some(format!("--bad-rows={bad_rows}")),
            max_bad.map(|count| format!("--max-bad={count}")),
            max_digits.map(|count| format!("--max-digits={count}")),
            Some(format!("--jobs={jobs}")),
        ];
        let value = |name| format!("{blanks}{name}{blanks}").into_bytes();
        let field = |(name, quoted)| Field { value: value(name), number: Err("is a name"), quoted };
        Settings {
            arguments: arguments.into_iter().flatten().collect(),
            delimiter: delimiter_byte,
            quote,
            comment,
            names: names.into_iter().zip(quoted).map(field).collect(),
            has_header,
            columns: columns.map(|columns| columns.map(|(at, _)| at)),
            append,
            bad_rows,
            max_bad: if bad_rows == "stop" { 0 } else { max_bad.unwrap_or(usize::MAX) },
            max_digits: max_digits.unwrap_or(100_000),
            faults,
        }
    }
}

impl Settings {
    pub fn records(&self, text: &[u8]) -> Vec<ByteRecord> {
        let mut reader = ReaderBuilder::new();
        reader.has_headers(false).flexible(true).terminator(Terminator::Any(b'\n'));
        reader.delimiter(self.delimiter).quote(self.quote).comment(self.comment);
        reader.from_reader(text).into_byte_records().collect::<Result<_, _>>().unwrap()
    }

    /// The field with a carriage return that ends no row, and how many lines come before that.
    pub fn stray_return(&self, row: &Row) -> Option<(usize, usize)> {
        stray_return(&row.text, self.delimiter, Some(self.quote))
    }

    fn written(&self, field: &Field, is_first: bool) -> Vec<u8> {
        let (value, quote) = (&*field.value, self.quote);
        let is_plain = |text: &[u8]| {
            !text.starts_with(&[quote]) && !text.iter().any(|byte| [b'\n', self.delimiter].contains(byte))
        };
        let is_comment = is_first && self.comment.is_some_and(|comment| value.starts_with(&[comment]));
        let (inside, after) = match field.quoted {
            None if is_plain(value) && !is_comment => return value.to_vec(),
            Some(count) if count < value.len() && is_plain(&value[count..]) => value.split_at(count),
            _ => (value, &[][..]),
        };
        let doubled = inside.iter().flat_map(|&byte| vec![byte; if byte == quote { 2 } else { 1 }]);
        [quote].into_iter().chain(doubled).chain([quote]).chain(after.iter().copied()).collect()
    }

    fn row(&self, before: String, mut fields: Vec<Field>, end: &str) -> Row {
        let written = fields.iter().enumerate().map(|(at, field)| self.written(field, at == 0));
        let text = written.collect::<Vec<_>>().join(&self.delimiter);
        if fields.len() == 1 && text.iter().all(|byte| b" \t".contains(byte)) {
            // It would be a blank line.
            fields[0].quoted = Some(usize::MAX);
            return self.row(before, fields, end);
        }
        let end = if text.ends_with(b"\r") { "\r\n" } else { end }.to_string();
        Row { before, text, end, fields, is_unclosed: false }
    }
}

#[derive(Clone, Debug)]
pub struct Row {
    /// Blank lines and comments.
    pub before: String,
    pub text: Vec<u8>,
    pub end: String,
    pub fields: Vec<Field>,
    /// Whether its last field, and so the FILE, ends within quotes.
    pub is_unclosed: bool,
}

impl Row {
    pub fn bytes(&self) -> Vec<u8> {
        [&*self.text, self.end.as_bytes()].concat()
    }

    pub fn len(&self) -> usize {
        self.text.len() + self.end.len()
    }
}

fn end() -> impl Strategy<Value = &'static str> {
    select(&["\n", "\n", "\r\n"])
}

/// Blank lines and comments.
fn no_rows(settings: &Settings) -> impl Strategy<Value = String> + use<> {
    let blanks = if settings.delimiter == b'\t' { " {0,5}" } else { "[ \t]{0,5}" };
    let comment = if settings.comment.is_some() { "#[ -~]{0,30}" } else { blanks };
    let line = (prop_oneof![blanks, comment], end()).prop_map(|(line, end)| line + end);
    prop_oneof![6 => Just(String::new()), 1 => vec(line, 1..4).prop_map(|lines| lines.concat())]
}

prop_compose! {
    fn row(settings: Settings)(
        before in no_rows(&settings),
        mut fields in vec(text(), 8),
        numbers in vec(prop_oneof![100 - settings.faults => number(), settings.faults => no_number()], 2),
        more in prop_oneof![100 - settings.faults => Just(0), settings.faults => -5..=2isize],
        end in end(),
    ) -> Row {
        for (at, number) in settings.columns.unwrap_or([0, 1]).into_iter().zip(numbers) {
            fields[at] = number;
        }
        fields.truncate(settings.names.len().saturating_add_signed(more).max(1));
        settings.row(before, fields, end)
    }
}

prop_compose! {
    fn unclosed_row(settings: Settings)(before in no_rows(&settings), mut fields in vec(text(), 1..4)) -> Row {
        let last = fields.last_mut().unwrap();
        last.value.push(b'z');
        last.quoted = Some(usize::MAX);
        let mut row = settings.row(before, fields, "");
        row.text.pop();
        Row { is_unclosed: true, ..row }
    }
}

#[derive(Clone, Debug)]
pub struct File {
    pub mark: &'static str,
    /// The first is the header, if there is one.
    pub rows: Vec<Row>,
    /// Blank lines and comments.
    after: String,
}

prop_compose! {
    pub fn file(settings: Settings)(
        mark in select(&["", "\u{feff}"]),
        is_empty in prop::bool::weighted(0.1),
        header in (no_rows(&settings), end()),
        mut rows in vec(row(settings.clone()), 0..40),
        unclosed in weighted(0.1, unclosed_row(settings.clone())),
        mut after in no_rows(&settings),
        lacks_newline in any::<bool>(),
    ) -> File {
        rows.splice(..0, settings.has_header.then(|| settings.row(header.0, settings.names.clone(), header.1)));
        rows.extend(unclosed);
        if is_empty {
            rows.clear();
        }
        match rows.last_mut() {
            Some(last) if last.is_unclosed => after.clear(),
            Some(last) if lacks_newline && after.is_empty() => drop(last.end.pop()),
            _ if lacks_newline => drop(after.pop()),
            _ => {}
        }
        File { mark, rows, after }
    }
}

impl File {
    pub fn bytes(&self) -> Vec<u8> {
        let rows = self.rows.iter().map(|row| [row.before.as_bytes(), &row.bytes()].concat());
        [self.mark.as_bytes(), &rows.collect::<Vec<_>>().concat(), self.after.as_bytes()].concat()
    }

    pub fn before(&self, row: usize) -> Vec<u8> {
        let after = self.rows[row].before.clone();
        File { rows: self.rows[..row].to_vec(), after, ..*self }.bytes()
    }

    /// Asks the `csv` crate whether the rows read as they were meant.
    pub fn check(&self, settings: &Settings) {
        let text = self.rows.iter().map(|row| &*row.text).collect::<Vec<_>>().join(&b'\n');
        let meant = |row: &Row| row.fields.iter().map(|field| field.value.clone()).collect::<ByteRecord>();
        assert_eq!(settings.records(&text), self.rows.iter().map(meant).collect::<Vec<_>>());
    }
}
