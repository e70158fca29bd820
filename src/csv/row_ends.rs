//! Finds where whole rows end in text that arrives piece by piece. A line end within quotes does not end a row.

use super::Format;
use super::structure::{Structure, WIDTH};
use memchr::{memchr, memchr2, memrchr};

/// The search for row ends in a text that begins with a row. Each call of [`look_at`](RowEnds::look_at) continues the
/// search where the last call stopped.
#[derive(Debug)]
pub struct RowEnds {
    format: Format,
    /// How many bytes of the text have been looked at.
    seen: usize,
    /// The state of quotes behind the bytes that have been looked at.
    structure: Structure,
    /// Offset of the quote that opened the last quoted field.
    opened: usize,
    /// Whether the next byte is the first of a line, which may be a comment.
    begins_line: bool,
    /// Whether the text that has been looked at ends in a comment, in which quotes have no meaning.
    in_comment: bool,
    /// Offset at which the last whole row ends, or 0 if no row has ended yet.
    end: usize,
}

impl RowEnds {
    /// Returns a search that has not looked at any text yet.
    pub fn new(format: Format) -> Self {
        let structure = Structure::new(format);
        RowEnds { format, seen: 0, structure, opened: 0, begins_line: true, in_comment: false, end: 0 }
    }

    /// Returns the offset at which the last whole row ends in the text that has been looked at, or 0 if none does.
    pub fn end(&self) -> usize {
        self.end
    }

    /// Returns the offset of the quote that is still open at the end of the text that has been looked at, or `None` if
    /// none is open.
    pub fn open_quote(&self) -> Option<usize> {
        self.structure.is_inside().then_some(self.opened)
    }

    /// Whether the text that has been looked at ends in a comment, in which quotes have no meaning.
    pub fn is_in_comment(&self) -> bool {
        self.in_comment
    }

    /// Forgets the text that has been looked at, in which no row may end. The next call of `look_at` gets a text that
    /// begins with the byte behind it.
    pub fn forget(&mut self) {
        (self.seen, self.opened) = (0, 0);
    }

    /// Looks at the bytes of `text` behind those that the last call has looked at. `text` must begin as in the last
    /// call.
    pub fn look_at(&mut self, text: &[u8]) {
        let is_inside = self.structure.is_inside();
        match self.format.quote.filter(|&quote| is_inside || memchr(quote, &text[self.seen..]).is_some()) {
            None => self.pass_unquoted(text),
            Some(quote) => {
                while self.seen < text.len() {
                    if !self.stride(text) {
                        self.step(text, quote, text.len().min(self.seen + WIDTH));
                    }
                }
            }
        }
    }

    /// Handles the rest of `text`, in which no quote has a meaning, in one step.
    fn pass_unquoted(&mut self, text: &[u8]) {
        let news = &text[self.seen..];
        self.structure.pass(news);
        let mut line = news;
        if let Some(at) = memrchr(b'\n', news) {
            line = &news[at + 1..];
            self.end_line(self.seen + at + 1);
        }
        self.begin_line(line);
        self.seen = text.len();
    }

    /// Records that a line ends at offset `end`, which ends a row or a comment.
    fn end_line(&mut self, end: usize) {
        (self.end, self.begins_line, self.in_comment) = (end, true, false);
    }

    /// Finds out whether the current line is a comment, if `bytes` are the first bytes of that line.
    fn begin_line(&mut self, bytes: &[u8]) {
        if self.begins_line && !bytes.is_empty() {
            self.in_comment = self.format.begins_comment(bytes);
            self.begins_line = false;
        }
    }

    /// Handles the next 64 bytes in one step. Returns false and changes nothing if the bytes must be taken one by one:
    /// because the format has comments, a quote does not open a field, or fewer than 64 bytes are left.
    fn stride(&mut self, text: &[u8]) -> bool {
        let Some(bytes) = text[self.seen..].first_chunk().filter(|_| self.format.comment.is_none()) else {
            return false;
        };
        let Some(found) = self.structure.step(bytes) else { return false };
        if found.ends_of_rows != 0 {
            self.end = self.seen + WIDTH - found.ends_of_rows.leading_zeros() as usize;
        }
        if found.openers != 0 {
            self.opened = self.seen + WIDTH - 1 - found.openers.leading_zeros() as usize;
        }
        self.seen += WIDTH;
        true
    }

    /// Handles the next bytes up to offset `to`, moving from one quote or line feed to the next.
    fn step(&mut self, text: &[u8], quote: u8, to: usize) {
        while self.seen < to {
            let rest = &text[self.seen..to];
            self.begin_line(rest);
            let found = match (self.in_comment, self.structure.is_inside()) {
                (true, _) => memchr(b'\n', rest),
                (false, true) => memchr(quote, rest),
                (false, false) => memchr2(b'\n', quote, rest),
            };
            self.structure.pass(&rest[..found.unwrap_or(rest.len())]);
            let Some(at) = found.map(|at| self.seen + at) else {
                self.seen = to;
                return;
            };
            self.seen = at + 1;
            if text[at] != b'\n' {
                if self.structure.pass_quote() {
                    self.opened = at;
                }
            } else {
                self.structure.pass(b"\n");
                self.end_line(at + 1);
            }
        }
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
                proptest::prop_assert_eq!(ends.open_quote().is_some(), whole.open_quote().is_some());
                proptest::prop_assert_eq!(ends.is_in_comment(), whole.is_in_comment());
                ends.forget();
                forgotten = arrived;
            }
        }
    }
}
