//! Files that are taken for CSV and are something else, told by their first bytes: each with what makes CSV of it.

use crate::error::program;

/// What to do about such a file.
#[derive(Clone, Copy)]
enum Remedy {
    /// This command writes the rows.
    Pipe(&'static str),
    /// This command writes them under a header.
    Export(&'static str),
    /// This is said.
    Do(&'static str),
}
use Remedy::{Do, Export, Pipe};

/// What spreadsheets, documents and tables of other programs are turned into CSV by.
const OFFICE: Remedy = Do("save it as CSV where it was made, or: soffice --headless --convert-to csv FILE");
const ELSEWHERE: Remedy = Do("have it written as CSV by what made it");

/// First bytes that text does not have, so that they say what the file is.
const BINARY: [(&[u8], &str, Remedy); 35] = [
    (b"\x1f\x8b", "gzip, not CSV", Pipe("gzip -dc FILE")),
    (b"\x1f\x9d", "compressed by compress, not CSV", Pipe("gzip -dc FILE")),
    (b"\x28\xb5\x2f\xfd", "zstd, not CSV", Pipe("zstd -dc FILE")),
    (b"\xfd7zXZ\0", "xz, not CSV", Pipe("xz -dc FILE")),
    (b"]\0\0", "lzma, not CSV", Pipe("xz -dc FILE")),
    (b"\x04\x22\x4d\x18", "lz4, not CSV", Pipe("lz4 -dc FILE")),
    (b"\x02\x21\x4c\x18", "lz4, not CSV", Pipe("lz4 -dc FILE")),
    (b"LZIP\x01", "lzip, not CSV", Pipe("lzip -dc FILE")),
    (b"\x89LZO\0", "lzop, not CSV", Pipe("lzop -dc FILE")),
    (b"\xff\x06\0\0sNaPpY", "Snappy, not CSV", Pipe("snzip -dc FILE")),
    (b"PK\x05\x06", "an empty zip archive, not CSV", ELSEWHERE),
    (b"PK\x07\x08", "a zip archive, not CSV", Pipe("unzip -p FILE")),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive, not CSV", Pipe("7z e -so FILE")),
    (b"Rar!\x1a\x07", "a rar archive, not CSV", Pipe("unrar p -inul FILE")),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook (xls) or another Office document, not CSV", OFFICE),
    (b"\x09\x08\x10\0", "an Excel workbook (xls), not CSV", OFFICE),
    (b"SQLite format 3\0", "an SQLite database, not CSV", Pipe("sqlite3 -csv FILE 'SELECT a, b FROM t'")),
    (b"ARROW1\0", "an Arrow file, not CSV", ELSEWHERE),
    (b"Obj\x01", "Avro, not CSV", ELSEWHERE),
    (b"\x89HDF", "HDF5, not CSV", ELSEWHERE),
    (b"\x93NUMPY", "a NumPy array, not CSV", ELSEWHERE),
    (b"\x80\x02}", "a Python pickle, not CSV", ELSEWHERE),
    (b"\x80\x03", "a Python pickle, not CSV", ELSEWHERE),
    (b"\x80\x04\x95", "a Python pickle, not CSV", ELSEWHERE),
    (b"\x80\x05\x95", "a Python pickle, not CSV", ELSEWHERE),
    (b"%PDF-", "a PDF, not CSV", ELSEWHERE),
    (b"\x89PNG", "an image, not CSV", ELSEWHERE),
    (b"\xff\xd8\xff", "an image, not CSV", ELSEWHERE),
    (b"\x7fELF", "a program, not CSV", ELSEWHERE),
    (b"-----BEGIN PGP MESSAGE", "encrypted, not CSV", Pipe("gpg -d FILE")),
    (b"age-encryption.org/v1", "encrypted, not CSV", Pipe("age -d FILE")),
    (b"\xff\xfe\0\0", "UTF-32, not UTF-8", Pipe("iconv -f UTF-32 -t UTF-8 FILE")),
    (b"\0\0\xfe\xff", "UTF-32, not UTF-8", Pipe("iconv -f UTF-32 -t UTF-8 FILE")),
    (b"\xff\xfe", "UTF-16, not UTF-8", Pipe("iconv -f UTF-16 -t UTF-8 FILE")),
    (b"\xfe\xff", "UTF-16, not UTF-8", Pipe("iconv -f UTF-16 -t UTF-8 FILE")),
];

/// First letters that a name of a column may have too: it is one of these if what follows is no text.
const LETTERS: [(&[u8], &str, Remedy); 4] = [
    (b"PAR1", "Parquet, not CSV", Export("duckdb -csv -c \"FROM 'FILE'\"")),
    (b"PARE", "encrypted Parquet, not CSV", ELSEWHERE),
    (b"ORC", "ORC, not CSV", ELSEWHERE),
    (b"FEA1", "a Feather file, not CSV", ELSEWHERE),
];

/// How much of the first line is looked at for signs of text in a wide encoding or of no text.
const LOOKED_AT: usize = 512;

/// The hint for an input that begins like this, without its byte order mark: what it is and what to do; none where it may
/// well be CSV.
pub fn disguise(start: &[u8]) -> Option<String> {
    let (is, remedy) =
        known(start).or_else(|| text(start)).or_else(|| no_text(start)).or_else(|| spreadsheet_line(start))?;
    Some(format!("; the input is {is}: {remedy}"))
}

impl Remedy {
    fn say(self) -> String {
        match self {
            Pipe(command) => format!("{command} | {}", program()),
            Export(command) => format!("{command} | {} -k A,B", program()),
            Do(what) => what.to_string(),
        }
    }
}

fn known(start: &[u8]) -> Option<(String, String)> {
    let says = |&(_, is, remedy): &(&[u8], &str, Remedy)| (is.to_string(), remedy.say());
    if start.starts_with(b"PK\x03\x04") {
        return Some(says(&zip(start)));
    }
    if let [b'B', b'Z', b'h', b'1'..=b'9', b'1' | 0x17, ..] = start {
        return Some(says(&(b"", "bzip2, not CSV", Pipe("bzip2 -dc FILE"))));
    }
    // A frame to be skipped, as pzstd writes it.
    if let [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] = start {
        return Some(says(&(b"", "zstd, not CSV", Pipe("zstd -dc FILE"))));
    }
    if start.get(257..262) == Some(b"ustar") {
        return Some(says(&(b"", "a tar archive, not CSV", Pipe("tar -xOf FILE"))));
    }
    let no_text = |after: Option<&u8>| after.is_some_and(|&byte| !byte.is_ascii() || byte.is_ascii_control());
    let letters = || LETTERS.iter().find(|known| start.starts_with(known.0) && no_text(start.get(known.0.len())));
    BINARY.iter().find(|known| start.starts_with(known.0)).or_else(letters).map(says)
}

/// Spreadsheets and documents are zip archives, too: the names in them tell.
fn zip(start: &[u8]) -> (&'static [u8], &'static str, Remedy) {
    let has = |name: &str| memchr::memmem::find(start, name.as_bytes()).is_some();
    let first_name = start.get(30..).unwrap_or_default();
    let is_office =
        [&b"[Content_Types].xml"[..], b"_rels/", b"docProps/", b"xl/"].iter().any(|name| first_name.starts_with(name));
    let is = match () {
        () if is_office && !has("word/") && !has("ppt/") => "an Excel workbook (xlsx), not CSV",
        () if has("mimetypeapplication/vnd.oasis.opendocument.spreadsheet") => "a spreadsheet (ods), not CSV",
        () if is_office || has("mimetypeapplication/vnd.oasis.opendocument") => "an office document, not CSV",
        () if first_name.starts_with(b"Index/") => "a Numbers spreadsheet, not CSV",
        () => return (b"", "a zip archive, not CSV", Pipe("unzip -p FILE")),
    };
    (b"", is, OFFICE)
}

/// Text that is marked up in another way.
fn text(start: &[u8]) -> Option<(String, String)> {
    let text = start.trim_ascii_start();
    let begins = |with: &str| text.get(..with.len()).is_some_and(|front| front.eq_ignore_ascii_case(with.as_bytes()));
    let after = |opening: usize| text[opening..].trim_ascii_start().first().copied();
    let (is, remedy) = if begins("<?xml") || begins("<Workbook") {
        ("XML, not CSV", Do("save it as CSV where it was made"))
    } else if ["<!doctype", "<html", "<head", "<body", "<table", "<meta", "<!--"].iter().any(|tag| begins(tag)) {
        ("HTML, not CSV", Do("save the table in it as CSV; a file that was downloaded may be a page that says why not"))
    } else if begins("version https://git-lfs.github.com/spec/") {
        ("a pointer of Git LFS, not the file", Do("git lfs pull"))
    } else if begins("/annex/objects/") {
        ("a pointer of git-annex, not the file", Do("git annex get FILE"))
    } else if begins("{") && matches!(after(1), Some(b'"' | b'}') | None) {
        ("JSON, not CSV", Pipe("jq -r '[.a, .b] | @csv' FILE"))
    } else if begins("[") && matches!(after(1), Some(b'{') | None) {
        ("JSON, not CSV", Pipe("jq -r '.[] | [.a, .b] | @csv' FILE"))
    } else if begins("[") && after(1) == Some(b'[') {
        ("JSON, not CSV", Pipe("jq -r '.[] | @csv' FILE"))
    } else if begins("[") && is_array(text) {
        ("JSON, not CSV", Pipe("jq -r @csv FILE"))
    } else {
        return None;
    };
    Some((is.to_string(), remedy.say()))
}

/// Whether the first line is one JSON array of numbers and texts.
fn is_array(text: &[u8]) -> bool {
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    line.ends_with(b"]") && line[1..].iter().filter(|byte| b"[]".contains(byte)).count() == 1
}

/// Text with NUL bytes in every character, or no text at all.
fn no_text(start: &[u8]) -> Option<(String, String)> {
    let line = memchr::memchr(b'\n', start).unwrap_or(start.len());
    let looked_at = &start[..line.min(LOOKED_AT)];
    let nuls = memchr::memchr_iter(0, looked_at).count();
    if nuls == 0 {
        return None;
    }
    // Which byte of each character it is that has a value, where the others are NUL.
    let wide = |width: usize, at: usize| {
        let mut characters = looked_at.chunks_exact(width);
        let is_one = |bytes: &[u8]| bytes.iter().enumerate().all(|(place, &byte)| (byte != 0) == (place == at));
        looked_at.len() >= 2 * width && characters.all(is_one)
    };
    let encodings = [(4, 0, "UTF-32LE"), (4, 3, "UTF-32BE"), (2, 0, "UTF-16LE"), (2, 1, "UTF-16BE")];
    if let Some((_, _, name)) = encodings.iter().find(|&&(width, at, _)| wide(width, at)) {
        return Some((format!("{name}, not UTF-8"), format!("iconv -f {name} -t UTF-8 FILE | {}", program())));
    }
    if nuls == looked_at.len() {
        return Some(("NUL bytes, not CSV".to_string(), "it may not have been written to its end".to_string()));
    }
    let controls = looked_at.iter().filter(|byte| matches!(byte, 0..=8 | 14..=26)).count();
    let is_text = controls < 2 || (str::from_utf8(looked_at).is_ok() && controls * 10 < looked_at.len());
    (!is_text).then(|| ("no text".to_string(), ELSEWHERE.say()))
}

/// A first line that tells spreadsheet programs what stands between fields, and is no row.
fn spreadsheet_line(start: &[u8]) -> Option<(String, String)> {
    let line = start.split(|&byte| byte == b'\n').next()?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let (name, &[delimiter]) = line.split_at_checked(4)? else { return None };
    let option = delimiter_option(delimiter).filter(|_| name.eq_ignore_ascii_case(b"sep="))?;
    let option = if delimiter == b',' { String::new() } else { format!(" {option}") };
    let what = "CSV behind a line for spreadsheet programs".to_string();
    Some((what, format!("tail -n +2 FILE | {}{option}", program())))
}

/// The option that has this stand between fields, as it is typed in a shell; none where values may have it in them.
pub fn delimiter_option(delimiter: u8) -> Option<String> {
    match delimiter {
        b'\t' => Some("-d tab".to_string()),
        b'\'' => Some("-d \"'\"".to_string()),
        0 | b'\n' | b'\r' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | 0x80.. => None,
        b' '..=b'~' => Some(format!("-d '{}'", char::from(delimiter))),
        control => Some(format!("-d $'\\x{control:02x}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_csv_is_left_alone() {
        for text in [
            "",
            "1",
            "12,18\n",
            "a,b\n",
            "PAR1,PAR2\n",
            "ORCID,a\n",
            "[a],[b]\n",
            "[1],[2]\n",
            "{a},{b}\n",
            "<a>,<b>\n",
            "BZh1,b\n",
            "1\0,2\n",
            "sep=\n",
            "sep=ab\n",
            "separator;a\n",
            "PK,b\n",
            "größe,b\n",
            "%,b\n",
            "Rar!,b\n",
            "version,b\n",
        ] {
            assert_eq!(disguise(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(disguise(b"12,\xff8\n"), None);
    }

    #[test]
    fn as_little_as_a_first_line_is_enough() {
        for start in [
            &b"PK\x03\x04\n"[..],
            b"\x89HDF\r\n",
            b"{\n",
            b"[\n",
            b"\xff\xfe\n",
            b"1\0,\x002\0\n",
            b"\x001\0,\x002\0\n",
        ] {
            assert!(disguise(start).is_some(), "{}", start.escape_ascii());
        }
    }
}
