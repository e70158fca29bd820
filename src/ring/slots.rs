//! The control words and the slots of a ring, as they lie in the memory that parent and workers share.

use super::sync::{AtomicU32, AtomicU64, Ordering};
use super::word::Word;
use std::ops::Range;

/// Aligns a value to 128 bytes, so that no two such values share a pair of 64-byte cache lines. Then processes that
/// write to different values do not slow each other down. One cache line is not enough, because x86 prefetches cache
/// lines in pairs.
#[repr(C, align(128))]
#[derive(Default)]
pub struct Lines<T>(pub T);

/// How many sums the workers share: as many as fill a pair of cache lines.
pub const SUMS: usize = 16;

/// How many numbers a claimant hands over with a block. The ring does not interpret them.
pub const MEASURES: usize = 6;

/// The words of the ring as a whole. All are 0 in a new segment, which means that the counter is at block 0 and no
/// event is set.
#[repr(C)]
#[derive(Default)]
pub struct Control {
    /// The number of the block that workers look at next when they want to claim one, as a
    /// [`Counter`](super::word::Counter).
    pub(super) next: Lines<AtomicU64>,
    /// 0 while the run lasts, 1 once it is over.
    pub(super) closed: Lines<AtomicU32>,
    /// How many workers have started up in this segment.
    pub(super) came_up: Lines<AtomicU32>,
    /// How many fields each result of the run has, as the first result has decided; 0 before that.
    pub(super) width: Lines<AtomicU32>,
    /// Sums that workers add to. The ring does not interpret them.
    pub(super) sums: Lines<[AtomicU64; SUMS]>,
    /// Event that is set when a block is published or put back. Workers wait for it.
    pub(super) filled: Lines<AtomicU32>,
    /// Event that is set when a block is done. The writer waits for it.
    pub(super) done: Lines<AtomicU32>,
    /// Event that is set when a slot becomes free. The reader waits for it.
    pub(super) freed: Lines<AtomicU32>,
    /// The chain of windows, and the words by which workers that wait for their turn are woken.
    pub(super) chain: Lines<Chain>,
    /// 1 while the reader might be waiting for input, otherwise 0.
    pub(super) awaits_input: Lines<AtomicU32>,
}

/// The word that says which window has its turn (`chain.rs`), and the words of the event for workers that wait for a
/// turn.
#[repr(C)]
#[derive(Default)]
pub struct Chain {
    pub(super) link: AtomicU64,
    pub(super) turns: AtomicU32,
    pub(super) sleepers: AtomicU32,
}

/// Where the bytes of a slot's block lie, as far as this is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// In the slot's input region.
    Slot = 0,
    /// In a window of a file. It is not known yet where the rows of the window begin and end.
    Window = 1,
    /// In a window of a file. The slot's range, which counts from the start of the window, says where the rows are.
    Rows = 2,
    /// The block is a window of a file, but no rows are taken from it, because the chain ended before it.
    Void = 3,
}

/// Value of [`Slot::block`] while no claimant has finished the slot's present block or part.
const NONE: u64 = u64::MAX;

/// A slot: its word, and the numbers that describe its input region and its result region.
///
/// The word holds the state of the slot, and so decides who owns the slot. Only the owner may write the other fields,
/// except `offered`, which the writer resets. If the owner is dead, the supervisor may write them. The word is stored
/// with release and loaded with acquire, so that the next owner sees what the last owner wrote. In a new segment all
/// other fields are 0, and the word says that slot k is free for block k.
#[repr(C, align(128))]
#[derive(Default)]
pub struct Slot {
    pub(super) word: AtomicU64,
    // The parent writes `start`, `end` and `caution`. The claimant of a window writes `start` and `end` too, when it
    // has found the window's rows. The claimant sets `progress` and `last_words`, and the parent resets them.
    pub(super) start: AtomicU32,
    end: AtomicU32,
    /// How the next claimant must treat the rows. 0: without any care. 1: one row at a time, because a worker died
    /// while it worked on the block. 2 + n: one row at a time, and without touching the row that begins at byte n of
    /// the input region.
    pub(super) caution: AtomicU32,
    /// Where the row that a claimant has noted last begins in the input region. `u32::MAX` if no row has been noted
    /// since the block was published, or put back after a death.
    pub(super) progress: AtomicU32,
    /// How many bytes of an error message the claimant has put into the result region because it is about to die. 0 if
    /// it has left none.
    pub(super) last_words: AtomicU32,
    /// How many bytes of results the claimant offers to the writer before the block is done. The claimant sets it, and
    /// the writer sets it to 0 when it has taken the results.
    pub(super) offered: AtomicU32,
    // The claimant writes the fields from `block` to `measures` when it finishes. The parent does not need these fields
    // to let another worker compute the block, so a claimant that dies while it writes them does no harm.
    /// The block that `consumed`, `results`, `worker` and `measures` belong to, or [`NONE`].
    pub(super) block: AtomicU64,
    consumed: AtomicU32,
    results: AtomicU32,
    pub(super) worker: AtomicU32,
    measures: [AtomicU32; MEASURES],
    /// A [`Kind`]. The parent writes it when it publishes the block; the claimant of a window changes it when it ends
    /// the turn of the window, or finds that the window is void.
    pub(super) kind: AtomicU32,
    /// The length of the window in bytes, and (`offset`) where it begins in the file. The parent writes these two
    /// fields.
    length: AtomicU32,
    pub(super) offset: AtomicU64,
}

impl Slot {
    /// Makes the slot free for `block`.
    pub(super) fn free(&self, block: u64) {
        self.word.store(Word::free(block).0, Ordering::Release);
    }

    pub(super) fn load(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    /// Replaces the word by `to` if it still equals `from`. Returns whether the word was replaced.
    pub(super) fn exchange(&self, from: Word, to: Word) -> bool {
        self.word.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// The range that is still to be computed, of the input region or of the window.
    pub(super) fn input(&self) -> Range<usize> {
        self.start.load(Ordering::Relaxed) as usize..self.end.load(Ordering::Relaxed) as usize
    }

    /// Publishes `block`, or what is left of it, for workers to claim. The rows that are to be computed are in the
    /// range `input` of the input region, or of the window.
    pub(super) fn fill(&self, block: u64, input: Range<usize>) {
        self.start.store(input.start as u32, Ordering::Relaxed);
        self.end.store(input.end as u32, Ordering::Relaxed);
        self.block.store(NONE, Ordering::Relaxed);
        self.word.store(Word::filled(block).0, Ordering::Release);
    }

    /// Records where the bytes of the next block lie, before the block is published. Returns the range in which its
    /// rows are. For a window this is the whole window, because it is not known yet where its rows are.
    pub(super) fn place(&self, place: Place) -> Range<usize> {
        match place {
            Place::Slot(input) => {
                self.set_kind(Kind::Slot);
                input
            }
            Place::File { offset, length } => {
                self.set_kind(Kind::Window);
                self.offset.store(offset, Ordering::Relaxed);
                self.length.store(length as u32, Ordering::Relaxed);
                0..length
            }
        }
    }

    /// How long the window is.
    pub(super) fn length(&self) -> usize {
        self.length.load(Ordering::Relaxed) as usize
    }

    /// Records where the rows of the window are.
    pub(super) fn bound(&self, rows: &Range<usize>) {
        self.start.store(rows.start as u32, Ordering::Relaxed);
        self.end.store(rows.end as u32, Ordering::Relaxed);
        self.set_kind(Kind::Rows);
    }

    pub(super) fn kind(&self) -> Kind {
        match self.kind.load(Ordering::Relaxed) {
            0 => Kind::Slot,
            1 => Kind::Window,
            2 => Kind::Rows,
            _ => Kind::Void,
        }
    }

    pub(super) fn set_kind(&self, kind: Kind) {
        self.kind.store(kind as u32, Ordering::Relaxed);
    }

    /// Resets what a claimant has noted in the slot, so that nobody takes these notes for those of the next claimant.
    pub(super) fn forget_claimant(&self) {
        self.progress.store(u32::MAX, Ordering::Relaxed);
        self.last_words.store(0, Ordering::Relaxed);
        self.offered.store(0, Ordering::Relaxed);
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

/// The sizes of the regions of a slot, in bytes.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sizes {
    /// Size of the head, which stands in front of each block's rows.
    pub head: usize,
    /// The most bytes of rows that a block can have, without the head.
    pub block: usize,
    /// Size of the result region: the most bytes of results and reports of bad rows together.
    pub room: usize,
}

/// Where the bytes of a block lie.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// In the slot: this range of its input region.
    Slot(Range<usize>),
    /// In a file that workers read for themselves. The block consists of the rows that begin in this window; `chain.rs`
    /// says how they are found.
    File {
        /// Where the window begins in the file.
        offset: u64,
        /// The length of the window in bytes.
        length: usize,
    },
}

/// What a claimant hands over when it has computed the rows that were left of its block, or the first of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// How many bytes of input have been processed. If the block has more bytes, the rest is put back for workers to
    /// claim.
    pub consumed: usize,
    /// How many bytes at the start of the slot's result region have been written.
    pub results: usize,
    /// Further numbers from the claimant to the parent, which the ring does not interpret.
    pub measures: [u32; MEASURES],
}

/// How a claimant must treat the rows of a block. If a worker died while it worked on the block, the claimant takes one
/// row at a time, and notes where each row begins before it computes the row. Also says whether the reader might be
/// waiting for more input.
#[derive(Clone, Copy, Default)]
pub struct Care<'a> {
    pub(super) awaits_input: Option<&'a AtomicU32>,
    pub(super) start: usize,
    pub(super) caution: u32,
    pub(super) progress: Option<&'a AtomicU32>,
}

impl Care<'_> {
    /// Notes that the claimant is at byte `at` of what it has claimed. If the claimant dies, the supervisor learns from
    /// this which row it was at.
    pub fn note(&self, at: usize) {
        if let Some(progress) = self.progress {
            progress.store((self.start + at) as u32, Ordering::Relaxed);
        }
    }

    /// Whether a worker died while working on this block. If so, the claimant takes one row at a time and notes each,
    /// so that a second death shows which row is to blame.
    pub fn is_needed(&self) -> bool {
        self.caution > 0
    }

    /// Whether the reader might be waiting for input now. If this returns false, the input has ended, or the reader
    /// waits for workers to finish the blocks that they hold.
    pub fn is_input_awaited(&self) -> bool {
        self.awaits_input.is_some_and(|awaits| awaits.load(Ordering::Relaxed) != 0)
    }

    /// Whether workers keep dying on the row that begins at byte `at` of what was claimed. If so, the claimant must not
    /// touch that row.
    pub fn must_avoid(&self, at: usize) -> bool {
        self.caution > 1 && self.caution as usize - 2 == self.start + at
    }
}

/// The segment has content that no correct worker writes, so the run cannot go on.
#[derive(Debug, PartialEq, Eq)]
pub struct Spoilt;
