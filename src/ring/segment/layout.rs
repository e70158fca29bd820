//! Where things lie in a segment, in bytes from its start.

use super::super::slots::{Control, Sizes, Slot};
use super::memory::PAGE;
use std::ops::Range;

/// The fewest slots to work with: one that is read into, and one that is worked on.
pub const FEWEST_SLOTS: usize = 2;

/// At the start of a segment: which program made it, and where things lie in it.
#[repr(C, align(128))]
pub struct Header {
    pub magic: u64,
    pub version: u32,
    pub layout: Layout,
}

/// Where things lie in a segment: all of it follows from these sizes.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    pub slots: usize,
    pub sizes: Sizes,
}

impl Layout {
    /// Where the control words lie.
    pub const CONTROL: usize = size_of::<Header>();
    /// Where the slots begin.
    pub const SLOTS: usize = Self::CONTROL + size_of::<Control>();

    /// Where the regions begin.
    pub fn regions(&self) -> usize {
        (Self::SLOTS + self.slots * size_of::<Slot>()).next_multiple_of(PAGE)
    }

    /// The bytes from one slot's regions to the next's.
    pub fn stride(&self) -> usize {
        self.result_offset() + self.sizes.room.next_multiple_of(align_of::<Slot>())
    }

    /// The bytes from a slot's input region to its result region.
    fn result_offset(&self) -> usize {
        (self.sizes.head + self.sizes.block).next_multiple_of(align_of::<Slot>())
    }

    /// A slot's input region: the head, then room for the block.
    pub fn input(&self, slot: usize) -> Range<usize> {
        assert!(slot < self.slots);
        let start = self.regions() + slot * self.stride();
        start..start + self.sizes.head + self.sizes.block
    }

    /// A slot's result region.
    pub fn results(&self, slot: usize) -> Range<usize> {
        let start = self.input(slot).start + self.result_offset();
        start..start + self.sizes.room
    }

    /// How long the segment is.
    pub fn length(&self) -> usize {
        self.regions() + self.slots * self.stride()
    }

    /// The same with as many slots as so many bytes have room for; none when those are too few to work with.
    pub fn within(self, room: u64) -> Option<Self> {
        let a_slot = self.stride() + size_of::<Slot>();
        let most = usize::try_from(room).unwrap_or(usize::MAX).saturating_sub(Self::SLOTS + PAGE) / a_slot;
        let slots = if self.length() as u64 <= room { self.slots } else { most.min(self.slots) };
        (slots >= FEWEST_SLOTS.min(self.slots)).then_some(Layout { slots, ..self })
    }

    /// Whether these can be the sizes of a segment. If so their sum does not overflow.
    pub fn is_plausible(&self) -> bool {
        let Sizes { head, block, room } = self.sizes;
        (1..=1 << 20).contains(&self.slots) && [head, block, room].iter().all(|&size| size <= 1 << 32)
    }
}
