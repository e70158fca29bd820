//! Converts digits of any base to limbs, and limbs to digits. Limbs are words of 64 bits, the least significant first.

use super::base::Base;
use dashu_int::{UBig, Word};

/// This many decimal digits always fit into a limb.
pub const CHUNK: usize = 19;
/// The base in which chunks are digits: a chunk stands for this many times as much as the same chunk one place lower.
pub const TEN: u64 = 10u64.pow(CHUNK as u32);
/// How many chunks of decimal digits are added to a number at a time. Adding a chunk is a chain of carries from limb to
/// limb, and a processor can work on several of these chains at the same time.
const TOGETHER: usize = 4;
/// Numbers of more decimal digits than this are left to dashu. The loops in `read_decimal` take time in proportion to
/// the square of the number of digits. The time of dashu grows more slowly.
const MOST: usize = 4000;

/// Appends the number with these digits to `limbs`, without zeros on top. Returns whether all are digits; otherwise
/// `limbs` is unchanged.
pub fn read(base: Base, digits: &[u8], limbs: &mut Vec<u64>) -> bool {
    let start = limbs.len();
    let is_good = match base {
        Base::Decimal => read_decimal(digits, limbs),
        Base::Hexadecimal => read_hexadecimal(digits, limbs),
        Base::Octal => read_bits(base, 3, digits, limbs),
        Base::Binary => read_bits(base, 1, digits, limbs),
    };
    let end = if is_good { limbs[start..].iter().rposition(|&limb| limb != 0).map_or(0, |last| last + 1) } else { 0 };
    limbs.truncate(start + end);
    is_good
}

fn read_decimal(digits: &[u8], limbs: &mut Vec<u64>) -> bool {
    if digits.len() > MOST {
        let number =
            std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
        let number = number.and_then(|digits| UBig::from_str_radix(digits, 10).ok());
        return number.map(|number| limbs.extend(limbs_of(&number))).is_some();
    }
    let start = limbs.len();
    let (first, rest) = digits.split_at(digits.len() % CHUNK);
    let (chunks, _) = rest.as_chunks::<CHUNK>();
    let (few, groups) = chunks.split_at(chunks.len() % TOGETHER);
    let Some(first) = first.iter().try_fold(0, |value, digit| push(value, *digit)) else { return false };
    limbs.push(first);
    for digits in few {
        let Some(chunk) = chunk(digits) else { return false };
        limbs.push(0);
        take_in(&mut limbs[start..], [chunk]);
    }
    for group in groups.as_chunks::<TOGETHER>().0 {
        let mut chunks = [0; TOGETHER];
        for (chunk, digits) in chunks.iter_mut().zip(group) {
            let Some(value) = self::chunk(digits) else { return false };
            *chunk = value;
        }
        limbs.extend([0; TOGETHER]);
        take_in(&mut limbs[start..], chunks);
    }
    true
}

/// Appends these chunks of decimal digits to the digits of the number `limbs`. As many of its highest limbs as there
/// are chunks must be 0, so that there is room for the result.
#[inline]
fn take_in<const COUNT: usize>(limbs: &mut [u64], chunks: [u64; COUNT]) {
    let mut carries = chunks;
    for limb in limbs {
        for carry in &mut carries {
            let product = u128::from(*limb) * u128::from(TEN) + u128::from(*carry);
            (*limb, *carry) = (product as u64, (product >> 64) as u64);
        }
    }
    debug_assert_eq!(carries, [0; COUNT]);
}

/// Returns ten times the value, plus the digit, or `None` if the byte is not a digit.
#[inline]
fn push(value: u64, digit: u8) -> Option<u64> {
    digit.is_ascii_digit().then(|| value * 10 + u64::from(digit - b'0'))
}

/// Returns the value of 19 decimal digits, or `None` if some bytes are not digits.
#[inline]
fn chunk(digits: &[u8; CHUNK]) -> Option<u64> {
    let (&[a, b, c], rest) = digits.split_first_chunk()?;
    let (high, low) = (rest.first_chunk()?, rest.last_chunk()?);
    let front = push(push(push(0, a)?, b)?, c)?;
    Some((front * 100_000_000 + eight(high)?) * 100_000_000 + eight(low)?)
}

/// Returns the value of eight decimal digits, handled as one word as in [`plain`](super::plain).
#[inline]
fn eight(digits: &[u8; 8]) -> Option<u64> {
    let values = u64::from_le_bytes(*digits) ^ 0x3030_3030_3030_3030;
    if (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = (values.wrapping_mul(10) + (values >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours.wrapping_mul(10_000) + (fours >> 32)) & 0xffff_ffff)
}

fn read_hexadecimal(digits: &[u8], limbs: &mut Vec<u64>) -> bool {
    let (first, words) = digits.as_rchunks::<16>();
    for word in words.iter().rev() {
        let Some(limb) = sixteen(word) else { return false };
        limbs.push(limb);
    }
    let mut word = [b'0'; 16];
    word[16 - first.len()..].copy_from_slice(first);
    let top = sixteen(&word);
    limbs.extend(top);
    top.is_some()
}

/// Returns the value of sixteen hexadecimal digits, or `None` if there is anything else among them.
#[inline(always)]
pub fn sixteen(digits: &[u8; 16]) -> Option<u64> {
    let [high, low]: [u64; 2] = bytemuck::cast(*digits);
    let (high, high_others) = eight_hexadecimal(u64::from_le(high));
    let (low, low_others) = eight_hexadecimal(u64::from_le(low));
    ((high_others | low_others) == 0).then_some(high << 32 | low)
}

/// Returns the value of eight hexadecimal digits, and a word that is 0 if and only if all bytes are such digits. The
/// first digit is in the lowest byte. All bytes are handled at once.
#[inline(always)]
fn eight_hexadecimal(bytes: u64) -> (u64, u64) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Letters have the bit 0x40, and digits do not. The low half of `a` and of `A` is 1, so 9 is added for a letter.
    let is_letter = bytes >> 6 & ONES;
    let values = (bytes & (0xf * ONES)) + 9 * is_letter;
    // Apart from the bit 0x20, the upper half must be 0x40 for a letter and 0x10 for a digit. The bit 0x20 is not
    // compared here, because in letters it only tells small ones from capital ones. Digits must have it: `has_none`
    // marks bytes with neither 0x20 nor 0x40.
    let upper = (bytes & (0xd0 * ONES)) ^ (0x10 * ONES + 0x30 * is_letter);
    let has_none = !(bytes >> 5 | bytes >> 6) & ONES;
    // The value of a letter must be from 10 to 15, and that of a digit below 10.
    let is_ten = (values + 6 * ONES) >> 4 & ONES;
    let others = upper | has_none | (is_ten ^ is_letter) | (values & (0x10 * ONES));
    let values = values.swap_bytes();
    let pairs = (values | values >> 4) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    ((fours | fours >> 16) & 0xffff_ffff, others)
}

/// Reads digits that stand for `bits` bits each.
fn read_bits(base: Base, bits: u32, digits: &[u8], limbs: &mut Vec<u64>) -> bool {
    let (mut limb, mut filled) = (0, 0);
    for &digit in digits.iter().rev() {
        if !base.has_digit(digit) {
            return false;
        }
        let value = u64::from(digit - b'0');
        limb |= value << filled;
        filled += bits;
        if filled >= u64::BITS {
            limbs.push(limb);
            filled -= u64::BITS;
            // The upper bits of this digit, for which the last limb had no room.
            limb = value.checked_shr(bits - filled).unwrap_or(0);
        }
    }
    limbs.push(limb);
    true
}

/// Appends the digits of the number `limbs`, which has no zeros on top, to `text`.
pub fn write(base: Base, limbs: &[u64], text: &mut Vec<u8>) {
    let Some(bits) = base.bits() else {
        match *limbs {
            [] => text.push(b'0'),
            [limb] => text.extend_from_slice(itoa::Buffer::new().format(limb).as_bytes()),
            [low, high] => {
                let number = u128::from(high) << 64 | u128::from(low);
                text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            }
            _ => text.extend_from_slice(number_of(limbs).to_string().as_bytes()),
        }
        return;
    };
    let length = limbs.last().map_or(0, |&top| limbs.len() as u32 * u64::BITS - top.leading_zeros());
    for digit in (0..length.div_ceil(bits).max(1)).rev() {
        let (limb, shift) = ((digit * bits / u64::BITS) as usize, digit * bits % u64::BITS);
        let low = limbs.get(limb).map_or(0, |limb| limb >> shift);
        let high = limbs.get(limb + 1).map_or(0, |limb| limb.checked_shl(u64::BITS - shift).unwrap_or(0));
        text.push(b"0123456789abcdef"[((low | high) & ((1 << bits) - 1)) as usize]);
    }
}

/// Returns the limbs of a number, without zeros on top.
pub fn limbs_of(number: &UBig) -> impl Iterator<Item = u64> {
    // A limb is one word of dashu's, or two where its words have 32 bits.
    number.as_words().chunks((u64::BITS / Word::BITS) as usize).map(|words| {
        let mut limb = [0; (u64::BITS / Word::BITS) as usize];
        limb[..words.len()].copy_from_slice(words);
        u64::from_le(bytemuck::cast(limb.map(Word::to_le)))
    })
}

/// Returns the number with these limbs.
pub fn number_of(limbs: &[u64]) -> UBig {
    UBig::from_words(bytemuck::cast_slice(limbs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Checks reading and writing of a number against dashu.
    fn check(number: &UBig) {
        for base in Base::ALL {
            let text = number.in_radix(base.radix() as u8).to_string();
            for text in [text.clone(), text.to_uppercase(), format!("{}{text}", "0".repeat(70))] {
                let mut limbs = vec![7];
                assert!(read(base, text.as_bytes(), &mut limbs), "{base:?} {text}");
                assert_eq!((limbs[0], number_of(&limbs[1..])), (7, number.clone()), "{base:?} {text}");
                assert_ne!(limbs.last(), Some(&0));
            }
            let (limbs, mut written) = (limbs_of(number).collect::<Vec<_>>(), vec![]);
            write(base, &limbs, &mut written);
            assert_eq!(String::from_utf8(written).unwrap(), text, "{base:?}");
        }
    }

    #[test]
    fn numbers_at_every_edge_are_read_and_written() {
        for bits in (0..700).chain([4095, 4096, 14_000]) {
            let power = UBig::ONE << bits;
            check(&(&power - UBig::ONE));
            check(&(&power + UBig::ONE));
            check(&power);
        }
        for digits in (1..200).chain([3999, 4000, 4001]) {
            let power = UBig::from(10u8).pow(digits);
            check(&(&power - UBig::ONE));
            check(&power);
        }
    }

    #[test]
    fn what_is_no_digit_is_found_anywhere() {
        for base in Base::ALL {
            for length in [1, 7, 15, 16, 17, 19, 20, 40, 100, 4001] {
                for byte in (0..=255).filter(|&byte| !base.has_digit(byte)) {
                    for at in [0, length / 2, length - 1] {
                        let mut digits = vec![b'1'; length];
                        digits[at] = byte;
                        let mut limbs = vec![7];
                        assert!(!read(base, &digits, &mut limbs), "{base:?} {length} {byte} {at}");
                        assert_eq!(limbs, [7]);
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn numbers_of_any_size_are_read_and_written(limbs in proptest::collection::vec(0u64.., 0..150)) {
            check(&number_of(&limbs));
        }
    }
}
