use super::*;

fn divisors(digits: &[&str]) -> Divisors {
    let mut divisors = Divisors::default();
    let numbers = digits.iter().map(|digits| Number::parse(digits.as_bytes(), Base::Decimal, 1000).unwrap());
    numbers.for_each(|number| divisors.push([number]));
    divisors
}

#[test]
fn results_that_do_not_fit_are_left() {
    let mut room = [0; 7];
    let written = divisors(&["1", "23", "4", "5"]).write(0..4, Base::Decimal, &mut room);
    assert_eq!((written.outputs, &room), (3, b"1\n23\n4\n"));
    let written = divisors(&["18446744073709551615"]).write(0..1, Base::Decimal, &mut room);
    assert_eq!(written, Written::default());
    assert_eq!(divisors(&[]).write(0..0, Base::Decimal, &mut room), Written::default());
}

#[test]
fn any_range_of_small_and_large_results_is_written() {
    let long = "9".repeat(100);
    let digits = ["7", "18446744073709551616", "8", &long, &long, "0"];
    let divisors = divisors(&digits);
    let mut room = [0; 1000];
    for (start, end) in (0..=6).flat_map(|start| (start..=6).map(move |end| (start, end))) {
        let written = divisors.write(start..end, Base::Decimal, &mut room);
        let lines: String = digits[start..end].iter().map(|digits| format!("{digits}\n")).collect();
        assert_eq!((written.outputs, &room[..written.bytes]), (end - start, lines.as_bytes()));
    }
    let written = divisors.write(0..6, Base::Decimal, &mut room[..30]);
    assert_eq!((written.outputs, &room[..written.bytes]), (3, &b"7\n18446744073709551616\n8\n"[..]));
}

#[test]
fn results_are_written_in_any_base() {
    let divisors = divisors(&["0", "1", "2", "8", "11", "18446744073709551616"]);
    for (base, lines) in [
        (Base::Binary, format!("0\n1\n10\n1000\n1011\n1{}\n", "0".repeat(64))),
        (Base::Octal, format!("0\n1\n2\n10\n13\n2{}\n", "0".repeat(21))),
        (Base::Hexadecimal, format!("0\n1\n2\n8\nb\n1{}\n", "0".repeat(16))),
    ] {
        let mut room = [0; 200];
        let written = divisors.write(0..6, base, &mut room);
        assert_eq!((written.outputs, &room[..written.bytes]), (6, lines.as_bytes()));
    }
}
