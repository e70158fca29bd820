//! Windows of a file: finds the rows that begin in a range of a file, without having seen what comes before it.
//!
//! The rows of a window are those that begin in it. They begin where the rows of the previous window end, and end with
//! the last row that begins before the window's end. The chain (`ring/chain.rs`) tells the caller where the rows begin,
//! and the caller tells this module. Where rows end depends on quotes, and therefore on where the first row begins.
//! Until that is known, this module guesses that the rows begin with the first line of the window. If the guess proves
//! right, the end is known at once; if it proves wrong, only the time for guessing is lost. A third of this file is
//! tests.

use crate::csv::Format;
use crate::csv::row_ends::RowEnds;
use crate::csv::scan::Scan;
use crate::error::has_become_shorter;
use memchr::memchr;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{Advice, fadvise};
use rustix::io::{Errno, ReadWriteFlags, pread, preadv2, retry_on_intr};
use std::io::{self, IoSliceMut};
use std::num::NonZeroU64;
use std::ops::Range;

/// A window is read together with this many sixteenths of its length behind it, because its last row usually ends
/// there. These are at least 64 bytes, and at most [`LEAST`], which is also the least that a later read takes.
const BEHIND: usize = 1;
/// How many bytes at least are read at a time if the last row does not end in the bytes read at first.
const LEAST: usize = 4096;

/// Asks the system to read this range of the file ahead, unless its beginning is in memory. Asking for 4 MiB that are
/// in memory already would take 65 µs. Looking whether the first byte is in memory takes 1 µs.
pub fn announce(file: impl AsFd, range: Range<u64>) {
    let file = file.as_fd();
    let look = preadv2(file, &mut [IoSliceMut::new(&mut [0])], range.start, ReadWriteFlags::NOWAIT);
    if look == Err(Errno::AGAIN) {
        let _ = fadvise(file, range.start, NonZeroU64::new(range.end - range.start), Advice::WillNeed);
    }
}

/// How the rows in windows of a file are found.
#[derive(Clone, Copy, Debug)]
pub struct Cutter {
    /// The format of the rows.
    pub format: Format,
    /// The most bytes that a row may have.
    pub most: usize,
}

/// The search for the end of the last row that begins before a cut. The text begins with a row, and is longer in each
/// call of [`find`](LastRow::find).
struct LastRow {
    cut: usize,
    /// The most bytes that a row may have.
    most: usize,
    /// How many bytes of the text have been looked at.
    seen: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    /// The last row ends here.
    End(usize),
    /// A row is longer than `most` bytes.
    TooLong,
    /// The last row does not end in the text so far.
    More,
}

impl LastRow {
    /// Returns a search in a text of which nothing has been looked at. `cut` counts from the start of the text.
    fn new(most: usize, cut: usize) -> Self {
        LastRow { cut, most, seen: 0 }
    }

    /// Looks for the end in `text`, which must begin with the text of the last call. `ends` must have looked at that
    /// earlier text, and nothing else.
    fn find(&mut self, ends: &mut RowEnds, text: &[u8]) -> Found {
        // Only the first row end at or after the cut must be found exactly, so look at the text before the cut in few
        // calls. Each call goes on to `most` bytes after the last row end, because no row may be longer. If no row ends
        // in these bytes, the row is too long, or, if the text ends before them, more text is needed.
        while ends.end() + self.most < self.cut {
            let last = ends.end();
            self.seen = (last + self.most).min(text.len()).max(self.seen);
            ends.look_at(&text[..self.seen]);
            if ends.end() == last {
                return if self.seen < last + self.most { Found::More } else { Found::TooLong };
            }
        }
        if self.seen < self.cut {
            self.seen = self.cut.min(text.len());
            ends.look_at(&text[..self.seen]);
        }
        while ends.end() < self.cut {
            let (last, line) = (ends.end(), memchr(b'\n', &text[self.seen..]));
            let seen = line.map_or(text.len(), |line| self.seen + line + 1);
            if seen - last > self.most || (line.is_none() && seen - last == self.most) {
                return Found::TooLong;
            }
            if line.is_none() {
                return Found::More;
            }
            self.seen = seen;
            ends.look_at(&text[..seen]);
        }
        Found::End(ends.end())
    }
}

/// A reader of windows, with the bytes of the present one.
pub struct Windows<'f> {
    cutter: Cutter,
    file: BorrowedFd<'f>,
    /// The bytes of the file from the offset `start` on, of which `filled` have been read. The rest of the buffer has
    /// bytes of earlier windows, so that it need not be set to 0 each time.
    buffer: Vec<u8>,
    filled: usize,
    start: u64,
    /// The present window: its offset in the file and its length.
    offset: u64,
    length: usize,
    /// A guess at the byte range of the window's rows, counted from the window's start: it assumes that the first line
    /// that begins in the window begins a row. `None` if there is no guess.
    guess: Option<Range<usize>>,
    /// The last search for the end of rows. If the rows have quotes, the search has listed their delimiters and line
    /// ends.
    ends: RowEnds,
    /// The start of the rows, as an offset in the window, for which the search in `ends` is complete: it has found the
    /// end of the last row. `None` if no such search is complete.
    searched: Option<usize>,
}

impl<'f> Windows<'f> {
    /// Returns a reader of windows of `file`.
    pub fn new(cutter: Cutter, file: BorrowedFd<'f>) -> Self {
        let (buffer, ends) = (vec![], RowEnds::new(cutter.format));
        Windows { cutter, file, buffer, filled: 0, start: 0, offset: 0, length: 0, guess: None, ends, searched: None }
    }

    /// Begins with the window of `length` bytes at `offset`. Nothing of it is read yet.
    pub fn begin(&mut self, offset: u64, length: usize) {
        (self.offset, self.length, self.guess, self.searched) = (offset, length, None, None);
        // The byte in front of the window shows whether a line begins with the window.
        self.start = offset.saturating_sub(1);
        self.filled = 0;
    }

    /// Reads the window and some bytes behind it, or as much of them as the file has.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(&mut self) -> io::Result<()> {
        self.read_on(self.front() + self.length + (self.length * BEHIND).div_ceil(16).clamp(64, LEAST))
    }

    /// How many of the bytes that have been read lie before the window: 1, or 0 at the start of the file. Also 0 after
    /// [`rows`](Self::rows) had to read again, because the bytes in memory then begin with the first row.
    fn front(&self) -> usize {
        self.offset.saturating_sub(self.start) as usize
    }

    /// The bytes that have been read.
    fn text(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// Reads until there are `size` bytes, or the file ends.
    fn read_on(&mut self, size: usize) -> io::Result<()> {
        if self.buffer.len() < size {
            self.buffer.resize(size, 0);
        }
        while self.filled < size {
            let rest = &mut self.buffer[self.filled..size];
            match retry_on_intr(|| pread(self.file, &mut *rest, self.start + self.filled as u64))? {
                0 => break,
                count => self.filled += count,
            }
        }
        Ok(())
    }

    /// Guesses that the first line that begins in the window begins a row, and finds where the window's rows end in
    /// this case. The answer is then ready if the guess turns out to be right.
    pub fn guess(&mut self) {
        let Some(line) = memchr(b'\n', &self.text()[..self.filled.min(self.front() + self.length)]) else { return };
        let start = (line + 1).saturating_sub(self.front());
        let text = self.buffer[..self.filled].get(self.front() + start..).unwrap_or_default();
        let cut = self.length - start.min(self.length);
        self.ends.restart_listing();
        if let Found::End(end) = LastRow::new(self.cutter.most, cut).find(&mut self.ends, text) {
            (self.guess, self.searched) = (Some(start..start + end), Some(start));
        }
    }

    /// Returns where the rows of the window end, if they begin at `start`. Both offsets count from the start of the
    /// window. Returns `None` if the end cannot be found: the file ends before it, or a row is longer than
    /// [`Cutter::most`] bytes.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn end_of_rows(&mut self, start: usize) -> io::Result<Option<usize>> {
        if let Some(guess) = self.guess.take().filter(|guess| guess.start == start) {
            return Ok(Some(guess.end));
        }
        // If `start` lies behind the end of this window, a row that began in an earlier window covers all of this
        // window, and no row begins in it.
        let Some(cut) = self.length.checked_sub(start) else { return Ok(Some(start)) };
        let from = self.front() + start;
        self.ends.restart_listing();
        let mut search = LastRow::new(self.cutter.most, cut);
        loop {
            let text = self.buffer[..self.filled].get(from..).unwrap_or_default();
            match search.find(&mut self.ends, text) {
                Found::End(end) => {
                    self.searched = Some(start);
                    return Ok(Some(start + end));
                }
                Found::TooLong => return Ok(None),
                Found::More => {}
            }
            let filled = self.filled;
            self.read_on(from + 2 * text.len().max(LEAST))?;
            if self.filled == filled {
                return Ok(None);
            }
        }
    }

    /// Returns the bytes of the window at `rows`, a range that counts from the start of the window. Reads the bytes if
    /// they have not been read.
    ///
    /// # Errors
    /// If the file cannot be read, or has become too short.
    pub fn rows(&mut self, rows: &Range<usize>) -> io::Result<&[u8]> {
        if rows.end + self.front() > self.filled {
            self.filled = 0;
            self.start = self.offset + rows.start as u64;
            self.read_on(rows.len())?;
            return self.text().get(..rows.len()).ok_or_else(has_become_shorter);
        }
        Ok(&self.text()[self.front() + rows.start..self.front() + rows.end])
    }

    /// Returns the lists of the delimiters and line ends in these rows, if the search for the end of the rows scanned
    /// exactly these rows. A mapper that has the lists need not scan the rows again. The lists are returned only once.
    pub fn listed(&mut self, rows: &Range<usize>) -> Option<&mut Scan> {
        let is_there = self.searched.take() == Some(rows.start);
        self.ends.listed().filter(|scan| is_there && !rows.is_empty() && scan.seen() == rows.len())
    }
}

#[cfg(test)]
mod tests;
