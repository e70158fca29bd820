//! `Pool::map` under every executor. This test is a program of its own, because its workers are this program again.
#![allow(unsafe_code)] // handlers of signals, and fork

mod scenarios;

use nix::libc;
use pmapgcd::{Executor, Function, Gcd64, Kernel, Pool};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use scenarios::*;
use std::collections::BTreeSet;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// An output larger than its row, with another alignment.
fn spread(&n: &u32) -> [u64; 3] {
    [u64::from(n), u64::from(n) + 1, u64::from(n) * 2]
}

/// Does what a row says, for so many milliseconds if it sleeps; answers which process has done it.
fn act(&[act, millis]: &[u64; 2]) -> u64 {
    match act {
        PANICS => panic!("as it was told"),
        ABORTS => process::abort(),
        EXITS => process::exit(7),
        SLEEPS => thread::sleep(Duration::from_millis(millis)),
        _ => {}
    }
    process::id().into()
}

/// A kernel that is another for each number.
struct Plus(u64);

impl Kernel for Plus {
    type Row = u64;
    type Output = u64;
    fn map(&self, row: &u64) -> u64 {
        row + self.0
    }
}

fn main() {
    let gcd = Gcd64::default();
    let spread = Function(spread);
    let act = Function(act as fn(&[u64; 2]) -> u64);
    let plus = [Plus(0), Plus(1), Plus(2)];
    // Before anything else: a worker process comes as far as its pool, and no further.
    let mut pairs = Pool::new(&gcd);
    let mut numbers = Pool::new(&spread);
    let acting = Pool::new(&act).jobs(2);
    let twins: Vec<_> = plus.iter().map(|plus| Pool::new(plus)).collect();
    let named: Vec<_> = plus.iter().map(|plus| Pool::named(format!("plus {}\0", plus.0), plus)).collect();
    let namesakes: Vec<_> = plus[..2].iter().map(|plus| Pool::named("Otto", plus)).collect();
    if std::env::args().nth(1).is_some_and(|argument| argument == "linger") {
        return linger(&acting);
    }
    thread::spawn(|| {
        thread::sleep(PATIENCE);
        eprintln!("it hangs");
        process::abort();
    });

    for executor in Executor::ALL {
        pairs = pairs.executor(executor);
        numbers = numbers.executor(executor);
        every_row_has_its_output_in_order(&gcd, &pairs);
        let rows: Vec<u32> = (0..100_000).collect();
        let expected: Vec<_> = rows.iter().map(|row| spread.map(row)).collect();
        assert!(numbers.map(&rows).unwrap() == expected, "{}", executor.name());
        println!("{}: every row has its output in order", executor.name());
    }
    drop((pairs, numbers));
    for executor in WITH_PROCESSES {
        for (name, scenario) in SCENARIOS {
            scenario(acting.clone().executor(executor));
            assert_eq!(workers(), BTreeSet::new(), "{name}: they are left");
            println!("{}: {name}", executor.name());
        }
        for (name, how) in [("ignored", libc::SIG_IGN), ("handled by reaping all", reap_all as *const () as usize)] {
            // SAFETY: the handler does nothing but wait for children, which a handler may.
            let before = unsafe { libc::signal(libc::SIGCHLD, how) };
            for (_, scenario) in SCENARIOS {
                scenario(acting.clone().executor(executor));
            }
            // SAFETY: as it was.
            unsafe { libc::signal(libc::SIGCHLD, before) };
            println!("{}: with SIGCHLD {name}", executor.name());
        }
        reaped_by_a_thread(acting.clone().executor(executor));
        println!("{}: with a thread that reaps all", executor.name());
    }
    told_apart(
        twins,
        "3 pools were made at tests/pool/main.rs:",
        "or give each a name of its own with Pool::named",
        false,
    );
    told_apart(
        namesakes,
        "2 pools have the name of the pool \"Otto\" that was made at tests/pool/main.rs:",
        "another name",
        false,
    );
    told_apart(named, "", "", true);
    println!("pools that cannot be told apart are refused");
}

fn every_row_has_its_output_in_order(gcd: &Gcd64, pairs: &Pool<Gcd64>) {
    assert_eq!(pairs.map(&[]).unwrap(), [0; 0]);
    let mut runner = TestRunner::new(Config { cases: 25, failure_persistence: None, ..Config::default() });
    let rows = prop::collection::vec(prop::array::uniform2(0u64..), 0..3000);
    // Some are mapped by the same workers one after another.
    let maps = prop::collection::vec(rows, 1..4);
    let checked = runner.run(&(maps, 1..5usize, 1..50usize), |(maps, jobs, chunk_size)| {
        let pool = pairs.clone().jobs(jobs).chunk_size(chunk_size);
        for rows in maps {
            let expected: Vec<_> = rows.iter().map(|row| gcd.map(row)).collect();
            prop_assert_eq!(pool.map(&rows).unwrap(), expected);
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
}

extern "C" fn reap_all(_: libc::c_int) {
    // SAFETY: waitpid may be called by a handler; so may errno be kept as it was.
    unsafe {
        let errno = *libc::__errno_location();
        while libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) > 0 {}
        *libc::__errno_location() = errno;
    }
}

fn reaped_by_a_thread(pool: Acting) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // SAFETY: it waits, and writes nothing.
                if unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } <= 0 {
                    thread::sleep(Duration::from_micros(50));
                }
            }
        });
        let scenarios: [Scenario; 4] = [reused, died_between, died_within, failed];
        let checked = std::panic::catch_unwind(|| scenarios.iter().for_each(|scenario| scenario(pool.clone())));
        is_over.store(true, Ordering::Relaxed);
        checked.unwrap();
    });
}

/// Maps with pools of which each adds its place among them.
fn told_apart(pools: Vec<Pool<Plus>>, beginning: &str, end: &str, is_right: bool) {
    for executor in Executor::ALL {
        for (place, pool) in pools.iter().enumerate() {
            let mapped = pool.clone().executor(executor).map(&[10, 20]);
            if is_right || !WITH_PROCESSES.contains(&executor) {
                assert_eq!(mapped.unwrap(), [10, 20].map(|row| row + place as u64), "{}", executor.name());
            } else {
                let said = mapped.unwrap_err().to_string();
                assert!(said.starts_with(beginning) && said.ends_with(end), "{said}");
            }
        }
    }
}
