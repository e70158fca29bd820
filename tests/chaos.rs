//! Everything at once, by a random seed: workers are killed, stopped and made to crash, the input trickles, the
//! consumer of the output stalls, and memory is short.
//!
//! By default this takes some seconds. `PMAPGCD_CHAOS_SECONDS`, `PMAPGCD_CHAOS_ROWS` (the most rows of a round) and
//! `PMAPGCD_CHAOS_SEED` change that:
//!
//! `PMAPGCD_CHAOS_SECONDS=300 PMAPGCD_CHAOS_ROWS=10000000 cargo test --test chaos -- --nocapture`
//!
//! Round n of seed s has the same plan as round 0 of seed s + n. What happens in it also depends on the machine.

mod common;

use common::harm::{Random, assert_no_segment_is_left, pid, signal_one};
use common::{BINARY, Finished, Kind, Running, euclid, eventually};
use rustix::process::{Signal, kill_process, test_kill_process_group};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command};
use std::thread;
use std::time::{Duration, Instant};

/// How many descriptors the parent may have open, beside one for each worker.
const DESCRIPTORS: usize = 20;

/// In a round of more rows than this the consumer stalls less often, so that its stalls take no longer in all.
const STALLING: usize = 400_000;

/// What is done in a round.
#[derive(Debug)]
struct Plan {
    seed: u64,
    rows: usize,
    jobs: usize,
    /// The bits of integers that take trial division some microseconds, so that workers die over blocks rather than
    /// between them; none for the stock algorithm.
    bits: Option<usize>,
    block: usize,
    appends: bool,
    /// Whether bad rows are skipped. Then there are many, if any; otherwise one.
    skips: bool,
    has_bad: bool,
    has_quotes: bool,
    line_end: &'static str,
    is_piped: bool,
    /// The limit on memory: 0 for none, 1 for workers only, 2 for all processes, and then descriptors are limited too.
    memory: usize,
    /// The average time between one harm and the next.
    gap: Duration,
    /// Of 100 harms, how many stop a worker instead of killing it; and whether 3 are faults.
    stops: usize,
    has_faults: bool,
}

impl Plan {
    fn new(seed: u64, most_rows: usize) -> Self {
        // Neighbouring seeds must give very different plans.
        let mut random = Random(Kind::Wide.rows(seed).next().unwrap().0);
        let mut below = |bound| random.below(bound);
        let bits = [None, Some(11), Some(12), Some(13)][below(4)];
        Plan {
            seed,
            rows: most_rows / [1, 2, 4, 16][below(4)],
            jobs: 1 + below(4),
            bits,
            // A block takes less time than there is between two kills of its worker, or they would never get past it.
            block: (512 << below(bits.map_or(11, |bits| 18 - bits))) + below(512),
            appends: below(2) == 0,
            skips: below(2) == 0,
            has_bad: below(2) == 0,
            has_quotes: below(2) == 0,
            line_end: ["\n", "\n", "\r\n"][below(3)],
            is_piped: below(2) == 0,
            memory: [0, 0, 1, 2][below(4)],
            gap: Duration::from_millis([5, 5, 10, 40][below(4)]),
            stops: [0, 20, 50, 100][below(4)],
            has_faults: below(4) == 0,
        }
    }

    /// The program, in a process group of its own, so that processes that it leaves behind can be found.
    fn command(&self, rejects: &Path, file: &Path) -> Command {
        let mut command = Command::new(if self.memory == 2 { "prlimit" } else { BINARY });
        if self.memory == 2 {
            command.args(["--as=1073741824", &format!("--nofile={}", DESCRIPTORS + self.jobs), BINARY]);
        }
        command.args(["--executor=shared", &format!("-j{}", self.jobs), &format!("--block-size={}", self.block)]);
        command.args(self.appends.then_some("--append")).args((self.memory == 1).then_some("--worker-memory=64M"));
        command.args(self.bits.map(|_| "--algorithm=trial"));
        if self.skips {
            command.args(["--bad-rows=skip", "--rejects"]).arg(rejects);
        }
        command.args((!self.is_piped).then_some(file)).process_group(0).env("PMAPGCD_LEAST_WINDOW", "64");
        command
    }
}

/// The input, and the output that it must give.
#[derive(Default)]
struct Rows {
    text: Vec<u8>,
    output: Vec<u8>,
    /// For each line, how many bytes of output belong to the lines up to it.
    ends: Vec<usize>,
    /// The lines of bad rows, from 1 on.
    bad: BTreeSet<usize>,
}

impl Rows {
    fn new(plan: &Plan) -> Self {
        let mut rows = Rows::default();
        let mut random = Random(!plan.seed);
        let the_bad_one = random.below(plan.rows);
        for (line, (mut a, mut b)) in Kind::Wide.rows(plan.seed).take(plan.rows).enumerate() {
            let start = rows.text.len();
            let quote = if plan.has_quotes && random.below(8) == 0 { "\"" } else { "" };
            let is_bad = if plan.skips { random.below(1000) == 0 } else { line == the_bad_one };
            if plan.has_bad && is_bad {
                rows.bad.insert(line + 1);
                let bad = ["1.0,2", "x,5", "3", "1,2,3", ",4", "\"5\",-"][random.below(6)];
                write!(rows.text, "{bad}{}", plan.line_end).unwrap();
            } else {
                // With zeros appended, integers of any size whose divisor is known.
                let mut zeros = if random.below(8) == 0 { random.below(80) } else { 0 };
                if let Some(bits) = plan.bits {
                    (a, b) = (a >> (63 - bits), b >> (63 - bits));
                    // More zeros, so that another algorithm takes these: trial division would take for ever.
                    zeros += if zeros > 0 { 20 } else { 0 };
                } else if random.below(2) == 0 {
                    (a, b) = (a >> 41, b >> 41);
                }
                let zeros = &"0".repeat(zeros);
                write!(rows.text, "{quote}{a}{zeros}{quote},{b}{zeros}").unwrap();
                if plan.appends {
                    rows.output.extend(&rows.text[start..]);
                    rows.output.push(b',');
                }
                let divisor = euclid(a, b);
                let zeros = if divisor == 0 { "" } else { zeros };
                let line_end = if plan.appends { plan.line_end } else { "\n" };
                write!(rows.output, "{divisor}{zeros}{line_end}").unwrap();
                write!(rows.text, "{}", plan.line_end).unwrap();
            }
            rows.ends.push(rows.output.len());
        }
        rows
    }

    /// What comes out for the lines before this one, from 1 on.
    fn before(&self, line: usize) -> &[u8] {
        &self.output[..line.checked_sub(2).map_or(0, |at| self.ends[at])]
    }

    fn without(&self, lines: &BTreeSet<usize>) -> Vec<u8> {
        let mut rest = vec![];
        let mut from = 0;
        for &line in lines {
            rest.extend(&self.output[from..self.before(line).len()]);
            from = self.ends[line - 1];
        }
        rest.extend(&self.output[from..]);
        rest
    }
}

/// Writes random pieces, with random pauses.
fn dribble(text: &[u8], mut random: Random, pipe: &mut ChildStdin) -> io::Result<()> {
    let most = text.len() / (16 + random.below(100)) + 1;
    let mut rest = text;
    while !rest.is_empty() {
        let bound = if random.below(4) == 0 { 100 } else { most };
        let size = 1 + random.below(bound);
        let (now, later) = rest.split_at(size.min(rest.len()));
        pipe.write_all(now)?;
        rest = later;
        if random.below(2) == 0 {
            thread::sleep(Duration::from_micros(random.below(10_000) as u64));
        }
    }
    Ok(())
}

/// Reads random pieces, and stalls at random.
fn consume(running: &mut Running, mut random: Random, rows: usize) -> Vec<u8> {
    let (mut all, mut buffer) = (vec![], vec![0; 1 << 16]);
    let bound = 100 * rows.max(STALLING) / STALLING;
    loop {
        let most = 1 + random.below(buffer.len());
        match running.read(&mut buffer[..most]) {
            0 => return all,
            count => all.extend(&buffer[..count]),
        }
        let pause = match random.below(bound) {
            0 => 100_000,
            1..25 => random.below(8_000) as u64,
            _ => 0,
        };
        thread::sleep(Duration::from_micros(pause));
    }
}

/// What rounds have survived.
#[derive(Debug, Default)]
struct Tally {
    rounds: usize,
    /// Rounds that ended with an error because of too many deaths, and innocent rows that were skipped because of them.
    given_up: usize,
    blamed: usize,
    rows: usize,
    kills: usize,
    stops: usize,
    faults: usize,
    /// What the program said: deaths, and how many of them over a block.
    deaths: usize,
    over_a_block: usize,
    descriptors: usize,
}

impl Tally {
    /// Does harm to the workers of this parent while there is any reason to.
    fn harm(&mut self, plan: &Plan, parent: u32, goes_on: impl Fn() -> bool) {
        let mut random = Random(plan.seed);
        let mut stopped: Vec<(u32, Instant)> = vec![];
        while goes_on() {
            thread::sleep(Duration::from_micros(random.below(2 * plan.gap.as_micros() as usize) as u64));
            let (count, signal) = match random.below(100) {
                0..3 if plan.has_faults => {
                    (&mut self.faults, [Signal::SEGV, Signal::ABORT, Signal::ILL][random.below(3)])
                }
                at if at < plan.stops => (&mut self.stops, Signal::STOP),
                _ => (&mut self.kills, Signal::KILL),
            };
            if let Some(worker) = signal_one(parent, signal, &mut random) {
                *count += 1;
                if signal == Signal::STOP {
                    stopped.push((worker, Instant::now() + Duration::from_millis(random.below(60) as u64)));
                } else if signal == Signal::SEGV {
                    // Rust's own handler gets the first SIGSEGV, and returns if it was no stack overflow: send another.
                    thread::sleep(Duration::from_micros(200));
                    let _ = kill_process(pid(worker), Signal::SEGV);
                }
            }
            for (worker, _) in stopped.extract_if(.., |(_, until)| Instant::now() > *until) {
                let _ = kill_process(pid(worker), Signal::CONT);
            }
            let descriptors = fs::read_dir(format!("/proc/{parent}/fd")).map_or(0, |entries| entries.count());
            assert!(descriptors <= DESCRIPTORS + plan.jobs, "{descriptors} descriptors: {plan:?}");
            self.descriptors = self.descriptors.max(descriptors);
        }
    }

    /// One round, from its input to what it leaves behind.
    fn round(&mut self, plan: &Plan) {
        let folder = tempfile::tempdir().unwrap();
        let (rejects, file) = (folder.path().join("rejects.csv"), folder.path().join("rows.csv"));
        let mut rows = Rows::new(plan);
        let mut text = std::mem::take(&mut rows.text);
        if !plan.is_piped {
            fs::write(&file, std::mem::take(&mut text)).unwrap();
        }
        let mut running = Running::start(&mut plan.command(&rejects, &file));
        let (id, random) = (running.child.id(), Random(plan.seed ^ 1));
        if plan.is_piped {
            running.feed(move |pipe| dribble(&text, random, pipe));
        }
        let finished = thread::scope(|scope| {
            let consuming = scope.spawn(|| {
                let stdout = consume(&mut running, Random(plan.seed ^ 2), plan.rows);
                Finished { stdout, ..running.end() }
            });
            self.harm(plan, id, || !consuming.is_finished());
            consuming.join().unwrap()
        });
        self.judge(plan, &rows, &finished, &rejects);
        eventually("no process of it is left", || test_kill_process_group(pid(id)).is_err());
        assert_no_segment_is_left();
        self.rounds += 1;
        self.rows += plan.rows;
    }

    /// Checks how the run has ended, and what it has written.
    fn judge(&mut self, plan: &Plan, rows: &Rows, finished: &Finished, rejects: &Path) {
        let Finished { stderr, .. } = finished;
        let count = |line: &str, at| line.split(' ').nth(at).and_then(|number| number.parse::<usize>().ok());
        let total = stderr.lines().find(|line| line.ends_with(" of them over a block"));
        let counts = total.and_then(|line| Some((count(line, 1)?, count(line, 6)?)));
        let told = || (stderr.matches("(pid ").count(), stderr.matches("its block is computed again").count());
        let (deaths, over_a_block) = counts.unwrap_or_else(told);
        (self.deaths, self.over_a_block) = (self.deaths + deaths, self.over_a_block + over_a_block);
        let mut rejected = BTreeSet::new();
        if plan.skips {
            // There is no file if the run was given up before it found a bad row.
            let rejects = fs::read(rejects).unwrap_or_default();
            for record in csv::Reader::from_reader(&rejects[..]).records().map(Result::unwrap) {
                let line = record[1].parse().unwrap();
                assert!(rejected.insert(line), "line {line} is rejected twice: {plan:?}");
                let is_blamed = record[4].starts_with("workers keep dying on this row: ");
                assert!(rows.bad.contains(&line) || is_blamed && plan.has_faults, "{record:?}: {plan:?}\n{stderr}");
                self.blamed += usize::from(is_blamed);
            }
        }
        if finished.status.code() == Some(3) {
            // Workers died over a row too often: 30 times, or 3 times by a fault. All results before that row must be written.
            self.given_up += 1;
            let error = stderr.lines().find(|line| {
                line.contains("orkers keep dying ") && (!line.contains("this row: ") || line.ends_with(" are written"))
            });
            let error = error.unwrap_or_else(|| panic!("no reason: {plan:?}\n{stderr}"));
            println!("seed {}: {error}", plan.seed);
            assert!(plan.has_faults || error.contains(" 30 so far") || error.contains("take up work"), "{plan:?}");
            let place = error.split(": workers keep").next().unwrap().rsplit(':').next().unwrap();
            let output = rows.without(&rejected);
            let written = match place.split('-').next().unwrap().parse() {
                Ok(line) => rows.before(line).len() + output.len() - rows.output.len(),
                Err(_) => finished.stdout.len(),
            };
            let is_row_end = written == 0 || output[written - 1] == b'\n';
            assert!(is_row_end && finished.stdout == output[..written], "not all before {error}: {plan:?}");
            return;
        }
        let missing = rows.bad.iter().any(|line| plan.skips && !rejected.contains(line));
        assert!(!missing, "bad rows were not rejected: {plan:?}\n{stderr}");
        let (expected, status) = match rows.bad.first() {
            Some(&line) if !plan.skips => (rows.before(line).to_vec(), 1),
            _ => (rows.without(&rejected), i32::from(!rejected.is_empty())),
        };
        finished.is(status, expected, stderr);
    }
}

/// A number from the environment, or the default.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

#[test]
fn nothing_is_lost_and_nothing_is_left_whatever_becomes_of_workers() {
    let seconds = Duration::from_secs(number("PMAPGCD_CHAOS_SECONDS", 5));
    let rows = number("PMAPGCD_CHAOS_ROWS", 400_000) as usize;
    let first = number("PMAPGCD_CHAOS_SEED", 1);
    let (start, mut tally) = (Instant::now(), Tally::default());
    for seed in first.. {
        let plan = Plan::new(seed, rows.max(16));
        println!("{plan:?}");
        tally.round(&plan);
        if start.elapsed() > seconds {
            break;
        }
    }
    println!("seed {first}, {:.0} seconds: survived {tally:?}", start.elapsed().as_secs_f64());
}
