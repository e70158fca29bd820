//! The segment that the model checker uses in place of the real one: the control words and the slots on the heap,
//! without input and result regions.

use super::ends::Ends;
use super::slots::{Control, Sizes, Slot};

pub struct Segment {
    control: Control,
    slots: Vec<Slot>,
}

impl Segment {
    pub fn new(slots: usize) -> Self {
        let slots: Vec<Slot> = (0..slots).map(|_| Slot::default()).collect();
        slots.iter().zip(0..).for_each(|(slot, block)| slot.free(block));
        Segment { control: Control::default(), slots }
    }

    /// Returns ends for the block number `block`. Unlike the real ones they are not unique, because each thread of a
    /// model makes the ends that it needs for the block that it is at.
    pub fn ends(&self, block: u64) -> Ends<'_> {
        Ends::new(self, block)
    }

    pub fn control(&self) -> &Control {
        &self.control
    }

    pub fn ring(&self) -> &[Slot] {
        &self.slots
    }

    pub fn sizes(&self) -> Sizes {
        Sizes { head: 0, block: 2, room: 1 }
    }
}
