//! Pairs of unsigned 64-bit integers: the fast path, and what is said about a row that is not one.
//!
//! Three readers, each taken when the one before it gives up on a row: 8 digits at a time on plain rows well inside the
//! text; a byte at a time, with blanks, near its end and on 20-digit numbers; and a record of the `csv` crate for any
//! other row, so that the message can name the field at fault.

use super::shown::shown;
use crate::kernel::{Decoded, Encoded};

/// The longest that a row of the fast path can be: two numbers of 16 digits in words of 8, three more bytes of each
/// looked at, and the ends. Nearer to the end of the text the fast path would look beyond it.
const LOOK_AHEAD: usize = 64;

/// As [`Kernel::decode`](crate::Kernel::decode) has it: `a,b`, blanks around the numbers, `\n` or `\r\n`, blank lines
/// skipped.
pub fn decode(text: &[u8], limit: usize, rows: &mut Vec<[u64; 2]>) -> Decoded {
    let mut decoded = Decoded::default();
    let enough = rows.len() + limit;
    // The shortest row, `1,2` and its end, has 4 bytes.
    rows.reserve(limit.min(text.len() / 4 + 1));
    while rows.len() < enough && decoded.bytes < text.len() {
        if let Some((row, length)) = plain_row(&text[decoded.bytes..]) {
            rows.push(row);
            decoded.bytes += length;
            decoded.lines += 1;
            continue;
        }
        let rest = &text[decoded.bytes..];
        let (line, end) = match memchr::memchr(b'\n', rest) {
            Some(end) => (&rest[..end], end + 1),
            None => (rest, rest.len()),
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(row) = spaced_row(line) {
            rows.push(row);
        } else if !line.iter().all(is_blank) {
            decoded.bad = Some(what_is_wrong(line));
            break;
        }
        decoded.bytes += end;
        decoded.lines += 1;
    }
    decoded
}

/// `digits , digits \n` or `\r\n` at the front of `text`, and its length.
#[inline(always)]
fn plain_row(text: &[u8]) -> Option<([u64; 2], usize)> {
    let text: &[u8; LOOK_AHEAD] = text.first_chunk()?;
    let (a, comma) = number(text, 0)?;
    if text[comma] != b',' {
        return None;
    }
    let (b, mut end) = number(text, comma + 1)?;
    if text[end] == b'\r' {
        end += 1;
    }
    (text[end] == b'\n').then_some(([a, b], end + 1))
}

/// The number of 1 to 19 digits at `at`, and where it ends.
#[inline(always)]
fn number(text: &[u8; LOOK_AHEAD], at: usize) -> Option<(u64, usize)> {
    let (first, digits) = eight_digits(text, at);
    if digits == 0 {
        return None;
    }
    if digits < 8 {
        return Some((first, at + digits));
    }
    let (second, digits) = eight_digits(text, at + 8);
    let both = first * POWERS_OF_TEN[digits] + second;
    if digits < 8 {
        return Some((both, at + 8 + digits));
    }
    let (third, digits) = eight_digits(text, at + 16);
    // 19 digits always fit into 64 bits, 20 may not.
    (digits <= 3).then(|| (both * POWERS_OF_TEN[digits] + third, at + 16 + digits))
}

const POWERS_OF_TEN: [u64; 9] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The value and the count of the digits, at most 8, that start at `at`.
///
/// All eight bytes are handled as one word ("SWAR"). The digits are found as in simdjson's `is_made_of_eight_digits`
/// and combined pairwise in three multiplications (D. Lemire, "Quickly parsing eight digits", 2018; after J. Khalid).
#[inline(always)]
fn eight_digits(text: &[u8; LOOK_AHEAD], at: usize) -> (u64, usize) {
    let Some(bytes) = text.get(at..).and_then(|text| text.first_chunk::<8>()) else {
        return (0, 0);
    };
    let values = u64::from_le_bytes(*bytes) ^ 0x3030_3030_3030_3030;
    // The top bit of each byte that is over 9. A carry reaches only the bytes above one that is, and the lowest counts.
    let beyond = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
    let digits = beyond.trailing_zeros() as usize / 8;
    if digits == 0 {
        return (0, 0);
    }
    // As if padded with zeros in front: the first digit is in the lowest byte.
    let values = values << (64 - 8 * digits);
    let pairs = (values.wrapping_mul(10) + (values >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    let eight = (fours.wrapping_mul(10_000) + (fours >> 32)) & 0xffff_ffff;
    (eight, digits)
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim(field: &[u8]) -> &[u8] {
    let Some(first) = field.iter().position(|byte| !is_blank(byte)) else { return &[] };
    let last = field.iter().rposition(|byte| !is_blank(byte)).unwrap_or(first);
    &field[first..=last]
}

/// The pair in a line without its end, with blanks allowed.
fn spaced_row(line: &[u8]) -> Option<[u64; 2]> {
    let comma = memchr::memchr(b',', line)?;
    Some([integer(trim(&line[..comma])).ok()?, integer(trim(&line[comma + 1..])).ok()?])
}

/// Why a field is no value.
#[derive(Debug, PartialEq, Eq)]
enum NotInteger {
    Other,
    TooLarge,
}

fn integer(field: &[u8]) -> Result<u64, NotInteger> {
    if field.is_empty() || !field.iter().all(u8::is_ascii_digit) {
        return Err(NotInteger::Other);
    }
    let push = |value: u64, digit: &u8| value.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    field.iter().try_fold(0, push).ok_or(NotInteger::TooLarge)
}

/// What to say about a line that is not a pair.
fn what_is_wrong(line: &[u8]) -> String {
    let fields: ::csv::ByteRecord = line.split(|&byte| byte == b',').collect();
    if fields.len() != 2 {
        let plural = if fields.len() == 1 { "" } else { "s" };
        return format!("{} field{plural} where 2 are expected: {}", fields.len(), shown(line));
    }
    let wrong = |(at, field): (usize, &[u8])| {
        let field = trim(field);
        let error = integer(field).err()?;
        Some(format!("field {} {}", at + 1, what_is_wrong_with(field, error)))
    };
    fields.iter().enumerate().find_map(wrong).unwrap_or_else(|| format!("not two integers: {}", shown(line)))
}

fn what_is_wrong_with(field: &[u8], error: NotInteger) -> String {
    let signed = |sign| field.strip_prefix(sign).is_some_and(|rest| integer(rest) != Err(NotInteger::Other));
    if field.is_empty() {
        "is empty".to_string()
    } else if error == NotInteger::TooLarge {
        format!("is larger than {}: {}", u64::MAX, shown(field))
    } else if field.contains(&0) {
        format!("has a NUL byte: {}", shown(field))
    } else if std::str::from_utf8(field).is_err() {
        format!("is not UTF-8: {}", shown(field))
    } else if signed(b"-") || signed(b"+") {
        format!("has a sign, which is not supported: {}", shown(field))
    } else {
        format!("is not an integer: {}", shown(field))
    }
}

/// As [`Kernel::encode`](crate::Kernel::encode) has it.
pub fn encode(outputs: &[u64], room: &mut [u8]) -> Encoded {
    let mut encoded = Encoded::default();
    let mut digits = itoa::Buffer::new();
    for &output in outputs {
        let digits = digits.format(output).as_bytes();
        let Some(line) = room.get_mut(encoded.bytes..encoded.bytes + digits.len() + 1) else { break };
        line[..digits.len()].copy_from_slice(digits);
        line[digits.len()] = b'\n';
        encoded.bytes += line.len();
        encoded.outputs += 1;
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> (Vec<[u64; 2]>, Decoded) {
        let mut rows = vec![];
        let decoded = decode(text, text.len() + 1, &mut rows);
        (rows, decoded)
    }

    fn bad(line: &[u8]) -> String {
        // On the fast path, which looks 64 bytes ahead, and at the end of the text.
        let alone = all(line).1.bad;
        let amid = all(&[line, b"\n".as_slice(), &b"1,2\n".repeat(20)].concat()).1.bad;
        assert_eq!(alone, amid, "{line:?}");
        alone.unwrap_or_else(|| panic!("{line:?} is not bad"))
    }

    #[test]
    fn every_length_of_number_is_read_on_every_path() {
        for (a_digits, b_digits) in (1..=20).flat_map(|a| (1..=20).map(move |b| (a, b))) {
            let number = |digits: usize| "18446744073709551615"[..digits].parse::<u64>().unwrap();
            let (a, b) = (number(a_digits), number(b_digits));
            for end in ["\n", "\r\n", ""] {
                for after in ["", "7,8\n", &"7,8\n".repeat(20)] {
                    if end.is_empty() && !after.is_empty() {
                        continue;
                    }
                    let text = format!("{a},{b}{end}{after}");
                    let (rows, decoded) = all(text.as_bytes());
                    assert_eq!(rows[0], [a, b], "{text}");
                    assert_eq!(rows.len(), 1 + after.lines().count(), "{text}");
                    assert_eq!((decoded.bytes, decoded.bad), (text.len(), None), "{text}");
                }
            }
        }
    }

    #[test]
    fn blanks_zeros_and_blank_lines_are_read_over() {
        let text = b"\n \t\n\r\n\t12 , 18\t\r\n0000000000000000000000000007,007\n,\n";
        let (rows, decoded) = all(text);
        assert_eq!(rows, [[12, 18], [7, 7]]);
        assert_eq!((decoded.lines, decoded.bad.as_deref()), (5, Some("field 1 is empty")));
        assert_eq!(&text[decoded.bytes..], b",\n");
    }

    #[test]
    fn no_more_rows_than_the_limit_are_read() {
        let text = b"1,2\n3,4\n5,6\n";
        let mut rows = vec![];
        let decoded = decode(text, 2, &mut rows);
        assert_eq!((rows.len(), decoded), (2, Decoded { bytes: 8, lines: 2, bad: None }));
        assert_eq!(decode(text, 0, &mut rows), Decoded::default());
    }

    #[test]
    fn each_kind_of_bad_row_has_its_message() {
        for (line, message) in [
            (&b"abc,5"[..], "field 1 is not an integer: \"abc\""),
            (b"5,12abc", "field 2 is not an integer: \"12abc\""),
            (b"5,1.0", "field 2 is not an integer: \"1.0\""),
            (b"5,1 2", "field 2 is not an integer: \"1 2\""),
            (b"\"5\",6", "field 1 is not an integer: \"\\\"5\\\"\""),
            (b"5,18446744073709551616", "field 2 is larger than 18446744073709551615: \"18446744073709551616\""),
            (b"-5,6", "field 1 has a sign, which is not supported: \"-5\""),
            (b"5,+99999999999999999999", "field 2 has a sign, which is not supported: \"+99999999999999999999\""),
            (b"5,--6", "field 2 is not an integer: \"--6\""),
            (b",", "field 1 is empty"),
            (b"5, \t", "field 2 is empty"),
            (b"5", "1 field where 2 are expected: \"5\""),
            (b"1,2,3", "3 fields where 2 are expected: \"1,2,3\""),
            (b"5,\x006", "field 2 has a NUL byte: \"\\u{0}6\""),
            (b"5,\xff\xfe6", "field 2 is not UTF-8: \"\\xff\\xfe6\""),
            (b"5,6\r7", "field 2 is not an integer: \"6\\r7\""),
            ("\u{feff}3,4".as_bytes(), "field 1 is not an integer: \"\\u{feff}3\""),
            ("5,６".as_bytes(), "field 2 is not an integer: \"６\""),
            ("5,\u{202e}6\u{1b}[31m".as_bytes(), "field 2 is not an integer: \"\\u{202e}6\\u{1b}[31m\""),
        ] {
            assert_eq!(bad(line), message);
        }
    }

    #[test]
    fn long_values_are_shortened_between_characters() {
        let digits = "9".repeat(600);
        let shortened = format!("\"{}…\" (600 bytes)", "9".repeat(40));
        assert_eq!(bad(format!("5,{digits}").as_bytes()), format!("field 2 is larger than {}: {shortened}", u64::MAX));
        let odd = format!("{}é{}", "x".repeat(39), "y".repeat(39));
        assert!(bad(format!("5,{odd}").as_bytes()).ends_with(&format!("\"{}…\" (80 bytes)", "x".repeat(39))));
    }

    #[test]
    fn results_that_do_not_fit_are_left() {
        let mut room = [0; 7];
        let encoded = encode(&[1, 23, 4, 5], &mut room);
        assert_eq!((encoded.outputs, &room), (3, b"1\n23\n4\n"));
        assert_eq!(encode(&[u64::MAX], &mut room), Encoded::default());
        assert_eq!(encode(&[], &mut room), Encoded::default());
    }
}
