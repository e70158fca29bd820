//! The walk from plain row to plain row, which is the same for all vector instructions. For a stretch of text at a
//! time, an index of the bytes that are not digits is made. The index shows where numbers begin and end, so that no
//! branch depends on how long a number is.

use super::MAX_DIGITS;
use super::portable::plain_row;

/// How many bytes the index function is given at a time.
pub const WIDTH: usize = 64;
/// The most bytes that are indexed at a time. With a smaller number, more rows lie across the end of a stretch and are
/// indexed twice; with a larger one, more of the index is wasted when a row is not plain. On plain rows 1, 2 and 4 KiB
/// differ by less than 3 % (`cargo bench --bench stages`).
const STRETCH: usize = 1024;
/// How many bytes are indexed at first. If every second row is not plain, a longer index would be wasted.
const FIRST_STRETCH: usize = 2 * WIDTH;
/// How many bytes are loaded together with a number: its digits and those before them.
pub const LOADED: usize = 32;

/// Offsets of bytes that are not digits, with room for all bytes that the index function is given.
pub type Places = [u32; WIDTH];

/// Does what [`super::read_plain`] does. `index` is given 64 bytes and the offset of the first; it writes the offsets
/// of those bytes that are not digits to the front of `Places`, and returns their number. `pair` is given two texts and
/// a number of digits for each; it returns the values of that many last digits of each text, modulo 2^64.
///
/// Always inlined, so that it is compiled with the vector instructions of its caller.
#[inline(always)]
pub fn read_plain(
    text: &[u8],
    delimiter: u8,
    limit: usize,
    rows: &mut Vec<[u64; 2]>,
    index: impl Fn(&[u8; WIDTH], usize, &mut Places) -> usize,
    pair: impl Fn(&[u8; LOADED], &[u8; LOADED], [usize; 2]) -> [u64; 2],
) -> usize {
    if !text.first().is_some_and(u8::is_ascii_digit) {
        return 0;
    }
    // Offsets in the index have 32 bits.
    let text = &text[..text.len().min(u32::MAX as usize)];
    let goal = rows.len().saturating_add(limit);
    rows.reserve(limit.min(text.len() / 4 + 1));
    let mut ends = [0; STRETCH + WIDTH];
    let (mut start, mut stretch) = (0, FIRST_STRETCH);
    while rows.len() < goal {
        let (mut count, mut at, before) = (0, start, start);
        for bytes in text[start..].as_chunks::<WIDTH>().0.iter().take(stretch / WIDTH) {
            let Some(places) = ends[count..].first_chunk_mut() else { break };
            count += index(bytes, at, places);
            at += WIDTH;
        }
        let mut ends = ends[..count].iter().map(|&end| end as usize);
        while rows.len() < goal {
            let (Some(first), Some(second)) = (ends.next(), ends.next()) else { break };
            if text[first] != delimiter {
                return start;
            }
            let mut next = second + 1;
            if text[second] != b'\n' {
                // A line end of one byte is a line feed. If this byte is another, the row is plain only if the line end
                // is the two bytes `\r\n`.
                match ends.next() {
                    Some(end) if end == next && text[second] == b'\r' && text[end] == b'\n' => next += 1,
                    Some(_) => return start,
                    None => break,
                }
            }
            let digits = [first - start, second - first - 1];
            if digits.iter().any(|digits| digits.wrapping_sub(1) >= MAX_DIGITS) {
                return start;
            }
            let loaded = |end: usize| text[..end].last_chunk::<LOADED>();
            let row = match (loaded(first), loaded(second)) {
                (Some(a), Some(b)) => {
                    let row = pair(a, b, digits);
                    if is_wrapped(a, digits[0], row[0]) | is_wrapped(b, digits[1], row[1]) {
                        return start;
                    }
                    row
                }
                // There is not enough text before the number to load 32 bytes. This happens only at the start of the
                // text.
                _ => match plain_row(&text[start..], delimiter) {
                    Some((row, _)) => row,
                    None => return start,
                },
            };
            rows.push(row);
            start = next;
        }
        if start == before {
            break;
        }
        stretch = STRETCH.min(2 * stretch);
    }
    start
}

/// Whether a number may be above 2^64 - 1, so that `value`, which is the number modulo 2^64, is wrong. 2^64 - 1 has 20
/// digits and begins with 1. A larger number of 20 digits that begins with 1 has a `value` below 10^19. Numbers of 20
/// digits with a leading zero are taken for too large as well, and left to the slower decoder. There are no branches,
/// because half of all 64-bit numbers have 20 digits.
#[inline(always)]
fn is_wrapped(text: &[u8; LOADED], digits: usize, value: u64) -> bool {
    (digits == MAX_DIGITS) & ((text[LOADED - MAX_DIGITS] != b'1') | (value < 10_000_000_000_000_000_000))
}
