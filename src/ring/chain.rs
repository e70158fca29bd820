//! The chain: says where in a file the rows of each window begin.
//!
//! A window is a range of a file, and can begin in the middle of a row. The rows of a window are the rows that begin in
//! it, so the first of them begins where the last row of the previous window ends. Workers pass on this place in one
//! shared word. The word names the window that has its *turn*. The worker that has claimed this window finds the end of
//! the window's last row, and makes the word name the next window. To find the end is a hundredth of the work on a
//! window. The search can be prepared before the turn comes, so that the turn is short.
//!
//! No row is mapped before its window has had its turn. So no kernel ever sees text that only looks like a row, and
//! every bad row or death that is reported is about a real row.
//!
//! The word is 64 bits that change in one step: the number of the window's block, and how many bytes after the start of
//! the window its rows begin. If the claimant dies before it changes the word, the next claimant of the window has the
//! turn again. If the claimant dies after it changed the word, the next claimant finds the range of the rows in the
//! slot.
//!
//! A claimant that cannot find the end (the file has become shorter, or a row is longer than a block) marks the word as
//! *stuck*. Then this window and all windows published after it are void, which means that they have no rows. The
//! reader goes on reading at the place where the rows of the stuck window begin.

use super::claim::Claim;
use super::ends::{Reader, Supervisor};
use super::segment::Segment;
use super::slots::{Kind, Slot, Spoilt};
use super::sync::{AtomicU64, Ordering};
use std::ops::Range;

/// The chain's word: from the lowest bit, 31 bits for the distance from the window's start to its first row, 1 bit for
/// *stuck*, 32 bits for the lowest bits of the block's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Link(u64);

const STUCK: u64 = 1 << 31;

impl Link {
    fn new(block: u64, start: usize) -> Self {
        debug_assert!((start as u64) < STUCK);
        Link(block << 32 | start as u64 & (STUCK - 1))
    }
    fn stuck(self) -> Self {
        Link(self.0 | STUCK)
    }
    fn is_stuck(self) -> bool {
        self.0 & STUCK != 0
    }
    fn start(self) -> usize {
        (self.0 & (STUCK - 1)) as usize
    }
    /// How many blocks this link is ahead of `block`. The lowest 32 bits are enough to tell this, because the numbers
    /// of blocks that exist at the same time differ by much less than 2^31.
    fn ahead_of(self, block: u64) -> i32 {
        ((self.0 >> 32) as u32).wrapping_sub(block as u32) as i32
    }
}

/// What the chain says about a window that a worker has claimed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Turn {
    /// An earlier window has not had its turn yet.
    Waits,
    /// The window has its turn: its rows begin this many bytes after the start of the window.
    Begins(usize),
    /// The window has had its turn: the rows that are still to be mapped are in this range, which counts from the start
    /// of the window.
    Over(Range<usize>),
    /// The window has no rows, because the chain was stuck at it or before it.
    Void,
}

/// What the chain says about the windows before the block that the reader publishes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reached {
    /// At least one published window has not had its turn yet.
    NotYet,
    /// All windows have had their turn. The rows of the last window end this many bytes after the end of that window.
    All(usize),
    /// The chain is stuck. All rows before this offset of the file are in windows that are not void, and the reader
    /// must go on reading at this offset.
    Stuck(u64),
}

impl Segment {
    fn chain(&self) -> &AtomicU64 {
        &self.control().chain.0.link
    }

    fn link(&self) -> Link {
        Link(self.chain().load(Ordering::Acquire))
    }

    /// Whether the turn of the window of `block` is still to come.
    pub(super) fn is_before_turn(&self, block: u64) -> bool {
        self.link().ahead_of(block) < 0
    }
}

impl Reader<'_> {
    /// Begins a chain with the block that is published next. The caller must know that the window of this block begins
    /// where a row begins.
    pub fn begin_chain(&mut self) {
        self.segment.chain().store(Link::new(self.block, 0).0, Ordering::Release);
    }

    /// Returns how far the chain has come.
    ///
    /// # Errors
    /// If the chain has come further than the blocks that are published.
    pub fn reached(&self) -> Result<Reached, Spoilt> {
        let link = self.segment.link();
        Ok(match link.ahead_of(self.block) {
            1.. => return Err(Spoilt),
            0 => Reached::All(link.start()),
            behind if link.is_stuck() => {
                // The slot still holds the offset of the stuck window: only the reader changes it, and the reader has
                // not used the slot again.
                let slot = self.segment.slot(self.block.wrapping_add_signed(i64::from(behind)));
                Reached::Stuck(slot.offset.load(Ordering::Relaxed).saturating_add(link.start() as u64))
            }
            _ => Reached::NotYet,
        })
    }
}

impl Supervisor<'_> {
    /// Whether a faulty worker has set the chain back. `block` is the block to be written next. If `block` is a window
    /// and the chain names an earlier block, no worker will pass the chain on, because all earlier blocks are written.
    /// The chain may name a later block: after a part of a window is written, the rest is claimed again, although the
    /// window has had its turn.
    pub fn is_chain_lost(&self, block: u64) -> bool {
        let is_window = self.segment.is_under_way(block) && self.segment.slot(block).kind() != Kind::Slot;
        let link = self.segment.link();
        is_window && link.ahead_of(block) < 0 && !link.is_stuck()
    }
}

impl Claim<'_> {
    fn own_slot(&self) -> &Slot {
        self.segment.slot(self.block)
    }

    /// Returns what the chain says about the claimed window.
    pub fn turn(&self) -> Turn {
        let link = self.segment.link();
        match link.ahead_of(self.block) {
            0 if link.is_stuck() => Turn::Void,
            0 => Turn::Begins(link.start()),
            // Read the slot only after the chain's word: whoever ended the turn of this window wrote to the slot first,
            // and changed the chain's word after that.
            1.. if self.own_slot().kind() == Kind::Rows => Turn::Over(self.own_slot().input()),
            1.. => Turn::Void,
            _ if link.is_stuck() => Turn::Void,
            _ => Turn::Waits,
        }
    }

    /// Ends the turn of the claimed window, of `length` bytes: its rows are in the range `rows`, which counts from the
    /// start of the window and ends at or after the end of the window. The next window then has its turn.
    pub fn pass_on(&mut self, rows: Range<usize>, length: usize) {
        debug_assert!(rows.end >= length);
        self.own_slot().bound(&rows);
        self.end_turn(rows.start, Link::new(self.block + 1, rows.end.saturating_sub(length)));
        self.input = rows;
    }

    /// Ends the turn of the claimed window, whose rows begin at `start`, without having found where the rows end. From
    /// then on the chain is stuck.
    pub fn stick(&mut self, start: usize) {
        self.end_turn(start, Link::new(self.block, start).stuck());
    }

    /// Replaces the link that gave the claimed window its turn. If a faulty worker has changed the chain meanwhile, the
    /// faulty value stays, so that the parent notices it.
    fn end_turn(&self, start: usize, next: Link) {
        let link = Link::new(self.block, start);
        let _ = self.segment.chain().compare_exchange(link.0, next.0, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Records that the claimed window has no rows. The claimant must then finish the block with nothing consumed.
    pub fn make_void(&mut self) {
        self.own_slot().set_kind(Kind::Void);
        self.input = 0..0;
    }
}
