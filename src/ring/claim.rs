//! The operations of workers on the ring: claim a block, compute it, and hand over its results.
//!
//! Any number of workers can ask for a claim at once: each block is given to only one of them.

use super::segment::Segment;
use super::slots::{Care, Kind, Outcome, Place, Slot};
use super::sync::{Ordering, fence};
use super::word::{Counter, State, Word};
use std::ops::Range;

/// A block that a worker has claimed and not yet finished. If the `Claim` is dropped without [`Claim::finish`], the
/// slot stays claimed, as after the death of the worker, until the supervisor puts the block back.
pub struct Claim<'s> {
    pub(super) segment: &'s Segment,
    pub(super) block: u64,
    worker: u32,
    pub(super) input: Range<usize>,
}

impl Segment {
    /// Returns the number of the slot that `block` uses.
    pub(super) fn slot_of(&self, block: u64) -> usize {
        (block % self.ring().len() as u64) as usize
    }

    pub(super) fn slot(&self, block: u64) -> &Slot {
        &self.ring()[self.slot_of(block)]
    }

    fn counter(&self) -> Counter {
        Counter(self.control().next.0.load(Ordering::Acquire))
    }

    /// Replaces the counter by `new` if it still equals `seen`. Returns whether the counter was replaced.
    fn exchange_counter(&self, seen: Counter, new: Counter) -> bool {
        self.control().next.0.compare_exchange(seen.0, new.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Whether `block` is published and not done: it waits to be claimed, or a worker has claimed it.
    pub(super) fn is_under_way(&self, block: u64) -> bool {
        let word = self.slot(block).load();
        word.is_in_use_by(block) && word.state() != State::Done
    }

    /// Lowers the counter to `block` if it is greater, so that workers look at this block and the following ones again.
    pub(super) fn look_again_from(&self, block: u64) {
        let lower = || {
            let seen = self.counter();
            self.exchange_counter(seen, seen.lowered(block))
        };
        while !lower() {}
    }

    /// Claims a block for `worker`: the first one that waits to be claimed, beginning at the counter. Returns `None` if
    /// all published blocks are claimed or done.
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
                // The block is claimed or done, or the slot already holds a later block. Advance the counter on behalf
                // of the claimant, which might have died before it could.
                self.exchange_counter(counter, counter.advanced());
            } else if slot.exchange(word, Word::claimed(block, worker)) {
                self.exchange_counter(counter, counter.advanced());
                return Some(Claim { segment: self, block, worker, input: slot.input() });
            }
        }
    }

    /// Whether a block waits to be claimed. The answer can be out of date as soon as it is given. A worker that has
    /// been woken uses the answer to decide whether to wake the next worker.
    pub fn has_filled(&self) -> bool {
        // The counter can point at a block that is claimed or done, because the counter is lowered when a block is put
        // back. So look at as many blocks as there are slots.
        let blocks = (self.counter().block()..).take(self.ring().len());
        let words = blocks.map(|block| (block, self.slot(block).load()));
        words.take_while(|&(block, word)| !word.is_before(block)).any(|(block, word)| word == Word::filled(block))
    }

    /// Whether [`Supervisor::close`](super::Supervisor::close) has been called because the run is over.
    pub fn is_closed(&self) -> bool {
        self.control().closed.0.load(Ordering::Acquire) != 0
    }

    /// Counts the calling worker among those that have started up. Returns how many were counted before it.
    pub fn report_up(&self) -> u32 {
        self.control().came_up.0.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns how many workers have started up so far.
    pub fn came_up(&self) -> u32 {
        self.control().came_up.0.load(Ordering::Relaxed)
    }

    /// Returns how many fields each result of the run has, if a first result has decided that. A width that was set
    /// before a block was published is seen by the claimant of this block.
    pub fn width(&self) -> Option<usize> {
        let width = self.control().width.0.load(Ordering::Acquire);
        (width > 0).then_some(width as usize)
    }

    /// Sets how many fields each result of the run has.
    pub fn set_width(&self, width: usize) {
        self.control().width.0.store(width as u32, Ordering::Release);
    }

    /// Sets whether the reader might be waiting for input. Claimants learn this from [`Care::is_input_awaited`].
    pub fn set_awaits_input(&self, awaits: bool) {
        self.control().awaits_input.0.store(u32::from(awaits), Ordering::Relaxed);
    }

    /// Adds `numbers` to the sums that all workers of the segment share: the first number to the first sum, and so on.
    pub fn add(&self, numbers: &[u64]) {
        for (sum, &number) in self.control().sums.0.iter().zip(numbers) {
            sum.fetch_add(number, Ordering::Relaxed);
        }
    }
}

impl<'s> Claim<'s> {
    /// The block's number.
    pub fn block(&self) -> u64 {
        self.block
    }

    /// The number of the slot in which the block lies.
    pub fn slot(&self) -> usize {
        self.segment.slot_of(self.block)
    }

    /// Where the block's bytes lie.
    pub fn place(&self) -> Place {
        let slot = self.segment.slot(self.block);
        match slot.kind() {
            Kind::Slot => Place::Slot(self.input.clone()),
            _ => Place::File { offset: slot.offset.load(Ordering::Relaxed), length: slot.length() },
        }
    }

    /// Whether an earlier block waits to be claimed. A worker that waits for the turn of its window must ask this: if a
    /// worker dies and all others wait for turns, nobody would claim the window of the dead worker, and all would wait
    /// for its turn for ever.
    pub fn is_after_unclaimed(&self) -> bool {
        let fewest = self.block.saturating_sub(self.segment.ring().len() as u64 - 1);
        (fewest..self.block).any(|block| self.segment.slot(block).load() == Word::filled(block))
    }

    /// Puts the block back as if it had not been claimed. A worker that has begun to compute the block must not do
    /// this.
    pub fn put_back(self) {
        let slot = self.segment.slot(self.block);
        slot.exchange(Word::claimed(self.block, self.worker), Word::filled(self.block));
        self.segment.look_again_from(self.block);
    }

    /// Returns how the claimant must treat the rows of the block, with the field of the slot in which the claimant
    /// notes the row that it is at.
    pub fn care(&self) -> Care<'s> {
        let slot = self.segment.slot(self.block);
        Care {
            awaits_input: Some(&self.segment.control().awaits_input.0),
            start: self.input.start,
            caution: slot.caution.load(Ordering::Relaxed),
            progress: Some(&slot.progress),
        }
    }

    /// Offers the first `length` bytes of the result region, at least one, to the writer. The block stays claimed, and
    /// the region must not be written before [`is_taken`](Self::is_taken) returns true. This is for results that are
    /// longer than the region and that only this claimant can continue, such as the output of a process that it has
    /// started.
    pub fn offer(&self, length: usize) {
        self.segment.slot(self.block).offered.store(length as u32, Ordering::Release);
    }

    /// Whether the writer has taken the results that were offered last.
    pub fn is_taken(&self) -> bool {
        self.segment.slot(self.block).offered.load(Ordering::Acquire) == 0
    }

    /// Hands the block, with its `outcome`, to the writer. Returns whether the writer might be waiting for this block.
    /// If the previous block is still under way, the writer waits for the previous block instead, because it takes
    /// blocks in order; the worker that finishes the previous block wakes the writer.
    pub fn finish(self, outcome: Outcome) -> bool {
        let slot = self.segment.slot(self.block);
        slot.block.store(self.block, Ordering::Relaxed);
        slot.worker.store(self.worker, Ordering::Relaxed);
        slot.set_outcome(outcome);
        slot.exchange(Word::claimed(self.block, self.worker), Word::done(self.block));
        // The fence makes this block's `Done` visible to others before this worker reads the previous block's word.
        // Without the fence the read could come first, and the previous block could be finished before this `Done` is
        // visible. The writer would be woken for the previous block, but would not see that this block is done too, and
        // nobody would wake it again.
        fence(Ordering::SeqCst);
        self.block.checked_sub(1).is_none_or(|before| !self.segment.is_under_way(before))
    }
}
