//! Bad rows that end the run, and the messages about them.

use crate::common::{Kind, RETURNS_TO_LINES, Running, input_and_output, pmapgcd, run};
use crate::{EXECUTORS, always, ways};
use std::thread;
use std::time::Duration;

const BAD_ROWS: [(&[u8], &str); 26] = [
    (b"12", r#"1 field where 2 are expected: "12""#),
    (b"abc", r#"1 field where 2 are expected: "abc""#),
    (b"1,2,3", r#"3 fields where 2 are expected: "1,2,3"; say which of them count, as in -k 1,2"#),
    (b"12,18,", r#"3 fields where 2 are expected: "12,18,"; say which of them count, as in -k 1,2"#),
    (b",,,", r#"4 fields where 2 are expected: ",,,"; say which of them count, as in -k 1,2"#),
    (b",18", "field 1 is empty"),
    (b"12, \t", "field 2 is empty"),
    (b",", "field 1 is empty"),
    (b"1\x002,18", r#"field 1 has a NUL byte: "1\u{0}2""#),
    (b"12,\xff8", r#"field 2 is not UTF-8: "\xff8""#),
    (b"12,abc", r#"field 2 is not an integer: "abc""#),
    (b"a,5", r#"field 1 is not an integer: "a""#),
    (b"--12,18", r#"field 1 is not an integer: "--12""#),
    (b"12,+", r#"field 2 is not an integer: "+""#),
    (b"12,- 5", r#"field 2 is not an integer: "- 5""#),
    (b"\"12\"x,18", r#"field 1 is not an integer: "12x""#),
    (b" \"12\",18", r#"field 1 is not an integer: "\"12\"""#),
    (b"\"1\"\"2\",18", r#"field 1 is not an integer: "1\"2""#),
    (b"\"\",18", "field 1 is empty"),
    (b"12,1.5", r#"field 2 is not an integer: "1.5""#),
    (b"1_000,1e3", r#"field 1 is not an integer: "1_000""#),
    (b"12,1 8", r#"field 2 is not an integer: "1 8""#),
    (b"0x10,1", r#"field 1 is not an integer: "0x10""#),
    (b"12;18,1", r#"field 1 is not an integer: "12;18""#),
    (b"12,\x1b[31mred", r#"field 2 is not an integer: "\u{1b}[31mred""#),
    (
        b"12,1\r\t8\r",
        r#"field 2 has a carriage return outside quotes, which ends no row without a line feed: "1\r\t8""#,
    ),
];

/// What comes behind some messages, to say what was expected.
fn whole(what: &str) -> String {
    let expected = match what {
        _ if what.contains("0x10") => "; integers in base 16 are read with --base 16",
        _ if what.contains("is not an integer") => "; decimal digits are expected, with or without a sign",
        _ if what.contains("carriage return") => RETURNS_TO_LINES,
        _ if what.contains("is empty") => "; an integer is expected; if that stands for no value, say so with --na ''",
        _ => "",
    };
    format!("{what}{expected}")
}

#[test]
fn a_bad_row_stops_the_run_after_all_results_before_it_and_names_its_line() {
    for (row, what) in BAD_ROWS {
        // Four lines with two results each time, so that the row falls into this block or that.
        for repeats in [0, 1, 9] {
            let before = b"12,18\r\n\n 5 , 10 \n\r\n".repeat(repeats);
            let stderr = format!("pmapgcd: stdin:{}: {}\n", 4 * repeats + 1, whole(what));
            let after = b"\n99,33\nx\n".repeat(20);
            always(&[&before, row, &*after].concat(), 1, "6\n5\n".repeat(repeats), &stderr);
        }
    }
}

#[test]
fn a_bad_last_row_needs_no_newline_to_be_named() {
    for (row, what) in BAD_ROWS {
        let stderr = format!("pmapgcd: stdin:3: {}\n", whole(what));
        run(&mut pmapgcd(["--block-size=64"]), [b"12,18\n\r\n", row].concat()).is(1, "6\n", &stderr);
    }
}

#[test]
fn a_bad_row_far_down_is_named_by_its_line_after_all_results_before_it() {
    let (mut input, output) = input_and_output(Kind::Wide.rows(3).take(100_000));
    input.extend(b"12,abc\n".iter().chain(&input.clone()));
    for way in ways(&["100", "128K"]) {
        let finished = run(&mut pmapgcd(way), &*input);
        let what = whole("field 2 is not an integer: \"abc\"");
        finished.is(1, &output, &format!("pmapgcd: stdin:100001: {what}\n"));
    }
}

#[test]
fn long_values_are_shortened_in_messages() {
    let case = |row: &str, what: &str| {
        for executor in EXECUTORS {
            let finished = run(&mut pmapgcd([executor]), format!("12,18\n{row}\n"));
            finished.is(1, "6\n", &format!("pmapgcd: stdin:2: {}\n", whole(what)));
        }
    };
    let x40 = "x".repeat(40);
    case(&format!("1,{x40}"), &format!("field 2 is not an integer: \"{x40}\""));
    case(&format!("1,{x40}x"), &format!("field 2 is not an integer: \"{x40}…\" (41 bytes)"));
    case(&"x".repeat(100_000), &format!("1 field where 2 are expected: \"{x40}…\" (100000 bytes)"));
    let (nines, shown) = ("9".repeat(100_001), "9".repeat(40));
    let too_many = "field 1 has 100001 digits, more than the 100000 that --max-digits allows:";
    case(&format!("{nines},1"), &format!("{too_many} \"{shown}…\" (100001 bytes)"));
    // No character is cut in two.
    let wide = format!("x{}", "é".repeat(50));
    case(&format!("1,{wide}"), &format!("field 2 is not an integer: \"x{}…\" (101 bytes)", "é".repeat(19)));
    // The longest that escapes can make it.
    let bell = "\u{7}".repeat(100);
    let shown = "\\u{7}".repeat(40);
    case(&format!("{bell},1"), &format!("field 1 is not an integer: \"{shown}…\" (100 bytes)"));
}

#[test]
fn nothing_in_a_message_is_obeyed_or_reordered_by_a_terminal() {
    let row = "\u{1b}]0;title\u{7}\u{202e}\u{200b}\u{85}\\\",1";
    let what = r#"field 1 is not an integer: "\u{1b}]0;title\u{7}\u{202e}\u{200b}\u{85}\\\"""#;
    always(row.as_bytes(), 1, "", &format!("pmapgcd: stdin:1: {}\n", whole(what)));
}

#[test]
fn a_row_may_be_as_long_as_a_block_and_no_longer() {
    let too_long = |line, size| {
        format!("pmapgcd: stdin:{line}: the row is longer than a block, {size} bytes; use a larger --block-size\n")
    };
    for way in ways(&["64", "4096"]) {
        let size: usize = way[3].parse().unwrap();
        let row = |length: usize, end: &str| format!("{:<width$}{end}", "12,18", width = length - end.len());
        for before in ["", "\n5,10\n", &"5,10\n\r\n".repeat(50)] {
            let results = "5\n".repeat(before.matches("5,10").count());
            let line = before.matches('\n').count() + 1;
            let case = |rest: String, status, more: &str, stderr: &str| {
                run(&mut pmapgcd(way), format!("{before}{rest}")).is(status, format!("{results}{more}"), stderr);
            };
            for end in ["\n", "\r\n", ""] {
                case(row(size, end), 0, "6\n", "");
                case(row(size + 1, end), 1, "", &too_long(line, size));
                case(row(10 * size, end), 1, "", &too_long(line, size));
            }
            case(row(size, "\n") + &row(size, "\n") + "7,14", 0, "6\n6\n7\n", "");
            case(row(size, "\n") + &row(size + 1, "\n"), 1, "6\n", &too_long(line + 1, size));
        }
    }
}

#[test]
fn a_byte_order_mark_does_not_count_into_the_length_of_its_row() {
    for way in ways(&["64"]) {
        run(&mut pmapgcd(way), format!("\u{feff}{:<63}\n5,10\n", "12,18")).is(0, "6\n5\n", "");
    }
}

#[test]
fn the_end_of_a_row_that_fills_a_block_may_come_later() {
    for executor in EXECUTORS {
        for (end, status, stdout) in [("", 0, "6\n"), ("\n", 1, "")] {
            let mut running = Running::start(&mut pmapgcd([executor, "--block-size=64"]));
            running.send(format!("{:<64}", "12,18"));
            thread::sleep(Duration::from_millis(20));
            running.send(end);
            let finished = running.finish();
            assert_eq!(finished.stderr.contains("--block-size"), status == 1);
            finished.is(status, stdout, &finished.stderr);
        }
    }
}
