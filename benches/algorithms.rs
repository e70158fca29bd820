//! Measures each GCD algorithm by itself, on pairs that are already in memory: `cargo bench --bench algorithms`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dashu_int::UBig;
use pmapgcd::batch::{Batch, BatchKernel, Divisors, Index, Pairs};
use pmapgcd::{Algorithm, Base, Format, Gcd, Gcd64, Kernel};

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

/// Pairs of more than 64 bits, against dashu, which takes one pair at a time. `PMAPGCD_VECTORS=avx2` measures the vectors of four lanes.
fn large(criterion: &mut Criterion) {
    const COUNT: usize = 64;
    for bits in [128u32, 256, 512, 1024, 2048, 4096, 8192] {
        let mut words = rows(64, u64::from(bits / 64) * COUNT as u64).into_iter().flatten();
        let mut number = || UBig::from_words(&words.by_ref().take(bits as usize / 64).collect::<Vec<_>>());
        let numbers: Vec<[UBig; 2]> = (0..COUNT).map(|_| [number(), number()]).collect();
        let text: String = numbers.iter().map(|[a, b]| format!("{a:x},{b:x}\n")).collect();
        let (gcd, mut index, mut at) = (Gcd::default().base(Base::Hexadecimal), Index::new(Format::default()), 0);
        let (mut pairs, mut divisors) = (Pairs::default(), Divisors::default());
        while at < text.len() {
            let found = index.rows(text.as_bytes(), at, &(2..=2), None, COUNT);
            let read = gcd.read_rows(&found, &mut pairs, &mut |_, _| false);
            at = index.advance(read);
        }
        assert_eq!(pairs.len(), COUNT);
        let mut group = criterion.benchmark_group(format!("gcd of {bits} bits"));
        group.throughput(Throughput::Elements(COUNT as u64));
        group.bench_function("vectors", |bencher| {
            bencher.iter(|| {
                divisors.clear();
                gcd.map_batch(&pairs, &mut divisors);
            });
        });
        group.bench_function("dashu", |bencher| {
            bencher.iter(|| numbers.iter().map(|[a, b]| dashu_int::ops::Gcd::gcd(a, b)).filter(UBig::is_one).count());
        });
        group.finish();
    }
}

criterion_group!(benches, algorithms, large);
criterion_main!(benches);
