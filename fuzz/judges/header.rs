//! Judges the two kinds of header: that of a segment, in files of any content, and the row of column names, in any
//! text.

use super::{MOST, file, format};
use crate::csv::columns::Columns;
use crate::csv::record::{Line, Record, split};
use crate::csv::trimmed;
use crate::error::must_be_escaped;
use crate::input::Shape;
use crate::input::header::Headers;
use crate::ring::{Place, Segment, Sizes};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Checks that a worker attaches only to segments and uses no bytes outside them, and that in a text the row of names
/// is either found correctly or refused. The first byte of the input chooses the check.
pub fn header(bytes: &[u8]) {
    match bytes.split_first_chunk::<3>() {
        Some(([0, length, _], patches)) => segment(usize::from(*length), patches),
        Some(([1, _, _], content)) => drop(Segment::attach(file(content).into())),
        Some(([_, by_format, how], text)) => names(*by_format, *how, text),
        None => {}
    }
}

/// Attaches to a segment after changing some bytes of its header and, unless `length` is 0, its length. Each pair of
/// bytes in `patches` is an offset and the value to write there.
fn segment(length: usize, patches: &[u8]) {
    let made = Segment::shared(3, Sizes { head: 8, block: 64, room: 100 }).unwrap();
    let file = File::from(made.descriptor().unwrap());
    if length > 0 {
        file.set_len(length as u64 * 64).unwrap();
    }
    for [at, value] in patches.as_chunks().0 {
        file.write_at(&[*value], u64::from(*at % 48)).unwrap();
    }
    let Ok(mut attached) = Segment::attach(file.into()) else { return };
    let mut ends = attached.ends(0);
    for _ in 0..4 {
        let Ok(Some(mut filling)) = ends.reader.try_fill() else { break };
        filling.allocate().unwrap();
        filling.input().fill(b'x');
        filling.publish(Place::Slot(0..usize::MAX));
        let Some(mut claim) = ends.segment.try_claim(0) else { continue };
        claim.parts().2.fill(b'y');
    }
}

/// Finds the row of names in a text. `bytes` holds a list of columns, the name of the result column, and the text,
/// separated by bytes 0xff, which UTF-8 does not contain.
fn names(by_format: u8, how: u8, bytes: &[u8]) {
    let mut parts = bytes[..bytes.len().min(MOST)].splitn(3, |&byte| byte == 0xff);
    let mut part = || parts.next().unwrap_or_default();
    let (list, name, text, format) = (part(), part(), part(), format(by_format));
    let (Ok(list), Ok(name)) = (std::str::from_utf8(list), std::str::from_utf8(name)) else { return };
    let columns = match Columns::parse(list) {
        Ok(columns) => Some(columns),
        Err(what) => {
            assert!(!what.contains(must_be_escaped), "{what:?}");
            None
        }
    };
    let append = (how & 1 > 0).then(|| name.to_string());
    if append.as_ref().is_some_and(|name| !format.can_hold(name)) {
        return;
    }
    let shape = Shape {
        format,
        has_header: true,
        columns,
        fields: None,
        append: append.clone().map(|name| vec![name]),
        ..Shape::default()
    };
    let mut headers = Headers::default();
    let header = match headers.find(&shape, text, "a") {
        Ok(Some(header)) => header,
        Ok(None) => return,
        Err(bad) => {
            assert!(bad.place < text.len(), "{bad:?}");
            assert!(!bad.what.contains(must_be_escaped) && !bad.hint.contains(must_be_escaped), "{bad:?}");
            return;
        }
    };
    let before = &text[..header.length];
    assert!(header.length <= text.len() && (before.ends_with(b"\n") || before.len() == text.len()));
    // Only blank lines and comments may come before the header.
    let (mut at, mut fields) = (0, vec![]);
    let content = loop {
        match split(&text[at..], format, &mut fields) {
            Line::Nothing { length } => at += length,
            Line::Row { content, length } => {
                assert_eq!(at + length, header.length);
                break &text[at..at + content];
            }
            Line::Stray { .. } | Line::Unclosed { .. } => panic!("a header that is none was found"),
        }
    };
    let record = Record::new(content, &fields, None, format);
    assert!(header.head.columns.iter().flatten().all(|&at| at < record.len()));
    assert_eq!(header.head.fields, append.is_some().then(|| record.len()));
    assert_eq!(header.print.is_empty(), append.is_none());
    let Some(name) = append else { return };
    // The printed header must read as the names of the input and one name more.
    let mut printed_fields = vec![];
    let Line::Row { content, length } = split(&header.print, format, &mut printed_fields) else {
        panic!("{} is no row", header.print.escape_ascii());
    };
    assert_eq!(length, header.print.len());
    let printed = Record::new(&header.print[..content], &printed_fields, None, format);
    assert_eq!(printed.len(), record.len() + 1);
    assert!((0..record.len()).all(|at| printed.value(at) == record.value(at)));
    assert_eq!(trimmed(&printed.value(record.len())), trimmed(name.as_bytes()));
    assert!(headers.find(&shape, text, "b").unwrap().unwrap().print.is_empty());
}
