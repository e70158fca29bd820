use super::*;

#[test]
fn integers_are_exact_or_none() {
    let plain = Notation::default();
    assert_eq!(read::<i64>(b"-9223372036854775808", plain), Some(i64::MIN));
    assert_eq!(read::<i64>(b"9223372036854775808", plain), None);
    assert_eq!(read::<u64>(b"+018446744073709551615", plain), Some(u64::MAX));
    assert_eq!((read::<u64>(b"-1", plain), read::<u64>(b"-0", plain)), (None, Some(0)));
    assert_eq!((read::<i32>(b"-2147483648", plain), read::<i32>(b"2147483648", plain)), (Some(i32::MIN), None));
    assert_eq!((read::<u32>(b"4294967295", plain), read::<u32>(b"4294967296", plain)), (Some(u32::MAX), None));
    for text in ["", "+", "1.5", "1.0", "1e3", "0x1", " 1", "1_0"] {
        assert_eq!(read::<i64>(text.as_bytes(), plain), None, "{text}");
    }
    let german = Notation { decimal: ',', thousands: Some('.'), whole_floats: true };
    assert_eq!((read::<i64>(b"-1.234,0", german), read::<u32>(b"1e3", german)), (Some(-1234), Some(1000)));
    assert_eq!((read::<f64>(b"-1.234,5", german), read::<f64>(b"1.234", german)), (Some(-1234.5), Some(1234.0)));
    for text in ["1.23", "12.345,0.5", "1.5e3", ".5"] {
        assert_eq!(read::<f64>(text.as_bytes(), german), None, "{text}");
    }
    assert!(what_is_wrong(b"1.23", Type::F64, german).starts_with("is not a number: "));
    assert!(what_is_wrong(b"1e99999999999", Type::I64, german).starts_with("is out of the range of i64"));
    assert!(!has_plain(Type::F64, german) && has_plain(Type::I64, german));
}

#[test]
fn an_infinity_is_one_where_the_text_says_so() {
    let plain = Notation::default();
    assert_eq!(read::<f64>(b"-inf", plain), Some(f64::NEG_INFINITY));
    assert!(read::<f32>(b"NaN", plain).unwrap().is_nan());
    assert_eq!((read::<f64>(b"1e999", plain), read::<f32>(b"1e39", plain)), (None, None));
    assert_eq!(read::<f64>(b"1e-999", plain), Some(0.0));
    assert_eq!(read::<f64>(&[b'9'; 400], plain), None);
}

#[test]
fn what_is_wrong_is_named() {
    let plain = Notation::default();
    for (text, of, what) in [
        ("9223372036854775808", Type::I64, "is out of the range of i64, -9223372036854775808 to 9223372036854775807: "),
        ("-1", Type::U32, "is out of the range of u32, 0 to 4294967295: \"-1\""),
        ("1.5", Type::I32, "is not an integer: \"1.5\""),
        ("1e999", Type::F64, "is out of the range of f64: \"1e999\""),
        ("x", Type::F32, "is not a number: \"x\""),
        ("", Type::F32, "is empty; a number is expected; if that stands for no value, say so with --na ''"),
        ("NA", Type::F64, "is not a number: \"NA\"; if that stands for no value, say so with --na 'NA'"),
    ] {
        let found = what_is_wrong(text.as_bytes(), of, plain);
        assert!(found.starts_with(what), "{found}");
    }
}

proptest::proptest! {
    #[test]
    fn floats_are_those_of_rusts_parser(text in "[+-]?([0-9]{0,10}[.]?[0-9]{0,12}|[0-9]{0,20})(e[+-]?[0-9]{1,3})?") {
        let bytes = text.as_bytes();
        let is_good = |is_infinite: bool| !is_infinite;
        let double = text.parse::<f64>().ok().filter(|value| is_good(value.is_infinite())).map(f64::to_bits);
        let single = text.parse::<f32>().ok().filter(|value| is_good(value.is_infinite())).map(f32::to_bits);
        let plain = Notation::default();
        proptest::prop_assert_eq!(read::<f64>(bytes, plain).map(f64::to_bits), double);
        proptest::prop_assert_eq!(read::<f32>(bytes, plain).map(f32::to_bits), single);
        let amid = format!("1234567890123456,{text}");
        let (start, end) = (17, amid.len());
        for (text, start, end) in [(amid.as_bytes(), start, end), (bytes, 0, bytes.len())] {
            let (double, single) = (text[start..end].to_vec(), text[start..end].to_vec());
            let bits = |value: Option<f64>| value.map(f64::to_bits);
            proptest::prop_assert_eq!(bits(f64::plain_in(text, start, end)), bits(f64::plain(&double)));
            let bits = |value: Option<f32>| value.map(f32::to_bits);
            proptest::prop_assert_eq!(bits(f32::plain_in(text, start, end)), bits(f32::plain(&single)));
        }
        proptest::prop_assert!(f64::plain(bytes).is_none_or(|value| Some(value.to_bits()) == double));
        proptest::prop_assert!(f32::plain(bytes).is_none_or(|value| Some(value.to_bits()) == single));
    }
}
