use super::*;
use crate::csv::Format;
use crate::csv::record::{Field, split};

fn row_in<R: DeserializeOwned>(text: &[u8], format: Format) -> Result<R, String> {
    let mut fields: Vec<Field> = vec![];
    split(text, format, &mut fields);
    let record = Record::new(text, &fields, None, format);
    read(&record, false).map_err(|unfit| unfit.described(&record, None).what)
}

fn row<R: DeserializeOwned>(text: &[u8]) -> Result<R, String> {
    row_in(text, Format::default())
}

#[test]
fn fields_are_read_without_quotes_and_blanks() {
    assert_eq!(row(b"1.5, 2"), Ok((1.5, 2.0)));
    assert_eq!(row(b"\" -3\",\t4e2 "), Ok((-3.0, 400.0)));
    assert_eq!(row(b"\"a, \"\"b\"\"\",c"), Ok(("a, \"b\"".to_string(), 'c')));
    assert_eq!(row(b"-128,255,true,"), Ok((i8::MIN, u8::MAX, true, None::<f64>)));
    assert_eq!(row(b"1,2,3"), Ok((1u8, vec![2.0, 3.0])));
    let wide = (i128::MIN, u128::MAX);
    assert_eq!(row(format!("{},{}", wide.0, wide.1).as_bytes()), Ok(wide));
}

#[test]
fn numbers_in_another_notation_are_read_as_those_they_are() {
    let notation = Notation { decimal: ',', thousands: Some('.'), whole_floats: true };
    let format = Format { delimiter: b';', notation, ..Format::default() };
    let text = b"1.234,5; -7,0;1e3;a,b;1.234";
    let expected = (1234.5, -7, 1000, "a,b".to_string(), "1.234".to_string());
    assert_eq!(row_in::<(f64, i32, u16, String, String)>(text, format), Ok(expected));
    let wrong = row_in::<f64>(b"1.5", format).unwrap_err();
    assert!(wrong.starts_with("field 1 is not a number: \"1.5\""), "{wrong}");
    assert!(row_in::<i8>(b"1.5", format).is_err());
}

#[test]
fn what_is_wrong_is_named() {
    for (wrong, what) in [
        (row::<(f64, f64)>(b"5,x").err(), "field 2 is not a number: \"x\""),
        (row::<(u32, u32)>(b"1").err(), "1 field where more are needed: \"1\""),
        (row::<(u32, u32)>(b"1,2,3").err(), "3 fields where 2 are expected: \"1,2,3\""),
        (row::<(u32, String)>(b"3,\xff").err(), "field 2 is not UTF-8: \"\\xff\""),
        (row::<u8>(b"256").err(), "field 1 is out of the range of u8, 0 to 255: \"256\""),
        (row::<(u8, i128)>(b"1,x").err(), "field 2 is not an integer: \"x\""),
        (row::<bool>(b"1").err(), "field 1 is not true or false: \"1\""),
        (row::<char>(b"ab").err(), "field 1 is not one character: \"ab\""),
        (row::<std::num::NonZeroU32>(b"0").err(), "field 1: invalid value: integer `0`, expected a nonzero u32: \"0\""),
        (row::<(u8, std::net::Ipv4Addr)>(b"1,x").err(), "field 2: invalid IPv4 address syntax: \"x\""),
    ] {
        let wrong = wrong.unwrap();
        assert!(wrong.starts_with(what), "{wrong} is not {what}");
    }
}
