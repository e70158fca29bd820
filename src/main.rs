//! The `pmapgcd` command.

mod allocator;

#[global_allocator]
static ALLOCATOR: allocator::OrEnd = allocator::OrEnd;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use pmapgcd::{Algorithm, Base};

/// Map a function over the rows of CSV FILEs or stdin, in parallel and in order. The default function is the greatest
/// common divisor (GCD)
#[derive(clap::Parser)]
#[command(name = "pmapgcd", version, max_term_width = 80, after_help = AFTER_HELP, after_long_help = MANUAL)]
struct Arguments {
    // The help lists groups of options in this order: what is mapped comes first.
    #[command(flatten)]
    command: pmapgcd::__CommandOptions,

    #[command(flatten)]
    kernel: pmapgcd::__KernelOptions,

    #[command(flatten)]
    python: pmapgcd::__PythonOptions,

    #[command(flatten)]
    options: pmapgcd::Options,

    /// auto, binary, euclid, trial [default: auto]
    ///
    /// How the divisor of numbers below 2^64 is found.
    #[arg(long, help_heading = "Workers", hide_possible_values = true, hide_short_help = true, value_name = "HOW", value_parser = algorithm(), conflicts_with = "command")]
    algorithm: Option<Algorithm>,

    /// Base of integers and results: 2, 8, 10, 16 [default: 10]
    ///
    /// Integers may have the prefix 0b, 0o or 0x. Results have no prefix. The letters in them are lowercase.
    #[arg(long, help_heading = "Rows", hide_possible_values = true, hide_short_help = true, value_name = "N", value_parser = base(), conflicts_with = "command")]
    base: Option<Base>,

    /// Most digits that an integer may have [default: 100000]
    #[arg(long, help_heading = "Rows", hide_short_help = true, value_name = "N", value_parser = max_digits, allow_negative_numbers = true, conflicts_with = "command")]
    max_digits: Option<usize>,
}

/// Returns the parser of `--algorithm`, which takes the name of an [`Algorithm`].
fn algorithm() -> impl TypedValueParser<Value = Algorithm> {
    let help = |algorithm| match algorithm {
        Algorithm::Auto => "The fastest: binary, several pairs at once",
        Algorithm::Binary => "Shifts and subtractions, one pair at a time",
        Algorithm::Euclid => "Remainders",
        Algorithm::Trial => "Trial division, as in Item 41 of Effective Python: milliseconds for pairs in the millions",
    };
    let named = |algorithm: Algorithm| PossibleValue::new(algorithm.name()).help(help(algorithm));
    let named = PossibleValuesParser::new(Algorithm::ALL.map(named));
    named.map(|name| Algorithm::ALL.into_iter().find(|known| known.name() == name).unwrap_or_default())
}

/// Returns the parser of `--base`, which takes the name of a [`Base`]: 2, 8, 10 or 16.
fn base() -> impl TypedValueParser<Value = Base> {
    let help = |base| match base {
        Base::Binary => "Binary, with or without 0b",
        Base::Octal => "Octal, with or without 0o",
        Base::Decimal => "Decimal",
        Base::Hexadecimal => "Hexadecimal, with or without 0x, in letters of either case",
    };
    let named = PossibleValuesParser::new(Base::ALL.map(|base| PossibleValue::new(base.name()).help(help(base))));
    named.map(|given| Base::ALL.into_iter().find(|known| known.name() == given).unwrap_or_default())
}

/// Parses `--max-digits`. The greatest value is 2^30, because a row has to fit into a block, which has at most 1 GiB.
fn max_digits(text: &str) -> Result<usize, String> {
    const MOST: usize = 1 << 30;
    let digits = text.parse().ok().filter(|digits| (1..=MOST).contains(digits));
    digits.ok_or_else(|| format!("a number of digits from 1 to {MOST} is expected"))
}

const AFTER_HELP: &str = "\
Examples:
  cat pairs.csv | pmapgcd -j 4
  pmapgcd -k width,height --append -o gcds.csv screens.csv
  pmapgcd --header -k text --append=score -c 'python3 score.py' reviews.csv

Exit status: 0 done, 1 bad rows, 2 usage or I/O, 3 workers kept failing";

/// The part of the manual page that is about this program only, and not about all filters made with the crate.
const MANUAL: &str =
    concat!(include_str!("manual.txt"), "Please report others at ", env!("CARGO_PKG_REPOSITORY"), "/issues.\n");

pmapgcd::note_closed_streams!();

fn main() -> std::process::ExitCode {
    let arguments: Arguments = pmapgcd::parse();
    if arguments.command.is_given() {
        return arguments.command.run(arguments.options);
    }
    let Arguments { options, kernel, python, algorithm, base, max_digits, .. } = arguments;
    let stock_only = [algorithm.map(|_| "--algorithm"), base.map(|_| "--base"), max_digits.map(|_| "--max-digits")];
    let stock_only: Vec<&str> = stock_only.into_iter().flatten().collect();
    if python.is_given() {
        return python.run(options, kernel.of_functions(), &stock_only);
    }
    if kernel.is_given() {
        return kernel.run(options, &stock_only);
    }
    let gcd = pmapgcd::Gcd::new(algorithm.unwrap_or_default()).base(base.unwrap_or_default());
    options.run(&gcd.max_digits(max_digits.unwrap_or(pmapgcd::Gcd::MAX_DIGITS)))
}
