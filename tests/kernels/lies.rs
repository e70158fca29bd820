//! What a kernel answers that cannot be: its row is lost, and no other one.

use crate::building::{library, made};
use crate::{EXECUTORS, always, mapped};

#[test]
fn a_lie_costs_its_row_and_none_before_it() {
    let lie = library("wild.c") + ":lie";
    let unset = "the kernel has not set the offset behind the result, which a missing text needs too";
    for (number, what) in [
        (1, "the kernel says that it has mapped "),
        (3, "the kernel's offset of the result is outside of its room, or before the last one"),
        (5, "the kernel's result is not UTF-8"),
        (7, "the result is longer than a block; use a larger --block-size"),
        (8, "the kernel has moved the offset of the first result"),
        (9, unset),
    ] {
        let is_lie = |row: usize| row % 41 == 12 || row == 700;
        let input: String =
            (0..1500).map(|row| if is_lie(row) { format!("{number}\n") } else { "0\n".into() }).collect();
        let expected: String = (0..1500).map(|row| if is_lie(row) { "\n" } else { "good\n" }).collect();
        for executor in EXECUTORS {
            let finished = mapped(&lie, &["-j2", "--bad-rows=blank", "--executor", executor], &input);
            assert_eq!(String::from_utf8(finished.stdout).unwrap(), expected, "{number} {executor}");
            assert!(finished.stderr.contains(&format!("stdin:13: {what}")), "{}", finished.stderr);
            let bad = (0..1500).filter(|&row| is_lie(row)).count();
            assert!(finished.stderr.ends_with(&format!("pmapgcd: {bad} bad rows\n")), "{}", finished.stderr);
        }
    }
    let rows: String = (1..=40).map(|number| format!("{number}\n")).collect();
    let why = "pmapgcd: stdin:13: the kernel has mapped fewer rows than it was given, and does not say why\n";
    let stderr = format!("{why}pmapgcd: 1 bad row\n");
    let idle = library("wild.c") + ":idle";
    always(&idle, &["--bad-rows=skip"], &rows, 1, &rows.replace("\n13\n", "\n"), &stderr);
}

#[test]
fn a_missing_text_without_its_offset_does_not_spoil_others() {
    let forgets = made(
        "forgets",
        "#include \"pmap_kernel.h\"
static uint64_t map(void *self, const pmap_batch *batch, pmap_results *results) {
    const pmap_column *in = pmap_column_at(batch, 0);
    const pmap_result *out = pmap_result_at(results, 0);
    uint64_t row;
    (void)self;
    for (row = 0; row < batch->rows; row++) {
        size_t length;
        const char *text = pmap_text(in, row, &length);
        if (pmap_is_missing(in, row)) {
            pmap_set_missing(out, row);
            continue;
        }
        if (!pmap_set_text(out, row, text, length)) return row;
    }
    return batch->rows;
}
const pmap_kernel *pmap_kernel_v1(uint32_t index) {
    static const pmap_kernel kernel = {sizeof kernel, 1, \"forgets\", NULL, \"text/na:text\", NULL, NULL, map, NULL};
    return index == 0 ? &kernel : NULL;
}
",
    );
    let is_missing = |row: usize| row % 83 == 1;
    let word = |row: usize| if is_missing(row) { String::new() } else { format!("word{}", "x".repeat(row % 9)) };
    let input: String = (0..5000).map(|row| format!("{row},{}\n", word(row))).collect();
    let expected: String = (0..5000).map(|row| word(row) + "\n").collect();
    for executor in EXECUTORS {
        let finished = mapped(&forgets, &["-j2", "-k2", "--bad-rows=blank", "--executor", executor], &input);
        assert_eq!(String::from_utf8(finished.stdout).unwrap(), expected, "{executor}");
        let says = "stdin:2: the kernel has not set the offset behind the result, which a missing text needs too\n";
        let bad = (0..5000).filter(|&row| is_missing(row)).count();
        assert!(
            finished.stderr.contains(says) && finished.stderr.ends_with(&format!("pmapgcd: {bad} bad rows\n")),
            "{}",
            finished.stderr
        );
    }
}

#[test]
fn a_kernel_has_as_much_stack_in_every_executor() {
    always(&(library("wild.c") + ":deep"), &[], "7\n8\n", 0, "7\n8\n", "");
}

#[test]
fn a_text_that_looks_like_a_comment_stands_in_quotes() {
    let copy = library("text.c") + ":copy";
    always(&copy, &["--comment=#"], "# no row\n\"#a\"\nb#\n", 0, "\"#a\"\nb#\n", "");
}
