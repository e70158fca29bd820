//! Finds rows by an index of the ends of their fields, which is built for a stretch of text at a time.
//!
//! The results equal those of [`split`], but come faster. The index leaves some rows to `split`: rows with a quote that
//! does not open a field, rows with a stray carriage return, the last rows of a block, and all rows if the format has
//! comments or any number of blanks between fields.

use super::Format;
use super::record::{Field, Line, nothing, split};
use super::structure::{Structure, WIDTH, equal, places};

/// How many bytes are indexed at a time. The number is large, so that it costs little to index the row at the end of a
/// stretch a second time; and small, so that little is lost if the rest of the index turns out not to be needed.
const STRETCH: usize = 4096;

/// An index of where fields end in a stretch of text. `ends` holds the offsets in the text of the delimiters and line
/// feeds outside quotes, in order.
#[derive(Debug, Default)]
pub struct Index {
    ends: Vec<u32>,
    /// Position in `ends` of the first end that has not been used for a row yet.
    next: usize,
    /// Offset in the text at which the indexed stretch ends.
    end: usize,
}

impl Index {
    /// Empties the index. Must be called before `line` is called for another text.
    pub fn clear(&mut self) {
        self.ends.clear();
        (self.next, self.end) = (0, 0);
    }

    /// Returns what the line at offset `at` of `text` is, and puts the fields of a row into `fields`. Lines must be
    /// asked for in their order, because the index only moves forward. Lines that the index cannot handle go to
    /// [`split`].
    pub fn line(&mut self, text: &[u8], at: usize, format: Format, fields: &mut Vec<Field>) -> Line {
        if let Some(length) = nothing(&text[at..], format) {
            return Line::Nothing { length };
        }
        self.indexed_row(text, at, format, fields).unwrap_or_else(|| split(&text[at..], format, fields))
    }

    /// Returns the row at offset `at`, or `None` if it must be left to [`split`]. Indexes the next stretch if the row
    /// does not end in the current one.
    fn indexed_row(&mut self, text: &[u8], at: usize, format: Format, fields: &mut Vec<Field>) -> Option<Line> {
        if format.comment.is_some() || format.blanks {
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

    /// Returns the row at offset `at` and puts its fields into `fields`, or returns `None` if the row does not end in
    /// the indexed stretch.
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

    /// Indexes the stretch of `text` that begins at offset `at`, where a row must begin.
    fn look_at(&mut self, text: &[u8], at: usize, format: Format) {
        self.clear();
        let mut structure = Structure::new(format);
        self.end = at;
        let stretch = &text[at..text.len().min(at + STRETCH)];
        // Most text has no carriage return. One search through the whole stretch costs less than a search in every 64
        // bytes.
        let has_returns = memchr::memchr(b'\r', stretch).is_some();
        let mut after_return = 0;
        for bytes in stretch.as_chunks::<WIDTH>().0 {
            let Some(found) = structure.step(bytes) else { break };
            if has_returns {
                let returns = equal(bytes, b'\r') & !found.inside;
                // A carriage return that is not followed by a line end is stray. Its row has not ended before these 64
                // bytes, so if the index stops here, it has no complete entry for that row, and `split` reads it.
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
