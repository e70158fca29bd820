//! The claim protocol: a function for each change of a slot's state. What [`Segment`](super::segment::Segment) puts its safe
//! interface over, and what `tests/loom.rs` explores.
//!
//! The tokens ([`Filling`], [`Claim`], [`Taken`], [`Held`]) say who may touch which slot's bytes. Here nothing keeps a caller from
//! asking for the same token twice; the unique handles of `ends.rs` do.

use super::slots::{Care, Control, NONE, Outcome, Place, SUMS, Slot, Spoilt};
use super::sync::Ordering;
use super::word::{self, Next, State, Word};
use std::ops::Range;

/// A free slot, the reader's to fill.
#[derive(Debug)]
pub struct Filling {
    slot: usize,
    block: u64,
}

/// A block that is the calling worker's to compute.
#[derive(Debug)]
pub struct Claim {
    slot: usize,
    block: u64,
    worker: u32,
    input: Range<usize>,
}

/// A block with results, the writer's to write out.
#[derive(Debug)]
pub struct Taken {
    slot: usize,
    block: u64,
    worker: u32,
    input: Range<usize>,
    outcome: Outcome,
}

/// A block whose claimant is dead.
#[derive(Debug)]
pub struct Held {
    slot: usize,
    block: u64,
    worker: u32,
}

impl Filling {
    /// The slot's place in the ring.
    pub fn slot(&self) -> usize {
        self.slot
    }
}

impl Claim {
    /// The slot's place in the ring.
    pub fn slot(&self) -> usize {
        self.slot
    }
    /// Where the block's bytes lie.
    pub fn place(&self) -> Place {
        Place::Slot(self.input.clone())
    }
}

impl Taken {
    /// The slot's place in the ring.
    pub fn slot(&self) -> usize {
        self.slot
    }
    /// What is left of the block's bytes after this part, in the slot's input region.
    pub fn rest(&self) -> Range<usize> {
        self.input.start + self.outcome.consumed..self.input.end
    }
    /// Which worker it says that it is from.
    pub fn worker(&self) -> u32 {
        self.worker
    }
    /// What the claimant said it did.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }
    /// Whether all of the block was dealt with.
    pub fn is_whole(&self) -> bool {
        self.outcome.consumed == self.input.len()
    }
}

impl Held {
    /// The slot's place in the ring.
    pub fn slot(&self) -> usize {
        self.slot
    }
    /// The block's number.
    pub fn block(&self) -> u64 {
        self.block
    }
}

/// The slots and their counters; block k lives in slot k mod N.
#[derive(Clone, Copy)]
pub struct Ring<'a> {
    control: &'a Control,
    slots: &'a [Slot],
}

impl<'a> Ring<'a> {
    /// The ring over these, wherever they lie.
    ///
    /// # Panics
    /// When there is no slot.
    pub fn new(control: &'a Control, slots: &'a [Slot]) -> Self {
        assert!(!slots.is_empty());
        Ring { control, slots }
    }

    /// What all who work on the ring share: its events are there.
    pub fn control(&self) -> &'a Control {
        self.control
    }

    fn slot_of(&self, block: u64) -> usize {
        (block % self.slots.len() as u64) as usize
    }

    // The reader.

    /// The slot for `block`, if the writer is done with what was there before.
    ///
    /// # Errors
    /// When what is there is neither that slot nor the block before.
    pub fn try_fill(&self, block: u64) -> Result<Option<Filling>, Spoilt> {
        let slot = self.slot_of(block);
        let word = self.slots[slot].load();
        if word == Word::free(block) {
            return Ok(Some(Filling { slot, block }));
        }
        let before = block.checked_sub(self.slots.len() as u64).ok_or(Spoilt)?;
        if word.is_of(before) && word.state() != State::Free { Ok(None) } else { Err(Spoilt) }
    }

    /// Hands the block to the workers: its bytes lie in this place.
    pub fn publish(&self, filling: Filling, place: Place) {
        let slot = &self.slots[filling.slot];
        let Place::Slot(input) = place;
        slot.start.store(input.start as u32, Ordering::Relaxed);
        slot.end.store(input.end as u32, Ordering::Relaxed);
        slot.caution.store(0, Ordering::Relaxed);
        slot.progress.store(u32::MAX, Ordering::Relaxed);
        slot.last_words.store(0, Ordering::Relaxed);
        slot.word.store(Word::filled(filling.block).0, Ordering::Release);
    }

    // Workers.

    /// The first block that nobody has claimed yet, now this worker's.
    pub fn try_claim(&self, worker: u32) -> Option<Claim> {
        loop {
            let next = Next(self.control.next.0.load(Ordering::Acquire));
            let block = next.block();
            let index = self.slot_of(block);
            let slot = &self.slots[index];
            let word = slot.load();
            if word.block() < block || word == Word::free(block) {
                return None;
            }
            if word == Word::filled(block) {
                let claimed = Word::claimed(block, worker);
                if self.exchange(slot, word, claimed) {
                    self.move_on(next);
                    return Some(Claim { slot: index, block, worker, input: slot.input() });
                }
            } else {
                // Claimed, done, or a later block already: whoever claimed it may have died before moving on.
                self.move_on(next);
            }
        }
    }

    /// Whether a block waits to be claimed: a hint, for waking the next worker.
    pub fn has_filled(&self) -> bool {
        let next = Next(self.control.next.0.load(Ordering::Acquire)).block();
        // After a block was put back the counter stands before blocks that are claimed or done.
        for block in next..next + self.slots.len() as u64 {
            let word = self.slots[self.slot_of(block)].load();
            if word.block() < block || word == Word::free(block) {
                break;
            }
            if word == Word::filled(block) {
                return true;
            }
        }
        false
    }

    fn move_on(&self, next: Next) {
        let order = (Ordering::AcqRel, Ordering::Relaxed);
        let _ = self.control.next.0.compare_exchange(next.0, next.advanced().0, order.0, order.1);
    }

    fn exchange(&self, slot: &Slot, from: Word, to: Word) -> bool {
        slot.word.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Hands the block to the writer with what became of it.
    pub fn finish(&self, claim: Claim, outcome: Outcome) {
        let slot = &self.slots[claim.slot];
        slot.block.store(claim.block, Ordering::Relaxed);
        slot.consumed.store(outcome.consumed as u32, Ordering::Relaxed);
        slot.results.store(outcome.results as u32, Ordering::Relaxed);
        slot.worker.store(claim.worker, Ordering::Relaxed);
        for (place, measure) in slot.measures.iter().zip(outcome.measures) {
            place.store(measure, Ordering::Relaxed);
        }
        self.exchange(slot, Word::claimed(claim.block, claim.worker), Word::done(claim.block));
    }

    /// Says that the first so many bytes of the result region are the last words of the claimant, which ends without
    /// finishing.
    pub fn leave_last_words(&self, claim: &Claim, length: usize) {
        self.slots[claim.slot].last_words.store(length as u32, Ordering::Release);
    }

    /// Whether the run is over, for workers that live on after it.
    pub fn is_closed(&self) -> bool {
        self.control.closed.0.load(Ordering::Acquire) != 0
    }

    /// Adds to the sums, from the first on.
    pub fn add(&self, numbers: &[u64]) {
        for (sum, &number) in self.control.sums.0.iter().zip(numbers) {
            sum.fetch_add(number, Ordering::Relaxed);
        }
    }

    /// Counts the calling worker as one that came up; answers how many have before it.
    pub fn report_up(&self) -> u32 {
        self.control.came_up.0.fetch_add(1, Ordering::Relaxed)
    }

    /// What the claimant is to mind, and where it says how far it is.
    pub fn care(&self, claim: &Claim) -> Care<'a> {
        let slot = &self.slots[claim.slot];
        Care { start: claim.input.start, caution: slot.caution.load(Ordering::Relaxed), progress: Some(&slot.progress) }
    }

    // The writer.

    /// The block, of which these bytes of the slot's input region are left, if it has results. `is_published` says that
    /// it was published before this call.
    ///
    /// # Errors
    /// When the slot has another block, or measures that are not of this one.
    pub fn try_take(&self, block: u64, input: &Range<usize>, is_published: bool) -> Result<Option<Taken>, Spoilt> {
        let index = self.slot_of(block);
        let slot = &self.slots[index];
        let word = slot.load();
        if word != Word::done(block) {
            let is_early = word == Word::free(block) && !is_published;
            let is_at_work = word.is_of(block) && word.state() != State::Free;
            return if is_early || is_at_work { Ok(None) } else { Err(Spoilt) };
        }
        let outcome = Outcome {
            consumed: slot.consumed.load(Ordering::Relaxed) as usize,
            results: slot.results.load(Ordering::Relaxed) as usize,
            measures: std::array::from_fn(|at| slot.measures[at].load(Ordering::Relaxed)),
        };
        let worker = slot.worker.load(Ordering::Relaxed);
        let is_sound = slot.block.load(Ordering::Relaxed) == block
            && outcome.consumed <= input.len()
            && worker < word::MAX_WORKERS;
        if is_sound {
            Ok(Some(Taken { slot: index, block, worker, input: input.clone(), outcome }))
        } else {
            Err(Spoilt)
        }
    }

    /// Gives the slot back to the reader, for the block one lap on.
    pub fn free(&self, taken: Taken) {
        let next_lap = taken.block + self.slots.len() as u64;
        self.slots[taken.slot].word.store(Word::free(next_lap).0, Ordering::Release);
    }

    /// Puts what was not dealt with back to be claimed: the results of the first part are written out.
    pub fn put_rest_back(&self, taken: Taken) {
        let slot = &self.slots[taken.slot];
        let rest = taken.rest();
        slot.start.store(rest.start as u32, Ordering::Relaxed);
        slot.end.store(rest.end as u32, Ordering::Relaxed);
        slot.block.store(NONE, Ordering::Relaxed);
        slot.word.store(Word::filled(taken.block).0, Ordering::Release);
        self.look_again_from(taken.block);
    }

    // The supervisor.

    /// The blocks that `worker` holds, which must be dead. There is at most one, unless it broke the protocol.
    pub fn held_by(&self, worker: u32) -> Vec<Held> {
        let held = |(index, slot): (usize, &Slot)| {
            let word = slot.load();
            (word.state() == State::Claimed && word.worker() == worker).then(|| Held {
                slot: index,
                block: word.block(),
                worker,
            })
        };
        self.slots.iter().enumerate().filter_map(held).collect()
    }

    /// Where in the slot's input region the dead claimant was, if it was told to take one row at a time.
    pub fn row_of(&self, held: &Held) -> Option<usize> {
        let slot = &self.slots[held.slot];
        let progress = slot.progress.load(Ordering::Relaxed) as usize;
        (slot.caution.load(Ordering::Relaxed) > 0 && slot.input().contains(&progress)).then_some(progress)
    }

    /// How many bytes of last words the dead claimant has left in the slot's result region.
    pub fn last_words_of(&self, held: &Held) -> usize {
        self.slots[held.slot].last_words.load(Ordering::Acquire) as usize
    }

    /// Has whoever claims the block next take one row at a time, and not touch the one that begins at `avoid` in the
    /// input region.
    pub fn caution(&self, held: &Held, avoid: Option<usize>) {
        let caution = avoid.map_or(1, |row| (row as u32).saturating_add(2));
        self.slots[held.slot].caution.store(caution, Ordering::Relaxed);
    }

    /// Whether the block waits to be claimed.
    pub fn is_unclaimed(&self, block: u64) -> bool {
        self.slots[self.slot_of(block)].load() == Word::filled(block)
    }

    /// Whether the block waits to be claimed, or to be done by who has claimed it.
    pub fn is_under_way(&self, block: u64) -> bool {
        let word = self.slots[self.slot_of(block)].load();
        self.is_unclaimed(block) || (word.is_of(block) && word.state() == State::Claimed)
    }

    /// All claims there are: the block, its worker, and where the part of it begins that was claimed.
    pub fn claims(&self) -> impl Iterator<Item = (u64, u32, usize)> {
        self.slots.iter().filter_map(|slot| {
            let word = slot.load();
            (word.state() == State::Claimed).then(|| (word.block(), word.worker(), slot.input().start))
        })
    }

    /// Puts the block of a dead worker back to be claimed.
    pub fn recover(&self, held: Held) {
        let slot = &self.slots[held.slot];
        // What the dead one has said of itself is not to be taken for what the next one says.
        slot.progress.store(u32::MAX, Ordering::Relaxed);
        slot.last_words.store(0, Ordering::Relaxed);
        self.exchange(slot, Word::claimed(held.block, held.worker), Word::filled(held.block));
        self.look_again_from(held.block);
    }

    /// Has workers look at this block again, and at those after it: the way out where the counter was spoilt.
    pub fn look_again_from(&self, block: u64) {
        let mut seen = Next(self.control.next.0.load(Ordering::Acquire));
        while let Err(now) =
            self.control.next.0.compare_exchange(seen.0, seen.lowered(block).0, Ordering::AcqRel, Ordering::Acquire)
        {
            seen = Next(now);
        }
    }

    /// Ends the run for workers that live on after it.
    pub fn close(&self) {
        self.control.closed.0.store(1, Ordering::Release);
    }

    /// What workers have added up so far.
    pub fn sums(&self) -> [u64; SUMS] {
        std::array::from_fn(|sum| self.control.sums.0[sum].load(Ordering::Relaxed))
    }

    /// How many workers have come up so far.
    pub fn came_up(&self) -> u32 {
        self.control.came_up.0.load(Ordering::Relaxed)
    }
}
