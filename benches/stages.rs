//! Measures each stage of a worker by itself (decoder, kernel, printer) and then the whole filter, in rows and in bytes a
//! second: `cargo bench --bench stages`.
//!
//! `PMAPGCD_VECTORS=avx2 cargo bench --bench stages` does so without AVX-512, and `PMAPGCD_VECTORS=portable` with only
//! those instructions that every processor has.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pmapgcd::batch::{Batch, BatchKernel, Divisors, Index, Pairs};
use pmapgcd::{Format, Gcd};
use std::hint::black_box;
use std::io::Write;
use std::process::{Command, Stdio};

/// How many rows a worker maps at a time.
const BATCH: usize = 512;

fn text(bits: u32, rows: usize) -> Vec<u8> {
    let mut state = 41u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ mixed >> 27) >> (64 - bits)
    };
    let mut text = vec![];
    for _ in 0..rows {
        let _ = writeln!(text, "{},{}", next(), next());
    }
    text
}

fn stages(criterion: &mut Criterion) {
    let gcd = Gcd::default();
    for (name, bits) in [("small", 22), ("63-bit", 63), ("64-bit", 64)] {
        let text = text(bits, BATCH);
        let (mut pairs, mut divisors) = (Pairs::default(), Divisors::default());
        let mut index = Index::new(Format::default());
        let mut decode = |text: &[u8], pairs: &mut Pairs| {
            index.restart(0);
            let mut at = 0;
            while pairs.len() < BATCH {
                let found = index.rows(text, at, &(2..=2), None, BATCH - pairs.len());
                let read = gcd.read_rows(&found, pairs, &mut |_, _| false);
                at = index.advance(read);
            }
            at
        };
        let bytes = decode(&text, &mut pairs);
        assert_eq!(pairs.len(), BATCH);
        gcd.map_batch(&pairs, &mut divisors);
        let mut room = vec![0; BATCH * 21];
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::ElementsAndBytes { elements: BATCH as u64, bytes: bytes as u64 });
        group.bench_function("decoder", |bencher| {
            let mut pairs = Pairs::default();
            bencher.iter(|| {
                pairs.clear();
                decode(black_box(&text), &mut pairs)
            });
        });
        group.bench_function("kernel", |bencher| {
            let mut divisors = Divisors::default();
            bencher.iter(|| {
                divisors.clear();
                gcd.map_batch(black_box(&pairs), &mut divisors);
            });
        });
        group.bench_function("printer", |bencher| {
            bencher.iter(|| gcd.write(black_box(&divisors), 0..BATCH, Format::default(), &mut room));
        });
        group.finish();
    }
}

fn filter(criterion: &mut Criterion) {
    const ROWS: usize = 1_000_000;
    let folder = std::env::temp_dir();
    let mut group = criterion.benchmark_group("whole filter");
    group.sample_size(10);
    for (name, bits) in [("small", 22), ("63-bit", 63), ("64-bit", 64)] {
        let file = folder.join(format!("pmapgcd-bench-{}-{bits}.csv", std::process::id()));
        let text = text(bits, ROWS);
        if std::fs::write(&file, &text).is_err() {
            continue;
        }
        group.throughput(Throughput::ElementsAndBytes { elements: ROWS as u64, bytes: text.len() as u64 });
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut command = Command::new(env!("CARGO_BIN_EXE_pmapgcd"));
                let status = command.args(["-j", "2"]).arg(&file).stdout(Stdio::null()).status();
                assert!(status.is_ok_and(|status| status.success()));
            });
        });
        let _ = std::fs::remove_file(&file);
    }
    group.finish();
}

criterion_group!(benches, stages, filter);
criterion_main!(benches);
