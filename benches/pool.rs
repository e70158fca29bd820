//! Measures 1000 maps of 1000 records each with the same pool: `cargo bench --bench pool`.
//!
//! The records of a map take some microseconds to compute, so the figures show what it costs to begin and to end a map.
//! With worker processes that is mainly whether they have to be started.
//!
//! Worker processes are this program again, and become workers where the pool is made, so `main` makes it first.

use criterion::{BenchmarkId, Criterion, Throughput};
use pmapgcd::{Executor, Gcd64, Kernel, Pool};

const MAPS: u64 = 1000;
const RECORDS: u64 = 1000;

fn main() {
    let gcd = Gcd64::default();
    let mut pool = Pool::new(&gcd).jobs(2);
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let rows: Vec<[u64; 2]> = (0..RECORDS).map(|n| [n * 12, n * 18]).collect();
    let expected: Vec<u64> = rows.iter().map(|row| gcd.map(row)).collect();
    let mut group = criterion.benchmark_group(format!("{MAPS} maps of {RECORDS} records"));
    group.throughput(Throughput::Elements(MAPS * RECORDS));
    for executor in Executor::ALL {
        pool = pool.executor(executor);
        assert!(pool.map(&rows).is_ok_and(|outputs| outputs == expected));
        let map = || pool.map(&rows).map(|outputs| outputs.len()).unwrap_or_default();
        group.bench_function(BenchmarkId::from_parameter(executor.name()), |bencher| {
            bencher.iter(|| (0..MAPS).map(|_| map()).sum::<usize>());
        });
    }
    group.finish();
    criterion.final_summary();
}
