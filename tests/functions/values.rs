//! Values of every type, in and out, and rows that are bad.

use super::{GCD, Module};
use proptest::prelude::*;
use std::fmt::Write;
use std::process::Command;

#[test]
fn an_exception_makes_a_bad_row_with_its_type_message_and_line() {
    let module = Module::new(
        "class Odd(Exception):\n    pass\n\
         def half(a: int) -> int:\n    if a % 2:\n        raise Odd(f'{a} is odd')\n    return a // 2\n\
         def quotient(a: int, b: int) -> int:\n    return a // b\n\
         def deep(a: int) -> int:\n    import json\n    return json.loads('[')\n\
         def leave(a: int) -> int:\n    raise SystemExit(7)\n\
         def stop(a: int) -> int:\n    return a if a != 2 else next(iter([]))\n",
    );
    let bad = "pmapgcd: stdin:2: it.Odd: 3 is odd (it.py:5)\n";
    module.always("half", &[], "2\n3\n4\n", 1, "1\n", bad);
    let stderr = bad.to_string() + "pmapgcd: 1 bad row\n";
    module.always("half", &["--bad-rows=skip"], "2\n3\n4\n", 1, "1\n2\n", &stderr);
    module.always("half", &["--bad-rows=blank", "--append"], "2\n3\n4\n", 1, "2,1\n3,\n4,2\n", &stderr);
    let divided = "pmapgcd: stdin:1: ZeroDivisionError: integer division or modulo by zero (it.py:8)\n";
    module.always("quotient", &[], "5,0\n", 1, "", divided);
    module.always("leave", &[], "5\n", 1, "", "pmapgcd: stdin:1: SystemExit: 7 (it.py:13)\n");
    module.always(
        "stop",
        &["--bad-rows=skip"],
        "1\n2\n3\n",
        1,
        "1\n3\n",
        "pmapgcd: stdin:2: StopIteration (in stop, it.py:14)\npmapgcd: 1 bad row\n",
    );
    // The line is one of the function's file, not the one at which the library that it calls has given up.
    let finished = module.map("deep", &[], "5\n");
    assert!(
        finished.stderr.ends_with("(it.py:11)\n") && finished.stderr.contains("JSONDecodeError: "),
        "{}",
        finished.stderr
    );
    let limit = module.map("half", &["--bad-rows=skip", "--max-bad=1"], "1\n3\n5\n");
    assert!(limit.status.code() == Some(1) && limit.stderr.contains("it.py:5"), "{}", limit.stderr);
}

#[test]
fn many_bad_rows_are_told_apart_from_good_ones_and_no_row_is_called_twice() {
    let module = Module::new(
        "calls = []\ndef f(a: int) -> int:\n    calls.append(a)\n    assert calls.count(a) == 1\n    if a % 3 == 0:\n        raise ValueError\n    \
         return a % 7\n",
    );
    let rows: String = (1..=2000).map(|n| format!("{n}\n")).collect();
    let good: String = (1..=2000).map(|n| if n % 3 == 0 { "\n".to_string() } else { format!("{}\n", n % 7) }).collect();
    for executor in super::EXECUTORS {
        let finished = module.map("f", &["-j1", "--executor", executor, "--bad-rows=blank"], &rows);
        assert_eq!(finished.status.code(), Some(1));
        assert!(finished.stderr.ends_with("pmapgcd: 666 bad rows\n"), "{}", finished.stderr);
        assert!(finished.stdout == good.as_bytes(), "{executor}");
    }
}

#[test]
fn why_the_text_of_a_result_cannot_be_made_is_said() {
    let module = Module::new("class B:\n    def __str__(self): raise ValueError(\"why\")\ndef b(a: int): return B()\n");
    let what = "pmapgcd: stdin:1: the function returned a B, whose text cannot be made: ValueError: why\n";
    module.always("b", &[], "1\n", 1, "", what);
}

#[test]
fn what_is_no_value_of_a_type_is_a_bad_row() {
    let module = Module::new(&(GCD.to_string() + "def truth(a: bool) -> str:\n    return str(a)\n"));
    module.always("gcd", &[], "1.5,2\n", 1, "", "pmapgcd: stdin:1: field 1 is not an integer: \"1.5\"\n");
    let what = "pmapgcd: stdin:1: field 1 is empty; an integer is expected; if that stands for no value, say so with --na ''\n";
    module.always("gcd", &["-k2,1"], ",2\n", 1, "", what);
    module.always("truth", &[], "true\nFALSE\n1\n0\n", 0, "True\nFalse\nTrue\nFalse\n", "");
    module.always("truth", &[], "yes\n", 1, "", "pmapgcd: stdin:1: field 1 is not true or false, or 1 or 0: \"yes\"; if the first row is names, say so with --header\n");
    let mut filter = module.filter("gcd", ["--types=text,text:int"]);
    let finished = crate::common::run(&mut filter, b"\xff,1\n".to_vec());
    finished.is(1, "", "pmapgcd: stdin:1: field 1 is not UTF-8: \"\\xff\"\n");
}

#[test]
fn what_a_function_returns_must_be_of_its_type() {
    let module = Module::new(
        "def given(a):\n    return eval(a)\n\
         def whole(a) -> int:\n    return eval(a)\n\
         def real(a) -> float:\n    return eval(a)\n\
         def text(a) -> str:\n    return eval(a)\n\
         def truth(a) -> bool:\n    return eval(a)\n\
         def pair(a) -> tuple[int, str]:\n    return eval(a)\n",
    );
    let good = [
        (
            "given",
            "1 if a else 2\n2.5\nTrue\nNone\n'x'\n10**30\n\"__import__('fractions').Fraction(1, 2)\"\n",
            "1\n2.5\ntrue\n\nx\n1000000000000000000000000000000\n1/2\n",
        ),
        ("whole", "5\nTrue\nNone\n-2**64\n2**63-1\n", "5\n1\n\n-18446744073709551616\n9223372036854775807\n"),
        ("real", "5\n2.5\nfloat('inf')\nNone\n1e300\n", "5.0\n2.5\ninf\n\n1e+300\n"),
        ("truth", "True\n0\nNone\n", "true\nfalse\n\n"),
        ("pair", "\"(1, 'x')\"\nNone\n\"[2, None]\"\n\"(None, 'z')\"\n", "1,x\n,\n2,\n,z\n"),
    ];
    for (function, rows, results) in good {
        module.always(function, &[], rows, 0, results, "");
    }
    for (function, row, what) in [
        ("whole", "1.0", "the function returned 1.0 (float), and int is expected"),
        ("whole", "str(1)", "the function returned '1' (str), and int is expected"),
        ("real", "str(1)", "the function returned '1' (str), and float is expected"),
        (
            "real",
            "-10**400",
            "the function returned -10000000000000000000000000000000000000000000000000000000000…, which is out of the range of f64",
        ),
        ("text", "1", "the function returned 1 (int), and str is expected"),
        (
            "text",
            "'\\ud800'",
            "the function returned a text with half a character in it, which is not UTF-8: '\\ud800'",
        ),
        ("truth", "2", "the function returned 2 (int), and bool is expected"),
        ("pair", "1", "the function returned an int, and 2 values are expected"),
        ("pair", "\"(1, 'x', 2)\"", "the function returned 3 values, and 2 values are expected"),
        (
            "given",
            "\"(1, 2)\"",
            "the function returned 2 values: annotate what it returns, as in -> tuple[int, str], or say so with --types",
        ),
        ("given", "dict()", "the function returned a dict, and a number or a text is expected"),
        ("given", "object()", "the function returned an object, and a number or a text is expected"),
        ("given", "len", "the function returned a builtin_function_or_method, and a number or a text is expected"),
    ] {
        module.always(function, &[], &format!("{row}\n"), 1, "", &format!("pmapgcd: stdin:1: {what}\n"));
    }
    let types = ["--types=text:i32", "--bad-rows=skip"];
    let stderr =
        "pmapgcd: stdin:1: the function returned 2147483648, which is out of the range of i32\npmapgcd: 1 bad row\n";
    module.always("given", &types, "2147483648\n-2147483648\n", 1, "-2147483648\n", stderr);
    let types = ["--types=text:f32", "--bad-rows=skip"];
    let stderr =
        "pmapgcd: stdin:1: the function returned 1e+300, which is out of the range of f32\npmapgcd: 1 bad row\n";
    module.always("given", &types, "1e300\n0.1\nfloat('-inf')\n", 1, "0.1\n-inf\n", stderr);
}

/// Other than rows that are no rows of numbers, for which these hints are.
#[test]
fn a_row_that_was_read_is_not_said_to_be_of_another_format() {
    let module = Module::new("import json\ndef f(a): return json.loads(a)['a']\ndef g(a): raise ValueError('no')\n");
    let json = "{\"a\": 1}\n{\"b\": 1}\n";
    let whole = ["-d", "\t", "--quote", "none", "--bad-rows=skip"];
    module.always("f", &whole, json, 1, "1\n", "pmapgcd: stdin:2: KeyError: 'a' (it.py:2)\npmapgcd: 1 bad row\n");
    for row in ["{\"a\": 1}", "10**400", "x;y"] {
        let finished = module.map("g", &whole[..4], &format!("{row}\n"));
        finished.is(1, "", "pmapgcd: stdin:1: ValueError: no (it.py:3)\n");
    }
}

#[test]
fn what_is_printed_without_a_line_end_is_not_lost() {
    let module = Module::new("def f(a: int) -> int:\n    print(a, end='')\n    return a\n");
    // The end of a block ends the line.
    module.map("f", &["-j1"], "5\n").is(0, "5\n", "5\n");
}

#[test]
fn a_tuple_may_have_one_value() {
    let module = Module::new(
        "from typing import NamedTuple\nclass One(NamedTuple):\n    a: int\n\
         def one(x: int) -> One: return One(x)\n\
         def single(x: int) -> tuple[int]: return (x,) if x else x\n\
         def columns(x: list[int]) -> tuple[list[int]]: return (x,)\n",
    );
    module.always("one", &["--append"], "5\n6\n", 0, "5,5\n6,6\n", "");
    module.always("single", &[], "5\n6\n", 0, "5\n6\n", "");
    module.always(
        "single",
        &[],
        "0\n",
        1,
        "",
        "pmapgcd: stdin:1: the function returned an int, and 1 value is expected\n",
    );
    module.always("columns", &["--python-batch"], "5\n6\n", 0, "5\n6\n", "");
}

#[test]
fn a_function_may_start_processes_of_its_own() {
    let module = Module::new(
        "import multiprocessing\n\
         def double(a): return 2 * a\n\
         def f(a: int, how: str) -> int:\n    \
         with multiprocessing.get_context(how).Pool(1) as pool:\n        return pool.apply_async(double, [a]).get(60)\n",
    );
    let finished = module.map("f", &["-j2"], "1,spawn\n2,forkserver\n3,fork\n");
    finished.is(0, "2\n4\n6\n", "");
}

#[test]
fn a_list_that_is_used_for_all_results_has_each_of_them() {
    let module = Module::new(
        "buffer = [None, None]\n\
         def both(a: int):\n    if a == 4: raise ValueError('four')\n    buffer[:] = a, a * a\n    return buffer\n\
         class Cell(list):\n    def __index__(self): return self[0]\n    def copy(self): return Cell(self)\n\
         cell = Cell([0])\n\
         def one(a: int) -> int:\n    cell[0] = -a\n    return cell\n",
    );
    let stderr = "pmapgcd: stdin:4: ValueError: four (it.py:3)\npmapgcd: 1 bad row\n";
    let types = ["--types=int:int,int", "--bad-rows=skip"];
    module.always("both", &types, "1\n2\n3\n4\n5\n", 1, "1,1\n2,4\n3,9\n5,25\n", stderr);
    module.always("one", &[], "1\n2\n3\n", 0, "-1\n-2\n-3\n", "");
}

/// Maps every row with a function that returns what it is given, by `--python` and by plain `map` in Python itself.
const SAME: &str = "
import csv, sys
def same(*values): return values if len(values) > 1 else values[0]
if __name__ == '__main__':
    kinds = sys.argv[1].split(',')
    of = {'int': int, 'f64': float, 'text': str, 'bool': lambda text: text == 'true', 'i64': int}
    shown = {'int': str, 'f64': repr, 'text': str, 'bool': lambda value: str(value).lower(), 'i64': str}
    for row in csv.reader(sys.stdin):
        values = same(*[None if text == '' and kind.endswith('/na') else of[kind.split('/')[0]](text) for kind, text in zip(kinds, row)])
        csv.writer(sys.stdout, lineterminator='\\n').writerow(
            ['' if value is None else shown[kind.split('/')[0]](value) for kind, value in zip(kinds, values if type(values) is tuple else (values,))])
";

/// A value of a type, as a field.
fn value(kind: &'static str) -> BoxedStrategy<String> {
    let quoted = |text: String| format!("\"{}\"", text.replace('"', "\"\""));
    match kind.trim_end_matches("/na") {
        "int" => prop_oneof!["-?[1-9][0-9]{0,18}", "-?[1-9][0-9]{18,60}", Just("0".to_string())].boxed(),
        "i64" => any::<i64>().prop_map(|value| value.to_string()).boxed(),
        "f64" => any::<i32>().prop_map(|value| format!("{:?}", f64::from(value) / 8.0)).boxed(),
        "bool" => any::<bool>().prop_map(|value| value.to_string()).boxed(),
        _ => prop_oneof!["[a-z][a-z ,é€\n]{0,12}", "[\\x00-\\x1f]{1,40}".prop_map(|text| text.replace('\r', "") + ".")]
            .prop_map(quoted)
            .boxed(),
    }
}

const KINDS: [&str; 7] = ["int", "int/na", "f64", "text", "text/na", "bool", "i64/na"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn values_of_every_type_are_those_of_plain_map(
        (kinds, rows) in proptest::collection::vec(0..KINDS.len(), 1..4).prop_flat_map(|kinds| {
            let kinds: Vec<&str> = kinds.into_iter().map(|at| KINDS[at]).collect();
            let field = |kind: &&'static str| match kind.ends_with("/na") {
                true => prop_oneof![1 => Just(String::new()), 3 => value(kind)].boxed(),
                false => value(kind),
            };
            let row = kinds.iter().map(field).collect::<Vec<_>>();
            (Just(kinds), proptest::collection::vec(row, 1..60))
        })
    ) {
        // A lone empty field is a blank line, which is no row here.
        prop_assume!(kinds.len() > 1 || rows.iter().all(|row| !row[0].is_empty()));
        let module = Module::new(SAME);
        let mut text = String::new();
        rows.iter().for_each(|row| writeln!(text, "{}", row.join(",")).unwrap());
        let types: Vec<&str> = kinds.iter().map(|kind| kind.trim_end_matches("/na")).collect();
        let mut judge = Command::new("python3");
        judge.arg(module.path().join("it.py")).arg(kinds.join(",")).env("PYTHONUTF8", "1");
        let expected = crate::common::run(&mut judge, &*text);
        prop_assert_eq!(&expected.stderr, "");
        let types = format!("--types={}:{}", kinds.join(","), types.join(","));
        let found = module.map("same", &[&types, "-j1", "--executor=serial"], &text);
        prop_assert_eq!(&found.stderr, "");
        let rows = |bytes: &[u8]| {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
            reader.records().map(|row| row.unwrap().iter().map(String::from).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        prop_assert_eq!(rows(&found.stdout), rows(&expected.stdout));
    }
}
