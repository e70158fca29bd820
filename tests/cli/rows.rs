//! Rows that are good, and their results.

use crate::common::{Kind, Running, input_and_output, pmapgcd, run};
use crate::{EXECUTORS, Folder, always, answers, ways};
use std::thread;
use std::time::Duration;

#[test]
fn prints_the_gcd_of_each_row_in_input_order() {
    answers(b"12,18\n5,10\n7,13\n1,1\n100,75\n", "6\n5\n1\n1\n25\n");
    let (input, output) = input_and_output(Kind::Small.rows(1).take(1000).chain(Kind::Wide.rows(2).take(1000)));
    answers(&input, output);
}

#[test]
fn blanks_around_numbers_do_not_count() {
    answers(b" 12,18\n12 ,18\n12, 18\n12,18 \n\t12\t,\t18\t\n \t 12 \t,  18\t\t\n", "6\n6\n6\n6\n6\n6\n");
}

#[test]
fn lines_may_end_in_crlf() {
    answers(b"12,18\r\n5,10\r\n 7 , 14 \r\n9,6\n8,12\r\n", "6\n5\n7\n3\n4\n");
}

#[test]
fn the_last_newline_may_be_missing() {
    answers(b"12,18", "6\n");
    answers(b"12,18\n5,10", "6\n5\n");
    answers(b"12,18\r\n5,10\r", "6\n5\n");
    answers(b"12,18\n5,10 \t", "6\n5\n");
}

#[test]
fn blank_lines_are_skipped() {
    answers(b"\n\n12,18\n\n\r\n  \n\t\r\n5,10\n\n", "6\n5\n");
    answers(b"\n \r\n\t", "");
}

#[test]
fn a_byte_order_mark_at_the_start_is_skipped() {
    answers(b"\xef\xbb\xbf12,18\n5,10\n", "6\n5\n");
    answers(b"\xef\xbb\xbf\r\n12,18", "6\n");
    answers(b"\xef\xbb\xbf", "");
    let folder = Folder::with([("a.csv", "\u{feff}12,18\n"), ("b.csv", "\u{feff}5,10\n")]);
    folder.run(["a.csv", "b.csv"], "").is(0, "6\n5\n", "");
    let what = "field 1 is not an integer: \"\\u{feff}5\"; decimal digits are expected, with or without a sign";
    always(b"12,18\n\xef\xbb\xbf5,10\n", 1, "6\n", &format!("pmapgcd: stdin:2: {what}\n"));
}

#[test]
fn a_byte_order_mark_may_arrive_byte_by_byte() {
    for executor in EXECUTORS {
        let mut running = Running::start(&mut pmapgcd([executor]));
        for byte in b"\xef\xbb\xbf12,18\n" {
            running.send([*byte]);
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(running.line(), "6");
        running.finish().is(0, "", "");
    }
}

#[test]
fn the_gcd_with_zero_is_the_other_number() {
    answers(b"0,0\n0,7\n7,0\n0,18446744073709551615\n00,0000\n", "0\n7\n7\n18446744073709551615\n0\n");
}

#[test]
fn numbers_of_every_length_up_to_64_bits_are_exact() {
    answers(b"18446744073709551615,18446744073709551615\n", "18446744073709551615\n");
    answers(b"18446744073709551615,1\n18446744073709551615,3\n9223372036854775808,4\n", "1\n3\n4\n");
    let tens = (0..20).map(|digits| 10u64.pow(digits));
    let numbers: Vec<u64> = tens.flat_map(|ten| [ten - 1, ten, ten + 1, ten.saturating_mul(7)]).collect();
    let pairs = numbers.iter().flat_map(|&a| numbers.iter().map(move |&b| (a, b)));
    let (input, output) = input_and_output(pairs);
    answers(&input, output);
}

#[test]
fn leading_zeros_do_not_make_a_number_too_large() {
    answers(b"000000000000000000000000012,18\n0012,00000000000000000018\n", "6\n6\n");
}

#[test]
fn empty_input_gives_empty_output() {
    answers(b"", "");
    let folder = Folder::with([("empty.csv", ""), ("a.csv", "12,18\n")]);
    for executor in EXECUTORS {
        folder.run([executor, "empty.csv"], "5,10\n").is(0, "", "");
        folder.run([executor, "empty.csv", "a.csv", "empty.csv", "/dev/null"], "").is(0, "6\n", "");
    }
}

#[test]
fn between_tabs_a_quote_is_part_of_the_value_unless_it_is_told_otherwise() {
    let rows = "1\t\"Weird\t12\t18\n2\tx\t5\t10\n3\t\"Al\t7\t14\n";
    let quoted = "1\t\"two\tfields\"\t12\t18\n";
    for way in ways(&["64", "128K"]) {
        let of = |arguments: &[&'static str], text: &str| run(&mut pmapgcd(way.iter().chain(arguments)), text);
        for tab in ["tab", "\\t", "\t"] {
            of(&["-d", tab, "-k3,4"], rows).is(0, "6\n5\n7\n", "");
        }
        of(&["-dtab", "-k3,4", "--append"], rows).is(
            0,
            rows.replace("18\n", "18\t6\n").replace("10\n", "10\t5\n").replace("14\n", "14\t7\n"),
            "",
        );
        of(&["-dtab", "--quote=\"", "-k3,4"], quoted).is(0, "6\n", "");
        of(&["--quote=\"", "-dtab", "-k3,4"], quoted).is(0, "6\n", "");
        of(&["-dtab", "--quote=none", "-k3,4"], rows).is(0, "6\n5\n7\n", "");
        // The last delimiter counts, and other delimiters have quotes.
        of(&["-dtab", "-d;"], "\"12\";18\n").is(0, "6\n", "");
    }
    let folder = Folder::with([("rows.tsv", rows)]);
    folder.run(["-dtab", "--split=9", "rows.tsv"], "").is(0, "0,15,1\n15,9,2\n24,11,3\n", "");
}
