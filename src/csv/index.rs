//! Rows by an index of their fields' ends, which is made for a stretch of text at a time.
//!
//! It finds the same as [`split`], faster. Rows that it leaves to `split` are those with a quote that opens no field, those with a
//! stray carriage return, the last ones of a block, and all where there may be comments.

use super::Format;
use super::record::{Field, Line, nothing, split};
use super::structure::{Structure, WIDTH, equal, places};

/// How much text is indexed together. It is so much that it does not matter that the row at its end is looked at again, and so
/// little that it does not matter if the rest of the index is not needed.
const STRETCH: usize = 4096;

/// The ends of the fields in a stretch of text.
#[derive(Debug, Default)]
pub struct Index {
    ends: Vec<u32>,
    /// Which of the ends is the first that was not asked for yet.
    next: usize,
    /// Where the stretch ends.
    end: usize,
}

impl Index {
    /// Forgets the text, because another one is to follow.
    pub fn clear(&mut self) {
        self.ends.clear();
        (self.next, self.end) = (0, 0);
    }

    /// The line that begins at `at` in `text`; the fields of a row are left in `fields`. It is to be asked for one line after
    /// the other. What the index cannot tell, [`split`] does.
    pub fn line(&mut self, text: &[u8], at: usize, format: Format, fields: &mut Vec<Field>) -> Line {
        if let Some(length) = nothing(&text[at..], format) {
            return Line::Nothing { length };
        }
        self.indexed_row(text, at, format, fields).unwrap_or_else(|| split(&text[at..], format, fields))
    }

    /// The row that begins at `at`, if the index can tell.
    fn indexed_row(&mut self, text: &[u8], at: usize, format: Format, fields: &mut Vec<Field>) -> Option<Line> {
        if format.comment.is_some() {
            return None;
        }
        if at < self.end
            && let Some(line) = self.row(text, at, fields)
        {
            return Some(line);
        }
        self.look_at(text, at, format);
        self.row(text, at, fields)
    }

    /// The row that begins at `at`, if it ends in the stretch that is indexed.
    fn row(&mut self, text: &[u8], at: usize, fields: &mut Vec<Field>) -> Option<Line> {
        fields.clear();
        let mut start = at;
        loop {
            let end = *self.ends.get(self.next)? as usize;
            self.next += 1;
            if end < at {
                continue;
            }
            if text[end] != b'\n' {
                fields.push(Field::new(start, end, at));
                start = end + 1;
                continue;
            }
            let content = if end > start && text[end - 1] == b'\r' { end - 1 } else { end };
            fields.push(Field::new(start, content, at));
            return Some(Line::Row { content: content - at, length: end + 1 - at });
        }
    }

    /// Indexes a stretch of text from here, where a row begins.
    fn look_at(&mut self, text: &[u8], at: usize, format: Format) {
        self.clear();
        let mut structure = Structure::new(format);
        self.end = at;
        let stretch = &text[at..text.len().min(at + STRETCH)];
        // Most text has no carriage return. To look for one in all of the stretch costs less than in each word.
        let has_returns = memchr::memchr(b'\r', stretch).is_some();
        let mut after_return = 0;
        for bytes in stretch.as_chunks::<WIDTH>().0 {
            let Some(found) = structure.step(bytes) else { break };
            if has_returns {
                let returns = equal(bytes, b'\r') & !found.inside;
                // A carriage return before anything but a line end is stray. Its row has not ended before these bytes, so the index
                // stops before that row is complete, and leaves it to `split`.
                if (returns << 1 | after_return) & !found.ends_of_rows != 0 {
                    break;
                }
                after_return = returns >> (WIDTH - 1);
            }
            self.ends.extend(places(found.ends_of_fields).map(|place| (self.end + place) as u32));
            self.end += WIDTH;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_every_row_that_ends_in_whole_words() {
        let text = b"\"a, \"\"b\"\"\n\",12,18,x\r\n".repeat(1000);
        let (mut index, mut fields, format) = (Index::default(), vec![], Format::default());
        for at in (0..text.len() - 100).step_by(21) {
            let line = index.indexed_row(&text, at, format, &mut fields);
            assert_eq!((line, fields.len()), (Some(Line::Row { content: 19, length: 21 }), 4), "{at}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_it_tells_is_what_the_row_by_row_reader_finds(
            text in proptest::collection::vec(
                proptest::prop_oneof![200 => proptest::sample::select(b"\"\",,,\n\n1a ".as_slice()), 1 => proptest::strategy::Just(b'\r')],
                0..9000,
            ),
            quote in proptest::sample::select([Some(b'"'), None].as_slice()),
        ) {
            let format = Format { quote, ..Format::default() };
            let (mut index, mut whole, mut at, mut told) = (Index::default(), Index::default(), 0, 0);
            let (mut fields, mut expected) = (vec![], vec![]);
            while at < text.len() {
                let line = split(&text[at..], format, &mut expected);
                if nothing(&text[at..], format).is_none()
                    && let Some(found) = index.indexed_row(&text, at, format, &mut fields)
                {
                    proptest::prop_assert_eq!((found, &fields), (line, &expected));
                    told += 1;
                }
                proptest::prop_assert_eq!(whole.line(&text, at, format, &mut fields), line);
                match line.length() {
                    Some(length) => at += length,
                    None => break,
                }
            }
            proptest::prop_assert!(quote.is_some() || text.len() < 2000 || told > 0);
        }
    }
}
