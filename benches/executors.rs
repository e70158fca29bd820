//! Measures each executor with rows that cost from nothing to about ten microseconds: `cargo bench --bench executors`.
//!
//! Worker processes are this program again, and become workers where the pool is made, so `main` makes it first. The
//! first map with each executor starts the workers and is not measured. `benches/pool.rs` measures what a map costs apart
//! from its rows.

use criterion::{BenchmarkId, Criterion, Throughput};
use pmapgcd::{Executor, Function, Pool};
use std::hint::black_box;

/// Does so many turns of work, of about a nanosecond each. A turn needs the result of the turn before, so that the
/// processor cannot do several at once.
fn turns(&[seed, turns]: &[u64; 2]) -> u64 {
    (0..turns).fold(seed, |state, turn| black_box(state.wrapping_mul(6364136223846793005).wrapping_add(turn)))
}

fn main() {
    let kernel = Function(turns);
    let mut pool = Pool::new(&kernel).jobs(2);
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    for (rows, work) in [(1_000_000u64, 0u64), (100_000, 100), (10_000, 1000), (1000, 10_000)] {
        let rows: Vec<[u64; 2]> = (0..rows).map(|n| [n, work]).collect();
        let expected: Vec<u64> = rows.iter().map(turns).collect();
        let mut group = criterion.benchmark_group(format!("map {} rows of {work} turns", rows.len()));
        group.throughput(Throughput::Elements(rows.len() as u64));
        for executor in Executor::ALL {
            pool = pool.executor(executor);
            assert!(pool.map(&rows).is_ok_and(|outputs| outputs == expected));
            group.bench_function(BenchmarkId::from_parameter(executor.name()), |bencher| {
                bencher.iter(|| pool.map(&rows).map(|outputs| outputs.len()).unwrap_or_default());
            });
        }
        group.finish();
    }
    criterion.final_summary();
}
