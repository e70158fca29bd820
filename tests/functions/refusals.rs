//! What cannot be mapped is refused before rows are read, with what to do.

use super::{GCD, Module};
use crate::common::{pmapgcd, run};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[track_caller]
fn refused(module: &Module, target: &str, arguments: &[&str], what: &str) {
    // In `serial` the first Python is the worker; the others start one to ask, and do so alike.
    for executor in ["serial", "shared"] {
        let mut filter = pmapgcd(["--python", target, "--executor", executor]);
        filter.args(arguments).current_dir(module.path());
        run(&mut filter, "1,2\n").is(2, "", &format!("pmapgcd: --python: {what}\n"));
    }
}

#[test]
fn what_cannot_be_imported_is_told_once() {
    let module = Module::new(GCD);
    refused(&module, "no.py:f", &[], "there is no file no.py");
    refused(&module, "it.py:gdc", &[], "there is no function gdc in it.py; did you mean gcd?");
    refused(&module, "it.py:zzz", &[], "there is no function zzz in it.py; it has gcd");
    refused(&module, "nothing:f", &[], "cannot import nothing: ModuleNotFoundError: No module named 'nothing'");
    refused(&module, "it.py:math", &[], "it.py:math is no function, but of type module");
    let write = |name: &str, text: &str| fs::write(module.path().join(name), text).unwrap();
    write("broken.py", "def f(:\n");
    refused(&module, "broken.py:f", &[], "cannot import broken.py: SyntaxError: invalid syntax (broken.py, line 1)");
    write("raises.py", "\nx = 1 / 0\n");
    let what = "cannot import raises.py: ZeroDivisionError: division by zero (raises.py:2)";
    refused(&module, "raises.py:f", &[], what);
    write("leaves.py", "import os\nos._exit(5)\n");
    refused(&module, "leaves.py:f", &[], "leaves.py:f: python3 exited with status 5 while it imported it");
    write("exits.py", "raise SystemExit('no')\n");
    refused(&module, "exits.py:f", &[], "cannot import exits.py: SystemExit: no (exits.py:1)");
}

#[test]
fn a_worker_that_cannot_import_ends_the_run_with_one_message() {
    let module = Module::new(
        "import os\nif os.path.exists('second'): raise OSError('only once')\nopen('second', 'w').close()\ndef f(a): return a\n",
    );
    let finished = module.map("f", &["-j2"], "1\n2\n");
    finished.is(2, "", "pmapgcd: --python: cannot import it.py: OSError: only once (it.py:2)\n");
}

#[test]
fn functions_that_cannot_be_called_are_told_why() {
    let module = Module::new(
        "import decimal, functools\n\
         def named(a, *, b): return a\n\
         async def later(a): return a\n\
         def many(a):\n    yield a\n\
         def money(a: decimal.Decimal) -> int: return a\n\
         def gives(a) -> decimal.Decimal: return a\n\
         def none(a) -> None: return a\n\
         def empty(): return 1\n\
         def defaults(a=1, b=2): return a\n\
         def columns(a: list[float]) -> int: return a\n\
         def gives_column(a) -> list[int]: return a\n\
         def two(a, b): return a\n\
         def unknown(a: 'Nope'): return a\n\
         def arrays(a: decimal.Decimal): return a\n",
    );
    let cases = [
        ("named", "it.py:named needs b by name, and columns are given by their places"),
        ("later", "it.py:later is a generator or a coroutine, and a function that returns its result is expected"),
        ("many", "it.py:many is a generator or a coroutine, and a function that returns its result is expected"),
        (
            "money",
            "it.py:money takes a: Decimal, and int, float, str, bool and X | None are known; --types says otherwise",
        ),
        (
            "gives",
            "it.py:gives returns Decimal: int, float, str, bool and tuples of these are known; --types says otherwise",
        ),
        ("none", "it.py:none returns None, and a result is expected"),
        ("empty", "it.py:empty takes no column"),
        ("defaults", "it.py:defaults takes no column, as all that it takes has defaults: -k chooses columns for it"),
        (
            "columns",
            "it.py:columns takes a: list[float], and is called for each row; with --python-batch it is called with columns",
        ),
        (
            "gives_column",
            "it.py:gives_column returns list[int], and is called for each row; with --python-batch it is called with columns",
        ),
        (
            "unknown",
            "it.py:unknown has annotations that cannot be read (NameError: name 'Nope' is not defined); say its types with --types",
        ),
    ];
    for (function, what) in cases {
        refused(&module, &format!("it.py:{function}"), &[], what);
    }
    refused(&module, "it.py:two", &["-k1"], "it.py:two takes 2 columns, and -k chooses 1");
    // Types that are given count.
    module.always("unknown", &["--types=int:int"], "5\n", 0, "5\n", "");
    module.always("money", &["--types=text:text"], "5\n", 0, "5\n", "");
    refused(&module, "it.py:two", &["--types=int:int"], "it.py:two takes 2 columns, and --types has 1");
    refused(&module, "it.py:two", &["--types=int,int,int:int"], "it.py:two takes 2 columns, and --types has 3");
    refused(
        &module,
        "it.py:defaults",
        &["--types=int,int,int:int"],
        "it.py:defaults takes 0 to 2 columns, and --types has 3",
    );
    refused(
        &module,
        "it.py:named",
        &["--types=int:int"],
        "it.py:named needs b by name, and columns are given by their places",
    );
    module.always("two", &["--types=int,...:int"], "5,6\n", 0, "5\n", "");
    let hint = "what it takes is text, as it has no annotations: --types int,int:int says otherwise";
    let finished = run(&mut pmapgcd(["--python", "math:gcd"]), "12,18\n");
    assert!(finished.stderr.ends_with(&format!("; {hint}\n")), "{}", finished.stderr);
}

#[test]
fn the_hint_at_types_is_for_functions_without_them_and_fits_their_columns() {
    let module = Module::new(
        "import functools\n\
         def known(a: str) -> str: return a + 1\n\
         def bare(a): return a + 1\n\
         class Called:\n    size: int = 1\n    def __call__(self, a: int) -> int: return a + 1\n\
         called = Called()\n\
         def sum(a: int, b: int) -> int: return a + b\nnext = functools.partial(sum, 1)\n",
    );
    let error = |function: &str| module.map(function, &[], "5\n").stderr;
    let what = "pmapgcd: stdin:1: TypeError: can only concatenate str (not \"int\") to str";
    assert_eq!(error("known"), format!("{what} (it.py:2)\n"));
    let hint = "what it takes is text, as it has no annotations: --types int:int says otherwise";
    assert_eq!(error("bare"), format!("{what} (it.py:3); {hint}\n"));
    module.always("called", &[], "5\n", 0, "6\n", "");
    module.always("next", &[], "5\n", 0, "6\n", "");
}

#[test]
fn options_that_do_not_suit_are_refused() {
    let module = Module::new(GCD);
    let say = |arguments: &[&str]| {
        let finished = run(pmapgcd(arguments).current_dir(module.path()), "12,18\n");
        assert_eq!(finished.status.code(), Some(2), "{arguments:?}");
        finished.stderr
    };
    for target in ["python3.12", "it.py:", ":gcd", ""] {
        let expected = format!(
            "pmapgcd: --python {target}: FILE:FUNCTION or MODULE:FUNCTION is expected, as builtins:len is; the interpreter is chosen by PMAPGCD_PYTHON\n"
        );
        assert_eq!(say(&["--python", target]), expected);
    }
    let gcd = "--python=it.py:gcd";
    assert!(say(&[gcd, "--executor=pickle"]).contains("--executor pickle is for functions of this program"));
    assert!(say(&[gcd, "--chunk-size=2"]).contains("--chunk-size is for --executor pickle"));
    assert!(say(&[gcd, "--kernel-args=x"]).contains("cannot be used with"));
    assert!(say(&[gcd, "--algorithm=euclid"]).contains("--algorithm is for the kernel gcd"));
    assert!(say(&[gcd, "--kernel=hypot"]).contains("cannot be used with"));
    assert!(say(&[gcd, "-c", "cat"]).contains("cannot be used with"));
    assert!(say(&["--python-batch"]).contains("--python"));
    assert!(say(&["--types=int:int"]).contains("--kernel"));
    let native = say(&["--kernel=hypot", "--types=int,int:int"]);
    assert!(native.contains("int is for --python; i32 or i64 is meant"), "{native}");
}

#[test]
fn what_cannot_be_pickled_is_not_compared() {
    let module = Module::new("f = lambda a: a\ndef outer():\n    def g(a): return a\n    return g\ng = outer()\n");
    for function in ["f", "g"] {
        let finished = module.map(function, &["--compare"], "1\n");
        let what = format!(
            "pmapgcd: --python it.py:{function}: it cannot be pickled, so process pools cannot be compared with: "
        );
        assert_eq!((finished.status.code(), finished.stderr.lines().count()), (Some(2), 1), "{}", finished.stderr);
        assert!(finished.stderr.starts_with(&what), "{}", finished.stderr);
    }
}

#[test]
fn the_interpreter_can_be_chosen() {
    let module = Module::new(GCD);
    let with = |name: &str, value: &str| {
        let mut filter = module.filter("gcd", []);
        filter.env_remove("VIRTUAL_ENV").env(name, value);
        run(&mut filter, "12,18\n")
    };
    let hint = "PMAPGCD_PYTHON says which interpreter to use";
    let stderr = format!("pmapgcd: --python: cannot start /nowhere/python: No such file or directory; {hint}\n");
    with("PMAPGCD_PYTHON", "/nowhere/python").is(2, "", &stderr);
    let stderr = format!("pmapgcd: --python: true exited with status 0, before it had greeted; {hint}\n");
    with("PMAPGCD_PYTHON", "true").is(2, "", &stderr);
    // One that says which it is.
    let wrapper = |path: &str| {
        let path = module.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "#!/bin/sh\necho wrapped >&2\nexec python3 \"$@\"\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_string()
    };
    let once_and_in_the_worker = "wrapped\nwrapped\n";
    with("PMAPGCD_PYTHON", &wrapper("mine")).is(0, "6\n", once_and_in_the_worker);
    wrapper("venv/bin/python3");
    with("VIRTUAL_ENV", module.path().join("venv").to_str().unwrap()).is(0, "6\n", once_and_in_the_worker);
    // An environment that is gone: `--describe` says which interpreter is used.
    with("VIRTUAL_ENV", "/nowhere").is(0, "6\n", "");
    let mut filter = module.filter("gcd", ["--describe"]);
    filter.env_remove("PMAPGCD_PYTHON").env("VIRTUAL_ENV", "/nowhere");
    run(&mut filter, "").is(0, super::describe("gcd: int,int:int"), "");
}

#[test]
fn libraries_are_told_of_one_thread_unless_told_otherwise() {
    let module = Module::new("import os\ndef f(a): return os.environ.get(a)\n");
    let mut filter = module.filter("f", []);
    let names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"];
    for name in names {
        filter.env_remove(name);
    }
    filter.env("MKL_NUM_THREADS", "3");
    run(&mut filter, names.join("\n")).is(0, "1\n1\n3\n", "");
}
