use super::judge::judge;
use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

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
            assert_eq!(index.advance(count), at);
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
            judge(vectors, format, &text, &counts, &limits);
        }
    }
}
