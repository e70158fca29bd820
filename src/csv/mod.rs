//! Rows as text: how they are written, where they end, and what their fields are.
//!
//! [`record::split`] is the plain way to split a row. [`index`] finds the same rows faster, and [`row_ends`] finds only their
//! ends; both are built on [`structure`]. What a bad row or a header may have been meant to be is guessed by [`hints`], [`alike`],
//! [`returns`] and [`disguise`].

pub mod alike;
pub mod columns;
pub mod disguise;
pub mod head;
pub mod hints;
pub mod index;
pub mod record;
pub mod returns;
pub mod row_ends;
pub mod row_start;
pub mod shown;
pub mod structure;

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Format {
    /// What stands between fields.
    pub delimiter: u8,
    /// What stands around fields that hold delimiters or line ends. `None`: no byte has that meaning.
    pub quote: Option<u8>,
    /// What lines that are comments begin with. `None`: there are no comments.
    pub comment: Option<u8>,
}

impl Default for Format {
    /// As RFC 4180 has it.
    fn default() -> Self {
        Format { delimiter: b',', quote: Some(b'"'), comment: None }
    }
}

impl Format {
    /// Whether a byte is a blank. Blanks around a value do not count, and a line of nothing else is no row.
    pub fn is_blank(self, byte: u8) -> bool {
        matches!(byte, b' ' | b'\t') && byte != self.delimiter
    }

    /// The quote where nothing else is said. Between tabs that is none, as TSV has it: a value may begin with a quote there, and
    /// two such values would swallow all rows between them.
    pub fn default_quote(delimiter: u8) -> Option<u8> {
        (delimiter != b'\t').then_some(b'"')
    }

    /// Whether a field can have this value: without quotes it cannot hold a delimiter or a line end.
    pub fn can_hold(self, value: impl AsRef<[u8]>) -> bool {
        let must_be_quoted = |&byte: &u8| byte == self.delimiter || matches!(byte, b'\r' | b'\n');
        self.quote.is_some() || !value.as_ref().iter().any(must_be_quoted)
    }

    /// Whether the field that begins here begins with a quote.
    pub(crate) fn is_quoted(self, field: &[u8]) -> bool {
        self.quote.is_some_and(|quote| field.first() == Some(&quote))
    }

    /// Whether the line that begins here is a comment.
    pub(crate) fn begins_comment(self, line: &[u8]) -> bool {
        self.comment.is_some_and(|comment| line.first() == Some(&comment))
    }
}

/// A value without the blanks around it.
pub fn trimmed(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let Some(first) = value.iter().position(|byte| !is_blank(byte)) else { return &[] };
    let last = value.iter().rposition(|byte| !is_blank(byte)).unwrap_or(first);
    &value[first..=last]
}

/// How many line ends there are in a text.
pub fn lines(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', text).count()
}
