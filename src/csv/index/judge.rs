//! Checks the index against `split`, which finds rows one by one. Tests and fuzzers use it.

use super::Index;
use crate::csv::record::{Line, split};
use crate::csv::scan::Scan;
use crate::csv::{Format, lines};
use crate::vectors::Vectors;
use std::ops::{Range, RangeInclusive};

/// Checks that the index finds the rows of `text`, and leaves out only what is not an ordinary row. Each request is for
/// as many rows as the next of `limits` allows. In a first round the index lists the text itself. In a second round the
/// index is given the lists.
pub fn judge(vectors: Vectors, format: Format, text: &[u8], counts: &RangeInclusive<usize>, limits: &[usize]) {
    let mut index = Index::with(vectors, format);
    rows(&mut index, vectors, format, text, counts, limits);
    let mut scan = Scan::with(vectors, format);
    scan.list(text, text.len());
    index.take(&mut scan);
    assert_eq!(index.line_feeds(text.len()), Some(lines(text)));
    rows(&mut index, vectors, format, text, counts, limits);
}

fn rows(
    index: &mut Index,
    vectors: Vectors,
    format: Format,
    text: &[u8],
    counts: &RangeInclusive<usize>,
    limits: &[usize],
) {
    let (mut fields, mut expected, mut at, mut turn) = (vec![], vec![], 0, 0);
    while at < text.len() {
        turn += 1;
        let limit = limits[turn % limits.len()];
        let rows = index.rows(text, at, counts, None, limit);
        let count = rows.len();
        assert!(count <= limit);
        for row in 0..count {
            let mut line = split(&text[at..], format, &mut expected);
            while let Line::Nothing { length } = line {
                at += length;
                line = split(&text[at..], format, &mut expected);
            }
            let Line::Row { content, length } = line else { panic!("{vectors:?}: {line:?} at {at}") };
            assert!(counts.contains(&expected.len()));
            assert_eq!(rows.place(row), at..at + content);
            let (whole, text) = (text, &text[at..at + content]);
            let record = rows.record(row, &mut fields);
            assert_eq!(record.text(), text);
            for (column, field) in expected.iter().enumerate() {
                let Range { start, end } = field.range();
                let found = rows.column(column);
                let mut place = [(0, 0)];
                found.each(row, &mut place, |place, start, end| *place = (start as usize, end as usize));
                let [(from, mut to)] = place;
                to -= usize::from(found.may_have_return() && whole[..to].ends_with(b"\r"));
                assert_eq!(from..to, at + start..at + end);
            }
            assert_eq!(&fields, &expected);
            at += length;
        }
        let next = index.advance(count);
        while at < next {
            let line = split(&text[at..], format, &mut expected);
            let Line::Nothing { length } = line else { panic!("{vectors:?}: {line:?} at {at}") };
            at += length;
        }
        assert_eq!(at, next);
        if count > 0 || at == text.len() {
            continue;
        }
        // Only what is not an ordinary row may be left out.
        let line = split(&text[at..], format, &mut expected);
        let is_ended = |length: usize| text[..at + length].ends_with(b"\n");
        match line {
            Line::Row { length, .. } => assert!(!counts.contains(&expected.len()) || !is_ended(length), "{:?}", line),
            Line::Nothing { length } => assert!(!is_ended(length), "{:?}", line),
            Line::Unclosed { .. } => break,
            Line::Stray { .. } => {}
        }
        at += line.length().unwrap();
    }
    assert!(index.line_feeds(at).is_none_or(|count| count == lines(&text[..at])));
}
