use super::*;
use proptest::prelude::{Strategy, any, prop_oneof};

const FLOATS: Notation = Notation { decimal: '.', thousands: None, whole_floats: true };

fn integer(text: &str, notation: Notation) -> Result<String, NoInteger> {
    notation.integer(text.as_bytes(), 30).map(|digits| String::from_utf8(digits.into_owned()).unwrap())
}

fn plain(text: &str, notation: Notation) -> String {
    String::from_utf8(notation.plain(text.as_bytes()).into_owned()).unwrap()
}

#[test]
fn whole_floats_are_integers() {
    for (text, digits) in [
        ("1920.0", "1920"),
        ("1e+05", "100000"),
        ("1E5", "100000"),
        ("-1.5e3", "1500"),
        ("12.340e2", "1234"),
        ("1200e-2", "12"),
        ("+7.", "7"),
        (".0", ""),
        ("0e99999999999999999999", ""),
        ("0.0e-99999999999999999999", ""),
        ("00012.000", "12"),
    ] {
        assert_eq!(integer(text, FLOATS).as_deref(), Ok(digits), "{text}");
        assert_eq!(integer(text, Notation::default()), Err(NoInteger::Float), "{text}");
    }
    for text in ["12.5", "1e-1", "1.25e1", "120e-99999999999999999999", "1e-9223372036854775808"] {
        assert_eq!(integer(text, FLOATS), Err(NoInteger::Fraction), "{text}");
    }
    for (text, digits) in [("1e30", 31), ("1.0e99", 100), ("1e9223372036854775807", 1 + (1 << 60))] {
        assert_eq!(integer(text, FLOATS), Err(NoInteger::TooLong(digits)), "{text}");
    }
    for text in
        ["", ".", "-", "e5", "1e", "1e+", "1e5.0", "1.2.3", "1,5", "0x10", "1e5e5", "1 ", "nan", "inf", "--1", "1e 5"]
    {
        assert_eq!(integer(text, FLOATS), Err(NoInteger::NoNumber), "{text}");
    }
}

#[test]
fn thousands_are_marked_everywhere_or_nowhere() {
    for mark in [',', '.', '\'', ' ', '\u{202f}', '_'] {
        let decimal = if mark == ',' { '.' } else { ',' };
        let notation = Notation { decimal, thousands: Some(mark), whole_floats: true };
        for good in ["1", "12", "1234", "1,234", "12,345,678", "123,456"] {
            let text = good.replace(',', &mark.to_string());
            assert_eq!(integer(&text, notation), Ok(good.replace(',', "")), "{text}");
            assert_eq!(integer(&format!("-{text}{decimal}00"), notation), Ok(good.replace(',', "")), "{text}");
        }
        for bad in ["1,2", "1,23", "1,2345", "1234,567", ",123", "1,,234", "123,", "1,234,56", "1,-234", ","] {
            let text = bad.replace(',', &mark.to_string());
            assert_eq!(integer(&text, notation), Err(NoInteger::NoNumber), "{text}");
        }
    }
}

#[test]
fn numbers_are_rewritten_plainly_and_other_texts_are_left() {
    let german = Notation { decimal: ',', thousands: Some('.'), whole_floats: false };
    for (text, expected) in [
        ("1.234,5", "1234.5"),
        ("-,5", "-0.5"),
        ("5,", "5"),
        ("1,5e3", "1.5e3"),
        ("1.5", "1.5"),
        ("a,b", "a,b"),
        ("", ""),
    ] {
        assert_eq!(plain(text, german), expected);
    }
    for (text, expected) in
        [("1920.0", "1920"), ("-1e+05", "-100000"), ("0.50", "0.50"), ("1e300", "1e300"), ("x", "x")]
    {
        assert_eq!(plain(text, FLOATS), expected);
    }
    assert_eq!(plain("1920.0", Notation::default()), "1920.0");
}

#[test]
fn hints_name_the_option_that_helps() {
    for (text, expected) in [
        ("1920.0", Some("--whole-floats")),
        ("12.5", None),
        ("1,234", Some("--thousands ','")),
        ("1.234.567", Some("--thousands '.' --decimal ','")),
        ("1'234", Some("--thousands \"'\"")),
        ("NA", Some("--na 'NA'")),
        ("\\N", Some("--na '\\N'")),
        ("x", None),
    ] {
        let found = hint(text.as_bytes(), Notation::default());
        assert!(
            found.as_deref().map(|found| found.ends_with(expected.unwrap_or("?"))).unwrap_or(expected.is_none()),
            "{text} {found:?}"
        );
    }
}

proptest::proptest! {
    /// The rule is Python's: a text is a whole number if its `Decimal` is whole.
    #[test]
    fn a_whole_number_is_read_however_it_is_written(
        number in any::<u64>(),
        zeros in 0usize..6,
        shift in 0usize..25,
        upper in any::<bool>(),
        group in any::<bool>(),
    ) {
        let digits = number.to_string();
        // The point is moved to the left by `shift` digits, and the exponent moves it back.
        let padded = format!("{}{digits}", "0".repeat((shift + 1).saturating_sub(digits.len())));
        let (whole, fraction) = padded.split_at(padded.len() - shift);
        let whole = if group { grouped(whole) } else { whole.to_string() };
        let e = if upper { 'E' } else { 'e' };
        let text = format!("{whole},{fraction}{}{e}{shift}", "0".repeat(zeros));
        let notation = Notation { decimal: ',', thousands: Some('.'), whole_floats: true };
        let expected = digits.trim_start_matches('0').to_string();
        proptest::prop_assert_eq!(integer(&text, notation), Ok(expected), "{}", text);
    }

    /// The judge is `str::parse`, which reads such texts as Python's `float` does.
    #[test]
    fn what_is_no_number_to_the_standard_library_is_none_here(
        text in proptest::collection::vec(prop_oneof![4 => "[0-9]", 1 => "[-+.eE]"], 0..9).prop_map(|parts| parts.concat()),
    ) {
        let is_number = text.parse::<f64>().is_ok();
        let found = integer(&text, FLOATS);
        proptest::prop_assert_eq!(found != Err(NoInteger::NoNumber), is_number, "{} {:?}", text, found);
        if is_number {
            let (rewritten, value) = (plain(&text, FLOATS), text.parse::<f64>().unwrap());
            proptest::prop_assert_eq!(rewritten.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{} {}", text, rewritten);
        }
    }
}

fn grouped(digits: &str) -> String {
    let first = (digits.len() + 2) % 3 + 1;
    let (first, rest) = digits.split_at(first.min(digits.len()));
    let rest: String = rest.as_bytes().chunks(3).map(|group| format!(".{}", str::from_utf8(group).unwrap())).collect();
    first.to_string() + &rest
}
