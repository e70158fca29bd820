//! The stock kernel as a native one: the same code behind the ABI of `include/pmap_kernel.h`. `benches/kernels` compares both.
//!
//!     cargo build --release --example stock
//!     pmapgcd --kernel target/release/examples/libstock.so pairs.csv
#![allow(unsafe_code)]

use pmapgcd::{Algorithm, Gcd64, Kernel};
use std::cell::RefCell;
use std::ffi::{c_char, c_void};
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// `pmap_column` of the header.
#[repr(C)]
struct Column {
    values: *const c_void,
    offsets: *const i32,
    validity: *const u8,
}

/// `pmap_batch`.
#[repr(C)]
struct Batch {
    size: u32,
    stride: u32,
    rows: u64,
    count: u64,
    columns: *const Column,
}

/// `pmap_result`.
#[repr(C)]
struct ResultColumn {
    values: *mut c_void,
    offsets: *mut i32,
    validity: *mut u8,
    room: u64,
}

/// `pmap_results`, as far as it is used here.
#[repr(C)]
struct Results {
    size: u32,
    stride: u32,
    count: u64,
    columns: *const ResultColumn,
}

/// `pmap_kernel`.
#[repr(C)]
pub struct NativeKernel {
    size: u32,
    flags: u32,
    name: *const c_char,
    version: *const c_char,
    types: *const c_char,
    names: *const c_char,
    open: *const c_void,
    map: unsafe extern "C" fn(*mut c_void, *const Batch, *mut Results) -> u64,
    close: *const c_void,
}

// SAFETY: what it points to is constant.
unsafe impl Sync for NativeKernel {}

static KERNEL: NativeKernel = NativeKernel {
    size: size_of::<NativeKernel>() as u32,
    flags: 1, // PMAP_SELF_CONTAINED
    name: c"gcd".as_ptr(),
    version: c"1.0".as_ptr(),
    types: c"u64,u64:u64".as_ptr(),
    names: std::ptr::null(),
    open: std::ptr::null(),
    map,
    close: std::ptr::null(),
};

thread_local! {
    static SPACE: RefCell<(Vec<[u64; 2]>, Vec<u64>)> = const { RefCell::new((vec![], vec![])) };
}

unsafe extern "C" fn map(_: *mut c_void, batch: *const Batch, results: *mut Results) -> u64 {
    // SAFETY: pmapgcd gives what the header says: two columns of u64 and room for one, each for as many rows.
    let (a, b, out) = unsafe {
        let (batch, results) = (&*batch, &*results);
        let rows = batch.rows as usize;
        let column = |at: usize| (*batch.columns.byte_add(at * batch.stride as usize)).values.cast::<u64>();
        let out = (*results.columns).values.cast::<u64>();
        (from_raw_parts(column(0), rows), from_raw_parts(column(1), rows), from_raw_parts_mut(out, rows))
    };
    SPACE.with_borrow_mut(|(pairs, divisors)| {
        pairs.clear();
        divisors.clear();
        pairs.extend(a.iter().zip(b).map(|(&a, &b)| [a, b]));
        Gcd64::new(Algorithm::Auto).map_rows(pairs, divisors);
        out.copy_from_slice(divisors);
    });
    a.len() as u64
}

/// The function that the library exports.
#[unsafe(no_mangle)]
pub extern "C" fn pmap_kernel_v1(index: u32) -> Option<&'static NativeKernel> {
    (index == 0).then_some(&KERNEL)
}
