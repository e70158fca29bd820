//! A carriage return that ends no row is never taken as text, because what comes after it may be rows.

use crate::common::{RETURNS_TO_LINES, STRAY_RETURN, pmapgcd, run};
use crate::{EXECUTORS, Folder, ways};

/// Formats, rows that are good but for a carriage return, and what is said of them.
const CASES: [(&[&str], &str, &str); 17] = [
    (&["-k1,2"], "1,2,3\r4,6,5\r7,14,9\r", r#"field 3 S"3\r4""#),
    (&["-k2,3"], "1,12,18\r2,5,10\r", r#"field 3 S"18\r2""#),
    (&["-k2,3"], "\"x\"\r,12,18", r#"field 1 S"\"x\"\r""#),
    (&["-k2,3"], "\"x\ry\"z\r,12,18", r#"field 1 S"\"x\ry\"z\r""#),
    (&["-k2,3"], "x\"\r\",12,18", r#"field 1 S"x\"\r\"""#),
    (&["-k2,3"], " \"\r\",12,18", r#"field 1 S"\"\r\"""#),
    (&["-k1,2"], "12,18,\"x\n\"\ry", r#"field 3 S"\"x\n\"\ry""#),
    (&["-k1,2"], "12,18,\r\r", r#"field 3 S"\r""#),
    (&["-k1,2"], "12,18,x\r\r", r#"field 3 S"x\r""#),
    (&[], "12,18\r\r", r#"field 2 S"18\r""#),
    (&[], "12,18\r5,10", r#"field 2 S"18\r5""#),
    (&["-k1,2", "--quote=none"], "12,18,\"\r\"", r#"field 3 S"\"\r\"""#),
    (&["-k1,2", "--quote='"], "12,18,\"\r\",'\r'", r#"field 3 S"\"\r\"""#),
    (&["-k1,2", "-dtab"], "12\t18\t\r5\t10\t", r#"field 3 S"\r5""#),
    (&["--comment=#"], "# of old\r12,18\r5,10", r##"the comment S"# of old\r12,18\r5,10""##),
    (&["--comment=#"], "#\"\r\"", r##"the comment S"#\"\r\"""##),
    (&[], " \r ", r#"field 1 S"\r""#),
];

fn said(line: usize, what: &str) -> String {
    format!("pmapgcd: stdin:{line}: {}{RETURNS_TO_LINES}\n", what.replacen('S', STRAY_RETURN, 1))
}

#[test]
fn one_that_ends_no_row_makes_the_row_bad_whatever_columns_count() {
    for (options, row, what) in CASES {
        let delimiter = if options.contains(&"-dtab") { "\t" } else { "," };
        // Good rows with three fields where columns are picked, and two where not.
        let good = match options.first() {
            Some(&"-k2,3") => "x,5,10\r\n".to_string(),
            Some(&"-k1,2") => "5,10,x\r\n".replace(',', delimiter),
            _ => "5,10\r\n".to_string(),
        };
        // The line is that of the carriage return.
        let lines = row.split_once("\r").unwrap().0.matches('\n').count();
        for repeats in [0, 3, 100] {
            let text = format!("{}{row}\n{good}", good.repeat(repeats));
            let stderr = said(repeats + 1 + lines, what);
            for way in ways(&["64", "128K"]) {
                let stop = run(pmapgcd(way).args(options), &*text);
                stop.is(1, "5\n".repeat(repeats), &stderr);
                let skip = run(pmapgcd(way).args(options).arg("--bad-rows=skip"), &*text);
                skip.is(1, "5\n".repeat(repeats + 1), &format!("{stderr}pmapgcd: 1 bad row\n"));
            }
            let other = ["--executor=pickle", "--bad-rows=blank", "--chunk-size=2"];
            let blank = run(pmapgcd(other).args(options), &*text);
            blank.is(1, format!("{}\n5\n", "5\n".repeat(repeats)), &format!("{stderr}pmapgcd: 1 bad row\n"));
            let threads = run(pmapgcd(["--executor=threads"]).args(options), &*text);
            threads.is(1, "5\n".repeat(repeats), &stderr);
        }
    }
}

#[test]
fn in_quotes_or_at_a_line_end_or_the_end_of_the_input_it_is_as_before() {
    let text = "x,12,18\r\n\"\r\",5,\"10\"\r\n\"a\r\nb\r\",7,14\r\n#\r\n\r\n\"\"\"\r\",9,6\r";
    let appended = "x,12,18,6\r\n\"\r\",5,\"10\",5\r\n\"a\r\nb\r\",7,14,7\r\n\"\"\"\r\",9,6,3\r\n";
    for executor in EXECUTORS {
        for size in ["--block-size=64", "--block-size=128K"] {
            let options = [executor, size, "-k2,3", "--comment=#"];
            run(&mut pmapgcd(options), text).is(0, "6\n5\n7\n3\n", "");
            run(pmapgcd(options).arg("--append"), text).is(0, appended, "");
        }
        let options = [executor, "-k2,3", "--comment=#"];
        run(&mut pmapgcd(options), "x,12,18\n#\r").is(0, "6\n", "");
        run(pmapgcd(options).arg("--header"), "\"i\rd\",\"a\",b\r\nx,12,18\n").is(0, "6\n", "");
    }
}

#[test]
fn in_a_header_it_ends_the_run_whatever_quotes_there_are() {
    for (header, of, shown) in [
        ("\"id\",\"a\",\"b\"\r1,12,18\r2,5,10\r", "the header", r#""\"id\",\"a\",\"b\"\r1,12,18\r2,5,10""#),
        ("\"i\rd\",a\r,b\n1,12,18\n", "the header", r#""\"i\rd\",a\r,b""#),
        ("id,\"a\"\r,b\n1,12,18\n", "the header", r#""id,\"a\"\r,b""#),
        ("id,a,b\r\r\n1,12,18\n", "the header", r#""id,a,b\r""#),
        ("# old\rid,a,b\rid,a,b\n1,12,18\n", "the comment", r##""# old\rid,a,b\rid,a,b""##),
    ] {
        let what = format!("{of} {STRAY_RETURN}{shown}{RETURNS_TO_LINES}\n");
        let folder = Folder::with([("old.csv", header)]);
        for executor in EXECUTORS {
            for bad_rows in ["--bad-rows=stop", "--bad-rows=skip"] {
                let options = [executor, "--header", "-k2,3", "--comment=#", bad_rows];
                run(&mut pmapgcd(options), header).is(2, "", &format!("pmapgcd: stdin:1: {what}"));
                // A range has the header of the file.
                let size = header.len();
                let range = [format!("--range=0,{size}"), "--first-line=1".into(), "old.csv".into()];
                let ranged = folder.run(options.map(String::from).into_iter().chain(range), "");
                ranged.is(2, "", &format!("pmapgcd: old.csv:1: {what}"));
            }
        }
    }
}

#[test]
fn every_range_of_a_file_names_its_own() {
    let text = "1,2,3\n4,6,\r5\n7,14,9\n#\r\n#\r8,12,x\n3,9,1\r";
    let folder = Folder::with([("rows.csv", text)]);
    for executor in EXECUTORS {
        for count in ["1", "2", "9"] {
            let options = [executor, "-k1,2", "--comment=#", "--bad-rows=skip"];
            let split = folder.run(options.into_iter().chain(["--split", count, "rows.csv"]), "");
            let (mut stdout, mut stderr) = (vec![], String::new());
            for range in String::from_utf8(split.stdout).unwrap().lines() {
                let (range, line) = range.rsplit_once(',').unwrap();
                let arguments = options.into_iter().chain(["--range", range, "--first-line", line, "rows.csv"]);
                let part = folder.run(arguments, "");
                stdout.extend(part.stdout);
                stderr.extend(
                    part.stderr.lines().filter(|line| line.contains("rows.csv")).map(|line| line.to_string() + "\n"),
                );
            }
            assert_eq!(String::from_utf8(stdout).unwrap(), "1\n7\n3\n", "{count}");
            let expected = said(2, r#"field 3 S"\r5""#) + &said(5, r##"the comment S"#\r8,12,x""##);
            assert_eq!(stderr, expected.replace("stdin", "rows.csv"), "{count}");
        }
    }
}

#[test]
fn one_in_a_line_longer_than_a_block_is_told_too() {
    let hint =
        format!("; it has a carriage return outside quotes, which ends no row without a line feed{RETURNS_TO_LINES}");
    let rows = "12,18,x\r".repeat(40);
    let quoted = "12,18,\"x,\n\"\r".repeat(40);
    let comment = format!("#{}", "12,18\r".repeat(40));
    let blanks = format!("{}\r ", " ".repeat(100));
    let late = format!("#{}\r1,2", "x".repeat(100));
    let long = "the row is longer than a block, 64 bytes; use a larger --block-size";
    for executor in EXECUTORS {
        let options = [executor, "--block-size=64", "--comment=#"];
        let case = |text: &str, what: &str| {
            let text = format!("{text}\n5,10\n");
            let stop = run(&mut pmapgcd(options), &*text);
            assert!(
                stop.stdout.is_empty() && stop.stderr.starts_with(&format!("pmapgcd: stdin:1: {what}")),
                "{stop:?}"
            );
            assert_eq!(stop.status.code(), Some(1));
            let skip = run(pmapgcd(options).arg("--bad-rows=skip"), &*text);
            skip.is(1, "5\n", &format!("{}pmapgcd: 1 bad row\n", stop.stderr));
            let header = run(pmapgcd(options).arg("--header"), &*text);
            header.is(2, "", &stop.stderr);
        };
        case(&rows, &format!("{long}{hint}\n"));
        case(&quoted, &format!("{long}{hint}\n"));
        case(&comment, &format!("the comment {STRAY_RETURN}"));
        case(&late, &format!("the comment {STRAY_RETURN}"));
        case(&blanks, long);
        // These are none.
        for nothing in
            [format!("#{}\r", "x".repeat(100)), format!("#{}", "x".repeat(62)) + "\r", " ".repeat(100) + "\r"]
        {
            run(&mut pmapgcd(options), format!("{nothing}\n5,10\n")).is(0, "5\n", "");
        }
    }
}

#[test]
fn a_quote_that_is_never_closed_behind_one_is_told_with_what_may_be_the_cause() {
    for executor in EXECUTORS {
        let finished = run(&mut pmapgcd([executor, "-k1,2"]), "12,18,x\r5,\"10\n");
        let what = "field 4 begins with a quote that is never closed: \"\\\"10\\n\"";
        finished.is(
            1,
            "",
            &format!("pmapgcd: stdin:1: {what}; a carriage return before it ends no row{RETURNS_TO_LINES}\n"),
        );
    }
}
