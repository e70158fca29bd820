//! Random CSV in random formats, with good and bad rows. Every executor must give what each field was made to mean. The
//! `csv` crate confirms that the fields read as they were meant, and `num-bigint` computes the results.

#[path = "../common/mod.rs"]
mod common;

mod input;

use common::random::{config, dribble, writes};
use common::{Running, STRAY_RETURN, pmapgcd};
use csv::{ByteRecord, ReaderBuilder};
use input::{File, Row, Settings, file, settings};
use num_bigint::BigUint;
use num_integer::Integer;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::Index;
use std::path::Path;
use std::{fmt, fs};

#[derive(Clone)]
struct Case {
    settings: Settings,
    files: Vec<File>,
    /// Which of the FILEs is given as stdin, if one is.
    stdin: Option<usize>,
    writes: Vec<(usize, bool)>,
    block_size: usize,
    has_rejects: bool,
}

prop_compose! {
    fn case()(settings in settings())(
        files in vec(file(settings.clone()), 1..=3),
        settings in Just(settings),
        stdin in weighted(0.7, any::<Index>()),
        writes in writes(),
        is_short in prop::bool::weighted(0.1),
        slack in prop_oneof![0..=1usize, 0..200usize, 0..5000usize],
        has_rejects in any::<bool>(),
    ) -> Case {
        let first_rows = |count| files.iter().flat_map(move |file| file.rows.iter().take(count));
        let longest = |count| first_rows(count).map(Row::len).max().unwrap_or(0);
        let block_size = match is_short {
            true => longest(usize::from(settings.has_header)),
            false => longest(usize::MAX) + slack,
        };
        let stdin = stdin.map(|index| index.index(files.len()));
        Case { settings, files, stdin, writes, block_size: block_size.max(64), has_rejects }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:?}, writes {:?}", self.arguments("…"), self.writes)?;
        let mut files = self.files.iter().enumerate();
        files.try_for_each(|(at, file)| write!(f, "\n{}: \"{}\"", self.name(at), file.bytes().escape_ascii()))
    }
}

/// A bad row, as `--rejects` has it.
struct Reject {
    file_line_offset_field: [String; 4],
    reason: String,
    row: Vec<u8>,
}

/// What a run is expected to do. Of messages there are only the beginnings.
#[derive(Default)]
struct Expected {
    status: i32,
    stdout: Vec<u8>,
    stderr: Vec<String>,
    rejects: Vec<Reject>,
}

fn newlines(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte == b'\n').count()
}

impl Case {
    fn name(&self, file: usize) -> String {
        if self.stdin == Some(file) { "stdin".to_string() } else { format!("{file}.csv") }
    }

    fn arguments(&self, executor: &str) -> Vec<String> {
        let mut arguments = self.settings.arguments.clone();
        arguments.extend([format!("--executor={executor}"), format!("--block-size={}", self.block_size)]);
        arguments.extend(self.has_rejects.then(|| "--rejects=rejects.csv".to_string()));
        if self.stdin.is_none() || self.files.len() > 1 {
            arguments.extend((0..self.files.len()).map(|file| self.name(file).replace("stdin", "-")));
        }
        arguments
    }

    /// How many line ends come before a quote that is not closed in the row, or in as much of the row as a block holds; nothing
    /// where all quotes are closed.
    fn open_quote(&self, row: &Row) -> Option<usize> {
        let text = &row.bytes()[..row.len().min(self.block_size)];
        // If no quote is open, the text that is put behind it is a second record.
        match &self.settings.records(&[text, b"\nmore"].concat())[..] {
            [record] => Some(newlines(text) + 1 - newlines(record.iter().next_back()?)),
            _ => None,
        }
    }

    /// How many fields all rows must have with `--append`, if the first row or the header decides that.
    fn fields_of_first_row(&self) -> Option<usize> {
        let Settings { has_header, append, columns, .. } = self.settings;
        let [first, second] = columns.filter(|_| append.is_some())?;
        if has_header {
            return Some(self.settings.names.len());
        }
        let is_fine = |row: &&Row| {
            let is_whole = !row.is_unclosed && row.len() <= self.block_size;
            let has_columns = row.fields.len() > first.max(second);
            is_whole && has_columns && self.settings.stray_return(row).is_none()
        };
        self.files.iter().flat_map(|file| &file.rows).find(is_fine).map(|row| row.fields.len())
    }

    /// The result of the row; or the number of the field at fault (empty where the row as a whole is) and the message.
    fn answer(&self, row: &Row) -> Result<BigUint, (String, String)> {
        let pair = self.settings.columns.unwrap_or([0, 1]);
        let (size, count, needed) = (self.block_size, row.fields.len(), pair[0].max(pair[1]) + 1);
        let fields = if count == 1 { "field" } else { "fields" };
        let whole_row = |what| Err((String::new(), what));
        match self.settings.columns {
            _ if row.len() > size && self.open_quote(row).is_some() => {
                return whole_row(format!("the row is longer than a block, {size} bytes; "));
            }
            _ if row.len() > size => {
                return whole_row(format!("the row is longer than a block, {size} bytes; use a larger --block-size"));
            }
            _ if row.is_unclosed => {
                return Err((count.to_string(), format!("field {count} begins with a quote that is never closed: \"")));
            }
            _ if let Some((field, _)) = self.settings.stray_return(row) => {
                return Err((field.to_string(), format!("field {field} {STRAY_RETURN}\"")));
            }
            Some(_) if count < needed => return whole_row(format!("{count} {fields} where {needed} are needed: \"")),
            _ if let Some(fields_of_first) = self.fields_of_first_row().filter(|&first| first != count) => {
                return whole_row(format!("{count} {fields} where {fields_of_first} are expected: \""));
            }
            None if count != 2 => return whole_row(format!("{count} {fields} where 2 are expected: \"")),
            _ => {}
        }
        let number = |at: usize| {
            let fault = |what: &str| ((at + 1).to_string(), format!("field {} {what}", at + 1));
            let number = row.fields[at].number.as_ref().map_err(|what| fault(what))?;
            let digits = number.to_string().len();
            if digits > self.settings.max_digits { Err(fault(&format!("has {digits} digits, "))) } else { Ok(number) }
        };
        Ok(number(pair[0])?.gcd(number(pair[1])?))
    }

    /// What is printed for a row: with `--append` the row and the result, else the result alone.
    fn printed(&self, row: &Row, result: &str) -> Vec<u8> {
        if self.settings.append.is_none() {
            return format!("{result}\n").into_bytes();
        }
        let end = if row.end.ends_with('\n') { "" } else { "\n" };
        [&*row.text, &[self.settings.delimiter], result.as_bytes(), row.end.as_bytes(), end.as_bytes()].concat()
    }

    fn expected(&self) -> Expected {
        let Settings { has_header, append, bad_rows, max_bad, .. } = self.settings;
        let mut expected = Expected::default();
        // With --append, the byte order mark of the first FILE that has anything else in it is printed before all rows.
        let first = self.files.iter().position(|file| file.bytes().len() > file.mark.len());
        let mark = first.filter(|_| append.is_some()).map_or("", |first| self.files[first].mark);
        let first_row = first.and_then(|first| self.files[first].rows.first());
        let is_too_long = |row: &Row| row.before.is_empty() && row.len() > self.block_size;
        let has_block = bad_rows != "stop" || !first_row.is_some_and(is_too_long);
        if !has_header && has_block {
            expected.stdout.extend(mark.bytes());
        }
        let counts = self.files.iter().map(|file| file.rows.len()).enumerate();
        for (file, at) in counts.flat_map(|(file, count)| (0..count).map(move |at| (file, at))) {
            let (row, before) = (&self.files[file].rows[at], self.files[file].before(at));
            if has_header && at == 0 {
                if let Some(name) = append
                    && expected.stdout.is_empty()
                {
                    let mark = if first == Some(file) { mark } else { "" };
                    expected.stdout = [mark.as_bytes(), &self.printed(row, name)].concat();
                }
                continue;
            }
            let (field, reason) = match self.answer(row) {
                Ok(gcd) => {
                    expected.stdout.extend(self.printed(row, &gcd.to_string()));
                    continue;
                }
                Err(fault) => fault,
            };
            let is_whole = row.len() <= self.block_size;
            let stray = self.settings.stray_return(row).filter(|_| is_whole).map_or(0, |(_, lines)| lines);
            let line = 1 + newlines(&before) + self.open_quote(row).unwrap_or(stray);
            let bad_before = expected.rejects.len();
            if bad_before < 10 || bad_before == max_bad {
                expected.stderr.push(format!("pmapgcd: {}:{line}: {reason}", self.name(file)));
            }
            let file_line_offset_field = [self.name(file), line.to_string(), before.len().to_string(), field];
            let row_kept = if is_whole { row.text.clone() } else { row.bytes()[..self.block_size.min(1024)].to_vec() };
            expected.rejects.push(Reject { file_line_offset_field, reason, row: row_kept });
            expected.status = 1;
            if bad_before == max_bad {
                return expected;
            }
            match bad_rows {
                // The row is not whole, so it is not printed.
                "blank" if row.is_unclosed || !is_whole => expected.stdout.push(b'\n'),
                "blank" => expected.stdout.extend(self.printed(row, "")),
                _ => {}
            }
        }
        if expected.status == 1 {
            expected.stderr.push(format!("pmapgcd: {} bad row", expected.rejects.len()));
        }
        expected
    }

    fn check(&self, expected: &Expected, executor: &str, folder: &Path) {
        let mut running = Running::start(pmapgcd(self.arguments(executor)).current_dir(folder));
        if let Some(file) = self.stdin {
            let (bytes, writes) = (self.files[file].bytes(), self.writes.clone());
            running.feed(move |pipe| dribble(&bytes, &writes, pipe));
        }
        let finished = running.finish();
        let stderr: Vec<&str> = finished.stderr.lines().collect();
        let is_said = stderr.iter().zip(&expected.stderr).all(|(line, start)| line.starts_with(start));
        let is_all = stderr.len() == expected.stderr.len();
        assert!(is_said && is_all, "{executor}: {stderr:#?} is not {:#?}", expected.stderr);
        finished.is(expected.status, &expected.stdout, &finished.stderr);
        if self.has_rejects {
            check_rejects(&folder.join("rejects.csv"), &expected.rejects);
        }
    }
}

fn check_rejects(path: &Path, expected: &[Reject]) {
    let mut found = ReaderBuilder::new().from_path(path).unwrap();
    assert_eq!(found.headers().unwrap(), vec!["file", "line", "offset", "field", "reason", "row"]);
    let found: Vec<ByteRecord> = found.byte_records().collect::<Result<_, _>>().unwrap();
    fs::remove_file(path).unwrap();
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, Reject { file_line_offset_field: place, reason, row }) in found.iter().zip(expected) {
        assert!(found.iter().take(4).eq(place.iter().map(String::as_bytes)), "{found:?} is not at {place:?}");
        assert!(found[4].starts_with(reason.as_bytes()), "{found:?} is not for {reason:?}");
        assert_eq!(&found[5], row);
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn all_executors_do_what_the_rows_of_any_format_mean(case in case()) {
        let folder = tempfile::tempdir().unwrap();
        for (at, file) in case.files.iter().enumerate() {
            file.check(&case.settings);
            fs::write(folder.path().join(case.name(at)), file.bytes()).unwrap();
        }
        let expected = case.expected();
        for executor in ["serial", "threads", "pickle", "shared"] {
            case.check(&expected, executor, folder.path());
        }
    }
}
