//! Finds the delimiters and line ends that have a meaning, 64 bytes at a time. Within quotes they have none: they are
//! part of a value. Within a comment, only the line end at its end has one.
//!
//! Each of the 64 bytes is represented by one bit of a word (G. Langdale and D. Lemire, "Parsing gigabytes of JSON per
//! second", 2019). A byte is within quotes if the number of quotes up to that byte is odd. This rule holds only if
//! every quote has a meaning. A quote in a field that does not begin with a quote has none: it is an ordinary byte. If
//! the 64 bytes contain such an ordinary quote, or quotes and a comment, the rule is not used, and the quotes are
//! looked at one by one.

use super::Format;

/// How many bytes are examined together: as many as a `u64` has bits.
pub const WIDTH: usize = 64;

/// The state at a place in a text: what must be known about the bytes before that place, to go on from there. A field
/// that answers a question about one byte is 1 for yes and 0 for no.
#[derive(Clone, Copy, Debug)]
pub struct Structure {
    format: Format,
    /// The byte of quotes and the byte that begins comments, each with a mask of all ones. If the format has no such
    /// byte, there is a carriage return in its place, with a mask of all zeros. A carriage return does no harm, because
    /// [`plain_step`](Structure::plain_step) looks for it in any case.
    quote: (u8, u64),
    comment: (u8, u64),
    /// All ones if the bytes before this place end within quotes, else all zeros.
    inside: u64,
    /// All ones if the bytes before this place end within a comment, else all zeros.
    in_comment: u64,
    /// Whether a quote at this place would open a field, and not be an ordinary byte. This holds only if the place is
    /// outside quotes. A quote opens a field at the start of the text and behind a delimiter or line end that is
    /// outside quotes. A quote directly behind a closing quote opens the field again: the two are one escaped quote.
    may_open: u64,
    /// Whether the byte before this place is a line end. Only behind a line end can a comment begin.
    line_end: u64,
    /// Whether the byte before this place is a carriage return outside quotes.
    is_return: u64,
}

/// What was found among 64 bytes: each word is a set of bytes, in which the lowest bit stands for the first byte.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// Delimiters outside quotes and comments.
    pub delimiters: u64,
    /// Line ends outside quotes. The line end of a comment is one of them.
    pub line_ends: u64,
    /// All line feeds, also those within quotes.
    pub line_feeds: u64,
    /// Carriage returns outside quotes and comments.
    pub returns: u64,
    /// Bytes that show that their line is not an ordinary row: the first byte of a comment, and a byte outside quotes
    /// that follows a carriage return and is no line feed.
    pub odd: u64,
}

/// Which of 64 bytes lie within quotes or comments.
struct Covered {
    /// The bytes within quotes, and those of comments before their line ends. Delimiters and line ends among them have
    /// no meaning.
    bytes: u64,
    /// Quotes that close a field. The first of two quotes that stand for one can be among them: the second quote then
    /// opens the field again.
    closers: u64,
    /// The first bytes of comments.
    comments: u64,
    ends_in_comment: bool,
}

impl Structure {
    /// Returns the state at the start of a line.
    pub fn new(format: Format) -> Self {
        let meant = |byte: Option<u8>| (byte.unwrap_or(b'\r'), if byte.is_some() { u64::MAX } else { 0 });
        let (quote, comment) = (meant(format.quote), meant(format.comment));
        Structure { format, quote, comment, inside: 0, in_comment: 0, may_open: 1, line_end: 1, is_return: 0 }
    }

    /// Returns the state at the start of a line of another text in the same format.
    pub fn restarted(&self) -> Self {
        Structure::new(self.format)
    }

    /// Whether the bytes so far end within quotes.
    pub fn is_inside(&self) -> bool {
        self.inside != 0
    }

    /// Whether the bytes so far end within a comment.
    pub fn is_in_comment(&self) -> bool {
        self.in_comment != 0
    }

    /// Moves the state past `bytes`, which must begin outside quotes and contain no quote that has a meaning.
    pub fn skip(&mut self, bytes: &[u8]) {
        let Some(&last) = bytes.last() else { return };
        let line = memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1);
        if line > 0 || self.line_end == 1 {
            self.in_comment = if self.format.begins_comment(&bytes[line..]) { u64::MAX } else { 0 };
        }
        let is = |byte: u8| u64::from(last == byte);
        (self.line_end, self.is_return) = (is(b'\n'), is(b'\r'));
        self.may_open = self.line_end | is(self.format.delimiter) & !self.in_comment;
    }

    /// Does what [`step`](Structure::step) does, but only for 64 plain bytes. Plain bytes lie outside quotes and
    /// comments. None of them is a quote, a carriage return or a byte with which a comment could begin, and the byte
    /// before them is no carriage return. For other bytes this returns `None` and changes nothing.
    #[inline(always)]
    pub fn plain_step(&mut self, bytes: &[u8; WIDTH], equal: impl Fn(&[u8; WIDTH], u8) -> u64) -> Option<Found> {
        let unusual = equal(bytes, self.quote.0) | equal(bytes, self.comment.0) | equal(bytes, b'\r');
        if unusual | self.inside | self.in_comment | self.is_return != 0 {
            return None;
        }
        let (line_ends, delimiters) = (equal(bytes, b'\n'), equal(bytes, self.format.delimiter));
        (self.line_end, self.may_open) = (line_ends >> (WIDTH - 1), (delimiters | line_ends) >> (WIDTH - 1));
        Some(Found { delimiters, line_ends, line_feeds: line_ends, ..Found::default() })
    }

    /// Finds the delimiters and line ends among the first `length` of these bytes, except those inside quotes or
    /// comments. Moves the state past these bytes. `length` is at least 1.
    ///
    /// `equal` returns the set of those of the 64 bytes that equal a given byte. `parity` returns the prefix XOR of its
    /// argument: each bit is the XOR of the argument's bits from the lowest up to the same bit.
    #[inline(always)]
    pub fn step(
        &mut self,
        bytes: &[u8; WIDTH],
        length: usize,
        equal: impl Fn(&[u8; WIDTH], u8) -> u64,
        parity: impl Fn(u64) -> u64,
    ) -> Found {
        let equal = |byte| equal(bytes, byte) & u64::MAX >> (WIDTH - length);
        let (line_ends, delimiters, returns) = (equal(b'\n'), equal(self.format.delimiter), equal(b'\r'));
        let quotes = equal(self.quote.0) & self.quote.1;
        let comments = equal(self.comment.0) & self.comment.1 & behind(line_ends, self.line_end);
        let ends = delimiters | line_ends;
        if comments | self.in_comment == 0 {
            let bytes = parity(quotes) ^ self.inside;
            let (within, closers) = (quotes & bytes, quotes & !bytes);
            // Counting quotes tells which bytes are inside them, provided that each quote that makes the count odd is
            // the first byte of a field or directly follows a closing quote.
            if within & !behind(ends & !bytes | closers, self.may_open) == 0 {
                let covered = Covered { bytes, closers, comments: 0, ends_in_comment: false };
                return self.leave(&covered, length, [line_ends, delimiters, returns]);
            }
        }
        let covered = if quotes | self.inside == 0 {
            self.without_quotes(comments, line_ends)
        } else {
            // `exact` takes a copy: if it took a reference, the state could not stay in registers. The copy is made
            // only in this rare case.
            { *self }.exact(quotes, comments, ends, line_ends)
        };
        self.leave(&covered, length, [line_ends, delimiters, returns])
    }

    /// Moves the state past `length` bytes, and returns which of the line ends, delimiters and carriage returns among
    /// them have a meaning.
    #[inline(always)]
    fn leave(&mut self, covered: &Covered, length: usize, [line_ends, delimiters, returns]: [u64; 3]) -> Found {
        let last = |bits: u64| bits >> (length - 1) & 1;
        let meant = !covered.bytes;
        let line_feeds = line_ends;
        let (line_ends, delimiters, returns) = (line_ends & meant, delimiters & meant, returns & meant);
        let strays = behind(returns, self.is_return) & !line_ends & u64::MAX >> (WIDTH - length);
        self.in_comment = if covered.ends_in_comment { u64::MAX } else { 0 };
        self.inside = last(covered.bytes).wrapping_neg() & !self.in_comment;
        self.may_open = last(delimiters | line_ends | covered.closers);
        (self.line_end, self.is_return) = (last(line_ends), last(returns));
        Found { delimiters, line_ends, line_feeds, returns, odd: covered.comments | strays }
    }

    /// Finds the bytes of comments if there are no quotes. A comment reaches from its first byte to its line end. The
    /// sum adds 1 at the first byte of each comment to the set of bytes that are not line ends. The carry clears the
    /// bits of the comment, and stops at the line end, because the bit of a line end is 0.
    #[inline(always)]
    fn without_quotes(&self, comments: u64, line_ends: u64) -> Covered {
        let (carried, ends_in_comment) = (!line_ends).overflowing_add(comments | self.in_comment & 1);
        Covered { bytes: !line_ends & !carried, closers: 0, comments, ends_in_comment }
    }

    /// Finds which bytes lie within quotes or comments by looking at quotes and line ends one by one. Each byte in
    /// `comments` begins a comment if it lies outside quotes.
    #[cold]
    #[inline(never)]
    fn exact(self, quotes: u64, comments: u64, ends: u64, line_ends: u64) -> Covered {
        #[derive(PartialEq)]
        enum In {
            Quotes,
            Comment,
            Neither,
        }
        let mut covered = Covered { bytes: 0, closers: 0, comments: 0, ends_in_comment: false };
        let mut within = match (self.is_in_comment(), self.is_inside()) {
            (true, _) => In::Comment,
            (_, true) => In::Quotes,
            _ => In::Neither,
        };
        let may_open = behind(ends, self.may_open);
        let (mut from, mut rest) = (0, quotes | comments | line_ends);
        while rest != 0 {
            let at = rest.trailing_zeros();
            let byte = 1 << at;
            rest &= !byte;
            match within {
                In::Quotes if quotes & byte != 0 => {
                    // Two quotes within quotes stand for one quote in the value.
                    if quotes & byte << 1 != 0 {
                        rest &= !(byte << 1);
                        continue;
                    }
                    covered.closers |= byte;
                }
                In::Comment if line_ends & byte != 0 => {}
                In::Neither if quotes & byte != 0 => {
                    if may_open & byte != 0 {
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

/// Returns the set of bytes that follow a byte in the set `bits`. `before` is 1 if the byte before the first of the 64
/// bytes counts as a member of the set, and otherwise 0.
#[inline(always)]
fn behind(bits: u64, before: u64) -> u64 {
    bits << 1 | before
}
