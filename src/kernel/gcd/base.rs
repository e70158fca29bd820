//! The bases in which integers are read and written, and what their digits are.

/// The base in which a [`Gcd`](crate::Gcd) reads and writes integers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Base {
    /// Base 2, with or without `0b` in front.
    Binary,
    /// Base 8, with or without `0o` in front.
    Octal,
    /// Base 10.
    #[default]
    Decimal,
    /// Base 16, with or without `0x` in front, in letters of either case. Results have small letters.
    Hexadecimal,
}

impl Base {
    /// All bases.
    pub const ALL: [Base; 4] = [Base::Binary, Base::Octal, Base::Decimal, Base::Hexadecimal];

    /// Returns the name of the base in the option `--base` of the `pmapgcd` command, which is its number.
    pub fn name(self) -> &'static str {
        match self {
            Base::Binary => "2",
            Base::Octal => "8",
            Base::Decimal => "10",
            Base::Hexadecimal => "16",
        }
    }

    /// Returns the base as a number.
    pub fn radix(self) -> u32 {
        match self {
            Base::Binary => 2,
            Base::Octal => 8,
            Base::Decimal => 10,
            Base::Hexadecimal => 16,
        }
    }

    /// Returns how many bits a digit stands for, or `None` if that is no whole number.
    pub(super) fn bits(self) -> Option<u32> {
        (self != Base::Decimal).then(|| self.radix().ilog2())
    }

    /// Returns the letter that follows the 0 in the prefix of a number (`0b`, `0o`, `0x`), or `None` for decimal numbers,
    /// which have no prefix.
    fn letter(self) -> Option<u8> {
        match self {
            Base::Binary => Some(b'b'),
            Base::Octal => Some(b'o'),
            Base::Decimal => None,
            Base::Hexadecimal => Some(b'x'),
        }
    }

    /// Returns the part of a message that says what an integer looks like.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Base::Binary => "binary digits are expected, with or without 0b and a sign",
            Base::Octal => "octal digits are expected, with or without 0o and a sign",
            Base::Decimal => "decimal digits are expected, with or without a sign",
            Base::Hexadecimal => "hexadecimal digits are expected, with or without 0x and a sign",
        }
    }

    /// Whether this byte is a digit.
    pub(super) fn has_digit(self, byte: u8) -> bool {
        char::from(byte).is_digit(self.radix())
    }

    /// Returns the part of `text` that must consist of digits if `text` is an integer: all but a sign, a prefix, and
    /// zeros in front. For 0 this part is empty. Returns `None` if nothing follows the sign and the prefix.
    pub(super) fn bare(self, text: &[u8]) -> Option<&[u8]> {
        let unsigned = match text {
            [b'+' | b'-', unsigned @ ..] => unsigned,
            _ => text,
        };
        let digits = match unsigned {
            [b'0', letter, digits @ ..] if self.letter() == Some(letter | 0x20) => digits,
            _ => unsigned,
        };
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        (!digits.is_empty()).then(|| &digits[zeros..])
    }

    /// Returns the digits of the integer `text`, without its sign, its prefix and zeros in front. Returns `None` if it
    /// is no integer.
    pub(super) fn digits(self, text: &[u8]) -> Option<&[u8]> {
        self.bare(text).filter(|digits| digits.iter().all(|&digit| self.has_digit(digit)))
    }

    /// Returns the base in which `text` is probably written, if `text` is an integer in another base than this one. A
    /// prefix shows the base. A `text` without a prefix is probably hexadecimal if it consists of hexadecimal digits
    /// and does not look like a word: if it has both letters and decimal digits, or is at least `LONG` bytes long.
    pub(super) fn other(self, text: &[u8]) -> Option<Base> {
        /// From this length on, letters without a prefix are taken for a hexadecimal number: no word of so many letters
        /// has only those from a to f.
        const LONG: usize = 16;
        let others = || Base::ALL.into_iter().filter(|&other| other != self);
        let has_prefix = |base: &Base| {
            let unsigned = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
            base.letter().is_some_and(|letter| unsigned.len() > 2 && unsigned[1] | 0x20 == letter)
        };
        others().filter(has_prefix).find(|base| base.digits(text).is_some()).or_else(|| {
            let is_no_word = |digits: &[u8]| {
                let count = digits.iter().filter(|digit| digit.is_ascii_digit()).count();
                digits.len() >= LONG || 0 < count && count < digits.len()
            };
            let is_meant = self != Base::Hexadecimal && Base::Hexadecimal.digits(text).is_some_and(is_no_word);
            is_meant.then(|| {
                // If all digits are below ten, nothing shows that the base is 16 rather than 10.
                if Base::Decimal.digits(text).is_some() { Base::Decimal } else { Base::Hexadecimal }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_prefixes_and_zeros_are_no_digits() {
        for (base, text, digits) in [
            (Base::Hexadecimal, "0x1F", "1F"),
            (Base::Hexadecimal, "-0X00ff", "ff"),
            (Base::Hexadecimal, "0b1", "b1"),
            (Base::Hexadecimal, "abc", "abc"),
            (Base::Octal, "+0o17", "17"),
            (Base::Octal, "0017", "17"),
            (Base::Binary, "0B0101", "101"),
            (Base::Decimal, "-0018", "18"),
            (Base::Hexadecimal, "0x0", ""),
        ] {
            assert_eq!(base.digits(text.as_bytes()), Some(digits.as_bytes()), "{base:?} {text}");
        }
        for (base, text) in [
            (Base::Hexadecimal, "0x"),
            (Base::Hexadecimal, "x1"),
            (Base::Hexadecimal, "0x-1"),
            (Base::Hexadecimal, "-+1"),
            (Base::Hexadecimal, "0x0x1"),
            (Base::Hexadecimal, "g"),
            (Base::Octal, "8"),
            (Base::Octal, "0x1"),
            (Base::Binary, "2"),
            (Base::Binary, "0b"),
            (Base::Decimal, "0x1"),
            (Base::Decimal, ""),
            (Base::Decimal, "-"),
        ] {
            assert_eq!(base.digits(text.as_bytes()), None, "{base:?} {text}");
        }
    }

    #[test]
    fn another_base_is_known_by_its_prefix_or_its_length() {
        let other = |base: Base, text: &str| base.other(text.as_bytes());
        assert_eq!(other(Base::Decimal, "0x10"), Some(Base::Hexadecimal));
        assert_eq!(other(Base::Decimal, "-0B101"), Some(Base::Binary));
        assert_eq!(other(Base::Octal, "0x7"), Some(Base::Hexadecimal));
        assert_eq!(other(Base::Hexadecimal, "0o17"), Some(Base::Octal));
        assert_eq!(other(Base::Decimal, "00c0ffee00c0ffee00"), Some(Base::Hexadecimal));
        assert_eq!(other(Base::Octal, "1234567812345678"), Some(Base::Decimal));
        for text in ["1f", "-00c0"] {
            assert_eq!(other(Base::Decimal, text), Some(Base::Hexadecimal), "{text}");
        }
        for text in ["abc", "face", "12", "0x", "0xg", "", "-", "1.5"] {
            assert_eq!(other(Base::Decimal, text), None, "{text}");
        }
    }
}
