//! Where things lie in a segment, in bytes from its start.

use super::super::slots::{Control, Sizes, Slot};
use super::memory::PAGE;
use std::ops::Range;

/// The fewest slots with which reader and workers can work at the same time: one slot to read into, and one to compute.
pub const FEWEST_SLOTS: usize = 2;

/// The first bytes of a segment. From these bytes a worker checks that the segment was made by the same version of the
/// program as the worker, and learns how the segment is laid out.
#[repr(C, align(128))]
pub struct Header {
    pub magic: u64,
    pub version: u32,
    pub layout: Layout,
}

/// The number and sizes of slots. The place of everything in the segment follows from them.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    pub slots: usize,
    pub sizes: Sizes,
}

impl Layout {
    /// Offset of the control words.
    pub const CONTROL: usize = size_of::<Header>();
    /// Offset of the first slot.
    pub const SLOTS: usize = Self::CONTROL + size_of::<Control>();

    /// Returns the offset of the first slot's input region.
    pub fn regions(&self) -> usize {
        (Self::SLOTS + self.slots * size_of::<Slot>()).next_multiple_of(PAGE)
    }

    /// Returns the number of bytes from one slot's input region to the next slot's.
    pub fn stride(&self) -> usize {
        self.result_offset() + self.sizes.room.next_multiple_of(align_of::<Slot>())
    }

    /// Returns the number of bytes from a slot's input region to its result region.
    fn result_offset(&self) -> usize {
        (self.sizes.head + self.sizes.block).next_multiple_of(align_of::<Slot>())
    }

    /// Returns the place of a slot's input region: the head, followed by room for the block.
    pub fn input(&self, slot: usize) -> Range<usize> {
        assert!(slot < self.slots);
        let start = self.regions() + slot * self.stride();
        start..start + self.sizes.head + self.sizes.block
    }

    /// Returns the place of a slot's result region.
    pub fn results(&self, slot: usize) -> Range<usize> {
        let start = self.input(slot).start + self.result_offset();
        start..start + self.sizes.room
    }

    /// Returns the length of the segment in bytes.
    pub fn length(&self) -> usize {
        self.regions() + self.slots * self.stride()
    }

    /// Returns a layout with as many slots as fit in `room` bytes, but no more than `self` has. Returns `None` if fewer
    /// than [`FEWEST_SLOTS`] fit, or, where `self` has fewer than that, if not all of its slots fit.
    pub fn within(self, room: u64) -> Option<Self> {
        let a_slot = self.stride() + size_of::<Slot>();
        let most = usize::try_from(room).unwrap_or(usize::MAX).saturating_sub(Self::SLOTS + PAGE) / a_slot;
        let slots = if self.length() as u64 <= room { self.slots } else { most.min(self.slots) };
        (slots >= FEWEST_SLOTS.min(self.slots)).then_some(Layout { slots, ..self })
    }

    /// Whether a real segment can have these sizes. They must be so small that the length in bytes does not overflow.
    pub fn is_plausible(&self) -> bool {
        let Sizes { head, block, room } = self.sizes;
        (1..=1 << 20).contains(&self.slots) && [head, block, room].iter().all(|&size| size <= 1 << 32)
    }
}
