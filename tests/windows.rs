//! Files that workers read for themselves: whatever the rows, the cuts and what happens to the file meanwhile, the output is that of
//! the serial executor, which reads the file from front to back.

mod common;

use common::harm::workers;
use common::random::config;
use common::{Finished, Running, eventually, run};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

/// Lets workers read blocks of any size for themselves.
fn windows(mut command: Command) -> Command {
    command.env("PMAPGCD_LEAST_WINDOW", "64");
    command
}

fn pmapgcd<'a>(arguments: impl IntoIterator<Item = &'a (impl AsRef<std::ffi::OsStr> + ?Sized + 'a)>) -> Command {
    windows(common::pmapgcd(arguments.into_iter().map(AsRef::as_ref)))
}

fn shell(script: &str) -> Command {
    windows(common::shell(script))
}

/// Pieces of rows. Among them are line ends and quotes within quotes, rows longer than a block, comments, and bad rows.
const PIECES: [&str; 12] = [
    "12,18\n",
    "7,14\r\n",
    "\"5\",10\n",
    "\n",
    "# one \"quote\n",
    "1\n",
    "x,\"1\n2,3\n\"\"4,5\n\"\n",
    "\"6\n,\n7\",14\n",
    "100000000000000000000,250000000000000000000\n",
    "8,12,\"a\n9,9\n\"\n",
    "               \"21\"                                                      ,14\n",
    "4,\"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n2\"\n",
];

const OPTIONS: [&[&str]; 6] = [
    &[],
    &["--bad-rows=skip"],
    &["--bad-rows=blank", "--append"],
    &["--bad-rows=skip", "--comment=#", "-k1,2"],
    &["--bad-rows=blank", "--quote=none"],
    &["--bad-rows=skip", "--header", "-k1,2"],
];

proptest! {
    #![proptest_config(ProptestConfig { cases: config().cases / 2, ..config() })]

    #[test]
    fn all_executors_do_with_a_file_what_serial_does(
        pieces in vec((select(PIECES.as_slice()), 1..40usize), 5..120),
        tail in select(["", "12,18", "12,\"18", "\"", "\r"].as_slice()),
        mark in select(["", "\u{feff}"].as_slice()),
        block in select(["64", "65", "100", "512"].as_slice()),
        options in select(OPTIONS.as_slice()),
        is_stdin in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (file, rejects) = (folder.path().join("rows.csv"), folder.path().join("rejects"));
        let rows: String = pieces.iter().map(|(piece, times)| piece.repeat(*times)).collect();
        // A file that does not stop at its first row.
        let good = if options.is_empty() { "12,18\n".repeat(200) } else { String::new() };
        fs::write(&file, [mark, &good, &rows, tail].concat()).unwrap();
        let of = |executor: &[&str]| {
            let mut command = pmapgcd(executor);
            command.args(["--block-size", block]).args(options);
            if !options.is_empty() {
                command.arg("--rejects").arg(&rejects);
            }
            let finished = match is_stdin {
                true => {
                    let output = command.stdin(File::open(&file).unwrap()).output().unwrap();
                    (output.status.code(), output.stdout, String::from_utf8(output.stderr).unwrap())
                }
                false => {
                    let Finished { status, stdout, stderr, .. } = run(command.arg(&file), "");
                    (status.code(), stdout, stderr)
                }
            };
            (finished, fs::read_to_string(&rejects).unwrap_or_default())
        };
        let right = of(&["--executor=serial"]);
        for way in [&["--executor=threads", "-j3"][..], &["--executor=shared", "-j3"], &["--executor=pickle", "-j2"]] {
            let found = of(way);
            prop_assert_eq!(&found, &right, "{:?}", way);
        }
    }
}

#[test]
fn stdin_is_read_from_where_it_stands_and_stands_behind_the_last_row_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    let rows = 100_000;
    fs::write(&file, format!("first\n{}", "12,18\n".repeat(rows))).unwrap();
    for executor in ["serial", "threads", "shared"] {
        let script =
            format!("{{ read -r first; \"$0\" -j2 --block-size 4K --executor {executor} | wc -l; wc -c; }} < rows.csv");
        run(shell(&script).current_dir(folder.path()), "").is(0, format!("{rows}\n0\n"), "");
    }
}

#[test]
fn stdin_stands_behind_the_bad_row_that_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    // The reader cuts the blocks of 4 KiB. Of the larger file, workers read windows.
    for (block_size, rows) in [("--block-size 4K", 60_000), ("", 1_000_000)] {
        let (before, after) = ("12,18\n".repeat(rows), "1,1\n".repeat(rows));
        for bad in ["x,1\r\n", "\"1\n\",1\n"] {
            fs::write(&file, format!("first\n{before}{bad}{after}")).unwrap();
            for executor in ["serial", "threads", "pickle", "shared"] {
                let run_it = format!("\"$0\" -j2 {block_size} --executor {executor} 2>/dev/null | wc -l");
                let script = format!("{{ read -r first; {run_it}; head -n 1; }} < rows.csv");
                run(shell(&script).current_dir(folder.path()), "").is(0, format!("{rows}\n1,1\n"), "");
            }
        }
    }
}

#[test]
fn stdin_stands_in_front_of_rows_whose_results_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rows.csv"), "12,18\n".repeat(100)).unwrap();
    for executor in ["serial", "threads", "shared"] {
        let script = format!("{{ \"$0\" --executor {executor} 2>/dev/null >/dev/full; wc -l; }} < rows.csv");
        run(shell(&script).current_dir(folder.path()), "").is(0, "100\n", "");
    }
}

#[test]
fn stdin_stands_in_front_of_a_header_or_a_row_that_is_too_long_to_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let long = format!("\"{}\",1\n", "1".repeat(5000));
    write("named.csv", "a,b\n12,18\n");
    write("header.csv", "first\na,c\n12,18\n");
    write("long.csv", &format!("first\n12,18\n{long}1,1\n"));
    for executor in ["serial", "threads", "shared"] {
        for (options, stdin, results, rest) in [
            ("--header -k a,b named.csv -", "header.csv", "6\n", "a,c\n12,18\n".to_string()),
            ("--block-size 4096", "long.csv", "6\n", format!("{long}1,1\n")),
            ("--block-size 4096 --bad-rows skip --max-bad 0", "long.csv", "6\n", "1,1\n".to_string()),
        ] {
            let script =
                format!("{{ read -r first; \"$0\" -j2 --executor {executor} {options} 2>/dev/null; cat; }} < {stdin}");
            run(shell(&script).current_dir(folder.path()), "").is(0, format!("{results}{rest}"), "");
        }
    }
}

/// A run of which nobody takes the results until the ring and the pipe are full, so that most of its file is not read yet.
fn held_up(file: &Path, options: &[&str]) -> Running {
    let mut running = Running::start(pmapgcd(["-j2", "--block-size=4K", "--stats"]).args(options).arg(file));
    let mut line = [0; 2];
    assert!(running.read(&mut line) > 0);
    std::thread::sleep(std::time::Duration::from_millis(300));
    running
}

const ROWS: usize = 2_000_000;

#[test]
fn a_file_may_become_shorter_longer_or_another_while_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    let lines = |finished: &Finished| {
        assert_eq!(finished.status.code(), Some(0), "{finished:?}");
        let stdout = String::from_utf8(finished.stdout.clone()).unwrap();
        // Two bytes were read before.
        (1 + stdout.lines().count(), stdout.lines().all(|line| line == "6" || line == "7"))
    };
    for (size, more) in [(Some(9_999_996), 0), (Some(9_999_999), 0), (None, 300_000)] {
        fs::write(&file, "12,18\n".repeat(ROWS)).unwrap();
        let running = held_up(&file, &[]);
        let mut open = OpenOptions::new().append(true).open(&file).unwrap();
        if let Some(size) = size {
            open.set_len(size).unwrap();
        }
        open.write_all("14,21\n".repeat(more).as_bytes()).unwrap();
        let finished = running.finish();
        if size == Some(9_999_999) {
            // The last row has become half a row.
            assert_eq!(finished.status.code(), Some(1), "{}", finished.stderr);
            continue;
        }
        let expected = size.map_or(ROWS + more, |size| size as usize / 6);
        let (count, is_right) = lines(&finished);
        assert!(is_right && count == expected, "{count} lines instead of {expected}");
    }
    fs::write(&file, "12,18\n".repeat(ROWS)).unwrap();
    let running = held_up(&file, &[]);
    let open = OpenOptions::new().write(true).open(&file).unwrap();
    open.write_all_at("14,21\n".repeat(ROWS).as_bytes(), 0).unwrap();
    assert_eq!(lines(&running.finish()), (ROWS, true));
}

#[test]
fn a_file_that_becomes_shorter_while_a_block_is_half_done_ends_the_run_and_blames_no_worker() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    // What is said of each bad row takes more room than the row, so that no block is done in one piece.
    for options in [&["--append", "--bad-rows=blank"][..], &["--bad-rows=skip", "--rejects=/dev/null"]] {
        // Where a window begins there may be no rows, which is no error. Whoever comes to the rest of a block tells.
        eventually("the rest of a block is missing", || {
            fs::write(&file, "12,18\n12,x\n".repeat(ROWS / 4)).unwrap();
            let running = held_up(&file, options);
            OpenOptions::new().write(true).open(&file).unwrap().set_len(0).unwrap();
            let finished = running.finish();
            assert!(!finished.stderr.contains("panicked") && !finished.stderr.contains("died"), "{}", finished.stderr);
            let last = finished.stderr.lines().rfind(|line| line.starts_with("pmapgcd: ")).unwrap();
            let is_told = last.ends_with("rows.csv: it has become shorter while it was read");
            assert_eq!(finished.status.code(), Some(if is_told { 2 } else { 1 }), "{last}");
            is_told
        });
    }
}

#[test]
fn a_worker_has_the_file_for_reading_only_and_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    fs::write(&file, "12,18\n".repeat(ROWS)).unwrap();
    let running = held_up(&file, &[]);
    let parent = running.child.id();
    eventually("it has workers", || !workers(parent).is_empty());
    for worker in workers(parent) {
        let entries: Vec<_> = fs::read_dir(format!("/proc/{worker}/fd")).unwrap().flatten().collect();
        let of_file: Vec<_> =
            entries.iter().filter(|entry| fs::read_link(entry.path()).is_ok_and(|to| to == file)).collect();
        assert_eq!(of_file.len(), 1, "{entries:?}");
        let number = of_file[0].file_name().into_string().unwrap();
        let info = fs::read_to_string(format!("/proc/{worker}/fdinfo/{number}")).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
        assert_eq!(i32::from_str_radix(flags, 8).unwrap() & 3, 0, "not for reading only: {info}");
    }
    assert_eq!(running.finish().status.code(), Some(0));
}

/// In quoted fields stand rows that kill whoever maps them. No cut may make a worker take them for rows.
#[test]
fn no_kernel_is_given_text_that_only_looks_like_rows() {
    let faulty = Path::new(common::BINARY).with_file_name("examples").join("faulty");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    let rows = 3000;
    fs::write(&file, "1,2,\"text\n13,102\n13,0\n13,102,\n13,101\n\"\n".repeat(rows)).unwrap();
    for way in [&["--executor=threads", "-j3"][..], &["--executor=shared", "-j3"], &["--executor=shared", "-j1"]] {
        for block in ["64", "1000", "4096"] {
            let mut command = windows(Command::new(&faulty));
            let finished = run(command.args(way).args(["-k1,2", "--block-size", block]).arg(&file), "");
            finished.is(0, "3\n".repeat(rows), "");
        }
    }
}

#[test]
fn rows_that_are_longer_than_a_block_end_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    // Enough short rows for windows to begin, and then a long row again and again.
    let long = format!("\"{}\",1\n", "a,\"\"\n".repeat(900));
    let rows: String =
        (0..60).map(|number| format!("{}{}", "12,18\n".repeat(1000 + 150 * number % 700), long)).collect();
    fs::write(&file, rows).unwrap();
    let with =
        |arguments: &[&str]| run(pmapgcd(["--bad-rows=skip", "--block-size=4096"]).args(arguments).arg(&file), "");
    let expected = with(&["--executor=serial"]);
    assert_eq!(expected.status.code(), Some(1));
    for jobs in ["2", "4", "9"].repeat(10) {
        let found = with(&["-j", jobs]);
        assert_eq!((found.status.code(), &found.stderr), (Some(1), &expected.stderr), "-j {jobs}");
        assert!(found.stdout == expected.stdout, "-j {jobs}");
    }
}
