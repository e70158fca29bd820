use super::super::base::Base;
use super::super::digits;
use super::super::number::Number;
use super::*;
use crate::csv::index::Index;
use crate::csv::record::{Line, split, unquoted};
use crate::csv::{Format, trimmed};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Returns the pairs at the front of the text, up to the first row that the loader does not read, and the offset of
/// that row.
fn read(vectors: Vectors, text: &str, columns: Option<[usize; 2]>) -> (Vec<[u64; 2]>, usize) {
    let (mut index, mut at, mut pairs) = (Index::new(Format::default()), 0, Pairs::default());
    while at < text.len() {
        let found = index.rows(text.as_bytes(), at, &(2..=9), columns.as_ref().map(<[usize; 2]>::as_slice), usize::MAX);
        let mut is_stopped = found.is_empty();
        let mut stop = |_, _: &mut Pairs| {
            is_stopped = true;
            false
        };
        let read = with(vectors, &found, &mut pairs, false, &mut stop);
        at = index.advance(read - usize::from(is_stopped && read > 0));
        if is_stopped {
            break;
        }
    }
    (pairs.small, at)
}

/// Returns the length of the blank lines at the front of the text.
fn blank_lines(text: &[u8]) -> usize {
    text.iter().take_while(|&&byte| byte == b'\n').count()
}

/// Calls `check` with the pairs that each implementation reads from `row` on, and the number of bytes they take.
fn read_amid(row: &str, mut check: impl FnMut(&[[u64; 2]], usize)) {
    for vectors in Vectors::all() {
        // The number of rows before `row` varies, so that `row` begins at every fourth byte of 64, and so that
        // sometimes too little text is before it to load a number whole.
        for before in (0..20).chain([100, 1000]) {
            let text = "3,4\n".repeat(before) + row + &"7,8\n".repeat(100);
            let (pairs, bytes) = read(vectors, &text, None);
            assert_eq!(pairs[..before], vec![[3, 4]; before], "{vectors:?} {row}");
            check(&pairs[before..], bytes - 4 * before);
        }
    }
}

#[test]
fn hexadecimal_digits_are_read_up_to_what_is_none() {
    let digits: String = "0123456789abcdefABCDEF".chars().cycle().step_by(5).take(300).collect();
    let read = |vectors: Vectors, digits: &[u8]| {
        let mut limbs = vec![];
        let left = hexadecimal_with(vectors, digits, &mut limbs).to_vec();
        let is_good = digits::read(Base::Hexadecimal, &left, &mut limbs);
        is_good.then(|| (left.len(), digits::number_of(&limbs)))
    };
    for vectors in Vectors::all() {
        for text in (1..digits.len()).map(|length| &digits[..length]) {
            let (left, number) = read(vectors, text.as_bytes()).unwrap();
            assert!(left < 64 || vectors == Vectors::Portable, "{vectors:?} {text}");
            assert_eq!(number, dashu_int::UBig::from_str_radix(text, 16).unwrap(), "{vectors:?} {text}");
        }
        for (other, at) in (0..=255u8).filter(|byte| !byte.is_ascii_hexdigit()).zip((0..130).cycle()) {
            let mut text = digits.as_bytes()[..130].to_vec();
            text[at] = other;
            assert_eq!(read(vectors, &text), None, "{vectors:?} {other} {at}");
        }
    }
}

#[test]
fn numbers_of_128_bits_are_read() {
    let most = u128::MAX.to_string();
    let numbers: Vec<&str> = (1..=39).map(|digits| &most[..digits]).collect();
    for vectors in Vectors::all() {
        for (a, b) in numbers.iter().flat_map(|a| numbers.iter().map(move |b| (a, b))) {
            // Numbers that are too large, by one and by several digits. Numbers with a byte that is not a digit, in
            // each part of the number.
            let bad =
                ["340282366920938463463374607431768211456", &format!("{a}0000000000000000000000000000000000000000")];
            let bad = bad.into_iter().map(String::from).chain([0, 19, 20, 38].map(|at| {
                let mut number = most.clone().into_bytes();
                number[at] = b'x';
                String::from_utf8(number).unwrap()
            }));
            let bad: String = bad.map(|bad| format!("{bad},1\n1,{bad}\n")).collect();
            let text = format!("{}{a},{b}\n1,2\n{bad}", "3,4\n".repeat(20));
            let (mut index, mut pairs, mut others) = (Index::new(Format::default()), Pairs::default(), vec![]);
            let found = index.rows(text.as_bytes(), 0, &(2..=2), None, usize::MAX);
            let mut other = |row, pairs: &mut Pairs| {
                pairs.push([Number::Small(0), Number::Small(0)]);
                others.push(row);
                true
            };
            assert_eq!(with(vectors, &found, &mut pairs, true, &mut other), 34);
            let limbs = |number: &str| {
                let number: u128 = number.parse().unwrap();
                [number as u64, (number >> 64) as u64]
            };
            let ([a, a_high], [b, b_high]) = (limbs(a), limbs(b));
            match &pairs.large[..] {
                [] => assert_eq!((pairs.small[20], a_high | b_high), ([a, b], 0), "{vectors:?}"),
                [large] => {
                    let trim = |both: [u64; 2]| both[..if both[1] > 0 { 2 } else { 1 }].to_vec();
                    assert_eq!(pairs.limbs(large), [&trim([a, a_high])[..], &trim([b, b_high])], "{vectors:?}");
                }
                more => panic!("{more:?}"),
            }
            assert_eq!((pairs.small[21], others), ([1, 2], (22..34).collect()), "{vectors:?}");
        }
    }
}

#[test]
fn every_length_of_number_is_read() {
    for (a_digits, b_digits) in (1..=20).flat_map(|a| (1..=20).map(move |b| (a, b))) {
        let number = |digits: usize| "18446744073709551615"[..digits].parse::<u64>().unwrap();
        let (a, b) = (number(a_digits), number(b_digits));
        for end in ["\n", "\r\n"] {
            read_amid(&format!("{a},{b}{end}"), |rows, bytes| {
                assert!(rows.len() == 101 && rows[0] == [a, b] && rows[1..].iter().all(|row| *row == [7, 8]));
                assert_eq!(bytes, a_digits + 1 + b_digits + end.len() + 400);
            });
        }
    }
}

#[test]
fn blanks_quotes_signs_and_zeros_are_read() {
    for field in [
        "12",
        "-12",
        "+12",
        " 12",
        "12 ",
        "\t 12 \t ",
        "\"12\"",
        "\" -12\"",
        "00012",
        "\"+0000000000000000000000000012\"",
    ] {
        for row in [format!("{field},18"), format!("18,{field}"), format!("{field},{field}")] {
            for end in ["\n", "\r\n"] {
                read_amid(&format!("{row}{end}"), |rows, _| {
                    assert!(rows.len() == 101 && rows[0].iter().all(|number| [12, 18].contains(number)), "{row}");
                });
            }
        }
    }
}

#[test]
fn other_rows_are_left() {
    for row in [
        ",",
        "1",
        "1,",
        ",1",
        "1;2",
        "\"1,2",
        "1,2\r\r",
        "1,2x",
        "0x1,2",
        "1,18446744073709551616",
        "/,1",
        ":,1",
        "1\n2,",
        "99999999999999999999,1",
        "1,30000000000000000000",
        "000000000000000000001,",
        "1,2\r3,4",
        "- 1,2",
        "--1,2",
        "1-,2",
        "\"\",1",
        "\"1\"2,1",
        " \"1\",2",
        "\"1\" ,2",
        "-,1",
        " ,1",
        "\" \",1",
        "\"-\",1",
        "1 2,3",
        "\"1\"\"2\",3",
    ] {
        read_amid(&format!("{row}\n"), |rows, bytes| assert_eq!((rows, bytes), (&[][..], 0), "{row}"));
    }
}

#[test]
fn chosen_columns_are_read() {
    let text = "x,12,\"a, b\",18,y\r\n".repeat(1000);
    for vectors in Vectors::all() {
        for (columns, pair) in [([1, 3], [12, 18]), ([3, 1], [18, 12]), ([1, 1], [12, 12])] {
            assert_eq!(read(vectors, &text, Some(columns)), (vec![pair; 1000], text.len()));
        }
        assert_eq!(read(vectors, &"1,2,3\r\n".repeat(99), Some([2, 0])), (vec![[3, 1]; 99], 99 * 7));
    }
}

/// Returns the pair in the row at the front of the text, or `None` if the loader should leave that row.
fn judged(text: &[u8]) -> Option<([u64; 2], usize)> {
    let (mut fields, format) = (vec![], Format::default());
    let Line::Row { content, length } = split(text, format, &mut fields) else { return None };
    let value = |at: usize| unquoted(fields[at].raw(&text[..content]), format);
    let number = |at: usize| match Number::parse(trimmed(&value(at)), Base::Decimal, 1000)? {
        Number::Small(number) => Some(number),
        _ => None,
    };
    (2..=9).contains(&fields.len()).then_some(())?;
    Some(([number(0)?, number(1)?], length))
}

proptest! {
    #[test]
    fn what_is_read_is_what_is_meant(
        pieces in vec(prop_oneof![
            30 => any::<(u64, u64, u32, u32)>().prop_map(|(a, b, c, d)| format!("{},{}\n", a >> (c % 64), b >> (d % 64))),
            3 => "(\"?[ \t]?[+-]?0{0,30}[0-9]{1,21}[ \t]{0,2}\"?,){1,3}0?\r?\n",
            1 => select(["\n", "1\r,2\n", "x,1\n", "1 2,3\n"].as_slice()).prop_map(String::from),
        ], 0..300),
    ) {
        let text = pieces.concat() + "1,2\n";
        for vectors in Vectors::all() {
            let (pairs, end) = read(vectors, &text, None);
            let mut at = 0;
            for pair in pairs {
                at += blank_lines(&text.as_bytes()[at..]);
                let (expected, length) = judged(&text.as_bytes()[at..]).unwrap();
                prop_assert_eq!(pair, expected, "{:?}", vectors);
                at += length;
            }
            prop_assert_eq!(at + blank_lines(&text.as_bytes()[at..end]), end);
            let left = text.as_bytes().get(end..).filter(|left| !left.is_empty()).and_then(judged);
            // The loader need not load two kinds of numbers: those with text after their closing quote, and those that
            // have more than 20 digits, counting leading zeros. Rows with such numbers have a quote or a zero, which is
            // all that is checked here.
            let is_odd = |text: &&str| text.lines().next().unwrap_or_default().contains(['"', '0']);
            prop_assert!(left.is_none() || Some(&text[end..]).filter(is_odd).is_some(), "{:?} {:?}", vectors, left);
        }
    }
}
