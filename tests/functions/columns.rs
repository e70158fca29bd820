//! `--python-batch`: functions that are called with columns.

use super::{Module, has_numpy};
use std::fmt::Write;

#[test]
fn a_function_of_columns_is_given_views_and_may_return_any_sequence() {
    let module = Module::new(
        "from array import array\n\
         def views(a: list[float], b: list[int], c: list[str], d: list[bool]) -> tuple[str, str]:\n    \
         assert type(a) is memoryview and a.format == 'd' and type(c) is list and d.format == '?'\n    \
         return [repr(x) for x in zip(a, b)], [repr(x) for x in zip(c, d)]\n\
         def arrays(a: list[float]) -> float:\n    return array('d', [x * 2 for x in a])\n\
         def itself(a: list[int]) -> list[int]:\n    return a\n\
         def narrow(a: list[int]) -> float:\n    return array('f', a)\n\
         def lazy(a: list[int]) -> int:\n    return (x + 1 for x in a)\n\
         def lacking(a, b):\n    return [f'{x!r} {y!r}' for x, y in zip(a, b)]\n",
    );
    let batch = "--python-batch";
    module.always("views", &[batch], "1.5,2,x,true\n", 0, "\"(1.5, 2)\",\"('x', True)\"\n", "");
    module.always("arrays", &[batch], "1.5\n-2\n", 0, "3.0\n-4.0\n", "");
    module.always("itself", &[batch], "5\n-2\n36893488147419103232\n", 0, "5\n-2\n36893488147419103232\n", "");
    module.always("narrow", &[batch], "5\n", 0, "5.0\n", "");
    module.always("lazy", &[batch], "5\n6\n", 0, "6\n7\n", "");
    let types = [batch, "--types=i64/na,f64/na:text"];
    module.always("lacking", &types, "1,2\n,3\n4,\n", 0, "1 2.0\nNone 3.0\n4 nan\n", "");
}

#[test]
fn a_bad_row_among_many_is_found_by_halves() {
    let module = Module::new("def f(a: list[int]) -> list[int]:\n    return [60 // x for x in a]\n");
    let rows: String = (0..500).map(|n| format!("{}\n", if n % 100 == 50 { 0 } else { 7 })).collect();
    let finished = module.map("f", &["--python-batch", "--bad-rows=blank", "-j2"], &rows);
    assert_eq!(finished.status.code(), Some(1));
    let expected: String = (0..500).map(|n| if n % 100 == 50 { "\n" } else { "8\n" }).collect();
    assert!(finished.stdout == expected.as_bytes());
    let first = "pmapgcd: stdin:51: ZeroDivisionError: integer division or modulo by zero (it.py:2)\n";
    assert!(
        finished.stderr.starts_with(first) && finished.stderr.ends_with("pmapgcd: 5 bad rows\n"),
        "{}",
        finished.stderr
    );
}

#[test]
fn what_a_call_does_to_its_columns_is_undone_if_it_fails() {
    let module = Module::new(
        "def views(a: list[int], b: list[str], c: list[bool]) -> list[str]:\n    \
         for i in range(len(a)):\n        a[i] += 1\n        b[i] += '!'\n        c[i] = not c[i]\n    \
         if 3 in list(a): raise ValueError('three')\n    return [repr(row) for row in zip(a, b, c)]\n",
    );
    let rows = "10,a,true\n1,b,true\n2,c,true\n4,d,true\n5,e,false\n6,f,false\n7,g,false\n";
    let expected = rows.lines().filter(|row| !row.starts_with('2')).map(|row| {
        let fields: Vec<&str> = row.split(',').collect();
        let number = fields[0].parse::<i32>().unwrap() + 1;
        format!("\"({number}, '{}!', {})\"\n", fields[1], if fields[2] == "true" { "False" } else { "True" })
    });
    let skip = ["--python-batch", "--bad-rows=skip"];
    let stderr = |line: u32| format!("pmapgcd: stdin:3: ValueError: three (it.py:{line})\npmapgcd: 1 bad row\n");
    module.always("views", &skip, rows, 1, &expected.collect::<String>(), &stderr(6));
    if has_numpy() {
        let module = Module::new(
            "import numpy as np\n\
             def f(x, y):\n    x += 1\n    np.sqrt(y, out=y)\n    if (x == 3).any(): raise ValueError('three')\n    return x, y\n",
        );
        let types = [&skip[..], &["--types=i64,f64:i64,f64"]].concat();
        let rows = "10,4\n1,9\n2,16\n4,25\n5,36\n6,49\n7,64\n";
        module.always("f", &types, rows, 1, "11,2.0\n2,3.0\n5,5.0\n6,6.0\n7,7.0\n8,8.0\n", &stderr(5));
    }
}

#[test]
fn what_is_no_column_of_results_is_told() {
    let module = Module::new(
        "kept = []\n\
         def keep(a: list[int]) -> int:\n    kept.append(memoryview(a)[:1])\n    return a\n\
         def short(a: list[int]) -> int:\n    return [1] * 4\n\
         def one(a: list[int]) -> int:\n    return 5\n\
         def text(a: list[int]) -> str:\n    return 'ab'\n\
         def orderless(a: list[int]) -> int:\n    return set(a)\n\
         def single(a: list[int]) -> tuple[int, int]:\n    return a\n\
         def later(a: list[int]) -> int:\n    kept.append(a)\n    return [kept[0][0] + x for x in a]\n",
    );
    for (function, what) in [
        ("keep", "the function keeps a column that it was given, which is valid during the call alone: copy it"),
        ("short", "the function returned 4 results for 1 row(s)"),
        ("one", "the function returned an int for 1 row(s), and a column of results is expected"),
        ("text", "the function returned a str for 1 row(s), and a column of results is expected"),
        ("orderless", "the function returned a set for 1 row(s), and a column of results is expected"),
        ("single", "the function returned a memoryview, and 2 columns are expected"),
        ("later", "ValueError: operation forbidden on released memoryview object (it.py:17)"),
    ] {
        // How many rows there are in a call is not known where there are several.
        let rows = if function == "later" { "5\n".repeat(100) } else { "5\n".to_string() };
        let finished = module.map(function, &["--python-batch", "--executor=serial", "--block-size=64"], &rows);
        assert_eq!(finished.status.code(), Some(1), "{function}");
        assert!(finished.stderr.ends_with(&format!(": {what}\n")), "{function}: {}", finished.stderr);
    }
}

#[test]
fn numpy_has_arrays_of_the_types() {
    if !has_numpy() {
        return;
    }
    let module = Module::new(
        "import numpy as np\n\
         kept = []\n\
         def gcd(a, b):\n    assert type(a) is np.ndarray and a.dtype == np.int64\n    return np.gcd(a, b)\n\
         def kinds(a, b, c, d):\n    \
         assert (a.dtype, b.dtype, c.dtype) == (np.float64, np.float32, np.bool_) and type(d) is list\n    \
         return a + b, c, np.char.upper(d)\n\
         def narrow(a):\n    return a.astype(np.int8)\n\
         def keep(a):\n    kept.append(a)\n    return a\n\
         def square(a):\n    return np.outer(a, a)\n\
         def masked(a):\n    return np.ma.masked_equal(a, 2)\n",
    );
    let rows: Vec<String> = (0..3000u64).map(|n| format!("{},{}\n", n * 7919 % 5000, n * 104729 % 7000)).collect();
    let expected = String::from_utf8(super::run(&mut super::pmapgcd(["-j2"]), rows.concat()).stdout).unwrap();
    let ints = ["--python-batch", "--types=i64,i64:i64"];
    module.always("gcd", &ints, &rows.concat(), 0, &expected, "");
    let types = ["--python-batch", "--types=f64,f32,bool,text:f64,bool,text"];
    module.always("kinds", &types, "1.5,2,true,x\n-1,0,0,y\n", 0, "3.5,true,X\n-1.0,false,Y\n", "");
    let one = ["--python-batch", "--types=i64:int"];
    module.always("narrow", &one, "5\n-7\n", 0, "5\n-7\n", "");
    module.always("masked", &one, "1\n2\n3\n", 0, "1\n\n3\n", "");
    let kept = "pmapgcd: stdin:1: the function keeps a column that it was given, which is valid during the call alone: copy it\n";
    module.always("keep", &one, "5\n-7\n", 1, "", kept);
    let square =
        "pmapgcd: stdin:1: the function returned an ndarray, and a column of results is expected, as a[:, 0] is\n";
    module.always("square", &one, "5\n-7\n", 1, "", square);
}

#[test]
fn a_view_is_a_column_in_every_python() {
    let module = Module::new("def f(a: list[int]) -> list[int]:\n    return a\n");
    for python in super::pythons() {
        let mut filter = module.filter("f", ["--python-batch"]);
        super::run(filter.env("PMAPGCD_PYTHON", &python), "5\n6\n").is(0, "5\n6\n", "");
    }
}

/// With classes of the names that pandas has: it need not be there.
#[test]
fn what_pandas_has_for_no_value_is_none_and_its_tables_are_no_columns() {
    let module = Module::new(
        "class NAType: pass\nNA = NAType()\n\
         def f(a: list[int]) -> list[int]:\n    return [NA if x == 5 else x for x in a]\n\
         def g(a: list[int]):\n    return [NA if x == 5 else x for x in a]\n\
         class DataFrame:\n    iloc = columns = ()\n    def __iter__(self): return iter('ab')\n\
         def table(a: list[int]) -> int:\n    return DataFrame()\n",
    );
    for function in ["f", "g"] {
        module.always(function, &["--python-batch", "--append"], "5\n6\n", 0, "5,\n6,6\n", "");
    }
    let stderr =
        "pmapgcd: stdin:1: the function returned a DataFrame, and a column of results is expected, as table[name] is\n";
    module.always("table", &["--python-batch"], "5\n", 1, "", stderr);
}

/// As many rows as columns: rows must not be taken for columns then.
#[test]
fn rows_are_not_taken_for_columns() {
    let module = Module::new(
        "def rows(a: list[int]) -> tuple[int, int]:\n    return [(x, -x) for x in a]\n\
         def columns(a: list[int]) -> tuple[int, int]:\n    return [a, [-x for x in a]]\n\
         class Table:\n    iloc = columns = ()\n    def __len__(self): return 2\n\
         def table(a: list[int]) -> tuple[int, int]:\n    return Table()\n\
         def views(a: list[int]) -> tuple[int, int]:\n    return {1: a, 2: a}\n",
    );
    module.always("columns", &["--python-batch"], "5\n6\n", 0, "5,-5\n6,-6\n", "");
    let wrong = |module: &Module, function: &str, what: &str| {
        let stderr = format!("pmapgcd: stdin:1: the function returned {what}\n");
        module.always(function, &["--python-batch", "--types=int:int,int"], "5\n6\n", 1, "", &stderr);
    };
    let rows = "a list of tuples, and a tuple of 2 columns is expected, as tuple(zip(*rows)) has";
    wrong(&module, "rows", rows);
    wrong(
        &module,
        "table",
        "a Table, and a tuple of 2 columns is expected, as tuple(table[name] for name in table) is",
    );
    wrong(&module, "views", "a dict, and 2 columns are expected");
    if has_numpy() {
        let module = Module::new("import numpy as np\ndef f(a):\n    return np.stack([a, -a], axis=1)\n");
        wrong(&module, "f", "an ndarray, and a tuple of 2 columns is expected, as tuple(a.T) is");
    }
}

/// A job as people have them: a model with weights over a file with other columns, and each result beside its row.
#[test]
fn a_model_maps_a_million_rows_of_a_file() {
    if !has_numpy() {
        return;
    }
    let module = Module::new(
        "import numpy as np\nrng = np.random.default_rng(1)\nW1, W2 = rng.normal(size=(3, 8)), rng.normal(size=8)\n\
         def score(age: list[float], income: list[float], visits: list[int]) -> list[float]:\n    \
         x = np.stack([age / 100, np.log1p(income), visits / 10], axis=1)\n    \
         return np.round(1 / (1 + np.exp(-np.tanh(x @ W1) @ W2)), 6)\n\
         if __name__ == '__main__':\n    import csv, sys\n    rows = list(csv.DictReader(open('big.csv')))\n    \
         column = lambda name: np.array([float(row[name]) for row in rows])\n    \
         sys.stdout.write(''.join(f'{x!r}\\n' for x in score(column('age'), column('income'), column('visits')).tolist()))\n",
    );
    let mut text = "name,age,city,income,visits\n".to_string();
    for n in 0..1_000_000u64 {
        writeln!(text, "\"P, {n}\",{},Bern,{}.{},{}", n % 90, n * 7919 % 100_000, n % 100, n % 37).unwrap();
    }
    std::fs::write(module.path().join("big.csv"), text).unwrap();
    let judge = std::process::Command::new("python3").arg("it.py").current_dir(module.path()).output().unwrap();
    let arguments = ["--python-batch", "-j2", "-k", "age,income,visits", "big.csv"];
    module.map("score", &arguments, "").is(0, &judge.stdout, "");
    assert_eq!(judge.stdout.iter().filter(|&&byte| byte == b'\n').count(), 1_000_000);
}
