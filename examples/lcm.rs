//! A filter in two lines: the least common multiple of the two numbers of each row. One that needs more than 64 bits is a bad row, and not a
//! wrong result.
//!
//! `printf '4,6\n9223372036854775808,3\n' | cargo run --release -q --example lcm`

use pmapgcd::Function;

/// The least common multiple, or why there is none.
fn lcm((a, b): (u64, u64)) -> Result<u64, &'static str> {
    if a == 0 || b == 0 {
        return Ok(0);
    }
    (a / gcd(a, b)).checked_mul(b).ok_or("the least common multiple needs more than 64 bits")
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

pmapgcd::note_closed_streams!();

fn main() -> std::process::ExitCode {
    let kernel = Function(lcm).names(["lcm"]).version(env!("CARGO_PKG_VERSION")).self_contained();
    pmapgcd::filter("Print the least common multiple of the two numbers in each row", &kernel)
}
