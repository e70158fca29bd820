//! The segment: one mapping that holds the ring, and for each slot a region of input and a region of results.
//!
//! ```text
//! Header | Control | Slot × N | (head and input region | result region) × N
//! ```
//!
//! The parent makes it, as long as there is room for ([`memory`]), and removes its name at once, so that no way of dying
//! leaves it behind; workers inherit the descriptor and map it with `memmap2`.
#![allow(unsafe_code)]

mod memory;

pub use memory::Bound;

use super::event::FutexEvent;
use super::protocol::Ring;
use super::slots::{Control, Slot};
use memmap2::{MmapOptions, MmapRaw};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

const MAGIC: u64 = u64::from_be_bytes(*b"pmapgcd\0");
/// Changes whenever `Header`, `Control`, `Slot` or the place of a region does.
const VERSION: u32 = 6;
const PAGE: usize = memory::PAGE;

/// One slot that is read into and one that is worked on, at least.
const FEWEST_SLOTS: usize = 2;

/// A segment of up to this size has all its pages from the start, so that nobody takes them away in the middle of a run. It
/// is what a stock container has in `/dev/shm`, and takes 18 ms; the 2 MiB of two workers take 0.3. A larger one, of large
/// blocks or hundreds of workers, may be for little input all the same, and would cost that dearly: one row takes 55 ms
/// instead of 28 with `-j2 --block-size 16M` (128 MiB), and 3 s and 8 GiB with `--block-size 1G`. So its slots get their pages
/// when they are first filled, and the run ends with an error where others have taken the room by then.
const RESERVED: usize = 64 << 20;

/// The sizes of a slot's regions, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sizes {
    /// What stands before each block's rows, for all workers that come to it.
    pub head: usize,
    /// Most rows.
    pub block: usize,
    /// Most results, and reports of bad rows.
    pub room: usize,
}

#[repr(C, align(128))]
struct Header {
    magic: u64,
    version: u32,
    slots: u32,
    head: u64,
    block: u64,
    room: u64,
    length: u64,
}

/// Where things lie in a segment: all of it follows from these sizes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Layout {
    slots: usize,
    sizes: Sizes,
}

impl Layout {
    const CONTROL: usize = size_of::<Header>();
    const SLOTS: usize = Self::CONTROL + size_of::<Control>();

    fn regions(&self) -> usize {
        (Self::SLOTS + self.slots * size_of::<Slot>()).next_multiple_of(PAGE)
    }
    fn input_size(&self) -> usize {
        self.sizes.head + self.sizes.block
    }
    fn stride(&self) -> usize {
        self.input_size().next_multiple_of(align_of::<Slot>()) + self.sizes.room.next_multiple_of(align_of::<Slot>())
    }
    fn input(&self, slot: usize) -> usize {
        assert!(slot < self.slots);
        self.regions() + slot * self.stride()
    }
    fn results(&self, slot: usize) -> usize {
        self.input(slot) + self.input_size().next_multiple_of(align_of::<Slot>())
    }
    fn length(&self) -> usize {
        self.regions() + self.slots * self.stride()
    }

    /// The same with as many slots as there is room for in so many bytes; none when those are too few to work with.
    fn within(self, room: u64) -> Option<Self> {
        let a_slot = self.stride() + size_of::<Slot>();
        let most = usize::try_from(room).unwrap_or(usize::MAX).saturating_sub(Self::SLOTS + PAGE) / a_slot;
        let slots = if self.length() as u64 <= room { self.slots } else { most.min(self.slots) };
        (slots >= FEWEST_SLOTS.min(self.slots)).then_some(Layout { slots, ..self })
    }
}

/// Why there is no segment.
#[derive(Debug)]
pub enum SegmentError {
    /// The system would not give the memory.
    Refused {
        /// How many bytes were asked for.
        length: usize,
        /// What the system said.
        source: io::Error,
    },
    /// This process cannot have the memory.
    NoMemory {
        /// How many bytes were asked for.
        length: usize,
        /// What the system said.
        source: io::Error,
    },
    /// What a worker was handed is not a segment of this very program.
    NotOurs(&'static str),
}

/// The mapping and what lies where in it.
pub struct Segment {
    map: MmapRaw,
    layout: Layout,
    /// What a worker process has to inherit; none in private memory.
    descriptor: Option<OwnedFd>,
    /// How far the pages are there for real.
    allocated: AtomicUsize,
    /// Why it has fewer slots than were asked for, if it has.
    bound: Option<Bound>,
}

impl Segment {
    /// A new segment of `slots` slots of these sizes, or fewer if there is no room for so many, for processes to share,
    /// without a name. Its slots are there for real once [`Segment::allocate`] has said so.
    ///
    /// # Errors
    /// When the system has not enough memory to share.
    pub fn shared(slots: usize, sizes: Sizes) -> Result<Self, SegmentError> {
        let wanted = Layout { slots, sizes };
        let least = Layout { slots: FEWEST_SLOTS.min(slots), ..wanted };
        let refused = |source: io::Error| SegmentError::Refused { length: least.length(), source };
        let descriptor = memory::unnamed().map_err(refused)?;
        let is_limited = memory::most_of_a_file().is_some_and(|most| most < least.length() as u64);
        let too_few = if is_limited { Errno::FBIG } else { Errno::NOSPC };
        let (room, mut bound) = memory::room(&descriptor);
        let mut layout = wanted.within(room).ok_or_else(|| refused(too_few.into()))?;
        let reserved = loop {
            let reserved = if layout.length() <= RESERVED { layout.length() } else { layout.regions() };
            let made = memory::lengthen(&descriptor, layout.length());
            match made.and_then(|()| memory::allocate(&descriptor, 0..reserved)) {
                Ok(()) => break reserved,
                // Somebody else was quicker, or has less than the file system says.
                Err(error) if is_full(&error) && layout.slots > least.slots => {
                    layout.slots = (layout.slots / 2).max(least.slots);
                    bound = Bound::Free;
                }
                Err(error) => return Err(refused(error)),
            }
        };
        let map = MmapOptions::new().len(layout.length()).map_raw(&descriptor).map_err(refused)?;
        let bound = (layout.slots < slots).then_some(bound);
        Ok(Segment { allocated: AtomicUsize::new(reserved), bound, ..Self::laid_out(map, layout, Some(descriptor)) })
    }

    /// The same in this process's own memory, for threads.
    ///
    /// # Errors
    /// When the system has not that much memory.
    pub fn private(slots: usize, sizes: Sizes) -> Result<Self, SegmentError> {
        let layout = Layout { slots, sizes };
        let map = MmapOptions::new().len(layout.length()).map_anon();
        let map = map.map_err(|source| SegmentError::NoMemory { length: layout.length(), source })?;
        Ok(Self::laid_out(map.into(), layout, None))
    }

    fn laid_out(map: MmapRaw, layout: Layout, descriptor: Option<OwnedFd>) -> Self {
        let base = map.as_mut_ptr();
        // SAFETY: the mapping is page-aligned, `length` bytes long, there for real, and nobody else has it yet; the offsets
        // are those of `Layout`, multiples of the types' alignment (checked in the tests).
        unsafe {
            let header = Header {
                magic: MAGIC,
                version: VERSION,
                slots: layout.slots as u32,
                head: layout.sizes.head as u64,
                block: layout.sizes.block as u64,
                room: layout.sizes.room as u64,
                length: layout.length() as u64,
            };
            base.cast::<Header>().write(header);
            base.add(Layout::CONTROL).cast::<Control>().write(Control::new());
            for slot in 0..layout.slots {
                base.add(Layout::SLOTS).cast::<Slot>().add(slot).write(Slot::new(slot as u64));
            }
        }
        Segment { map, layout, descriptor, allocated: AtomicUsize::new(layout.regions()), bound: None }
    }

    /// The segment behind a descriptor that a worker inherited.
    ///
    /// # Errors
    /// When it is not one, or another version's, or not as long as its header says.
    pub fn attach(descriptor: OwnedFd) -> Result<Self, SegmentError> {
        let not_ours = |what| move |_| SegmentError::NotOurs(what);
        let stat = rustix::fs::fstat(&descriptor).map_err(not_ours("no descriptor"))?;
        let length = usize::try_from(stat.st_size).unwrap_or(0);
        if length < Layout::SLOTS {
            return Err(SegmentError::NotOurs("too short"));
        }
        let map =
            MmapOptions::new().len(length).map_raw(&descriptor).map_err(|_| SegmentError::NotOurs("no memory"))?;
        // SAFETY: the mapping is page-aligned and longer than a header, which is plain integers, written before any
        // worker was started and not written since.
        let header = unsafe { map.as_ptr().cast::<Header>().read() };
        let sizes = Sizes { head: header.head as usize, block: header.block as usize, room: header.room as usize };
        let layout = Layout { slots: header.slots as usize, sizes };
        if header.magic != MAGIC {
            return Err(SegmentError::NotOurs("no magic"));
        }
        if header.version != VERSION {
            return Err(SegmentError::NotOurs("another version's"));
        }
        let plausible = layout.slots > 0
            && layout.slots <= 1 << 20
            && [sizes.head, sizes.block, sizes.room].iter().all(|&size| size <= 1 << 32);
        if !plausible || header.length != length as u64 || layout.length() != length {
            return Err(SegmentError::NotOurs("its sizes do not agree"));
        }
        Ok(Segment { map, layout, descriptor: Some(descriptor), allocated: AtomicUsize::new(length), bound: None })
    }

    /// Has the pages of a slot there for real before they are touched. Slots are first filled in their order.
    ///
    /// # Errors
    /// When the system has not that much memory to share.
    pub(super) fn allocate(&self, slot: usize) -> Result<(), SegmentError> {
        let Some(descriptor) = &self.descriptor else { return Ok(()) };
        let end = self.layout.input(slot) + self.layout.stride();
        let allocated = self.allocated.fetch_max(end, Ordering::Relaxed);
        if end > allocated {
            let refused = |source| SegmentError::Refused { length: self.layout.length(), source };
            memory::allocate(descriptor, allocated..end).map_err(refused)?;
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
        self.descriptor.is_some()
    }

    /// What a worker process has to inherit.
    ///
    /// # Errors
    /// When this is private memory.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.descriptor.as_ref().ok_or(io::ErrorKind::Unsupported)?.try_clone()
    }

    /// Set when a block was published or put back: workers wait for it.
    pub fn filled(&self) -> FutexEvent<'_> {
        FutexEvent(&self.ring().control().filled.0)
    }

    /// Set when a block is done: the writer waits for it.
    pub fn done(&self) -> FutexEvent<'_> {
        FutexEvent(&self.ring().control().done.0)
    }

    /// Set when a slot is free: the reader waits for it.
    pub fn freed(&self) -> FutexEvent<'_> {
        FutexEvent(&self.ring().control().freed.0)
    }

    /// How many bytes of address space it takes.
    pub fn length(&self) -> usize {
        self.layout.length()
    }

    /// The sizes of a slot's regions.
    pub fn sizes(&self) -> Sizes {
        self.layout.sizes
    }

    /// The slot that this block lives in.
    pub(super) fn slot_of(&self, block: u64) -> usize {
        (block % self.layout.slots as u64) as usize
    }

    /// The slots that lie here.
    pub(super) fn ring(&self) -> Ring<'_> {
        let base = self.map.as_ptr();
        // SAFETY: `laid_out` or `attach` made sure that the mapping is as long as the layout says and holds a `Control`
        // and `slots` slots at these aligned offsets. Both are nothing but atomics: shared references to them are
        // valid whatever another process does, and every bit pattern is a value.
        unsafe {
            let control = &*base.add(Layout::CONTROL).cast::<Control>();
            let slots = std::slice::from_raw_parts(base.add(Layout::SLOTS).cast::<Slot>(), self.layout.slots);
            Ring::new(control, slots)
        }
    }

    /// All of a slot's input region, the head and after it the block.
    ///
    /// # Safety
    /// Nobody else uses these bytes as long as the slice lives.
    #[allow(clippy::mut_from_ref)] // the handles, not the segment, are what is borrowed for writing
    pub(super) unsafe fn input_mut(&self, slot: usize) -> &mut [u8] {
        // SAFETY: in the mapping by `Layout::input`; the rest is the caller's promise.
        unsafe { self.bytes_mut(self.layout.input(slot), self.layout.input_size()) }
    }

    /// What stands before the block in a slot's input region.
    ///
    /// # Safety
    /// Nobody writes these bytes as long as the slice lives.
    pub(super) unsafe fn head(&self, slot: usize) -> &[u8] {
        // SAFETY: in the mapping by `Layout::input`; the rest is the caller's promise.
        unsafe { self.bytes(self.layout.input(slot), 0..self.layout.sizes.head) }
    }

    /// This range of a slot's input region, cut to what there is.
    ///
    /// # Safety
    /// Nobody writes these bytes as long as the slice lives.
    pub(super) unsafe fn input(&self, slot: usize, range: Range<usize>) -> &[u8] {
        // SAFETY: in the mapping by `Layout::input` and `within`; the rest is the caller's promise.
        unsafe { self.bytes(self.layout.input(slot), self.within(range)) }
    }

    /// All of a slot's result region.
    ///
    /// # Safety
    /// Nobody else uses these bytes as long as the slice lives.
    #[allow(clippy::mut_from_ref)] // as above
    pub(super) unsafe fn results_mut(&self, slot: usize) -> &mut [u8] {
        // SAFETY: in the mapping by `Layout::results`; the rest is the caller's promise.
        unsafe { self.bytes_mut(self.layout.results(slot), self.layout.sizes.room) }
    }

    /// So many bytes at the start of a slot's result region.
    ///
    /// # Safety
    /// Nobody writes these bytes as long as the slice lives.
    ///
    /// # Panics
    /// When the region has fewer.
    pub(super) unsafe fn results(&self, slot: usize, length: usize) -> &[u8] {
        assert!(length <= self.layout.sizes.room);
        // SAFETY: in the mapping, as was seen just now; the rest is the caller's promise.
        unsafe { self.bytes(self.layout.results(slot), 0..length) }
    }

    fn within(&self, range: Range<usize>) -> Range<usize> {
        let end = range.end.min(self.layout.input_size());
        range.start.min(end)..end
    }

    /// # Safety
    /// `offset + range.end` is within the mapping, and nobody writes these bytes as long as the slice lives.
    unsafe fn bytes(&self, offset: usize, range: Range<usize>) -> &[u8] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(offset + range.start), range.len()) }
    }

    /// # Safety
    /// `offset + length` is within the mapping, and nobody else uses these bytes as long as the slice lives.
    #[allow(clippy::mut_from_ref)] // the tokens, not the segment, are what is borrowed for writing
    unsafe fn bytes_mut(&self, offset: usize, length: usize) -> &mut [u8] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr().add(offset), length) }
    }
}

/// Whether there would be room for less.
fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull
            | io::ErrorKind::OutOfMemory
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge
    )
}

#[cfg(test)]
mod tests;
