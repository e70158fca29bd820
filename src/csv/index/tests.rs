use super::*;
use crate::csv::record::{Line, split};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::ops::Range;

#[test]
fn it_finds_every_row() {
    let text = b"\"a, \"\"b\"\"\n\",12,18,x\r\n".repeat(1000);
    for vectors in Vectors::all() {
        let (mut index, mut at, mut fields) = (Index::with(vectors, Format::default()), 0, vec![]);
        while at < text.len() {
            let rows = index.rows(&text, at, &(4..=4), None, 3);
            assert!((1..=3).contains(&rows.len()));
            for row in 0..rows.len() {
                assert_eq!(rows.place(row), at + 21 * row..at + 21 * row + 19);
                assert_eq!(rows.record(row, &mut fields).value(0), &b"a, \"b\"\n"[..]);
            }
            let count = rows.len();
            at += 21 * count;
            assert_eq!(index.pass(count), at);
        }
    }
}

proptest! {
    #[test]
    fn the_rows_are_those_that_are_found_one_by_one(
        pieces in vec(prop_oneof![
            200 => select(b"\"\",,,;\n\n1a #'".as_slice()).prop_map(|byte| vec![byte]),
            3 => select(["\r\n", "\r", "\n#\",\n", "\n \t\n", "1,2\n3,4\n5,6\n"].as_slice()).prop_map(|text| text.as_bytes().to_vec()),
            1 => (1..200usize).prop_map(|length| vec![b'x'; length]),
        ], 0..9000),
        delimiter in select(b",;".as_slice()),
        quote in select([Some(b'"'), Some(b'\''), None].as_slice()),
        comment in select([Some(b'#'), None].as_slice()),
        counts in select([0..=usize::MAX, 2..=2, 1..=1, 2..=usize::MAX].as_slice()),
        limits in vec(1..9usize, 1..20),
    ) {
        let (text, format) = (pieces.concat(), Format { delimiter, quote, comment, ..Format::default() });
        for vectors in Vectors::all() {
            let (mut index, mut fields, mut expected) = (Index::with(vectors, format), vec![], vec![]);
            let (mut at, mut turn) = (0, 0);
            while at < text.len() {
                turn += 1;
                let limit = limits[turn % limits.len()];
                let rows = index.rows(&text, at, &counts, None, limit);
                let count = rows.len();
                prop_assert!(count <= limit);
                for row in 0..count {
                    let mut line = split(&text[at..], format, &mut expected);
                    while let Line::Nothing { length } = line {
                        at += length;
                        line = split(&text[at..], format, &mut expected);
                    }
                    let Line::Row { content, length } = line else { panic!("{vectors:?}: {line:?} at {at}") };
                    prop_assert!(counts.contains(&expected.len()));
                    prop_assert_eq!(rows.place(row), at..at + content);
                    let (whole, text) = (&text, &text[at..at + content]);
                    let record = rows.record(row, &mut fields);
                    prop_assert_eq!(record.text(), text);
                    for (column, field) in expected.iter().enumerate() {
                        let Range { start, end } = field.range();
                        let found = rows.column(column);
                        let mut place = [(0, 0)];
                        found.each(row, &mut place, |place, start, end| *place = (start as usize, end as usize));
                        let [(from, mut to)] = place;
                        to -= usize::from(found.may_have_return() && whole[..to].ends_with(b"\r"));
                        prop_assert_eq!(from..to, at + start..at + end);
                    }
                    prop_assert_eq!(&fields, &expected);
                    at += length;
                }
                let next = index.pass(count);
                while at < next {
                    let line = split(&text[at..], format, &mut expected);
                    let Line::Nothing { length } = line else { panic!("{vectors:?}: {line:?} at {at}") };
                    at += length;
                }
                prop_assert_eq!(at, next);
                if count > 0 || at == text.len() {
                    continue;
                }
                // Only what is no ordinary row is left out.
                let line = split(&text[at..], format, &mut expected);
                let is_ended = |length: usize| text[..at + length].ends_with(b"\n");
                match line {
                    Line::Row { length, .. } => prop_assert!(!counts.contains(&expected.len()) || !is_ended(length), "{:?}", line),
                    Line::Nothing { length } => prop_assert!(!is_ended(length), "{:?}", line),
                    Line::Unclosed { .. } => break,
                    Line::Stray { .. } => {}
                }
                at += line.length().unwrap();
            }
        }
    }
}
