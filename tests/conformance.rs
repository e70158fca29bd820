//! Ten million rows give the same output, byte for byte, as a plain sequential loop of Euclid's algorithm, whatever the
//! executor, the number of workers and the size of blocks.

mod common;

use common::{Finished, Kind, Running, input_and_output, pmapgcd, run};
use std::fs::{self, File};
use std::io;
use std::path::Path;

const ROWS: usize = 10_000_000;

/// Blocks of a few rows take seconds for all of them, so not every number of workers gets those. How blocks are shared out does not
/// depend on the numbers in them: each kind of numbers gets every other of these runs, and so each number of workers and each larger size.
const RUNS: [(&str, &str); 14] = [
    ("64", "2"),
    ("100", "7"),
    ("4096", "1"),
    ("4096", "2"),
    ("4096", "4"),
    ("4096", "7"),
    ("65536", "2"),
    ("65536", "1"),
    ("65536", "7"),
    ("65536", "4"),
    ("1M", "1"),
    ("1M", "2"),
    ("1M", "4"),
    ("1M", "7"),
];

#[test]
fn small_integers_come_out_as_from_a_plain_loop() {
    every_run_conforms(Kind::Small);
}

#[test]
fn wide_integers_come_out_as_from_a_plain_loop() {
    every_run_conforms(Kind::Wide);
}

fn every_run_conforms(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pairs.csv");
    let (input, expected) = input_and_output(kind.rows(41).take(ROWS));
    fs::write(&path, input).unwrap();

    let from_file = |arguments: &[&str]| run(pmapgcd(arguments).arg(&path), "");
    from_file(&["--executor", "serial"]).is(0, &expected, "");
    from_pipe(&path).is(0, &expected, "");
    for (block_size, jobs) in RUNS.into_iter().skip(kind as usize).step_by(2) {
        from_file(&["-j", jobs, "--block-size", block_size]).is(0, &expected, "");
    }
}

fn from_pipe(path: &Path) -> Finished {
    let mut file = File::open(path).unwrap();
    let mut running = Running::start(&mut pmapgcd(["-j", "2"]));
    running.feed(move |pipe| io::copy(&mut file, pipe).map(drop));
    running.finish()
}
