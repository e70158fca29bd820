//! `Pool::map` under every executor: a program of its own, since its workers are this program again.

use pmapgcd::{Executor, Function, Gcd64, Kernel, Pool};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// An output larger than its row, with another alignment.
fn spread(&n: &u32) -> [u64; 3] {
    [u64::from(n), u64::from(n) + 1, u64::from(n) * 2]
}

fn main() {
    let gcd = Gcd64::default();
    let spread = Function(spread);
    // Before anything else: a worker process comes as far as its pool, and no further.
    let mut pairs = Pool::new(&gcd);
    let mut numbers = Pool::new(&spread);

    for executor in Executor::ALL {
        pairs = pairs.executor(executor);
        numbers = numbers.executor(executor);
        assert_eq!(pairs.map(&[]).unwrap(), [0; 0]);
        let mut runner = TestRunner::new(Config { cases: 25, failure_persistence: None, ..Config::default() });
        let rows = prop::collection::vec(prop::array::uniform2(0u64..), 0..3000);
        let cases = (rows, 1..5usize, 1..50usize);
        let checked = runner.run(&cases, |(rows, jobs, chunk_size)| {
            let pool = pairs.clone().jobs(jobs).chunk_size(chunk_size);
            let expected: Vec<_> = rows.iter().map(|row| gcd.map(row)).collect();
            prop_assert_eq!(pool.map(&rows).unwrap(), expected);
            Ok(())
        });
        checked.unwrap_or_else(|error| panic!("{}: {error}", executor.name()));
        let rows: Vec<u32> = (0..100_000).collect();
        let expected: Vec<_> = rows.iter().map(|row| spread.map(row)).collect();
        assert!(numbers.map(&rows).unwrap() == expected, "{}", executor.name());
    }
    println!("{} passed, 0 failed", Executor::ALL.len());
}
