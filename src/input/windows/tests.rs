use super::*;
use crate::csv::lines;
use crate::csv::record::split;
use proptest::collection::vec;
use proptest::sample::select;
use std::fs::File;
use std::io::Write;

fn file(text: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text).unwrap();
    file
}

/// Returns the ends of all whole rows of the text, found row by row with [`split`], in one sequential pass.
fn ends(text: &[u8], format: Format) -> Vec<usize> {
    let mut ends = vec![];
    let mut at = 0;
    while at < text.len() {
        match split(&text[at..], format, &mut vec![]).length() {
            Some(length) if text[..at + length].ends_with(b"\n") => at += length,
            _ => break,
        }
        ends.push(at);
    }
    ends
}

proptest::proptest! {
    /// Windows of any sizes together have the rows that one sequential pass finds, if each is told where the rows
    /// of the previous one end. This holds whether or not their rows were guessed first.
    #[test]
    fn the_chain_cuts_a_file_as_one_pass_does(
        text in vec(select(b"\"\"\",,,,,\n\n\n1#\r \t".as_slice()), 0..400),
        windows in vec((1..64usize, proptest::bool::ANY, proptest::bool::ANY), 1..40),
        most in 16..64usize,
        delimiter in select(b",\t".as_slice()),
        quote in select([Some(b'"'), None].as_slice()),
        comment in select([Some(b'#'), None].as_slice()),
    ) {
        let format = Format { delimiter, quote, comment, ..Format::default() };
        let ends = ends(&text, format);
        let file = file(&text);
        let mut reader = Windows::new(Cutter { format, most }, file.as_fd());
        let (mut offset, mut start) = (0, 0);
        for (length, reads, guesses) in windows.into_iter().cycle() {
            reader.begin(offset as u64, length);
            if reads {
                reader.read().unwrap();
            }
            if guesses {
                reader.guess();
            }
            let expected = match start >= offset + length {
                true => Some(start),
                false => ends.iter().position(|&end| end >= offset + length).and_then(|last| {
                    let (mut begins, rows) = (std::iter::once(&0).chain(&ends), &ends[..=last]);
                    let is_short = |&end: &usize| end - begins.next().unwrap() <= most || end <= start;
                    rows.iter().all(is_short).then_some(ends[last])
                }),
            };
            let found = reader.end_of_rows(start - offset).unwrap();
            proptest::prop_assert_eq!(found.map(|end| offset + end), expected, "at {} from {}", offset, start);
            let Some(end) = found else { break };
            let rows = start - offset..end;
            if let Some(scan) = reader.listed(&rows) {
                proptest::prop_assert_eq!(scan.line_feeds(rows.len()), Some(lines(&text[start..offset + end])));
            }
            proptest::prop_assert_eq!(reader.rows(&rows).unwrap(), &text[start..offset + end]);
            // Another worker takes up the rest.
            let rest = rows.start + rows.len() / 2..rows.end;
            reader.begin(offset as u64, length);
            proptest::prop_assert_eq!(reader.rows(&rest).unwrap(), &text[offset + rest.start..offset + rest.end]);
            (offset, start) = (offset + length, offset + end);
        }
    }
}

#[test]
fn rows_with_quotes_are_scanned_once() {
    let file = file(&b"\"a\",1,2\n".repeat(30));
    let mut windows = Windows::new(Cutter { format: Format::default(), most: 100 }, file.as_fd());
    for (offset, guesses) in [(0, false), (90, true)] {
        windows.begin(offset, 90);
        windows.read().unwrap();
        if guesses {
            windows.guess();
        }
        let rows = 0..windows.end_of_rows(0).unwrap().unwrap();
        assert!(windows.listed(&rows).is_some());
        assert!(windows.listed(&rows).is_none(), "the lists are taken away once");
    }
}

#[test]
fn a_row_that_is_far_longer_than_a_window_makes_windows_without_rows() {
    let text = [&b"1,2\n\""[..], &[b'\n'; 20_000], b"\",1\n3,4\n"].concat();
    let file = file(&text);
    let mut windows = Windows::new(Cutter { format: Format::default(), most: 30_000 }, file.as_fd());
    windows.begin(0, 100);
    windows.read().unwrap();
    assert_eq!(windows.end_of_rows(0).unwrap(), Some(text.len() - 4));
    windows.begin(100, 100);
    windows.read().unwrap();
    windows.guess();
    let start = text.len() - 104;
    assert_eq!(windows.end_of_rows(start).unwrap(), Some(start));
    assert_eq!(windows.rows(&(start..start)).unwrap(), b"");
    let mut windows = Windows::new(Cutter { most: 19_999, ..windows.cutter }, file.as_fd());
    windows.begin(0, 100);
    assert_eq!(windows.end_of_rows(0).unwrap(), None, "the row is too long");
}

#[test]
fn a_file_that_has_become_shorter_gives_no_rows_that_are_not_there() {
    let file = file(b"1,2\n3,4\n5,6\n7,8\n");
    let mut windows = Windows::new(Cutter { format: Format::default(), most: 100 }, file.as_fd());
    file.set_len(6).unwrap();
    windows.begin(4, 8);
    windows.read().unwrap();
    assert_eq!(windows.end_of_rows(0).unwrap(), None);
    assert_eq!(windows.rows(&(0..8)).unwrap_err().to_string(), "it has become shorter while it was read");
    assert_eq!(windows.rows(&(0..2)).unwrap(), b"3,");
}
