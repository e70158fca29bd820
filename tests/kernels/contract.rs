//! What kernels must not do, and what it costs when they do it: their rows. And the two sides of the ABI, of different versions.

use crate::building::{folder, library, made};
use crate::{EXECUTORS, always, mapped};
use std::path::Path;
use std::process::Command;

#[test]
fn a_crash_costs_its_row() {
    let crash = library("wild.c") + ":crash";
    let input: String = (1..=40).map(|n| format!("{n}\n")).collect();
    let finished = mapped(&crash, &["-j2", "--bad-rows=skip"], &input);
    assert_eq!(String::from_utf8(finished.stdout).unwrap(), input.replace("\n13\n", "\n"));
    let named = "pmapgcd: stdin:13: workers keep dying on this row: the last one was killed by SIGSEGV\n";
    assert!(
        finished.stderr.contains(named) && finished.stderr.ends_with("pmapgcd: 1 bad row\n"),
        "{}",
        finished.stderr
    );
}

#[test]
fn what_a_kernel_says_wrongly_is_a_bad_row() {
    let lie = library("wild.c") + ":lie";
    let outside = "the kernel's offset of the result is outside of its room, or before the last one";
    for (number, what) in [
        (3, outside),
        (4, outside),
        (5, "the kernel's result is not UTF-8"),
        (6, "column 99 is bad\\u{1b}[7m"),
        (7, "the result is longer than a block; use a larger --block-size"),
    ] {
        let (input, expected) = (format!("0\n0\n{number}\n0\n"), "good\ngood\n\ngood\n");
        let stderr = format!("pmapgcd: stdin:3: {what}\npmapgcd: 1 bad row\n");
        always(&lie, &["--bad-rows=blank"], &input, 1, expected, &stderr);
    }
    // Every third of many rows is bad, some of them one behind the other.
    let all: Vec<bool> = (0..3000).map(|row| row % 3 == 0 || row % 100 < 3).collect();
    let input: String = all.iter().map(|&is_bad| if is_bad { "6\n" } else { "0\n" }).collect();
    let expected: String = all.iter().map(|&is_bad| if is_bad { "\n" } else { "good\n" }).collect();
    for executor in EXECUTORS {
        let finished = mapped(&lie, &["--bad-rows=blank", "--executor", executor], &input);
        assert_eq!(finished.stdout, expected.as_bytes(), "{executor}");
        let bad = all.iter().filter(|is_bad| **is_bad).count();
        assert!(finished.stderr.ends_with(&format!("pmapgcd: {bad} bad rows\n")), "{}", finished.stderr);
    }
    // A count that cannot be: nothing that came with it is believed, so each row of its batch is tried alone.
    for executor in EXECUTORS {
        let finished = mapped(&lie, &["--bad-rows=blank", "--executor", executor], "1\n0\n");
        assert_eq!(finished.stdout, b"\ngood\n", "{}", finished.stderr);
        assert!(finished.stderr.contains("the kernel says that it has mapped "), "{}", finished.stderr);
    }
    let lazy = "pmapgcd: stdin:1: the kernel has mapped fewer rows than it was given, and does not say why\n";
    always(&(library("wild.c") + ":lazy"), &[], "1\n2\n", 1, "", lazy);
    let rows: String = (1..=2000).map(|number| format!("{number}\n")).collect();
    always(&(library("wild.c") + ":step"), &[], &rows, 0, &rows, "");
}

#[test]
fn a_kernel_that_ends_the_process_does_not_end_the_run_well() {
    for executor in ["serial", "threads"] {
        let finished = mapped("exit", &["--types", "i32:i32", "--executor", executor], "0\n0\n");
        let said =
            "pmapgcd: the kernel has called exit: the rows that it was given, and all behind them, have no results\n";
        finished.is(3, "", said);
        let quick = mapped("quick_exit", &["--types", "i32:i32", "--executor", executor], "0\n0\n");
        quick.is(3, "", said);
    }
    let finished = mapped("exit", &["--types", "i32:i32", "--bad-rows=skip"], "0\n");
    assert!(finished.stderr.contains("stdin:1: workers keep dying on this row"), "{}", finished.stderr);
}

#[test]
fn what_a_kernel_prints_is_never_among_the_results() {
    let print = library("wild.c") + ":print";
    let (rows, file) = ("1\n2\n3\n", folder().join("printed.csv"));
    for executor in EXECUTORS {
        let finished = mapped(&print, &["--executor", executor], rows);
        assert_eq!(finished.stdout, rows.as_bytes(), "{executor}");
        assert!(
            finished.stderr.contains("printed by printf\n") && finished.stderr.contains("printed by write\n"),
            "{executor}"
        );
        let finished = mapped(&print, &["--executor", executor, "-o", file.to_str().unwrap()], rows);
        assert_eq!(
            (finished.stdout.len(), std::fs::read_to_string(&file).unwrap()),
            (0, rows.to_string()),
            "{executor}"
        );
        mapped(&print, &["--executor", executor, "-o", "/dev/stdout"], rows);
    }
}

#[test]
fn a_self_contained_kernel_is_confined_with_all_its_threads() {
    let wild = library("wild.c");
    for executor in ["pickle", "shared"] {
        let files = |kernel: &str, more: &[&str]| {
            mapped(&format!("{wild}:{kernel}"), &[&["--executor", executor], more].concat(), "1\n").stdout
        };
        assert_eq!(files("files", &[]), b"denied,2\n", "{executor}");
        assert_eq!(files("files", &["--no-sandbox"]), b"open,1\n", "{executor}");
        assert_eq!(files("free", &[]), b"open,1\n", "{executor}");
        // Only a confined kernel has a limit of address space by default.
        assert_eq!(files("little", &[]), b"0\n", "{executor}");
        assert_eq!(files("space", &[]), b"1\n", "{executor}");
        assert_eq!(files("space", &["--worker-memory=1G"]), b"0\n", "{executor}");
    }
}

#[test]
fn what_is_opened_in_this_process_is_closed() {
    let text = "#include \"pmap_kernel.h\"\n#include <fcntl.h>\n#include <unistd.h>\n#include <stdlib.h>
static void note(const char *file, const char *what) {
    int to = open(file, O_WRONLY | O_APPEND | O_CREAT, 0600);\n    if (write(to, what, 1) != 1) abort();\n    close(to);\n}
static int32_t open_it(pmap_open *open) { note(open->args, \"o\"); open->self = strdup(open->args); return 0; }
static void close_it(void *self) { note((char *)self, \"c\"); free(self); }
static uint64_t map(void *self, const pmap_batch *batch, pmap_results *results) {
    uint64_t row;\n    if (!self) abort();
    for (row = 0; row < batch->rows; row++) ((int32_t *)pmap_result_at(results, 0)->values)[row] = 1;\n    return row;\n}
const pmap_kernel *pmap_kernel_v1(uint32_t index) {
    static const pmap_kernel kernel = {sizeof kernel, 0, \"noted\", NULL, \"text:i32\", NULL, open_it, map, close_it};
    return index == 0 ? &kernel : NULL;\n}\n";
    let noted = made("noted", text);
    for executor in EXECUTORS {
        let file = folder().join(format!("noted.{executor}"));
        let options = ["-j3", "--executor", executor, "--block-size=64", "--kernel-args", file.to_str().unwrap()];
        mapped(&noted, &options, &"abc\n".repeat(1000)).is(0, "1\n".repeat(1000), "");
        let notes = std::fs::read_to_string(file).unwrap();
        let count = |note: char| notes.matches(note).count();
        // The process that asks what the kernel is, and then this one or each of its threads, or the workers, which are killed.
        match executor {
            "serial" => assert_eq!(notes, "ococ"),
            "threads" => assert!(count('o') == count('c') && (3..=5).contains(&count('o')), "{notes}"),
            _ => {
                assert!(notes.starts_with("oc") && count('c') <= count('o') && (2..=4).contains(&count('o')), "{notes}")
            }
        }
    }
}

/// A kernel whose struct has more at its end, or less, or flags of the future.
fn kernel(size: &str, flags: &str, more: &str) -> String {
    format!(
        "#include \"pmap_kernel.h\"\nstatic uint64_t map(void *self, const pmap_batch *batch, pmap_results *results) {{
    uint64_t row;\n    (void)self;\n    for (row = 0; row < batch->rows; row++)
        ((int64_t *)pmap_result_at(results, 0)->values)[row] = 2 * ((const int64_t *)pmap_column_at(batch, 0)->values)[row];
    return batch->rows;\n}}
struct newer {{ pmap_kernel kernel; {more} }};\nconst pmap_kernel *pmap_kernel_v1(uint32_t index) {{
    static struct newer newer;\n    newer.kernel.size = {size};\n    newer.kernel.flags = {flags};\n    newer.kernel.name = \"twice\";
    newer.kernel.types = \"i64:i64\";\n    newer.kernel.map = map;\n    return index == 0 ? &newer.kernel : NULL;\n}}\n"
    )
}

#[test]
fn a_newer_kernel_works_with_this_program_unless_it_says_that_it_cannot() {
    let longer = made("longer", &kernel("sizeof(struct newer)", "0", "uint64_t more[9];"));
    always(&longer, &[], "21\n", 0, "42\n", "");
    let shorter = mapped(&made("shorter", &kernel("16", "0", "int more;")), &[], "1\n");
    assert!(shorter.stderr.contains("has a pmap_kernel of 16 bytes; the first version has 64"), "{}", shorter.stderr);
    let flags = mapped(&made("flags", &kernel("sizeof(pmap_kernel)", "6", "int more;")), &[], "1\n");
    let says = "has a kernel with flags that this version of the program does not know (0x6): update the program";
    assert!(flags.status.code() == Some(2) && flags.stderr.contains(says), "{}", flags.stderr);
}

#[test]
fn kernels_work_with_a_newer_program() {
    library("mean.c");
    library("text.c");
    let host = folder().join("host");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = Command::new("cc")
        .args(["-std=c99", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(root.join("include"))
        .arg("-o")
        .arg(&host)
        .arg(root.join("tests/kernels/host.c"))
        .arg("-ldl")
        .status()
        .unwrap();
    assert!(built.success());
    for cut in ["0", "8", "64"] {
        let run = Command::new(&host)
            .args([folder().join("libmean.so"), folder().join("libtext.so")])
            .arg(cut)
            .output()
            .unwrap();
        let found = String::from_utf8(run.stdout).unwrap();
        assert_eq!((run.status.code(), found.as_str()), (Some(0), "1.5 2\n- 0\nab \n"), "{cut}");
    }
}
