//! Compares the number of instructions a row on the fast paths with recorded numbers, which shows a slow-down without a
//! clock.
//!
//! `PMAPGCD_RECORD=1 cargo test --test instructions` records today's numbers. They are those of the program as the
//! tests build it: optimised, with all checks on. Valgrind counts them, so AVX-512, which it does not know, is not
//! used.

mod common;

use common::{BINARY, Kind, input_and_output};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

const RECORD: &str = "tests/instructions.txt";
/// Another compiler, or another of its mood, may need so much more or less.
const SLACK: f64 = 0.05;
/// The start and the end of a run, which both have, cancel out. Those of good rows are taken from the first case.
const ROWS: [usize; 2] = [4_000, 24_000];
/// How many shapes of rows are counted. The last five have bad rows, of which the last three have no others.
const CASES: usize = 21;
/// The first that has bad rows.
const FIRST_BAD: usize = CASES - 5;

/// Instructions of a run in one process over this input.
fn count(arguments: &[&str], vectors: &str, input: Vec<u8>) -> f64 {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", BINARY, "--executor=serial"]).args(arguments);
    command.env("PMAPGCD_VECTORS", vectors).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut run = command.spawn().unwrap();
    // It may have ended with a message, which is shown below.
    let _ = run.stdin.take().unwrap().write_all(&input);
    let output = run.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() || said.contains(" bad rows"), "{said}");
    let collected = said.lines().find_map(|line| line.split_once("Collected :")).unwrap_or_else(|| panic!("{said}"));
    collected.1.trim().parse().unwrap()
}

fn plain(kind: Kind, rows: usize) -> Vec<u8> {
    input_and_output(kind.rows(41).take(rows)).0
}

/// Rows of two numbers, each made to look like this.
fn shaped(rows: usize, shape: impl Fn((u64, u64)) -> String) -> Vec<u8> {
    Kind::Small.rows(41).take(rows).map(shape).collect::<String>().into_bytes()
}

/// Some numbers with a sign, and some without, at random.
fn signed((a, b): (u64, u64)) -> String {
    let sign = |number: u64| if number.count_ones().is_multiple_of(2) { "-" } else { "" };
    format!("{}{a},{}{b}\n", sign(a), sign(b))
}

/// Every tenth row has two numbers of more than 64 bits.
fn tenth(rows: usize) -> Vec<u8> {
    let row = |(number, (a, b)): (usize, (u64, u64))| match number % 10 {
        0 => format!("{a:08}{b:08}1234567890,{b:08}{a:08}9876543210\n"),
        _ => format!("{a},{b}\n"),
    };
    Kind::Small.rows(41).take(rows).enumerate().map(row).collect::<String>().into_bytes()
}

/// Every tenth row is this bad one.
fn tenth_bad(rows: usize, bad: &str) -> Vec<u8> {
    let row = |(number, (a, b))| if number % 10 == 0 { bad.to_string() } else { format!("{a},{b}\n") };
    Kind::Small.rows(41).take(rows).enumerate().map(row).collect::<String>().into_bytes()
}

/// Thirty columns, of which the 10th and the 21st are numbers.
fn thirty((a, b): (u64, u64)) -> String {
    let text = |count: usize| vec!["some"; count].join(",");
    format!("{},{a},{},{b},{}\n", text(9), text(10), text(9))
}

fn amid_text(rows: usize) -> Vec<u8> {
    let row = |(a, b)| format!("\"Smith, J. & sons\",\"12 \"\"High\"\" Street\",{a},{b},north,\"no remarks\"\n");
    Kind::Small.rows(41).take(rows).map(row).collect::<String>().into_bytes()
}

#[test]
fn a_row_takes_no_more_instructions_than_recorded() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        common::skipped("there is no valgrind");
        return;
    }
    let mut found = vec![];
    let has_avx2 = fs::read_to_string("/proc/cpuinfo").unwrap_or_default().contains(" avx2 ");
    for vectors in ["portable", "avx2"].into_iter().take(1 + usize::from(has_avx2)) {
        type Rows = fn(usize) -> Vec<u8>;
        let cases: [(&str, &[&str], Rows); CASES] = [
            ("small", &[], |rows| plain(Kind::Small, rows)),
            ("63-bit", &[], |rows| plain(Kind::Wide, rows)),
            ("amid-text", &["-k3,4"], amid_text),
            ("columns", &["-k2,1"], |rows| plain(Kind::Small, rows)),
            ("crlf", &[], |rows| shaped(rows, |(a, b)| format!("{a},{b}\r\n"))),
            ("tabs", &["-dtab"], |rows| shaped(rows, |(a, b)| format!("{a}\t{b}\n"))),
            ("blanks", &[], |rows| shaped(rows, |(a, b)| format!("{a}, {b}\n"))),
            ("signs", &[], |rows| shaped(rows, signed)),
            ("zeros", &[], |rows| shaped(rows, |(a, b)| format!("000{a},000{b}\n"))),
            ("quotes", &[], |rows| shaped(rows, |(a, b)| format!("\"{a}\",\"{b}\"\n"))),
            ("append", &["--append"], |rows| plain(Kind::Small, rows)),
            ("tenth-large", &[], tenth),
            ("seven", &["-k3,5"], |rows| shaped(rows, |(a, b)| format!("7,north,{a},2026-11-24,{b},paid,none\n"))),
            ("thirty", &["-k10,21"], |rows| shaped(rows, thirty)),
            ("comments", &["--comment=#"], |rows| shaped(rows, |(a, b)| format!("# a line\n{a},{b}\n"))),
            ("blank-lines", &[], |rows| shaped(rows, |(a, b)| format!("{a},{b}\n\n"))),
            ("tenth-bad-field", &["--bad-rows=skip"], |rows| tenth_bad(rows, "1234567,765432x\n")),
            ("tenth-bad-length", &["--bad-rows=skip"], |rows| tenth_bad(rows, "1234567\n")),
            ("bad-field", &["--bad-rows=skip"], |rows| b"1234567,765432x\n".repeat(rows)),
            ("bad-length", &["--bad-rows=skip"], |rows| b"1234567,765432,1\n".repeat(rows)),
            ("bad-return", &["--bad-rows=skip"], |rows| b"1234567\r,765432\n".repeat(rows)),
        ];
        // What valgrind itself takes to start is most of each of these runs: no more of them than are needed.
        let few = (0..CASES).filter(|&case| case == 0 || case >= FIRST_BAD).map(|case| (0, case));
        let runs: Vec<_> = few.chain((0..CASES).map(|case| (1, case))).collect();
        // Counts do not depend on what else runs.
        let (next, counts) = (AtomicUsize::new(0), Mutex::new([[0.0; CASES]; 2]));
        let count_all = || {
            while let Some(&(size, case)) = runs.get(next.fetch_add(1, Relaxed)) {
                let (_, arguments, rows) = cases[case];
                let found = count(arguments, vectors, rows(ROWS[size]));
                counts.lock().unwrap()[size][case] = found;
            }
        };
        thread::scope(|scope| {
            (0..thread::available_parallelism().unwrap().get()).for_each(|_| drop(scope.spawn(count_all)))
        });
        let [few, many] = counts.into_inner().unwrap();
        let [less, more] = ROWS.map(|rows| rows as f64);
        let a_row = |case: usize| (many[case] - few[case]) / (more - less);
        let start = few[0] - less * a_row(0);
        let counts = (0..CASES).map(|case| if case < FIRST_BAD { (many[case] - start) / more } else { a_row(case) });
        found.extend(cases.iter().zip(counts).map(|((name, ..), count)| (format!("{name} {vectors}"), count)));
    }
    // A bad row that is only counted may cost so many times a good one.
    const BAD: f64 = 10.0;
    for of in found.chunks(CASES) {
        let (good, bad) = (of[0].1, &of[CASES - 3..]);
        assert!(bad.iter().all(|(_, count)| *count < BAD * good), "{of:?}");
    }
    if std::env::var_os("PMAPGCD_RECORD").is_some() {
        let lines: String = found.iter().map(|(name, count)| format!("{name} {count:.1}\n")).collect();
        fs::write(RECORD, lines).unwrap();
    }
    let recorded = fs::read_to_string(RECORD).unwrap();
    for (name, count) in found {
        let line = recorded.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_else(|| panic!("no {name}"));
        let expected: f64 = line.trim().parse().unwrap();
        println!("{name}: {count:.1} instructions a row, recorded {expected:.1}");
        assert!(count < expected * (1.0 + SLACK), "{name}: {count:.1} instructions a row, recorded {expected:.1}");
        // A build with incremental compilation, as is recorded, takes up to a fifth more than one without.
        assert!(count > expected * (1.0 - 5.0 * SLACK), "{name}: only {count:.1}: record it, so that it stays so");
    }
}
