//! What is printed about the program in place of results: help, version, manual page and completions. All are made from
//! one definition of the command line.

#[cfg(feature = "color")]
use super::options::When;
use super::options::{FILES, MORE};
#[cfg(feature = "pages")]
use super::{completions, manual};
use crate::csv::columns::Columns;
use crate::kernel::batch::BatchKernel;
use crate::output::Output;
#[cfg(feature = "color")]
use clap::ValueEnum;
use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::OsStr;

/// Parses the command line. If it is wrong, the process prints an error and exits; if it asks for help, the version,
/// the manual page or completions, the process prints what was asked for and exits.
pub fn matches(command: Command) -> ArgMatches {
    #[cfg(feature = "pages")]
    if let Some(answer) = completions::answer(&with_help(command.clone(), false)) {
        print(answer.as_bytes());
    }
    let arguments = std::env::args_os().take_while(|argument| argument != "--");
    let arguments: Vec<_> = arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
    #[cfg(feature = "color")]
    color(&arguments).write_global();
    let is_short = arguments.iter().any(|argument| argument == "-h");
    let usage = format!("{} [OPTIONS] [FILE]...", command.get_name());
    // FILE is not listed in the help, because the first line of the help says what FILE is.
    let helped = with_help(command.clone(), is_short).override_usage(usage).mut_arg(FILES, |files| files.hide(true));
    let matches = helped.try_get_matches().unwrap_or_else(|error| match error.use_stderr() {
        true => error.exit(),
        #[cfg(feature = "color")]
        false if anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never => {
            print(error.render().ansi().to_string().as_bytes())
        }
        false => print(error.render().to_string().as_bytes()),
    });
    #[cfg(feature = "pages")]
    if matches.get_flag("man") {
        print(&manual::page(with_help(command, false)).unwrap_or_default());
    } else if let Some(&shell) = matches.get_one::<clap_complete::Shell>("completions") {
        print(&completions::script(shell, with_help(command, false)));
    }
    matches
}

/// Returns `command` with what the help, the manual page and the completions say about the kernel: its version, and the
/// columns that it takes.
pub fn of_kernel(command: Command, kernel: &impl BatchKernel) -> Command {
    let version = kernel
        .own_version()
        .map_or_else(|| format!("(made with pmapgcd {})", env!("CARGO_PKG_VERSION")), str::to_string);
    let names: Vec<String> = kernel.column_names().into_iter().map(|names| names[0].clone()).collect();
    let (what, otherwise) = match (kernel.takes(), &names[..]) {
        (Some(count), []) => {
            let plural = if count == 1 { "" } else { "s" };
            (format!("{count} column{plural} to read"), format!("a row has {count} field{plural}"))
        }
        (_, names @ [_, ..]) => {
            let (list, count) = (names.join(","), names.len());
            (
                format!("Columns for {list}"),
                format!(
                    "the columns of these names are read where there is a header, and otherwise a row has {count} fields"
                ),
            )
        }
        (None, []) => return command.version(version),
    };
    let help = format!("{what}, by header name or number from 1");
    let long = format!(
        "{help}\n\nNames are those in the first row, as with --header. A name of digits, or with a comma in it, stands in quotes: \
         -k '\"2020\",\"x,y\"'. Given more than once, the lists are joined: -k A -k B is -k A,B. Without this option {otherwise}."
    );
    let columns = |arg: Arg| arg.help(help).long_help(long).value_parser(Names(names)).hide_possible_values(true);
    command.version(version).mut_arg("column_lists", columns)
}

/// A parser of lists of columns. It holds the names of the columns that the kernel takes: completions offer them as
/// values.
#[derive(Clone)]
struct Names(Vec<String>);

impl TypedValueParser for Names {
    type Value = Columns;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Columns, clap::Error> {
        Columns::parse.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        (!self.0.is_empty()).then(|| Box::new(self.0.iter().map(PossibleValue::new)) as _)
    }
}

/// Returns the value of `--color`. It is read from the bare arguments, before clap parses them, because the errors that
/// clap finds are coloured, too.
#[cfg(feature = "color")]
fn color(arguments: &[String]) -> anstream::ColorChoice {
    use anstream::ColorChoice;
    let said = arguments
        .windows(2)
        .filter_map(|pair| pair[1].strip_prefix("--color=").or((pair[0] == "--color").then_some(&*pair[1])));
    match said.filter_map(|said| When::from_str(said, false).ok()).next_back() {
        None | Some(When::Auto) => ColorChoice::Auto,
        Some(When::Always) => ColorChoice::AlwaysAnsi,
        Some(When::Never) => ColorChoice::Never,
    }
}

/// Returns `command` with options for help and version. `-h` shows the options that most people want, and `--help`
/// shows all. Both have the layout of clap's short help, with one line for each option, because the layout of its long
/// help takes three.
fn with_help(command: Command, is_short: bool) -> Command {
    let help = |name: &'static str, action, text: &'static str| {
        Arg::new(name).long(name).action(action).help(text).help_heading(MORE)
    };
    let about = "Print help: -h what is used most, --help all";
    let has_version = command.get_version().is_some();
    let shown = |arg: Arg| {
        let is_hidden = arg.is_hide_set() || (is_short && arg.is_hide_short_help_set());
        arg.hide_short_help(false).hide(is_hidden)
    };
    let command = command.disable_help_flag(true).disable_version_flag(true).mut_args(shown);
    command
        .arg(help("help", ArgAction::HelpShort, about).short('h'))
        .args(has_version.then(|| help("version", ArgAction::Version, "Print the version").short('V')))
}

/// Prints `text` to stdout and exits.
fn print(text: &[u8]) -> ! {
    let printed = Output::stdout().and_then(|stdout| stdout.write_all(text).and_then(|()| stdout.complete()));
    std::process::exit(i32::from(super::status(printed)))
}
