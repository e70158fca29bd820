//! Values on the command line.
//!
//! Each number has a range, which is in the message for one that is out of it or is none.

use crate::executor::{MAX_BLOCK_SIZE, MAX_JOBS, MIN_BLOCK_SIZE};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Most rows, lines, ranges: where nothing else bounds them.
const MOST: u64 = u64::MAX;

/// The number in the text, if it is one of this range.
fn number(text: &str, things: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let found = text.parse().ok().filter(|number| range.contains(number));
    found.ok_or_else(|| format!("a number of {things} from {} to {} is expected", range.start(), range.end()))
}

pub fn jobs(text: &str) -> Result<usize, String> {
    Ok(number(text, "workers", 1..=MAX_JOBS as u64)? as usize)
}

/// How many ranges.
pub fn ranges(text: &str) -> Result<u64, String> {
    number(text, "ranges", 1..=MOST)
}

pub fn chunk_size(text: &str) -> Result<usize, String> {
    Ok(number(text, "rows", 1..=usize::MAX as u64)? as usize)
}

/// How many bad rows there may be.
pub fn max_bad(text: &str) -> Result<u64, String> {
    number(text, "rows", 0..=MOST)
}

/// The number of a line.
pub fn line(text: &str) -> Result<u64, String> {
    number(text, "lines", 1..=MOST).map_err(|_| format!("the number of a line from 1 to {MOST} is expected"))
}

pub fn block_size(text: &str) -> Result<usize, String> {
    match bytes(text) {
        Some(bytes) if (MIN_BLOCK_SIZE as u64..=MAX_BLOCK_SIZE as u64).contains(&bytes) => Ok(bytes as usize),
        _ => Err(format!("a number of bytes from {MIN_BLOCK_SIZE} to {}G is expected", MAX_BLOCK_SIZE >> 30)),
    }
}

/// What a worker may take: a row and its result may need as much as the least of it, and no machine has more than the most.
pub fn memory(text: &str) -> Result<u64, String> {
    let range = 64 << 20..=1 << 50;
    let memory = bytes(text).filter(|bytes| range.contains(bytes));
    memory
        .ok_or_else(|| format!("a number of bytes from {}M to {}G is expected", range.start() >> 20, range.end() >> 30))
}

/// A number of bytes, with its unit.
fn bytes(text: &str) -> Option<u64> {
    let upper = text.to_ascii_uppercase();
    let (digits, unit) = match upper.as_bytes().last()? {
        b'K' => (&upper[..upper.len() - 1], 1 << 10),
        b'M' => (&upper[..upper.len() - 1], 1 << 20),
        b'G' => (&upper[..upper.len() - 1], 1 << 30),
        _ => (upper.as_str(), 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// A part of a file: where it begins and how long it is.
pub fn range(text: &str) -> Result<(u64, u64), String> {
    let parsed = text.split_once(',').and_then(|(offset, length)| Some((offset.parse().ok()?, length.parse().ok()?)));
    let expected = || format!("two numbers of bytes as --split prints them are expected, from 0 and from 1 to {MOST}");
    parsed.filter(|&(_, length)| length > 0).ok_or_else(expected)
}

/// A time: not so short that a busy machine takes it to start, and not so long that a sum of times is none any more.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let range = Duration::from_millis(10)..=Duration::from_secs(1_000_000_000);
    let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let time = time.filter(|time| range.contains(time));
    let [least, most] = [range.start(), range.end()].map(Duration::as_secs_f64);
    time.ok_or_else(|| format!("a number of seconds from {least} to {most} is expected"))
}

/// The character between fields.
pub fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "\\t" | "tab" => Ok(b'\t'),
        _ => character(text),
    }
}

/// The character around fields, or none.
pub fn quote(text: &str) -> Result<Quote, String> {
    match text {
        "none" => Ok(Quote(None)),
        " " | "\t" => Err("a blank does not do as a quote".to_string()),
        _ => character(text).map(|quote| Quote(Some(quote))),
    }
}

/// The character that comments begin with.
pub fn comment(text: &str) -> Result<u8, String> {
    match text {
        " " | "\t" => Err("a blank does not do before comments".to_string()),
        _ => character(text),
    }
}

/// A quote, or that there is none.
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
        assert_eq!(block_size("64"), Ok(64));
        assert_eq!(block_size("1m"), Ok(1 << 20));
        assert_eq!(block_size("1G"), Ok(1 << 30));
        for bad in ["", "K", "63", "2G", "-1", "1.5M", "99999999999999999999", "18446744073709551615G", "64 K"] {
            assert!(block_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn characters_of_a_format_are_such_as_values_do_not_have() {
        assert_eq!((delimiter("\\t"), delimiter("tab"), delimiter("\t")), (Ok(b'\t'), Ok(b'\t'), Ok(b'\t')));
        assert_eq!((delimiter(";"), delimiter(" "), comment("#")), (Ok(b';'), Ok(b' '), Ok(b'#')));
        assert!(matches!((quote("'"), quote("none")), (Ok(Quote(Some(b'\''))), Ok(Quote(None)))));
        for bad in ["", ";;", "5", "a", "-", "+", ".", "\n", "\r", "\0", "é"] {
            assert!(delimiter(bad).is_err() && quote(bad).is_err() && comment(bad).is_err(), "{bad:?}");
        }
        assert!(quote(" ").is_err() && comment("\t").is_err());
    }
}
