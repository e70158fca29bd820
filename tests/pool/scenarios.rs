//! What may happen to workers that outlive a map.

use nix::libc;
use nix::sys::signal;
use nix::unistd::Pid;
use pmapgcd::{ByReference, Executor, Function, Pool};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use std::{fs, process};

/// What takes longer than this hangs, on however busy a machine.
pub const PATIENCE: Duration = Duration::from_secs(600);

pub const WITH_PROCESSES: [Executor; 2] = [Executor::Pickle, Executor::Shared];

pub const PANICS: u64 = 1;
pub const ABORTS: u64 = 2;
pub const EXITS: u64 = 3;
pub const SLEEPS: u64 = 4;

/// Pools for a kernel that does what a row says.
pub type Acting<'k> = Pool<'k, Function<fn(&[u64; 2]) -> u64, ByReference<[u64; 2], u64>>>;

/// What is tried with a pool that has not been used, with up to 2 workers.
pub type Scenario = fn(Acting);

/// All of them, with what they show.
pub const SCENARIOS: [(&str, Scenario); 12] = [
    ("later maps use the same workers again, until the pool is dropped", reused),
    ("workers are started as they are needed", started_as_needed),
    ("workers end with the program", ended_with_the_program),
    ("settings may be changed between maps", settings),
    ("workers outlive the thread that has started them", threads),
    ("several threads may map over one pool", at_once),
    ("a clone has workers of its own", cloned),
    ("idle workers use no processor time", idle),
    ("workers that died between two maps are replaced, however often", died_between),
    ("workers that die in the middle of a map are replaced", died_within),
    ("after a map that failed another may go well", failed),
    ("a fork of the program has workers of its own", forked),
];
/// A process's state, parent, and processor time in hundredths of a second.
fn stat(process: u32) -> Option<(char, u32, u64)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let number = |field: usize| fields.get(field)?.parse::<u64>().ok();
    Some((fields.first()?.chars().next()?, number(1)? as u32, number(11)? + number(12)?))
}

/// All processes that this one has started and that live.
pub fn workers() -> BTreeSet<u32> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_worker =
        |&process: &u32| stat(process).is_some_and(|(state, parent, _)| parent == process::id() && state != 'Z');
    entries.filter(is_worker).collect()
}

fn kill(process: u32) {
    signal::kill(Pid::from_raw(process as i32), signal::SIGKILL).unwrap();
}

/// Waits until that is so. The watchdog ends what never is.
fn eventually(is_so: impl Fn() -> bool) {
    while !is_so() {
        thread::sleep(Duration::from_millis(2));
    }
}

/// Maps over so many rows, of which some take long enough for others to take part; answers which processes did.
fn map(pool: &Acting, rows: usize) -> BTreeSet<u32> {
    let rows: Vec<_> = (0..rows).map(|row| [if row % 50 == 0 { SLEEPS } else { 0 }, 1]).collect();
    let outputs = pool.map(&rows).unwrap();
    assert_eq!(outputs.len(), rows.len());
    outputs.into_iter().map(|process| process as u32).collect()
}

pub fn reused(pool: Acting) {
    map(&pool, 1000);
    let first = workers();
    assert!((1..=2).contains(&first.len()));
    for rows in [0, 1, 10, 1000, 50_000, 2] {
        assert!(map(&pool, rows).is_subset(&first));
        assert_eq!(workers(), first);
    }
    drop(pool);
    assert_eq!(workers(), BTreeSet::new());
}

fn started_as_needed(pool: Acting) {
    let pool = pool.jobs(5).executor(Executor::Shared);
    assert_eq!(workers().len(), 0);
    assert!(pool.map(&[]).unwrap().is_empty());
    assert_eq!(workers().len(), 0);
    map(&pool, 1);
    let first = workers();
    assert_eq!(first.len(), 1);
    map(&pool, 1000);
    assert!(workers().is_superset(&first) && workers().len() > 1);
}

/// Maps once, says which workers there are, and waits to be killed.
pub fn linger(pool: &Acting) {
    map(&pool.clone().executor(Executor::Shared), 1000);
    let pools = WITH_PROCESSES.map(|executor| pool.clone().executor(executor));
    pools.iter().for_each(|pool| drop(map(pool, 1000)));
    println!("{}", workers().iter().map(u32::to_string).collect::<Vec<_>>().join(" "));
    thread::sleep(PATIENCE);
}

fn ended_with_the_program(_: Acting) {
    let mut program = Command::new("/proc/self/exe").arg("linger").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let workers: Vec<u32> = line.split_whitespace().map(|process| process.parse().unwrap()).collect();
    assert!(workers.len() > 1 && workers.iter().all(|&worker| stat(worker).is_some()), "{line}");
    kill(program.id());
    let _ = program.wait();
    let is_gone = |&worker: &u32| stat(worker).is_none_or(|(state, ..)| state == 'Z');
    eventually(|| workers.iter().all(is_gone));
}

fn settings(mut pool: Acting) {
    let of_two = map(&pool, 1000);
    pool = pool.chunk_size(7);
    assert!(map(&pool, 1000).is_subset(&workers()) && !of_two.is_disjoint(&workers()));
    pool = pool.jobs(1);
    assert_eq!(map(&pool, 1000).len(), 1);
    assert!(workers().len() == 1 && workers().is_disjoint(&of_two));
    pool = pool.jobs(4);
    map(&pool, 1000);
    assert!(workers().len() > 2);
    for here in [Executor::Serial, Executor::Threads] {
        pool = pool.executor(here);
        assert_eq!(map(&pool, 1000), BTreeSet::from([process::id()]));
    }
    for elsewhere in WITH_PROCESSES {
        pool = pool.executor(elsewhere).jobs(2);
        assert!(!map(&pool, 1000).contains(&process::id()) && workers().len() <= 2);
    }
}

fn threads(pool: Acting) {
    let first = thread::scope(|scope| scope.spawn(|| map(&pool, 1000)).join().unwrap());
    // What is killed with a thread is killed when it ends.
    thread::sleep(Duration::from_millis(50));
    assert!(first.is_subset(&workers()));
    let second = map(&pool, 1000);
    assert!(second.is_subset(&workers()) && first.is_subset(&workers()) && workers().len() <= 2);
}

fn at_once(pool: Acting) {
    let pool = &pool;
    thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || (0..20).for_each(|turn| assert!(map(pool, thread * 100 + turn).len() <= 2)));
        }
    });
    assert!(workers().len() <= 2);
}

fn cloned(pool: Acting) {
    map(&pool, 1000);
    let first = workers();
    let clone = pool.clone();
    assert_eq!(workers(), first);
    assert!(map(&clone, 1000).is_disjoint(&first));
    drop(pool);
    assert!(workers().is_disjoint(&first) && map(&clone, 1000).is_subset(&workers()));
}

fn idle(pool: Acting) {
    map(&pool, 1000);
    let spent = || workers().into_iter().filter_map(stat).map(|(.., spent)| spent).sum::<u64>();
    let before = spent();
    thread::sleep(Duration::from_millis(1100));
    let idling = spent() - before;
    assert!(idling <= 3, "{idling} hundredths of a second");
}

pub fn died_between(pool: Acting) {
    map(&pool, 1000);
    for turn in 0..35 {
        let before = workers();
        before.iter().take(1 + turn % 2).for_each(|&worker| kill(worker));
        let rest: BTreeSet<u32> = before.iter().skip(1 + turn % 2).copied().collect();
        eventually(|| workers() == rest);
        map(&pool, 100);
        assert!(workers().is_superset(&rest) && !workers().is_empty() && workers().len() <= 2);
    }
}

pub fn died_within(pool: Acting) {
    let pool = pool.executor(Executor::Shared);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(20));
                for worker in workers().into_iter().take(1) {
                    let _ = signal::kill(Pid::from_raw(worker as i32), signal::SIGKILL);
                }
            }
        });
        let checked = std::panic::catch_unwind(|| (0..5).for_each(|_| drop(map(&pool, 5000))));
        is_over.store(true, Ordering::Relaxed);
        checked.unwrap();
    });
}

/// Since Linux 6.15 it is known how a worker has ended, whoever has reaped it.
const UNKNOWN: &str = "it is not known how";

pub fn failed(pool: Acting) {
    for (deed, cause) in [(PANICS, "panicked: as it was told (at "), (ABORTS, "killed by SIGABRT"), (EXITS, "status 7")]
    {
        map(&pool, 1000);
        let before = workers();
        let mut rows = vec![[0, 0]; 1000];
        rows[700][0] = deed;
        let said = pool.map(&rows).unwrap_err().to_string();
        let cause = if said.contains("broken the pool") {
            cause.replace("panicked: as it was told (at ", "status 101")
        } else {
            cause.into()
        };
        assert!(said.contains(&cause) || (deed != PANICS && said.contains(UNKNOWN)), "{said}");
        assert_eq!(workers(), BTreeSet::new(), "all are thrown away");
        assert!(map(&pool, 1000).is_disjoint(&before));
    }
}

fn forked(pool: Acting) {
    let first = map(&pool, 1000);
    // SAFETY: no other thread that maps is under way, so that nobody has left anything locked.
    let fork = unsafe { libc::fork() };
    if fork == 0 {
        let others = map(&pool, 1000);
        drop(pool);
        let is_right = others.is_disjoint(&first) && workers().is_empty();
        // SAFETY: it only ends.
        unsafe { libc::_exit(if is_right { 42 } else { 1 }) };
    }
    assert!(map(&pool, 1000).is_subset(&workers()));
    let mut status = 0;
    // SAFETY: `status` is a number that is written. Where children are reaped by others it stays as it is.
    let waited = unsafe { libc::waitpid(fork, &mut status, 0) };
    assert!(waited != fork || libc::WEXITSTATUS(status) == 42, "{status}");
    map(&pool, 1000);
}
