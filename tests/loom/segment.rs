//! The segment as the model checker has it: the control words and the slots, on the heap and without any bytes.

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

    /// Ends that are not unique: each thread of a model makes those that it plays, at the block where it is.
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
