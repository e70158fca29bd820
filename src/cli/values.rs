//! Parsers for the values of options.
//!
//! If a value is outside the range of its option, or is not a number, the message names the range.

use crate::executor::Executor;
#[cfg(feature = "stock")]
use crate::work::command::{Mode, rows::Form};
use crate::work::text::OnBadRow;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Returns a parser of numbers in `range`. `what` begins the error message, like "a number of workers".
pub fn number<N: TryFrom<u64>>(
    what: &'static str,
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<N, String> + Clone {
    move |text| {
        let expected = || format!("{what} from {} to {} is expected", range.start(), range.end());
        within(&range, text.parse().ok()).ok_or_else(expected)
    }
}

/// Returns a parser of numbers of bytes in `range`. A unit may follow the number.
pub fn size<N: TryFrom<u64>>(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<N, String> + Clone {
    move |text| {
        let [least, most] = [range.start(), range.end()].map(|bytes| with_unit(*bytes));
        within(&range, bytes(text)).ok_or_else(|| format!("a number of bytes from {least} to {most} is expected"))
    }
}

fn within<N: TryFrom<u64>>(range: &RangeInclusive<u64>, number: Option<u64>) -> Option<N> {
    number.filter(|number| range.contains(number))?.try_into().ok()
}

/// The units that may follow a number of bytes, and their sizes in bytes. The largest comes first, because `with_unit`
/// takes the first that fits.
const UNITS: [(char, u64); 3] = [('G', 1 << 30), ('M', 1 << 20), ('K', 1 << 10)];

/// Parses a number of bytes, with a unit or without. `None` if `text` is no such number, or the number needs more than
/// 64 bits.
fn bytes(text: &str) -> Option<u64> {
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with([*unit, unit.to_ascii_lowercase()]));
    let (digits, size) = unit.map_or((text, 1), |(_, size)| (&text[..text.len() - 1], *size));
    digits.parse::<u64>().ok()?.checked_mul(size)
}

/// Formats `bytes` in the largest unit of which it is a multiple.
fn with_unit(bytes: u64) -> String {
    let unit = UNITS.iter().find(|(_, size)| bytes.is_multiple_of(*size));
    unit.map_or_else(|| bytes.to_string(), |(unit, size)| format!("{}{unit}", bytes / size))
}

/// Parses the value of `--range`: offset and length of a part of a file, in bytes.
pub fn range(text: &str) -> Result<(u64, u64), String> {
    let parsed = text.split_once(',').and_then(|(offset, length)| Some((offset.parse().ok()?, length.parse().ok()?)));
    let most = u64::MAX;
    let expected = || format!("two numbers of bytes as --split prints them are expected, from 0 and from 1 to {most}");
    parsed.filter(|&(_, length)| length > 0).ok_or_else(expected)
}

/// Parses a time in seconds. The least time is longer than a busy machine needs to start a timer. The longest time is
/// so short that sums of times do not overflow.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let range = Duration::from_millis(10)..=Duration::from_secs(1_000_000_000);
    let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let [least, most] = [range.start(), range.end()].map(Duration::as_secs_f64);
    let expected = || format!("a number of seconds from {least} to {most} is expected");
    time.filter(|time| range.contains(time)).ok_or_else(expected)
}

/// Returns a parser of executors by their names.
pub fn executor() -> impl TypedValueParser<Value = Executor> {
    let help = |executor| match executor {
        Executor::Serial => "One loop in this process",
        Executor::Threads => "Worker threads in this process",
        Executor::Pickle => "Worker processes that are sent pickled rows, like Python's `ProcessPoolExecutor`",
        Executor::Shared => "Worker processes that claim blocks in a shared segment",
    };
    one_of(Executor::ALL.map(|executor| (executor, executor.name(), help(executor))))
}

/// Returns the parser of `--bad-rows`.
pub fn on_bad_row() -> impl TypedValueParser<Value = OnBadRow> {
    one_of([
        (OnBadRow::Stop, "stop", "The first one ends the run"),
        (OnBadRow::Skip, "skip", "They have no line in the output"),
        (OnBadRow::Blank, "blank", "They have an empty line in the output"),
    ])
}

/// Returns the parser of `--command-mode`.
#[cfg(feature = "stock")]
pub fn command_mode() -> impl TypedValueParser<Value = Mode> {
    one_of([
        (Mode::Auto, "auto", "A line for each row, at once or at the end of its input"),
        (Mode::Lines, "lines", "A line for each row, without the end of its input"),
        (Mode::Block, "block", "Any number of lines for a block of rows, with a process for each"),
    ])
}

/// Returns the parser of `--command-input`.
#[cfg(feature = "stock")]
pub fn command_input() -> impl TypedValueParser<Value = Form> {
    one_of([
        (Form::Text, "text", "The row as it stands, or the value of the only chosen column"),
        (Form::Csv, "csv", "The values as RFC 4180 has them"),
        (Form::Json, "json", "The values as a JSON object, or as an array without a header"),
    ])
}

/// Parses an exit status of `--command-ok`.
pub fn status(text: &str) -> Result<i32, String> {
    number("an exit status", 0..=255)(text)
}

/// Returns a parser that takes a name from `values` and returns the value of this name. Each element of `values` is a
/// value, its name, and the description that the manual page and completions show.
fn one_of<T: Copy + Send + Sync + 'static, const N: usize>(
    values: [(T, &'static str, &'static str); N],
) -> impl TypedValueParser<Value = T> {
    let named = PossibleValuesParser::new(values.map(|(_, name, help)| PossibleValue::new(name).help(help)));
    named.try_map(move |name| {
        let value = values.iter().find(|(_, known, _)| *known == name);
        value.map(|(value, ..)| *value).ok_or("there is no such value")
    })
}

/// What separates two fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delimiter {
    /// This byte.
    Byte(u8),
    /// Any number of blanks.
    Blanks,
}

/// Parses the value of `--delimiter`, the character between fields.
pub fn delimiter(text: &str) -> Result<Delimiter, String> {
    match text {
        "\\t" | "tab" => Ok(Delimiter::Byte(b'\t')),
        "blank" => Ok(Delimiter::Blanks),
        _ => character(text).map(Delimiter::Byte),
    }
}

/// Parses the value of `--decimal` and `--thousands`, a character that stands between the digits of a number.
pub fn separator(text: &str) -> Result<char, String> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if !c.is_alphanumeric() && !c.is_control() && !"+-".contains(c) => Ok(c),
        _ => Err("one character is expected, and no letter, digit or sign".to_string()),
    }
}

/// Parses the value of `--quote`, the character around fields or `none`.
pub fn quote(text: &str) -> Result<Quote, String> {
    match text {
        "none" => Ok(Quote(None)),
        " " | "\t" => Err("a blank does not do as a quote".to_string()),
        _ => character(text).map(|quote| Quote(Some(quote))),
    }
}

/// Parses the value of `--comment`, the character that begins a comment.
pub fn comment(text: &str) -> Result<u8, String> {
    match text {
        " " | "\t" => Err("a blank does not do before comments".to_string()),
        _ => character(text),
    }
}

/// The character around fields; `None` if no character quotes fields.
#[derive(Clone, Copy, Debug)]
pub struct Quote(pub Option<u8>);

fn character(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii_alphanumeric() || b"+-.".contains(byte) => {
            Err("letters, digits, '+', '-' and '.' are for values".to_string())
        }
        [0 | b'\n' | b'\r'] => Err("line ends and NUL have a meaning of their own".to_string()),
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => Err("one ASCII character is expected".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_limits() {
        let block_size = size::<usize>(64..=1 << 30);
        assert_eq!(block_size("64"), Ok(64));
        assert_eq!(block_size("1m"), Ok(1 << 20));
        assert_eq!(block_size("1G"), Ok(1 << 30));
        for bad in ["", "K", "63", "2G", "-1", "1.5M", "99999999999999999999", "18446744073709551615G", "64 K"] {
            assert_eq!(block_size(bad), Err("a number of bytes from 64 to 1G is expected".to_string()), "{bad}");
        }
        let message = size::<u64>(64 << 20..=1 << 50)("").unwrap_err();
        assert_eq!(message, "a number of bytes from 64M to 1048576G is expected");
    }

    #[test]
    fn characters_of_a_format_are_such_as_values_do_not_have() {
        for (text, byte) in [("\\t", b'\t'), ("tab", b'\t'), ("\t", b'\t'), (";", b';'), (" ", b' ')] {
            assert_eq!(delimiter(text), Ok(Delimiter::Byte(byte)));
        }
        assert_eq!((delimiter("blank"), comment("#")), (Ok(Delimiter::Blanks), Ok(b'#')));
        for good in [',', '.', '\'', ' ', '_', '\u{a0}'] {
            assert_eq!(separator(&good.to_string()), Ok(good));
        }
        for bad in ["", ",,", "5", "e", "+", "-", "\n", "\t"] {
            assert!(separator(bad).is_err(), "{bad:?}");
        }
        assert!(matches!((quote("'"), quote("none")), (Ok(Quote(Some(b'\''))), Ok(Quote(None)))));
        for bad in ["", ";;", "5", "a", "-", "+", ".", "\n", "\r", "\0", "é"] {
            assert!(delimiter(bad).is_err() && quote(bad).is_err() && comment(bad).is_err(), "{bad:?}");
        }
        assert!(quote(" ").is_err() && comment("\t").is_err());
    }
}
