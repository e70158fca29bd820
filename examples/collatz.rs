//! Uneven work: the steps of the Collatz sequence from n to 1, for rows of which some cost a thousand times what others
//! do. Workers that claim blocks by a counter are all busy to the end; a fixed share for each is over when the unlucky
//! one is.
//!
//! `cargo run --release -q --example collatz`

use pmapgcd::{Error, Executor, Function, Pool};
use std::thread;
use std::time::Instant;

const JOBS: usize = 2;
const ROWS: u64 = 40_000;

/// Steps for `repeats` starts from n upwards.
fn collatz(&[n, repeats]: &[u64; 2]) -> u64 {
    (n..n + repeats).map(steps).sum()
}

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
    // Before anything else: a worker process comes as far as this, and no further.
    let pool = Pool::new(&kernel).jobs(JOBS).executor(Executor::Shared);

    // The last eighth of the rows costs a thousand times what the others do.
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
