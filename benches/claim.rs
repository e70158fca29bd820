//! Measures the claim protocol by itself: one thread takes blocks through all states of a slot, so that nobody waits.
//!
//! `cargo bench --bench claim`

#[allow(dead_code, missing_docs, unused_imports, unsafe_code)]
#[path = "../src/ring/mod.rs"]
mod ring;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ring::{Ends, Outcome, Place, Segment, Sizes, Turn};

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
    reader.begin_chain();
    let whole = Outcome { consumed: 64, results: 1, ..Outcome::default() };
    let (mut end, mut offset) = (0, 0);
    group.bench_function("the same with a window of a file, and its turn", |bencher| {
        bencher.iter(|| {
            if let Ok(Some(filling)) = reader.try_fill() {
                let window = || Place::File { offset, length: 64 };
                filling.publish(window());
                writer.begin(window(), end);
                offset += 64;
            }
            if let Some(mut claim) = segment.try_claim(0) {
                if let Turn::Begins(start) = claim.turn() {
                    claim.pass_on(start..start + 64, 64);
                }
                claim.finish(whole);
            }
            if let Ok(Some(taken)) = writer.try_take(true) {
                end += taken.outcome.consumed as u64;
                blocks += u64::from(taken.give_back());
            }
        });
    });
    group.finish();
    assert!(blocks > 0);
}

criterion_group!(benches, claim);
criterion_main!(benches);
