//! The walk from row to row, the same for all vectors: an index of the bytes that are no digits, made for a stretch of text
//! at a time, says where numbers begin and end, so that no branch depends on how long they are.

use super::MAX_DIGITS;
use super::portable::plain_row;

/// Bytes that are looked at together for the index.
pub const WIDTH: usize = 64;
/// How much text is indexed together at most. The row at its end is looked at again, and the index of what is not wanted
/// any more is thrown away; on plain rows 1, 2 and 4 KiB differ by less than 3 %.
const STRETCH: usize = 1024;
/// How much at first: where every other row is odd, that is all there is to be wanted.
const FIRST_STRETCH: usize = 2 * WIDTH;
/// Bytes up to the end of a number that are loaded with it.
pub const LOADED: usize = 32;

/// The places of bytes that are no digits.
pub type Places = [u32; WIDTH];

/// As [`super::read_plain`]. `index` puts the places of the bytes that are no digits, counted from a start, to the front
/// of the space, and answers how many there are. `pair` answers with the values of the last so many digits of each of
/// the two texts, modulo 2^64.
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
                // The line end has two bytes, or else this is no row of ours.
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
                // At the very start of the text.
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

/// Whether a number may be above 2^64 - 1, which has 20 digits and begins with 1: up to 2 · 10^19 it comes out smaller
/// than 10^19, and zeros in front are none of ours. Without branches: half of all numbers of 64 bits have 20 digits.
#[inline(always)]
fn is_wrapped(text: &[u8; LOADED], digits: usize, value: u64) -> bool {
    (digits == MAX_DIGITS) & ((text[LOADED - MAX_DIGITS] != b'1') | (value < 10_000_000_000_000_000_000))
}
