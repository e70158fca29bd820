//! A kernel that misbehaves on some rows, to show what isolation by processes is good for. It adds the two integers of a
//! row, unless the first is 13.
//!
//! `printf '1,2\n13,11\n3,4\n' | cargo run --example faulty -- --bad-rows skip`
//!
//! | row | what the kernel does |
//! |---|---|
//! | `13,0` | panics |
//! | `13,n`, for n up to 64 | dies of signal n |
//! | `13,101` | reads from a null pointer |
//! | `13,102` | aborts |
//! | `13,103` | overflows its stack |
//! | `13,104` | allocates memory without end |
//! | `13,105` | loops for ever |
//! | `13,106` | tries to open a file, and panics if it can |
//! | `13,107` | takes 5 milliseconds |
//! | `13,108` | ends the process with status 0 |
//! | `13,109` | creates the file that the variable `FAULTY_ONCE` names, and panics; if the file exists already, does nothing |
#![allow(unsafe_code)] // reading from a null pointer takes `unsafe`

use pmapgcd::Kernel;
use signal_hook::low_level;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

struct Faulty;

impl Kernel for Faulty {
    type Row = (u64, u64);
    type Output = u64;

    fn map(&self, &(a, b): &(u64, u64)) -> u64 {
        if a == 13 {
            crash(b);
        }
        a.wrapping_add(b)
    }

    fn is_self_contained(&self) -> bool {
        true
    }
}

fn crash(how: u64) {
    match how {
        0 => panic!("a kernel that panics"),
        101 => {
            let null = black_box(std::ptr::null::<u8>());
            // SAFETY: this is not sound. The example crashes on purpose, and the parent must survive it.
            black_box(unsafe { null.read_volatile() });
        }
        102 => std::process::abort(),
        103 => overflow(0),
        104 => {
            let mut hoard = vec![];
            loop {
                hoard.push(black_box(vec![1u8; 1 << 20]));
            }
        }
        105 => loop {
            std::hint::spin_loop();
        },
        106 => assert!(std::fs::File::open("/etc/hostname").is_err(), "a file could be opened"),
        107 => std::thread::sleep(Duration::from_millis(5)),
        108 => std::process::exit(0),
        109 => {
            let mark = std::env::var_os("FAULTY_ONCE").unwrap_or_default();
            assert!(std::fs::File::create_new(mark).is_err(), "it happens only once");
        }
        signal => {
            // Rust has handlers for some signals: this does what the signal does by default.
            let signal = signal as i32;
            let _ = low_level::emulate_default_handler(signal).or_else(|_| low_level::raise(signal));
        }
    }
}

#[allow(unconditional_recursion)]
fn overflow(depth: u64) {
    black_box([depth; 1000]);
    overflow(black_box(depth + 1));
    black_box(depth);
}

pmapgcd::note_closed_streams!();

fn main() -> ExitCode {
    pmapgcd::filter("Print the sum of each row `a,b`, or crash where a is 13", &Faulty)
}
