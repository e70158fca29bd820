//! The safe handles on a ring and its bytes.
//!
//! [`Segment::ends`] borrows the segment for as long as its ends live, so that there is one reader, one writer and one
//! supervisor at a time. Each end lends out one slot at a time: to have the next, the one before must have been given up.
//! Claims are another matter: any number of workers may ask for one, and a block is only ever given to one of them.
#![allow(unsafe_code)]

use super::protocol;
use super::segment::{Segment, SegmentError};
use super::slots::{Care, MEASURES, Outcome, Place, SUMS, Spoilt};
use std::ops::Range;

/// More last words than this are no message, but a worker gone mad.
const MOST_WORDS: usize = 1024;

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

impl Segment {
    /// The ends of the ring, from this block on: 0 at first, and later as many as have been published.
    pub fn ends(&mut self, block: u64) -> Ends<'_> {
        let segment = &*self;
        Ends {
            reader: Reader { segment, block },
            writer: Writer { segment, block, rest: 0..0 },
            supervisor: Supervisor { segment },
            segment,
        }
    }

    /// The first block that nobody has claimed yet, for this worker.
    pub fn try_claim(&self, worker: u32) -> Option<Claim<'_>> {
        let token = self.ring().try_claim(worker)?;
        Some(Claim { segment: self, token })
    }

    /// Whether a block waits to be claimed: a hint, for waking the next worker.
    pub fn has_filled(&self) -> bool {
        self.ring().has_filled()
    }

    /// Whether the run is over, for workers that live on after it.
    pub fn is_closed(&self) -> bool {
        self.ring().is_closed()
    }

    /// Counts the calling worker as one that came up; answers how many have before it.
    pub fn report_up(&self) -> u32 {
        self.ring().report_up()
    }

    /// Adds these numbers to the sums that workers keep, from the first on.
    pub fn add(&self, numbers: &[u64]) {
        self.ring().add(numbers);
    }
}

/// The end that says where blocks are.
pub struct Reader<'s> {
    segment: &'s Segment,
    block: u64,
}

impl Reader<'_> {
    /// The next block's slot, if the writer is done with what was there before.
    ///
    /// # Errors
    /// When what is there is neither that slot nor the block before.
    pub fn try_fill(&mut self) -> Result<Option<Filling<'_>>, Spoilt> {
        let token = self.segment.ring().try_fill(self.block)?;
        Ok(token.map(|token| Filling { segment: self.segment, block: &mut self.block, token }))
    }
}

/// A free slot, to be filled.
pub struct Filling<'r> {
    segment: &'r Segment,
    block: &'r mut u64,
    token: protocol::Filling,
}

impl Filling<'_> {
    /// Has the slot's pages there for real, before they are touched for the first time.
    ///
    /// # Errors
    /// When the system has not that much memory to share.
    pub fn allocate(&self) -> Result<(), SegmentError> {
        self.segment.allocate(self.token.slot())
    }

    /// All of the slot's input region: the head, and after it room for the block.
    pub fn input(&mut self) -> &mut [u8] {
        // SAFETY: no worker reads the input of a free slot, and the writer has given it back. There is one reader, which has
        // one `Filling` at a time, and lends the region for as long as that is borrowed.
        unsafe { self.segment.input_mut(self.token.slot()) }
    }

    /// Hands the block to the workers: its bytes lie in this place.
    pub fn publish(self, place: Place) {
        self.segment.ring().publish(self.token, place);
        *self.block += 1;
    }
}

/// A block that is a worker's to compute.
pub struct Claim<'s> {
    segment: &'s Segment,
    token: protocol::Claim,
}

impl<'s> Claim<'s> {
    /// The block's head, its bytes, and the region for its results.
    pub fn parts(&mut self) -> (&[u8], &[u8], &mut [u8]) {
        let (slot, Place::Slot(input)) = (self.token.slot(), self.token.place());
        // SAFETY: a `Claim` is handed to one worker; the parent writes no input of a claimed slot, and reads no results before
        // the slot is done. A worker that is replaced is dead before its block is claimed again. In doubt stays another worker
        // that breaks the protocol and writes here: it can make these bytes change under us, which Rust's rules do not allow
        // for, but no access leaves the slot.
        unsafe { (self.segment.head(slot), self.segment.input(slot, input), self.segment.results_mut(slot)) }
    }

    /// What the claimant is to mind, and where it says how far it is.
    pub fn care(&self) -> Care<'s> {
        self.segment.ring().care(&self.token)
    }

    /// Hands the block to the writer with what became of it.
    pub fn finish(self, outcome: Outcome) {
        self.segment.ring().finish(self.token, outcome);
    }

    /// Leaves the claimant's last words, as many as there is room for, in place of results. It keeps the block, and is to end.
    pub fn leave_last_words(mut self, words: &[u8]) {
        let (.., room) = self.parts();
        let length = words.len().min(room.len());
        room[..length].copy_from_slice(&words[..length]);
        self.segment.ring().leave_last_words(&self.token, length);
    }
}

/// The end that takes results in order.
pub struct Writer<'s> {
    segment: &'s Segment,
    block: u64,
    /// What is left of the block, in its slot's input region.
    rest: Range<usize>,
}

impl Writer<'_> {
    /// Goes on to the next block, which lies in this place.
    pub fn begin(&mut self, place: Place) {
        let Place::Slot(input) = place;
        self.rest = input;
    }

    /// The bytes that are left of the block while workers have it; none before and after.
    pub fn rest(&self) -> &[u8] {
        if !self.segment.ring().is_under_way(self.block) {
            return &[];
        }
        // SAFETY: the block is published, so that the reader has no `Filling` of its slot, and gets none before the writer has
        // given the slot back, for which this end must be borrowed otherwise. The parent alone writes input regions.
        unsafe { self.segment.input(self.segment.slot_of(self.block), self.rest.clone()) }
    }

    /// The block, or the next part of it, if it has results. `is_published` says that it was published before this call.
    ///
    /// # Errors
    /// When the slot has another block, or more results than there is room for.
    pub fn try_take(&mut self, is_published: bool) -> Result<Option<Taken<'_>>, Spoilt> {
        let taken = self.segment.ring().try_take(self.block, &self.rest, is_published)?;
        let Some(token) = taken else { return Ok(None) };
        if token.outcome().results > self.segment.sizes().room {
            return Err(Spoilt);
        }
        Ok(Some(Taken { segment: self.segment, block: &mut self.block, rest: &mut self.rest, token }))
    }
}

/// A block with results, or a part of one.
pub struct Taken<'w> {
    segment: &'w Segment,
    block: &'w mut u64,
    rest: &'w mut Range<usize>,
    token: protocol::Taken,
}

impl Taken<'_> {
    /// The bytes that were left of the block, from the first of this part on.
    pub fn input(&self) -> &[u8] {
        // SAFETY: the parent alone writes input regions, and not before the slot is given back, for which this must be given up.
        unsafe { self.segment.input(self.token.slot(), self.rest.clone()) }
    }

    /// How many bytes of these are dealt with.
    pub fn consumed(&self) -> usize {
        self.token.outcome().consumed
    }

    /// The results.
    pub fn results(&self) -> &[u8] {
        // SAFETY: `try_take` has seen that there is room for so many. The claimant wrote them before the slot was done, and
        // nobody writes them until it is given back. The doubt is the same as in `Claim::parts`.
        unsafe { self.segment.results(self.token.slot(), self.token.outcome().results) }
    }

    /// What else the claimant had to say.
    pub fn measures(&self) -> [u32; MEASURES] {
        self.token.outcome().measures
    }

    /// Which worker it says that it is from.
    pub fn worker(&self) -> u32 {
        self.token.worker()
    }

    /// Whether all of the block is dealt with.
    pub fn is_whole(&self) -> bool {
        self.token.is_whole()
    }

    /// Gives the slot back to the reader, or what is left of the block to the workers. Answers whether nothing is left.
    pub fn give_back(self) -> bool {
        let is_whole = self.token.is_whole();
        *self.rest = self.token.rest();
        if is_whole {
            self.segment.ring().free(self.token);
            *self.block += 1;
        } else {
            self.segment.ring().put_rest_back(self.token);
        }
        is_whole
    }
}

/// The end that puts back what dead workers held.
pub struct Supervisor<'s> {
    segment: &'s Segment,
}

impl Supervisor<'_> {
    /// The blocks that `worker` holds, which must be dead. There is at most one, unless it broke the protocol.
    pub fn held_by(&self, worker: u32) -> Vec<Held> {
        self.segment.ring().held_by(worker).into_iter().map(Held).collect()
    }

    /// Where in the slot's input region the dead claimant was, if it was told to take one row at a time.
    pub fn row_of(&self, held: &Held) -> Option<usize> {
        self.segment.ring().row_of(&held.0)
    }

    /// What the dead claimant said last, if it said anything.
    pub fn last_words(&self, held: &Held) -> Option<Vec<u8>> {
        let length = self.segment.ring().last_words_of(&held.0).min(self.segment.sizes().room).min(MOST_WORDS);
        // SAFETY: the claimant is dead, nobody else can claim the block before it is put back, and the writer does not read a
        // slot that is not done. The doubt is the same as in `Claim::parts`, which is why this is a copy.
        let words = unsafe { self.segment.results(held.0.slot(), length) };
        (length > 0).then(|| words.to_vec())
    }

    /// Has whoever claims the block next take one row at a time, and not touch the one that begins at `avoid` in the
    /// input region.
    pub fn caution(&mut self, held: &Held, avoid: Option<usize>) {
        self.segment.ring().caution(&held.0, avoid);
    }

    /// Puts the block of a dead worker back to be claimed.
    ///
    /// That it is dead, the caller has to know. In doubt stays a thread of this process, which could be alive and hold the
    /// block still: no executor has a supervisor for threads that recovers anything.
    pub fn recover(&mut self, held: Held) {
        self.segment.ring().recover(held.0);
    }

    /// Whether the block waits to be claimed.
    pub fn is_unclaimed(&self, block: u64) -> bool {
        self.segment.ring().is_unclaimed(block)
    }

    /// Whether the block waits to be claimed, or to be done by who has claimed it.
    pub fn is_under_way(&self, block: u64) -> bool {
        self.segment.ring().is_under_way(block)
    }

    /// All claims there are: the block, its worker, and where the part of it begins that was claimed.
    pub fn claims(&self) -> Vec<(u64, u32, usize)> {
        self.segment.ring().claims().collect()
    }

    /// Has workers look at this block again, and at those after it: the way out where the counter was spoilt.
    pub fn look_again_from(&self, block: u64) {
        self.segment.ring().look_again_from(block);
    }

    /// Ends the run for workers that live on after it.
    pub fn close(&self) {
        self.segment.ring().close();
    }

    /// What workers have added up so far.
    pub fn sums(&self) -> [u64; SUMS] {
        self.segment.ring().sums()
    }

    /// How many workers have come up so far.
    pub fn came_up(&self) -> u32 {
        self.segment.ring().came_up()
    }
}

/// A block whose claimant is dead.
pub struct Held(protocol::Held);

impl Held {
    /// The block's number.
    pub fn block(&self) -> u64 {
        self.0.block()
    }
}
