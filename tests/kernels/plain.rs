//! Plain C functions of numbers: integers and floats in any order, as many as there are registers for.

use crate::building::made;
use crate::{always, folder, mapped};

/// Twenty functions: how C calls them, the types that `--types` is given, a row, and the result.
const FUNCTIONS: [(&str, &str, &str, &str); 20] = [
    ("double f(void *a) { return (double)(size_t)a; }", "u64:f64", "7", "7.0"),
    ("int f(int a) { return -a; }", "i32:i32", "2147483647", "-2147483647"),
    ("unsigned f(unsigned a) { return a + 1; }", "u32:u32", "4294967294", "4294967295"),
    ("long f(long a) { return a - 1; }", "i64:i64", "-9223372036854775807", "-9223372036854775808"),
    ("uint64_t f(uint64_t a) { return ~a; }", "u64:u64", "0", "18446744073709551615"),
    ("float f(float a) { return a / 3; }", "f32:f32", "1", "0.33333334"),
    ("double f(double a) { return a / 3; }", "f64:f64", "1", "0.3333333333333333"),
    ("double f(float a, double b) { return a - b; }", "f32,f64:f64", "0.5,0.25", "0.25"),
    ("int f(double a, int b) { return (int)a * b; }", "f64,i32:i32", "2.5,-21", "-42"),
    ("int f(int a, double b) { return (int)b - a; }", "i32,f64:i32", "2,44.5", "42"),
    (
        "float f(int a, float b, long c, float d) { return a + b * c - d; }",
        "i32,f32,i64,f32:f32",
        "1,2.5,4,0.5",
        "10.5",
    ),
    (
        "long f(int a, int b, int c, int d, int e, int f) { return a + 10L * b + 100 * c + 1000 * d + 10000 * e - f; }",
        "i32,i32,i32,i32,i32,i32:i64",
        "1,2,3,4,5,-1",
        "54322",
    ),
    (
        "uint64_t f(uint64_t a, uint32_t b, int64_t c, int32_t d, uint64_t e, uint32_t f) { return a ^ b ^ c ^ d ^ e ^ f; }",
        "u64,u32,i64,i32,u64,u32:u64",
        "1,2,-1,-1,4,8",
        "15",
    ),
    (
        "double f(double a, double b, double c, double d, double e, double f, double g, double h) { return a + b * 2 + c * 4 + d * 8 + e * 16 + f * 32 + g * 64 + h * 128; }",
        "f64,f64,f64,f64,f64,f64,f64,f64:f64",
        "1,1,1,1,1,1,1,1",
        "255.0",
    ),
    (
        "float f(float a, float b, float c, float d, float e, float f, float g, float h) { return a - b + c - d + e - f + g - h; }",
        "f32,f32,f32,f32,f32,f32,f32,f32:f32",
        "8,7,6,5,4,3,2,1",
        "4.0",
    ),
    (
        "double f(double a, int b, double c, int d, double e, int f, double g, int h, double i, int j, double k, int l, double m, double n) { return a + b + c + d + e + f + g + h + i + j + k + l + m * n; }",
        "f64,i32,f64,i32,f64,i32,f64,i32,f64,i32,f64,i32,f64,f64:f64",
        "1,2,3,4,5,6,7,8,9,10,11,12,13,14",
        "260.0",
    ),
    (
        "int64_t f(int32_t a, uint32_t b) { return (int64_t)a * b; }",
        "i32,u32:i64",
        "-2147483648,4294967295",
        "-9223372034707292160",
    ),
    ("double f(double a, double b) { return a / b; }", "f64,f64:f64", "1,0", "inf"),
    ("double f(double a) { return a; }", "f64:f64", "nan", "NaN"),
    ("unsigned f(float a) { return (unsigned)a; }", "f32:u32", "3e9", "3000000000"),
];

#[test]
fn twenty_functions_are_called_with_what_they_take() {
    let declared =
        |(number, (text, ..)): (usize, &(&str, &str, &str, &str))| text.replacen(" f(", &format!(" f{number}("), 1);
    let text: String = FUNCTIONS.iter().enumerate().map(|function| declared(function) + "\n").collect();
    let library = made("twenty", &("#include <stdint.h>\n#include <stddef.h>\n".to_string() + &text));
    for (number, (text, types, row, result)) in FUNCTIONS.iter().enumerate() {
        let kernel = format!("{library}:f{number}");
        let finished = mapped(&kernel, &["--types", types, "--executor=serial"], &format!("{row}\n{row}\n"));
        assert_eq!((finished.stderr.as_str(), finished.status.code()), ("", Some(0)), "{text}");
        assert_eq!(String::from_utf8(finished.stdout).unwrap(), format!("{result}\n{result}\n"), "{text}");
    }
    let (_, types, row, result) = FUNCTIONS[15];
    let input = format!("{row}\n").repeat(2000);
    always(&format!("{library}:f15"), &["--types", types], &input, 0, &format!("{result}\n").repeat(2000), "");
}

#[test]
fn functions_of_libm_need_no_library() {
    let types = ["--types", "f64,f64:f64"];
    always("hypot", &types, "3,4\n\"5\", 12\r\n", 0, "5.0\n13.0\n", "");
    always("pow", &[&types[..], &["-k2,1", "--append"]].concat(), "2,10\n3,1.5\n", 0, "2,10,100.0\n3,1.5,3.375\n", "");
    always("hypot", &[&types[..], &["--na=NA", "-d;", "--decimal=,"]].concat(), "0,3;0,4\nNA;1\n", 0, "0.5\n\n", "");
    always(
        "abs",
        &["--types", "i32:i32"],
        "-5\n2147483648\n",
        1,
        "5\n",
        "pmapgcd: stdin:2: field 1 is out of the range of i32, -2147483648 to 2147483647: \"2147483648\"\n",
    );
}

#[test]
fn numbers_are_exact_or_loud() {
    let identity = made("same", "long f(long a) { return a; }\ndouble g(double a) { return a; }\n");
    let (whole, float) = (identity.clone() + ":f", identity + ":g");
    for (bad, what) in [
        (
            "9223372036854775808",
            "is out of the range of i64, -9223372036854775808 to 9223372036854775807: \"9223372036854775808\"",
        ),
        ("1.5", "is not an integer: \"1.5\""),
        ("", "is empty; an integer is expected; if that stands for no value, say so with --na ''"),
        ("NA", "is not an integer: \"NA\"; if that stands for no value, say so with --na 'NA'"),
    ] {
        let row = if bad.is_empty() { "\"\"" } else { bad };
        let finished = mapped(&whole, &["--types=i64:i64"], &format!("-9223372036854775808\n{row}\n"));
        finished.is(1, "-9223372036854775808\n", &format!("pmapgcd: stdin:2: field 1 {what}\n"));
    }
    let infinite = "pmapgcd: stdin:3: field 1 is out of the range of f64: \"1e309\"\n";
    mapped(&float, &["--types=f64:f64"], "1e308\n-inf\n1e309\n").is(1, "1e+308\n-inf\n", infinite);
    let floats = ["0.1", "1e23", "5e-324", "1.7976931348623157e308", "-0.0", "9007199254740993", "123456789.125"];
    let finished = mapped(&float, &["--types=f64:f64"], &(floats.join("\n") + "\n"));
    let found = String::from_utf8(finished.stdout).unwrap();
    for (text, printed) in floats.iter().zip(found.lines()) {
        assert_eq!(
            text.parse::<f64>().unwrap().to_bits(),
            printed.parse::<f64>().unwrap().to_bits(),
            "{text} {printed}"
        );
        assert!(printed.len() <= text.len() + 2, "{text} {printed}");
    }
    assert_eq!(found.lines().count(), floats.len());
    assert!(folder().join("libsame.so").exists());
}

#[test]
fn a_child_that_a_kernel_has_forked_maps_no_rows() {
    let forks = "#include <unistd.h>\nlong forks(long n) { if (n != 3) return n; pid_t child = fork(); if (child == 0) return 77; \
                 usleep(100000); return n; }\n";
    let kernel = made("forks", forks) + ":forks";
    always(&kernel, &["--types=i64:i64"], "1\n2\n3\n4\n", 0, "1\n2\n3\n4\n", "");
}
