//! `--kernel`: functions of libraries in C, C++ and Rust, mapped over rows. The libraries are those of `examples/kernels`, and some that
//! are made here; each is built once, with `cc`, `c++` or `cargo`.

#[path = "kernels/building.rs"]
mod building;
mod common;
#[path = "kernels/contract.rs"]
mod contract;
#[path = "kernels/lies.rs"]
mod lies;
#[path = "kernels/loading.rs"]
mod loading;
#[path = "kernels/plain.rs"]
mod plain;
#[path = "kernels/refusals.rs"]
mod refusals;

use building::{folder, library};
use common::{Finished, pmapgcd, run};

const EXECUTORS: [&str; 4] = ["serial", "threads", "pickle", "shared"];

/// Runs with a kernel, in the folder of the libraries.
fn mapped(kernel: &str, arguments: &[&str], stdin: &str) -> Finished {
    run(pmapgcd(["--kernel", kernel]).args(arguments).current_dir(folder()), stdin)
}

/// Checks that a kernel gives these results, whatever the executor and the size of blocks.
#[track_caller]
fn always(kernel: &str, arguments: &[&str], stdin: &str, status: i32, stdout: &str, stderr: &str) {
    for executor in EXECUTORS {
        let sizes: &[&str] = if executor == "shared" { &["100", "128K"] } else { &["128K"] };
        for size in sizes {
            let way = ["-j2", "--executor", executor, "--block-size", size];
            mapped(kernel, &[&way, arguments].concat(), stdin).is(status, stdout, stderr);
        }
    }
}

#[test]
fn a_kernel_of_numbers_maps_as_the_stock_one_does() {
    let rows: Vec<String> = (0..3000u64).map(|n| format!("{},{}\n", n * 7919 % 5000, n * 104729 % 7000)).collect();
    let odd = "\"12\", 18 \n18446744073709551615,+5\r\n00000000000000000000012,-0\n";
    let input = rows.concat() + odd;
    let expected = String::from_utf8(run(&mut pmapgcd(["-j2"]), input.clone()).stdout).unwrap();
    assert_eq!(expected.lines().count(), 3003);
    for library in [library("gcd.c"), library("stock.rs")] {
        always(&library, &[], &input, 0, &expected, "");
    }
    let plain = library("gcd.c") + ":euclid";
    always(&plain, &["--types", "u64,u64:u64"], &input, 0, &expected, "");
}

#[test]
fn arguments_make_a_state_and_a_row_can_be_bad() {
    let modpow = library("modpow.c");
    let with = |more: &'static str| ["--kernel-args", "modulus=1000", more];
    let bad = "pmapgcd: stdin:2: field 2 is a negative exponent\n";
    always(&modpow, &with("--bad-rows=stop"), "2,10\n3,-1\n2,20\n", 1, "24\n", bad);
    let stderr = bad.to_string() + "pmapgcd: 1 bad row\n";
    always(&modpow, &with("--bad-rows=skip"), "2,10\n3,-1\n2,20\n", 1, "24\n576\n", &stderr);
    // The number is that of the column in the row.
    let chosen = ["--kernel-args", "modulus=9", "-k3,1"];
    always(&modpow, &chosen, "-2,x,3\n", 1, "", "pmapgcd: stdin:1: field 1 is a negative exponent\n");
    let rejects = folder().join("rejects.csv");
    let file = rejects.to_str().unwrap();
    let options = ["--kernel-args", "modulus=9", "--bad-rows=skip", "--rejects", file];
    mapped(&modpow, &options, "1,1\n7,-7\n").is(1, "1\n", &stderr);
    let expected = "file,line,offset,field,reason,row\nstdin,2,4,2,field 2 is a negative exponent,\"7,-7\"\n";
    assert_eq!(std::fs::read_to_string(rejects).unwrap(), expected);
    for (args, what) in [
        ("", "--kernel-args 'modulus=N' is expected"),
        ("modulus=0", "the modulus is not a number from 1 to 4294967295"),
    ] {
        let stderr = format!("pmapgcd: --kernel: {modpow}: modpow cannot be opened: {what}\n");
        always(&modpow, &["--kernel-args", args], "1,2\n", 2, "", &stderr);
    }
}

#[test]
fn many_bad_rows_are_told_apart_from_good_ones() {
    let rows: String = (0..2000).map(|n| format!("{n},{}\n", if n % 3 == 0 { -1 } else { 1 })).collect();
    let good: String = (0..2000).map(|n| if n % 3 == 0 { "\n".to_string() } else { format!("{}\n", n % 7) }).collect();
    for executor in EXECUTORS {
        let options = ["--kernel-args", "modulus=7", "--bad-rows=blank", "-j2", "--executor", executor];
        let finished = mapped(&library("modpow.c"), &options, &rows);
        assert_eq!((finished.status.code(), String::from_utf8(finished.stdout).unwrap()), (Some(1), good.clone()));
        assert!(finished.stderr.ends_with("pmapgcd: 667 bad rows\n"), "{}", finished.stderr);
    }
}

#[test]
fn values_may_be_missing_and_results_several() {
    let mean = library("mean.c");
    let input = "day,a,b,c\nmo,1,2,\ntu,,NA,\nwe,4,5.5,6\nth,1,x,2\n";
    let bad = "pmapgcd: stdin:5: field 3 is not a number: \"x\"\npmapgcd: 1 bad row\n";
    let options = ["-ka,b,c", "--na", "NA", "--bad-rows=blank"];
    let plain = "1.5,2\n,0\n5.166666666666667,3\n,\n";
    always(&mean, &options, input, 1, plain, bad);
    let appended =
        "day,a,b,c,average,\"n, all\"\nmo,1,2,,1.5,2\ntu,,NA,,,0\nwe,4,5.5,6,5.166666666666667,3\nth,1,x,2,,\n";
    always(&mean, &[&options[..], &["--append=average,\"n, all\""]].concat(), input, 1, appended, bad);
    let own = appended.replace("average,\"n, all\"", "mean,count");
    always(&mean, &[&options[..], &["--append"]].concat(), input, 1, &own, bad);
    // Rows of any length, where no columns are chosen.
    always(&mean, &[], "1\n1,2\n1,2,3\n,\n4\n", 0, "1.0,1\n1.5,2\n2.0,3\n,0\n4.0,1\n", "");
    // Between blanks an empty field is NA.
    always(&mean, &["-dblank", "--na=NA"], "NA NA\n1 2\n", 0, "NA 0\n1.5 2\n", "");
}

#[test]
fn texts_are_what_they_were_and_grow_as_long_as_a_block() {
    let text = library("text.c");
    let rows = "a b\n\"a,b\"\n\"say \"\"x\"\"\"\n é \n\"line\nend\"\n\" \"\n";
    always(&(text.clone() + ":copy"), &[], rows, 0, &rows.replace("\"a b\"", "a b"), "");
    let repeat = text + ":repeat";
    let long = "0123456789".repeat(12_000);
    let result = format!("{}\n", "0123456789".repeat(12_000));
    for executor in EXECUTORS {
        let of = |arguments: &[&str], stdin: &str| {
            mapped(&repeat, &[&["--executor", executor, "-j1"], arguments].concat(), stdin)
        };
        of(&[], &format!("ab,3\n0123456789,12000\n{},0\nab,2\n", &long[..100])).is(
            0,
            format!("ababab\n{result}\"\"\nabab\n"),
            "",
        );
        let longer = "the result is longer than a block; use a larger --block-size";
        of(&[], "0123456789,14000\n").is(1, "", &format!("pmapgcd: stdin:1: {longer}\n"));
        of(&["--block-size=256K"], "0123456789,14000\n").is(0, "0123456789".repeat(14_000) + "\n", "");
        // Results that fill many rooms.
        let many = of(&[], &"0123456789,5000\n".repeat(100));
        assert_eq!((many.status.code(), many.stdout.len()), (Some(0), 100 * 50_001), "{}", many.stderr);
    }
    let not_text = run(pmapgcd(["--kernel", &repeat]).current_dir(folder()), b"\xff,1\n".to_vec());
    not_text.is(1, "", "pmapgcd: stdin:1: field 1 is not UTF-8: \"\\xff\"\n");
}

#[test]
fn kernels_in_cpp_and_with_names_for_their_results() {
    let bad = "pmapgcd: stdin:3: field 2 has no word in it\npmapgcd: 1 bad row\n";
    let options = ["-ktitle", "--append", "--bad-rows=skip"];
    let expected = "id,title,words,longest\n1,the C language,3,language\n";
    always(&library("words.cpp"), &options, "id,title\n1,the C language\n2,\n", 1, expected, bad);
    let input = "lat1,lon1,lat2,lon2\n0,0,0,90\n91,0,0,0\n";
    let expected = "lat1,lon1,lat2,lon2,km,bearing\n0,0,0,90,10007.543398010284,90.0\n";
    let bad = "pmapgcd: stdin:3: field 1 is not a latitude\n";
    always(&library("geo.c"), &["--header", "--append"], input, 1, expected, bad);
}

#[test]
fn a_comparison_compares_kernels_too() {
    let path = folder().join("rows.csv");
    std::fs::write(&path, "12,18\n".repeat(20)).unwrap();
    let finished = mapped(&library("gcd.c"), &["--compare", "--json", "-j2", path.to_str().unwrap()], "");
    let report: serde_json::Value = serde_json::from_slice(&finished.stdout).unwrap_or_else(|_| panic!("{finished:?}"));
    assert_eq!(report["executors"].as_array().unwrap().len(), 4, "{report}");
}

#[test]
fn ranges_of_a_file_give_the_same_together() {
    let path = folder().join("ranges.csv");
    let rows: String = (1..500).map(|n| format!("{n},{}\n", n * 6)).collect();
    std::fs::write(&path, rows).unwrap();
    let (file, gcd) = (path.to_str().unwrap(), library("gcd.c"));
    let all = mapped(&gcd, &[file], "").stdout;
    let split = String::from_utf8(mapped(&gcd, &["--split=3", file], "").stdout).unwrap();
    let part = |line: &str| {
        let (range, first) = line.rsplit_once(',').unwrap();
        mapped(&gcd, &["--range", range, "--first-line", first, file], "").stdout
    };
    assert_eq!(split.lines().map(part).collect::<Vec<_>>().concat(), all);
}
