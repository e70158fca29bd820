//! A kernel that crashes on some rows, to see what the isolation of processes is worth: the sum of two integers,
//! unless the first is 13.
//!
//! `printf '1,2\n13,11\n3,4\n' | cargo run --example faulty`

use pmapgcd::Kernel;
use signal_hook::low_level;
use std::process::ExitCode;

struct Faulty;

impl Kernel for Faulty {
    type Row = (u64, u64);
    type Output = u64;

    /// `13,n` dies of signal n; `13,0` panics.
    fn map(&self, &(a, b): &(u64, u64)) -> u64 {
        if a == 13 {
            assert_ne!(b, 0, "a kernel that panics");
            // Past the handlers that Rust has for some signals.
            let _ = low_level::emulate_default_handler(b as i32).or_else(|_| low_level::raise(b as i32));
        }
        a.wrapping_add(b)
    }
}

fn main() -> ExitCode {
    pmapgcd::filter("Print the sum of each row `a,b`, or crash where a is 13", &Faulty)
}
