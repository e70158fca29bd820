use super::*;
use crate::csv::index::Index;
use crate::csv::record::{Field, Line, split};
use crate::kernel::Function;
use crate::work::pickles;

/// Pickles as the executor `pickle` does.
pub fn pickle(value: &impl Serialize, bytes: &mut Vec<u8>) {
    pickles::pickle("value", value, bytes).unwrap();
}

/// Does the opposite of [`pickle`].
pub fn unpickle<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> T {
    pickles::unpickle_untrusted("value", bytes).unwrap()
}

/// Reads all of `text` row by row, and again many rows at a time; both ways must give the same rows, also after
/// pickling. Returns the rows, and how many of them the second way did not read alone.
fn rows<R: Row + PartialEq + std::fmt::Debug + Clone>(text: &str, format: Format) -> (Vec<R>, usize) {
    let kernel = Function(|_: &R| 0u8);
    let (mut alone, mut at, mut fields): (_, _, Vec<Field>) = (Rows::<R>::default(), 0, vec![]);
    let (mut together, mut index, mut others) = (Rows::<R>::default(), Index::new(format), 0);
    while at < text.len() {
        let Line::Row { content, length } = split(&text.as_bytes()[at..], format, &mut fields) else { panic!() };
        let record = Record::new(&text.as_bytes()[at..at + content], &fields, None, format);
        kernel.read(&record, &mut alone).unwrap_or_else(|bad| panic!("{bad:?}"));
        at += length;
    }
    at = 0;
    while at < text.len() {
        let counts = kernel.fields().map_or(1..=99, |count| count..=count);
        let found = index.rows(text.as_bytes(), at, &counts, None, 512);
        assert!(!found.is_empty(), "{text:?} at {at}");
        let read = kernel.read_rows(&found, &mut together, &mut |row, rows| {
            others += 1;
            kernel.try_read(&found.record(row, &mut fields), rows)
        });
        at = index.advance(read);
    }
    assert_eq!(alone.list, together.list);
    let mut bytes = vec![];
    pickle(&alone, &mut bytes);
    assert_eq!(unpickle::<Rows<R>>(&bytes).list, alone.list);
    let read = alone.list.len() - others;
    (alone.list, read)
}

#[test]
fn rows_are_the_same_alone_and_together() {
    let plain = Format::default();
    let many = "1.5,2\n-3,4e2\n 5 ,\"6\"\n".repeat(70);
    let (list, read) = rows::<(f64, f64)>(&many, plain);
    assert_eq!((list.len(), list[1], read), (210, (-3.0, 400.0), 210));
    assert_eq!(rows::<[i64; 2]>("1,2\n-3,+4\n", plain), (vec![[1, 2], [-3, 4]], 2));
    assert_eq!(rows::<f32>("0.1\n1e38\n", plain), (vec![0.1, 1e38], 2));
    assert_eq!(rows::<(u32, Option<f64>)>("1,\n2,3\n", plain), (vec![(1, None), (2, Some(3.0))], 2));
    let row = ("a,b".to_string(), 'c', true, 7u8, i128::MIN, u128::MAX, None::<u8>);
    let text = format!("\"a,b\",c,true,7,{},{},\n", row.4, row.5);
    assert_eq!(rows(&text, plain), (vec![row], 0));
    assert_eq!(rows::<Vec<u64>>("1,2\n3\n", plain), (vec![vec![1, 2], vec![3]], 0));
    let one = std::num::NonZeroU64::new(1).unwrap();
    assert_eq!(rows::<(std::num::NonZeroU64, u64)>("1,0\n", plain), (vec![(one, 0)], 1));
}

#[test]
fn a_notation_counts_for_rows_of_floats_too() {
    let notation = crate::csv::notation::Notation { decimal: ',', ..Default::default() };
    let german = Format { delimiter: b';', notation, ..Format::default() };
    assert_eq!(rows::<(f64, i64)>("1,5;2\n-3;4\n", german).0, [(1.5, 2), (-3.0, 4)]);
    let (kernel, mut batch) = (Function(|_: &(f64, i64)| 0u8), Rows::default());
    let (text, mut index, mut fields) = (b"1.5;2\n", Index::new(german), vec![]);
    let found = index.rows(text, 0, &(2..=2), None, 512);
    let read =
        kernel.read_rows(&found, &mut batch, &mut |row, rows| kernel.try_read(&found.record(row, &mut fields), rows));
    assert_eq!((read, batch.list.len()), (1, 0));
}

#[test]
fn a_kernel_tells_what_it_takes() {
    #[derive(serde::Serialize, serde::Deserialize, Clone)]
    struct Place {
        #[serde(alias = "latitude")]
        lat: f64,
        lon: Option<f64>,
    }
    let kernel = Function(|place: Place| (place.lat, place.lon));
    assert_eq!((kernel.fields(), kernel.takes(), BatchKernel::width(&kernel)), (Some(2), Some(2), Some(2)));
    assert_eq!(kernel.column_names(), [vec!["lat", "latitude"], vec!["lon"]]);
    assert_eq!((kernel.takes_missing(0), kernel.takes_missing(1)), (false, true));
    assert_eq!(kernel.result_names(), ["result1", "result2"]);
    let named = kernel.clone().names(["a", "b"]).columns(["x", "y"]).ignoring_rest();
    assert_eq!((named.fields(), named.takes(), named.result_names()), (None, Some(2), vec!["a".into(), "b".into()]));
    assert_eq!(named.column_names(), [vec!["x"], vec!["y"]]);
    assert!(kernel.columns(["x"]).check().is_err());
    assert!(Function(|_: &std::collections::BTreeMap<String, f64>| 0u8).check().is_err());
}
