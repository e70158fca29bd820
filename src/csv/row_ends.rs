//! Finds where whole rows end in text that arrives piece by piece. A line end within quotes does not end a row.

use super::Format;
use super::list::Places;
use super::pass::{Listed, pass};
use super::structure::{Found, Structure};
use crate::vectors::Vectors;
use memchr::{memchr, memrchr};

/// The search for row ends in a text that begins with a row. Each call of [`look_at`](RowEnds::look_at) continues the
/// search where the last call stopped.
#[derive(Debug)]
pub struct RowEnds {
    vectors: Vectors,
    quote: Option<u8>,
    /// How many bytes of the text have been looked at.
    seen: usize,
    /// The state behind the bytes that have been looked at.
    structure: Structure,
    /// Offset at which the last whole row ends, or 0 if no row has ended yet.
    end: usize,
}

/// The last word that has line ends. Each bit stands for a byte, the lowest one for that at offset `at`.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    at: u32,
    line_ends: u64,
}

impl Listed for Last {
    #[inline(always)]
    fn take(&mut self, at: u32, found: &Found, _: impl Fn(u64, u32, &mut Places) -> usize) {
        self.at = if found.line_ends == 0 { self.at } else { at };
        self.line_ends = if found.line_ends == 0 { self.line_ends } else { found.line_ends };
    }
}

impl RowEnds {
    /// Returns a search that has not looked at any text yet.
    pub fn new(format: Format) -> Self {
        let (vectors, structure) = (Vectors::here(), Structure::new(format));
        RowEnds { vectors, quote: format.quote, seen: 0, structure, end: 0 }
    }

    /// Returns the offset at which the last whole row ends in the text that has been looked at, or 0 if none does.
    pub fn end(&self) -> usize {
        self.end
    }

    /// Whether the text that has been looked at ends within quotes.
    #[cfg(any(test, fuzzing))]
    pub fn is_inside(&self) -> bool {
        self.structure.is_inside()
    }

    /// Whether the text that has been looked at ends in a comment, in which quotes have no meaning.
    pub fn is_in_comment(&self) -> bool {
        self.structure.is_in_comment()
    }

    /// Forgets the text that has been looked at, in which no row may end. The next call of `look_at` gets a text that
    /// begins with the byte behind it.
    pub fn forget(&mut self) {
        self.seen = 0;
    }

    /// Looks at the bytes of `text` behind those that the last call has looked at. `text` must begin as in the last
    /// call.
    pub fn look_at(&mut self, text: &[u8]) {
        let news = &text[self.seen..];
        let is_inside = self.structure.is_inside();
        if self.quote.is_some_and(|quote| is_inside || memchr(quote, news).is_some()) {
            let range = self.seen..text.len();
            let Last { at, line_ends } = pass(self.vectors, text, range, &mut self.structure, Last::default());
            if let Some(last) = line_ends.checked_ilog2() {
                self.end = (at + last) as usize + 1;
            }
        } else {
            // Without quotes every line end counts, so the last is enough.
            self.structure.pass(news);
            if let Some(at) = memrchr(b'\n', news) {
                self.end = self.seen + at + 1;
            }
        }
        self.seen = text.len();
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::split;
    use super::*;

    /// Returns the offset at which the last row ends that cannot be changed by what follows, found row by row with
    /// [`split`].
    fn by_rows(text: &[u8], format: Format) -> usize {
        let mut end = 0;
        while end < text.len() {
            match split(&text[end..], format, &mut vec![]).length() {
                Some(length) if text[..end + length].ends_with(b"\n") => end += length,
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

        #[test]
        fn text_without_an_end_of_a_row_can_be_forgotten(
            text in proptest::collection::vec(proptest::sample::select(b"\"\"\",,\n1#".as_slice()), 0..200),
            cuts in proptest::collection::vec(1..90usize, 1..20),
            quote in proptest::sample::select([Some(b'"'), None].as_slice()),
            comment in proptest::sample::select([Some(b'#'), None].as_slice()),
        ) {
            let format = Format { quote, comment, ..Format::default() };
            let (mut whole, mut ends) = (RowEnds::new(format), RowEnds::new(format));
            let (mut arrived, mut forgotten) = (0, 0);
            for cut in cuts {
                arrived = text.len().min(arrived + cut);
                whole.look_at(&text[..arrived]);
                ends.look_at(&text[forgotten..arrived]);
                if whole.end() > 0 {
                    proptest::prop_assert_eq!(forgotten + ends.end(), whole.end());
                    break;
                }
                proptest::prop_assert_eq!(ends.end(), 0);
                proptest::prop_assert_eq!(ends.is_inside(), whole.is_inside());
                proptest::prop_assert_eq!(ends.is_in_comment(), whole.is_in_comment());
                ends.forget();
                forgotten = arrived;
            }
        }
    }
}
