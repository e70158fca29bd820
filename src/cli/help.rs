//! Help, the manual page and completions, all from the one definition of the command line.

use super::options::{MORE, When};
use crate::error::Error;
use crate::output::Output;
use crate::process::streams::die_of_broken_pipe;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::io::{self, Write};

/// What the command line says; what ends here is an error, help, the manual page or completions.
pub fn matches(command: Command) -> ArgMatches {
    let arguments: Vec<_> = std::env::args_os().take_while(|argument| argument != "--").collect();
    let color = color(&arguments);
    let (messages, help) = match color {
        When::Auto => (anstream::ColorChoice::Auto, clap::ColorChoice::Auto),
        When::Always => (anstream::ColorChoice::AlwaysAnsi, clap::ColorChoice::Always),
        When::Never => (anstream::ColorChoice::Never, clap::ColorChoice::Never),
    };
    messages.write_global();
    let command = command.color(help);
    let is_short = arguments.iter().any(|argument| argument == "-h");
    let usage = format!("{} [OPTIONS] [FILE]...", command.get_name());
    // The first line of the help says what FILE is.
    let helped = with_help(command.clone(), is_short).override_usage(usage).mut_arg("files", |files| files.hide(true));
    let matches = helped.try_get_matches().unwrap_or_else(|error| {
        let is_asked_for = !error.use_stderr();
        match error.print() {
            printed if is_asked_for => end_with(printed),
            _ => std::process::exit(error.exit_code()),
        }
    });
    let command = with_help(command, false);
    if matches.get_flag("man") {
        end(&manual(command).unwrap_or_default());
    }
    if let Some(&shell) = matches.get_one::<Shell>("completions") {
        // Shells would complete these values after a blank, where they do not belong.
        let plain = |arg: Arg| if arg.is_require_equals_set() { flag(&arg) } else { arg };
        let (mut command, mut script) = (command.mut_args(plain), vec![]);
        let name = command.get_name().to_string();
        clap_complete::generate(shell, &mut command, name, &mut script);
        end(&script);
    }
    matches
}

/// Errors of usage are shown in colours too, so it is looked for before the command line is read.
fn color(arguments: &[std::ffi::OsString]) -> When {
    let mut color = When::Auto;
    for (at, argument) in arguments.iter().enumerate() {
        let said = match argument.to_str() {
            Some("--color") => arguments.get(at + 1).and_then(|next| next.to_str()),
            Some(argument) => argument.strip_prefix("--color="),
            None => None,
        };
        color = said.and_then(|said| When::from_str(said, false).ok()).unwrap_or(color);
    }
    color
}

/// `-h` shows what most people want, `--help` shows all, and both take a line for an option: clap's own long help takes
/// three.
fn with_help(command: Command, is_short: bool) -> Command {
    let help = |name: &'static str, action, text: &'static str| Arg::new(name).action(action).help(text);
    let about = "Print help: -h what is used most, --help all";
    let has_version = command.get_version().is_some();
    let command = command
        .disable_help_flag(true)
        .disable_version_flag(true)
        .mut_args(|arg| {
            let is_hidden = arg.is_hide_set() || (is_short && arg.is_hide_short_help_set());
            arg.hide_short_help(false).hide(is_hidden)
        })
        .arg(help("help", ArgAction::HelpShort, about).short('h').long("help").help_heading(MORE));
    if !has_version {
        return command;
    }
    command.arg(help("version", ArgAction::Version, "Print the version").short('V').long("version").help_heading(MORE))
}

/// The manual page, in the roff that man knows.
fn manual(command: Command) -> io::Result<Vec<u8>> {
    let mut command = command.mut_args(|arg| arg.hide_possible_values(false));
    command.build();
    let name = command.get_name().to_string();
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let man = Man::new(command);
    let mut page = vec![];
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let mut synopsis = Roff::new();
    synopsis.control("SH", ["SYNOPSIS"]).text([bold(name), roman(" [OPTIONS] [FILE]...")]);
    synopsis.to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    // What follows the options in the help: paragraphs, each with what it is about before a colon.
    for paragraph in after.split("\n\n") {
        let Some((title, text)) = paragraph.split_once(':') else { continue };
        let mut roff = Roff::new();
        roff.control("SH", [title.to_uppercase().as_str()]);
        let is_listing = text.starts_with('\n');
        if is_listing {
            roff.control("nf", []);
        }
        text.trim_start_matches(['\n', ' ']).lines().for_each(|line| {
            roff.text([roman(line.trim_start())]);
        });
        if is_listing {
            roff.control("fi", []);
        }
        roff.to_writer(&mut page)?;
    }
    Ok(page)
}

/// The option without its value.
fn flag(arg: &Arg) -> Arg {
    let flag = Arg::new(arg.get_id().clone()).action(ArgAction::SetTrue);
    flag.long(arg.get_long().unwrap_or_default().to_string()).help(arg.get_help().cloned().unwrap_or_default())
}

/// Prints this and ends.
fn end(text: &[u8]) -> ! {
    end_with(io::stdout().write_all(text))
}

/// Ends, now that this has been printed or not.
fn end_with(written: io::Result<()>) -> ! {
    let flushed = written.and_then(|()| io::stdout().flush());
    let closed = match flushed {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => die_of_broken_pipe(),
        Err(error) => Err(Error::io("stdout", error)),
        // The last word of what stdout is.
        Ok(()) => Output::stdout().and_then(Output::complete),
    };
    let status = match closed {
        Ok(()) => 0,
        Err(error) => {
            crate::process::console::say_last(&error);
            2
        }
    };
    std::process::exit(status)
}
