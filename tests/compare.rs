//! `--compare`: the tables that it prints hold what really happened.

mod common;

use common::strace::may_trace;
use common::{Kind, input_and_output, pmapgcd, run, shell};
use serde_json::Value;

#[test]
fn the_comparison_measures_all_executors_steps_grades_and_crashes() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("plot.svg");
    let (rows, _) = input_and_output(Kind::Small.rows(41).take(2_000_000));
    let arguments = ["--compare", "-j", "2", "--json", "--plot", plot.to_str().unwrap()];
    let finished = run(&mut pmapgcd(arguments), rows);
    assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(0), ""));
    let report: Value = serde_json::from_slice(&finished.stdout).unwrap();
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));

    assert_eq!((&report["workload"], &report["rows"]), (&"stdin".into(), &2_000_000.into()));
    let executors = report["executors"].as_array().unwrap();
    let names: Vec<_> = executors.iter().map(|one| one["executor"].as_str().unwrap()).collect();
    assert_eq!(names, ["serial", "threads", "pickle", "shared"]);
    for one in executors {
        assert!(number(&one["seconds"]) > 0.0 && number(&one["cpu_seconds"]) > 0.0, "{one}");
        assert!(number(&one["spread"]) <= 0.3 || report["is_too_busy"] == true, "{one}");
        assert!(number(&one["peak_memory_bytes"]) > 3e5, "{one}");
        assert_eq!(number(&one["copied_bytes_a_row"]) > 1.0, one["executor"] == "pickle", "{one}");
    }

    let steps = report["steps"]["steps"].as_array().unwrap();
    assert!(steps.len() == 10 && steps.iter().all(|step| number(&step["pickle"]) > 0.0), "{steps:?}");
    let has: Vec<_> = steps.iter().map(|step| step["shared"].as_f64().is_some_and(|nanos| nanos > 0.0)).collect();
    assert_eq!(has, [true, false, false, false, true, true, false, false, false, true], "{steps:?}");
    for part in ["pickle_part_of_cpu", "shared_part_of_cpu"] {
        let part = number(&report["steps"][part]);
        assert!((0.9..=1.1).contains(&part), "the steps add up to {part} of the processor time");
    }

    assert!(report["leverage"]["sentence"].as_str().unwrap().starts_with("With 2 workers, pickling pays off "));
    for (_, times) in report["leverage"]["times"].as_array().unwrap().iter().map(|one| (&one[0], &one[1])) {
        assert_eq!(times.as_array().unwrap().len(), report["leverage"]["work"].as_array().unwrap().len());
    }

    let crashes = report["crashes"].as_array().unwrap();
    let found: Vec<_> = crashes.iter().map(|one| (&one["status"], one["written"] == one["rows"])).collect();
    let (killed, broken, done): (Value, Value, Value) = ("SIGKILL".into(), "3".into(), "0".into());
    assert_eq!(found, [(&killed, false), (&killed, false), (&broken, false), (&done, true)], "{crashes:?}");

    let svg = std::fs::read_to_string(plot).unwrap();
    assert!(names.iter().all(|name| svg.contains(name)) && svg.trim_end().ends_with("</svg>"));
}

#[test]
fn a_function_of_python_is_compared_with_what_python_has_itself() {
    let folder = tempfile::tempdir().unwrap();
    let source = "def gcd(a: int, b: int) -> int:\n    while b: a, b = b, a % b\n    return a\n";
    std::fs::write(folder.path().join("it.py"), source).unwrap();
    let rows: String = (1..2000).map(|n| format!("x,{},{}\n", n * 7919, n * 31)).collect();
    let arguments = ["--compare", "--python", "it.py:gcd", "-j2", "--json", "--plot", "steps.svg", "-k", "a,b"];
    let finished = run(pmapgcd(arguments).current_dir(folder.path()), "name,a,b\n".to_string() + &rows);
    assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(0), ""));
    let report: Value = serde_json::from_slice(&finished.stdout).unwrap();
    let ways = report["ways"].as_array().unwrap();
    assert_eq!(ways.len(), 5);
    let crashes: Vec<_> = ways.iter().map(|way| way["crash"].as_str().unwrap()).collect();
    let (gone, broken) = ("whole program gone", "BrokenProcessPool");
    assert_eq!(crashes, [gone, gone, broken, broken, "block redone"]);
    assert_eq!(ways[4]["written"], ways[4]["of_rows"]);
    // The time of this program is a difference, which a busy machine hides; then there is none, and that is said.
    let is_known = |way: &&Value| {
        ["nanos_a_row", "spread", "speed_up"].iter().all(|it| way[it].as_f64().is_some_and(|it| it > 0.0))
    };
    let known = ways.iter().take_while(is_known).count();
    assert!(known == 5 || known == 4 && ways[4].get("spread").is_none() && report["is_too_busy"] == true, "{report}");
    for (way, has_steps) in ways.iter().zip([false, false, true, true, true]) {
        let steps = way["steps"].as_array().map(Vec::len);
        assert_eq!(steps, has_steps.then_some(10), "{way}");
    }
    let svg = std::fs::read_to_string(folder.path().join("steps.svg")).unwrap();
    assert!(svg.contains("pmapgcd") && svg.contains("deserialise it (unpickle)") && svg.ends_with("</svg>\n"), "{svg}");
    let finished =
        run(pmapgcd(["--compare", "--python", "it.py:gcd", "--python-batch"]).current_dir(folder.path()), "1,2\n");
    assert!(
        finished.status.code() == Some(2) && finished.stderr.contains("called for each row"),
        "{}",
        finished.stderr
    );
}

/// The script with the file system's last word about a file being an error, where that can be had; and the status and the
/// message that come of it, in which the file has a name of its own.
fn closing(script: &str, file: &str, name: &str) -> (String, i32, String) {
    if !may_trace() {
        return (script.to_string(), 0, String::new());
    }
    let strace = format!("strace -qqq -o trace -P \"$PWD/{file}\" -e inject=close:error=EDQUOT \"$0\"");
    (script.replace("\"$0\"", &strace), 2, format!("pmapgcd: {name}: Disk quota exceeded\n"))
}

#[test]
fn the_tables_fit_and_say_what_they_are_of() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("plot"), "before\n").unwrap();
    // What is open is written to as it was opened, and what comes of that when it is closed is said.
    let script = "exec 3>> plot; \"$0\" --compare -j 1 -ka,b --plot /dev/fd/3; status=$?; echo later >&3; exit $status";
    let (script, status, said) = closing(script, "plot", "/dev/fd/3");
    // Rows under a header, with what makes rows hard to find.
    let rows = "\na,text,b\r\n12,\"two\nlines, \"\"and\"\" more\",18\n\n5,x,10\n";
    let finished = run(shell(&script).current_dir(folder.path()), rows);
    let text = String::from_utf8(finished.stdout).unwrap();
    assert_eq!((finished.status.code(), finished.stderr), (Some(status), said), "{text}");
    let plot = std::fs::read_to_string(folder.path().join("plot")).unwrap();
    assert!(plot.starts_with("before\n<svg") && plot.ends_with("</svg>\nlater\n"), "{plot}");
    assert!(text.starts_with("2 rows of stdin, 1 worker\n"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    for part in
        ["speed-up", "block redone", "make the function ready in the child", "pickling pays off", "killed in mid-run"]
    {
        assert!(text.contains(part), "no {part}: {text}");
    }
    // Each column has a line of its own below its table.
    for columns in [
        &["seconds", "speed-up", "rows/s", "cpu s", "B/row", "MiB", "time"][..],
        &["pickle", "shared"],
        &["killed", "outcome", "status", "rows written"],
    ] {
        let is_head = |line: &&str| columns.iter().all(|column| line.contains(column));
        let mut behind = text.lines().skip_while(|line| !is_head(line)).take_while(|line| !line.is_empty());
        for column in columns {
            let start = format!("{column}  ");
            assert!(behind.any(|line| line.starts_with(&start) && !is_head(&line)), "no {column}: {text}");
        }
    }
}

#[test]
fn bad_rows_end_the_comparison_with_their_error() {
    let finished = run(&mut pmapgcd(["--compare"]), "12,18\n5,x\n");
    finished.is(
        1,
        "",
        "pmapgcd: stdin:2: field 2 is not an integer: \"x\"; decimal digits are expected, with or without a sign\n",
    );
}

#[test]
fn options_of_the_comparison_need_it() {
    for arguments in
        [&["--json"][..], &["--plot", "x.svg"], &["--compare", "-o", "x"], &["--compare", "--executor=serial"]]
    {
        assert_eq!(run(&mut pmapgcd(arguments), "").status.code(), Some(2), "{arguments:?}");
    }
    let finished = run(pmapgcd([""; 0]).env("PMAPGCD_TRIAL", "junk"), "");
    finished.is(2, "", "pmapgcd: the environment variable PMAPGCD_TRIAL is for --compare only; unset it\n");
}

#[test]
fn rows_are_compared_under_their_header() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    let rows = "12,\"two\nlines, \"\"and\"\" more\",18\n\n5,x,10\n".repeat(1000);
    std::fs::write(&file, format!("\na,text,b\r\n{rows}")).unwrap();
    // With a command, for which fewer runs are made than for the stock kernel.
    let script = "\"$0\" --compare -j2 --json -ka,b -c cat rows.csv > out";
    let (script, status, said) = closing(script, "out", "stdout");
    let finished = run(shell(&script).current_dir(folder.path()), "");
    assert_eq!((finished.status.code(), finished.stderr), (Some(status), said));
    let report: Value = serde_json::from_slice(&std::fs::read(folder.path().join("out")).unwrap()).unwrap();
    assert_eq!(report["rows"], 2000);
    assert!(report["crashes"].as_array().unwrap().iter().any(|crash| crash["status"] == "0"));
}
