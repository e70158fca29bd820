//! What the parent does on the ring: the reader fills slots, the writer takes results in order, and the supervisor puts back what
//! dead workers held.
//!
//! [`Segment::ends`] borrows the segment for as long as its ends live, so that there is one of each at a time. Reader and writer
//! lend out one slot at a time: to have the next, the one before must have been given up.

use super::segment::Segment;
use super::slots::{MEASURES, Outcome, Place, SUMS, Slot, Spoilt};
use super::sync::Ordering;
use super::word::{MAX_WORKERS, State, Word};
use std::ops::Range;

/// The parent's ends of a ring, and the segment for whoever works on it.
pub struct Ends<'s> {
    /// Says where blocks are.
    pub reader: Reader<'s>,
    /// Takes results in order.
    pub writer: Writer<'s>,
    /// Puts back what dead workers held.
    pub supervisor: Supervisor<'s>,
    /// Where workers claim blocks.
    pub segment: &'s Segment,
}

impl<'s> Ends<'s> {
    pub(super) fn new(segment: &'s Segment, block: u64) -> Self {
        Ends {
            reader: Reader { segment, block },
            writer: Writer { segment, block, rest: 0..0 },
            supervisor: Supervisor { segment },
            segment,
        }
    }
}

#[cfg(not(loom))]
impl Segment {
    /// The ends of the ring. `block` is the number of the next block: 0 at first, later as many as have been published.
    pub fn ends(&mut self, block: u64) -> Ends<'_> {
        Ends::new(self, block)
    }
}

/// The end that says where blocks are.
pub struct Reader<'s> {
    pub(super) segment: &'s Segment,
    pub(super) block: u64,
}

/// A free slot, the reader's to fill. One that is dropped stays free.
pub struct Filling<'r, 's> {
    pub(super) reader: &'r mut Reader<'s>,
}

impl<'s> Reader<'s> {
    /// The next block's slot, if the writer is done with what was there before.
    ///
    /// # Errors
    /// When the slot neither waits for this block nor holds the block before.
    pub fn try_fill(&mut self) -> Result<Option<Filling<'_, 's>>, Spoilt> {
        let word = self.segment.slot(self.block).load();
        if word == Word::free(self.block) {
            return Ok(Some(Filling { reader: self }));
        }
        let before = self.block.checked_sub(self.segment.ring().len() as u64).ok_or(Spoilt)?;
        if word.is_in_use_by(before) { Ok(None) } else { Err(Spoilt) }
    }
}

impl Filling<'_, '_> {
    /// The number of the slot.
    pub fn slot(&self) -> usize {
        self.reader.segment.slot_of(self.reader.block)
    }

    /// Hands the block, whose bytes lie in this place, to the workers.
    pub fn publish(self, place: Place) {
        let Reader { segment, block } = self.reader;
        let Place::Slot(input) = place;
        let slot = segment.slot(*block);
        slot.caution.store(0, Ordering::Relaxed);
        slot.forget_claimant();
        slot.fill(*block, input);
        *block += 1;
    }
}

/// The end that takes results in order.
pub struct Writer<'s> {
    pub(super) segment: &'s Segment,
    pub(super) block: u64,
    /// What is left of the block, in its slot's input region. The parent's own record: a worker cannot change it.
    pub(super) rest: Range<usize>,
}

/// A block with results, or a part of one, the writer's to write out.
pub struct Taken<'w, 's> {
    pub(super) writer: &'w mut Writer<'s>,
    pub(super) outcome: Outcome,
    worker: u32,
}

impl<'s> Writer<'s> {
    /// Goes on to the next block, which lies in this place.
    pub fn begin(&mut self, place: Place) {
        let Place::Slot(input) = place;
        self.rest = input;
    }

    /// The block, or the next part of it, if it has results. `is_published` says that it was published before this call.
    ///
    /// # Errors
    /// When the slot holds another block, or when what it says of this one cannot be true: more input than there was, more
    /// results than there is room for, a worker that cannot be.
    pub fn try_take(&mut self, is_published: bool) -> Result<Option<Taken<'_, 's>>, Spoilt> {
        let (block, slot) = (self.block, self.segment.slot(self.block));
        let word = slot.load();
        if word != Word::done(block) {
            let is_early = word == Word::free(block) && !is_published;
            return if is_early || word.is_in_use_by(block) { Ok(None) } else { Err(Spoilt) };
        }
        let (outcome, worker) = (slot.outcome(), slot.worker.load(Ordering::Relaxed));
        let is_sound = slot.block.load(Ordering::Relaxed) == block
            && outcome.consumed <= self.rest.len()
            && outcome.results <= self.segment.sizes().room
            && worker < MAX_WORKERS;
        if is_sound { Ok(Some(Taken { writer: self, outcome, worker })) } else { Err(Spoilt) }
    }
}

impl Taken<'_, '_> {
    /// The number of the slot.
    pub fn slot(&self) -> usize {
        self.writer.segment.slot_of(self.writer.block)
    }

    /// How many bytes of the input are dealt with.
    pub fn consumed(&self) -> usize {
        self.outcome.consumed
    }

    /// What else the claimant had to say.
    pub fn measures(&self) -> [u32; MEASURES] {
        self.outcome.measures
    }

    /// Which worker it says that it is from.
    pub fn worker(&self) -> u32 {
        self.worker
    }

    /// Whether all of the block is dealt with.
    pub fn is_whole(&self) -> bool {
        self.outcome.consumed == self.writer.rest.len()
    }

    /// Gives the slot back to the reader, or what is left of the block to the workers. Answers whether nothing was left.
    pub fn give_back(self) -> bool {
        let is_whole = self.is_whole();
        let Writer { segment, block, rest } = self.writer;
        let slot = segment.slot(*block);
        rest.start += self.outcome.consumed;
        if is_whole {
            // It waits for the block one round of the ring later.
            slot.free(*block + segment.ring().len() as u64);
            *block += 1;
        } else {
            slot.fill(*block, rest.clone());
            segment.look_again_from(*block);
        }
        is_whole
    }
}

/// The end that puts back what dead workers held.
pub struct Supervisor<'s> {
    pub(super) segment: &'s Segment,
}

/// A block whose claimant is dead.
pub struct Held {
    /// The number of the slot. One that a worker has spoilt may claim to hold a block that lives in another slot.
    pub(super) slot: usize,
    block: u64,
    worker: u32,
}

impl Held {
    /// The block's number.
    pub fn block(&self) -> u64 {
        self.block
    }
}

impl Supervisor<'_> {
    pub(super) fn slot(&self, held: &Held) -> &Slot {
        &self.segment.ring()[held.slot]
    }

    /// The blocks that `worker` holds, which must be dead. There is at most one, unless it broke the protocol.
    pub fn held_by(&self, worker: u32) -> Vec<Held> {
        let words = self.segment.ring().iter().map(Slot::load).enumerate();
        let held = words.filter(|(_, word)| word.state() == State::Claimed && word.worker() == worker);
        held.map(|(slot, word)| Held { slot, block: word.block(), worker }).collect()
    }

    /// Where in the slot's input region the dead claimant was, if it was told to take one row at a time.
    pub fn row_of(&self, held: &Held) -> Option<usize> {
        let slot = self.slot(held);
        let progress = slot.progress.load(Ordering::Relaxed) as usize;
        (slot.caution.load(Ordering::Relaxed) > 0 && slot.input().contains(&progress)).then_some(progress)
    }

    /// Has whoever claims the block next take one row at a time, and not touch the one that begins at `avoid` in the
    /// input region.
    pub fn caution(&mut self, held: &Held, avoid: Option<usize>) {
        let caution = avoid.map_or(1, |row| (row as u32).saturating_add(2));
        self.slot(held).caution.store(caution, Ordering::Relaxed);
    }

    /// Puts the block of a dead worker back to be claimed.
    ///
    /// The caller has to know that the worker is dead. Nothing here could tell that of a thread of this process, which might be
    /// alive and hold the block still; but no executor recovers anything from threads.
    pub fn recover(&mut self, held: Held) {
        let slot = self.slot(&held);
        slot.forget_claimant();
        slot.exchange(Word::claimed(held.block, held.worker), Word::filled(held.block));
        self.segment.look_again_from(held.block);
    }

    /// Whether the block waits to be claimed.
    pub fn is_unclaimed(&self, block: u64) -> bool {
        self.segment.slot(block).load() == Word::filled(block)
    }

    /// Whether the block waits to be claimed, or has a claimant that is not done with it.
    pub fn is_under_way(&self, block: u64) -> bool {
        self.segment.is_under_way(block)
    }

    /// All claims there are: the block, its worker, and where the part of it begins that was claimed.
    pub fn claims(&self) -> Vec<(u64, u32, usize)> {
        let slots = self.segment.ring().iter().map(|slot| (slot.load(), slot));
        let claimed = slots.filter(|(word, _)| word.state() == State::Claimed);
        claimed.map(|(word, slot)| (word.block(), word.worker(), slot.input().start)).collect()
    }

    /// Has workers look at this block again, and at those after it: the remedy where a worker has spoilt the counter.
    pub fn look_again_from(&self, block: u64) {
        self.segment.look_again_from(block);
    }

    /// Tells workers that outlive the run that it is over.
    pub fn close(&self) {
        self.segment.control().closed.0.store(1, Ordering::Release);
    }

    /// What workers have added up so far.
    pub fn sums(&self) -> [u64; SUMS] {
        std::array::from_fn(|sum| self.segment.control().sums.0[sum].load(Ordering::Relaxed))
    }

    /// How many workers have started up so far.
    pub fn came_up(&self) -> u32 {
        self.segment.control().came_up.0.load(Ordering::Relaxed)
    }
}
