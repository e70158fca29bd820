//! Integers in other bases than 10: `--base`.

use crate::common::{pmapgcd, run};
use crate::notations::reads;
use num_bigint::BigUint;
use num_integer::Integer;

#[test]
fn integers_are_read_and_written_in_the_base() {
    let rows = "c,12\n0xC,+0X12\n-0c, 12 \n\"0xc\",\"\t-0000012\"\r\nffffffffffffffff,FFFFFFFFFFFFFFFF\nabc,0\n0x0,0\n";
    reads(&["--base=16"], rows, 0, "6\n6\n6\n6\nffffffffffffffff\nabc\n0\n", "");
    reads(&["--base=8"], "14,22\n0o14,-0O22\n00,0o777\n", 0, "6\n6\n777\n", "");
    reads(&["--base=2"], "1100,10010\n0b1100,+0B10010\n0,1\n", 0, "110\n110\n1\n", "");
    reads(&["--base=10"], "12,18\n", 0, "6\n", "");
    reads(&["--base=16", "--append"], "0xC,12\n", 0, "0xC,12,6\n", "");
    reads(&["--base=16", "-kb,a", "-d;", "--quote='"], "a;b;c\n'c';0x12;x\n", 0, "6\n", "");
    reads(&["--base=16", "-dblank"], " c  0x12 \nff\tff\n", 0, "6\nff\n", "");
    // What base 16 takes for digits is a prefix in base 2.
    reads(&["--base=16"], "0b10,0\n", 0, "b10\n", "");
}

#[test]
fn digits_and_letters_together_name_the_base() {
    let said = |value: &str| run(&mut pmapgcd([""; 0]), format!("12,{value}\n")).stderr;
    let hint = "; integers in base 16 are read with --base 16\n";
    assert_eq!(said("1f"), format!("pmapgcd: stdin:1: field 2 is not an integer: \"1f\"{hint}"));
    assert!(said("face").ends_with("; decimal digits are expected, with or without a sign\n"), "{}", said("face"));
}

#[test]
fn big_integers_are_exact_in_every_base() {
    let mut state = 23u64;
    let mut next = |bits: usize| {
        let mut number = BigUint::ZERO;
        for _ in 0..bits.div_ceil(32) {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            number = (number << 32) + (state >> 32);
        }
        number >> (bits.div_ceil(32) * 32 - bits)
    };
    let bits = [1, 63, 64, 65, 100, 127, 128, 129, 200, 1000, 2048, 4096];
    let mut pairs = vec![];
    for a in bits {
        for b in bits {
            let factor = next(a.min(b) / 2);
            pairs.push([next(a), next(b)]);
            pairs.push([next(a) * &factor, next(b) * &factor]);
        }
    }
    for radix in [2, 8, 10, 16] {
        let text = |number: &BigUint| number.to_str_radix(radix);
        let rows: String = pairs.iter().map(|[a, b]| format!("{},{}\n", text(a), text(b))).collect();
        let results: String = pairs.iter().map(|[a, b]| format!("{}\n", text(&a.gcd(b)))).collect();
        let base = format!("--base={radix}");
        for executor in ["serial", "shared", "pickle"] {
            run(&mut pmapgcd([&*base, "--executor", executor]), &*rows).is(0, &*results, "");
        }
        run(&mut pmapgcd([&*base]), rows.to_uppercase()).is(0, &*results, "");
    }
}

#[test]
fn what_is_no_digit_of_the_base_is_bad() {
    let of = |digits: &str, field: &str| {
        format!(
            "pmapgcd: stdin:1: field 1 is not an integer: \"{field}\"; {digits} digits are expected, with or without "
        )
    };
    for (base, field, said) in [
        ("16", "fg", of("hexadecimal", "fg") + "0x and a sign\n"),
        ("16", "0x", of("hexadecimal", "0x") + "0x and a sign\n"),
        ("16", "1.8", of("hexadecimal", "1.8") + "0x and a sign\n"),
        ("8", "18", of("octal", "18") + "0o and a sign\n"),
        ("2", "12", of("binary", "12") + "0b and a sign\n"),
        ("10", "ff", of("decimal", "ff") + "a sign\n"),
    ] {
        reads(&["--base", base], &format!("{field},1\n"), 1, "", &said);
    }
    for (base, field, other) in [("10", "0x1f", "16"), ("8", "0x1f", "16"), ("16", "0o17", "8"), ("10", "0b1", "2")] {
        let said = format!(
            "pmapgcd: stdin:1: field 1 is not an integer: \"{field}\"; integers in base {other} are read with --base {other}\n"
        );
        reads(&["--base", base], &format!("{field},1\n"), 1, "", &said);
    }
    reads(
        &["--base=16", "--bad-rows=skip"],
        "c,12\nx,1\na,f\n",
        1,
        "6\n5\n",
        "pmapgcd: stdin:2: field 1 is not an integer: \"x\"; hexadecimal digits are expected, with or without 0x and a sign\npmapgcd: 1 bad row\n",
    );
    let said = "pmapgcd: stdin:1: field 2 has 3 digits, more than the 2 that --max-digits allows: \"0x00fff\"\n";
    reads(&["--base=16", "--max-digits=2"], "0xff,0x00fff\n", 1, "", said);
}

#[test]
fn a_text_for_no_value_may_be_of_hexadecimal_digits() {
    reads(&["--base=16", "--na=dead", "--na=NA", "--na="], "c,12\ndead,1\nNA,1\n1,\nDEAD,1\n", 0, "6\n\n\n\n1\n", "");
}

#[test]
fn a_base_goes_with_plain_notation_only() {
    for option in ["--whole-floats", "--thousands=_", "--decimal=,"] {
        let said = "--decimal, --thousands and --whole-floats are for numbers in base 10";
        run(&mut pmapgcd(["--base=16", option]), "1,2\n").is(2, "", &format!("pmapgcd: {said}\n"));
        run(&mut pmapgcd(["--base=10", option, "-d;"]), "1;2\n").is(0, "1\n", "");
    }
    for value in ["", "0", "1", "3", "64", "hex", "0x10"] {
        let finished = run(&mut pmapgcd(["--base", value]), "1,2\n");
        assert!(finished.status.code() == Some(2) && finished.stderr.contains("2, 8, 10, 16"), "{finished:?}");
    }
}
