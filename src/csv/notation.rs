//! Notations of numbers other than the plain one: another decimal point, a character between thousands, or whole
//! numbers written as floats. Numbers in such a notation are rewritten in the plain one for the kernels.

use memchr::memmem;
use std::borrow::Cow;

/// How numbers are written. The default is the plain notation: digits, with or without a sign, and a point before the
/// digits of a fraction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Notation {
    /// The character between the digits of the whole number and those of the fraction.
    pub decimal: char,
    /// The character that may stand between groups of three digits, as in `1,234,567`. `None`: no character may.
    pub thousands: Option<char>,
    /// Whether an integer may be written as a float without a fraction, as in `1920.0` and `1e+05`.
    pub whole_floats: bool,
}

impl Default for Notation {
    /// Returns the plain notation.
    fn default() -> Self {
        Notation { decimal: '.', thousands: None, whole_floats: false }
    }
}

/// Why a text is not an integer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoInteger {
    /// It is not a number in the notation.
    NoNumber,
    /// It is a number with a fraction that is not 0.
    Fraction,
    /// It is a whole number that is written as a float, and the notation does not allow that.
    Float,
    /// It has too many digits: this many.
    TooLong(usize),
}

/// The parts of a number.
struct Parts<'a> {
    sign: Option<u8>,
    /// The digits of the integer part, without the characters between thousands.
    whole: Cow<'a, [u8]>,
    /// The digits of the fraction; `None` if there is no decimal point.
    fraction: Option<&'a [u8]>,
    /// What follows the `e`, if there is one: digits, with or without a sign.
    exponent: Option<&'a [u8]>,
}

impl Notation {
    /// Returns the digits of the magnitude of the integer `text`, without leading zeros. The number 0 has no digits. At
    /// most `most` digits are allowed.
    ///
    /// # Errors
    /// If `text` is no integer in this notation, or has too many digits.
    pub(crate) fn integer(self, text: &[u8], most: usize) -> Result<Cow<'_, [u8]>, NoInteger> {
        let parts = self.parts(text).ok_or(NoInteger::NoNumber)?;
        let fraction = parts.fraction.unwrap_or_default();
        let is_float = parts.fraction.is_some() || parts.exponent.is_some();
        let (mut digits, shift) = if parts.exponent.is_none() && fraction.iter().all(|&digit| digit == b'0') {
            (parts.whole, 0)
        } else {
            let all = [&parts.whole, fraction].concat();
            (all.into(), parts.exponent.map_or(0, exponent) - fraction.len() as i64)
        };
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        match &mut digits {
            Cow::Borrowed(digits) => *digits = &digits[zeros..],
            Cow::Owned(digits) => drop(digits.drain(..zeros)),
        }
        // `shift` is the number of zeros to append. If it is negative, the digits must end with that many zeros, which
        // are removed; other digits would be a fraction.
        if !digits.is_empty() && shift < 0 {
            let zeros = digits.iter().rev().take_while(|&&digit| digit == b'0').count();
            let taken = usize::try_from(shift.unsigned_abs()).ok().filter(|shift| *shift <= zeros);
            let kept = digits.len() - taken.ok_or(NoInteger::Fraction)?;
            digits.to_mut().truncate(kept);
        }
        if !self.whole_floats && is_float {
            return Err(NoInteger::Float);
        }
        let zeros = if digits.is_empty() { 0 } else { usize::try_from(shift).unwrap_or(0) };
        let count = digits.len() + zeros;
        if count > most {
            return Err(NoInteger::TooLong(count));
        }
        if zeros > 0 {
            digits.to_mut().resize(count, b'0');
        }
        Ok(digits)
    }

    /// If `text` is a number in this notation, returns it in the plain notation. Otherwise returns `text` unchanged.
    pub(crate) fn plain(self, text: &[u8]) -> Cow<'_, [u8]> {
        /// The most digits of a whole number that is rewritten without an exponent: more than any integer type has.
        const MOST: usize = 40;
        if self == Notation::default() {
            return text.into();
        }
        let Some(Parts { sign, whole, fraction, exponent }) = self.parts(text) else { return text.into() };
        let mut plain: Vec<u8> = sign.into_iter().collect();
        if self.whole_floats
            && let Ok(digits) = self.integer(text, MOST)
        {
            plain.extend_from_slice(if digits.is_empty() { b"0" } else { &digits });
            return plain.into();
        }
        plain.extend_from_slice(if whole.is_empty() { b"0" } else { &whole });
        for (mark, digits) in [(b'.', fraction), (b'e', exponent)] {
            if let Some(digits) = digits.filter(|digits| !digits.is_empty()) {
                plain.push(mark);
                plain.extend_from_slice(digits);
            }
        }
        plain.into()
    }

    /// Whether `text` is a number in this notation.
    pub(crate) fn has_number(self, text: &[u8]) -> bool {
        self.parts(text).is_some()
    }

    /// Returns the parts of the number `text`, or `None` if it is not a number.
    fn parts(self, text: &[u8]) -> Option<Parts<'_>> {
        let (sign, rest) = match text.split_first()? {
            (&sign @ (b'+' | b'-'), rest) => (Some(sign), rest),
            _ => (None, text),
        };
        let (rest, exponent) = match rest.iter().position(|byte| matches!(byte, b'e' | b'E')) {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        let (whole, fraction) = halves(rest, self.decimal);
        let whole = if whole.is_empty() { Cow::default() } else { self.ungrouped(whole)? };
        let is_digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
        let unsigned = |text: &'_ [u8]| usize::from(matches!(text.first(), Some(b'+' | b'-')));
        let is_number = whole.len() + fraction.map_or(0, <[u8]>::len) > 0
            && fraction.is_none_or(is_digits)
            && exponent.is_none_or(|text| text.len() > unsigned(text) && is_digits(&text[unsigned(text)..]));
        is_number.then_some(Parts { sign, whole, fraction, exponent })
    }

    /// Returns the digits in `text` without the thousands separators. Separators must either be absent or stand before
    /// every group of three digits, counted from the end. Returns `None` if a separator is misplaced or missing, or if
    /// there are other bytes.
    fn ungrouped(self, text: &[u8]) -> Option<Cow<'_, [u8]>> {
        if text.iter().all(u8::is_ascii_digit) {
            return Some(text.into());
        }
        let (mark, mut digits, mut rest) = (self.thousands?, vec![], Some(text));
        while let Some(text) = rest {
            let (group, others) = halves(text, mark);
            let is_whole = if digits.is_empty() { (1..=3).contains(&group.len()) } else { group.len() == 3 };
            if !is_whole || !group.iter().all(u8::is_ascii_digit) {
                return None;
            }
            digits.extend_from_slice(group);
            rest = others;
        }
        Some(digits.into())
    }
}

/// Returns the part of `text` before the first `mark`, and, if there is a mark, the part behind it.
fn halves(text: &[u8], mark: char) -> (&[u8], Option<&[u8]>) {
    let mut room = [0; 4];
    let found = match mark.encode_utf8(&mut room).as_bytes() {
        // Numbers are so short that a vector search would take longer to start than this search takes in all.
        [mark] => text.iter().position(|byte| byte == mark),
        mark => memmem::find(text, mark),
    };
    found.map_or((text, None), |at| (&text[..at], Some(&text[at + mark.len_utf8()..])))
}

/// Returns the value of an exponent, but not less than -2^60 or more than 2^60, which are as good as infinite.
fn exponent(text: &[u8]) -> i64 {
    const MOST: i64 = 1 << 60;
    let most = if text.starts_with(b"-") { -MOST } else { MOST };
    let value = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    value.map_or(most, |value: i64| value.clamp(-MOST, MOST))
}

/// Whether a kernel might read `text` as a number: it has a digit, or is a word for a float, like NaN.
pub fn may_be_number(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_digit) || str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok())
}

/// Returns what is wrong with an empty field in which `what` is expected.
pub fn empty(what: &str) -> String {
    format!("is empty; {what} is expected{}", no_value(b"").unwrap_or_default())
}

/// Returns the hint to use `--na` if `text` is one of the texts that programs write for a missing value.
pub fn no_value(text: &[u8]) -> Option<String> {
    const NO_VALUE: [&[u8]; 12] =
        [b"", b"NA", b"N/A", b"#N/A", b"NaN", b"nan", b"\\N", b"NULL", b"null", b"None", b"<NA>", b"."];
    let text = String::from_utf8_lossy(NO_VALUE.into_iter().find(|nothing| *nothing == text)?);
    Some(format!("; if that stands for no value, say so with --na '{text}'"))
}

/// Returns a hint for a field `text` that is not an integer. The hint names an option with which `text` would be an
/// integer, or would stand for a missing value.
pub fn hint(text: &[u8], notation: Notation) -> Option<String> {
    if let Some(hint) = no_value(text) {
        return Some(hint);
    }
    if notation.integer(text, text.len()) == Err(NoInteger::Float) {
        return Some("; whole numbers that are written as floats are read with --whole-floats".to_string());
    }
    let mark = [',', '.', '\'', ' ', '\u{a0}', '\u{202f}', '\u{2019}'].into_iter().find(|&mark| {
        let decimal = if mark == '.' { ',' } else { '.' };
        let grouped = Notation { decimal, thousands: Some(mark), whole_floats: false };
        notation.thousands != Some(mark) && grouped.integer(text, text.len()).is_ok()
    })?;
    let shown = if mark == '\'' { "\"'\"".to_string() } else { format!("'{mark}'") };
    let decimal = if mark == '.' && notation.decimal == '.' { " --decimal ','" } else { "" };
    Some(format!("; if {shown} stands between thousands, say so with --thousands {shown}{decimal}"))
}

#[cfg(test)]
mod tests;
