//! The walk from plain row to plain row, the same for all vectors. An index of the bytes that are no digits is made for a stretch
//! of text at a time. It says where numbers begin and end, so that no branch depends on how long they are.

use super::MAX_DIGITS;
use super::portable::plain_row;

/// How many bytes are looked at together for the index.
pub const WIDTH: usize = 64;
/// How many bytes are indexed together at most. The row at the end of a stretch is looked at again, and the rest of an index that is
/// not needed is lost; on plain rows 1, 2 and 4 KiB differ by less than 3 % (`cargo bench --bench stages`).
const STRETCH: usize = 1024;
/// How many bytes are indexed at first: where every other row is not plain, no more of the index would be used.
const FIRST_STRETCH: usize = 2 * WIDTH;
/// How many bytes are loaded with a number: it and those before it.
pub const LOADED: usize = 32;

/// The places of bytes that are no digits.
pub type Places = [u32; WIDTH];

/// As [`super::read_plain`]. `index` is given 64 bytes and the place of the first; it writes the places of those bytes that are no
/// digits to the front of `Places`, and returns how many there are. `pair` returns the values of the last so many digits of each of
/// two texts, modulo 2^64.
///
/// Inlined, so that it is compiled with the instructions of its caller.
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
    // Places have 32 bits.
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
                // The line end has two bytes, or else the row is not plain.
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
                // There is too little text before the number to load it whole: this happens at the start of the text.
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

/// Whether a number may be above 2^64 - 1, so that its value is wrong. 2^64 - 1 has 20 digits and begins with 1. A larger number that
/// also begins with 1 has a value below 10^19 modulo 2^64. Numbers with a zero in front are taken for too large as well. There are
/// no branches, because half of all numbers of 64 bits have 20 digits.
#[inline(always)]
fn is_wrapped(text: &[u8; LOADED], digits: usize, value: u64) -> bool {
    (digits == MAX_DIGITS) & ((text[LOADED - MAX_DIGITS] != b'1') | (value < 10_000_000_000_000_000_000))
}
