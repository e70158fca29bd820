//! What lies in the memory that everybody who works on a ring shares: the control words, and the slots.

use super::sync::{AtomicU32, AtomicU64, Ordering};
use super::word::Word;
use std::ops::Range;

/// Keeps what it holds alone on its pair of cache lines: x86 prefetches lines two at a time.
#[repr(C, align(128))]
#[derive(Default)]
pub struct Lines<T>(pub T);

/// How many sums workers may keep together: as many as fill a pair of cache lines.
pub const SUMS: usize = 16;

/// How many numbers a claimant may hand over with a block. They mean nothing to the ring.
pub const MEASURES: usize = 5;

/// The words that belong to the ring as a whole. All are 0 at first: the counter at block 0, and every event clear.
#[repr(C)]
#[derive(Default)]
pub struct Control {
    /// A [`Counter`](super::word::Counter): the block to claim next.
    pub(super) next: Lines<AtomicU64>,
    /// Not 0 once the run is over, for workers that outlive it.
    pub(super) closed: Lines<AtomicU32>,
    /// How many workers have started up.
    pub(super) came_up: Lines<AtomicU32>,
    /// Sums that workers add to. What they count is the caller's business.
    pub(super) sums: Lines<[AtomicU64; SUMS]>,
    /// An event: a block was published or put back. Workers wait for it.
    pub(super) filled: Lines<AtomicU32>,
    /// An event: a block is done. The writer waits for it.
    pub(super) done: Lines<AtomicU32>,
    /// An event: a slot is free. The reader waits for it.
    pub(super) freed: Lines<AtomicU32>,
}

/// In [`Slot::block`]: the measures are of no block.
const NONE: u64 = u64::MAX;

/// A slot's word, and the measures of what lies in its two regions.
///
/// The word orders all other fields: whoever owns the slot by its word writes them, and the next owner reads them. At first they
/// are 0, and the word of slot k waits for block k.
#[repr(C, align(128))]
#[derive(Default)]
pub struct Slot {
    pub(super) word: AtomicU64,
    // The parent writes the next five.
    pub(super) start: AtomicU32,
    end: AtomicU32,
    /// How the next claimant must treat the rows: 0 as it likes; 1 one at a time, since a worker died here; 2 + n also one at a
    /// time, and without touching the row that begins at byte n of the input region.
    pub(super) caution: AtomicU32,
    /// At which byte of the input region the claimant is.
    pub(super) progress: AtomicU32,
    /// How many bytes of last words a claimant that is about to die has left in the result region.
    pub(super) last_words: AtomicU32,
    // The claimant writes the rest. These fields are apart from those above, so that a claimant that dies has not spoilt the block.
    /// The block that the measures are of.
    pub(super) block: AtomicU64,
    consumed: AtomicU32,
    results: AtomicU32,
    pub(super) worker: AtomicU32,
    measures: [AtomicU32; MEASURES],
}

impl Slot {
    /// Has the slot wait for this block.
    pub(super) fn free(&self, block: u64) {
        self.word.store(Word::free(block).0, Ordering::Release);
    }

    pub(super) fn load(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    /// Changes the word, if it is still `from`; answers whether it was.
    pub(super) fn exchange(&self, from: Word, to: Word) -> bool {
        self.word.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// The range of the input region that is still to be computed.
    pub(super) fn input(&self) -> Range<usize> {
        self.start.load(Ordering::Relaxed) as usize..self.end.load(Ordering::Relaxed) as usize
    }

    /// Makes this range of the input region `block`, or what is left of it, for workers to claim.
    pub(super) fn fill(&self, block: u64, input: Range<usize>) {
        self.start.store(input.start as u32, Ordering::Relaxed);
        self.end.store(input.end as u32, Ordering::Relaxed);
        self.block.store(NONE, Ordering::Relaxed);
        self.word.store(Word::filled(block).0, Ordering::Release);
    }

    /// Forgets what a claimant said while it had the block, so that it is not taken for what the next one says.
    pub(super) fn forget_claimant(&self) {
        self.progress.store(u32::MAX, Ordering::Relaxed);
        self.last_words.store(0, Ordering::Relaxed);
    }

    pub(super) fn outcome(&self) -> Outcome {
        Outcome {
            consumed: self.consumed.load(Ordering::Relaxed) as usize,
            results: self.results.load(Ordering::Relaxed) as usize,
            measures: std::array::from_fn(|at| self.measures[at].load(Ordering::Relaxed)),
        }
    }

    pub(super) fn set_outcome(&self, outcome: Outcome) {
        self.consumed.store(outcome.consumed as u32, Ordering::Relaxed);
        self.results.store(outcome.results as u32, Ordering::Relaxed);
        for (place, measure) in self.measures.iter().zip(outcome.measures) {
            place.store(measure, Ordering::Relaxed);
        }
    }
}

/// The sizes of a slot's regions, in bytes.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sizes {
    /// What stands before each block's rows, for all workers that come to it.
    pub head: usize,
    /// The most input that a block may have, beside the head.
    pub block: usize,
    /// The most results, and reports of bad rows.
    pub room: usize,
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
    /// Bytes of input that were dealt with. If the block has more, the rest is put back for workers to claim.
    pub consumed: usize,
    /// Bytes at the start of the slot's result region that were written.
    pub results: usize,
    /// What else the claimant has to say of the block.
    pub measures: [u32; MEASURES],
}

/// How a claimant must treat the rows of a block. After a worker has died over them: one row at a time, each noted first.
#[derive(Clone, Copy, Default)]
pub struct Care<'a> {
    pub(super) start: usize,
    pub(super) caution: u32,
    pub(super) progress: Option<&'a AtomicU32>,
}

impl Care<'_> {
    /// Notes that the claimant has come to this byte of what it claimed. If it dies, the supervisor finds the row there.
    pub fn note(&self, at: usize) {
        if let Some(progress) = self.progress {
            progress.store((self.start + at) as u32, Ordering::Relaxed);
        }
    }

    /// Whether a worker died over this block: then the claimant takes one row at a time, and notes each.
    pub fn is_needed(&self) -> bool {
        self.caution > 0
    }

    /// Whether workers keep dying on the row that begins at this byte: then the claimant must not touch it.
    pub fn must_avoid(&self, at: usize) -> bool {
        self.caution > 1 && self.caution as usize - 2 == self.start + at
    }
}

/// A worker has written what no honest worker writes.
#[derive(Debug, PartialEq, Eq)]
pub struct Spoilt;
