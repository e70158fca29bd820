//! The segment: one mapping that holds the ring, and for each slot a region of input and a region of results.
//!
//! ```text
//! Header | Control | Slot × N | (head and input region | result region) × N
//! ```
//!
//! The parent makes it as long as there is room for ([`memory`]), and removes its name at once, so that no way of dying
//! leaves it behind. Workers inherit the descriptor, and map it with `memmap2`.
#![allow(unsafe_code)]

mod layout;
mod memory;

pub use memory::Bound;

use super::event::FutexEvent;
use super::slots::{Control, Sizes, Slot};
use layout::{FEWEST_SLOTS, Header, Layout};
use memmap2::{MmapOptions, MmapRaw};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

const MAGIC: u64 = u64::from_be_bytes(*b"pmapgcd\0");
/// To be raised whenever `Header`, `Control`, `Slot` or the place of a region changes.
const VERSION: u32 = 7;

/// A segment of up to this size gets all its pages at the start, so that no other program can take them in the middle of a run.
/// It is what a stock container has in `/dev/shm`, and takes 18 ms; the 2 MiB of two workers take 0.3. A larger one, of large
/// blocks or hundreds of workers, may be for little input all the same, and would cost that dearly: one row takes 55 ms
/// instead of 28 with `-j2 --block-size 16M` (128 MiB), and 3 s and 8 GiB with `--block-size 1G`. So its slots get their pages
/// when they are first filled, and the run ends with an error if others have taken the room by then.
const RESERVED: usize = 64 << 20;

/// Why there is no segment.
#[derive(Debug)]
pub enum SegmentError {
    /// The system would not give the memory to share.
    Refused {
        /// How many bytes were asked for.
        length: usize,
        /// What the system said.
        source: io::Error,
    },
    /// The system would not give this process memory of its own.
    NoMemory {
        /// How many bytes were asked for.
        length: usize,
        /// What the system said.
        source: io::Error,
    },
    /// What a worker was handed is not a segment of this very program; and by what that shows.
    NotOurs(&'static str),
}

/// The mapping, and what lies where in it.
pub struct Segment {
    map: MmapRaw,
    layout: Layout,
    /// What a worker process has to inherit; none in private memory.
    file: Option<File>,
    /// How many bytes, from the start, the system has provided pages for.
    allocated: AtomicUsize,
    /// Why the segment has fewer slots than were asked for, if it has.
    bound: Option<Bound>,
}

impl Segment {
    /// A new segment for processes to share, without a name. It has `slots` slots of these sizes, or fewer if there is no room
    /// for so many. The pages of a slot may only be touched once [`Segment::allocate`] has provided them.
    ///
    /// # Errors
    /// When the system has not enough memory to share.
    pub fn shared(slots: usize, sizes: Sizes) -> Result<Self, SegmentError> {
        let wanted = Layout { slots, sizes };
        let least = Layout { slots: FEWEST_SLOTS.min(slots), ..wanted };
        let refused = |source: io::Error| SegmentError::Refused { length: least.length(), source };
        let file = memory::unnamed().map_err(refused)?;
        let (room, mut bound) = memory::room(&file);
        let too_few = if let Bound::OfAFile(_) = bound { Errno::FBIG } else { Errno::NOSPC };
        let mut layout = wanted.within(room).ok_or_else(|| refused(too_few.into()))?;
        let reserved = loop {
            let reserved = if layout.length() <= RESERVED { layout.length() } else { layout.regions() };
            let made = file.set_len(layout.length() as u64);
            match made.and_then(|()| memory::allocate(&file, 0..reserved)) {
                Ok(()) => break reserved,
                // Another program was quicker, or there is less than the file system says.
                Err(error) if is_full(&error) && layout.slots > least.slots => {
                    layout.slots = (layout.slots / 2).max(least.slots);
                    bound = Bound::Free;
                }
                Err(error) => return Err(refused(error)),
            }
        };
        let map = MmapOptions::new().len(layout.length()).map_raw(&file).map_err(refused)?;
        let bound = (layout.slots < slots).then_some(bound);
        let segment = Segment { map, layout, file: Some(file), allocated: AtomicUsize::new(reserved), bound };
        segment.lay_out();
        Ok(segment)
    }

    /// A new segment in this process's own memory, for threads.
    ///
    /// # Errors
    /// When the system has not that much memory.
    pub fn private(slots: usize, sizes: Sizes) -> Result<Self, SegmentError> {
        let layout = Layout { slots, sizes };
        let no_memory = |source| SegmentError::NoMemory { length: layout.length(), source };
        let map = MmapOptions::new().len(layout.length()).map_anon().map_err(no_memory)?.into();
        let segment = Segment { map, layout, file: None, allocated: AtomicUsize::new(layout.length()), bound: None };
        segment.lay_out();
        Ok(segment)
    }

    /// Writes the header of a new segment, and has its slots wait for the first blocks. All else is 0, as new memory is.
    fn lay_out(&self) {
        let header = Header { magic: MAGIC, version: VERSION, layout: self.layout };
        // SAFETY: the mapping is page-aligned and longer than a header, and nobody else has it yet.
        unsafe { self.map.as_mut_ptr().cast::<Header>().write(header) };
        self.ring().iter().zip(0..).for_each(|(slot, block)| slot.free(block));
    }

    /// The segment behind a descriptor that a worker inherited.
    ///
    /// # Errors
    /// When there is none, or another version's, or one that is not as long as its header says.
    pub fn attach(descriptor: OwnedFd) -> Result<Self, SegmentError> {
        let file = File::from(descriptor);
        let length = file.metadata().map_err(|_| SegmentError::NotOurs("no descriptor"))?.len() as usize;
        if length < Layout::SLOTS {
            return Err(SegmentError::NotOurs("too short"));
        }
        let map = MmapOptions::new().len(length).map_raw(&file).map_err(|_| SegmentError::NotOurs("no memory"))?;
        // SAFETY: the mapping is page-aligned and longer than a header, which is plain integers, written before any
        // worker was started and not written since.
        let Header { magic, version, layout } = unsafe { map.as_ptr().cast::<Header>().read() };
        let why_not = match () {
            () if magic != MAGIC => "no magic",
            () if version != VERSION => "another version's",
            () if !layout.is_plausible() || layout.length() != length => "its sizes do not agree",
            () => {
                let allocated = AtomicUsize::new(length);
                return Ok(Segment { map, layout, file: Some(file), allocated, bound: None });
            }
        };
        Err(SegmentError::NotOurs(why_not))
    }

    /// Has the system provide the pages of a slot before they are touched. Slots are first filled in their order.
    ///
    /// # Errors
    /// When the system has not that much memory to share.
    pub(super) fn allocate(&self, slot: usize) -> Result<(), SegmentError> {
        let Some(file) = &self.file else { return Ok(()) };
        let end = self.layout.input(slot).start + self.layout.stride();
        let allocated = self.allocated.fetch_max(end, Ordering::Relaxed);
        if end > allocated {
            let refused = |source| SegmentError::Refused { length: self.layout.length(), source };
            memory::allocate(file, allocated..end).map_err(refused)?;
        }
        Ok(())
    }

    /// How many slots it has.
    pub fn slots(&self) -> usize {
        self.layout.slots
    }

    /// Why it has fewer slots than were asked for, if it has.
    pub fn bound(&self) -> Option<Bound> {
        self.bound
    }

    /// Whether processes share it.
    pub fn is_shared(&self) -> bool {
        self.file.is_some()
    }

    /// What a worker process has to inherit.
    ///
    /// # Errors
    /// When this is private memory, or the process has no descriptors left.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        Ok(self.file.as_ref().ok_or(io::ErrorKind::Unsupported)?.try_clone()?.into())
    }

    /// Set when a block was published or put back: workers wait for it.
    pub fn filled(&self) -> FutexEvent<'_> {
        FutexEvent(&self.control().filled.0)
    }

    /// Set when a block is done: the writer waits for it.
    pub fn done(&self) -> FutexEvent<'_> {
        FutexEvent(&self.control().done.0)
    }

    /// Set when a slot is free: the reader waits for it.
    pub fn freed(&self) -> FutexEvent<'_> {
        FutexEvent(&self.control().freed.0)
    }

    /// How many bytes of address space it takes.
    pub fn length(&self) -> usize {
        self.layout.length()
    }

    /// The sizes of a slot's regions.
    pub fn sizes(&self) -> Sizes {
        self.layout.sizes
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The words that belong to the ring as a whole.
    pub(super) fn control(&self) -> &Control {
        // SAFETY: the mapping is as long as the layout says, and this offset is a multiple of the type's alignment (checked in the
        // tests). A `Control` is nothing but atomics: a shared reference to them is valid whatever another process does, and
        // every bit pattern is a value.
        unsafe { &*self.map.as_ptr().add(Layout::CONTROL).cast() }
    }

    /// The slots.
    pub(super) fn ring(&self) -> &[Slot] {
        // SAFETY: as for `control`: a `Slot` is nothing but atomics, too.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(Layout::SLOTS).cast(), self.layout.slots) }
    }

    /// The bytes at these offsets.
    ///
    /// # Safety
    /// Nobody writes them as long as the slice lives.
    ///
    /// # Panics
    /// When the segment is shorter.
    pub(super) unsafe fn bytes(&self, range: Range<usize>) -> &[u8] {
        assert!(range.start <= range.end && range.end <= self.layout.length());
        // SAFETY: in the mapping, as was seen just now; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(range.start), range.len()) }
    }

    /// The bytes at these offsets, to be written.
    ///
    /// # Safety
    /// Nobody else uses them as long as the slice lives.
    ///
    /// # Panics
    /// When the segment is shorter.
    #[allow(clippy::mut_from_ref)] // The caller borrows a handle for writing, not the segment.
    pub(super) unsafe fn bytes_mut(&self, range: Range<usize>) -> &mut [u8] {
        assert!(range.start <= range.end && range.end <= self.layout.length());
        // SAFETY: in the mapping, as was seen just now; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr().add(range.start), range.len()) }
    }
}

/// Whether a shorter file might have had room.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, OutOfMemory, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | OutOfMemory | QuotaExceeded | FileTooLarge)
}

#[cfg(test)]
mod tests;
