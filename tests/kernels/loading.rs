//! Kernels that cannot be loaded or opened, or only by the first process that tries.

use crate::EXECUTORS;
use crate::building::{folder, made};
use crate::common::{pmapgcd, run};

/// The text of a library that does `what` if the file that the variable `USED` names is there, and otherwise makes that file.
fn second(constructor: &str, open: &str) -> String {
    format!(
        "#include \"pmap_kernel.h\"\n#include <fcntl.h>\n#include <stdlib.h>\n#include <unistd.h>
static int is_second(void) {{
    int file = open(getenv(\"USED\"), O_WRONLY | O_CREAT | O_EXCL, 0600);\n    if (file < 0) return 1;\n    close(file);\n    return 0;\n}}
static void hang(void) {{ for (;;) pause(); }}
static int refuse(pmap_open *open) {{
    pmap_say(open->message, open->message_room, \"the device is in use\");\n    return 1;\n}}
__attribute__((constructor)) static void load(void) {{ (void)is_second; (void)refuse; (void)hang; {constructor} }}
static int32_t open_it(pmap_open *open) {{ (void)open; {open} return 0; }}
static uint64_t map(void *self, const pmap_batch *batch, pmap_results *results) {{
    (void)self; (void)results;\n    return batch->rows;\n}}
const pmap_kernel *pmap_kernel_v1(uint32_t index) {{
    static const pmap_kernel kernel = {{sizeof kernel, 0, \"second\", NULL, \"i64:i64\", NULL, open_it, map, NULL}};
    return index == 0 ? &kernel : NULL;\n}}\n"
    )
}

/// Returns the status and what is said. `is_used` says whether the first process to load the library is the second one already.
fn ended(kernel: &str, is_used: bool, arguments: &[&str]) -> (Option<i32>, String) {
    let used = tempfile::NamedTempFile::new_in(folder()).unwrap().into_temp_path();
    if !is_used {
        std::fs::remove_file(&used).unwrap();
    }
    let mut command = pmapgcd(["-j2", "--kernel", kernel, "--header", "--append=x"]);
    let finished = run(command.args(arguments).env("USED", &used).current_dir(folder()), "n\n1\n2\n3\n");
    (finished.status.code(), finished.stderr)
}

#[test]
fn a_kernel_that_opens_for_the_probe_alone_ends_the_run_with_one_message() {
    let second = made("second", &second("", "if (is_second()) return refuse(open);"));
    for executor in EXECUTORS {
        let said = "pmapgcd: --kernel: ./libsecond.so: second cannot be opened: the device is in use\n";
        assert_eq!(ended(&second, false, &["--executor", executor]), (Some(2), said.to_string()), "{executor}");
    }
}

#[test]
fn a_library_that_hangs_is_told_and_ends_the_run_by_block_timeout() {
    let constructor = made("hangs", &second("if (is_second()) hang();", ""));
    let open = made("hangs_open", &second("", "if (is_second()) hang();"));
    // In workers alone, which is not known before they start.
    let said = "pmapgcd: no worker takes up the next rows: something hangs as they start, as a library may, or one has spoilt the memory\n";
    assert_eq!(ended(&constructor, false, &["--block-timeout=0.1"]), (Some(3), said.to_string()));
    for library in [constructor, open] {
        let slow = "its library takes longer to load and to open than --block-timeout allows";
        let said = format!("pmapgcd: --kernel {library} cannot be used: {slow}, 0.5 seconds\n");
        assert_eq!(ended(&library, true, &["--block-timeout=0.5"]), (Some(2), said));
        if library.contains("open") {
            let said = format!(
                "pmapgcd: --kernel {library}: its library takes long to load or to open; still waiting\n\
                 pmapgcd: --kernel {library} cannot be used: {slow}, 5.5 seconds\n"
            );
            assert_eq!(ended(&library, true, &["--block-timeout=5.5"]), (Some(2), said));
        }
    }
}
