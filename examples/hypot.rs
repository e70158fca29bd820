//! The shortest filter: a closure over two numbers.
//!
//! `printf '3,4\n5,12\n' | cargo run --release -q --example hypot`

pmapgcd::note_closed_streams!();

fn main() -> std::process::ExitCode {
    pmapgcd::filter("Print the hypotenuse of each row", &pmapgcd::Function(|(a, b): (f64, f64)| a.hypot(b)))
}
