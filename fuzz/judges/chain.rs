//! Judges `input::windows::Windows`: windows of a file, each of which is told where the rows before end, must have the rows of one
//! sequential pass.

use super::{MOST, file, format};
use crate::csv::Format;
use crate::csv::record::split;
use crate::input::windows::{Cutter, Windows};
use rustix::fd::AsFd;

/// Returns the ends of all whole rows of the text, found row by row with [`split`].
fn ends(text: &[u8], format: Format) -> Vec<usize> {
    let (mut ends, mut at) = (vec![], 0);
    while at < text.len() {
        match split(&text[at..], format, &mut vec![]).length() {
            Some(length) if text[..at + length].ends_with(b"\n") => at += length,
            _ => break,
        }
        ends.push(at);
    }
    ends
}

/// Returns where the rows end that begin at `start` and in front of `cut`; `None` if the text ends before, or one of them has more
/// than `most` bytes.
fn expected(ends: &[usize], start: usize, cut: usize, most: usize) -> Option<usize> {
    if start >= cut {
        return Some(start);
    }
    let last = ends.iter().position(|&end| end >= cut)?;
    let mut begins = std::iter::once(&0).chain(ends);
    ends[..=last].iter().all(|&end| end - begins.next().unwrap_or(&0) <= most || end <= start).then_some(ends[last])
}

/// Checks the rows of windows of any lengths, whether or not they were read and guessed before their turn, and the rest of
/// these rows, which another worker takes up.
pub fn chain(bytes: &[u8]) {
    let Some((&[how, most, lengths @ ..], text)) = bytes.split_first_chunk::<8>() else { return };
    let (format, text, most) = (format(how), &text[..text.len().min(MOST)], 16 + usize::from(most));
    let (ends, file) = (ends(text, format), file(text));
    let mut windows = Windows::new(Cutter { format, most }, file.as_fd());
    let (mut offset, mut start) = (0, 0);
    for way in lengths.iter().cycle() {
        let length = 1 + usize::from(way & 63);
        windows.begin(offset as u64, length);
        if way & 64 > 0 {
            windows.read().unwrap();
        }
        if way & 128 > 0 {
            windows.guess();
        }
        let found = windows.end_of_rows(start - offset).unwrap();
        assert_eq!(found.map(|end| offset + end), expected(&ends, start, offset + length, most), "from {start}");
        let Some(end) = found else { break };
        let rows = start - offset..end;
        assert_eq!(windows.rows(&rows).unwrap(), &text[start..offset + end]);
        let rest = rows.start + rows.len() / 2..rows.end;
        windows.begin(offset as u64, length);
        assert_eq!(windows.rows(&rest).unwrap(), &text[offset + rest.start..offset + rest.end]);
        (offset, start) = (offset + length, offset + end);
    }
}
