//! Measures each GCD algorithm by itself, on pairs that are already in memory: `cargo bench --bench algorithms`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pmapgcd::{Algorithm, Gcd64, Kernel};

fn rows(bits: u32, count: u64) -> Vec<[u64; 2]> {
    let mut state = 41u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        state >> (64 - bits)
    };
    (0..count).map(|_| [next(), next()]).collect()
}

fn algorithms(criterion: &mut Criterion) {
    for (bits, count) in [(12, 100), (22, 10_000), (63, 10_000)] {
        let rows = rows(bits, count);
        let mut group = criterion.benchmark_group(format!("gcd of {bits} bits"));
        group.throughput(Throughput::Elements(count));
        for algorithm in [Algorithm::Auto, Algorithm::Binary, Algorithm::Euclid, Algorithm::Trial] {
            if algorithm == Algorithm::Trial && bits > 12 {
                continue; // a row would take seconds
            }
            let gcd = Gcd64::new(algorithm);
            let mut outputs = vec![];
            group.bench_function(BenchmarkId::from_parameter(format!("{algorithm:?}")), |bencher| {
                bencher.iter(|| {
                    outputs.clear();
                    gcd.map_rows(&rows, &mut outputs);
                    outputs.len()
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, algorithms);
criterion_main!(benches);
