//! Ranges of random files, good and bad: their outputs together are, to the byte, the output of the whole file.

mod common;

use common::random::config;
use common::{Finished, pmapgcd, run};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use std::fs;
use tempfile::TempDir;

/// A line without its end. It is written for a comma, `"` and `#`.
fn line() -> impl Strategy<Value = String> {
    let number = || prop_oneof![0..100u64, any::<u64>()];
    prop_oneof![
        6 => (number(), number()).prop_map(|(a, b)| format!("{a},{b}")),
        3 => (number(), number()).prop_map(|(a, b)| format!("\"{a}\", {b},x")),
        3 => (number(), number(), select(["\n", "\r\n", "\"\"", ",", "\n\n#", "\"\"\n"].as_slice()))
            .prop_map(|(a, b, text)| format!("{a},\"{b}\",\"two{text}lines\"")),
        2 => nothing(),
        2 => select(["", "x,5", "5,", "1\n2", "12,\r6", "1,2,x\ry", "#\r1,2", "\"1\"\r,2", "1,2\r", "\u{feff}1,2", "1,\"2\n3\"", "a\"b,\"c"].as_slice())
            .prop_map(str::to_string),
        1 => (60..200usize).prop_map(|zeros| format!("12,{}6", "0".repeat(zeros))),
        1 => (60..200usize).prop_map(|blanks| " ".repeat(blanks)),
    ]
}

fn nothing() -> impl Strategy<Value = String> {
    select(["", " \t", "# \"1,2", "#", "\t"].as_slice()).prop_map(str::to_string)
}

fn ended(line: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (line, select(["\n", "\n", "\r\n"].as_slice())).prop_map(|(line, end)| line + end)
}

#[derive(Clone, Debug)]
struct Options {
    has_header: bool,
    bad_rows: &'static str,
    others: Vec<&'static str>,
    format: [&'static str; 3],
}

impl Options {
    /// The text in this format.
    fn write(&self, text: &str) -> String {
        let [delimiter, quote, comment] = self.format;
        let quote = if quote == "none" { "\"" } else { quote };
        let swap = |c| match c {
            ',' => delimiter.to_string(),
            '"' => quote.to_string(),
            '#' => comment.to_string(),
            _ => c.to_string(),
        };
        text.chars().map(swap).collect()
    }

    fn arguments(&self) -> Vec<&str> {
        let [delimiter, quote, comment] = self.format;
        let mut arguments = vec!["--delimiter", delimiter, "--quote", quote, "--bad-rows", self.bad_rows];
        if comment != "@" {
            arguments.extend(["--comment", comment]);
        }
        if self.has_header {
            arguments.push("--header");
        }
        arguments.extend(&self.others);
        arguments
    }
}

fn options() -> impl Strategy<Value = Options> {
    let executors =
        select(["--executor=serial", "--executor=serial", "--executor=threads", "--executor=pickle", "-j2"].as_slice());
    let columns = select(["-k1,2", "-k2,1", "-ka,b", "-kb,a"].as_slice());
    let append = select(["--append", "--append=it"].as_slice());
    let others = (
        executors,
        select(["--block-size=64", "--block-size=100", "--block-size=128K"].as_slice()),
        weighted(0.8, columns),
        weighted(0.5, append),
    );
    let format = (
        select([",", ";", "tab"].as_slice()),
        select(["\"", "\"", "'", "none"].as_slice()),
        select(["#", "%", "@"].as_slice()),
    );
    (any::<bool>(), select(["stop", "skip", "blank"].as_slice()), others, format).prop_map(
        |(mut has_header, bad_rows, (executor, block_size, columns, append), (delimiter, quote, comment))| {
            has_header |= append == Some("--append=it") || columns.is_some_and(|columns| columns.contains('a'));
            let others = [Some(executor), Some(block_size), columns, append].into_iter().flatten().collect();
            Options { has_header, bad_rows, others, format: [delimiter, quote, comment] }
        },
    )
}

struct Folder(TempDir);

impl Folder {
    fn run(&self, arguments: &[&str]) -> Finished {
        run(pmapgcd(arguments).args(["rows.csv"]).current_dir(&self.0), "")
    }

    /// A run and its rejects, but for their header.
    fn map(&self, options: &Options, range: &[&str]) -> (Finished, String) {
        let rejects = self.0.path().join("bad.csv");
        let _ = fs::remove_file(&rejects);
        let finished = self.run(&[&*options.arguments(), &["--rejects", "bad.csv"], range].concat());
        let rejects = fs::read_to_string(rejects).unwrap_or_default();
        (finished, rejects.split_once('\n').map_or("", |(_, rest)| rest).to_string())
    }
}

/// What is said about rows, without the count of them.
fn rows_said(finished: &Finished) -> String {
    let is_of_row = |line: &&str| line.starts_with("pmapgcd: rows.csv:");
    finished.stderr.split_inclusive('\n').filter(is_of_row).collect()
}

/// Messages or rejects without hints: a hint depends on whether a row is the first of its file, which is not known of a range
/// that begins behind the header.
fn without_hints(text: &str) -> String {
    let mut parts = text.split("; if ");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |kept, part| {
        let end = ["\",", "\n"].iter().filter_map(|end| part.find(end)).min().unwrap_or(part.len());
        kept + &part[end..]
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn ranges_give_together_what_the_whole_file_gives(
        options in options(),
        has_mark in any::<bool>(),
        before in vec(ended(nothing()), 0..3),
        lines in vec(ended(line()), 0..40),
        last in weighted(0.4, prop_oneof![line(), select(["5,\"6\n7,8\n", "\"", "\r", "1,2\r"].as_slice()).prop_map(str::to_string)]),
        count in prop_oneof![1..=4u64, 1..=50u64],
    ) {
        let header = if options.has_header { "a,\"b\",c\r\n" } else { "" };
        let text = options.write(&[&before.concat(), header, &lines.concat(), &last.unwrap_or_default()].concat());
        let text = [if has_mark { "\u{feff}" } else { "" }, &text].concat().replace("tab", "\t");
        let folder = Folder(tempfile::tempdir().unwrap());
        fs::write(folder.0.path().join("rows.csv"), &text).unwrap();

        let split = folder.run(&[options.arguments(), vec!["--split", &count.to_string()]].concat());
        prop_assert_eq!((split.status.code(), &*split.stderr), (Some(0), ""));
        let ranges = String::from_utf8(split.stdout).unwrap();
        prop_assert!(ranges.lines().count() as u64 <= count);
        let mut end = 0;
        for range in ranges.lines() {
            let numbers: Vec<usize> = range.split(',').map(|number| number.parse().unwrap()).collect();
            let [offset, length, line] = numbers[..] else { panic!("{range}") };
            prop_assert!(offset == end && length > 0);
            prop_assert_eq!(line, text[..offset].matches('\n').count() + 1);
            end += length;
        }
        prop_assert_eq!(end, text.len());

        let (whole, rejects) = folder.map(&options, &[]);
        let mut together = (0, vec![], String::new(), String::new());
        for range in ranges.lines() {
            let (range, first_line) = range.rsplit_once(',').unwrap();
            let (part, rejects) = folder.map(&options, &["--range", range, "--first-line", first_line]);
            let status = part.status.code().unwrap();
            if status == 2 {
                // The header will not do: every part says so.
                prop_assert_eq!((whole.status.code(), &whole.stderr), (Some(2), &part.stderr));
                return Ok(());
            }
            together.0 = status.max(together.0);
            together.2 += &rows_said(&part);
            together.3 += &rejects;
            together.1.extend(part.stdout);
            if status == 1 && options.bad_rows == "stop" {
                break;
            }
        }
        prop_assert_eq!(Some(together.0), whole.status.code(), "{:?}", whole);
        prop_assert_eq!(String::from_utf8_lossy(&together.1), String::from_utf8_lossy(&whole.stdout));
        prop_assert_eq!(without_hints(&together.3), without_hints(&rejects));
        // Of a run with more than ten bad rows only the first ten are named.
        let (said, named) = (without_hints(&together.2), without_hints(&rows_said(&whole)));
        prop_assert!(said.starts_with(&named), "{} and not {}", together.2, whole.stderr);
    }
}
