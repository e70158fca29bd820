//! Errors of the system, one by one: strace makes each system call of a run fail with each of its likely errors, the
//! first time, later, or always. `calls.rs` lists the calls and errors, and says why some are left out. Outputs are new
//! files, files that are replaced, and files that cannot be replaced. Whatever fails, the run must end with the right
//! results and rejects, or with a clear error and its status. It must leave no process, no file beside its outputs, and
//! nothing that holds memory in `/dev/shm`.
//!
//! There are 5000 such runs. By default a part of them is tried. `PMAPGCD_INJECTED=all cargo test --test injected` tries all, which
//! takes some minutes; `PMAPGCD_INJECTED=2000` tries another part (2000 is a seed), and `PMAPGCD_INJECTED=openat` those of one call.

#[path = "../common/mod.rs"]
mod common;

mod bench;
mod calls;

use bench::{Bench, WAYS, Way};
use calls::ERRORS;
use common::world::is_permitted;
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// For how long runs are tried by default.
const SHORT: Duration = Duration::from_secs(40);

/// Which calls of a thread fail, counted after those that load the program. `INTR` and `AGAIN` pass.
const TIMES: [&str; 5] = ["1", "2", "3", "5", "*"];
const PASSING: [&str; 5] = ["1", "2", "3", "5", "8"];

/// One run for each way to run, call, error and time of failure, in an order that the seed gives.
fn plan(bench: &Bench, mut random: common::harm::Random) -> Vec<(Way, &'static str, &'static str, String)> {
    let (mut plan, mut made) = (vec![], BTreeSet::new());
    for way in WAYS {
        let calls = bench.calls(way);
        made.extend(calls.keys().cloned());
        for (call, errors) in ERRORS {
            let Some(&before) = calls.get(call) else { continue };
            for error in errors.split(' ') {
                let times = if ["EINTR", "EAGAIN"].contains(&error) && call != "clone3" { PASSING } else { TIMES };
                for time in times {
                    let when = match time.parse::<usize>() {
                        Ok(time) => format!("{}", before + time),
                        Err(_) => format!("{}+", before + 1),
                    };
                    plan.push((way, call, error, when));
                }
            }
        }
    }
    let never_made: Vec<&str> = ERRORS.iter().map(|&(call, _)| call).filter(|&call| !made.contains(call)).collect();
    println!("{} runs in all; calls that none makes here: {}", plan.len(), never_made.join(" "));
    for at in (1..plan.len()).rev() {
        plan.swap(at, random.below(at + 1));
    }
    plan
}

#[test]
fn whatever_system_call_fails_a_run_ends_right_or_with_an_error() {
    if Command::new("strace").arg("-V").output().is_err() || !is_permitted() {
        common::skipped("there is no strace, or we are not root");
        return;
    }
    let which = std::env::var("PMAPGCD_INJECTED").unwrap_or_default();
    let seed = common::harm::Random(which.parse().unwrap_or(1));
    let plan = plan(&Bench::new(), seed);
    let is_named = plan.iter().any(|&(_, call, ..)| call == which);
    let deadline = Instant::now() + if which == "all" || is_named { Duration::from_secs(1 << 30) } else { SHORT };
    let plan = Mutex::new(plan.into_iter().filter(|&(_, call, ..)| !is_named || call == which));
    let next = || plan.lock().unwrap().next().filter(|_| Instant::now() < deadline);
    let (tried, faults) = (AtomicUsize::new(0), Mutex::new(vec![]));
    let try_all = || {
        let bench = Bench::new();
        while let Some((way, call, error, when)) = next() {
            let inject = format!("inject={call}:error={error}:when={when}");
            let options = ["-e".to_string(), format!("trace={call}"), "-e".to_string(), inject];
            let ended = bench.run(way, &options, &format!("{call} fails with {error}, {when}"));
            tried.fetch_add(1, Ordering::Relaxed);
            if let Some(fault) = bench.fault(&ended) {
                println!("{}: {fault}\n{}", ended.what, ended.stderr);
                faults.lock().unwrap().push(format!("{}: {fault}", ended.what));
            }
        }
    };
    // Most of the time they wait.
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(try_all))));
    let (tried, faults) = (tried.into_inner(), faults.into_inner().unwrap());
    println!("{tried} runs");
    assert!(faults.is_empty() && tried > 0, "{} of {tried} runs went wrong:\n{}", faults.len(), faults.join("\n"));
}
