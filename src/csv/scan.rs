//! A scan goes through a text once, by [`pass`], and lists the offsets of its delimiters and line ends. An
//! [`Index`](super::index::Index) reads rows from these lists. [`structure`](super::structure) explains which
//! delimiters and line ends have a meaning.

use super::Format;
use super::list::{List, Places, Rest};
use super::pass::{Listed, pass};
use super::structure::{Found, Structure, WIDTH};
use crate::vectors::Vectors;
use std::ops::Range;

/// How far a text has been looked at, and what has been listed of it.
#[derive(Debug)]
pub struct Scan {
    vectors: Vectors,
    /// What has been listed.
    pub lists: Lists,
    /// The state at offset `seen`.
    structure: Structure,
    /// How many bytes of the text have been looked at.
    seen: usize,
    /// Whether the lists cover all of the first `seen` bytes of the text.
    is_whole: bool,
    /// How many line feeds are among the bytes that have been listed.
    line_feeds: usize,
}

impl Scan {
    /// Returns a scan that has not looked at any text yet.
    pub fn new(format: Format) -> Self {
        Scan::with(Vectors::here(), format)
    }

    /// Returns a new scan that uses these vector instructions.
    pub(super) fn with(vectors: Vectors, format: Format) -> Self {
        let (lists, structure) = (Lists::default(), Structure::new(format));
        let mut scan = Scan { vectors, lists, structure, seen: 0, is_whole: true, line_feeds: 0 };
        scan.lists.clear();
        scan
    }

    /// Forgets everything and begins at offset `at` of a text, where a row must begin. The memory of the lists is kept.
    pub fn restart(&mut self, at: usize) {
        self.structure = self.structure.restarted();
        (self.seen, self.is_whole, self.line_feeds) = (at, at == 0, 0);
        self.lists.clear();
    }

    /// Returns the number of line feeds in the first `length` bytes of the text. It is known only if these bytes, and
    /// no others, have been listed.
    pub fn line_feeds(&self, length: usize) -> Option<usize> {
        (self.is_whole && self.seen == length).then_some(self.line_feeds)
    }

    /// Returns the state after the last byte that has been looked at.
    pub fn structure(&self) -> &Structure {
        &self.structure
    }

    /// Returns how many bytes of the text have been looked at.
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// Forgets the text, but keeps the state at its end. The next call must be given the bytes that follow, as a text
    /// of their own.
    pub fn forget(&mut self) {
        (self.seen, self.is_whole) = (0, false);
    }

    /// Looks at `text` up to offset `to`, from where the last call stopped, and lists what is found.
    pub fn list(&mut self, text: &[u8], to: usize) {
        self.line_feeds += self.lists.extend(self.vectors, text, self.seen..to, &mut self.structure);
        self.seen = to;
    }

    /// Looks at the rest of `text`, passes what is found to `listed`, and returns `listed`. The lists of this scan stay
    /// as they are.
    pub fn visit<L: Listed>(&mut self, text: &[u8], listed: L) -> L {
        let range = self.seen..text.len();
        (self.seen, self.is_whole) = (text.len(), false);
        pass(self.vectors, text, range, &mut self.structure, listed)
    }

    /// Moves to the end of `text` without listing anything. The bytes that have not been looked at must begin outside
    /// quotes and contain no quote that has a meaning.
    pub fn skip(&mut self, text: &[u8]) {
        self.structure.skip(&text[self.seen..]);
        (self.seen, self.is_whole) = (text.len(), false);
    }
}

/// What is listed of a text.
#[derive(Debug, Default)]
pub struct Lists {
    /// The delimiters with a meaning, from index 1 on. The entry at index 0 is extra. It is 0 until the
    /// [`Index`](super::index::Index) takes delimiters of past rows out of the list. Then it is the last delimiter that
    /// was taken out.
    pub delimiters: List,
    /// Line ends with a meaning.
    pub line_ends: List,
    /// Bytes that show that a line is not an ordinary row ([`Found::odd`]).
    pub odd: Vec<u32>,
    /// Whether there was any carriage return outside quotes and comments.
    pub has_returns: bool,
}

impl Lists {
    /// Empties the lists, for another text.
    fn clear(&mut self) {
        self.line_ends.clear();
        self.delimiters.clear();
        self.delimiters.push(0);
        self.odd.clear();
        self.has_returns = false;
    }

    /// Lists what is in `range` of `text`. `structure` is the state at the start of the range, and is moved to its end.
    /// Returns the number of line feeds in the range.
    fn extend(&mut self, vectors: Vectors, text: &[u8], range: Range<usize>, structure: &mut Structure) -> usize {
        let (delimiters, line_ends) = (self.delimiters.rest(range.len()), self.line_ends.rest(range.len()));
        let listing = Listing { delimiters, line_ends, odd: &mut self.odd, returns: 0, line_feeds: 0 };
        let Listing { delimiters, line_ends, returns, line_feeds, .. } = pass(vectors, text, range, structure, listing);
        let counts = [delimiters.count, line_ends.count];
        self.delimiters.grow(counts[0]);
        self.line_ends.grow(counts[1]);
        self.has_returns |= returns != 0;
        line_feeds
    }
}

/// Lists that are being extended.
struct Listing<'l> {
    delimiters: Rest<'l>,
    line_ends: Rest<'l>,
    odd: &'l mut Vec<u32>,
    /// The bitwise OR of the carriage returns of all words: it tells only whether there are any.
    returns: u64,
    line_feeds: usize,
}

impl Listed for Listing<'_> {
    #[inline(always)]
    fn take(&mut self, at: u32, found: &Found, places: impl Fn(u64, u32, &mut Places) -> usize) {
        self.delimiters.fill(|room| places(found.delimiters, at, room));
        self.line_ends.fill(|room| places(found.line_ends, at, room));
        self.returns |= found.returns;
        self.line_feeds += found.line_feeds.count_ones() as usize;
        if found.odd != 0 {
            let mut odd = [0; WIDTH];
            let count = places(found.odd, at, &mut odd);
            self.odd.extend_from_slice(&odd[..count]);
        }
    }
}
