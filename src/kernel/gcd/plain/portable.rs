//! Decodes plain rows on any processor, eight digits at a time.

/// How many bytes must follow from the start of a row on. All of them may be read: two numbers of 20 digits, loaded in
/// words of 8 bytes, a delimiter and a line end.
const LOOK_AHEAD: usize = 64;

/// Does what [`super::read_plain`] does.
pub fn read_plain(text: &[u8], delimiter: u8, limit: usize, rows: &mut Vec<[u64; 2]>) -> usize {
    let mut bytes = 0;
    // The shortest row, such as `1,2` and a line feed, has 4 bytes.
    rows.reserve(limit.min(text.len() / 4 + 1));
    for _ in 0..limit {
        let Some((row, length)) = plain_row(&text[bytes..], delimiter) else { break };
        rows.push(row);
        bytes += length;
    }
    bytes
}

/// Returns the two numbers of the row at the front of `text`, and the length of the row with its line end, or `None` if
/// the row is not plain.
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

/// Returns the number of 1 to 20 digits that begins at offset `at`, and the offset of its end.
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
        // 19 digits always fit into 64 bits, but 20 may not.
        0..=3 => both * POWERS_OF_TEN[digits] + third,
        4 => both.checked_mul(10_000)?.checked_add(third)?,
        _ => return None,
    };
    Some((all, at + 16 + digits))
}

const POWERS_OF_TEN: [u64; 9] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// Returns the value and the number of the digits that begin at offset `at`, at most 8 of them.
///
/// All eight bytes are handled as one word ("SWAR"). The digits are found as in simdjson's `is_made_of_eight_digits`,
/// and combined pairwise in three multiplications (D. Lemire, "Quickly parsing eight digits", 2018; after J. Khalid).
#[inline(always)]
fn eight_digits(text: &[u8; LOOK_AHEAD], at: usize) -> (u64, usize) {
    let Some(bytes) = text.get(at..).and_then(|text| text.first_chunk::<8>()) else {
        return (0, 0);
    };
    let values = u64::from_le_bytes(*bytes) ^ 0x3030_3030_3030_3030;
    // Sets the top bit of each byte that is no digit, that is, above 9. A carry from such a byte can make only higher
    // bytes wrong, and only the lowest of the set bits is used.
    let beyond = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
    let digits = beyond.trailing_zeros() as usize / 8;
    if digits == 0 {
        return (0, 0);
    }
    // Shifts the digits so that they look as if padded with zeros in front; the first digit is in the lowest byte.
    let values = values << (64 - 8 * digits);
    let pairs = (values.wrapping_mul(10) + (values >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    let eight = (fours.wrapping_mul(10_000) + (fours >> 32)) & 0xffff_ffff;
    (eight, digits)
}
