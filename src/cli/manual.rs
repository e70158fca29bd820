//! The manual page, in roff, the language of man pages. It has the options, and sections that are made from plain text.
//! The text that all filters share is in `manual.txt`. A program adds its own text as clap's `after_long_help`, which
//! this crate's `--help` does not print.
//!
//! In these texts a line of capitals begins a section, and an empty line ends a paragraph. Lines that begin with two
//! blanks are printed as they are, and `- TERM: TEXT` is an entry of a list.

use super::options::FILES;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::io;

/// The sections of every filter.
const COMMON: &str = include_str!("manual.txt");

/// The sections behind the options, in their order on the page.
const BEHIND: [&str; 5] = ["EXIT STATUS", "ENVIRONMENT", "EXAMPLES", "BUGS", "SEE ALSO"];

/// Returns the manual page of `command`.
///
/// # Errors
/// If writing fails, which does not happen here: the page is written to memory.
pub fn page(command: Command) -> io::Result<Vec<u8>> {
    let mut command = command.mut_args(|arg| {
        // The description of the program says what FILE is.
        let is_file = arg.get_id() == FILES;
        arg.hide_possible_values(false).hide(is_file)
    });
    command.build();
    let own = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let name = command.get_name().to_string();
    let man = Man::new(command);
    let mut page = vec![];
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let mut text = Roff::new();
    text.control("SH", ["SYNOPSIS"]).text([bold(name), roman(" [OPTIONS] [FILE]...")]);
    text.control("SH", ["DESCRIPTION"]).text([roman(about + ".")]);
    for text_of in [&own, COMMON] {
        add(&mut text, section(text_of, "DESCRIPTION"), true);
    }
    text.to_writer(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut text = Roff::new();
    for title in BEHIND {
        let parts = [section(COMMON, title), section(&own, title)];
        if parts.iter().all(Option::is_none) {
            continue;
        }
        text.control("SH", [title]);
        for (at, part) in parts.into_iter().filter(Option::is_some).enumerate() {
            add(&mut text, part, at > 0);
        }
    }
    text.to_writer(&mut page)?;
    Ok(page)
}

/// Returns the lines of the section `title` of `text`.
fn section<'t>(text: &'t str, title: &str) -> Option<Vec<&'t str>> {
    let is_title = |line: &&str| {
        line.starts_with(|c: char| c.is_ascii_uppercase()) && !line.contains(|c: char| c.is_ascii_lowercase())
    };
    let mut lines = text.lines().skip_while(|line| *line != title).skip(1).peekable();
    lines.peek()?;
    Some(lines.take_while(|line| !is_title(line)).collect())
}

/// Adds these lines. `is_apart` says whether another paragraph comes before them.
fn add(roff: &mut Roff, lines: Option<Vec<&str>>, mut is_apart: bool) {
    let mut is_listing = false;
    for line in lines.unwrap_or_default() {
        if !line.starts_with("  ") && is_listing {
            roff.control("fi", []).control("RE", []);
            is_listing = false;
        }
        match line.strip_prefix("- ").and_then(|entry| entry.split_once(": ")) {
            Some((term, text)) => {
                roff.control("TP", []).text([bold(term)]).text([roman(text)]);
                continue;
            }
            None if line.is_empty() => {
                is_apart = true;
                continue;
            }
            None => {}
        }
        if std::mem::take(&mut is_apart) {
            roff.control("PP", []);
        }
        if line.starts_with("  ") && !is_listing {
            roff.control("RS", ["4"]).control("nf", []);
            is_listing = true;
        }
        roff.text([roman(line.trim_start())]);
    }
    if is_listing {
        roff.control("fi", []).control("RE", []);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_found_by_their_titles() {
        let text = "ONE\na\n\n  b\nEXIT STATUS\n- 0: c\n";
        assert_eq!(section(text, "ONE"), Some(vec!["a", "", "  b"]));
        assert_eq!(section(text, "EXIT STATUS"), Some(vec!["- 0: c"]));
        assert_eq!(section(text, "TWO"), None);
    }
}
