//! The value of a decimal number that is written plainly, as most numbers are: digits, perhaps with a sign and a point.

/// A decimal number: its sign, its digits without the point, and how many of them stand behind the point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decimal {
    /// Whether the number has a minus.
    pub is_negative: bool,
    /// The digits as a number.
    pub digits: u64,
    /// How many digits stand behind the point.
    pub behind: u32,
}

/// The most digits with which every number is below 2^64.
const MOST: usize = 19;

/// Returns the sign of the number in `text`, and what follows it.
#[inline(always)]
fn signed(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// Returns sign and magnitude of the integer that `text` consists of. Returns `None` if it is no integer, or if the
/// magnitude is not below 2^64.
#[inline]
pub fn integer(text: &[u8]) -> Option<(bool, u64)> {
    let (is_negative, rest) = signed(text);
    if rest.is_empty() {
        return None;
    }
    let mut value = 0u64;
    if rest.len() <= MOST {
        for byte in rest {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value * 10 + u64::from(digit);
        }
    } else {
        for byte in rest {
            let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
            value = value.checked_mul(10)?.checked_add(digit)?;
        }
    }
    Some((is_negative, value))
}

/// Returns the decimal number of 1 to 19 digits that `text` consists of, or `None` if it is written in another way.
#[inline]
pub fn decimal(text: &[u8]) -> Option<Decimal> {
    let (is_negative, rest) = signed(text);
    if rest.len() > MOST {
        return None;
    }
    let (mut digits, mut point) = (0u64, None);
    for (at, byte) in rest.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            digits = digits * 10 + u64::from(digit);
        } else if *byte == b'.' && point.is_none() {
            point = Some(at);
        } else {
            return None;
        }
    }
    let count = rest.len() - usize::from(point.is_some());
    let behind = point.map_or(0, |point| rest.len() - point - 1) as u32;
    (count > 0).then_some(Decimal { is_negative, digits, behind })
}

/// How many bytes are loaded to read a short number. They end with its digits; if it has fewer digits, they begin with
/// bytes before it.
pub const LOADED: usize = 8;

/// The number 1 in each of eight bytes.
const ONES: u64 = u64::MAX / 255;
const ZEROS: u64 = ONES * b'0' as u64;
const HIGHS: u64 = ONES << 7;

/// Does what [`decimal`] does for the last `length` bytes of `text`. `length` is 1 to 8, and the number has no sign.
/// Longer numbers are read byte by byte, because that is faster than 16 bytes in a word of 128 bits.
///
/// All bytes are handled as one word. The point is taken out by moving up what is before it, and the digits are found
/// and combined as in `kernel/gcd/plain/portable.rs`. There is no branch that depends on how many digits there are,
/// because that changes from number to number.
#[inline]
pub fn unsigned(text: &[u8; LOADED], length: usize) -> Option<Decimal> {
    // The digit 0 replaces each byte before the number. The first byte of the text is the lowest in the word.
    let mask = u64::MAX << (8 * (LOADED - length));
    let bytes = (u64::from_le_bytes(*text) & mask) | (ZEROS & !mask);
    // The lowest bit that is set in `points` marks the first point. Bits above it can be wrong, because the subtraction
    // borrows from higher bytes.
    let differing = bytes ^ (ONES * u64::from(b'.'));
    let points = differing.wrapping_sub(ONES) & !differing & HIGHS;
    let (bytes, behind) = match points.trailing_zeros() / 8 {
        8 => (bytes, 0),
        at => {
            let before = (1u64 << (8 * at)) - 1;
            let moved = (bytes & before) << 8 | u64::from(b'0');
            (moved | bytes & (!before << 8), LOADED as u32 - 1 - at)
        }
    };
    // Adding 0x76 sets the highest bit of each byte whose value is above 9, and thus not a digit. A point alone is no
    // number.
    let values = bytes ^ ZEROS;
    if (values.wrapping_add(ONES * 0x76) | values) & HIGHS != 0 || (length == 1 && points != 0) {
        return None;
    }
    Some(Decimal { is_negative: false, digits: eight(values), behind })
}

/// Returns the number that eight digits make. Each byte is the value of a digit, and the lowest byte is the first digit
/// (D. Lemire, "Quickly parsing eight digits", 2018).
#[inline(always)]
fn eight(values: u64) -> u64 {
    let pairs = (values.wrapping_mul(10) + (values >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul(10_000) + (fours >> 32)) & 0xffff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn integers_are_those_of_the_standard_library(text in "[+-]?[0-9]{0,21}[.x]?") {
            let expected = text.parse::<i128>().ok().map(|value| (text.starts_with('-'), value.unsigned_abs()));
            let expected = expected.and_then(|(sign, value)| Some((sign, u64::try_from(value).ok()?)));
            proptest::prop_assert_eq!(integer(text.as_bytes()), expected);
        }

        #[test]
        fn words_are_read_as_byte_by_byte(before in "[0-9.,x-]{8}", text in "[0-9]{0,5}[.]?[0-9]{0,5}[.x\u{7f}]?|[ -~]{1,3}") {
            if !text.is_empty() && text.len() <= LOADED && !text.starts_with(['+', '-']) {
                let all = before + &text;
                let found = unsigned(all.as_bytes().last_chunk().unwrap(), text.len());
                proptest::prop_assert_eq!(found, decimal(text.as_bytes()));
            }
        }

        #[test]
        fn decimals_have_the_digits_that_they_are_written_with(text in "[+-]?[0-9]{0,10}[.]?[0-9]{0,10}[.x]?") {
            if let Some(Decimal { is_negative, digits, behind }) = decimal(text.as_bytes()) {
                let value: f64 = text.parse().unwrap();
                let found = format!("{}{digits}e-{behind}", if is_negative { "-" } else { "" }).parse::<f64>().unwrap();
                proptest::prop_assert_eq!(value.to_bits(), found.to_bits());
            } else {
                proptest::prop_assert!(text.len() > MOST || text.parse::<f64>().is_err());
            }
        }
    }
}
