//! The allocator: the system's, and where that has no more memory, an error like any other instead of an abort.
#![allow(unsafe_code)]

use nix::libc;
use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, which ends this process with status 2 rather than give nothing. A worker that ends so is taken
/// for one that has died of its rows, as after an abort.
pub struct OrEnd;

// SAFETY: all is as `System` has it, but for what it cannot give: that is not answered at all.
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
    // SAFETY: `WHAT` is that long, and ending a process is always allowed. Nothing that runs at a normal exit is to run here,
    // since it might need memory.
    unsafe {
        libc::write(2, WHAT.as_ptr().cast(), WHAT.len());
        libc::_exit(2)
    }
}
