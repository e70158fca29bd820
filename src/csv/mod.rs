//! CSV rows as text: the format they are written in, where they end, and how they are split into fields.
//!
//! [`record::split`] is the simple way to split a row. Tests compare the faster way with it. The faster way has three
//! steps. A vector [`pass`] over the text finds the delimiters and line ends that are not within quotes or comments
//! ([`structure`]). [`scan`] lists their offsets. [`index`] reads rows and fields from these lists. [`row_ends`] uses
//! the same pass to find where the last whole row ends.
//!
//! When a row or a header is bad, [`hints`], [`alike`], [`returns`] and [`disguise`] guess what the user meant, and
//! supply a hint for the message.

pub mod alike;
pub mod blanks;
pub mod columns;
pub mod disguise;
pub mod head;
pub mod hints;
pub mod index;
pub mod list;
pub mod notation;
pub mod pass;
pub mod record;
pub mod returns;
pub mod row_ends;
pub mod row_start;
pub mod scan;
pub mod shown;
pub mod structure;

use notation::Notation;

/// The characters that have a meaning in CSV text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Format {
    /// The byte between two fields of a row.
    pub delimiter: u8,
    /// The byte in front of and behind a field that contains delimiters or line ends. `None`: no byte has that meaning.
    pub quote: Option<u8>,
    /// The byte that a comment line begins with. `None`: there are no comments.
    pub comment: Option<u8>,
    /// Whether fields are separated by any number of blanks (spaces or tabs), which may also stand before the first
    /// field and behind the last one. If so, `quote` must be `None`, and `delimiter` must be a space, which is written
    /// between a row and the result that is appended to the row.
    pub blanks: bool,
    /// How numbers are written.
    pub notation: Notation,
}

impl Default for Format {
    /// Returns the format of RFC 4180: comma and double quotes, no comments.
    fn default() -> Self {
        Format { delimiter: b',', quote: Some(b'"'), comment: None, blanks: false, notation: Notation::default() }
    }
}

impl Format {
    /// Whether delimiter, quote and comment character differ from each other.
    pub(crate) fn is_unambiguous(self) -> bool {
        let Format { delimiter, quote, comment, .. } = self;
        ![quote, comment].contains(&Some(delimiter)) && (comment.is_none() || comment != quote)
    }

    /// Whether the characters of the format agree. The decimal point and the character between thousands must differ.
    /// If blanks separate fields, the delimiter must be a space, and there must be no quote.
    pub(crate) fn is_consistent(self) -> bool {
        let is_blank_delimited = self.delimiter == b' ' && self.quote.is_none();
        self.notation.thousands != Some(self.notation.decimal) && (!self.blanks || is_blank_delimited)
    }

    /// Returns what is appended to a row for an empty result. It is `NA` if blanks separate fields, because an empty
    /// text would not be a field there, and otherwise nothing.
    pub(crate) fn empty_field(self) -> &'static [u8] {
        if self.blanks { b"NA" } else { b"" }
    }

    /// Whether `byte` is a blank: a space or a tab. A delimiter is no blank, unless blanks separate fields. Blanks
    /// around a value are ignored, and a line of blanks only is not a row.
    pub fn is_blank(self, byte: u8) -> bool {
        matches!(byte, b' ' | b'\t') && (self.blanks || byte != self.delimiter)
    }

    /// Returns the quote that is used if the user names none. With tabs as delimiter that is `None`, because in TSV a
    /// value may begin with a quote, and two such values would make all rows between them one field.
    pub fn default_quote(delimiter: u8) -> Option<u8> {
        (delimiter != b'\t').then_some(b'"')
    }

    /// Whether a field in this format can hold `value`. A format with quotes can hold any value. Without quotes, it
    /// cannot hold a value with a delimiter or a line end, nor, if blanks separate fields, a value that is empty or has
    /// a blank.
    pub fn can_hold(self, value: impl AsRef<[u8]>) -> bool {
        let is_blank = |byte| self.blanks && self.is_blank(byte);
        let must_be_quoted = |&byte: &u8| byte == self.delimiter || matches!(byte, b'\r' | b'\n') || is_blank(byte);
        let value = value.as_ref();
        self.quote.is_some() || !(value.iter().any(must_be_quoted) || self.blanks && value.is_empty())
    }

    /// Appends `value` to `line` as a field of this format, in quotes if the value needs them and the format has
    /// quotes. `is_alone` says that the row has no other field. Then an empty or blank value is quoted, too, so that
    /// the row does not look like a blank line.
    pub(crate) fn append_field(self, line: &mut Vec<u8>, value: &[u8], is_alone: bool) {
        let Format { delimiter, quote: Some(quote), .. } = self else { return line.extend_from_slice(value) };
        let is_special = |&byte: &u8| byte == delimiter || byte == quote || byte == b'\n' || byte == b'\r';
        let looks_blank = is_alone && value.iter().all(u8::is_ascii_whitespace);
        if !looks_blank && !value.iter().any(is_special) && !self.begins_comment(value) {
            return line.extend_from_slice(value);
        }
        line.push(quote);
        for &byte in value {
            line.push(byte);
            if byte == quote {
                line.push(quote);
            }
        }
        line.push(quote);
    }

    /// Whether `field`, a text that begins where a field begins, starts with a quote.
    pub(crate) fn is_quoted(self, field: &[u8]) -> bool {
        self.quote.is_some_and(|quote| field.first() == Some(&quote))
    }

    /// Whether `line`, a text that begins where a line begins, starts with a comment.
    pub(crate) fn begins_comment(self, line: &[u8]) -> bool {
        self.comment.is_some_and(|comment| line.first() == Some(&comment))
    }
}

/// Returns `value` without the blanks around it.
pub fn trimmed(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let Some(first) = value.iter().position(|byte| !is_blank(byte)) else { return &[] };
    let last = value.iter().rposition(|byte| !is_blank(byte)).unwrap_or(first);
    &value[first..=last]
}

/// Returns the number of line feeds in `text`.
pub fn lines(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', text).count()
}
