use super::*;
use serde::Deserialize;

fn names<R: DeserializeOwned>() -> Vec<Vec<&'static str>> {
    Layout::of::<R>().names()
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Place {
    #[serde(alias = "latitude", alias = "a_lat")]
    lat: f64,
    #[serde(rename = "lon", alias = "longitude")]
    east: Option<f64>,
    #[serde(skip)]
    seen: u32,
    day: std::net::IpAddr,
}

#[test]
fn a_struct_has_the_names_of_its_fields_and_their_aliases() {
    let layout = Layout::of::<Place>();
    assert_eq!(layout.count(), Some(3));
    assert_eq!(layout.names(), [vec!["lat", "a_lat", "latitude"], vec!["lon", "longitude"], vec!["day"]]);
    assert_eq!((layout.fields[0].number, layout.fields[1].number), (Some(Type::F64), Some(Type::F64)));
    assert_eq!(layout.fields.iter().map(|field| field.may_lack).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(layout.numbers(), None);
}

#[test]
fn tuples_and_what_is_in_them_are_counted() {
    assert_eq!(Layout::of::<(f64, f64)>().numbers(), Some(vec![(Type::F64, false); 2]));
    assert_eq!(Layout::of::<[u32; 3]>().numbers(), Some(vec![(Type::U32, false); 3]));
    assert_eq!(Layout::of::<u64>().count(), Some(1));
    assert_eq!(Layout::of::<(u8, (char, [i64; 2]), Option<String>)>().count(), Some(5));
    assert_eq!(Layout::of::<std::num::NonZeroU64>().numbers(), Some(vec![(Type::U64, false)]));
    assert_eq!(Layout::of::<Vec<f64>>().count(), None);
    assert_eq!(Layout::of::<(u8, Vec<f64>)>().count(), None);
    assert!(Layout::of::<std::collections::BTreeMap<String, f64>>().refused.is_some());
    assert_eq!(names::<(f64, f64)>(), Vec::<Vec<&str>>::new());
}
