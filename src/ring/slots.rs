//! The slots, their states, and the claim protocol: what [`Segment`](super::segment::Segment) puts its safe interface over,
//! and what `tests/loom.rs` explores.
//!
//! The tokens ([`Filling`], [`Claim`], [`Taken`], [`Held`]) say who may touch which slot's bytes. Here nothing keeps a caller from
//! asking for the same token twice; the unique handles of [`ends`](super::ends) do.

use super::sync::{AtomicU32, AtomicU64, Ordering};
use super::word::{self, Next, State, Word};
use std::ops::Range;

/// Keeps what it holds alone on its pair of cache lines: x86 prefetches lines two at a time.
#[repr(C, align(128))]
pub struct Lines<T>(pub T);

/// How many sums workers may keep together: as many as fill a pair of cache lines.
pub const SUMS: usize = 16;

/// How many numbers a claimant may hand over with a block, which mean nothing to the ring.
pub const MEASURES: usize = 5;

/// What all who work on a ring share, beside the slots.
#[repr(C)]
pub struct Control {
    next: Lines<AtomicU64>,
    closed: Lines<AtomicU32>,
    came_up: Lines<AtomicU32>,
    /// What workers add to, whatever they count there.
    sums: Lines<[AtomicU64; SUMS]>,
    /// Set when a block was published or put back: workers wait for it.
    pub filled: Lines<AtomicU32>,
    /// Set when a block is done: the writer waits for it.
    pub done: Lines<AtomicU32>,
    /// Set when a slot is free: the reader waits for it.
    pub freed: Lines<AtomicU32>,
}

#[cfg(test)]
impl Control {
    /// Where the counter, whether the run is over, and the events lie.
    pub const PLACES: [usize; 5] = [
        std::mem::offset_of!(Control, next),
        std::mem::offset_of!(Control, closed),
        std::mem::offset_of!(Control, filled),
        std::mem::offset_of!(Control, done),
        std::mem::offset_of!(Control, freed),
    ];
}

#[cfg(test)]
impl Slot {
    /// Where the word, the start of the input, the progress, and what the claimant writes at the end lie.
    pub const PLACES: [usize; 4] = [
        std::mem::offset_of!(Slot, word),
        std::mem::offset_of!(Slot, start),
        std::mem::offset_of!(Slot, progress),
        std::mem::offset_of!(Slot, block),
    ];
}

impl Control {
    /// A counter at block 0 and every event clear.
    pub fn new() -> Self {
        Control {
            next: Lines(AtomicU64::new(0)),
            closed: Lines(AtomicU32::new(0)),
            came_up: Lines(AtomicU32::new(0)),
            sums: Lines(std::array::from_fn(|_| AtomicU64::new(0))),
            filled: Lines(AtomicU32::new(0)),
            done: Lines(AtomicU32::new(0)),
            freed: Lines(AtomicU32::new(0)),
        }
    }
}

/// No block.
const NONE: u64 = u64::MAX;

/// A slot's word and the measures of what lies in its two regions.
///
/// The measures are ordered by the word: whoever owns the slot by its word writes them, the next owner reads them.
#[repr(C, align(128))]
pub struct Slot {
    word: AtomicU64,
    // Written by the parent.
    start: AtomicU32,
    end: AtomicU32,
    /// What the next claimant is to mind: 0 nothing, 1 that a worker died here, or 2 more than the row it must not touch.
    caution: AtomicU32,
    /// Where the claimant is, in the input region.
    progress: AtomicU32,
    /// How many bytes of last words a claimant that is about to die has left in the result region.
    last_words: AtomicU32,
    // Written by the claimant. Apart from the above, so that a claimant that dies has not spoilt the block.
    /// The block that the measures are of.
    block: AtomicU64,
    consumed: AtomicU32,
    results: AtomicU32,
    worker: AtomicU32,
    measures: [AtomicU32; MEASURES],
}

impl Slot {
    /// A slot that waits for `block`.
    pub fn new(block: u64) -> Self {
        Slot {
            word: AtomicU64::new(Word::free(block).0),
            start: AtomicU32::new(0),
            end: AtomicU32::new(0),
            caution: AtomicU32::new(0),
            progress: AtomicU32::new(0),
            last_words: AtomicU32::new(0),
            block: AtomicU64::new(NONE),
            consumed: AtomicU32::new(0),
            results: AtomicU32::new(0),
            worker: AtomicU32::new(0),
            measures: std::array::from_fn(|_| AtomicU32::new(0)),
        }
    }

    fn load(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    fn input(&self) -> Range<usize> {
        self.start.load(Ordering::Relaxed) as usize..self.end.load(Ordering::Relaxed) as usize
    }
}

/// Where a block's bytes lie.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// In the slot: this range of its input region.
    Slot(Range<usize>),
}

/// What became of a block, or of the first part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// Bytes of input dealt with. Fewer than the block has: the rest is still to be done.
    pub consumed: usize,
    /// Bytes at the start of the slot's result region that were written.
    pub results: usize,
    /// What else the claimant has to say of the block.
    pub measures: [u32; MEASURES],
}

/// How a claimant goes about a block: as it likes, or with care where workers have died.
#[derive(Clone, Copy, Default)]
pub struct Care<'a> {
    start: usize,
    caution: u32,
    progress: Option<&'a AtomicU32>,
}

impl Care<'_> {
    /// Notes that the claimant has come to this byte of what it claimed: where it is when it dies.
    pub fn note(&self, at: usize) {
        if let Some(progress) = self.progress {
            progress.store((self.start + at) as u32, Ordering::Relaxed);
        }
    }

    /// Whether a worker died over this block: then rows are to be taken one at a time, and each noted.
    pub fn is_needed(&self) -> bool {
        self.caution > 0
    }

    /// Whether the row that begins at this byte is one that workers keep dying on.
    pub fn must_avoid(&self, at: usize) -> bool {
        self.caution > 1 && self.caution as usize - 2 == self.start + at
    }
}

/// A worker has written where it should not: no honest one leaves a slot like that.
#[derive(Debug, PartialEq, Eq)]
pub struct Spoilt;

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
