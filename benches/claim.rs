//! Measures the claim protocol by itself: one thread takes blocks through all states of a slot, so that nobody waits.
//!
//! `cargo bench --bench claim`

#[allow(dead_code, missing_docs, unused_imports, unsafe_code)]
#[path = "../src/ring/mod.rs"]
mod ring;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ring::{Ends, Outcome, Place, Segment, Sizes};

fn claim(criterion: &mut Criterion) {
    let mut segment = Segment::private(8, Sizes { head: 0, block: 64, room: 64 }).expect("a page or two");
    let Ends { mut reader, mut writer, segment, .. } = segment.ends(0);
    let outcome = Outcome { consumed: 1, results: 1, ..Outcome::default() };
    let mut blocks = 0u64;
    let mut group = criterion.benchmark_group("ring");
    group.throughput(Throughput::Elements(1));
    group.bench_function("fill, claim, finish, take and free a block", |bencher| {
        bencher.iter(|| {
            if let Ok(Some(filling)) = reader.try_fill() {
                filling.publish(Place::Slot(0..1));
                writer.begin(Place::Slot(0..1), 0);
            }
            if let Some(claim) = segment.try_claim(0) {
                claim.finish(outcome);
            }
            if let Ok(Some(taken)) = writer.try_take(true) {
                blocks += u64::from(taken.give_back());
            }
        });
    });
    group.finish();
    assert!(blocks > 0);
}

criterion_group!(benches, claim);
criterion_main!(benches);
