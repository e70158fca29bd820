//! Recognizes, by its first bytes, an input that was given as CSV but is something else, and names a way to make CSV of
//! it.
//!
//! A crate for file types would only name the type. The user needs the command that makes CSV of the file, so the
//! tables here have a command for each type.

use crate::error::program;

/// The name of a file type, and the advice that goes with it: often a command, in which `PROGRAM` stands for the name
/// by which this program was called.
type Known = (&'static str, &'static str);

const BZIP2: Known = ("bzip2, not CSV", "bzip2 -dc FILE | PROGRAM");
const ZSTD: Known = ("zstd, not CSV", "zstd -dc FILE | PROGRAM");
const TAR: Known = ("a tar archive, not CSV", "tar -xOf FILE | PROGRAM");
const ZIP: Known = ("a zip archive, not CSV", "unzip -p FILE | PROGRAM");

/// The advice for spreadsheets and office documents, which LibreOffice can convert.
const OFFICE: &str = "save it as CSV where it was made, or: soffice --headless --convert-to csv FILE";
const ELSEWHERE: &str = "have it written as CSV by what made it";

/// First bytes that do not occur in text, so that they alone identify the type of the file.
const BINARY: [(&[&[u8]], Known); 28] = [
    (&[b"\x1f\x8b"], ("gzip, not CSV", "gzip -dc FILE | PROGRAM")),
    (&[b"\x1f\x9d"], ("compressed by compress, not CSV", "gzip -dc FILE | PROGRAM")),
    (&[b"\x28\xb5\x2f\xfd"], ZSTD),
    (&[b"\xfd7zXZ\0"], ("xz, not CSV", "xz -dc FILE | PROGRAM")),
    (&[b"]\0\0"], ("lzma, not CSV", "xz -dc FILE | PROGRAM")),
    (&[b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18"], ("lz4, not CSV", "lz4 -dc FILE | PROGRAM")),
    (&[b"LZIP\x01"], ("lzip, not CSV", "lzip -dc FILE | PROGRAM")),
    (&[b"\x89LZO\0"], ("lzop, not CSV", "lzop -dc FILE | PROGRAM")),
    (&[b"\xff\x06\0\0sNaPpY"], ("Snappy, not CSV", "snzip -dc FILE | PROGRAM")),
    (&[b"PK\x05\x06"], ("an empty zip archive, not CSV", ELSEWHERE)),
    (&[b"PK\x07\x08"], ZIP),
    (&[b"7z\xbc\xaf\x27\x1c"], ("a 7z archive, not CSV", "7z e -so FILE | PROGRAM")),
    (&[b"Rar!\x1a\x07"], ("a rar archive, not CSV", "unrar p -inul FILE | PROGRAM")),
    (&[b"\xd0\xcf\x11\xe0"], ("an Excel workbook (xls) or another Office document, not CSV", OFFICE)),
    (&[b"\x09\x08\x10\0"], ("an Excel workbook (xls), not CSV", OFFICE)),
    (&[b"SQLite format 3\0"], ("an SQLite database, not CSV", "sqlite3 -csv FILE 'SELECT a, b FROM t' | PROGRAM")),
    (&[b"ARROW1\0"], ("an Arrow file, not CSV", ELSEWHERE)),
    (&[b"Obj\x01"], ("Avro, not CSV", ELSEWHERE)),
    (&[b"\x89HDF"], ("HDF5, not CSV", ELSEWHERE)),
    (&[b"\x93NUMPY"], ("a NumPy array, not CSV", ELSEWHERE)),
    (&[b"\x80\x02}", b"\x80\x03", b"\x80\x04\x95", b"\x80\x05\x95"], ("a Python pickle, not CSV", ELSEWHERE)),
    (&[b"%PDF-"], ("a PDF, not CSV", ELSEWHERE)),
    (&[b"\x89PNG", b"\xff\xd8\xff"], ("an image, not CSV", ELSEWHERE)),
    (&[b"\x7fELF"], ("a program, not CSV", ELSEWHERE)),
    (&[b"-----BEGIN PGP MESSAGE"], ("encrypted, not CSV", "gpg -d FILE | PROGRAM")),
    (&[b"age-encryption.org/v1"], ("encrypted, not CSV", "age -d FILE | PROGRAM")),
    (&[b"\xff\xfe\0\0", b"\0\0\xfe\xff"], ("UTF-32, not UTF-8", "iconv -f UTF-32 -t UTF-8 FILE | PROGRAM")),
    (&[b"\xff\xfe", b"\xfe\xff"], ("UTF-16, not UTF-8", "iconv -f UTF-16 -t UTF-8 FILE | PROGRAM")),
];

/// Signatures of file types that consist of letters and digits. The name of a column could begin with the same bytes.
/// Therefore they identify the type only if the byte behind them is a control character or not ASCII.
const LETTERS: [(&[u8], Known); 4] = [
    (b"PAR1", ("Parquet, not CSV", "duckdb -csv -c \"FROM 'FILE'\" | PROGRAM -k A,B")),
    (b"PARE", ("encrypted Parquet, not CSV", ELSEWHERE)),
    (b"ORC", ("ORC, not CSV", ELSEWHERE)),
    (b"FEA1", ("a Feather file, not CSV", ELSEWHERE)),
];

const HTML: [&str; 7] = ["<!doctype", "<html", "<head", "<body", "<table", "<meta", "<!--"];

/// Formats of text other than CSV. Each entry has the beginnings of such a text (in upper or lower case), and a set of
/// bytes. A beginning counts only if one of these bytes follows, perhaps behind blanks, or if the bytes at hand end
/// there. If the set is empty, a beginning always counts.
const MARKED_UP: [(&[&str], &[u8], Known); 7] = [
    (&["<?xml", "<Workbook"], b"", ("XML, not CSV", "save it as CSV where it was made")),
    (
        &HTML,
        b"",
        ("HTML, not CSV", "save the table in it as CSV; a file that was downloaded may be a page that says why not"),
    ),
    (&["version https://git-lfs.github.com/spec/"], b"", ("a pointer of Git LFS, not the file", "git lfs pull")),
    (&["/annex/objects/"], b"", ("a pointer of git-annex, not the file", "git annex get FILE")),
    (&["{"], b"\"}", ("JSON, not CSV", "jq -r '[.a, .b] | @csv' FILE | PROGRAM")),
    (&["["], b"{", ("JSON, not CSV", "jq -r '.[] | [.a, .b] | @csv' FILE | PROGRAM")),
    (&["["], b"[", ("JSON, not CSV", "jq -r '.[] | @csv' FILE | PROGRAM")),
];

/// Encodings in which each ASCII character contains NUL bytes. The first number is how many bytes a character has. The
/// second is the index, from 0, of the byte that is not NUL.
const WIDE: [(usize, usize, Known); 4] = [
    (4, 0, ("UTF-32LE, not UTF-8", "iconv -f UTF-32LE -t UTF-8 FILE | PROGRAM")),
    (4, 3, ("UTF-32BE, not UTF-8", "iconv -f UTF-32BE -t UTF-8 FILE | PROGRAM")),
    (2, 0, ("UTF-16LE, not UTF-8", "iconv -f UTF-16LE -t UTF-8 FILE | PROGRAM")),
    (2, 1, ("UTF-16BE, not UTF-8", "iconv -f UTF-16BE -t UTF-8 FILE | PROGRAM")),
];

/// The most bytes of the first line that are searched for NUL bytes and control characters.
const LOOKED_AT: usize = 512;

/// Returns the hint for an input that begins with the bytes `start` (without a byte order mark): what the input is and
/// how to make CSV of it. Returns `None` if the input may be CSV.
pub fn disguise(start: &[u8]) -> Option<String> {
    let known = binary(start).or_else(|| marked_up(start)).or_else(|| no_text(start));
    let known = known.map(|(is, remedy)| (is, remedy.to_string()));
    let (is, remedy) = known.or_else(|| spreadsheet_line(start))?;
    Some(format!("; the input is {is}: {}", remedy.replace("PROGRAM", &program())))
}

fn binary(start: &[u8]) -> Option<Known> {
    match start {
        [b'P', b'K', 3, 4, ..] => return Some(zip(start)),
        [b'B', b'Z', b'h', b'1'..=b'9', b'1' | 0x17, ..] => return Some(BZIP2),
        // A skippable frame of Zstandard, with which the output of pzstd begins.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => return Some(ZSTD),
        _ if start.get(257..262) == Some(b"ustar") => return Some(TAR),
        _ => {}
    }
    let is_no_text = |byte: &u8| !byte.is_ascii() || byte.is_ascii_control();
    let has_letters = |letters: &[u8]| start.starts_with(letters) && start.get(letters.len()).is_some_and(is_no_text);
    let binary = BINARY.iter().find(|(fronts, _)| fronts.iter().any(|front| start.starts_with(front)));
    let letters = || LETTERS.iter().find(|(letters, _)| has_letters(letters)).map(|(_, known)| *known);
    binary.map(|(_, known)| *known).or_else(letters)
}

/// Returns the type of the zip archive that begins with the bytes `start`. Spreadsheets and office documents are zip
/// archives, too, and are recognized by the file names in the archive.
fn zip(start: &[u8]) -> Known {
    let has = |name: &str| memchr::memmem::find(start, name.as_bytes()).is_some();
    let first_name = start.get(30..).unwrap_or_default();
    let is_office =
        [&b"[Content_Types].xml"[..], b"_rels/", b"docProps/", b"xl/"].iter().any(|name| first_name.starts_with(name));
    match () {
        () if is_office && !has("word/") && !has("ppt/") => ("an Excel workbook (xlsx), not CSV", OFFICE),
        () if has("mimetypeapplication/vnd.oasis.opendocument.spreadsheet") => ("a spreadsheet (ods), not CSV", OFFICE),
        () if is_office || has("mimetypeapplication/vnd.oasis.opendocument") => ("an office document, not CSV", OFFICE),
        () if first_name.starts_with(b"Index/") => ("a Numbers spreadsheet, not CSV", OFFICE),
        () => ZIP,
    }
}

fn marked_up(start: &[u8]) -> Option<Known> {
    let text = start.trim_ascii_start();
    let begins = |opening: &str, next: &[u8]| {
        let Some((front, rest)) = text.split_at_checked(opening.len()) else { return false };
        let is_next = || next.is_empty() || rest.trim_ascii_start().first().is_none_or(|byte| next.contains(byte));
        front.eq_ignore_ascii_case(opening.as_bytes()) && is_next()
    };
    let found = MARKED_UP.iter().find(|(openings, next, _)| openings.iter().any(|opening| begins(opening, next)));
    let array = || (begins("[", b"") && is_array(text)).then_some(("JSON, not CSV", "jq -r @csv FILE | PROGRAM"));
    found.map(|(.., known)| *known).or_else(array)
}

/// Whether the first line of `text` is one flat JSON array.
fn is_array(text: &[u8]) -> bool {
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    line.ends_with(b"]") && line[1..].iter().filter(|byte| b"[]".contains(byte)).count() == 1
}

/// Recognizes text in an encoding of [`WIDE`], whose ASCII characters contain NUL bytes, and data that is not text at
/// all.
fn no_text(start: &[u8]) -> Option<Known> {
    let line = memchr::memchr(b'\n', start).unwrap_or(start.len());
    let looked_at = &start[..line.min(LOOKED_AT)];
    let nuls = memchr::memchr_iter(0, looked_at).count();
    if nuls == 0 {
        return None;
    }
    let is_wide = |width: usize, at: usize| {
        let mut characters = looked_at.chunks_exact(width);
        let is_one = |bytes: &[u8]| bytes.iter().enumerate().all(|(place, &byte)| (byte != 0) == (place == at));
        looked_at.len() >= 2 * width && characters.all(is_one)
    };
    if let Some((.., known)) = WIDE.iter().find(|(width, at, _)| is_wide(*width, *at)) {
        return Some(*known);
    }
    if nuls == looked_at.len() {
        return Some(("NUL bytes, not CSV", "it may not have been written to its end"));
    }
    // A single control character can be a mistake in a text. Several are taken for mistakes only if the text is valid
    // UTF-8, and less than a tenth of it are control characters.
    let controls = looked_at.iter().filter(|byte| matches!(byte, 0..=8 | 14..=26)).count();
    let is_text = controls < 2 || (str::from_utf8(looked_at).is_ok() && controls * 10 < looked_at.len());
    (!is_text).then_some(("no text", ELSEWHERE))
}

/// Recognizes a first line such as `sep=;`, which tells spreadsheet programs the delimiter and is not a row.
fn spreadsheet_line(start: &[u8]) -> Option<(&'static str, String)> {
    let line = start.split(|&byte| byte == b'\n').next()?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let (name, &[delimiter]) = line.split_at_checked(4)? else { return None };
    let option = delimiter_option(delimiter).filter(|_| name.eq_ignore_ascii_case(b"sep="))?;
    let option = if delimiter == b',' { String::new() } else { format!(" {option}") };
    Some(("CSV behind a line for spreadsheet programs", format!("PROGRAM --skip-lines 1{option} FILE")))
}

/// Returns the option that makes `delimiter` the delimiter, as it is typed in a shell. Returns `None` for bytes that
/// cannot be the delimiter: NUL, line ends, and bytes that may be part of values, such as digits and letters.
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
