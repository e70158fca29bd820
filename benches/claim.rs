//! The claim loop alone, a block through all its states with nobody to wait for: `cargo bench --bench claim`.

#[allow(dead_code, missing_docs, unused_imports)]
#[path = "../src/ring/mod.rs"]
mod ring;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ring::{Control, Outcome, Ring, Slot};

fn claim(criterion: &mut Criterion) {
    let control = Control::new();
    let slots: Vec<Slot> = (0..8).map(Slot::new).collect();
    let ring = Ring::new(&control, &slots);
    let outcome = Outcome { consumed: 1, lines: 1, results: 1, ..Outcome::default() };
    let mut block = 0;
    let mut group = criterion.benchmark_group("ring");
    group.throughput(Throughput::Elements(1));
    group.bench_function("fill, claim, finish, take and free a block", |bencher| {
        bencher.iter(|| {
            if let Ok(Some(filling)) = ring.try_fill(block) {
                ring.publish(filling, 0..1);
            }
            if let Some(claim) = ring.try_claim(0) {
                ring.finish(claim, outcome);
            }
            if let Ok(Some(taken)) = ring.try_take(block, &(0..1), true) {
                ring.free(taken);
                block += 1;
            }
        });
    });
    group.finish();
    assert!(block > 0);
}

criterion_group!(benches, claim);
criterion_main!(benches);
