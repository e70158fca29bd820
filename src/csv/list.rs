//! Lists of offsets, to which all offsets found among 64 bytes are appended at once (`scan.rs`).

use super::structure::WIDTH;

/// Room for 64 offsets: 64 bytes are examined together, and the offset of each may be listed.
pub type Places = [u32; WIDTH];

/// Offsets in a text, in order.
#[derive(Debug, Default)]
pub struct List {
    /// The first `count` entries are the offsets of the list. Behind them are `u32::MAX` and room for more offsets, in
    /// which old ones can remain.
    places: Vec<u32>,
    count: usize,
}

impl List {
    /// Returns the offsets.
    #[inline(always)]
    pub fn get(&self) -> &[u32] {
        &self.places[..self.count]
    }

    /// Returns the offsets, followed by `u32::MAX`. This is larger than any offset, so each offset has a larger
    /// successor.
    #[inline(always)]
    pub fn get_closed(&self) -> &[u32] {
        &self.places[..=self.count]
    }

    /// Returns the offsets, which may be changed.
    pub fn get_mut(&mut self) -> &mut [u32] {
        &mut self.places[..self.count]
    }

    /// Appends an offset.
    pub fn push(&mut self, place: u32) {
        self.reserve(1);
        self.places[self.count] = place;
        self.count += 1;
        self.close();
    }

    fn close(&mut self) {
        self.reserve(0);
        self.places[self.count] = u32::MAX;
    }

    /// Removes all offsets.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Removes all offsets but the first `count`.
    pub fn truncate(&mut self, count: usize) {
        self.count = self.count.min(count);
        self.close();
    }

    /// Removes the first `count` offsets.
    pub fn drop_front(&mut self, count: usize) {
        self.places.copy_within(count..=self.count, 0);
        self.count -= count;
    }

    /// Makes room for `more` offsets and, behind them, for 64 others. A function that writes offsets is always given 64
    /// places, and can overwrite all of them, even if it adds fewer offsets.
    fn reserve(&mut self, more: usize) {
        let needed = self.count + more + WIDTH;
        if self.places.len() < needed {
            self.places.resize(needed, 0);
        }
    }

    /// Makes room for `more` offsets, and returns the room.
    pub fn rest(&mut self, more: usize) -> Rest<'_> {
        self.reserve(more);
        Rest { room: &mut self.places[self.count..], count: 0 }
    }

    /// Adds to the list the first `count` offsets that were written to the room from [`rest`](List::rest).
    pub fn grow(&mut self, count: usize) {
        self.count += count;
        self.close();
    }
}

/// The free room at the end of a list, into which further offsets are written.
pub struct Rest<'l> {
    room: &'l mut [u32],
    /// How many offsets have been written.
    pub count: usize,
}

impl Rest<'_> {
    /// Lets `write` write offsets into the room. `write` returns how many it has written.
    #[inline(always)]
    pub fn fill(&mut self, write: impl FnOnce(&mut Places) -> usize) {
        let Some(room) = self.room.get_mut(self.count..).and_then(|room| room.first_chunk_mut()) else {
            unreachable!("room was reserved")
        };
        self.count += write(room);
    }
}
