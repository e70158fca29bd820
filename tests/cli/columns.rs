//! Headers, columns, and rows printed with their results.

use crate::common::{RETURNS_TO_LINES, STRAY_RETURN, pmapgcd, run};
use crate::{EXECUTORS, Folder, ways};

const SCREENS: &str =
    "name,width,height\n\"12\"\" tablet, old\",2160,1440\r\n\nphone,1170,-2532\n\"two\nlines\", 9 ,\"6\"";

#[test]
fn columns_are_picked_by_name_or_by_number() {
    let folder = Folder::with([("screens.csv", SCREENS)]);
    for way in ways(&["64", "100", "128K"]) {
        for columns in [["-k", "width,height"], ["-k", "height,\"width\""], ["--columns", " 3 , width "]] {
            folder.run(way.into_iter().chain(columns).chain(["screens.csv"]), "").is(0, "720\n6\n3\n", "");
        }
        folder.run(way.into_iter().chain(["-k2,3", "--header", "screens.csv"]), "").is(0, "720\n6\n3\n", "");
        folder.run(way.into_iter().chain(["-k=width,width", "screens.csv"]), "").is(0, "2160\n1170\n9\n", "");
        folder.run(way.into_iter().chain(["--header"]), "a,b\n12,18\n").is(0, "6\n", "");
    }
}

#[test]
fn rows_are_printed_as_they_are_with_their_results() {
    let folder = Folder::with([("screens.csv", SCREENS)]);
    let rows = "\"12\"\" tablet, old\",2160,1440,720\r\nphone,1170,-2532,6\n\"two\nlines\", 9 ,\"6\",3\n";
    for way in ways(&["64", "100", "128K"]) {
        for (append, name) in
            [("--append", "gcd"), ("--append=unit", "unit"), ("--append=\"a,\"\"b\"\"\"", "\"a,\"\"b\"\"\"")]
        {
            let finished = folder.run(way.into_iter().chain(["-kwidth,height", append, "screens.csv"]), "");
            finished.is(0, format!("name,width,height,{name}\n{rows}"), "");
        }
        let finished = run(&mut pmapgcd(way.into_iter().chain(["--append", "-d;"])), "12;18\r\n\n5;\"10\"\r");
        finished.is(0, "12;18;6\r\n5;\"10\";5\r\n", "");
    }
}

#[test]
fn each_file_has_its_own_header_and_columns() {
    let files = [("ab.csv", "a,b\n12,18\n"), ("bca.csv", "\u{feff}\nb,c,a\n5,x,10\n7,x,y\n"), ("none.csv", "\n")];
    let folder = Folder::with(files);
    for way in ways(&["64", "128K"]) {
        let finished = folder.run(way.into_iter().chain(["-ka,b", "none.csv", "ab.csv", "bca.csv", "ab.csv"]), "");
        let what = "field 3 is not an integer: \"y\"; decimal digits are expected, with or without a sign";
        finished.is(1, "6\n5\n", &format!("pmapgcd: bca.csv:4: {what}\n"));
        // One header for all, if it is the same.
        let appended = folder.run(way.into_iter().chain(["-ka,b", "--append", "ab.csv", "none.csv", "ab.csv"]), "");
        appended.is(0, "a,b,gcd\n12,18,6\n12,18,6\n", "");
        let appended = folder.run(way.into_iter().chain(["-ka,b", "--append", "ab.csv", "bca.csv"]), "");
        let what = "this header is not that of ab.csv, under which --append prints all rows: 3 columns and not 2";
        appended.is(2, "a,b,gcd\n12,18,6\n", &format!("pmapgcd: bca.csv:2: {what}\n"));
    }
}

#[test]
fn a_byte_order_mark_stays_at_the_front_of_rows_that_are_printed() {
    let long = format!("\u{feff}{}\n12,18\n", "x".repeat(64));
    let files = [
        ("rows.csv", "\u{feff}12,18\n\n5,10\n"),
        ("names.csv", "\u{feff}\na,b\r\n12,18\n"),
        ("bad.csv", "\u{feff}x,1\n12,18\n"),
        ("long.csv", &long),
        ("plain.csv", "7,14\n"),
        ("empty.csv", ""),
        ("blank.csv", "\n"),
        ("mark.csv", "\u{feff}"),
    ];
    let folder = Folder::with(files);
    for way in ways(&["64", "128K"]) {
        let case = |arguments: &str, stdout: &str| {
            let finished = folder.run(way.into_iter().chain(arguments.split(' ')), "");
            assert_eq!(String::from_utf8_lossy(&finished.stdout), stdout, "{finished:?}");
        };
        case("--append rows.csv", "\u{feff}12,18,6\n5,10,5\n");
        case("--append --header names.csv", "\u{feff}a,b,gcd\r\n12,18,6\n");
        case("--append --header names.csv names.csv", "\u{feff}a,b,gcd\r\n12,18,6\n12,18,6\n");
        case("--header names.csv", "6\n");
        case("rows.csv", "6\n5\n");
        // A row of the first FILE that has any is in front, and so is its mark; in between there is none.
        case("--append rows.csv rows.csv", "\u{feff}12,18,6\n5,10,5\n12,18,6\n5,10,5\n");
        case("--append rows.csv plain.csv", "\u{feff}12,18,6\n5,10,5\n7,14,7\n");
        case("--append plain.csv rows.csv", "7,14,7\n12,18,6\n5,10,5\n");
        case("--append empty.csv rows.csv", "\u{feff}12,18,6\n5,10,5\n");
        case("--append blank.csv rows.csv", "12,18,6\n5,10,5\n");
        case("--append mark.csv plain.csv mark.csv", "7,14,7\n");
        case("--append mark.csv", "");
        case("--append --bad-rows=stop bad.csv", "\u{feff}");
        case("--append --bad-rows=skip bad.csv", "\u{feff}12,18,6\n");
        case("--append --bad-rows=blank bad.csv", "\u{feff}x,1,\n12,18,6\n");
        case("--append --bad-rows=skip long.csv", "\u{feff}12,18,6\n");
        // What all ranges give together is what the whole FILE gives.
        case("--append --range 0,9 --first-line 1 rows.csv", "\u{feff}12,18,6\n");
        case("--append --range 10,5 --first-line 3 rows.csv", "5,10,5\n");
        case("--append --header --range 0,9 --first-line 1 names.csv", "\u{feff}a,b,gcd\r\n");
        case("--append --header --range 9,6 --first-line 3 names.csv", "12,18,6\n");
    }
    let finished = folder.run(["--append", "--block-size=64", "--bad-rows=blank", "long.csv"], "");
    assert_eq!(String::from_utf8_lossy(&finished.stdout), "\u{feff}\n12,18,6\n");
    for executor in EXECUTORS {
        let mut running = crate::Running::start(&mut pmapgcd([executor, "--append"]));
        for byte in b"\xef\xbb\xbf12,18\n" {
            running.send([*byte]);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(running.line(), "\u{feff}12,18,6");
        running.finish().is(0, "", "");
    }
}

#[test]
fn a_header_without_rows_is_printed_and_one_that_arrives_alone_too() {
    for executor in EXECUTORS {
        run(&mut pmapgcd([executor, "--header", "--append"]), "a,b").is(0, "a,b,gcd\n", "");
        let mut running = crate::Running::start(&mut pmapgcd([executor, "--header", "--append"]));
        running.send("a,b\r\n");
        assert_eq!(running.line(), "a,b,gcd\r");
        running.send("12,18\n");
        assert_eq!(running.line(), "12,18,6");
        running.finish().is(0, "", "");
    }
}

#[test]
fn a_header_that_lacks_what_was_asked_for_is_told_with_what_there_is() {
    let case = |arguments: &[&str], header: &str, what: &str| {
        for executor in EXECUTORS {
            let finished = run(&mut pmapgcd([executor].iter().chain(arguments)), format!("\n{header}\n12,18,6\n"));
            finished.is(2, "", &format!("pmapgcd: stdin:2: {what}\n"));
        }
    };
    case(&["-kx,a"], "a,b", "there is no column \"x\": there are 2 columns, \"a\", \"b\"");
    case(&["-ka,3"], "a,b", "there is no column 3: there are 2 columns, \"a\", \"b\"");
    case(&["-ka,b"], "a,b,a", "column \"a\" is there more than once; use its number: 1 and 3");
    let what = "the header has a quote that is never closed: \"\\\"b\\n12,18,6\\n\"; if quotes are part of values, say so with --quote none";
    case(&["-ka,b"], "a,\"b", what);
    let taken = "there is a column \"gcd\" already; give the results another with --append=NAME";
    case(&["--append", "-k1,2", "--header"], "a,b,gcd", taken);
    case(&["--header"], "a,b\r12,18", &format!("the header {STRAY_RETURN}\"a,b\\r12,18\"{RETURNS_TO_LINES}"));
    let names = (1..=40).map(|number| format!("c{number}")).collect::<Vec<_>>();
    let listed = names[..30].iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    case(&["-kx,c1"], &names.join(","), &format!("there is no column \"x\": there are 40 columns, {listed}, …"));
}

#[test]
fn a_first_row_of_names_is_told_to_be_a_header() {
    let hint = "; if the first row is names, say so with --header\n";
    for (arguments, first_row, is_header) in [
        (&[][..], "a,b", true),
        (&[], "id,a,b", true),
        (&[], "größe,\"b\"", true),
        (&["-k2,3"], "id,a,b", true),
        (&["-k2,3"], "x7,a,12", false),
        (&[], "abc,18", false),
        (&[], "1.0,0x10", false),
        (&[], "1,2,3", false),
    ] {
        for executor in EXECUTORS {
            let arguments = || [executor].into_iter().chain(arguments.iter().copied());
            let finished = run(&mut pmapgcd(arguments()), format!("\n{first_row}\n1,2,3\n"));
            assert!(finished.stderr.starts_with("pmapgcd: stdin:2: "), "{finished:?}");
            assert_eq!(finished.stderr.ends_with(hint), is_header, "{finished:?}");
            let later =
                run(&mut pmapgcd(arguments().chain(["--bad-rows=skip"])), format!("12,18,12\n1,2\n{first_row}\n"));
            assert!(!later.stderr.contains("--header"), "{later:?}");
        }
    }
}

#[test]
fn formats_that_cannot_be_are_refused() {
    for (arguments, what) in [
        (&["-k", "1"][..], "--columns names 1 where 2 are expected, like -k 1,2"),
        (&["-k", "1,2,3"], "--columns names 3 where 2 are expected, like -k 1,2"),
        (&["-d", "\""], "--delimiter, --quote and --comment have to differ"),
        (&["--comment", ","], "--delimiter, --quote and --comment have to differ"),
        (&["--quote", "#", "--comment", "#"], "--delimiter, --quote and --comment have to differ"),
        (&["--append=x"], "--append=NAME is for a header, and there is none without --header"),
        (&["--max-bad", "3"], "--max-bad goes with --bad-rows skip or --bad-rows blank"),
        (
            &["--append=\"a,b\"", "--header", "--quote=none"],
            "the NAME of --append has the delimiter or a line end in it, and there are no quotes",
        ),
        (
            &["--append=\"a\nb\"", "--header", "--quote=none"],
            "the NAME of --append has the delimiter or a line end in it, and there are no quotes",
        ),
        (&["--compare", "-d;"], "--compare makes rows of two fields with a comma itself; give it a FILE for others"),
        (&["--compare", "--header"], "with a header, --compare takes one FILE, or rows from stdin"),
    ] {
        let finished = run(crate::shell("exec \"$0\" \"$@\" < /dev/null").args(arguments), "");
        finished.is(2, "", &format!("pmapgcd: {what}\n"));
    }
    for arguments in
        ["-k=", "-k0,1", "-ka,", "-k\"a", "-d=ab", "-d=5", "-d=-", "--quote=x", "--comment=é", "--max-bad=x"]
    {
        let finished = run(&mut pmapgcd([arguments]), "");
        assert_eq!(finished.status.code(), Some(2), "{finished:?}");
        assert!(finished.stderr.starts_with("error: invalid value"), "{finished:?}");
    }
}
