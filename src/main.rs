//! The `pmapgcd` command.

/// Print the greatest common divisor of the two integers in each row, in input order
#[cfg(not(loom))]
#[derive(clap::Parser)]
#[command(name = "pmapgcd", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Arguments {
    #[command(flatten)]
    options: pmapgcd::Options,

    /// How the divisor is found, of integers below 2^64
    #[arg(long, value_name = "HOW", value_enum, default_value = "auto")]
    algorithm: pmapgcd::Algorithm,

    /// Most digits that an integer may have
    #[arg(long, value_name = "N", default_value_t = pmapgcd::Gcd::MAX_DIGITS)]
    max_digits: usize,
}

#[cfg(not(loom))]
const AFTER_HELP: &str = "\
Examples:
  cat pairs.csv | pmapgcd -j 4
  pmapgcd -o gcds.txt january.csv february.csv
  pmapgcd -k width,height --append screens.csv

Exit status: 0 done, 1 bad rows, 2 usage or I/O, 3 workers kept dying.";

#[cfg(not(loom))]
fn main() -> std::process::ExitCode {
    // Usage errors exit with 2 in here, --help and --version with 0.
    let arguments: Arguments = clap::Parser::parse();
    arguments.options.run(&pmapgcd::Gcd::new(arguments.algorithm).max_digits(arguments.max_digits))
}

#[cfg(loom)]
fn main() {}
