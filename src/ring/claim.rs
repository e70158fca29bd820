//! What workers do on the ring: claim a block, compute it, and hand it over.
//!
//! Any number of workers may ask for a claim at once; a block is only ever given to one of them.

use super::segment::Segment;
use super::slots::{Care, Outcome, Place, Slot};
use super::sync::Ordering;
use super::word::{Counter, State, Word};
use std::ops::Range;

/// A block that is the worker's to compute. Whoever drops one without finishing it is taken for dead.
pub struct Claim<'s> {
    pub(super) segment: &'s Segment,
    pub(super) block: u64,
    worker: u32,
    input: Range<usize>,
}

impl Segment {
    /// The number of the slot that this block lives in.
    pub(super) fn slot_of(&self, block: u64) -> usize {
        (block % self.ring().len() as u64) as usize
    }

    pub(super) fn slot(&self, block: u64) -> &Slot {
        &self.ring()[self.slot_of(block)]
    }

    fn counter(&self) -> Counter {
        Counter(self.control().next.0.load(Ordering::Acquire))
    }

    /// Changes the counter, unless it has changed since it was `seen`; answers whether it had not.
    fn exchange_counter(&self, seen: Counter, new: Counter) -> bool {
        self.control().next.0.compare_exchange(seen.0, new.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Whether the block waits to be claimed, or has a claimant that is not done with it.
    pub(super) fn is_under_way(&self, block: u64) -> bool {
        let word = self.slot(block).load();
        word.is_in_use_by(block) && word.state() != State::Done
    }

    /// Lowers the counter to this block, so that workers look at it again.
    pub(super) fn look_again_from(&self, block: u64) {
        let lower = || {
            let seen = self.counter();
            self.exchange_counter(seen, seen.lowered(block))
        };
        while !lower() {}
    }

    /// The first block that nobody has claimed yet, now this worker's.
    pub fn try_claim(&self, worker: u32) -> Option<Claim<'_>> {
        loop {
            let counter = self.counter();
            let block = counter.block();
            let slot = self.slot(block);
            let word = slot.load();
            if word.is_before(block) {
                return None;
            }
            if word != Word::filled(block) {
                // The block is claimed or done, or the slot holds a later one: its claimant may have died before it could
                // advance the counter.
                self.exchange_counter(counter, counter.advanced());
            } else if slot.exchange(word, Word::claimed(block, worker)) {
                self.exchange_counter(counter, counter.advanced());
                return Some(Claim { segment: self, block, worker, input: slot.input() });
            }
        }
    }

    /// Whether a block waits to be claimed. A hint: whoever has been woken wakes the next worker by it.
    pub fn has_filled(&self) -> bool {
        // After a block was put back the counter stands before blocks that are claimed or done.
        let blocks = (self.counter().block()..).take(self.ring().len());
        let words = blocks.map(|block| (block, self.slot(block).load()));
        words.take_while(|&(block, word)| !word.is_before(block)).any(|(block, word)| word == Word::filled(block))
    }

    /// Whether the run is over, for workers that outlive it.
    pub fn is_closed(&self) -> bool {
        self.control().closed.0.load(Ordering::Acquire) != 0
    }

    /// Counts the calling worker as one that has started up; answers how many did before it.
    pub fn report_up(&self) -> u32 {
        self.control().came_up.0.fetch_add(1, Ordering::Relaxed)
    }

    /// Adds these numbers to the sums that workers keep together, from the first sum on.
    pub fn add(&self, numbers: &[u64]) {
        for (sum, &number) in self.control().sums.0.iter().zip(numbers) {
            sum.fetch_add(number, Ordering::Relaxed);
        }
    }
}

impl<'s> Claim<'s> {
    /// The number of the slot that the block lies in.
    pub fn slot(&self) -> usize {
        self.segment.slot_of(self.block)
    }

    /// Where the block's bytes lie.
    pub fn place(&self) -> Place {
        Place::Slot(self.input.clone())
    }

    /// How the claimant must treat the rows, and where it notes how far it has come.
    pub fn care(&self) -> Care<'s> {
        let slot = self.segment.slot(self.block);
        Care { start: self.input.start, caution: slot.caution.load(Ordering::Relaxed), progress: Some(&slot.progress) }
    }

    /// Hands the block to the writer with what became of it.
    pub fn finish(self, outcome: Outcome) {
        let slot = self.segment.slot(self.block);
        slot.block.store(self.block, Ordering::Relaxed);
        slot.worker.store(self.worker, Ordering::Relaxed);
        slot.set_outcome(outcome);
        slot.exchange(Word::claimed(self.block, self.worker), Word::done(self.block));
    }
}
