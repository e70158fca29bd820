//! Tests with a kernel that overwrites the memory which all workers share, in ways that are meant to make the parent
//! hang or print wrong results. The parent must end, with the right results or with an error.
//!
//! This test does not use the test harness, because the filter and its workers are started as this program.
#![allow(unsafe_code)] // that is what a worker gone mad is

use pmapgcd::Kernel;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Where things lie in the segment, in bytes from its start. `src/ring/segment/tests.rs` checks these numbers.
const COUNTER: usize = 128;
const CLOSED: usize = 256;
const EVENTS: [usize; 3] = [768, 896, 1024];
const CHAIN: usize = 1152;
const SLOTS: usize = 1408;
const SLOT: usize = 128;
/// How many slots the ring has in these tests, which use blocks of 4 KiB.
const RING: usize = 128;

/// Offsets within a slot: of the note which row the claimant is at, and of the numbers that it hands over with its
/// results.
const PROGRESS: usize = 20;
const MEASURES: usize = 32;
/// Offset within a slot of what is known of where its rows are.
const KIND: usize = 76;

/// The lowest bit of the block's number in a slot's word.
const BLOCK: u32 = 20;
const FILLED: u64 = 1;
const CLAIMED: u64 = 2;
const DONE: u64 = 3;

/// Environment variable with the name of the deed that the kernel does when it maps a row that begins with `OCCASION`.
const DEED: &str = "HOSTILE_DEED";
const OCCASION: u64 = 666;

/// How a run may end in which a worker has done a deed.
#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    /// The run succeeds, and the results are right.
    Right,
    /// The run ends with an error, which says that a worker has spoilt the segment or that workers keep dying.
    Error,
    /// The same, if there is something to harm when it happens: windows of the file, or blocks that wait for a worker. On a busy
    /// machine there may be none. Then the run succeeds and is tried again.
    ErrorAtTimes,
    /// The run succeeds, or ends with an error.
    Either,
}

type Deed = (&'static str, Outcome, fn(&Shared));

const DEEDS: [Deed; 22] = [
    ("nothing", Outcome::Right, |_| {}),
    ("sends the counter far ahead", Outcome::Right, |shared| shared.long(COUNTER, 1 << 40)),
    ("sends the counter to its end", Outcome::Right, |shared| shared.long(COUNTER, u64::MAX)),
    ("sends the counter back", Outcome::Right, |shared| shared.long(COUNTER, 0)),
    ("takes back events", Outcome::Right, |shared| {
        for _ in 0..1_000_000 {
            EVENTS.iter().for_each(|&event| shared.short(event, 0));
        }
    }),
    ("sets events to what they never are", Outcome::Right, |shared| {
        EVENTS.iter().for_each(|&event| shared.short(event, u32::MAX));
    }),
    ("sends the chain far ahead", Outcome::ErrorAtTimes, |shared| shared.long(CHAIN, 1 << 60)),
    ("sends the chain a little ahead", Outcome::ErrorAtTimes, |shared| {
        shared.long(CHAIN, shared.atom(CHAIN).load(Ordering::Relaxed) + (3 << 32));
    }),
    ("sends the chain back", Outcome::ErrorAtTimes, |shared| shared.long(CHAIN, 0)),
    ("says that the chain is stuck", Outcome::Either, |shared| {
        shared.long(CHAIN, shared.atom(CHAIN).load(Ordering::Relaxed) | 1 << 31);
    }),
    ("says that windows have no rows", Outcome::ErrorAtTimes, |shared| {
        (0..RING).for_each(|slot| shared.short(SLOTS + slot * SLOT + KIND, 3));
    }),
    ("sends all workers home", Outcome::Right, |shared| shared.short(CLOSED, 1)),
    ("says that blocks are done which are not", Outcome::ErrorAtTimes, |shared| {
        shared.each_slot(|word| if word & 3 == FILLED { word | DONE } else { word });
    }),
    ("says that slots are free which are not", Outcome::Error, |shared| shared.each_slot(|word| word & !3)),
    ("gives slots to other blocks", Outcome::Error, |shared| shared.each_slot(|word| word + (1 << 20))),
    ("claims in the name of workers that are not there", Outcome::ErrorAtTimes, |shared| {
        shared.each_slot(|word| if word & 3 == FILLED { word & !3 | CLAIMED | 5000 << 2 } else { word });
    }),
    ("claims what it does not work on", Outcome::Either, |shared| {
        shared.each_slot(|word| if word & 3 == FILLED { word & !3 | CLAIMED | 1 << 2 } else { word });
    }),
    ("puts its block back and dies", Outcome::Error, |shared| {
        shared.each_slot(|word| if word & 3 == CLAIMED { word >> BLOCK << BLOCK | FILLED } else { word });
        std::process::abort();
    }),
    ("dies and lies about where it was", Outcome::Error, |shared| {
        (0..RING).for_each(|slot| shared.short(SLOTS + slot * SLOT + PROGRESS, 1));
        std::process::abort();
    }),
    ("hands over results and no row", Outcome::Error, |shared| {
        for slot in (0..RING).map(|slot| SLOTS + slot * SLOT) {
            let word = shared.atom(slot).load(Ordering::Relaxed);
            if word & 3 == CLAIMED {
                shared.long(slot + MEASURES, word >> BLOCK);
                shared.long(slot + MEASURES + 8, 0);
                shared.long(slot + MEASURES + 16, 2);
                shared.long(slot, word >> BLOCK << BLOCK | DONE);
            }
        }
        // Wait until the parent has looked at the slots: finishing this block would overwrite the false numbers.
        std::thread::sleep(Duration::from_secs(3));
    }),
    ("has the system wake others in the parent's place", Outcome::Right, |shared| {
        for event in EVENTS.into_iter().cycle().take(30_000) {
            shared.requeue(event, CLOSED);
        }
    }),
    ("fills all of the ring's words with noise", Outcome::Either, |shared| {
        let mut noise = u64::from(std::process::id());
        for at in (COUNTER..SLOTS + RING * SLOT).step_by(8) {
            noise = noise.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            shared.long(at, noise ^ noise >> 29);
        }
    }),
];

/// Deeds after which a block is claimed but no worker works on it. The parent cannot distinguish that from a kernel
/// that hangs, so that only `--block-timeout` ends it.
const HELD_UP: [Deed; 2] = [
    ("says all the time that its block is another", Outcome::Either, |shared| {
        for start in 0.. {
            (0..RING).for_each(|slot| shared.short(SLOTS + slot * SLOT + 8, start & 1));
        }
    }),
    ("claims a block for another worker", Outcome::Either, |shared| {
        shared.slots(1, |word| if word & 3 == FILLED { word & !3 | CLAIMED | 1 << 2 } else { word });
    }),
];

/// The address of the segment in this worker's address space.
struct Shared(usize);

impl Shared {
    fn find() -> Self {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let line = maps.lines().find(|line| line.contains("/dev/shm/")).unwrap();
        Shared(usize::from_str_radix(line.split('-').next().unwrap(), 16).unwrap())
    }

    fn atom(&self, at: usize) -> &AtomicU64 {
        // SAFETY: the mapping is longer than all offsets used here, and these are multiples of 8.
        unsafe { AtomicU64::from_ptr((self.0 + at) as *mut u64) }
    }

    fn long(&self, at: usize, value: u64) {
        self.atom(at).store(value, Ordering::Relaxed);
    }

    fn short(&self, at: usize, value: u32) {
        // SAFETY: the mapping is longer than all offsets used here, and these are multiples of 4.
        unsafe { AtomicU32::from_ptr((self.0 + at) as *mut u32) }.store(value, Ordering::Relaxed);
    }

    /// Has the system make those who wait for the word at `event` wait for the word at `other` instead.
    fn requeue(&self, event: usize, other: usize) {
        let (event, other) = (self.0 + event, self.0 + other);
        // SAFETY: the system call accesses no memory but these two words of the mapping.
        unsafe { nix::libc::syscall(nix::libc::SYS_futex, event, nix::libc::FUTEX_REQUEUE, 0, 100, other) };
    }

    fn each_slot(&self, change: impl Fn(u64) -> u64) {
        self.slots(RING, change);
    }

    /// Applies `change` to the words of slots until it has changed `most` of them. If there is none to change, tries
    /// again for up to a second.
    fn slots(&self, most: usize, change: impl Fn(u64) -> u64) {
        let start = Instant::now();
        let mut changed = 0;
        while changed == 0 && start.elapsed() < Duration::from_secs(1) {
            for slot in 0..RING {
                if changed == most {
                    return;
                }
                let word = self.atom(SLOTS + slot * SLOT);
                let now = word.load(Ordering::Relaxed);
                let is_changed = change(now) != now
                    && word.compare_exchange(now, change(now), Ordering::Relaxed, Ordering::Relaxed).is_ok();
                changed += usize::from(is_changed);
            }
        }
    }
}

struct Hostile(fn(&Shared));

impl Kernel for Hostile {
    type Row = (u64, u64);
    type Output = u64;

    fn map(&self, &(a, b): &(u64, u64)) -> u64 {
        if a == OCCASION {
            (self.0)(&Shared::find());
        }
        // Compute for longer than the reader takes to read a row, so that there are always blocks that wait to be
        // claimed.
        std::hint::black_box((0..2000).fold(0, |sum: u64, n| sum ^ n));
        a + b
    }
}

const ROWS: u64 = 40_000;

fn try_out(deed: Deed, options: &[&str]) {
    let is_expected = (0..20).any(|_| has_failed(deed, options) || deed.1 != Outcome::ErrorAtTimes);
    assert!(is_expected, "{}: no run fails", deed.0);
}

/// Runs the filter with a worker that does the deed. Returns whether the run ends with an error.
fn has_failed((name, outcome, _): Deed, options: &[&str]) -> bool {
    let row = |n: u64| if n == ROWS / 3 { OCCASION } else { n + 1000 };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    let rows: String = (0..ROWS).map(|n| format!("{},{n}\n", row(n))).collect();
    let right: String = (0..ROWS).map(|n| format!("{}\n", row(n) + n)).collect();
    std::fs::write(&file, rows).unwrap();
    let output = std::fs::File::create(folder.path().join("output")).unwrap();
    let stderr = std::fs::File::create(folder.path().join("stderr")).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["-j4", "--block-size=4K"]).args(options).arg(&file).env(DEED, name).env("PMAPGCD_LEAST_WINDOW", "64");
    let mut child = command.stdin(Stdio::null()).stdout(output).stderr(stderr).spawn().unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > Duration::from_secs(120) {
            child.kill().unwrap();
            panic!("a worker that {name} makes the parent hang");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let said = std::fs::read_to_string(folder.path().join("stderr")).unwrap();
    let output = std::fs::read_to_string(folder.path().join("output")).unwrap();
    println!("a worker that {name}: {status}, {:.1} s, {} bytes", start.elapsed().as_secs_f64(), output.len());
    match status.code() {
        Some(0) => assert!(outcome != Outcome::Error && output == right, "{name}: {} bytes\n{said}", output.len()),
        Some(3) => assert!(outcome != Outcome::Right && !said.is_empty(), "{name}: {said}"),
        _ => panic!("{name}: {status}\n{said}"),
    }
    if matches!(outcome, Outcome::Error | Outcome::ErrorAtTimes) {
        assert!(right.starts_with(&output), "{name}: wrong results before the error");
    }
    assert!(!said.contains("panicked"), "{name}: {said}");
    status.code() != Some(0)
}

fn main() -> ExitCode {
    if let Ok(name) = std::env::var(DEED) {
        let (_, _, deed) = DEEDS.into_iter().chain(HELD_UP).find(|deed| deed.0 == name).unwrap();
        return pmapgcd::filter("Be a filter with mad workers", &Hostile(deed));
    }
    // Run all tests at once, because some take long and mostly sleep.
    std::thread::scope(|scope| {
        for deed in DEEDS {
            scope.spawn(move || try_out(deed, &[]));
        }
        for deed in HELD_UP {
            scope.spawn(move || try_out(deed, &["--block-timeout=0.2"]));
        }
    });
    ExitCode::SUCCESS
}
