//! The walk from row to row, which is the same for all vector instructions. This file is long because all of the walk
//! is inlined into one function, and its parts rely on the same checks of where fields end.

use super::MAX_DIGITS;
use crate::csv::index::Column;
#[cfg(feature = "big")]
use crate::csv::index::Rows;
#[cfg(feature = "big")]
use crate::kernel::{
    batch::Other,
    gcd::{digits, values::Pairs},
};
use std::ops::Range;

/// How many bytes are loaded for a number. They end with the number's last digit, so the first of them may belong to
/// other fields.
pub const LOADED: usize = 32;
/// The most digits of a number of 128 bits.
#[cfg(feature = "big")]
pub const WIDE_DIGITS: u32 = 39;
/// How many rows are taken together. If one row of a group has quotes, blanks or signs, the next group is expected to
/// have them too.
const GROUP: usize = 32;

/// How the numbers in rows are loaded, with one kind of vector instructions. The last `digits` bytes of each text are
/// the digits of a number. Both methods must be written.
pub trait Load {
    /// Returns the values of two numbers of 1 to 20 digits, modulo 2^64, or `None` if some bytes are not digits.
    fn pair(&self, texts: [&[u8; LOADED]; 2], digits: [u32; 2]) -> Option<[u64; 2]>;

    /// Returns the values of the numbers of two rows, each of 1 to 19 digits, or `None` if some bytes are not digits.
    fn pairs(&self, texts: [&[u8; LOADED]; 4], digits: [[u32; 2]; 2]) -> Option<[[u64; 2]; 2]>;
}

/// The fields of a group of rows: where they end, and how many bytes they have.
struct Group {
    fields: [Fields; GROUP],
}

/// Where the two fields of a row end, and how many bytes they have.
#[derive(Clone, Copy, Default)]
struct Fields {
    ends: [u32; 2],
    lengths: [u32; 2],
}

impl Group {
    /// Lists the fields of one of the two columns, for `count` rows from `from` on.
    #[inline(always)]
    fn list(&mut self, text: &[u8], which: usize, column: &Column, from: usize, count: usize) {
        let rows = &mut self.fields[..count];
        column.each(from, rows, |row, start, end| {
            (row.ends[which], row.lengths[which]) = (end, end.wrapping_sub(start));
        });
        if column.may_have_return() {
            for Fields { ends, lengths } in rows {
                let has_return = lengths[which] > 0 && text[ends[which] as usize - 1] == b'\r';
                ends[which] -= u32::from(has_return);
                lengths[which] -= u32::from(has_return);
            }
        }
    }

    /// Returns the first of these rows that cannot be loaded together with others, or the end of the rows. Such a row
    /// has a number that does not have 1 to 19 digits, or one that ends within the first `LOADED` bytes of the text or
    /// behind the text.
    #[inline(always)]
    fn first_other(&self, text: &[u8], rows: Range<usize>) -> usize {
        let is_other = |end: u32, length: u32| {
            (length.wrapping_sub(1) >= MAX_DIGITS - 1) | ((end as usize) < LOADED) | (end as usize > text.len())
        };
        let is_other = |row: &Fields| is_other(row.ends[0], row.lengths[0]) | is_other(row.ends[1], row.lengths[1]);
        let fields = &self.fields[rows.clone()];
        // Look at all rows of a group without a branch for each, because in most groups all rows can be loaded
        // together.
        if rows.start == 0 && !fields.iter().fold(false, |any, row| any | is_other(row)) {
            return rows.end;
        }
        fields.iter().position(is_other).map_or(rows.end, |found| rows.start + found)
    }

    /// Removes quotes, blanks and signs from the fields of `rows`, and leading zeros from long numbers. Returns whether
    /// any field has become shorter.
    #[inline(always)]
    fn bare(&mut self, text: &[u8], quote: Option<u8>, rows: Range<usize>) -> bool {
        let mut is_less = false;
        for Fields { ends, lengths } in &mut self.fields[rows] {
            for (end, length) in ends.iter_mut().zip(lengths) {
                let digits = digits(text, (*end - *length) as usize..*end as usize, quote);
                is_less |= *length != digits.len() as u32;
                (*end, *length) = (digits.end as u32, digits.len() as u32);
            }
        }
        is_less
    }

    /// Returns, for each field of a row, the `LOADED` bytes that end where it ends, or `None` if there are fewer.
    #[inline(always)]
    fn loaded<'t>(&self, text: &'t [u8], row: usize) -> Option<[&'t [u8; LOADED]; 2]> {
        let loaded = |end: u32| text.get((end as usize).wrapping_sub(LOADED)..)?.first_chunk();
        let [a, b] = self.fields[row].ends;
        Some([loaded(a)?, loaded(b)?])
    }

    /// Returns the numbers of a row. Returns `None` if one of them is no number, has more than `MAX_DIGITS` digits, or
    /// does not fit into 64 bits.
    #[inline(always)]
    fn pair(&self, text: &[u8], row: usize, load: &impl Load) -> Option<[u64; 2]> {
        let Fields { ends, lengths } = self.fields[row];
        if lengths[0].wrapping_sub(1) >= MAX_DIGITS || lengths[1].wrapping_sub(1) >= MAX_DIGITS {
            return None;
        }
        let Some([a, b]) = self.loaded(text, row) else {
            // There is not enough text before the number. This happens only at the start of the text.
            let field = |end: u32, length: u32| &text[(end - length) as usize..end as usize];
            return Some([number(field(ends[0], lengths[0]))?, number(field(ends[1], lengths[1]))?]);
        };
        let pair = load.pair([a, b], lengths)?;
        (!(is_wrapped(a, lengths[0], pair[0]) | is_wrapped(b, lengths[1], pair[1]))).then_some(pair)
    }

    /// Returns the numbers of a row, of which at least one has 20 digits or more. Returns `None` if it is not certain
    /// that both fit into 128 bits. The last 19 digits of a number, and the up to 19 digits before them, are loaded as
    /// two numbers. A 39th digit is added last.
    #[cfg(feature = "big")]
    #[inline(always)]
    fn wide_pair(&self, text: &[u8], row: usize, load: &impl Load) -> Option<[u128; 2]> {
        const CHUNK: u32 = digits::CHUNK as u32;
        const TEN: u128 = digits::TEN as u128;
        let Fields { ends, lengths } = self.fields[row];
        let longer = lengths[0].max(lengths[1]);
        if lengths[0].min(lengths[1]) == 0 || longer <= CHUNK || longer > WIDE_DIGITS {
            return None;
        }
        let (mut texts, mut digits, mut firsts) = ([&[0; LOADED]; 4], [[0; 2]; 2], [b'0'; 2]);
        for which in 0..2 {
            let (end, length) = (ends[which] as usize, lengths[which]);
            // A number of at most 19 digits has none before the last 19. The same digits are then loaded twice, and the
            // first result is not used.
            let above = if length > CHUNK { CHUNK } else { 0 };
            let loaded = |end: usize| text.get(end.checked_sub(LOADED)?..)?.first_chunk();
            (texts[2 * which], texts[2 * which + 1]) = (loaded(end - above as usize)?, loaded(end)?);
            digits[which] = [(length - above).min(CHUNK), length.min(CHUNK)];
            if length == WIDE_DIGITS {
                firsts[which] = text[end - length as usize];
            }
        }
        let pairs = load.pairs(texts, digits)?;
        let mut numbers = [0; 2];
        for which in 0..2 {
            let [above, last] = pairs[which];
            let above = if lengths[which] > CHUNK { above } else { 0 };
            let number = u128::from(above) * TEN + u128::from(last);
            numbers[which] = match firsts[which] {
                // A number of 39 digits has more than 128 bits if its first digit is 4 or more. If the first digit is
                // 3, the addition overflows where the number has more than 128 bits.
                first @ b'0'..=b'3' => (u128::from(first - b'0') * (TEN * TEN)).checked_add(number)?,
                _ => return None,
            };
        }
        Some(numbers)
    }
}

#[cfg(feature = "big")]
/// Does what [`super::read_rows`] does.
///
/// Always inlined, so that it is compiled with the vector instructions of its caller. It does not call `map` on arrays:
/// the compiler might make a separate function of such a call, without these instructions.
#[inline(always)]
pub fn read_rows(found: &Rows, pairs: &mut Pairs, wide: bool, other: Other<Pairs>, load: impl Load) -> usize {
    let (text, quote) = (found.text(), found.format().quote);
    let (first, second) = (found.column(0), found.column(1));
    pairs.small.reserve(found.len());
    let mut group = Group { fields: [Fields::default(); GROUP] };
    let (mut from, mut is_unusual) = (0, false);
    while from < found.len() {
        let count = GROUP.min(found.len() - from);
        group.list(text, 0, &first, from, count);
        group.list(text, 1, &second, from, count);
        // The rows with an index below `bared` are already stripped of quotes, blanks and signs. They must not be
        // stripped twice: a quote behind a blank is part of the value, but once the blank is gone, the quote would be
        // stripped as well.
        let (mut row, mut bared) = (0, 0);
        if is_unusual {
            (is_unusual, bared) = (group.bare(text, quote, 0..count), count);
        }
        while row < count {
            let mut end = group.first_other(text, row..count);
            while row + 1 < end {
                let (first, second) = (group.fields[row], group.fields[row + 1]);
                // SAFETY: `first_other` has checked the rows before `end`: each field ends within the text, and at
                // least `LOADED` bytes behind the start of the text.
                let loaded = |end: u32| unsafe { &*text.as_ptr().add(end as usize - LOADED).cast::<[u8; LOADED]>() };
                let texts =
                    [loaded(first.ends[0]), loaded(first.ends[1]), loaded(second.ends[0]), loaded(second.ends[1])];
                let Some(two) = load.pairs(texts, [first.lengths, second.lengths]) else {
                    end = row + 1;
                    break;
                };
                pairs.small.extend_from_slice(&two);
                row += 2;
            }
            // Load the next rows one by one, up to and including the first that cannot be loaded together with others.
            while row < count {
                if let Some(pair) = group.pair(text, row, &load) {
                    pairs.small.push(pair);
                } else if wide && let Some(pair) = group.wide_pair(text, row, &load) {
                    pairs.push_wide(pair);
                    // The next row is probably wide, too.
                    end = row + 1;
                } else if row >= bared && group.bare(text, quote, row..row + 1) {
                    // The next rows are probably unusual, too.
                    group.bare(text, quote, row + 1..count);
                    (is_unusual, bared) = (true, count);
                    break;
                } else if !other(from + row, pairs) {
                    return from + row + 1;
                }
                row += 1;
                if row > end {
                    break;
                }
            }
        }
        from += count;
    }
    from
}

/// Does what [`super::load`] does. Four fields are loaded at a time.
///
/// Always inlined, as [`read_rows`] is.
#[inline(always)]
pub fn load(text: &[u8], fields: &[(u32, u32)], loaded: &mut [u64], load: impl Load) -> usize {
    let mut done = 0;
    for (four, loaded) in fields.chunks(4).zip(loaded.chunks_mut(4)) {
        let mut spans = [four[0]; 4];
        spans[..four.len()].copy_from_slice(four);
        let is_other = |&(start, end): &(u32, u32)| {
            (end.wrapping_sub(start).wrapping_sub(1) >= MAX_DIGITS - 1)
                | ((end as usize) < LOADED)
                | (end as usize > text.len())
        };
        if spans.iter().fold(false, |any, span| any | is_other(span)) {
            let (count, is_all) = one_by_one(text, four, loaded);
            done += count;
            if !is_all {
                return done;
            }
            continue;
        }
        // SAFETY: the check above has found that each field ends within the text, and at least `LOADED` bytes behind
        // the start of the text.
        let bytes = |(_, end): (u32, u32)| unsafe { &*text.as_ptr().add(end as usize - LOADED).cast::<[u8; LOADED]>() };
        let texts = [bytes(spans[0]), bytes(spans[1]), bytes(spans[2]), bytes(spans[3])];
        let length = |(start, end): (u32, u32)| end - start;
        let lengths = [[length(spans[0]), length(spans[1])], [length(spans[2]), length(spans[3])]];
        match load.pairs(texts, lengths) {
            Some(numbers) => {
                loaded.copy_from_slice(&numbers.as_flattened()[..loaded.len()]);
                done += four.len();
            }
            None => return done + one_by_one(text, four, loaded).0,
        }
    }
    done
}

/// Loads fields up to the first one that is not an integer of 1 to 19 digits. Returns how many were loaded, and whether
/// all were.
#[inline(never)]
fn one_by_one(text: &[u8], fields: &[(u32, u32)], loaded: &mut [u64]) -> (usize, bool) {
    let mut done = 0;
    for (span, value) in fields.iter().zip(loaded) {
        let Some(number) = number_at(text, *span) else { return (done, false) };
        *value = number;
        done += 1;
    }
    (done, true)
}

/// Returns the integer that a field consists of, if it has 1 to 19 digits.
fn number_at(text: &[u8], (start, end): (u32, u32)) -> Option<u64> {
    text.get(start as usize..end as usize).filter(|field| field.len() < MAX_DIGITS as usize).and_then(number)
}

/// Returns where the digits of a field are, without quotes, blanks and sign. Zeros in front are left out only if there
/// are 20 digits or more. Whether these bytes are digits is checked later.
#[inline(always)]
fn digits(text: &[u8], field: Range<usize>, quote: Option<u8>) -> Range<usize> {
    let Range { mut start, mut end } = field;
    let is = |at: usize, byte: u8| text[at] == byte;
    let is_blank = |at: usize| is(at, b' ') || is(at, b'\t');
    if let Some(quote) = quote
        && end - start > 2
        && is(start, quote)
        && is(end - 1, quote)
    {
        (start, end) = (start + 1, end - 1);
    }
    while start < end && is_blank(start) {
        start += 1;
    }
    while start < end && is_blank(end - 1) {
        end -= 1;
    }
    // Skip a sign without a branch, because signs often alternate at random.
    start += usize::from(start < end && (is(start, b'-') | is(start, b'+')));
    while end - start >= MAX_DIGITS as usize && is(start, b'0') {
        start += 1;
    }
    start..end
}

/// Whether a number might be above 2^64 - 1, so that `value`, which is the number modulo 2^64, is wrong. 2^64 - 1 has
/// 20 digits and begins with 1. A larger number that begins with 1 has a `value` below 10^19. A number of 20 digits
/// with a leading zero counts as too large, too. There are no branches, because half of all 64-bit numbers have 20
/// digits.
#[inline(always)]
fn is_wrapped(text: &[u8; LOADED], digits: u32, value: u64) -> bool {
    (digits == MAX_DIGITS) & ((text[LOADED - MAX_DIGITS as usize] != b'1') | (value < 10_000_000_000_000_000_000))
}

/// Returns the value of a text of 1 to 20 digits, or `None` if it is anything else or above 2^64 - 1.
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > MAX_DIGITS as usize {
        return None;
    }
    text.iter().try_fold(0u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}
