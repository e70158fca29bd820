//! Scans: lists of what a pass over a text has found, from which rows are read ([`Index`](super::index::Index)).

use super::Format;
use super::list::{List, Places, Rest};
use super::pass::{Listed, pass};
use super::structure::{Found, Structure, WIDTH};
use crate::vectors::Vectors;
use std::ops::Range;

/// How far a pass over a text has come, and what it has listed.
#[derive(Debug)]
pub struct Scan {
    vectors: Vectors,
    /// What has been listed.
    pub lists: Lists,
    /// The state behind the bytes that have been looked at.
    structure: Structure,
    /// Up to which offset bytes have been looked at.
    seen: usize,
    /// Whether all bytes up to there are listed, from the start of the text on.
    is_whole: bool,
    /// How many line feeds are among the bytes that have been listed.
    line_feeds: usize,
}

impl Scan {
    /// Returns a scan that has not looked at any text yet.
    pub fn new(format: Format) -> Self {
        Scan::with(Vectors::here(), format)
    }

    /// Does what [`new`](Scan::new) does, with these vector instructions.
    pub(super) fn with(vectors: Vectors, format: Format) -> Self {
        let (lists, structure) = (Lists::default(), Structure::new(format));
        let mut scan = Scan { vectors, lists, structure, seen: 0, is_whole: true, line_feeds: 0 };
        scan.lists.clear();
        scan
    }

    /// Begins anew at offset `at` of a text, where a row must begin. It keeps its memory.
    pub fn restart(&mut self, at: usize) {
        self.structure = self.structure.restarted();
        (self.seen, self.is_whole, self.line_feeds) = (at, at == 0, 0);
        self.lists.clear();
    }

    /// Returns the number of line feeds in the first `length` bytes of the text, if just these have been listed.
    pub fn line_feeds(&self, length: usize) -> Option<usize> {
        (self.is_whole && self.seen == length).then_some(self.line_feeds)
    }

    /// Returns the state behind the bytes that have been looked at.
    pub fn structure(&self) -> &Structure {
        &self.structure
    }

    /// Returns up to which offset bytes have been looked at.
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// Forgets the text, but not the state behind it. The bytes behind it are a text of their own from now on.
    pub fn forget(&mut self) {
        (self.seen, self.is_whole) = (0, false);
    }

    /// Looks at the bytes of `text` up to offset `to`, and lists what is there.
    pub fn list(&mut self, text: &[u8], to: usize) {
        self.line_feeds += self.lists.extend(self.vectors, text, self.seen..to, &mut self.structure);
        self.seen = to;
    }

    /// Does what [`pass`] does for the bytes of `text` that have not been looked at, and lists nothing of them itself.
    pub fn pass<L: Listed>(&mut self, text: &[u8], listed: L) -> L {
        let range = self.seen..text.len();
        (self.seen, self.is_whole) = (text.len(), false);
        pass(self.vectors, text, range, &mut self.structure, listed)
    }

    /// Moves past the bytes of `text` that have not been looked at, in which there must be no quote that has a meaning.
    pub fn skip(&mut self, text: &[u8]) {
        self.structure.skip(&text[self.seen..]);
        (self.seen, self.is_whole) = (text.len(), false);
    }
}

/// What is listed of a text.
#[derive(Debug, Default)]
pub struct Lists {
    /// A stand-in for a delimiter before the text, and delimiters with a meaning.
    pub delimiters: List,
    /// Line ends with a meaning.
    pub line_ends: List,
    /// Bytes which show that a line is not an ordinary row.
    pub odd: Vec<u32>,
    /// Whether there was any carriage return outside quotes and comments.
    pub has_returns: bool,
}

impl Lists {
    /// Removes what is listed, so that another text can be.
    fn clear(&mut self) {
        self.line_ends.clear();
        self.delimiters.clear();
        self.delimiters.push(0);
        self.odd.clear();
        self.has_returns = false;
    }

    /// Lists what is in `range` of `text`, up to which `structure` has come. Returns the number of line feeds there.
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
    /// Carriage returns, those of all words in one.
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
