//! What is said of a kernel that is not to be had, or of options that do not suit it.

use crate::building::{folder, library, made};
use crate::common::{pmapgcd, run};
use crate::mapped;

/// Checks that nothing is mapped, and what is said.
#[track_caller]
fn refused(kernel: &str, arguments: &[&str], says: &str) {
    let finished = mapped(kernel, arguments, "1,2\n");
    assert_eq!((finished.status.code(), &finished.stdout[..]), (Some(2), &b""[..]), "{finished:?}");
    assert!(finished.stderr.contains(says), "{}", finished.stderr);
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
}

#[test]
fn a_name_that_is_none_gets_near_ones() {
    refused("hypott", &[], "there is no kernel hypott; hypot is meant, perhaps. A kernel is gcd, a function of libm");
    refused("lcm", &[], "there is no kernel lcm. A kernel is gcd, a function of libm or libc (--kernel hypot --types");
    library("gcd.c");
    refused(
        "libgcd.so",
        &[],
        "cannot open shared object file: No such file or directory; say ./libgcd.so, which is here",
    );
    refused("libgcd", &[], "there is no kernel libgcd; say ./libgcd.so, which is here.");
    refused("./none.so", &[], "--kernel: ./none.so cannot be loaded: cannot open shared object file");
    refused("", &[], "a kernel is expected");
    refused("./libgcd.so:", &[], "the name of a function is expected behind the colon");
    refused("./libgcd.so:gdc", &[], "./libgcd.so has no function gdc; its kernels are gcd");
    refused("hypot", &[], "hypot is a plain function: say what it takes and returns, as in --types f64,f64:f64");
    let nothing = made("nothing", "int nothing(void) { return 0; }\n");
    refused(
        &nothing,
        &[],
        "./libnothing.so has no pmap_kernel_v1, which a kernel of columns exports; a plain C function is named",
    );
    refused(
        &(nothing + ":none"),
        &["--types=i32:i32"],
        "has no function none; a function of C++ has its plain name if",
    );
    refused(&library("text.c"), &[], "./libtext.so has several kernels, copy, repeat; say which: ./libtext.so:copy");
    let folder_name = folder().to_str().unwrap();
    refused(folder_name, &[], "cannot be loaded: ");
}

#[test]
fn options_that_do_not_suit_are_refused() {
    let gcd = library("gcd.c");
    for (types, says) in [
        (
            "double,double:double",
            "there is no type 'double' among i32 i64 u32 u64 f32 f64 text, and with --python int bool; f64 is meant",
        ),
        ("f64,f64", "there is no colon"),
    ] {
        let finished = mapped("hypot", &["--types", types], "");
        assert!(finished.status.code() == Some(2) && finished.stderr.contains(says), "{}", finished.stderr);
    }
    refused("hypot", &["--types", "f64,f64/na:f64"], "/na: that is for a kernel which exports pmap_kernel_v1");
    refused("hypot", &["--types", "f64,f64:f64", "--kernel-args=x"], "--kernel-args is for kernels that are opened");
    refused(
        "hypot",
        &["--types", "f64,f64:f64", "--algorithm=euclid"],
        "--algorithm is for the kernel gcd, and --kernel is hypot",
    );
    refused("hypot", &["--types", "f64,f64:f64", "--base=16"], "--base is for the kernel gcd, and --kernel is hypot");
    refused(
        "hypot",
        &["--types", "f64,f64:f64", "--max-digits=9"],
        "--max-digits is for the kernel gcd, and --kernel is hypot",
    );
    refused("gcd", &["--types", "f64,f64:f64"], "are for other kernels than gcd");
    refused(&gcd, &["--types", "f64,f64:f64"], "--types f64,f64:f64: gcd says its types itself, u64,u64:u64");
    refused(&gcd, &["-k1"], "--columns names 1 where 2 are expected");
    refused(
        &gcd,
        &["--header", "--append=a,b"],
        "--append names 2 columns, and a row has 1 result; as in -k, a name with a comma",
    );
    refused(&library("geo.c"), &["--header", "--append=a"], "--append names 1 column, and a row has 2 results");
    refused(&library("geo.c"), &["--header", "--append=a,"], "--append has an empty name in it");
    for option in ["--command=cat", "--command-mode=block", "--command-input=csv", "--command-ok=1"] {
        let both = run(&mut pmapgcd(["--kernel", "gcd", option]), "");
        assert!(both.status.code() == Some(2) && both.stderr.contains("cannot be used with"), "{}", both.stderr);
    }
    for option in ["--types=f64:f64", "--kernel-args=x", "--describe"] {
        let alone = run(&mut pmapgcd([option]), "");
        assert!(alone.status.code() == Some(2) && alone.stderr.contains("--kernel"), "{}", alone.stderr);
    }
    run(&mut pmapgcd(["--kernel", "gcd", "--algorithm", "euclid"]), "12,18\n").is(0, "6\n", "");
    let twice = mapped(&library("geo.c"), &["--header", "--append=a,a"], "a1,b,c,d\n0,0,0,0\n");
    assert!(
        twice.status.code() == Some(2) && twice.stderr.contains("two results have the name \"a\""),
        "{}",
        twice.stderr
    );
}

#[test]
fn a_library_that_runs_wild_when_it_is_loaded_costs_the_probe() {
    let says = "cannot be used: the process that loaded its library, to look at it, was killed by SIGABRT";
    let abort =
        made("aborts", "#include <stdlib.h>\n__attribute__((constructor)) static void wild(void) { abort(); }\n");
    let newer = made("newer", "const void *pmap_kernel_v2(unsigned index) { (void)index; return 0; }\n");
    let empty = made("empty", "const void *pmap_kernel_v1(unsigned index) { (void)index; return 0; }\n");
    for executor in ["serial", "threads", "pickle", "shared"] {
        refused(&abort, &["--executor", executor], says);
        refused(
            &newer,
            &["--executor", executor],
            "exports pmap_kernel_v2 for a newer version of this program, which knows pmap_kernel_v1: update",
        );
    }
    refused(&empty, &[], "exports pmap_kernel_v1 and no kernel");
    refused(&(library("wild.c") + ":refuse"), &[], "refuse cannot be opened: the model is not there");
}

#[test]
fn a_kernel_is_described_by_itself() {
    let described = |kernel: &str, arguments: &[&str], expected: &str| {
        mapped(kernel, &[&["--describe"], arguments].concat(), "").is(0, expected, "");
    };
    described(&library("gcd.c"), &[], "gcd 1.0: u64,u64:u64, results gcd, confined\n");
    described(
        &library("text.c"),
        &[],
        "copy: text:text, results copy, confined\nrepeat: text,u32:text, results repeat, confined\n",
    );
    described(&library("mean.c"), &[], "mean 1.0: f64/na,...:f64,u32, results mean,count, confined\n");
    described("hypot", &["--types=f64,f64:f64"], "hypot: f64,f64:f64, results hypot, confined\n");
    described("gcd", &[], &format!("gcd {}: integer,integer:integer, confined\n", env!("CARGO_PKG_VERSION")));
    let by_args = library("wild.c") + ":by_args";
    described(&by_args, &["--kernel-args=text"], "by_args: text:text, results answer, not confined\n");
    described(&by_args, &[], "by_args: i64:i64, results answer, not confined\n");
    let all = mapped(&library("wild.c"), &["--describe"], "");
    assert!(
        String::from_utf8(all.stdout).unwrap().contains("\nby_args: types by --kernel-args, not confined\n"),
        "{}",
        all.stderr
    );
}

/// A library with kernels of these names and types, and this at the end of `pmap_kernel_v1`.
fn kernels(list: &[(&str, &str, &str)], end: &str) -> String {
    let kernel = |(name, types, names): &(&str, &str, &str)| {
        let text = |text: &str| if text.is_empty() { "NULL".to_string() } else { format!("\"{text}\"") };
        format!("{{sizeof(pmap_kernel), 0, \"{name}\", NULL, {}, {}, NULL, map, NULL}},", text(types), text(names))
    };
    format!(
        "#include \"pmap_kernel.h\"\nint data = 1;
static uint64_t map(void *self, const pmap_batch *batch, pmap_results *results) {{
    (void)self; (void)results;\n    return batch->rows;\n}}
const pmap_kernel *pmap_kernel_v1(uint32_t index) {{
    static const pmap_kernel kernels[] = {{{}}};\n    (void)index;\n    {end}\n}}\n",
        list.iter().map(kernel).collect::<String>()
    )
}

#[test]
fn libraries_that_are_wrong_are_told_what_is_wrong_with_them() {
    let end = format!("return index < {} ? &kernels[index] : NULL;", 2);
    let endless = made("endless", &kernels(&[("e", "i64:i64", "")], "return &kernels[0];"));
    let no_end =
        "./libendless.so has a pmap_kernel_v1 that does not come to an end: behind the last kernel it returns NULL";
    let twice = made("twice", &kernels(&[("e", "i64:i64", ""), ("e", "i64:i64", "")], &end));
    let bad = made("bad_types", &kernels(&[("good", "i64:i64", ""), ("odd", "i64,double:i64", "")], &end));
    let names = made("bad_names", &kernels(&[("good", "i64:i64", ""), ("odd", "i64:i64", "a,b")], &end));
    made("two", &kernels(&[("good", "i64:i64", ""), ("other", "i64:i64", "")], &end));
    let none = made("no_types", &kernels(&[("good", "i64:i64", ""), ("odd", "", "")], &end));
    for more in [&[][..], &["--describe"]] {
        refused(&endless, more, no_end);
    }
    refused(&twice, &["--describe"], "./libtwice.so has two kernels with the name e: each needs one of its own");
    for (library, what) in [
        (bad, "./libbad_types.so: the types of odd, i64,double:i64: there is no type 'double'"),
        (names, "./libbad_names.so: odd has 1 result and 2 names for them"),
        (none, "./libno_types.so: odd does not say its types"),
    ] {
        refused(&library, &["--describe"], what);
        refused(&(library.clone() + ":odd"), &[], what);
        refused(
            &(library + ":good"),
            &["--kernel-args=x"],
            "--kernel-args is for kernels that are opened, and good has no",
        );
    }
    refused("./libtwo.so:data", &["--types=i32:i32"], "data is data, and no function");
    refused("stdout", &["--types=i32:i32"], "stdout is data, and no function");
    let mut library = std::fs::read(folder().join("libendless.so")).unwrap();
    library[18..20].copy_from_slice(if cfg!(target_arch = "aarch64") { &[62, 0] } else { &[183, 0] });
    std::fs::write(folder().join("libother.so"), library).unwrap();
    let other = if cfg!(target_arch = "aarch64") { "x86_64" } else { "aarch64" };
    refused(
        "./libother.so",
        &[],
        &format!("./libother.so cannot be loaded: it is a library for {other}, and this program"),
    );
}

#[test]
fn options_that_would_be_ignored_are_refused() {
    let text = library("text.c");
    for options in [
        &["--describe", "-ofile"][..],
        &["--describe", "--compare"],
        &["--describe", "--rejects=file"],
        &["--describe", "--split=2"],
        &["--python-batch"],
    ] {
        let finished = mapped(&text, options, "");
        let is_refused = finished.stderr.contains("cannot be used with") && finished.stdout.is_empty();
        assert!(finished.status.code() == Some(2) && is_refused, "{options:?} {finished:?}");
    }
    let finished = mapped("--types", &["f64:f64"], "");
    let says = "a value is required for '--kernel <NAME>' but none was supplied";
    assert!(finished.status.code() == Some(2) && finished.stderr.contains(says), "{}", finished.stderr);
    mapped(&(text + ":copy"), &[], "1,2\n").is(
        1,
        "",
        "pmapgcd: stdin:1: 2 fields where 1 is expected: \"1,2\"; say which of them count, as in -k 1\n",
    );
}
