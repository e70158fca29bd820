//! Prints rows of two random integers. The same seed gives the same rows on any machine.
//!
//! `cargo run --release --example generate -- --rows 10000000 --kind small > small.csv`

use clap::{Parser, ValueEnum};
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

/// Print rows of two random integers
#[derive(Parser)]
struct Arguments {
    /// How many rows
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// How large the integers are
    #[arg(long, value_enum, default_value = "small")]
    kind: Kind,
    /// Put the integers between columns of text, some of it quoted, under a header
    #[arg(long)]
    amid_text: bool,
    /// The seed of the random numbers: another seed gives other rows
    #[arg(long, default_value_t = 41)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// Both below 4 000 000, as in Item 41
    Small,
    /// Uniform below 2^63
    Wide,
    /// Uniform below 2^64
    Full,
    /// Of 1 to 64 bits, each number of bits equally likely
    Mixed,
}

impl Kind {
    fn integer(self, random: &mut SplitMix64) -> u64 {
        match self {
            Kind::Small => random.below(4_000_000),
            Kind::Wide => random.next() >> 1,
            Kind::Full => random.next(),
            Kind::Mixed => {
                let bits = 1 + random.below(64);
                random.next() >> (64 - bits)
            }
        }
    }
}

/// S. Vigna's splitmix64 (<https://prng.di.unimi.it/splitmix64.c>).
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below the bound, by multiplication in place of a remainder (D. Lemire, 2019). Some numbers are likelier than
    /// others by 2^-42, which does not matter here.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut random = SplitMix64(arguments.seed);
    let mut output = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut digits = itoa::Buffer::new();
    let (before, after) = if arguments.amid_text {
        ("\"Smith, J. & sons\",\"12 \"\"High\"\" Street\",2026-11-24,", ",\"checked, signed\",north,\"no remarks\"")
    } else {
        ("", "")
    };
    if arguments.amid_text {
        let _ = output.write_all(b"name,address,date,a,b,state,region,remarks\n");
    }
    let mut row = || -> io::Result<()> {
        output.write_all(before.as_bytes())?;
        output.write_all(digits.format(arguments.kind.integer(&mut random)).as_bytes())?;
        output.write_all(b",")?;
        output.write_all(digits.format(arguments.kind.integer(&mut random)).as_bytes())?;
        output.write_all(after.as_bytes())?;
        output.write_all(b"\n")
    };
    match (0..arguments.rows).try_for_each(|_| row()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("generate: {error}");
            ExitCode::from(2)
        }
        _ => ExitCode::SUCCESS,
    }
}
