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

const RECORD: &str = "tests/instructions.txt";
/// Another compiler, or another of its mood, may need so much more or less.
const SLACK: f64 = 0.05;
/// The start and the end of a run, which both have, cancel out.
const ROWS: [usize; 2] = [20_000, 120_000];

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

fn amid_text(rows: usize) -> Vec<u8> {
    let row = |(a, b)| format!("\"Smith, J. & sons\",\"12 \"\"High\"\" Street\",{a},{b},north,\"no remarks\"\n");
    Kind::Small.rows(41).take(rows).map(row).collect::<String>().into_bytes()
}

#[test]
fn a_row_takes_no_more_instructions_than_recorded() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("not counted: there is no valgrind here");
        return;
    }
    let mut found = vec![];
    let has_avx2 = fs::read_to_string("/proc/cpuinfo").unwrap_or_default().contains(" avx2 ");
    for vectors in ["portable", "avx2"].into_iter().take(1 + usize::from(has_avx2)) {
        type Rows = fn(usize) -> Vec<u8>;
        let cases: [(&str, &[&str], Rows); 6] = [
            ("small", &[], |rows| plain(Kind::Small, rows)),
            ("63-bit", &[], |rows| plain(Kind::Wide, rows)),
            ("amid-text", &["-k3,4"], amid_text),
            ("bad-field", &["--bad-rows=skip"], |rows| b"1234567,765432x\n".repeat(rows)),
            ("bad-length", &["--bad-rows=skip"], |rows| b"1234567,765432,1\n".repeat(rows)),
            ("bad-return", &["--bad-rows=skip"], |rows| b"1234567\r,765432\n".repeat(rows)),
        ];
        for (name, arguments, rows) in cases {
            let [few, many] = ROWS.map(|count_of| count(arguments, vectors, rows(count_of)));
            found.push((format!("{name} {vectors}"), (many - few) / (ROWS[1] - ROWS[0]) as f64));
        }
    }
    // A bad row that is only counted may cost so many times a good one.
    const BAD: f64 = 10.0;
    for of in found.chunks(6) {
        let (good, bad) = (of[0].1, &of[3..]);
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
        assert!(count > expected * (1.0 - 3.0 * SLACK), "{name}: only {count:.1}: record it, so that it stays so");
    }
}
