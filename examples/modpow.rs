//! Integers of any size as fields, and an option of its own: a power of each row modulo a number.
//!
//! `printf '3,100,7\n2,127,170141183460469231731687303715884105727\n' | cargo run --release -q --example modpow`

use pmapgcd::dashu_int::{IBig, UBig, fast_div::ConstDivisor};
use pmapgcd::{BadRow, Function, Integer};

/// Print BASE to the power of EXPONENT modulo MODULUS, for each row BASE,EXPONENT,MODULUS
#[derive(clap::Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    options: pmapgcd::Options,

    /// Print the remainder of least magnitude, which may be negative
    #[arg(long)]
    least: bool,
}

/// The power, or what is wrong with exponent or modulus.
fn power([base, exponent, modulus]: [Integer; 3], least: bool) -> Result<Integer, BadRow> {
    let exponent = UBig::try_from(exponent.0).map_err(|_| BadRow::of_field(1, "is a negative exponent"))?;
    let modulus = UBig::try_from(modulus.0).ok().filter(|modulus| *modulus > UBig::ZERO);
    let modulus = modulus.ok_or_else(|| BadRow::of_field(2, "is no modulus: it must be above 0"))?;
    let power = ConstDivisor::new(modulus.clone()).reduce(base.0).pow(&exponent).residue();
    let is_more = least && &power + &power > modulus;
    Ok(Integer(if is_more { IBig::from(power) - modulus } else { power.into() }))
}

pmapgcd::note_closed_streams!();

fn main() -> std::process::ExitCode {
    let Arguments { options, least } = pmapgcd::parse();
    let kernel = Function(move |row: [Integer; 3]| power(row, least)).names(["power"]);
    options.run(&kernel.columns(["base", "exponent", "modulus"]).self_contained())
}
