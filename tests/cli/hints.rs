//! Hints in messages about the first row or the header: they say what may have been meant.

use crate::common::{Running, pmapgcd, run};
use crate::{EXECUTORS, Folder};

/// First bytes of what is no CSV, and what is said of it.
const DISGUISES: [(&[u8], &str); 48] = [
    (b"\x1f\x8b\x08\x00abc", "gzip, not CSV: gzip -dc FILE | pmapgcd"),
    (b"\x1f\x9d\x90abc", "compressed by compress, not CSV: gzip -dc FILE | pmapgcd"),
    (b"BZh91AY&SY\xc6", "bzip2, not CSV: bzip2 -dc FILE | pmapgcd"),
    (b"BZh9\x17rE8P\x90\0", "bzip2, not CSV: bzip2 -dc FILE | pmapgcd"),
    (b"\xfd7zXZ\0\0\x04", "xz, not CSV: xz -dc FILE | pmapgcd"),
    (b"]\0\0\x80\0\xff", "lzma, not CSV: xz -dc FILE | pmapgcd"),
    (b"\x28\xb5\x2f\xfd,\t1", "zstd, not CSV: zstd -dc FILE | pmapgcd"),
    (b"\x50\x2a\x4d\x18\x04\0", "zstd, not CSV: zstd -dc FILE | pmapgcd"),
    (b"\x04\x22\x4d\x18\x64", "lz4, not CSV: lz4 -dc FILE | pmapgcd"),
    (b"LZIP\x01\x0c", "lzip, not CSV: lzip -dc FILE | pmapgcd"),
    (b"\x89LZO\0\r", "lzop, not CSV: lzop -dc FILE | pmapgcd"),
    (b"PK\x03\x04\x14\0\0\0\x08\0aaaabbbbccccdddd\x05\0\0\0t.csv", "a zip archive, not CSV: unzip -p FILE | pmapgcd"),
    // The version that it takes to extract it is a line feed.
    (b"PK\x03\x04\n\0\0\0\x08\0", "a zip archive, not CSV: unzip -p FILE | pmapgcd"),
    (b"7z\xbc\xaf\x27\x1c\0\x04", "a 7z archive, not CSV: 7z e -so FILE | pmapgcd"),
    (b"Rar!\x1a\x07\x01\0", "a rar archive, not CSV: unrar p -inul FILE | pmapgcd"),
    (
        b"PK\x03\x04\x14\0\x06\0\x08\0aaaabbbbccccdddd\x13\0\0\0[Content_Types].xml",
        "an Excel workbook (xlsx), not CSV: save it as CSV where it was made, or: soffice --headless --convert-to csv FILE",
    ),
    (
        b"PK\x03\x04\x14\0\0\x08\0\0aaaabbbbccccdddd\x08\0\0\0mimetypeapplication/vnd.oasis.opendocument.spreadsheetPK",
        "a spreadsheet (ods), not CSV: save it as CSV where it was made, or: soffice --headless --convert-to csv FILE",
    ),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0",
        "an Excel workbook (xls) or another Office document, not CSV: save it as CSV where it was made, or: soffice \
         --headless --convert-to csv FILE",
    ),
    (b"PAR1\x15\x04\x15 ", "Parquet, not CSV: duckdb -csv -c \"FROM 'FILE'\" | pmapgcd -k A,B"),
    (b"SQLite format 3\0\x10\0", "an SQLite database, not CSV: sqlite3 -csv FILE 'SELECT a, b FROM t' | pmapgcd"),
    (b"ARROW1\0\0\xff", "an Arrow file, not CSV: have it written as CSV by what made it"),
    (b"ORC\x08\x03", "ORC, not CSV: have it written as CSV by what made it"),
    (b"Obj\x01\x04", "Avro, not CSV: have it written as CSV by what made it"),
    (b"\x89HDF\r\n\x1a\n", "HDF5, not CSV: have it written as CSV by what made it"),
    (b"\x93NUMPY\x01\0", "a NumPy array, not CSV: have it written as CSV by what made it"),
    (b"\x80\x04\x95\t\0", "a Python pickle, not CSV: have it written as CSV by what made it"),
    (b"%PDF-1.7", "a PDF, not CSV: have it written as CSV by what made it"),
    (b"\xff\xfe1\0,\x002\0\n\0", "UTF-16, not UTF-8: iconv -f UTF-16 -t UTF-8 FILE | pmapgcd"),
    (b"\xfe\xff\x001\0,\x002\0\n", "UTF-16, not UTF-8: iconv -f UTF-16 -t UTF-8 FILE | pmapgcd"),
    (b"\xff\xfe\0\x001\0\0\0,\0\0\0", "UTF-32, not UTF-8: iconv -f UTF-32 -t UTF-8 FILE | pmapgcd"),
    (b"\0\0\xfe\xff\0\0\x001\0\0\0,", "UTF-32, not UTF-8: iconv -f UTF-32 -t UTF-8 FILE | pmapgcd"),
    (b"1\0,\x002\0\r\0", "UTF-16LE, not UTF-8: iconv -f UTF-16LE -t UTF-8 FILE | pmapgcd"),
    (b"\x001\0,\x002\0\r\0", "UTF-16BE, not UTF-8: iconv -f UTF-16BE -t UTF-8 FILE | pmapgcd"),
    (b"1\0\0\0,\0\0\0", "UTF-32LE, not UTF-8: iconv -f UTF-32LE -t UTF-8 FILE | pmapgcd"),
    (b"\0\0\x001\0\0\0,", "UTF-32BE, not UTF-8: iconv -f UTF-32BE -t UTF-8 FILE | pmapgcd"),
    (b"\0\0\0\0\0\0\0\0", "NUL bytes, not CSV: it may not have been written to its end"),
    (b"\xca\xfe\0\x01\0\x02", "no text: have it written as CSV by what made it"),
    (b"{\"a\": 12, \"b\": 18}", "JSON, not CSV: jq -r '[.a, .b] | @csv' FILE | pmapgcd"),
    (b"[\n {\"a\": 12}]", "JSON, not CSV: jq -r '.[] | [.a, .b] | @csv' FILE | pmapgcd"),
    (b"[[12, 18], [5, 10]]", "JSON, not CSV: jq -r '.[] | @csv' FILE | pmapgcd"),
    (b"[12, 18]", "JSON, not CSV: jq -r @csv FILE | pmapgcd"),
    (b"<?xml version=\"1.0\"?>", "XML, not CSV: save it as CSV where it was made"),
    (
        b"\n<!DOCTYPE html>",
        "HTML, not CSV: save the table in it as CSV; a file that was downloaded may be a page that says why not",
    ),
    (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS, not the file: git lfs pull"),
    (b"/annex/objects/SHA256E-s12--ab.csv", "a pointer of git-annex, not the file: git annex get FILE"),
    (b"-----BEGIN PGP MESSAGE-----", "encrypted, not CSV: gpg -d FILE | pmapgcd"),
    (b"sep=;\r", "CSV behind a line for spreadsheet programs: pmapgcd --skip-lines 1 -d ';' FILE"),
    (b"\xef\xbb\xbf\"sep=,\"", "CSV behind a line for spreadsheet programs: pmapgcd --skip-lines 1 FILE"),
];

#[test]
fn what_is_no_csv_is_told_with_what_makes_csv_of_it() {
    for ((start, what), executor) in DISGUISES.into_iter().zip(EXECUTORS.into_iter().cycle()) {
        let told = format!("; the input is {what}\n");
        let file = [start, b"\nx;y,z\n"].concat();
        for arguments in
            [&[][..], &["-k1,2"], &["-ka,b"], &["--header"], &["--header", "-k8,9"], &["--header", "--append"]]
        {
            let finished = run(&mut pmapgcd([executor].iter().chain(arguments)), &*file);
            let is_found = matches!(finished.status.code(), Some(1 | 2)) && finished.stderr.ends_with(&told);
            assert!(is_found && finished.stderr.lines().count() == 1, "{}: {finished:?}", start.escape_ascii());
        }
        // Once for each input.
        let finished = run(&mut pmapgcd([executor, "--bad-rows=skip"]), &*file);
        assert_eq!(finished.stderr.matches(&told).count(), 1, "{finished:?}");
        // It is the first bytes that tell.
        let finished = run(&mut pmapgcd([executor]), [b"12,18\n", start].concat());
        assert!(finished.status.code() == Some(1) && !finished.stderr.contains("the input is"), "{finished:?}");
    }
}

#[test]
fn what_is_no_csv_may_have_no_line_end_and_may_come_in_pieces() {
    let file = [&b"\x1f\x8b"[..], &[b'x'; 300_000]].concat();
    for executor in EXECUTORS {
        for arguments in [&[][..], &["-ka,b"], &["--header"], &["--bad-rows=skip"]] {
            let finished = run(&mut pmapgcd([executor].iter().chain(arguments)), &*file);
            let what =
                "the row is longer than a block, 131072 bytes; use a larger --block-size; the input is gzip, not CSV: ";
            assert!(finished.stderr.contains(&format!(":1: {what}")), "{finished:?}");
        }
        let mut running = Running::start(&mut pmapgcd([executor]));
        for byte in b"PK\x03\x04\n" {
            running.send([*byte]);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let finished = running.finish();
        assert!(
            finished.stderr.ends_with("; the input is a zip archive, not CSV: unzip -p FILE | pmapgcd\n"),
            "{finished:?}"
        );
    }
    // A file of one line would be taken for a header without rows.
    let folder = Folder::with([("rows.csv", "a,b\n12,18\n"), ("header.csv", "a,b\n"), ("rows.json", "[{\"a\":1}]")]);
    for (arguments, status) in [
        (&["header.csv"][..], 0),
        (&["rows.json"], 2),
        (&["rows.csv", "rows.json"], 2),
        (&["rows.json", "rows.csv"], 2),
    ] {
        for executor in EXECUTORS {
            let finished = folder.run([&[executor, "--header", "--bad-rows=skip"], arguments].concat(), "");
            let what = "pmapgcd: rows.json:1: no rows follow; the input is JSON, not CSV: ";
            assert_eq!(finished.status.code(), Some(status), "{finished:?}");
            assert_eq!(finished.stderr.starts_with(what), status == 2, "{finished:?}");
        }
    }
    let folder = Folder::with([("rows.csv", "12,18\n"), ("rows.json", "{\"a\":1}\n"), ("x.csv", "x,1\n")]);
    let finished = folder.run(["--bad-rows=skip", "rows.csv", "rows.json", "x.csv"], "");
    let said: Vec<bool> = finished.stderr.lines().map(|line| line.contains("the input is JSON")).collect();
    assert_eq!(said, [true, false, false], "{finished:?}");
}

/// What is said of the first row or header in each of these ways to look for columns.
#[track_caller]
fn hints(arguments: &[&str], text: &str, hint: &str) {
    for executor in EXECUTORS {
        let finished = run(&mut pmapgcd([executor].iter().chain(arguments)), text);
        let said = finished.stderr.strip_prefix("pmapgcd: stdin:1: ").unwrap_or_else(|| panic!("{finished:?}"));
        let (_, found) = said.split_once("\"; ").unwrap_or((said, "\n"));
        let found =
            found.trim_start_matches("decimal digits are expected, with or without a sign").trim_start_matches("; ");
        assert_eq!(found, format!("{hint}\n"), "{finished:?}");
    }
}

#[test]
fn another_delimiter_is_told_whether_columns_have_names_or_not() {
    for (delimiter, hint) in [
        (";", "if ';' stands between fields, say so with -d ';'"),
        ("|", "if '|' stands between fields, say so with -d '|'"),
        (":", "if ':' stands between fields, say so with -d ':'"),
        ("\t", "if tabs stand between fields, say so with -d tab"),
        (" ", "if blanks stand between fields, say so with -d ' '"),
        ("   ", "if blanks stand between fields, say so with -d blank"),
        ("^", "if '^' stands between fields, say so with -d '^'"),
        ("~", "if '~' stands between fields, say so with -d '~'"),
        ("\u{1}", "if the character \\x01 stands between fields, say so with -d $'\\x01'"),
    ] {
        for text in ["12,18\n", "\"12\",18\n", "-12,18,7\n"] {
            let (text, is_quoted) = (text.replace(',', delimiter), text.contains('"'));
            if !is_quoted {
                hints(&[], &text, hint);
                hints(&["-k1,2"], &text, hint);
            }
        }
        for text in ["a,b\n12,18\n", "id,b,a\n1,12,18\n"] {
            hints(&["-ka,b"], &text.replace(',', delimiter), hint);
        }
    }
    for text in ["a;b\n", "größe;b;c\n"] {
        hints(&["--header", "-k1,2"], text, "if ';' stands between fields, say so with -d ';'");
        hints(&[], text, "if ';' stands between fields, say so with -d ';'");
    }
    // With something in a name that would be taken for it.
    hints(&["-ka,b"], "x;\"y, z\";a;b\n", "if ';' stands between fields, say so with -d ';'");
    hints(&["-ka,b", "-d;"], "a,b\n", "if ',' stands between fields, say so with -d ','");
    let tsv = "if tabs stand between fields and quotes around them, say so with -d tab --quote '\"'";
    hints(&["-ka,b"], "\"a\"\t\"b\"\n", tsv);
    hints(&[], "\"12\"\t\"18\"\n", tsv);
    hints(
        &["-ka,b"],
        "'a';'b'\n",
        "if ';' stands between fields and quotes around them, say so with -d ';' --quote \"'\"",
    );
    // A header of its own shows that by its rows.
    let finished = run(&mut pmapgcd(["--header"]), "a;b\n12;18\n");
    assert!(finished.stderr.ends_with("\"12;18\"; if ';' stands between fields, say so with -d ';'\n"), "{finished:?}");
    hints(&[], "abc\n", "");
    hints(&["-ka,b"], "abc\n", "");
    hints(&["-kx,y"], "a,b_c\n", "");
    hints(&["--header", "-k3,4"], "some_long_name,b\n", "");
}

#[test]
fn quotes_that_are_read_as_values_and_values_that_are_read_as_quotes_are_told() {
    for (arguments, text, hint) in [
        (&["-dtab"][..], "\"12\"\t18\n", "if quotes stand around fields, say so with --quote '\"'"),
        (&["-dtab", "-ka,b"], "\"a\"\t\"b\"\n", "if quotes stand around fields, say so with --quote '\"'"),
        (&["-dtab", "-k2,3"], "\"a\tb\"\t12\t18\n", ""),
        (&["--quote=none"], "12,\"18\"\n", "if quotes stand around fields, say so with --quote '\"'"),
        (
            &["--quote=none"],
            "\"1,2\",18\n",
            "say which of them count, as in -k 1,2; if quotes stand around fields, say so with --quote '\"'",
        ),
        (&[], "'12','18'\n", "if quotes stand around fields, say so with --quote \"'\""),
        (&["-ka,b"], "'a','b'\n", "if quotes stand around fields, say so with --quote \"'\""),
        (&[], "12,\"18\n", "if quotes are part of values, say so with --quote none"),
        (&["-ka,b"], "a,\"b\n", "if quotes are part of values, say so with --quote none"),
    ] {
        hints(arguments, text, hint);
    }
    // These may come late.
    for (arguments, rest, hint) in [
        (&["-dtab", "-k1,2"][..], "1\t\"2\"\n", "if quotes stand around fields, say so with --quote '\"'"),
        (&["-dtab", "-k1,2"], "\"two\nlines\"\t2\t3\n", "if quotes stand around fields, say so with --quote '\"'"),
        (&["-k1,2"], "\"7,8\n9,10\n", "if quotes are part of values, say so with --quote none"),
    ] {
        let rows = if arguments[0] == "-dtab" { "12\t18\n" } else { "12,18\n" }.repeat(100);
        for executor in EXECUTORS {
            let finished = run(&mut pmapgcd([executor].iter().chain(arguments)), format!("{rows}{rest}"));
            assert!(finished.stderr.ends_with(&format!("; {hint}\n")), "{finished:?}");
        }
    }
}

#[test]
fn comments_that_are_read_as_rows_are_told() {
    let hint = "if lines that begin with '#' are no rows, say so with --comment '#'";
    hints(&[], "# made today\n12,18\n", hint);
    hints(&["-k1,2"], "# made today: now; here\n12,18\n", hint);
    hints(&["-ka,b"], "# made today\na,b\n", hint);
    hints(&["--header", "-k1,2"], "# made today\na,b\n", hint);
    hints(&[], "# a, b\n12,18\n", hint);
    hints(&["-ka,b"], "# made today, by hand\na,b\n", hint);
    hints(&["-ka,b"], "#a,b\n12,18\n", "column 1 is \"#a\", which is not \"a\"");
}

#[test]
fn names_of_digits_are_told_to_stand_in_quotes() {
    let years = "id,2020,2021\n1,12,18\n";
    for way in [&["-k2020,2021"][..], &["--header", "-k2020,2021"], &["-k2020", "-k2021"]] {
        hints(way, years, "a name of digits stands in quotes: -k '\"2020\",\"2021\"'");
    }
    hints(&["-kid,2021"], years, "a name of digits stands in quotes: -k 'id,\"2021\"'");
    hints(&["-k2,2021"], years, "a name of digits stands in quotes: -k '2,\"2021\"'");
    hints(&["-k\"2020\",2021"], years, "a name of digits stands in quotes: -k '\"2020\",\"2021\"'");
    hints(&["-k007,1"], "id,007,x\n", "a name of digits stands in quotes: -k '\"007\",1'");
    hints(&["-k9,it's"], "9,it's\n", "a name of digits stands in quotes: -k '\"9\",\"it'\\''s\"'");
    hints(&["-k2019,2018"], years, "");
    hints(&["--header", "-k2019,2018"], years, "");
    // What is said works.
    run(&mut crate::shell("exec \"$0\" -k '\"2020\",\"2021\"'"), years).is(0, "6\n", "");
    let finished = run(&mut pmapgcd(["-k0,1"]), ",0,1\n0,12,18\n");
    assert!(finished.stderr.contains("columns are numbered from 1; a name of digits stands in quotes"), "{finished:?}");
}

#[test]
fn names_that_look_the_same_are_told_apart() {
    let form = "column 1 is that name in another Unicode normal form";
    for (asked, name, hint) in [
        (
            "größe",
            "gro\u{308}ße",
            format!(
                "{form}, \"gro\\u{{308}}\\u{{df}}e\" where --columns has \"gr\\u{{f6}}\\u{{df}}e\": use its number"
            ),
        ),
        (
            "gro\u{308}ße",
            "größe",
            format!(
                "{form}, \"gr\\u{{f6}}\\u{{df}}e\" where --columns has \"gro\\u{{308}}\\u{{df}}e\": use its number"
            ),
        ),
        ("\u{2126}", "\u{3a9}", format!("{form}, \"\\u{{3a9}}\" where --columns has \"\\u{{2126}}\": use its number")),
        (
            "한",
            "\u{1112}\u{1161}\u{11ab}",
            format!(
                "{form}, \"\\u{{1112}}\\u{{1161}}\\u{{11ab}}\" where --columns has \"\\u{{d55c}}\": use its number"
            ),
        ),
        ("\u{b5}s", "\u{3bc}s", "column 1 is \"\\u{3bc}s\", which is not \"\\u{b5}s\"".to_string()),
        ("fin", "\u{fb01}n", "column 1 is \"\\u{fb01}n\", which is not \"fin\"".to_string()),
        ("A", "\u{ff21}", "column 1 is \"\\u{ff21}\", which is not \"A\"".to_string()),
        ("ab c", "a\u{200b}b\u{a0}c", "column 1 is \"a\\u{200b}b\\u{a0}c\", which is not \"ab c\"".to_string()),
        ("width", "Width", "column 1 is \"Width\", which is not \"width\"".to_string()),
    ] {
        hints(&[&format!("-k{asked},b")], &format!("{name},b\n12,18\n"), &hint);
    }
    let finished = run(&mut pmapgcd(["-kgröße,b"]), &b"gr\xf6\xdfe,b\n12,18\n"[..]);
    let told = "; column 1 is that name in Latin-1: use its number, or iconv -f LATIN1 -t UTF-8 FILE | pmapgcd\n";
    assert!(finished.stderr.ends_with(told), "{finished:?}");
    let folder =
        Folder::with([("one.csv", "größe,b\n12,18\n"), ("two.csv", "gro\u{308}ße,b\n12,18\n"), ("x.csv", "größe,x\n")]);
    for (other, difference) in [
        ("two.csv", "column 1 is \"gro\\u{308}\\u{df}e\" and not \"gr\\u{f6}\\u{df}e\""),
        ("x.csv", "column 2 is \"x\" and not \"b\""),
    ] {
        let what = format!("this header is not that of one.csv, under which --append prints all rows: {difference}");
        let finished = folder.run(["--header", "--append", "one.csv", other], "");
        finished.is(2, "größe,b,gcd\n12,18,6\n", &format!("pmapgcd: {other}:1: {what}\n"));
    }
}

#[test]
fn what_is_a_quote_or_begins_a_comment_is_not_taken_for_a_delimiter() {
    for (arguments, row) in [(&["--bad-rows=skip"][..], "\"\""), (&["--bad-rows=skip", "--comment=#", "-k1"], "1#2#3")]
    {
        let finished = run(&mut pmapgcd(arguments), format!("{row}\n12,18\n"));
        assert!(!finished.stderr.contains("so with -d"), "{finished:?}");
    }
}
