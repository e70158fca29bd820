//! Where whole rows end in text that arrives piece by piece: not at a line end within quotes.

use super::Format;
use super::structure::{Structure, WIDTH};
use memchr::{memchr, memchr2, memrchr};

/// Looks through text that begins with a row, further with every call.
#[derive(Debug)]
pub struct RowEnds {
    format: Format,
    /// How far it has looked.
    seen: usize,
    /// Whether that is within quotes.
    is_open: bool,
    /// The quote that opened the last quoted field.
    opened: usize,
    /// Where a quote would open that field again, being the second of two that stand for one.
    reopens: Option<usize>,
    /// What is there is a comment.
    in_comment: bool,
    /// Where the last whole row ends.
    end: usize,
}

impl RowEnds {
    /// Nothing looked at yet.
    pub fn new(format: Format) -> Self {
        RowEnds { format, seen: 0, is_open: false, opened: 0, reopens: None, in_comment: false, end: 0 }
    }

    /// Where the last whole row ends, in what was looked at; 0 where none does.
    pub fn end(&self) -> usize {
        self.end
    }

    /// The quote that is open at the end of what was looked at.
    pub fn open_quote(&self) -> Option<usize> {
        self.is_open.then_some(self.opened)
    }

    /// Whether what was looked at ends in a comment.
    pub fn is_in_comment(&self) -> bool {
        self.in_comment
    }

    /// Forgets the text that was looked at, which has no end of a row, but for what is needed to look further: answers
    /// where that begins, and the text with it.
    pub fn forget(&mut self) -> usize {
        // What a quote follows tells whether it opens a field.
        let kept = self.seen.saturating_sub(1);
        self.seen -= kept;
        self.opened = 0;
        self.reopens = self.reopens.and_then(|at| at.checked_sub(kept));
        kept
    }

    /// Looks at what has come to `text` since the last call.
    pub fn look_at(&mut self, text: &[u8]) {
        let quote = self.format.quote.filter(|&quote| self.is_open || memchr(quote, &text[self.seen..]).is_some());
        let Some(quote) = quote else {
            self.pass(text);
            return;
        };
        while self.seen < text.len() {
            if !self.stride(text) {
                self.step(text, quote, text.len().min(self.seen + WIDTH));
            }
        }
    }

    /// Passes over text without a quote.
    fn pass(&mut self, text: &[u8]) {
        let mut is_at_start = self.seen == self.end;
        if let Some(at) = memrchr(b'\n', &text[self.seen..]) {
            self.end = self.seen + at + 1;
            (is_at_start, self.in_comment) = (true, false);
        }
        self.in_comment |= is_at_start && self.is_comment(text, self.end);
        self.seen = text.len();
    }

    fn is_comment(&self, text: &[u8], start: usize) -> bool {
        self.format.comment.is_some() && text.get(start).copied() == self.format.comment
    }

    fn begins_field(&self, text: &[u8], at: usize) -> bool {
        at.checked_sub(1).is_none_or(|before| text[before] == b'\n' || text[before] == self.format.delimiter)
    }

    /// Passes over the next bytes together, where nothing speaks against it.
    fn stride(&mut self, text: &[u8]) -> bool {
        let Some(bytes) = text[self.seen..].first_chunk().filter(|_| self.format.comment.is_none()) else {
            return false;
        };
        let begins_field = !self.is_open && self.begins_field(text, self.seen);
        let mut structure = Structure::at(self.format, self.is_open, begins_field, self.reopens == Some(self.seen));
        let Some(found) = structure.step(bytes) else { return false };
        if found.ends_of_rows != 0 {
            self.end = self.seen + WIDTH - found.ends_of_rows.leading_zeros() as usize;
        }
        if found.openers != 0 {
            self.opened = self.seen + WIDTH - 1 - found.openers.leading_zeros() as usize;
        }
        self.seen += WIDTH;
        self.is_open = structure.is_inside();
        self.reopens = structure.is_after_closer().then_some(self.seen);
        true
    }

    /// Passes over the next bytes, up to `to`, one that matters at a time.
    fn step(&mut self, text: &[u8], quote: u8, to: usize) {
        while self.seen < to {
            self.in_comment |= !self.is_open && self.seen == self.end && self.is_comment(text, self.seen);
            let rest = &text[self.seen..to];
            let found = match (self.in_comment, self.is_open) {
                (true, _) => memchr(b'\n', rest),
                (false, true) => memchr(quote, rest),
                (false, false) => memchr2(b'\n', quote, rest),
            };
            let Some(at) = found.map(|at| self.seen + at) else {
                self.seen = to;
                return;
            };
            self.seen = at + 1;
            if self.is_open {
                (self.is_open, self.reopens) = (false, Some(at + 1));
            } else if text[at] == b'\n' {
                (self.end, self.in_comment) = (at + 1, false);
            } else if self.reopens == Some(at) {
                self.is_open = true;
            } else if self.begins_field(text, at) {
                (self.is_open, self.opened) = (true, at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{Line, split};
    use super::*;

    /// Where the last row ends that is whole whatever follows, by the reader of rows.
    fn by_rows(text: &[u8], format: Format) -> usize {
        let mut end = 0;
        while end < text.len() {
            match split(&text[end..], format, &mut vec![]) {
                Line::Row { length, .. } | Line::Stray { length, .. } | Line::Nothing { length }
                    if text[..end + length].ends_with(b"\n") =>
                {
                    end += length;
                }
                _ => break,
            }
        }
        end
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_reader_of_rows_however_the_text_arrives(
            text in proptest::collection::vec(proptest::sample::select(b"\"\"\",,,,,\n\n1#\r".as_slice()), 0..400),
            cuts in proptest::collection::vec(proptest::prop_oneof![1..9usize, 50..200usize], 1..20),
            quote in proptest::sample::select([Some(b'"'), None].as_slice()),
            comment in proptest::sample::select([Some(b'#'), None].as_slice()),
        ) {
            let format = Format { quote, comment, ..Format::default() };
            let mut ends = RowEnds::new(format);
            let mut arrived = 0;
            for cut in cuts.into_iter().cycle() {
                arrived = text.len().min(arrived + cut);
                ends.look_at(&text[..arrived]);
                proptest::prop_assert_eq!(ends.end(), by_rows(&text[..arrived], format));
                if arrived == text.len() {
                    break;
                }
            }
        }
    }
}
