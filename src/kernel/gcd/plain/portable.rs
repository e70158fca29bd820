//! Plain rows on any processor: eight digits at a time.

/// How many bytes have to follow the start of a row, because all of them may be looked at: two numbers of 20 digits in words of 8
/// bytes, and the ends.
const LOOK_AHEAD: usize = 64;

/// As [`super::read_plain`].
pub fn read_plain(text: &[u8], delimiter: u8, limit: usize, rows: &mut Vec<[u64; 2]>) -> usize {
    let mut bytes = 0;
    // The shortest row, `1,2` and its end, has 4 bytes.
    rows.reserve(limit.min(text.len() / 4 + 1));
    for _ in 0..limit {
        let Some((row, length)) = plain_row(&text[bytes..], delimiter) else { break };
        rows.push(row);
        bytes += length;
    }
    bytes
}

/// The two numbers of the row at the front of `text`, and its length with its line end, if it is plain.
#[inline(always)]
pub fn plain_row(text: &[u8], delimiter: u8) -> Option<([u64; 2], usize)> {
    let text: &[u8; LOOK_AHEAD] = text.first_chunk()?;
    let (a, end) = number(text, 0)?;
    if text[end] != delimiter {
        return None;
    }
    let (b, mut end) = number(text, end + 1)?;
    if text[end] == b'\r' {
        end += 1;
    }
    (text[end] == b'\n').then_some(([a, b], end + 1))
}

/// The number of 1 to 20 digits that begins at `at`, and where it ends.
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
    let all = match digits {
        // 19 digits always fit into 64 bits, 20 may not.
        0..=3 => both * POWERS_OF_TEN[digits] + third,
        4 => both.checked_mul(10_000)?.checked_add(third)?,
        _ => return None,
    };
    Some((all, at + 16 + digits))
}

const POWERS_OF_TEN: [u64; 9] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The value and the count of the digits that begin at `at`, at most 8.
///
/// All eight bytes are handled as one word ("SWAR"). The digits are found as in simdjson's `is_made_of_eight_digits`
/// and combined pairwise in three multiplications (D. Lemire, "Quickly parsing eight digits", 2018; after J. Khalid).
#[inline(always)]
fn eight_digits(text: &[u8; LOOK_AHEAD], at: usize) -> (u64, usize) {
    let Some(bytes) = text.get(at..).and_then(|text| text.first_chunk::<8>()) else {
        return (0, 0);
    };
    let values = u64::from_le_bytes(*bytes) ^ 0x3030_3030_3030_3030;
    // The top bit of each byte that is over 9. A carry can be wrong only in bytes above such a byte, and the lowest one counts.
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
