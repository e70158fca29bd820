//! Recognizes a library for another processor, because the loader of glibc says only that there is no such file.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;

/// The numbers that ELF has for processors (`e_machine`), with their names in Rust.
const MACHINES: [(u16, &str); 8] = [
    (3, "x86"),
    (21, "powerpc64"),
    (22, "s390x"),
    (40, "arm"),
    (62, "x86_64"),
    (183, "aarch64"),
    (243, "riscv64"),
    (258, "loongarch64"),
];

/// Returns the message about the library in this file if it is for another processor than this program.
pub fn other(file: &OsStr) -> Option<String> {
    let mut header = [0; 20];
    File::open(file).and_then(|mut file| file.read_exact(&mut header)).ok()?;
    let is_little = header[5] == 1;
    let number = [header[18], header[19]];
    let number = if is_little { u16::from_le_bytes(number) } else { u16::from_be_bytes(number) };
    let named = |wanted: u16| MACHINES.iter().find(|(number, _)| *number == wanted).map(|(_, name)| *name);
    let is_elf = header.starts_with(b"\x7fELF");
    let name = named(number).map_or(format!("processor number {number}"), str::to_string);
    let here = std::env::consts::ARCH;
    // If this program's own processor is not in the list, nothing can be said.
    let (ours, _) = MACHINES.iter().find(|(_, name)| *name == here)?;
    (is_elf && number != *ours).then(|| format!("it is a library for {name}, and this program is for {here}"))
}
