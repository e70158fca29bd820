//! Finds the delimiters and line ends that have a meaning, 64 bytes at a time.
//!
//! Each of the 64 bytes is represented by one bit of a word (G. Langdale and D. Lemire, "Parsing gigabytes of JSON per
//! second", 2019). A byte is within quotes if the number of quotes up to it is odd. This rule is right only if each
//! quote that makes the number odd is the first byte of a field: elsewhere outside quotes, a quote is an ordinary byte.
//! Where the 64 bytes contain such a quote, or a comment, the quotes are looked at one by one.

use super::Format;

/// How many bytes are examined together: as many as a `u64` has bits.
pub const WIDTH: usize = 64;

/// The state at one place in a text: everything about the bytes before that place that is needed to read on.
#[derive(Clone, Copy, Debug)]
pub struct Structure {
    format: Format,
    /// All ones if the bytes before this place end within quotes, else all zeros.
    inside: u64,
    /// All ones if the bytes before this place end within a comment, else all zeros.
    in_comment: u64,
    /// Of the bytes before this place, those that are delimiters or line ends with a meaning. The last byte is the highest bit. A
    /// quote opens a field only behind one of them. Before the text there is one.
    ends: u64,
    /// In the same way, the line ends. A comment begins only behind one.
    line_ends: u64,
    /// In the same way, quotes within quotes that are not the first of two. Such a quote closes the field unless another quote follows,
    /// which makes both stand for one.
    closers: u64,
    /// In the same way, carriage returns outside quotes.
    returns: u64,
}

/// What was found among 64 bytes: each word is a set of bytes, in which the lowest bit stands for the first byte.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// Delimiters outside quotes and comments.
    pub delimiters: u64,
    /// Line ends outside quotes, those of comments among them.
    pub line_ends: u64,
    /// Quotes that open a field.
    pub openers: u64,
    /// Carriage returns, wherever they are.
    pub returns: u64,
    /// First bytes of comments, and bytes outside quotes behind a carriage return that ends no line: a line that has one of these
    /// is not an ordinary row.
    pub odd: u64,
}

/// What quotes and comments make of 64 bytes.
struct Covered {
    /// Bytes whose delimiters and line ends have no meaning: within quotes, or in a comment before its line end.
    bytes: u64,
    openers: u64,
    /// Quotes within quotes that are not the first of two.
    closers: u64,
    comments: u64,
    ends_in_comment: bool,
}

impl Structure {
    /// Returns the state at the start of a line.
    pub fn new(format: Format) -> Self {
        let before = 1 << (WIDTH - 1);
        Structure { format, inside: 0, in_comment: 0, ends: before, line_ends: before, closers: 0, returns: 0 }
    }

    /// Whether the bytes so far end within quotes.
    pub fn is_inside(&self) -> bool {
        self.inside != 0
    }

    /// Whether the bytes so far end within a comment.
    pub fn is_in_comment(&self) -> bool {
        self.in_comment != 0
    }

    /// Moves the state past `bytes`, which must contain no quote that has a meaning; they do not begin within quotes.
    pub fn pass(&mut self, bytes: &[u8]) {
        let Some(&last) = bytes.last() else { return };
        let line = memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1);
        if line > 0 || self.line_ends >> (WIDTH - 1) == 1 {
            self.in_comment = if self.format.begins_comment(&bytes[line..]) { u64::MAX } else { 0 };
        }
        let is = |byte: u8| u64::from(last == byte) << (WIDTH - 1);
        (self.line_ends, self.returns, self.closers) = (is(b'\n'), is(b'\r'), 0);
        self.ends = self.line_ends | is(self.format.delimiter) & !self.in_comment;
    }

    /// Does what [`step`](Structure::step) does for 64 bytes without quotes, comments and carriage returns. Returns `None` and changes
    /// nothing if there may be any.
    #[inline(always)]
    pub fn plain_step(&mut self, bytes: &[u8; WIDTH], equal: impl Fn(&[u8; WIDTH], u8) -> u64) -> Option<Found> {
        let unusual = [self.format.quote, self.format.comment].map(|byte| byte.unwrap_or(b'\r'));
        let unusual = equal(bytes, unusual[0]) | equal(bytes, unusual[1]) | equal(bytes, b'\r');
        if unusual | self.inside | self.in_comment | self.returns >> (WIDTH - 1) != 0 {
            return None;
        }
        let (line_ends, delimiters) = (equal(bytes, b'\n'), equal(bytes, self.format.delimiter));
        (self.ends, self.line_ends, self.closers) = (delimiters | line_ends, line_ends, 0);
        Some(Found { delimiters, line_ends, ..Found::default() })
    }

    /// Finds the delimiters, line ends and quotes in the first `length` of these bytes, of which there must be some, and moves the
    /// state past them. `equal` returns the set of bytes that equal a byte.
    #[inline(always)]
    pub fn step(&mut self, bytes: &[u8; WIDTH], length: usize, equal: impl Fn(&[u8; WIDTH], u8) -> u64) -> Found {
        let rest = WIDTH - length;
        let equal = |byte| equal(bytes, byte) & u64::MAX >> rest;
        let (line_ends, delimiters, returns) = (equal(b'\n'), equal(self.format.delimiter), equal(b'\r'));
        let quotes = self.format.quote.map_or(0, equal);
        let comments = self.format.comment.map_or(0, |comment| equal(comment) & behind(line_ends, self.line_ends));
        // A copy, so that the state itself can stay in registers.
        let before = *self;
        let quick = if comments | self.in_comment == 0 {
            before.quick(quotes, delimiters | line_ends)
        } else {
            (quotes | self.inside == 0).then(|| before.without_quotes(comments, line_ends))
        };
        let covered = quick.unwrap_or_else(|| before.exact(quotes, comments, delimiters, line_ends));
        let is_covered = covered.bytes >> (length - 1) & 1 == 1;
        self.in_comment = if covered.ends_in_comment { u64::MAX } else { 0 };
        self.inside = if is_covered && !covered.ends_in_comment { u64::MAX } else { 0 };
        let (line_ends, delimiters) = (line_ends & !covered.bytes, delimiters & !covered.bytes);
        let (found_returns, returns) = (returns, returns & !covered.bytes);
        let strays = behind(returns, self.returns) & !line_ends & u64::MAX >> rest;
        self.ends = (delimiters | line_ends) << rest;
        (self.line_ends, self.closers, self.returns) = (line_ends << rest, covered.closers << rest, returns << rest);
        let odd = covered.comments | strays;
        Found { delimiters, line_ends, openers: covered.openers, returns: found_returns, odd }
    }

    /// Finds what is within quotes by counting them. Returns `None` if there is a quote that is an ordinary byte.
    #[inline(always)]
    fn quick(&self, quotes: u64, ends: u64) -> Option<Covered> {
        let bytes = if quotes == 0 { self.inside } else { parity(quotes) ^ self.inside };
        let (openers, closers) = (quotes & bytes, quotes & !bytes);
        let reopeners = openers & behind(closers, self.closers);
        let openers = openers & !reopeners;
        let is_right = openers & !behind(ends & !bytes, self.ends) == 0;
        is_right.then_some(Covered { bytes, openers, closers, comments: 0, ends_in_comment: false })
    }

    /// Finds what is in comments where there are no quotes: the bytes from the first one of a line that is a comment up to its line end.
    /// Where one is added to the bytes that are no line ends, it is carried from there to the next line end.
    #[inline(always)]
    fn without_quotes(&self, comments: u64, line_ends: u64) -> Covered {
        let (carried, ends_in_comment) = (!line_ends).overflowing_add(comments | self.in_comment & 1);
        Covered { bytes: !line_ends & !carried, openers: 0, closers: 0, comments, ends_in_comment }
    }

    /// Finds what is within quotes and in comments by looking at quotes and line ends one by one. `comments` are the bytes that
    /// begin a comment if the line before them ends outside quotes.
    #[cold]
    #[inline(never)]
    fn exact(self, quotes: u64, comments: u64, delimiters: u64, line_ends: u64) -> Covered {
        #[derive(PartialEq)]
        enum In {
            Quotes,
            Comment,
            Neither,
        }
        let mut covered = Covered { bytes: 0, openers: 0, closers: 0, comments: 0, ends_in_comment: false };
        let mut within = match (self.is_in_comment(), self.is_inside()) {
            (true, _) => In::Comment,
            (_, true) => In::Quotes,
            _ => In::Neither,
        };
        let begins_field = behind(delimiters | line_ends, self.ends);
        let (mut from, mut rest) = (0, quotes | comments | line_ends);
        while rest != 0 {
            let at = rest.trailing_zeros();
            let byte = 1 << at;
            rest &= !byte;
            match within {
                In::Quotes if quotes & byte != 0 => {
                    // Two quotes stand for one.
                    if quotes & byte << 1 != 0 {
                        rest &= !(byte << 1);
                        continue;
                    }
                    covered.closers |= byte;
                }
                In::Comment if line_ends & byte != 0 => {}
                In::Neither if quotes & byte != 0 => {
                    let (opens, reopens) = (begins_field & byte != 0, at == 0 && behind(0, self.closers) == 1);
                    if opens || reopens {
                        covered.openers |= if opens { byte } else { 0 };
                        (within, from) = (In::Quotes, at);
                    }
                    continue;
                }
                In::Neither if comments & byte != 0 => {
                    covered.comments |= byte;
                    (within, from) = (In::Comment, at);
                    continue;
                }
                _ => continue,
            }
            covered.bytes |= u64::MAX << from & (byte - 1);
            within = In::Neither;
        }
        if within != In::Neither {
            covered.bytes |= u64::MAX << from;
        }
        covered.ends_in_comment = within == In::Comment;
        covered
    }
}

/// Returns the set of bytes behind those in `bits`, given what is so found of the 64 bytes before.
#[inline(always)]
fn behind(bits: u64, before: u64) -> u64 {
    bits << 1 | before >> (WIDTH - 1)
}

/// Returns a word in which each bit is 1 if the number of ones in `bits` up to and including that bit is odd.
#[inline(always)]
fn parity(bits: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].into_iter().fold(bits, |bits, shift| bits ^ bits << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_behind_an_odd_number_of_quotes_is_inside() {
        assert_eq!(parity(0b1001_0010), !0 << 7 | 0b0000_1110);
    }
}
