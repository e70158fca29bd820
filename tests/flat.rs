//! Memory does not grow with the input, even if the consumer of the output is slow.

mod common;

use common::harm::workers;
use common::{BINARY, Kind, input_and_output};
use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// What the README promises for `-j 4`, in KiB.
const LIMIT: u64 = 64 << 10;

/// The proportional set size of a process, in KiB: shared pages are split among those who share them.
fn pss(id: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse().unwrap())
}

#[test]
fn the_pss_of_parent_and_workers_stays_flat_with_a_slow_reader() {
    for executor in ["serial", "threads", "pickle", "shared"] {
        stays_flat(executor);
    }
}

fn stays_flat(executor: &str) {
    let mut command = Command::new(BINARY);
    let mut parent =
        command.args(["-j", "4", "--executor", executor]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (parent.stdin.take().unwrap(), parent.stdout.take().unwrap());
    let (chunk, _) = input_and_output(Kind::Wide.rows(1).take(100_000));
    let feeding = thread::spawn(move || {
        for _ in 0..60 {
            stdin.write_all(&chunk).unwrap();
        }
    });
    let mut buffer = vec![0; 1 << 16];
    let (mut peaks, mut total) = (vec![], 0);
    loop {
        let read = stdout.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        total += read;
        if peaks.len() < 60 {
            // A slow reader: most of a second, all the ring full behind it.
            thread::sleep(Duration::from_millis(15));
        }
        let workers = workers(parent.id()).into_iter();
        peaks.push(workers.chain([parent.id()]).map(pss).sum::<u64>());
    }
    feeding.join().unwrap();
    assert!(parent.wait().unwrap().success());
    assert!(total > 6_000_000 * 2, "{total} bytes of results");
    let peak = peaks.iter().copied().max().unwrap();
    println!("{executor}: peak PSS {peak} KiB");
    assert!(peak > 1000 && peak < LIMIT, "{executor}: {peak} KiB");
    // Flat, not only small: the second half is a hundred megabytes of rows, and a thread or worker that had nothing to
    // do before may touch its buffers for the first time in it, which is a few hundred KiB each.
    let (first, second) = peaks.split_at(peaks.len() / 2);
    let (first, second) = (first.iter().max().unwrap(), second.iter().max().unwrap());
    assert!(*second <= first + (4 << 10), "{executor}: from {first} to {second} KiB");
}
