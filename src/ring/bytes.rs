//! The bytes of a slot, lent to whoever holds the handle that makes them theirs: the reader's [`Filling`], a worker's
//! [`Claim`], the writer's [`Taken`], the supervisor's [`Held`].
//!
//! A handle lends bytes only for as long as it is borrowed itself. That keeps one process within Rust's rules. Against another
//! process there is no such protection: a worker that breaks the protocol can make these bytes change while somebody reads
//! them, which Rust's rules do not allow for. What it cannot do is lead an access out of the slot: every range is cut to a
//! region of the slot.
#![allow(unsafe_code)]

use super::claim::Claim;
use super::ends::{Filling, Held, Supervisor, Taken, Writer};
use super::segment::{Segment, SegmentError};
use super::slots::Place;
use super::sync::Ordering;
use std::ops::Range;

/// The most bytes that are taken for last words: a message is shorter, whatever a worker gone mad may say.
const MOST_WORDS: usize = 1024;

/// This part of a region, cut to what the region has.
fn part(region: &Range<usize>, part: &Range<usize>) -> Range<usize> {
    let cut = |at: usize| region.start.saturating_add(at).min(region.end);
    cut(part.start).min(cut(part.end))..cut(part.end)
}

impl Segment {
    /// # Safety
    /// Nobody writes this part of the slot's input region as long as the slice lives.
    unsafe fn input(&self, slot: usize, input: &Range<usize>) -> &[u8] {
        // SAFETY: the caller's promise.
        unsafe { self.bytes(part(&self.layout().input(slot), input)) }
    }

    /// The first so many bytes of the slot's result region, or all that it has.
    ///
    /// # Safety
    /// Nobody writes these bytes as long as the slice lives.
    unsafe fn results(&self, slot: usize, length: usize) -> &[u8] {
        // SAFETY: the caller's promise.
        unsafe { self.bytes(part(&self.layout().results(slot), &(0..length))) }
    }
}

impl Filling<'_, '_> {
    /// Has the system provide the slot's pages, before they are touched for the first time.
    ///
    /// # Errors
    /// When the system has not that much memory to share.
    pub fn allocate(&self) -> Result<(), SegmentError> {
        self.reader.segment.allocate(self.slot())
    }

    /// All of the slot's input region: the head, and after it room for the block.
    pub fn input(&mut self) -> &mut [u8] {
        let segment = self.reader.segment;
        // SAFETY: no worker reads the input of a free slot, and the writer has given the slot back. There is one reader, which
        // has one `Filling` at a time, and lends the region for as long as that is borrowed.
        unsafe { segment.bytes_mut(segment.layout().input(self.slot())) }
    }
}

impl Claim<'_> {
    /// The block's head, its bytes, and the region for its results.
    pub fn parts(&mut self) -> (&[u8], &[u8], &mut [u8]) {
        let (segment, slot, Place::Slot(input)) = (self.segment, self.slot(), self.place());
        // SAFETY: a `Claim` is handed to one worker. The parent does not write the input of a claimed slot, and reads no results
        // before the slot is done. A worker that is replaced is dead before its block is claimed again.
        unsafe {
            let head = segment.input(slot, &(0..segment.sizes().head));
            (head, segment.input(slot, &input), segment.bytes_mut(segment.layout().results(slot)))
        }
    }

    /// Leaves the claimant's last words, as many as there is room for, in place of results. The claimant keeps the block, and
    /// must end its process now.
    pub fn leave_last_words(mut self, words: &[u8]) {
        let (.., room) = self.parts();
        let length = words.len().min(room.len());
        room[..length].copy_from_slice(&words[..length]);
        self.segment.slot(self.block).last_words.store(length as u32, Ordering::Release);
    }
}

impl Writer<'_> {
    /// The bytes that are left of the block while workers have it; none before and after.
    pub fn rest(&self) -> &[u8] {
        if !self.segment.is_under_way(self.block) {
            return &[];
        }
        // SAFETY: the parent alone writes input regions. The block is published, so the reader has no `Filling` of its slot, and
        // gets none before the writer has given the slot back, which takes a mutable borrow of this end.
        unsafe { self.segment.input(self.segment.slot_of(self.block), &self.rest) }
    }
}

impl Taken<'_, '_> {
    /// The bytes that were left of the block, from the first of this part on.
    pub fn input(&self) -> &[u8] {
        // SAFETY: the parent alone writes input regions, and not before the slot is given back, which takes this handle.
        unsafe { self.writer.segment.input(self.slot(), &self.writer.rest) }
    }

    /// The results.
    pub fn results(&self) -> &[u8] {
        // SAFETY: the claimant wrote them before the slot was done, and nobody writes them until it is given back.
        unsafe { self.writer.segment.results(self.slot(), self.outcome.results) }
    }
}

impl Supervisor<'_> {
    /// What the dead claimant said last, if it said anything.
    pub fn last_words(&self, held: &Held) -> Option<Vec<u8>> {
        let length = (self.slot(held).last_words.load(Ordering::Acquire) as usize).min(MOST_WORDS);
        // SAFETY: the claimant is dead, nobody else can claim the block before it is put back, and the writer does not read a
        // slot that is not done.
        let words = unsafe { self.segment.results(held.slot, length) };
        (length > 0).then(|| words.to_vec())
    }
}
