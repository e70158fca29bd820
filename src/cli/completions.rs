//! Completions for shells. The scripts for bash, zsh and fish do not contain the options. At each Tab they ask this
//! program, which knows the options and reads the names of columns from the header of the file on the line.

use super::near::FUNCTIONS;
use super::options::Options;
use crate::csv::Format;
use crate::csv::columns;
use crate::csv::record::{Line, Record, split};
use clap::builder::ValueHint;
use clap::{Arg, ArgAction, Command, FromArgMatches};
use clap_complete::Shell;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The environment variable by which a script asks for completions. Its value is the shell's name, a colon, and the
/// number of the word to complete, counted from 0. The words are the arguments, without the program's name.
const ASKED: &str = "PMAPGCD_COMPLETE";

/// How many bytes at the front of a file are searched for its header.
const HEADER: u64 = 1 << 16;

/// Returns the script that makes `shell` complete the arguments of `command`.
pub fn script(shell: Shell, mut command: Command) -> Vec<u8> {
    let name = command.get_name().to_string();
    let script = match shell {
        Shell::Bash => include_str!("completions/bash"),
        Shell::Zsh => include_str!("completions/zsh"),
        Shell::Fish => include_str!("completions/fish"),
        _ => {
            // The script for these shells is a list of the options. An option that takes its value only behind `=` is
            // listed without values, because the shells would complete values behind a blank.
            command = command.mut_args(|arg| if arg.is_require_equals_set() { flag(&arg) } else { arg });
            let mut script = vec![];
            clap_complete::generate(shell, &mut command, name, &mut script);
            return script;
        }
    };
    // The name of a shell function may have these characters in all three shells.
    let function: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    script.replace("FUNCTION", &function).replace("PROGRAM", &name).replace("ASKED", ASKED).into_bytes()
}

/// Returns a copy of the option `arg` that takes no value.
fn flag(arg: &Arg) -> Arg {
    let flag = Arg::new(arg.get_id().clone()).action(ArgAction::SetTrue);
    flag.long(arg.get_long().unwrap_or_default().to_string()).help(arg.get_help().cloned().unwrap_or_default())
}

/// Returns the answer to the script that has started this process, or `None` if no script has. The first line of the
/// answer tells the script what else to do. `files`: complete the names of files. `open`: put no blank behind the word.
/// Each further line is a way to complete the word: the completed word, a tab, and a description of it.
pub fn answer(command: &Command) -> Option<String> {
    let asked = std::env::var(ASKED).ok()?;
    let (shell, at) = asked.split_once(':')?;
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    Some(Question { command, shell, words, at: at.parse().unwrap_or(0) }.answer())
}

/// The words on a command line, and which of them is to be completed.
struct Question<'c> {
    command: &'c Command,
    /// The name of the shell. The word to complete is as the user typed it, with quotes and backslashes. In bash and
    /// zsh the other words are as typed, too. For bash, the answer must have backslashes before special characters,
    /// unless the word begins with a quote.
    shell: &'c str,
    words: Vec<String>,
    /// The number of the word to complete.
    at: usize,
}

/// A way to complete a word: the completed word, and a description of it.
type Candidate = (String, String);

impl Question<'_> {
    fn answer(mut self) -> String {
        self.words.resize(self.words.len().max(self.at + 1), String::new());
        let is_escaped = self.shell == "bash" && !self.words[self.at].starts_with(['\'', '"']);
        let typed = if self.shell == "fish" { self.at..self.at + 1 } else { 0..self.words.len() };
        self.words[typed].iter_mut().for_each(|word| *word = without_quotes(word));
        let (arg, start, may_be_option) = self.wanted();
        let current = &self.words[self.at];
        let (front, value) = current.split_at(start);
        let (mut candidates, wants_files) = match &arg {
            Some(arg) => self.values(arg, value),
            None if may_be_option && current.starts_with('-') => (self.options(), false),
            None => (vec![], true),
        };
        candidates.retain(|(candidate, _)| candidate.starts_with(value));
        // The user can go on after the completed value: with a comma behind a column, or a colon behind a file.
        let is_open = arg.is_some_and(|arg| is_columns(&arg) || arg.get_id() == "python");
        let mut answer = String::new();
        answer += if wants_files && candidates.is_empty() { "files " } else { "" };
        answer += if is_open { "open\n" } else { "\n" };
        for (candidate, what) in candidates {
            let word = front.to_string() + &candidate;
            let word = if is_escaped { escaped(&word) } else { word };
            answer += &format!("{word}\t{what}\n");
        }
        answer
    }

    /// If the word to complete is or contains the value of an option, returns this option and the offset of the value
    /// in the word, and otherwise `None` and 0. Also returns whether the word can be an option itself.
    fn wanted(&self) -> (Option<Arg>, usize, bool) {
        let mut pending = None;
        for word in &self.words[..self.at] {
            pending = match pending {
                Some(_) => None,
                None if word == "--" => return (None, 0, false),
                None => self.option(word).filter(|(_, value)| value.is_none()).map(|(arg, _)| arg),
            };
            pending = pending.filter(|arg| arg.get_action().takes_values() && !arg.is_require_equals_set());
        }
        match (pending, self.option(&self.words[self.at])) {
            (Some(arg), _) => (Some(arg), 0, false),
            (None, Some((arg, Some(start)))) => (Some(arg), start, false),
            _ => (None, 0, true),
        }
    }

    /// Returns the option that a word names, and where the option's value begins if the word contains the value too. Of
    /// several short options in one word, it returns the last.
    fn option(&self, word: &str) -> Option<(Arg, Option<usize>)> {
        let find = |is: &dyn Fn(&Arg) -> bool| self.command.get_arguments().find(|arg| is(arg)).cloned();
        if let Some(long) = word.strip_prefix("--") {
            let (name, start) = long.split_once('=').map_or((long, None), |(name, _)| (name, Some(name.len() + 3)));
            return Some((find(&|arg| arg.get_long() == Some(name))?, start));
        }
        let mut found = None;
        for (at, letter) in word.strip_prefix('-')?.char_indices() {
            let arg = find(&|arg| arg.get_short() == Some(letter))?;
            let next = at + 1 + letter.len_utf8();
            if arg.get_action().takes_values() {
                return Some((arg, (next < word.len()).then_some(next)));
            }
            found = Some((arg, None));
        }
        found
    }

    /// Returns the options that are not hidden, each with its help.
    fn options(&self) -> Vec<Candidate> {
        let shown = self.command.get_arguments().filter(|arg| !arg.is_hide_set());
        let mut options: Vec<Candidate> = vec![];
        for arg in shown {
            let help = first_line(arg.get_help().map(ToString::to_string));
            options.extend(arg.get_long().map(|long| (format!("--{long}"), help.clone())));
            options.extend(arg.get_short().map(|short| (format!("-{short}"), help)));
        }
        options
    }

    /// Returns the values that an option can have, and whether its value can be the name of a file. `value` is what has
    /// been typed of the value so far.
    fn values(&self, arg: &Arg, value: &str) -> (Vec<Candidate>, bool) {
        if is_columns(arg) {
            return (self.columns(arg, value), false);
        }
        let named =
            |names: &[&str], what: &str| names.iter().map(|name| (name.to_string(), what.to_string())).collect();
        match arg.get_id().as_str() {
            "delimiter" => return (named(&["tab", "blank"], ""), false),
            // The value can also be FILE:FUNCTION. This program does not know the functions in a file, so nothing is
            // offered behind the colon.
            "kernel" => return (named(&FUNCTIONS.split(' ').collect::<Vec<_>>(), ""), !value.contains(':')),
            "python" => return (vec![], !value.contains(':')),
            _ => {}
        }
        let known = arg.get_possible_values().into_iter().filter(|known| !known.is_hide_set());
        let known =
            known.map(|known| (known.get_name().to_string(), first_line(known.get_help().map(ToString::to_string))));
        (known.collect(), arg.get_value_hint() == ValueHint::FilePath)
    }

    /// Returns the lists of columns that consist of the complete names in `list` and one more name. That name is one of
    /// the names in the header of the first file on the line. If there is no file, it is one of the columns that the
    /// kernel takes, which are the possible values of `arg`.
    fn columns(&self, arg: &Arg, list: &str) -> Vec<Candidate> {
        let is_open = |text: &str| text.matches('"').count() % 2 == 1;
        let comma = list.match_indices(',').map(|(at, _)| at + 1).rfind(|&at| !is_open(&list[..at]));
        let chosen = &list[..comma.unwrap_or(0)];
        let has = columns::names_in(chosen).unwrap_or_default();
        let own = || arg.get_possible_values().iter().map(|known| known.get_name().to_string()).collect();
        let names: Vec<String> = self.header().unwrap_or_else(own);
        let is_offered =
            |name: &&String| !has.contains(name) && names.iter().filter(|other| other == name).count() == 1;
        let names = names.iter().filter(is_offered);
        names.map(|name| (chosen.to_string() + &listed(name), "column".to_string())).collect()
    }

    /// Returns the names in the header of the first file on the line.
    fn header(&self) -> Option<Vec<String>> {
        let mut words = self.words.clone();
        words.remove(self.at);
        let is_value = self.at > 0
            && self.option(&words[self.at - 1]).is_some_and(|(arg, value)| is_columns(&arg) && value.is_none());
        if is_value {
            words.remove(self.at - 1);
        }
        let matches = self.command.clone().ignore_errors(true).no_binary_name(true).try_get_matches_from(words).ok()?;
        let options = Options::from_arg_matches(&matches).ok()?;
        let path = options.files.first()?;
        let path = [Some(path.clone()), expanded(path)].into_iter().flatten().find(|path| path.is_file())?;
        let mut text = vec![];
        File::open(path).ok()?.take(HEADER).read_to_end(&mut text).ok()?;
        header(&text, options.skip_lines, options.format())
    }
}

/// Whether the values of this option are columns.
fn is_columns(arg: &Arg) -> bool {
    arg.get_id() == "column_lists"
}

/// Returns the names in the first row of `text` behind the first `skip_lines` lines.
fn header(text: &[u8], skip_lines: u64, format: Format) -> Option<Vec<String>> {
    let mut text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    for _ in 0..skip_lines {
        text = &text[memchr::memchr(b'\n', text)? + 1..];
    }
    let mut fields = vec![];
    while !text.is_empty() {
        match split(text, format, &mut fields) {
            Line::Row { content, .. } => {
                let names = columns::names(&Record::new(&text[..content], &fields, None, format));
                return names.into_iter().map(|name| String::from_utf8(name).ok()).collect();
            }
            Line::Nothing { length } => text = &text[length..],
            Line::Stray { .. } | Line::Unclosed { .. } => return None,
        }
    }
    None
}

/// Returns a name as it is written in a list of columns: in quotes, if it would be read as something else without them.
fn listed(name: &str) -> String {
    let mut listed = vec![];
    Format::default().append_field(&mut listed, name.as_bytes(), true);
    match String::from_utf8(listed).unwrap_or_default() {
        plain if plain == name && name.bytes().all(|byte| byte.is_ascii_digit()) => format!("\"{name}\""),
        listed => listed,
    }
}

fn first_line(help: Option<String>) -> String {
    help.unwrap_or_default().lines().next().unwrap_or_default().to_string()
}

/// Returns `path` with `~`, `$NAME` or `${NAME}` at its front replaced by the value of the environment variable, as a
/// shell does (`~` stands for `$HOME`). `None` if the path begins otherwise, has no slash or is not UTF-8, or if the
/// variable is not set.
fn expanded(path: &Path) -> Option<PathBuf> {
    let (first, rest) = path.to_str()?.split_once('/')?;
    let braced = first.strip_prefix("${").and_then(|name| name.strip_suffix('}'));
    let name = if first == "~" { "HOME" } else { braced.or(first.strip_prefix('$'))? };
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then(|| std::env::var_os(name)).flatten().map(|folder| PathBuf::from(folder).join(rest))
}

/// Removes the quotes and backslashes from a word as bash would before it passes the word to a program. The last quote
/// can be open, because the user has not finished typing.
fn without_quotes(word: &str) -> String {
    let (mut plain, mut open, mut chars) = (String::new(), None, word.chars());
    while let Some(c) = chars.next() {
        match (c, open) {
            ('\'' | '"', None) => open = Some(c),
            (_, Some(quote)) if c == quote => open = None,
            ('\\', None | Some('"')) => plain.extend(chars.next()),
            _ => plain.push(c),
        }
    }
    plain
}

/// Returns `word` escaped by backslashes, so that bash reads it as this word.
fn escaped(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-,./:=@%+".contains(c);
    word.chars().flat_map(|c| (!is_plain(c)).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests;
