//! The allocator of the `pmapgcd` command. It is the system's, but if there is no more memory, the process prints a
//! message and exits with status 2. Rust would abort, which looks like a crash.
#![allow(unsafe_code)]

use nix::libc;
use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator. If it has no memory to give, the process exits with status 2. A worker process that exits
/// for this reason is treated like one that died of its rows.
pub struct OrEnd;

// SAFETY: all calls go to `System` unchanged, and `System` keeps the promises of `GlobalAlloc`. Where `System` returns
// null, these methods do not return, which an allocator may do.
unsafe impl GlobalAlloc for OrEnd {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: `System`'s method has the same conditions as this one, and the caller has promised to keep them.
        given(unsafe { System.alloc(layout) })
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the conditions, as in `alloc`. `memory` is from `System`, like all that is given
        // out.
        unsafe { System.dealloc(memory, layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: `System`'s method has the same conditions as this one, and the caller has promised to keep them.
        given(unsafe { System.alloc_zeroed(layout) })
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller keeps the conditions, as in `alloc`. `memory` is from `System`, like all that is given
        // out.
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
    // SAFETY: `WHAT` is valid for its own length, and a process may always end itself. `_exit` ends the process without
    // exit handlers, because these might need memory.
    unsafe {
        libc::write(2, WHAT.as_ptr().cast(), WHAT.len());
        libc::_exit(2)
    }
}
