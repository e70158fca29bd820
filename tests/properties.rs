//! Random rows, good and bad, in random blocks and reads. All executors must agree with a model, which knows what each
//! line was made to be and so need not parse it.

mod common;

use common::random::{config, dribble, writes};
use common::{RETURNS_TO_LINES, Running, euclid, pmapgcd};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use std::fmt;

#[derive(Clone)]
struct Line {
    text: Vec<u8>,
    meaning: Meaning,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "\"{}\" ({} bytes): {:?}", self.text.escape_ascii(), self.text.len(), self.meaning)
    }
}

#[derive(Clone, Debug)]
enum Meaning {
    Gcd(u64),
    Nothing,
    Error(String),
}

#[derive(Clone, Debug)]
struct Input {
    has_mark: bool,
    /// All lines, with their line ends.
    lines: Vec<Line>,
}

const MARK: &[u8] = b"\xef\xbb\xbf";

impl Input {
    fn bytes(&self) -> Vec<u8> {
        let mark = if self.has_mark { MARK } else { b"" };
        std::iter::once(mark).chain(self.lines.iter().map(|line| &*line.text)).collect::<Vec<_>>().concat()
    }
}

/// Exit status, stdout and stderr of a run.
type Run = (Option<i32>, String, String);

fn model(input: &Input, block_size: usize) -> Run {
    let mut stdout = String::new();
    for (number, line) in (1..).zip(&input.lines) {
        let error = match &line.meaning {
            Meaning::Nothing => continue,
            _ if line.text.len() > block_size => {
                let is_stray = |pair: &[u8]| pair[0] == b'\r' && pair[1] != b'\n';
                let is_stray = line.text[..block_size].windows(2).any(is_stray);
                let what = "; it has a carriage return outside quotes, which ends no row without a line feed";
                let more = if is_stray { format!("{what}{RETURNS_TO_LINES}") } else { String::new() };
                format!("the row is longer than a block, {block_size} bytes; use a larger --block-size{more}")
            }
            Meaning::Gcd(gcd) => {
                stdout += &format!("{gcd}\n");
                continue;
            }
            Meaning::Error(what) => what.clone(),
        };
        return (Some(1), stdout, format!("pmapgcd: stdin:{number}: {error}\n"));
    }
    (Some(0), stdout, String::new())
}

fn integer() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..=20u64,
        any::<u64>(),
        (any::<u64>(), 0..64u32).prop_map(|(number, bits)| number >> bits),
        (0..64u32).prop_map(|bit| 1 << bit),
        (0..20u32).prop_map(|digits| 10u64.pow(digits) - 1),
        (0..3u64).prop_map(|below| u64::MAX - below),
    ]
}

fn blanks() -> impl Strategy<Value = String> {
    prop_oneof![8 => Just(String::new()), 2 => "[ \t]{1,4}", 1 => "[ \t]{1,50}"]
}

fn number() -> impl Strategy<Value = (u64, String)> {
    (integer(), blanks(), prop_oneof![9 => Just(0), 1 => 0..25usize], blanks())
        .prop_map(|(number, before, zeros, after)| (number, format!("{before}{}{number}{after}", "0".repeat(zeros))))
}

fn fine_line() -> impl Strategy<Value = Line> {
    let row = (number(), number())
        .prop_map(|((a, left), (b, right))| (format!("{left},{right}"), Meaning::Gcd(euclid(a, b))));
    let blank = blanks().prop_map(|blanks| (blanks, Meaning::Nothing));
    prop_oneof![7 => row, 1 => blank].prop_map(|(text, meaning)| Line { text: text.into_bytes(), meaning })
}

const BAD_FIELDS: [(&[u8], &str); 9] = [
    (b"", "is empty; an integer is expected; if that stands for no value, say so with --na ''"),
    (b"abc", r#"is not an integer: "abc"; decimal digits are expected, with or without a sign"#),
    (b"1 2", r#"is not an integer: "1 2"; decimal digits are expected, with or without a sign"#),
    (b"1.5", r#"is not an integer: "1.5"; decimal digits are expected, with or without a sign"#),
    (
        b"7\r",
        "has a carriage return outside quotes, which ends no row without a line feed: \"7\\r\"; if it is to end one: tr '\\r' '\\n' < FILE",
    ),
    (b"4-", r#"is not an integer: "4-"; decimal digits are expected, with or without a sign"#),
    (b"1\x002", r#"has a NUL byte: "1\u{0}2""#),
    (b"1\xff", r#"is not UTF-8: "1\xff""#),
    (b"\x1b[7m", r#"is not an integer: "\u{1b}[7m"; decimal digits are expected, with or without a sign"#),
];

fn bad_line() -> impl Strategy<Value = Line> {
    let left = (select(&BAD_FIELDS), number()).prop_map(|((field, what), (_, right))| {
        let text = [field, b",", right.as_bytes()].concat();
        Line { text, meaning: Meaning::Error(format!("field 1 {what}")) }
    });
    let right = (number(), select(&BAD_FIELDS), "[ \t]{1,3}").prop_map(|((_, left), (field, what), blanks)| {
        let text = [left.as_bytes(), b",", field, blanks.as_bytes()].concat();
        Line { text, meaning: Meaning::Error(format!("field 2 {what}")) }
    });
    let count = prop_oneof![Just(1), 3..=9usize].prop_map(|count| {
        let text = vec!["12"; count].join(",");
        let plural = if count == 1 { "" } else { "s" };
        let hint = if count > 2 { "; say which of them count, as in -k 1,2" } else { "" };
        let what = format!("{count} field{plural} where 2 are expected: \"{text}\"{hint}");
        Line { text: text.into_bytes(), meaning: Meaning::Error(what) }
    });
    prop_oneof![left, right, count]
}

fn input() -> impl Strategy<Value = Input> {
    let ended = |line, ends: &'static [&'static str]| {
        (line, select(ends)).prop_map(|(mut line, end): (Line, _)| {
            line.text.extend(end.bytes());
            line
        })
    };
    let fine = move || ended(fine_line().boxed(), &["\n", "\n", "\r\n"]);
    let bad = ended(bad_line().boxed(), &["\n", "\r\n"]);
    let last = ended(fine_line().boxed(), &["", "\r"]);
    (any::<bool>(), vec(fine(), 0..150), weighted(0.5, bad), vec(fine(), 0..10), weighted(0.5, last)).prop_map(
        |(has_mark, mut lines, bad, after, last)| {
            lines.extend(bad.into_iter().chain(after).chain(last));
            Input { has_mark, lines }
        },
    )
}

fn run(executor: &str, [jobs, block_size, chunk_size]: [usize; 3], bytes: Vec<u8>, writes: Vec<(usize, bool)>) -> Run {
    let [jobs, block_size, chunk_size] = [jobs, block_size, chunk_size].map(|size| size.to_string());
    let arguments = ["--executor", executor, "--jobs", &jobs, "--block-size", &block_size, "--chunk-size", &chunk_size];
    let mut running = Running::start(&mut pmapgcd(arguments));
    running.feed(move |pipe| dribble(&bytes, &writes, pipe));
    let finished = running.finish();
    (finished.status.code(), String::from_utf8(finished.stdout).unwrap(), finished.stderr)
}

/// How the program is told that files are written, as other programs write them.
#[derive(Clone, Debug)]
struct Habits {
    arguments: Vec<&'static str>,
    delimiter: &'static str,
    thousands: &'static str,
    decimal: &'static str,
}

fn habits() -> impl Strategy<Value = Habits> {
    let habit = |arguments: &[&'static str], delimiter, thousands, decimal| Habits {
        arguments: arguments.to_vec(),
        delimiter,
        thousands,
        decimal,
    };
    select(vec![
        habit(&["--thousands=,"], ",", ",", "."),
        habit(&["-d;", "--thousands=.", "--decimal=,"], ";", ".", ","),
        habit(&["-dtab", "--thousands= ", "--quote=\""], "\t", " ", "."),
        habit(&["-dblank", "--thousands='"], " \t  ", "'", "."),
        habit(&["-d|", "--thousands=\u{202f}", "--decimal=,"], "|", "\u{202f}", ","),
    ])
}

/// A number in one of the ways that programs have, or a text for no value.
#[derive(Clone, Debug)]
struct Written {
    number: Option<u64>,
    is_grouped: bool,
    /// How many zeros follow behind a decimal point, if there is one.
    fraction: Option<usize>,
    /// How many places the point has moved to the left, if there is an exponent.
    exponent: Option<usize>,
    is_quoted: bool,
}

fn written() -> impl Strategy<Value = Written> {
    let number = weighted(0.9, integer());
    (number, any::<bool>(), weighted(0.3, 0..4usize), weighted(0.2, 0..22usize), weighted(0.1, Just(()))).prop_map(
        |(number, is_grouped, fraction, exponent, quoted)| Written {
            number,
            is_grouped,
            fraction,
            exponent,
            is_quoted: quoted.is_some(),
        },
    )
}

impl Written {
    fn text(&self, habits: &Habits) -> String {
        let Some(number) = self.number else { return "n/a".to_string() };
        let digits = format!("{number:0>width$}", width = self.exponent.unwrap_or(0) + 1);
        let (whole, moved) = digits.split_at(digits.len() - self.exponent.unwrap_or(0));
        let mut text = String::new();
        for (at, digit) in whole.char_indices() {
            if self.is_grouped && at > 0 && (whole.len() - at) % 3 == 0 {
                text += habits.thousands;
            }
            text.push(digit);
        }
        if self.fraction.is_some() || !moved.is_empty() {
            text += habits.decimal;
            text += &(moved.to_string() + &"0".repeat(self.fraction.unwrap_or(0)));
        }
        if let Some(exponent) = self.exponent {
            text += &format!("e+{exponent:02}");
        }
        let must_be_quoted =
            !habits.arguments.contains(&"-dblank") && (self.is_quoted || text.contains(habits.delimiter));
        if must_be_quoted { format!("\"{text}\"") } else { text }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn numbers_as_programs_write_them_are_read_as_they_are_meant(
        habits in habits(),
        rows in vec((written(), written()), 0..300),
        appends in any::<bool>(),
        skipped in vec("[\"a,;=]{0,20}", 0..3),
        block_size in prop_oneof![200..=300usize, 200..=5000usize],
    ) {
        let is_blank = habits.arguments.contains(&"-dblank");
        let mut input: String = skipped.iter().map(|line| format!("{line}\n")).collect();
        let mut expected = String::new();
        for (a, b) in &rows {
            let row = [a, b].map(|number| number.text(&habits)).join(habits.delimiter);
            let gcd = a.number.zip(b.number).map(|(a, b)| euclid(a, b).to_string());
            if appends {
                expected += &format!("{row}{}", if is_blank { " " } else { habits.delimiter });
            }
            expected += &gcd.unwrap_or_else(|| if appends && is_blank { "NA".into() } else { String::new() });
            expected.push('\n');
            input += &format!("{row}\n");
        }
        let (block_size, skipped) = (block_size.to_string(), skipped.len().to_string());
        for executor in ["serial", "threads", "pickle", "shared"] {
            let mut command = pmapgcd(["--executor", executor, "-j2", "--block-size", &block_size, "--skip-lines", &skipped]);
            command.args(&habits.arguments).args(["--whole-floats", "--na=n/a"]).args(appends.then_some("--append"));
            let finished = common::run(&mut command, input.as_str());
            prop_assert_eq!((finished.status.code(), &*finished.stderr), (Some(0), ""));
            prop_assert_eq!(&*finished.stdout, expected.as_bytes(), "{}", executor);
        }
    }

    #[test]
    fn all_executors_do_what_the_lines_mean_however_they_are_cut(
        input in input(),
        block_size in prop_oneof![64..=70usize, 64..=200usize, 64..=5000usize],
        jobs in 1..=5usize,
        chunk_size in prop_oneof![1..=3usize, 1..=2000usize],
        writes in writes(),
    ) {
        let expected = model(&input, block_size);
        for executor in ["serial", "threads", "pickle", "shared"] {
            let found = run(executor, [jobs, block_size, chunk_size], input.bytes(), writes.clone());
            prop_assert_eq!(&found, &expected, "{}", executor);
        }
    }
}
