//! Finds column names that look alike but differ, and shows the difference.

use super::shown::shown;
use crate::error::{must_be_escaped, program};
use unicode_normalization::UnicodeNormalization;

/// The most characters of a name that [`spelt`] writes out, so that messages stay short.
const SPELT: usize = 100;

/// Returns the hint for a column name `asked` that the header lacks, if one of the header's `names` looks like it.
pub fn hint(asked: &[u8], names: &[Vec<u8>]) -> Option<String> {
    let asked = str::from_utf8(asked).ok()?;
    let find = |is_it: &dyn Fn(&str) -> bool| {
        let at = names.iter().position(|name| str::from_utf8(name).is_ok_and(is_it))?;
        Some((at + 1, str::from_utf8(&names[at]).ok()?))
    };
    if let Some((number, name)) = find(&|name| name.nfc().eq(asked.nfc())) {
        let [name, asked] = [name, asked].map(spelt);
        return Some(format!(
            "; column {number} is that name in another Unicode normal form, {name} where --columns has {asked}: use its number"
        ));
    }
    if let Some((number, name)) = find(&|name| likeness(name) == likeness(asked)) {
        let [name, asked] = [name, asked].map(spelt);
        return Some(format!("; column {number} is {name}, which is not {asked}"));
    }
    let latin: Option<Vec<u8>> = asked.chars().map(|c| u8::try_from(c).ok()).collect();
    let number = 1 + names.iter().position(|name| Some(name) == latin.as_ref())?;
    let pipe = format!("iconv -f LATIN1 -t UTF-8 FILE | {}", program());
    Some(format!("; column {number} is that name in Latin-1: use its number, or {pipe}"))
}

/// Returns the two differing names `one` and `other` for a message. If they look alike, non-ASCII characters are
/// written as numbers, to make the difference visible.
pub fn apart(one: &[u8], other: &[u8]) -> [String; 2] {
    match [one, other].map(str::from_utf8) {
        [Ok(one), Ok(other)] if likeness(one) == likeness(other) => [one, other].map(spelt),
        _ => [one, other].map(shown),
    }
}

/// Returns a key that is the same for two column names if a person could confuse them. The key ignores case, full or
/// half width, blanks, invisible characters, and leading `#` or `%`, the usual signs of a comment.
fn likeness(name: &str) -> String {
    let is_seen = |c: &char| !c.is_whitespace() && !must_be_escaped(*c);
    let name = name.trim_start_matches(['#', '%']);
    name.nfkc().flat_map(char::to_lowercase).filter(is_seen).nfkc().collect()
}

/// Returns `name` in quotes, with each non-ASCII or invisible character written as its Unicode number, such as
/// `\u{e9}`.
fn spelt(name: &str) -> String {
    let spell = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_ascii() && !must_be_escaped(c) => c.to_string(),
        c => c.escape_unicode().to_string(),
    };
    let more = if name.chars().nth(SPELT).is_some() { "…" } else { "" };
    format!("\"{}{more}\"", name.chars().take(SPELT).map(spell).collect::<String>())
}
