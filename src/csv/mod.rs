//! Rows as text: how they are written, where they end, and what their fields are.

pub mod alike;
pub mod blocks;
pub mod columns;
pub mod disguise;
pub mod head;
pub mod hints;
pub mod index;
pub mod record;
pub mod returns;
pub mod shown;
pub mod structure;

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Format {
    /// What stands between fields.
    pub delimiter: u8,
    /// What stands around fields that hold delimiters or line ends; none where nothing does.
    pub quote: Option<u8>,
    /// What lines begin with that are no rows.
    pub comment: Option<u8>,
}

impl Default for Format {
    /// As RFC 4180 has it.
    fn default() -> Self {
        Format { delimiter: b',', quote: Some(b'"'), comment: None }
    }
}

impl Format {
    /// Whether a byte is a blank, which does not count around values, and not a line's only content.
    pub fn is_blank(self, byte: u8) -> bool {
        matches!(byte, b' ' | b'\t') && byte != self.delimiter
    }

    /// What stands around fields unless something else is said. Between tabs that is nothing, as TSV has it: a value may
    /// begin with a quote there, and two of these would swallow all rows between them.
    pub fn default_quote(delimiter: u8) -> Option<u8> {
        (delimiter != b'\t').then_some(b'"')
    }

    /// Whether a field can read like this: without quotes it has no delimiter and no line end in it.
    pub fn can_hold(self, value: &str) -> bool {
        self.quote.is_some() || !value.bytes().any(|byte| byte == self.delimiter || matches!(byte, b'\r' | b'\n'))
    }
}

/// A value without the blanks around it.
pub fn trimmed(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let Some(first) = value.iter().position(|byte| !is_blank(byte)) else { return &[] };
    let last = value.iter().rposition(|byte| !is_blank(byte)).unwrap_or(first);
    &value[first..=last]
}

/// How many line ends there are.
pub fn lines(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', text).count()
}
