//! The bytes of a slot, accessible only through the handle that shows who may use them: the reader's [`Filling`], a
//! worker's [`Claim`], the writer's [`Taken`], the supervisor's [`Held`].
//!
//! The slices borrow the handle, so that within one process they obey Rust's aliasing rules. These rules cannot be
//! enforced on other processes: a worker that breaks the protocol can change bytes while the parent reads them. But
//! such a worker cannot make the parent access memory outside the slot, because every range is cut to a region of the
//! slot.
#![allow(unsafe_code)]

use super::claim::Claim;
use super::ends::{Filling, Held, Supervisor, Taken, Writer};
use super::segment::{Segment, SegmentError};
use super::slots::Place;
use super::sync::Ordering;
use std::ops::Range;

/// The most bytes that are read of an error message which a dying worker has left. Real messages are shorter; the limit
/// is for a worker that writes a false length.
const MOST_WORDS: usize = 1024;

/// Returns the range `part`, which counts from the start of `region`, as a range of the segment, cut so that it lies
/// within `region`.
fn part(region: &Range<usize>, part: &Range<usize>) -> Range<usize> {
    let cut = |at: usize| region.start.saturating_add(at).min(region.end);
    cut(part.start).min(cut(part.end))..cut(part.end)
}

impl Segment {
    /// Returns the bytes at `input` of the slot's input region.
    ///
    /// # Safety
    /// Nobody may write these bytes while the slice lives.
    unsafe fn input(&self, slot: usize, input: &Range<usize>) -> &[u8] {
        // SAFETY: the caller's promise.
        unsafe { self.bytes(part(&self.layout().input(slot), input)) }
    }

    /// Returns the first `length` bytes of the slot's result region, or the whole region if it is shorter.
    ///
    /// # Safety
    /// Nobody may write these bytes while the slice lives.
    unsafe fn results(&self, slot: usize, length: usize) -> &[u8] {
        // SAFETY: the caller's promise.
        unsafe { self.bytes(part(&self.layout().results(slot), &(0..length))) }
    }
}

impl Filling<'_, '_> {
    /// Asks the system for the memory pages of the slot. This must be called before the slot's bytes are used for the
    /// first time, because touching a page for which the system has no memory would kill the process.
    ///
    /// # Errors
    /// If the system has not enough memory to share.
    pub fn allocate(&self) -> Result<(), SegmentError> {
        self.reader.segment.allocate(self.slot())
    }

    /// Returns the whole input region of the slot: the head, followed by room for the block.
    pub fn input(&mut self) -> &mut [u8] {
        let segment = self.reader.segment;
        // SAFETY: no worker reads the input of a free slot, and the writer has given the slot back. There is one
        // reader, which has one `Filling` at a time, and the slice borrows the `Filling` mutably, so there is no second
        // slice of this region.
        unsafe { segment.bytes_mut(segment.layout().input(self.slot())) }
    }
}

impl Claim<'_> {
    /// Returns the block's head, its rows as far as they lie in the slot, and the region for its results.
    pub fn parts(&mut self) -> (&[u8], &[u8], &mut [u8]) {
        let (segment, slot) = (self.segment, self.slot());
        // The rows of a window are not in the slot, but in the claimant's own memory.
        let input = if let Place::Slot(input) = self.place() { input } else { 0..0 };
        // SAFETY: a `Claim` is handed to one worker. The parent does not write the input of a claimed slot, and reads
        // results only once the slot is done or the results are offered. After an offer the worker does not write
        // results before the parent has taken the offer. A worker that is replaced is dead before its block is claimed
        // again. The result region does not overlap the input region.
        unsafe {
            let head = segment.input(slot, &(0..segment.sizes().head));
            (head, segment.input(slot, &input), segment.bytes_mut(segment.layout().results(slot)))
        }
    }

    /// Leaves the error message `words` for the supervisor in the result region, and cuts the message to the size of
    /// the region. The claimant keeps its claim and must end its process now, so that the supervisor finds the message
    /// when it puts the block back.
    pub fn leave_last_words(mut self, words: &[u8]) {
        let (.., room) = self.parts();
        let length = words.len().min(room.len());
        room[..length].copy_from_slice(&words[..length]);
        self.segment.slot(self.block).last_words.store(length as u32, Ordering::Release);
    }
}

impl Writer<'_> {
    /// Returns the bytes of the present block that have not been taken yet, if the block waits for a worker or a worker
    /// holds it. Returns an empty slice if the block is in another state, and `None` if the block lies in a file.
    pub fn rest(&self) -> Option<&[u8]> {
        if !self.is_here {
            return None;
        }
        if !self.segment.is_under_way(self.block) {
            return Some(&[]);
        }
        // SAFETY: the parent alone writes input regions. The block is published, so the reader has no `Filling` of the
        // block's slot. The reader gets one only after the writer has given the slot back, which takes a mutable borrow
        // of this `Writer`.
        Some(unsafe { self.segment.input(self.segment.slot_of(self.block), &self.rest) })
    }

    /// Returns the results that the claimant of the present block offers. Their `length` is what
    /// [`offered`](Writer::offered) has returned.
    pub fn offered_results(&self, length: usize) -> &[u8] {
        // SAFETY: the claimant does not write these results again before `release`, which takes a mutable borrow of
        // this `Writer`. If the claimant dies, nobody else can claim the block unless the supervisor puts it back. The
        // supervisor never puts back a block of which an offer was taken (`Run::take_offer`).
        unsafe { self.segment.results(self.segment.slot_of(self.block), length) }
    }
}

impl Taken<'_, '_> {
    /// Returns the bytes of this part, followed by the rest of the block. Returns `None` if the block lies in a file.
    pub fn input(&self) -> Option<&[u8]> {
        if !self.writer.is_here {
            return None;
        }
        // SAFETY: the parent alone writes input regions. It does not write this one before the slot is given back, and
        // giving it back consumes this handle.
        Some(unsafe { self.writer.segment.input(self.slot(), &self.writer.rest) })
    }

    /// Returns the results of this part.
    pub fn results(&self) -> &[u8] {
        // SAFETY: the claimant wrote the results before the slot was done. Nobody writes them before the slot is given
        // back, and giving it back consumes this handle.
        unsafe { self.writer.segment.results(self.slot(), self.outcome.results) }
    }
}

impl Supervisor<'_> {
    /// Returns the error message that the dead claimant left, or `None` if it left none.
    pub fn last_words(&self, held: &Held) -> Option<Vec<u8>> {
        let length = (self.slot(held).last_words.load(Ordering::Acquire) as usize).min(MOST_WORDS);
        // SAFETY: the claimant is dead, and nobody else can claim the block before it is put back. If the writer reads
        // these bytes too, because the claimant has offered them, there is no conflict, because neither writer nor
        // supervisor writes them.
        let words = unsafe { self.segment.results(held.slot, length) };
        (length > 0).then(|| words.to_vec())
    }
}
