//! The allocator of the `pmapgcd` command: the system's, but where that has no more memory, the process ends with a message and
//! status 2. Rust would abort, which looks like a crash.
#![allow(unsafe_code)]

use nix::libc;
use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, or the end of this process with status 2 where that has no memory. A worker that ends so counts as
/// one that died of its rows, as it would after an abort.
pub struct OrEnd;

// SAFETY: all calls go to `System` unchanged. Where `System` would return null, these calls do not return.
unsafe impl GlobalAlloc for OrEnd {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the same.
        given(unsafe { System.alloc(layout) })
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the same, and this memory is the system's.
        unsafe { System.dealloc(memory, layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the same.
        given(unsafe { System.alloc_zeroed(layout) })
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        given(unsafe { System.realloc(memory, layout, size) })
    }
}

#[inline]
fn given(memory: *mut u8) -> *mut u8 {
    if memory.is_null() {
        end();
    }
    memory
}

#[cold]
fn end() -> ! {
    const WHAT: &[u8] =
        b"pmapgcd: there is no memory left for this process; allow it more, or use a smaller --block-size or fewer --jobs\n";
    // SAFETY: `WHAT` is valid for its own length, and a process may always end itself. By `_exit`, since what runs at a normal
    // exit might need memory.
    unsafe {
        libc::write(2, WHAT.as_ptr().cast(), WHAT.len());
        libc::_exit(2)
    }
}
