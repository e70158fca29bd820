//! Values on the command line.

use std::time::Duration;

use crate::executor::{MAX_BLOCK_SIZE, MAX_JOBS, MIN_BLOCK_SIZE};

pub fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs @ 1..=MAX_JOBS) => Ok(jobs),
        _ => Err(format!("a number of workers from 1 to {MAX_JOBS} is expected")),
    }
}

/// How many ranges.
pub fn ranges(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|&ranges| ranges > 0).ok_or("a number of ranges from 1 is expected".to_string())
}

pub fn chunk_size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rows @ 1..) => Ok(rows),
        _ => Err("a number of rows from 1 is expected".to_string()),
    }
}

pub fn block_size(text: &str) -> Result<usize, String> {
    match bytes(text) {
        Some(bytes) if (MIN_BLOCK_SIZE as u64..=MAX_BLOCK_SIZE as u64).contains(&bytes) => Ok(bytes as usize),
        _ => Err(format!("a number of bytes from {MIN_BLOCK_SIZE} to {}G is expected", MAX_BLOCK_SIZE >> 30)),
    }
}

/// The address space of a worker.
pub fn memory(text: &str) -> Result<u64, String> {
    bytes(text).filter(|&bytes| bytes >= 64 << 20).ok_or("a number of bytes from 64M is expected".to_string())
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
    parsed
        .filter(|&(_, length)| length > 0)
        .ok_or("two numbers of bytes as --split prints them are expected".to_string())
}

/// A time.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .filter(|time| *time >= Duration::from_millis(10))
        .ok_or("a number of seconds from 0.01 is expected".to_string())
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
