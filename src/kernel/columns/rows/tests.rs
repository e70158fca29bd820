use super::super::Values;
use super::*;
use crate::csv::index::Index;
use crate::csv::record::{Field, Line, split};

/// Reads `text` up to the first bad row, row by row, and again many rows at a time. Both ways must give the same.
/// Returns the rows, and the message about the bad one.
fn read(types: &str, missing: &[&str], text: &str, format: Format) -> (Typed, Option<String>) {
    let parser = Parser::new(types.parse().unwrap(), missing.iter().map(|text| text.as_bytes().to_vec()).collect());
    let (mut alone, mut at, mut bad, mut fields): (_, _, _, Vec<Field>) = (Typed::default(), 0, None, vec![]);
    while at < text.len() && bad.is_none() {
        let Line::Row { content, length } = split(&text.as_bytes()[at..], format, &mut fields) else { panic!() };
        let record = Record::new(&text.as_bytes()[at..at + content], &fields, None, format);
        bad = parser.read(&record, &mut alone).err().map(|bad| bad.what);
        at += length;
    }
    let (mut together, mut at, mut index, mut is_stopped) = (Typed::default(), 0, Index::new(format), false);
    loop {
        let counts = parser.signature.count().map_or(1..=99, |count| count..=count);
        let found = index.rows(text.as_bytes(), at, &counts, None, 512);
        let (count, read) = (
            found.len(),
            parser.read_rows(&found, &mut together, &mut |_, _| {
                is_stopped = true;
                false
            }),
        );
        if count == 0 || is_stopped {
            break;
        }
        at = index.advance(read);
    }
    together.parts.retain(|part| part.rows > 0);
    assert_eq!(alone.parts, together.parts, "{text:?}");
    (alone, bad)
}

#[test]
fn rows_become_columns() {
    let text = "1,a,2.5\r\n -2 ,\"b, \"\"c\"\"\",NA\r\n,é,-0\r\n";
    let (rows, bad) = read("i64/na,text,f64/na:f64", &["NA"], text, Format::default());
    assert_eq!((rows.len(), bad), (3, None));
    let [a, b, c] = &rows.parts[0].columns[..] else { panic!() };
    assert_eq!((&a.values, a.has(0), a.has(1), a.has(2)), (&Values::I64(vec![1, -2, 0]), true, true, false));
    let Values::Text(texts) = &b.values else { panic!() };
    assert_eq!([texts.get(0), texts.get(1), texts.get(2)], [&b"a"[..], b"b, \"c\"", "é".as_bytes()]);
    assert_eq!((&c.values, c.has(1), c.has(2)), (&Values::F64(vec![2.5, 0.0, -0.0]), false, true));
}

#[test]
fn what_stands_for_no_value_is_none() {
    let (rows, bad) = read("text/na,i64/na:f64", &["NA", "-9"], "a,1\n,-9\nNA,\n\"\",2\n", Format::default());
    let [texts, numbers] = &rows.parts[0].columns[..] else { panic!() };
    let there = |column: &Column| (0..4).map(|at| column.has(at)).collect::<Vec<_>>();
    assert_eq!((there(texts), bad), (vec![true, false, false, false], None));
    assert_eq!(there(numbers), [true, false, false, true]);
}

#[test]
fn rows_of_other_lengths_have_columns_of_their_own() {
    let (rows, bad) = read("i32,f64,...:f64", &[], "1,2\n1,2,3\n4,5,6\n1\n", Format::default());
    let shapes: Vec<_> = rows.parts.iter().map(|part| (part.columns.len(), part.rows)).collect();
    assert_eq!((shapes, bad.as_deref()), (vec![(2, 1), (3, 2)], Some("1 field where 2 or more are needed")));
}

#[test]
fn a_bad_field_ends_the_batch_before_its_row() {
    let good = "7,x\n".repeat(100);
    for (bad, what) in [("8.5,x\n", "field 1 is not an integer: \"8.5\""), ("8,\n", "")] {
        let (rows, said) = read("u32,text:f64", &[], &format!("{good}{bad}{good}"), Format::default());
        let expected = if what.is_empty() { (201, None) } else { (100, Some(what.to_string())) };
        assert_eq!((rows.len(), said), expected);
    }
    let tabs = Format { delimiter: b'\t', quote: None, ..Format::default() };
    assert_eq!(read("text,i64:f64", &[], "\"a\"\t1\n", tabs).0.len(), 1);
}

#[test]
fn half_a_character_is_no_text() {
    let format = Format::default();
    let parser = Parser::new("text,text:text".parse().unwrap(), vec![]);
    let (text, mut index, mut rows) = (b"ab,cd\n\xc3,\xa9\n", Index::new(format), Typed::default());
    let found = index.rows(text, 0, &(2..=2), None, 10);
    assert_eq!((found.len(), parser.read_rows(&found, &mut rows, &mut |_, _| false), rows.len()), (2, 2, 1));
}
