use super::super::{Texts, Validity};
use super::*;

fn results(columns: Vec<Column>) -> Results {
    let rows = columns[0].values.len();
    let mut results = Results { columns: Columns { columns, rows }, rows: rows + 1, bad: vec![] };
    results.push_bad(Some(1), "is odd".into());
    results
}

fn texts(list: &[&str]) -> Column {
    let mut texts = Texts::default();
    list.iter().for_each(|text| texts.push(text.as_bytes()));
    Column { values: Values::Text(texts), validity: None, large: vec![] }
}

#[test]
fn numbers_read_back_and_a_missing_value_is_an_empty_field() {
    let mut validity = Validity::all(4);
    validity.truncate(1);
    validity.push(false);
    validity.extend(2);
    let floats = Values::F64(vec![5.0, 0.1, f64::INFINITY, 1e300]);
    let wholes = Values::I64(vec![i64::MIN, 0, 7, -1]);
    let columns: [_; 2] =
        [(floats, None), (wholes, Some(validity))].map(|(values, validity)| Column { values, validity, large: vec![] });
    let (results, mut room) = (results(columns.into()), [0; 100]);
    let types = [Type::F64, Type::I64];
    let written = results.write(&types, 0..5, Format::default(), &mut room);
    let expected = "5.0,-9223372036854775808\n0.1,\ninf,7\n1e+300,-1\n";
    assert_eq!(std::str::from_utf8(&room[..written.bytes]), Ok(expected));
    assert_eq!((written.outputs, written.field, written.bad.as_deref()), (4, Some(1), Some("is odd")));
    for size in 0..expected.len() {
        let written = results.write(&types, 0..4, Format::default(), &mut room[..size]);
        let lines = expected[..size].matches('\n').count();
        assert_eq!((written.outputs, written.bad), (lines, None));
    }
    assert!(results.write(&[Type::F64], 0..1, Format::default(), &mut room).bad.is_some());
}

#[test]
fn texts_stand_in_quotes_where_they_must() {
    let mut room = [0; 100];
    let mut written = |list: &[&str], format: Format| {
        let results = results(vec![texts(list)]);
        let written = results.write(&[Type::Text], 0..list.len(), format, &mut room);
        (String::from_utf8(room[..written.bytes].to_vec()).unwrap(), written.bad.is_some())
    };
    let quoted = "a b\n\"a,b\"\n\"say \"\"x\"\"\"\n\"\"\n\" \"\n";
    assert_eq!(written(&["a b", "a,b", "say \"x\"", "", " "], Format::default()), (quoted.to_string(), false));
    let comments = Format { comment: Some(b'#'), ..Format::default() };
    assert_eq!(written(&["#a", "a#", ""], comments), ("\"#a\"\na#\n\"\"\n".to_string(), false));
    let tabs = Format { delimiter: b'\t', quote: None, ..Format::default() };
    assert_eq!(written(&["a,b\"", "a\tb"], tabs), ("a,b\"\n".to_string(), true));
}
