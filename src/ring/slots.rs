//! What lies in the memory that all who work on a ring share: the counter, the slots, and what each says of its block.

use super::sync::{AtomicU32, AtomicU64, Ordering};
use super::word::Word;
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
    pub(super) next: Lines<AtomicU64>,
    pub(super) closed: Lines<AtomicU32>,
    pub(super) came_up: Lines<AtomicU32>,
    /// What workers add to, whatever they count there.
    pub(super) sums: Lines<[AtomicU64; SUMS]>,
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
pub(super) const NONE: u64 = u64::MAX;

/// A slot's word and the measures of what lies in its two regions.
///
/// The measures are ordered by the word: whoever owns the slot by its word writes them, the next owner reads them.
#[repr(C, align(128))]
pub struct Slot {
    pub(super) word: AtomicU64,
    // Written by the parent.
    pub(super) start: AtomicU32,
    pub(super) end: AtomicU32,
    /// What the next claimant is to mind: 0 nothing, 1 that a worker died here, or 2 more than the row it must not touch.
    pub(super) caution: AtomicU32,
    /// Where the claimant is, in the input region.
    pub(super) progress: AtomicU32,
    /// How many bytes of last words a claimant that is about to die has left in the result region.
    pub(super) last_words: AtomicU32,
    // Written by the claimant. Apart from the above, so that a claimant that dies has not spoilt the block.
    /// The block that the measures are of.
    pub(super) block: AtomicU64,
    pub(super) consumed: AtomicU32,
    pub(super) results: AtomicU32,
    pub(super) worker: AtomicU32,
    pub(super) measures: [AtomicU32; MEASURES],
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

    pub(super) fn load(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    pub(super) fn input(&self) -> Range<usize> {
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
    pub(super) start: usize,
    pub(super) caution: u32,
    pub(super) progress: Option<&'a AtomicU32>,
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
