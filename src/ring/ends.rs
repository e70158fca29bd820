//! The operations of the parent on the ring: the reader fills slots, the writer takes results in order, and the
//! supervisor puts back blocks that dead workers held.
//!
//! [`Segment::ends`] borrows the segment mutably for as long as the returned ends live, so that there is only one
//! reader, one writer and one supervisor at a time. Reader and writer lend one slot at a time: the handle of one slot
//! must be used up before they lend the next.
//!
//! This file is long because the checks of one end rely on what the other two do.

use super::segment::Segment;
use super::slots::{Kind, Outcome, Place, SUMS, Slot, Spoilt};
use super::sync::Ordering;
use super::word::{MAX_WORKERS, State, Word};
use std::ops::Range;

/// Stands in [`Supervisor::claims`] instead of the byte at which a part begins, while the block is a window that waits
/// for its turn. The worker then waits for other workers, and is not to blame if the wait is long.
pub const WAITS: usize = usize::MAX;
/// Stands in [`Supervisor::claims`] instead of the byte at which a part begins, while the block is a window that has
/// its turn and the worker is looking for the window's rows.
const IN_WINDOW: usize = usize::MAX - 1;

/// The parent's three ends of a ring, and the segment, which workers need.
pub struct Ends<'s> {
    /// Fills slots and publishes their blocks.
    pub reader: Reader<'s>,
    /// Takes results in the order of blocks.
    pub writer: Writer<'s>,
    /// Puts back the blocks of dead workers.
    pub supervisor: Supervisor<'s>,
    /// The segment itself, through which workers claim blocks.
    pub segment: &'s Segment,
}

impl<'s> Ends<'s> {
    pub(super) fn new(segment: &'s Segment, block: u64) -> Self {
        Ends {
            reader: Reader { segment, block },
            writer: Writer { segment, block, is_here: true, window: None, rest: 0..0 },
            supervisor: Supervisor { segment },
            segment,
        }
    }
}

#[cfg(not(loom))]
impl Segment {
    /// Returns the ends of the ring. `block` is the number of the next block to publish, which equals the number of
    /// blocks published in this segment so far.
    pub fn ends(&mut self, block: u64) -> Ends<'_> {
        Ends::new(self, block)
    }
}

/// The reader's end of the ring: says where the bytes of each block lie.
pub struct Reader<'s> {
    pub(super) segment: &'s Segment,
    pub(super) block: u64,
}

/// A free slot that the reader may fill. If it is dropped without [`Filling::publish`], the slot stays free.
pub struct Filling<'r, 's> {
    pub(super) reader: &'r mut Reader<'s>,
}

impl<'s> Reader<'s> {
    /// Returns the slot of the next block, or `None` while the slot is still used by the block that had it one round of
    /// the ring earlier.
    ///
    /// # Errors
    /// If the slot's word is wrong. A right word says that the slot is free for this block, or in use by the block that
    /// had the slot one round earlier.
    pub fn try_fill(&mut self) -> Result<Option<Filling<'_, 's>>, Spoilt> {
        Ok(self.is_free()?.then_some(Filling { reader: self }))
    }

    /// The number of the next block.
    pub fn block(&self) -> u64 {
        self.block
    }

    /// Whether the slot of the next block is free.
    ///
    /// # Errors
    /// The same as for [`Reader::try_fill`].
    pub fn is_free(&self) -> Result<bool, Spoilt> {
        let word = self.segment.slot(self.block).load();
        if word == Word::free(self.block) {
            return Ok(true);
        }
        let before = self.block.checked_sub(self.segment.ring().len() as u64).ok_or(Spoilt)?;
        if word.is_in_use_by(before) { Ok(false) } else { Err(Spoilt) }
    }
}

impl Filling<'_, '_> {
    /// The number of the slot that is to be filled.
    pub fn slot(&self) -> usize {
        self.reader.segment.slot_of(self.reader.block)
    }

    /// Publishes the block, whose bytes lie at `place`, so that workers can claim it.
    pub fn publish(self, place: Place) {
        let Reader { segment, block } = self.reader;
        let slot = segment.slot(*block);
        slot.caution.store(0, Ordering::Relaxed);
        slot.forget_claimant();
        let input = slot.place(place);
        slot.fill(*block, input);
        *block += 1;
    }
}

/// The writer's end of the ring: takes results in the order of blocks.
pub struct Writer<'s> {
    pub(super) segment: &'s Segment,
    pub(super) block: u64,
    /// Whether the present block lies in its slot, and not in a file.
    pub(super) is_here: bool,
    /// The window of the present block. `None` if the block lies in the slot, and once the first part of the window is
    /// taken.
    window: Option<Window>,
    /// The range of the slot's input region, or of the window, that has not been taken yet. The parent keeps it in its
    /// own memory, where a worker cannot change it.
    pub(super) rest: Range<usize>,
}

/// What the parent knows of a window whose rows are not known yet.
#[derive(Clone, Copy)]
struct Window {
    length: usize,
    /// Where the rows of earlier blocks end, counted from the start of the window. `None` if they end before the
    /// window, which is possible only if the window is void.
    start: Option<usize>,
}

/// A block or a part of one, with its results. The writer can read both until it gives the slot back.
pub struct Taken<'w, 's> {
    pub(super) writer: &'w mut Writer<'s>,
    /// The numbers that the claimant has handed over for this part.
    pub outcome: Outcome,
    /// The number of the worker that computed this part, as the worker wrote it into the slot.
    pub worker: u32,
}

impl<'s> Writer<'s> {
    /// Tells the writer that the next block to take lies at `place`. If that is a window of a file, the rows of earlier
    /// blocks end at the offset `end` of the file, so that the rows of this block must begin there.
    pub fn begin(&mut self, place: Place, end: u64) {
        self.is_here = matches!(place, Place::Slot(_));
        (self.window, self.rest) = match place {
            Place::Slot(input) => (None, input),
            Place::File { offset, length } => {
                let start = end.checked_sub(offset).map(|start| start as usize);
                (Some(Window { length, start }), start.unwrap_or(length).min(length)..length)
            }
        };
    }

    /// How many bytes of the present block have not been taken yet.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// Returns where the rows of the present block are. The claimant wrote this range into the slot; this function
    /// checks that it can be true.
    ///
    /// # Errors
    /// If the rows do not begin where the rows of earlier blocks end, if they end before the end of the window, or if
    /// they end after it by more than the greatest length of a block.
    fn bound(&self, slot: &Slot, Window { length, start }: Window) -> Result<Range<usize>, Spoilt> {
        let rows = slot.input();
        match slot.kind() {
            Kind::Void => Ok(0..0),
            Kind::Rows
                if start == Some(rows.start)
                    && rows.end >= rows.start.max(length)
                    && rows.end <= length + self.segment.sizes().block =>
            {
                Ok(rows)
            }
            _ => Err(Spoilt),
        }
    }

    /// Returns the next part of the present block, or `None` if no worker has finished it yet. `is_published` says that
    /// the block was published before this call, so that its slot cannot be free.
    ///
    /// # Errors
    /// If the slot holds another block, or if its numbers cannot be true: more input than was left, more results than
    /// fit in the result region, or a worker number out of range.
    pub fn try_take(&mut self, is_published: bool) -> Result<Option<Taken<'_, 's>>, Spoilt> {
        let (block, slot) = (self.block, self.segment.slot(self.block));
        let word = slot.load();
        if word != Word::done(block) {
            let is_early = word == Word::free(block) && !is_published;
            return if is_early || word.is_in_use_by(block) { Ok(None) } else { Err(Spoilt) };
        }
        if let Some(window) = self.window {
            self.rest = self.bound(slot, window)?;
            self.window = None;
        }
        let (outcome, worker) = (slot.outcome(), slot.worker.load(Ordering::Relaxed));
        let is_sound = slot.block.load(Ordering::Relaxed) == block
            && outcome.consumed <= self.rest.len()
            && outcome.results <= self.segment.sizes().room
            && worker < MAX_WORKERS;
        if is_sound { Ok(Some(Taken { writer: self, outcome, worker })) } else { Err(Spoilt) }
    }

    /// Returns how many bytes of results the claimant of the present block offers before the block is done; 0 if there
    /// is no offer.
    pub fn offered(&self) -> usize {
        let slot = self.segment.slot(self.block);
        let is_claimed = slot.load().is_claim_on(self.block);
        if is_claimed { slot.offered.load(Ordering::Acquire) as usize } else { 0 }
    }

    /// Tells the claimant of the present block that the results it offered are taken, so that the claimant goes on to
    /// write the next ones.
    pub fn release(&mut self) {
        self.segment.slot(self.block).offered.store(0, Ordering::Release);
    }
}

impl Taken<'_, '_> {
    /// The number of the slot from which this part was taken.
    pub fn slot(&self) -> usize {
        self.writer.segment.slot_of(self.writer.block)
    }

    /// How many bytes the block has from the start of this part on.
    pub fn left(&self) -> usize {
        self.writer.left()
    }

    /// Whether nothing is left of the block after this part.
    pub fn is_whole(&self) -> bool {
        self.outcome.consumed == self.writer.rest.len()
    }

    /// Makes the slot free for the reader, or, if something is left of the block, publishes the rest for workers.
    /// Returns whether the block is complete.
    pub fn give_back(self) -> bool {
        let is_whole = self.is_whole();
        let Writer { segment, block, rest, .. } = self.writer;
        let slot = segment.slot(*block);
        rest.start += self.outcome.consumed;
        if is_whole {
            // The slot is next used by the block one round of the ring later.
            slot.free(*block + segment.ring().len() as u64);
            *block += 1;
        } else {
            slot.fill(*block, rest.clone());
            segment.look_again_from(*block);
        }
        is_whole
    }
}

/// The supervisor's end of the ring: puts back the blocks that dead workers held.
pub struct Supervisor<'s> {
    pub(super) segment: &'s Segment,
}

/// A block that a dead worker had claimed.
pub struct Held {
    /// Number of the slot whose word names the dead worker. If a worker has spoilt the word, `block` can be the number
    /// of a block that belongs in another slot.
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

    /// Returns the blocks that `worker` holds. The worker must be dead. There is at most one, unless a worker has
    /// broken the protocol.
    pub fn held_by(&self, worker: u32) -> Vec<Held> {
        let words = self.segment.ring().iter().map(Slot::load).enumerate();
        let held = words.filter(|(_, word)| word.state() == State::Claimed && word.worker() == worker);
        held.map(|(slot, word)| Held { slot, block: word.block(), worker }).collect()
    }

    /// Returns where the row that the dead claimant noted last begins in the slot's input region. Returns `None` if the
    /// claimant was not told to take one row at a time, or if what it noted lies outside the block.
    pub fn row_of(&self, held: &Held) -> Option<usize> {
        let slot = self.slot(held);
        let progress = slot.progress.load(Ordering::Relaxed) as usize;
        (slot.caution.load(Ordering::Relaxed) > 0 && slot.input().contains(&progress)).then_some(progress)
    }

    /// Tells the next claimant of the block to take one row at a time, and not to touch the row that begins at byte
    /// `avoid` of the input region, if `avoid` is given.
    pub fn caution(&mut self, held: &Held, avoid: Option<usize>) {
        let caution = avoid.map_or(1, |row| (row as u32).saturating_add(2));
        self.slot(held).caution.store(caution, Ordering::Relaxed);
    }

    /// Withdraws the results that a dead worker has offered, if the writer has not looked at them yet. The caller must
    /// prevent the writer from calling [`Writer::offered`] meanwhile.
    pub fn withdraw(&self, held: &Held) {
        self.slot(held).offered.store(0, Ordering::Release);
    }

    /// Puts the block of a dead worker back, so that other workers can claim it.
    ///
    /// The caller must know that the worker is dead. The ring cannot check this. A thread of this process might be
    /// alive and still hold the block; therefore no executor calls this function for threads.
    pub fn recover(&mut self, held: Held) {
        let slot = self.slot(&held);
        slot.forget_claimant();
        slot.exchange(Word::claimed(held.block, held.worker), Word::filled(held.block));
        self.segment.look_again_from(held.block);
    }

    /// Whether `block` is published and no worker has claimed it.
    pub fn is_unclaimed(&self, block: u64) -> bool {
        self.segment.slot(block).load() == Word::filled(block)
    }

    /// Whether `block` is published and it is the workers' turn to act: the block waits to be claimed, or a worker has
    /// claimed it and does not wait for the writer to take an offer.
    pub fn is_under_way(&self, block: u64) -> bool {
        self.segment.is_under_way(block) && self.segment.slot(block).offered.load(Ordering::Relaxed) == 0
    }

    /// Returns all claims, except those of workers that wait for the writer to take what they offer. For each claim:
    /// the number of the block, the number of the worker, and the byte of the input region at which the claimed part
    /// begins. A window is not in the input region, so it has no such byte. In its place stands [`WAITS`] until the
    /// window has its turn, then `IN_WINDOW` until its rows are known, and then the byte of the window at which they
    /// begin.
    pub fn claims(&self) -> Vec<(u64, u32, usize)> {
        let slots = self.segment.ring().iter().map(|slot| (slot.load(), slot));
        let is_at_work = |slot: &Slot| slot.offered.load(Ordering::Relaxed) == 0;
        let claimed = slots.filter(|(word, slot)| word.state() == State::Claimed && is_at_work(slot));
        let start = |slot: &Slot, block| match slot.kind() {
            Kind::Window if self.segment.is_before_turn(block) => WAITS,
            Kind::Window => IN_WINDOW,
            _ => slot.input().start,
        };
        claimed.map(|(word, slot)| (word.block(), word.worker(), start(slot, word.block()))).collect()
    }

    /// Lowers the counter to `block`, so that workers look at this block and the following ones again. This repairs a
    /// counter that a worker has set too high.
    pub fn look_again_from(&self, block: u64) {
        self.segment.look_again_from(block);
    }

    /// Marks the run as over, which workers see through [`Segment::is_closed`].
    pub fn close(&self) {
        self.segment.control().closed.0.store(1, Ordering::Release);
    }

    /// Returns the sums that workers have added up so far.
    pub fn sums(&self) -> [u64; SUMS] {
        std::array::from_fn(|sum| self.segment.control().sums.0[sum].load(Ordering::Relaxed))
    }
}
