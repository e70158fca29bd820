//! `--python`: functions of Python, mapped over rows.

#[path = "functions/columns.rs"]
mod columns;
mod common;
#[path = "functions/deaths.rs"]
mod deaths;
#[path = "functions/refusals.rs"]
mod refusals;
#[path = "functions/values.rs"]
mod values;

use common::{Finished, pmapgcd, run};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const EXECUTORS: [&str; 3] = ["serial", "threads", "shared"];

/// All interpreters that the machine has, each by one of its names.
fn pythons() -> Vec<String> {
    let versions = (9..=14).map(|minor| format!("python3.{minor}"));
    let all =
        ["python3".to_string()].into_iter().chain(versions).chain(["python3.13t", "python3.14t"].map(String::from));
    let mut seen = std::collections::HashSet::new();
    let path = "import os, sys; print(os.path.realpath(sys.executable))";
    all.filter(|name| {
        let done = Command::new(name).args(["-c", path]).output();
        done.is_ok_and(|done| done.status.success() && seen.insert(done.stdout))
    })
    .collect()
}

/// Whether `python3` has numpy.
fn has_numpy() -> bool {
    let has = Command::new("python3").args(["-c", "import numpy"]).output().is_ok_and(|done| done.status.success());
    if !has {
        println!("skipped: python3 has no numpy");
    }
    has
}

/// A folder with a module in it.
struct Module(TempDir);

impl Module {
    fn new(source: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("it.py"), source).unwrap();
        Module(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The filter with the function, in the folder of the module.
    fn filter<'a>(&self, function: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut filter = pmapgcd(["--python", &format!("it.py:{function}")]);
        filter.args(arguments).current_dir(self.path());
        filter
    }

    fn map(&self, function: &str, arguments: &[&str], stdin: &str) -> Finished {
        run(&mut self.filter(function, arguments.iter().copied()), stdin)
    }

    /// Checks that the function gives these results, whatever the executor and the size of blocks. Rows that are one block of either
    /// size are given to one worker of each executor, once, since starting a Python takes longer than all that it does here.
    #[track_caller]
    fn always(&self, function: &str, arguments: &[&str], stdin: &str, status: i32, stdout: &str, stderr: &str) {
        for (executor, size) in EXECUTORS.into_iter().flat_map(|executor| [(executor, "100"), (executor, "512K")]) {
            let is_one_block = stdin.len() <= 100;
            if is_one_block && (size == "100") == (executor == "threads") {
                continue;
            }
            let jobs = if is_one_block { "-j1" } else { "-j2" };
            let way = [jobs, "--executor", executor, "--block-size", size];
            self.map(function, &[&way, arguments].concat(), stdin).is(status, stdout, stderr);
        }
    }
}

const GCD: &str = "import math\ndef gcd(a: int, b: int) -> int:\n    return math.gcd(a, b)\n";

#[test]
fn a_function_maps_as_the_stock_kernel_does() {
    let rows: Vec<String> = (0..3000u64).map(|n| format!("{},{}\n", n * 7919 % 5000, n * 104729 % 7000)).collect();
    let odd = "\"12\", 18 \n-18446744073709551616,+36893488147419103232\r\n00000000000000000000012,-0\n";
    let input = rows.concat() + odd;
    let expected = String::from_utf8(run(&mut pmapgcd(["-j2"]), input.clone()).stdout).unwrap();
    assert_eq!(expected.lines().count(), 3003);
    Module::new(GCD).always("gcd", &[], &input, 0, &expected, "");
}

#[test]
fn every_python_of_the_machine_does() {
    let module = Module::new(GCD);
    for python in pythons() {
        println!("{python}");
        let mut filter = module.filter("gcd", ["-j2"]);
        let rows = "12,18\n340282366920938463463374607431768211456,6\n";
        run(filter.env("PMAPGCD_PYTHON", &python), rows).is(0, "6\n2\n", "");
    }
}

#[test]
fn names_columns_and_results_are_those_of_the_function() {
    let module = Module::new(
        "from typing import NamedTuple, Optional\n\
         class Sides(NamedTuple):\n    area: float\n    is_square: bool\n\
         def sides(a: float, b: float) -> Sides:\n    return Sides(a * b, a == b)\n\
         def twice(name, count: 'int | None' = None) -> 'tuple[str, int]':\n    return name * 2, count\n\
         def longest(*words: str) -> str:\n    return max(words, key=len)\n\
         def maybe(a: Optional[int]) -> Optional[int]:\n    return a\n",
    );
    let rows = "name,a,b\nx,2,3.5\n\"y, z\",2,2\n";
    let appended = "name,a,b,area,is_square\nx,2,3.5,7.0,false\n\"y, z\",2,2,4.0,true\n";
    module.always("sides", &["--append", "-k", "a,b"], rows, 0, appended, "");
    let named = "name,a,b,x,y\nx,2,3.5,7.0,false\n\"y, z\",2,2,4.0,true\n";
    module.always("sides", &["--append=x,y", "-k", "a,b"], rows, 0, named, "");
    // It takes as many columns as are chosen, and as it needs otherwise.
    module.always("twice", &["--header", "-k", "name"], rows, 0, "xx,\n\"y, zy, z\",\n", "");
    module.always("twice", &["--header", "-k", "name,a"], rows, 0, "xx,2\n\"y, zy, z\",2\n", "");
    module.always("longest", &[], "a,bcd,ef\nx,y\n", 0, "bcd\nx\n", "");
    module.always("maybe", &["--na", "NA"], "1\nNA\n\"\"\n-5\n", 0, "1\n\n\n-5\n", "");
    module.map("sides", &["--describe"], "").is(0, describe("sides: f64,f64:f64,bool, results area,is_square"), "");
    module.map("twice", &["--describe", "-k1,2"], "").is(
        0,
        describe("twice: text,int/na:text,int, results twice_1,twice_2"),
        "",
    );
}

fn describe(what: &str) -> String {
    let version = "import platform, sys; print(f'{platform.python_version()} ({sys.executable})')";
    let version = Command::new("python3").args(["-c", version]).output().unwrap().stdout;
    format!("{what}, Python {}", String::from_utf8(version).unwrap())
}

/// Modules of the standard library that are needed for a hint, an annotation in quotes, an object that is called.
#[test]
fn modules_of_the_users_are_not_taken_for_those_of_python_nor_replaced_by_them() {
    let module = Module::new(
        "from __future__ import annotations\nimport inspect, difflib\n\
         def f(x: int) -> str:\n    return inspect.WORD + difflib.WORD\n\
         class Called:\n    def __call__(self, x: str):\n        import token, dis\n        \
         return ' '.join([inspect.WORD, token.WORD, dis.WORD])\ncalled = Called()\n",
    );
    for name in ["inspect", "difflib", "typing", "enum", "token", "dis", "linecache", "re"] {
        std::fs::write(module.path().join(format!("{name}.py")), format!("WORD = '{name}'\n")).unwrap();
    }
    for python in pythons() {
        let map = |function: &str| run(module.filter(function, []).env("PMAPGCD_PYTHON", &python), "5\n");
        map("f").is(0, "inspectdifflib\n", "");
        map("called").is(0, "inspect token dis\n", "");
        let missing = "pmapgcd: --python: there is no function caled in it.py; did you mean called?\n";
        map("caled").is(2, "", missing);
    }
}

#[test]
fn annotations_may_be_text() {
    let module = Module::new(
        "from __future__ import annotations\nfrom typing import NamedTuple, Optional\n\
         class Both(NamedTuple):\n    a: int\n    b: Optional[float]\n\
         def both(x: int) -> Both:\n    return Both(x, None)\n",
    );
    std::fs::write(
        module.path().join("parts.py"),
        "from typing import Optional\ndef f(x: Optional['int']) -> int:\n    return x\n",
    )
    .unwrap();
    for python in pythons() {
        run(module.filter("both", []).env("PMAPGCD_PYTHON", &python), "5\n").is(0, "5,\n", "");
        let mut parts = pmapgcd(["--python", "parts.py:f"]);
        run(parts.current_dir(module.path()).env("PMAPGCD_PYTHON", &python), "5\n").is(0, "5\n", "");
    }
}

/// Any number of further columns may be none.
#[test]
fn further_columns_may_be_none() {
    let module = Module::new(
        "def f(a: int, s: str = '-', *r: str) -> str:\n    return f'{a!r} {s!r} {r!r}'\n\
         def g(x: int, *y: bool) -> str:\n    return f'{x!r} {y!r}'\n",
    );
    let rows = "a,s,t\n5,6,7\n";
    let k = ["--header", "-k"];
    module.always("f", &[&k[..], &["a,s"]].concat(), rows, 0, "5 '6' ()\n", "");
    module.always("f", &[&k[..], &["a"]].concat(), rows, 0, "5 '-' ()\n", "");
    module.always("f", &[&k[..], &["a,s,t,s"]].concat(), rows, 0, "\"5 '6' ('7', '6')\"\n", "");
    module.always(
        "f",
        &[],
        "1\n1,2\n1,2,3\n1,2,3,4\n",
        0,
        "1 '-' ()\n1 '2' ()\n\"1 '2' ('3',)\"\n\"1 '2' ('3', '4')\"\n",
        "",
    );
    module.always("g", &[], "1\n2\n", 0, "1 ()\n2 ()\n", "");
    module.always("g", &[], "1,true\n2\n", 0, "\"1 (True,)\"\n2 ()\n", "");
    module.map("g", &["--describe"], "").is(0, describe("g: int,bool,...:text"), "");
}

#[test]
fn modules_are_found_as_python_finds_them() {
    let module = Module::new("import beside\ndef f(a):\n    return beside.WORD + a\n");
    std::fs::write(module.path().join("beside.py"), "WORD = 'b'\n").unwrap();
    // A module of the user's with the name of one that is needed to start.
    std::fs::write(module.path().join("array.py"), "raise SystemExit('the wrong array')\n").unwrap();
    std::fs::write(module.path().join("struct.py"), "raise SystemExit('the wrong struct')\n").unwrap();
    std::fs::create_dir(module.path().join("package")).unwrap();
    std::fs::write(module.path().join("package/__init__.py"), "").unwrap();
    std::fs::write(
        module.path().join("package/inner.py"),
        "from . import __name__ as N\nclass C:\n    @staticmethod\n    def f(a): return N + a\n",
    )
    .unwrap();
    module.map("f", &[], "x\n").is(0, "bx\n", "");
    let path = module.path().join("it.py").to_str().unwrap().to_string();
    run(&mut pmapgcd(["--python", &format!("{path}:f")]), "x\n").is(0, "bx\n", "");
    for (target, expected) in [("it:f", "bx\n"), ("package.inner:C.f", "packagex\n"), ("builtins:str.upper", "X\n")] {
        run(pmapgcd(["--python", target]).current_dir(module.path()), "x\n").is(0, expected, "");
    }
}

#[test]
fn what_a_function_prints_is_no_result_and_standard_input_is_not_its_own() {
    let module = Module::new(
        "import os, sys\nprint('imported')\ndef f(a: int) -> int:\n    print('called')\n    os.system('echo shell')\n    \
         assert sys.stdin.read() == ''\n    return a\n",
    );
    for executor in EXECUTORS {
        let finished = module.map("f", &["-j1", "--executor", executor], "7\n");
        assert_eq!((finished.status.code(), &*finished.stdout), (Some(0), &b"7\n"[..]), "{}", finished.stderr);
        // It is imported once to learn its types, and once by the worker.
        let imports = if executor == "serial" { 1 } else { 2 };
        assert_eq!(finished.stderr, "imported\n".repeat(imports) + "called\nshell\n");
    }
}
