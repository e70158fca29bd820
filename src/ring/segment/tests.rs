//! Tests of the segment, and of the ends of its ring.

use super::memory::PAGE;
use super::*;
use crate::ring::{Ends, Outcome, Place, Spoilt};
use std::mem::offset_of;

const SIZES: Sizes = Sizes { head: 8, block: 64, room: 100 };

fn reopened(segment: &Segment) -> Result<Segment, SegmentError> {
    Segment::attach(segment.descriptor().unwrap())
}

/// Publishes the next block, whose bytes lie at `input`, and tells the writer to begin with it.
fn publish(ends: &mut Ends, input: Range<usize>) {
    ends.reader.try_fill().unwrap().unwrap().publish(Place::Slot(input.clone()));
    ends.writer.begin(Place::Slot(input), 0);
}

#[test]
fn everything_lies_where_its_type_may_lie() {
    assert_eq!(Layout::CONTROL % align_of::<Control>(), 0);
    assert_eq!(Layout::SLOTS % align_of::<Slot>(), 0);
    for (head, block) in [(0, 64), (8, 65), (8, 4096), (12, 100_000)] {
        let layout = Layout { slots: 3, sizes: Sizes { head, block, room: block + 1 } };
        assert!(layout.regions() >= Layout::SLOTS + 3 * size_of::<Slot>());
        assert_eq!((layout.input(0).len(), layout.results(0).len()), (head + block, block + 1));
        assert!(layout.results(0).start >= layout.input(0).end);
        assert!([layout.input(1), layout.results(1)].iter().all(|region| region.start % 128 == 0));
        assert!(layout.results(1).end <= layout.input(2).start);
        assert!(layout.results(2).end <= layout.length());
    }
}

#[test]
fn there_are_as_many_slots_as_there_is_room_for() {
    let sizes = Sizes { head: 8, block: 4096, room: 5120 };
    for wanted in [1, 2, 8, 1000] {
        let layout = Layout { slots: wanted, sizes };
        let mut before = 0;
        for room in (0..layout.length() as u64 + 10_000).step_by(997) {
            let Some(fits) = layout.within(room) else {
                assert_eq!(before, 0, "more room, and no slots");
                continue;
            };
            assert!(fits.length() as u64 <= room && fits.slots >= before && fits.slots <= wanted);
            // One more slot would not fit, if up to two pages are lost to rounding.
            let more = Layout { slots: fits.slots + 1, sizes }.length() as u64;
            assert!(fits.slots == wanted || more + 2 * PAGE as u64 > room, "{} of {wanted}", fits.slots);
            before = fits.slots;
        }
        assert_eq!(before, wanted);
        assert_eq!(layout.within(u64::MAX), Some(layout));
    }
}

/// `tests/hostile.rs` uses these offsets as plain numbers.
#[test]
fn everything_lies_where_the_test_of_hostile_workers_looks_for_it() {
    let places = [Layout::CONTROL, Layout::SLOTS, size_of::<Slot>()];
    assert_eq!(places, [128, 1408, 128]);
    let words = [offset_of!(Control, next), offset_of!(Control, closed)];
    let events = [offset_of!(Control, filled), offset_of!(Control, done), offset_of!(Control, freed)];
    assert_eq!((words, events), ([0, 128], [640, 768, 896]));
    assert_eq!(offset_of!(Control, chain), 1024);
    let places = [offset_of!(Slot, word), offset_of!(Slot, start), offset_of!(Slot, progress), offset_of!(Slot, block)];
    assert_eq!(places, [0, 8, 20, 32]);
    assert_eq!(offset_of!(Slot, kind), 76);
}

#[test]
fn a_block_goes_through_two_mappings() {
    let mut parent = Segment::shared(2, SIZES).unwrap();
    let worker = reopened(&parent).unwrap();
    let mut ends = parent.ends(0);
    let mut filling = ends.reader.try_fill().unwrap().unwrap();
    filling.input()[..13].copy_from_slice(b"the head12,18");
    filling.publish(Place::Slot(8..13));
    ends.writer.begin(Place::Slot(8..13), 0);
    let mut claim = worker.try_claim(7).unwrap();
    let (head, input, results) = claim.parts();
    assert_eq!((head, input, results.len()), (&b"the head"[..], &b"12,18"[..], 100));
    results[..3].copy_from_slice(b"6\n!");
    claim.finish(Outcome { consumed: 5, results: 3, measures: [1, 2, 3, 4, 5, 6] });
    let taken = ends.writer.try_take(true).unwrap().unwrap();
    assert_eq!((taken.input(), taken.results(), taken.worker), (Some(&b"12,18"[..]), &b"6\n!"[..], 7));
    assert_eq!(taken.outcome.measures, [1, 2, 3, 4, 5, 6]);
    assert!(taken.give_back());
    assert!(ends.writer.try_take(false).unwrap().is_none(), "the next one is not published");
}

#[test]
fn a_slot_that_was_not_published_is_filled_again_and_a_part_is_followed_by_the_rest() {
    let mut segment = Segment::private(1, SIZES).unwrap();
    let mut ends = segment.ends(0);
    ends.reader.try_fill().unwrap().unwrap().input()[8..12].copy_from_slice(b"lost");
    publish(&mut ends, 8..12);
    assert!(ends.reader.try_fill().unwrap().is_none(), "the one slot is in use");
    ends.segment.try_claim(0).unwrap().finish(Outcome { consumed: 3, ..Outcome::default() });
    assert!(!ends.writer.try_take(true).unwrap().unwrap().give_back());
    assert_eq!(ends.writer.rest(), Some(&b"t"[..]));
    let mut claim = ends.segment.try_claim(0).unwrap();
    assert_eq!(claim.parts().1, b"t");
    claim.finish(Outcome { consumed: 1, ..Outcome::default() });
    assert!(ends.writer.try_take(true).unwrap().unwrap().give_back());
    publish(&mut ends, 8..12);
    // The next run must continue with the number behind the last block of this run.
    let mut ends = segment.ends(2);
    assert!(matches!(ends.reader.try_fill(), Ok(None)));
    assert!(matches!(segment.ends(5).reader.try_fill(), Err(Spoilt)));
}

#[test]
fn results_and_input_that_no_honest_worker_names_are_refused() {
    let honest = Outcome { consumed: 5, results: 100, ..Outcome::default() };
    let after = |outcome| {
        let mut segment = Segment::shared(2, SIZES).unwrap();
        let mut ends = segment.ends(0);
        publish(&mut ends, 60..65);
        ends.segment.try_claim(0).unwrap().finish(outcome);
        ends.writer.try_take(true).map(|taken| taken.map(|taken| (taken.left(), taken.results().len())))
    };
    assert_eq!(after(honest), Ok(Some((5, 100))));
    assert_eq!(after(Outcome { consumed: 6, ..honest }), Err(Spoilt));
    assert_eq!(after(Outcome { results: 101, ..honest }), Err(Spoilt));
    assert_eq!(after(Outcome { results: u32::MAX as usize, ..honest }), Err(Spoilt));
}

#[test]
fn input_that_no_honest_worker_names_stays_within_the_slot() {
    let mut segment = Segment::shared(2, SIZES).unwrap();
    let mut ends = segment.ends(0);
    publish(&mut ends, 60..4_000_000);
    assert_eq!(ends.segment.try_claim(0).unwrap().parts().1.len(), 12);
}

#[test]
fn last_words_are_kept_until_the_block_is_put_back() {
    let mut segment = Segment::shared(2, SIZES).unwrap();
    let mut ends = segment.ends(0);
    publish(&mut ends, 8..12);
    let held = |ends: &Ends| ends.supervisor.held_by(3).pop().unwrap();
    ends.segment.try_claim(3).unwrap();
    assert_eq!(ends.supervisor.last_words(&held(&ends)), None);
    let dead = held(&ends);
    ends.supervisor.recover(dead);
    ends.segment.try_claim(3).unwrap().leave_last_words(&[b'!'; 1000]);
    assert_eq!(ends.supervisor.last_words(&held(&ends)), Some(vec![b'!'; 100]));
    let dead = held(&ends);
    ends.supervisor.recover(dead);
    ends.segment.try_claim(3).unwrap();
    assert_eq!(ends.supervisor.last_words(&held(&ends)), None);
}

#[test]
fn a_worker_trusts_no_other_file() {
    assert!(matches!(
        Segment::attach(std::fs::File::open("/dev/null").unwrap().into()),
        Err(SegmentError::NotOurs("too short"))
    ));
    for (at, value) in [(0usize, 0u32), (8, 99), (16, 0), (16, 3), (24, 1000), (32, 1000), (36, 1), (40, 1000)] {
        let segment = Segment::shared(2, SIZES).unwrap();
        // SAFETY: the first 48 bytes are the header, and no one but this test uses the mapping.
        unsafe { segment.map.as_mut_ptr().add(at).cast::<u32>().write(value) };
        assert!(matches!(reopened(&segment), Err(SegmentError::NotOurs(_))), "offset {at}");
    }
}

#[test]
fn asking_for_too_much_is_an_error() {
    // If the file system knows how much room it has, the error comes at once. Otherwise it comes when the first slot is
    // allocated.
    let granted = Segment::shared(2, Sizes { block: 1 << 44, ..SIZES })
        .and_then(|mut segment| segment.ends(0).reader.try_fill().unwrap().unwrap().allocate());
    let is_refused = matches!(granted, Err(SegmentError::Refused { length, .. }) if length > 1 << 44);
    assert!(is_refused, "16 TiB were granted");
}
