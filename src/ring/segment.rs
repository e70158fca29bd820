//! The segment: one memory mapping that holds the ring and, for each slot, an input region and a result region.
//!
//! ```text
//! Header | Control | Slot × N | (head and input region | result region) × N
//! ```
//!
//! The parent creates the file with as many slots as there is room for ([`memory`]), and removes its name at once, so
//! that no file is left behind however the parent dies. Workers inherit the file's descriptor and map the file with
//! `memmap2`.
#![allow(unsafe_code)]

mod layout;
mod memory;

pub use memory::Bound;

use super::event::{FutexEvent, FutexTurns};
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
/// Version of the layout. Raise it whenever `Header`, `Control`, `Slot` or the place of a region changes.
const VERSION: u32 = 11;

/// A segment of up to this many bytes gets all its memory pages when it is made, so that no other program can take that
/// memory in the middle of a run. 64 MiB is what a container has in `/dev/shm` by default. To have the system provide
/// 64 MiB takes 18 ms; for the 2 MiB that two workers need, it takes 0.3 ms.
///
/// A longer segment, because of large blocks or hundreds of workers, gets the pages of a slot only when the slot is
/// first filled. The input might be short, and all pages at once would be expensive: a run over one row would take 55
/// ms instead of 28 ms with `-j2 --block-size 16M` (128 MiB), and 3 s and 8 GiB of memory with `--block-size 1G`. If
/// other programs have used up the memory when a slot is first filled, the run ends with an error.
const RESERVED: usize = 64 << 20;

/// Why a segment could not be made or attached to.
#[derive(Debug)]
pub enum SegmentError {
    /// The system refused to provide memory for processes to share.
    Refused {
        /// How many bytes the segment needs.
        length: usize,
        /// The system's error.
        source: io::Error,
    },
    /// The system refused to provide private memory for this process.
    NoMemory {
        /// How many bytes the segment needs.
        length: usize,
        /// The system's error.
        source: io::Error,
    },
    /// The descriptor that a worker inherited is not that of a segment made by this version of the program. The text
    /// says what is wrong.
    NotOurs(&'static str),
}

/// A mapped segment, and where things lie in it.
pub struct Segment {
    map: MmapRaw,
    layout: Layout,
    /// The file that is mapped, which worker processes inherit. `None` if the memory is private.
    file: Option<File>,
    /// For how many bytes, from the start of the segment, the system has provided memory pages already.
    allocated: AtomicUsize,
    /// What limited the number of slots, if there are fewer than were asked for.
    bound: Option<Bound>,
}

impl Segment {
    /// Makes a segment for processes to share, in a file without a name. It has `slots` slots whose regions have the
    /// given `sizes`, or fewer slots if there is not enough room. Call [`Segment::allocate`] for a slot before touching
    /// its regions.
    ///
    /// # Errors
    /// If the system has not enough memory to share.
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
                // Another program has taken the memory meanwhile, or the file system has less than it says. Try again
                // with half as many slots.
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

    /// Makes a segment in this process's own memory, for workers that are threads.
    ///
    /// # Errors
    /// If the system has not that much memory.
    pub fn private(slots: usize, sizes: Sizes) -> Result<Self, SegmentError> {
        let layout = Layout { slots, sizes };
        let no_memory = |source| SegmentError::NoMemory { length: layout.length(), source };
        let map = MmapOptions::new().len(layout.length()).map_anon().map_err(no_memory)?.into();
        let segment = Segment { map, layout, file: None, allocated: AtomicUsize::new(layout.length()), bound: None };
        segment.lay_out();
        Ok(segment)
    }

    /// Writes the header of a new segment, and makes its slots free for the first blocks. Everything else is 0 already,
    /// since new memory is zeroed.
    fn lay_out(&self) {
        let header = Header { magic: MAGIC, version: VERSION, layout: self.layout };
        // SAFETY: the mapping is page-aligned and longer than a header, and nobody else has it yet.
        unsafe { self.map.as_mut_ptr().cast::<Header>().write(header) };
        self.ring().iter().zip(0..).for_each(|(slot, block)| slot.free(block));
    }

    /// Maps the segment whose file a worker has inherited as `descriptor`.
    ///
    /// # Errors
    /// If there is no such file, if another version of the program made it, or if its length does not agree with its
    /// header.
    pub fn attach(descriptor: OwnedFd) -> Result<Self, SegmentError> {
        let file = File::from(descriptor);
        let length = file.metadata().map_err(|_| SegmentError::NotOurs("no descriptor"))?.len() as usize;
        if length < Layout::SLOTS {
            return Err(SegmentError::NotOurs("too short"));
        }
        let map = MmapOptions::new().len(length).map_raw(&file).map_err(|_| SegmentError::NotOurs("no memory"))?;
        // SAFETY: the mapping is page-aligned, and longer than a header, as was checked above. A header is plain
        // integers. The parent wrote it before it started any worker, and no correct worker writes it.
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

    /// Asks the system for the memory pages of `slot`, if it has not provided them yet. Slots are filled for the first
    /// time in the order of their numbers, so a call asks for the pages of at most one slot.
    ///
    /// # Errors
    /// If the system has not that much memory to share.
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

    /// The number of slots.
    pub fn slots(&self) -> usize {
        self.layout.slots
    }

    /// What limited the number of slots, or `None` if there are as many as were asked for.
    pub fn bound(&self) -> Option<Bound> {
        self.bound
    }

    /// Whether processes can share the segment: they cannot share private memory.
    pub fn is_shared(&self) -> bool {
        self.file.is_some()
    }

    /// Returns a new descriptor of the segment's file, for a worker process to inherit.
    ///
    /// # Errors
    /// If the memory is private, or if the process has no descriptors left.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        Ok(self.file.as_ref().ok_or(io::ErrorKind::Unsupported)?.try_clone()?.into())
    }

    /// Event that is set when a block is published or put back. Workers wait for it.
    pub fn filled(&self) -> FutexEvent<'_> {
        FutexEvent(&self.control().filled.0)
    }

    /// Event that is set when a block is done. The writer waits for it.
    pub fn done(&self) -> FutexEvent<'_> {
        FutexEvent(&self.control().done.0)
    }

    /// Event that is set when a slot becomes free. The reader waits for it.
    pub fn freed(&self) -> FutexEvent<'_> {
        FutexEvent(&self.control().freed.0)
    }

    /// Event that announces the turns of windows. Workers and the reader wait for it.
    pub fn turns(&self) -> FutexTurns<'_> {
        let chain = &self.control().chain.0;
        FutexTurns(&chain.turns, &chain.sleepers)
    }

    /// Length of the segment in bytes of address space.
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
        // SAFETY: the mapping is as long as the layout says, and this offset is a multiple of the type's alignment
        // (checked in the tests). A `Control` is nothing but atomics: a shared reference to them is valid whatever
        // another process does, and every bit pattern is a value.
        unsafe { &*self.map.as_ptr().add(Layout::CONTROL).cast() }
    }

    /// The slots.
    pub(super) fn ring(&self) -> &[Slot] {
        // SAFETY: the mapping is as long as the layout says, and this offset is a multiple of the type's alignment. A
        // `Slot` is nothing but atomics, so a shared reference is valid whatever another process does.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(Layout::SLOTS).cast(), self.layout.slots) }
    }

    /// Returns the bytes at `range` of the segment.
    ///
    /// # Safety
    /// Nobody may write these bytes while the slice lives.
    ///
    /// # Panics
    /// If `range` reaches beyond the segment.
    pub(super) unsafe fn bytes(&self, range: Range<usize>) -> &[u8] {
        assert!(range.start <= range.end && range.end <= self.layout.length());
        // SAFETY: the range lies in the mapping, as was just checked. The rest is the caller's promise.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(range.start), range.len()) }
    }

    /// Returns the bytes at `range` of the segment, for writing.
    ///
    /// # Safety
    /// Nobody else may use these bytes while the slice lives.
    ///
    /// # Panics
    /// If `range` reaches beyond the segment.
    #[allow(clippy::mut_from_ref)] // Callers borrow the handle of one slot mutably, but share the segment.
    pub(super) unsafe fn bytes_mut(&self, range: Range<usize>) -> &mut [u8] {
        assert!(range.start <= range.end && range.end <= self.layout.length());
        // SAFETY: the range lies in the mapping, as was just checked. The rest is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr().add(range.start), range.len()) }
    }
}

/// Whether the error means that there is not enough room for a file of this length, so that a shorter file might fit.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, OutOfMemory, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | OutOfMemory | QuotaExceeded | FileTooLarge)
}

#[cfg(test)]
mod tests;
