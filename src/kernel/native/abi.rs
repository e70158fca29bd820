//! The structs of `include/pmap_kernel.h`, as this version of the program knows them. The test below compares them with
//! the header.

use std::ffi::{c_char, c_void};

/// `PMAP_SELF_CONTAINED`: after `open` the kernel asks the system for nothing but memory and the time of the clock.
pub const SELF_CONTAINED: u32 = 1;

/// `pmap_column`.
#[repr(C)]
pub struct Column {
    pub values: *const c_void,
    pub offsets: *const i32,
    pub validity: *const u8,
}

/// `pmap_batch`.
#[repr(C)]
pub struct Batch {
    pub size: u32,
    pub stride: u32,
    pub rows: u64,
    pub count: u64,
    pub columns: *const Column,
}

/// `pmap_result`.
#[repr(C)]
pub struct Result {
    pub values: *mut c_void,
    pub offsets: *mut i32,
    pub validity: *mut u8,
    pub room: u64,
}

/// `pmap_results`.
#[repr(C)]
pub struct Results {
    pub size: u32,
    pub stride: u32,
    pub count: u64,
    pub columns: *const Result,
    pub message: *mut c_char,
    pub message_room: u64,
    pub field: u64,
}

/// `pmap_open`.
#[repr(C)]
pub struct Open {
    pub size: u32,
    pub reserved: u32,
    pub args: *const c_char,
    pub this: *mut c_void,
    pub types: *const c_char,
    pub names: *const c_char,
    pub message: *mut c_char,
    pub message_room: u64,
}

/// `pmap_kernel`. If all bits are 0, the struct is valid: its pointers are null, and its functions are `None`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Kernel {
    pub size: u32,
    pub flags: u32,
    pub name: *const c_char,
    pub version: *const c_char,
    pub types: *const c_char,
    pub names: *const c_char,
    pub open: Option<unsafe extern "C" fn(*mut Open) -> i32>,
    pub map: Option<unsafe extern "C" fn(*mut c_void, *const Batch, *mut Results) -> u64>,
    pub close: Option<unsafe extern "C" fn(*mut c_void)>,
}

/// The least size of a `pmap_kernel`, in bytes: the size that it had in the first version.
pub const LEAST_KERNEL: u32 = 64;

/// The function that a library exports under the name [`SYMBOL`]. It returns the kernel with the given index, from 0,
/// and null behind the last kernel.
pub type Find = unsafe extern "C" fn(u32) -> *const Kernel;

/// The symbol that a library exports for this version of the interface.
pub const SYMBOL: &std::ffi::CStr = c"pmap_kernel_v1";
/// The symbols that libraries export for later versions of the interface. They are looked for only to make a message.
pub const NEWER: [&std::ffi::CStr; 3] = [c"pmap_kernel_v2", c"pmap_kernel_v3", c"pmap_kernel_v4"];

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;
    use std::mem::offset_of;
    use std::process::Command;

    /// Returns the size of a struct and the offsets of its fields twice: as the elements of an array in C, and as
    /// numbers.
    macro_rules! layout {
        ($c:ident: $rust:ident, $($there:ident: $here:ident),*) => {
            (
                [format!("sizeof({})", stringify!($c)), $(format!("offsetof({}, {})", stringify!($c), stringify!($there))),*].join(", "),
                vec![size_of::<$rust>(), $(offset_of!($rust, $here)),*],
            )
        };
    }

    #[test]
    fn the_structs_are_those_of_the_header() {
        let layouts = [
            layout!(pmap_column: Column, values: values, offsets: offsets, validity: validity),
            layout!(pmap_batch: Batch, size: size, stride: stride, rows: rows, count: count, columns: columns),
            layout!(pmap_result: Result, values: values, offsets: offsets, validity: validity, room: room),
            layout!(pmap_results: Results, size: size, stride: stride, count: count, columns: columns, message: message,
                message_room: message_room, field: field),
            layout!(pmap_open: Open, size: size, reserved: reserved, args: args, self: this, types: types, names: names,
                message: message, message_room: message_room),
            layout!(pmap_kernel: Kernel, size: size, flags: flags, name: name, version: version, types: types, names: names,
                open: open, map: map, close: close),
        ];
        let (mut text, mut expected) = ("#include \"pmap_kernel.h\"\n".to_string(), String::new());
        for (number, (here, there)) in layouts.iter().enumerate() {
            writeln!(text, "const size_t layout{number}[] = {{{here}}};").unwrap();
            // An array of a negative size does not compile.
            for (at, value) in there.iter().enumerate() {
                let item = here.split(", ").collect::<Vec<_>>();
                // Each `offsetof(a, b)` was split in two at its comma.
                let item =
                    if at == 0 { item[0].to_string() } else { format!("{}, {}", item[2 * at - 1], item[2 * at]) };
                writeln!(expected, "typedef char is_{number}_{at}[{item} == {value} ? 1 : -1];").unwrap();
            }
        }
        writeln!(expected, "typedef char is_flag[PMAP_SELF_CONTAINED == {SELF_CONTAINED} ? 1 : -1];").unwrap();
        let file = tempfile::Builder::new().suffix(".c").tempfile().unwrap();
        std::fs::write(&file, text + &expected).unwrap();
        let mut compiler = Command::new("cc");
        compiler
            .args(["-std=c99", "-fsyntax-only", "-I"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/include"))
            .arg(file.path());
        assert!(compiler.status().unwrap().success());
        assert_eq!(size_of::<Kernel>(), LEAST_KERNEL as usize);
    }
}
