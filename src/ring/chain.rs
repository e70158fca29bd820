//! The chain: says where in a file the rows of each window begin.
//!
//! A window is a range of a file, and begins anywhere in a row. Its rows are those that begin in it: they begin where
//! the rows of the previous window end. So workers pass on one word, from window to window: whoever has claimed the
//! window that the word names has its *turn*, finds the end of its last row, and names the next window. To find that
//! end is a hundredth of the work on a window, and can be prepared before the turn comes, so that the turn is short.
//!
//! No row is mapped before its window had its turn. So no kernel ever sees text that only looks like a row, and every
//! bad row or death that is reported is about a real row.
//!
//! The word is 64 bits that change in one step: the number of the window's block, and how many bytes behind the start of the
//! window its rows begin. If the claimant dies before it passes the word on, the next claimant has the turn again. If it
//! dies afterwards, the slot says where the rows are.
//!
//! A claimant that cannot find the end (the file has become shorter, or a row is longer than a block) marks the word as
//! *stuck*. Then that window and all published after it are void: they have no rows, and the reader goes on from where the
//! word was stuck.

use super::claim::Claim;
use super::ends::{Reader, Supervisor};
use super::segment::Segment;
use super::slots::{Kind, Slot, Spoilt};
use super::sync::{AtomicU64, Ordering};
use std::ops::Range;

/// The chain's word: from the lowest bit, 31 bits for the distance from the window's start to its first row, 1 bit for
/// *stuck*, 32 bits for the last bits of the block's number.
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
    /// How many blocks this link is ahead of `block`. The numbers of blocks that exist at the same time differ by much less
    /// than 2^31.
    fn ahead_of(self, block: u64) -> i32 {
        ((self.0 >> 32) as u32).wrapping_sub(block as u32) as i32
    }
}

/// What the chain says about a window that a worker has claimed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Turn {
    /// An earlier window has not had its turn yet.
    Waits,
    /// It has its turn: its rows begin this many bytes behind the start of the window.
    Begins(usize),
    /// It had its turn: its rows, or those that are left of them, are in this range, which counts from the start of the
    /// window.
    Over(Range<usize>),
    /// It has no rows, because the chain was stuck at it or before it.
    Void,
}

/// What the chain says about the windows before the block that the reader publishes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reached {
    /// Windows that are published have not had their turn yet.
    NotYet,
    /// All have had their turn. The rows of the last one end this many bytes behind the window.
    All(usize),
    /// The chain is stuck, and all rows before this offset of the file are in windows that are not void.
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
    /// Begins a chain with the block that is published next: its window begins where a row does.
    pub fn begin_chain(&mut self) {
        self.segment.chain().store(Link::new(self.block, 0).0, Ordering::Release);
    }

    /// Returns how far the chain has come.
    ///
    /// # Errors
    /// If it has come further than there are blocks.
    pub fn reached(&self) -> Result<Reached, Spoilt> {
        let link = self.segment.link();
        Ok(match link.ahead_of(self.block) {
            1.. => return Err(Spoilt),
            0 => Reached::All(link.start()),
            behind if link.is_stuck() => {
                // This is still the offset of that window: only the reader changes it, and the reader has not used the
                // slot again.
                let slot = self.segment.slot(self.block.wrapping_add_signed(i64::from(behind)));
                Reached::Stuck(slot.offset.load(Ordering::Relaxed).saturating_add(link.start() as u64))
            }
            _ => Reached::NotYet,
        })
    }
}

impl Supervisor<'_> {
    /// Whether a worker has sent the chain back: `block`, which is to be written next, is a window that waits for windows
    /// which are written already.
    pub fn is_chain_lost(&self, block: u64) -> bool {
        let is_window = self.segment.is_under_way(block) && self.segment.slot(block).kind() == Kind::Window;
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
            // Look at the slot after the chain: an earlier claimant has written to the slot before it passed the chain
            // on.
            1.. if self.own_slot().kind() == Kind::Rows => Turn::Over(self.own_slot().input()),
            1.. => Turn::Void,
            _ if link.is_stuck() => Turn::Void,
            _ => Turn::Waits,
        }
    }

    /// Ends the turn of the claimed window, of `length` bytes: its rows are in the range `rows`, which counts from the start
    /// of the window and ends behind it. The next window has its turn.
    pub fn pass_on(&mut self, rows: Range<usize>, length: usize) {
        debug_assert!(rows.end >= length);
        self.own_slot().bound(&rows);
        self.end_turn(rows.start, Link::new(self.block + 1, rows.end.saturating_sub(length)));
        self.input = rows;
    }

    /// Ends the turn of the claimed window, whose rows begin at `start`, without having found where they end.
    pub fn stick(&mut self, start: usize) {
        self.end_turn(start, Link::new(self.block, start).stuck());
    }

    /// Replaces the link that gave the claimed window its turn. If a worker that runs wild has changed the chain, it stays as
    /// that worker has left it, so that the parent notices.
    fn end_turn(&self, start: usize, next: Link) {
        let link = Link::new(self.block, start);
        let _ = self.segment.chain().compare_exchange(link.0, next.0, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Records that the claimed window has no rows, before it is finished with nothing consumed.
    pub fn make_void(&mut self) {
        self.own_slot().set_kind(Kind::Void);
        self.input = 0..0;
    }
}
