//! Finds where the last whole row ends in a text that arrives piece by piece. A line end within quotes does not end a
//! row.

use super::Format;
use super::list::Places;
use super::pass::Listed;
use super::scan::Scan;
use super::structure::Found;
use memchr::{memchr, memrchr};

/// The longest text whose delimiters and line ends are listed, in bytes. Each of the two lists reserves four bytes for
/// each byte of the text, so the lists of a longer text would take too much memory. A window of up to 1 MiB is below
/// this limit, even with the end of its last row, which lies behind the window.
const MOST_LISTED: usize = 2 << 20;

/// The search for row ends in a text that begins with a row. Each call of [`look_at`](RowEnds::look_at) continues the
/// search where the last call stopped.
#[derive(Debug)]
pub struct RowEnds {
    quote: Option<u8>,
    /// The scan, which knows how far the text has been looked at. Its lists are filled only if `is_listing`.
    scan: Scan,
    /// Whether the lists have the delimiters and line ends of all the text that has been looked at.
    is_listing: bool,
    /// Offset at which the last whole row ends, or 0 if no row has ended yet.
    end: usize,
}

/// The line ends in the last group of 64 bytes that has any. Each bit stands for one byte, and the lowest bit for the
/// byte at offset `at`.
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
        RowEnds { quote: format.quote, scan: Scan::new(format), is_listing: false, end: 0 }
    }

    /// Begins anew with another text. If the first piece of the text has quotes, the search also lists the delimiters
    /// and line ends of the text. Otherwise it lists nothing, because it is faster to search for the last line feed
    /// only.
    pub fn restart_listing(&mut self) {
        self.scan.restart(0);
        (self.is_listing, self.end) = (true, 0);
    }

    /// Returns the scan if its lists reach exactly from the start of the text to the last row end.
    pub fn listed(&mut self) -> Option<&mut Scan> {
        (self.is_listing && self.scan.seen() == self.end).then_some(&mut self.scan)
    }

    /// Returns the offset at which the last whole row ends in the text that has been looked at, or 0 if none does.
    pub fn end(&self) -> usize {
        self.end
    }

    /// Whether the text that has been looked at ends within quotes.
    #[cfg(any(test, fuzzing))]
    pub fn is_inside(&self) -> bool {
        self.scan.structure().is_inside()
    }

    /// Whether the text that has been looked at ends in a comment, in which quotes have no meaning.
    pub fn is_in_comment(&self) -> bool {
        self.scan.structure().is_in_comment()
    }

    /// Forgets the text that has been looked at. Call this only if no row has ended in that text. The next call of
    /// `look_at` must be given the bytes that follow, as a text of their own.
    pub fn forget(&mut self) {
        self.scan.forget();
        self.is_listing = false;
    }

    /// Looks at the bytes of `text` that have not been looked at. The bytes before them must be the same as in the last
    /// call.
    pub fn look_at(&mut self, text: &[u8]) {
        let seen = self.scan.seen();
        let news = &text[seen..];
        let is_inside = self.scan.structure().is_inside();
        let has_quotes = self.quote.is_some_and(|quote| is_inside || memchr(quote, news).is_some());
        self.is_listing &= (has_quotes || seen > 0) && text.len() <= MOST_LISTED;
        if self.is_listing {
            self.scan.list(text, text.len());
            self.end = self.scan.lists.line_ends.get().last().map_or(0, |&last| last as usize + 1);
        } else if has_quotes {
            let Last { at, line_ends } = self.scan.visit(text, Last::default());
            if let Some(last) = line_ends.checked_ilog2() {
                self.end = (at + last) as usize + 1;
            }
        } else {
            // Without quotes every line end ends a row, so it is enough to find the last line end.
            self.scan.skip(text);
            if let Some(at) = memrchr(b'\n', news) {
                self.end = seen + at + 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::split;
    use super::*;

    /// Returns where the last whole row ends, found row by row with [`split`]. A row is whole if it has its line end.
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
