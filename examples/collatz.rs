//! Compares two ways to divide uneven work among workers: claiming blocks by a shared counter, and a fixed share for each.
//!
//! The work is to count the steps of Collatz sequences. The rows at the end of the list cost a thousand times as much as the
//! others. Workers that claim blocks are all busy until the end; with fixed shares, everybody waits for the worker whose
//! share holds the costly rows.
//!
//! `cargo run --release -q --example collatz`

use pmapgcd::{Error, Executor, Function, Pool};
use std::thread;
use std::time::Instant;

const JOBS: usize = 2;
const ROWS: u64 = 40_000;

/// The steps of the sequences that start at n, n + 1 and so on: `repeats` sequences, all steps added up.
fn collatz(&[n, repeats]: &[u64; 2]) -> u64 {
    (n..n + repeats).map(steps).sum()
}

/// The number of steps from n to 1.
fn steps(mut n: u64) -> u64 {
    let mut steps = 0;
    while n > 1 {
        n = if n.is_multiple_of(2) { n / 2 } else { 3 * n + 1 };
        steps += 1;
    }
    steps
}

fn main() -> Result<(), Error> {
    let kernel = Function(collatz);
    // A worker process is this program again. It becomes a worker in this call, so nothing may come before it.
    let pool = Pool::new(&kernel).jobs(JOBS).executor(Executor::Shared);

    // Each row of the last eighth counts a thousand sequences, the others one.
    let rows: Vec<[u64; 2]> = (1..=ROWS).map(|n| [n, if n > ROWS - ROWS / 8 { 1000 } else { 1 }]).collect();

    let start = Instant::now();
    let claimed = pool.map(&rows)?;
    let by_counter = start.elapsed();

    let start = Instant::now();
    let shares = rows.chunks(rows.len().div_ceil(JOBS));
    let split: Vec<u64> = thread::scope(|scope| {
        let share = |share: &[[u64; 2]]| share.iter().map(collatz).collect::<Vec<u64>>();
        let workers: Vec<_> = shares.map(|rows| scope.spawn(move || share(rows))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    });
    let by_share = start.elapsed();

    assert_eq!(claimed, split);
    println!("claimed by a counter: {:.3} seconds", by_counter.as_secs_f64());
    println!("a fixed share each:   {:.3} seconds", by_share.as_secs_f64());
    Ok(())
}
