//! The reader: cuts files and pipes into blocks of whole rows.
//!
//! The reader examines only headers and the ends of rows. The workers do everything else, because they run in parallel.
//! A block is filled while input is ready, and handed on as soon as no more input is ready. So a row that arrives alone
//! is answered at once, and an input that is always ready gives full blocks.

mod open;
mod prompt;
mod range;
mod stretch;

use crate::bad_row::{BadRow, Kind};
use crate::csv::disguise::disguise;
use crate::csv::record::{Line, split, stray_return};
use crate::csv::row_ends::RowEnds;
use crate::csv::row_start::RowStart;
use crate::csv::shown::without_half_character;
use crate::csv::{Format, lines, returns};
use crate::error::printable;
use crate::flow::{Block, Ending, Misfit};
use crate::input::header::{Header, Headers};
use crate::input::ranges::FileRange;
use crate::input::{BYTE_ORDER_MARK, Shape};
use crate::process::aside::present_name;
use crate::process::streams;
use open::{Filled, Open};
use rustix::fd::BorrowedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// An input, from which rows are read.
#[derive(Debug)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// The file of this name, which is opened when all inputs before it have been read.
    Path(PathBuf),
    /// A part of the file of this name.
    Range(PathBuf, FileRange),
    /// An open file on which reads never wait, and the name by which messages call it.
    Open(File, String),
}

impl Input {
    /// Returns the name by which messages call the input.
    pub fn name(&self) -> String {
        match self {
            Input::Stdin => "stdin".to_string(),
            Input::Path(path) | Input::Range(path, _) => printable(path.as_os_str()),
            Input::Open(_, name) => name.clone(),
        }
    }

    /// Opens the input in such a way that reads never wait. Stdin is open already, so its descriptor is only
    /// duplicated; `prompt.rs` reads stdin without waiting.
    ///
    /// # Errors
    /// If the input does not exist, cannot be read, or is a folder.
    pub fn open(self) -> io::Result<File> {
        let file = match self {
            Input::Stdin => File::from(streams::given(&io::stdin())?),
            // Opening a FIFO waits until some process opens it for writing, and nothing could stop that wait. So the
            // FIFO is opened without waiting, and `poll` waits instead.
            Input::Path(path) | Input::Range(path, _) => {
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
                rustix::io::retry_on_intr(|| rustix::fs::open(present_name(&path), flags, Mode::empty()))?.into()
            }
            Input::Open(file, _) => file,
        };
        if file.metadata()?.is_dir() {
            return Err(Errno::ISDIR.into());
        }
        Ok(file)
    }
}

/// Descriptors that the reader watches while it waits for input, so that it can stop waiting.
pub struct Watch<'a> {
    /// Becomes readable when the run is over.
    pub stop: BorrowedFd<'a>,
    /// The output. If the output is a pipe that no process reads any more, waiting for input is useless.
    pub output: BorrowedFd<'a>,
}

/// The source of a run's blocks, which reads all inputs one after the other.
pub struct Reader<'a> {
    inputs: std::iter::Enumerate<std::vec::IntoIter<Input>>,
    shape: Shape,
    headers: Headers,
    /// Number of fields of the first row. `None` if that row has not been read yet, or if rows may differ in their
    /// numbers of fields.
    fields: Option<usize>,
    /// Whether rows that are longer than a block are passed over. If they are not, the first such row ends the run.
    passes_over: bool,
    watch: Watch<'a>,
    current: Option<Open>,
    /// Number of the first input that is not empty. `None` until that input is known.
    first: Option<usize>,
    /// Bytes of the current input that were read but did not go into the last block. The next block begins with them.
    carry: Vec<u8>,
    /// Number of the input whose file was lent to workers. Workers read windows of this file only.
    lent: Option<usize>,
}

/// How many bytes of a row that is longer than a block are kept for the report of that row.
const KEPT: usize = 1024;

impl<'a> Reader<'a> {
    /// Returns a reader of `inputs` in their order, all of which have the properties `shape`.
    pub fn new(inputs: Vec<Input>, shape: Shape, watch: Watch<'a>) -> Self {
        Reader {
            inputs: inputs.into_iter().enumerate(),
            shape,
            headers: Headers::default(),
            fields: None,
            passes_over: false,
            watch,
            current: None,
            first: None,
            carry: vec![],
            lent: None,
        }
    }

    /// Returns this reader, changed to pass over rows that are longer than a block if `passes_over` is true.
    pub fn passing_over(self, passes_over: bool) -> Self {
        Reader { passes_over, ..self }
    }

    /// Whether all rows must have as many fields as the first row, and the first row has not been read yet.
    fn wants_first_row(&self) -> bool {
        self.fields.is_none() && self.shape.goes_by_first_row()
    }

    /// Fills `buffer` with the next block of the input `open`, of about `wanted` bytes. Returns `None` if the input has
    /// ended.
    fn next_of(&mut self, open: &mut Open, buffer: &mut [u8], wanted: usize) -> Result<Option<Block>, Ending> {
        let (head, rows) = buffer.split_at_mut(self.shape.head_size());
        let is_start = open.at_start;
        let filled = open.fill(rows, wanted, &mut self.carry, &self.shape, &self.watch)?;
        let lines_before = std::mem::take(&mut open.lines_before);
        let mut block = Block { input: open.input, lines_before, ..Block::default() };
        if is_start {
            // Examine all bytes that were read, not only whole rows. A file that is not CSV may have no line feed at
            // all, or have some by chance.
            let read = if let Filled::Rows(end) = filled { end + self.carry.len() } else { rows.len() };
            open.disguise = disguise(&rows[..read]);
        }
        let end = match filled {
            Filled::Nothing => return Ok(None),
            Filled::Rows(end) => end,
            Filled::TooLong(ends) => {
                self.pass_over(open, rows, *ends, &mut block)?;
                0
            }
        };
        let mut start = 0;
        if open.wants_header && end > 0 {
            match self.headers.find(&self.shape, &rows[..end], &open.name) {
                Ok(None) => {}
                Ok(Some(Header { length, head, print })) => {
                    open.wants_header = false;
                    open.head = head;
                    (start, block.header) = (length, print);
                    block.lines_before += lines(&rows[..length]) as u64;
                }
                Err(bad) => {
                    let hint = open.disguise.take().unwrap_or_else(|| bad.hint.clone());
                    let lines = block.lines_before + lines(&rows[..bad.place]) as u64;
                    let bad = bad.hinting(hint).of(Kind::Header);
                    let row = Misfit { bad, offset: open.offset, lines, bytes: vec![] };
                    return Err(Ending::Misfit { input: open.input, row: row.into() });
                }
            }
        }
        let is_first = *self.first.get_or_insert(open.input) == open.input;
        if !open.wants_header {
            // The byte order mark is part of the output if rows or the header are printed as they stand in the input.
            if std::mem::take(&mut open.has_mark)
                && is_first
                && (self.shape.append.is_some() || self.shape.keeps_header)
            {
                block.header.splice(..0, BYTE_ORDER_MARK.iter().copied());
            }
            block.disguise = open.disguise.take();
        }
        if self.wants_first_row() {
            self.fields = self.shape.fields_of_first_row(&rows[..end]);
        }
        open.head.fields = open.head.fields.or(self.fields);
        open.head.write(head);
        block.offset = open.offset + start as u64;
        block.rows = head.len() + start..head.len() + end;
        open.offset += end as u64;
        Ok(Some(block))
    }

    /// Passes over a line that is longer than `buffer`, which holds its beginning. `ends` has looked at the bytes in
    /// `buffer`. If the line is a row, and the run continues after bad rows, the row is reported with `block`, which
    /// then has no other rows. A blank line or a comment is not reported.
    ///
    /// # Errors
    /// If the line is a row and the run does not continue after bad rows, or the input cannot be read.
    fn pass_over(
        &mut self,
        open: &mut Open,
        buffer: &mut [u8],
        ends: RowEnds,
        block: &mut Block,
    ) -> Result<(), Ending> {
        let goes_on = self.passes_over && !open.wants_header;
        let is_comment = ends.is_in_comment();
        let mut row = too_long(buffer, self.shape.format, open.offset);
        row.lines += block.lines_before;
        let mut row_start = RowStart::new(self.shape.format);
        let mut has_row = row_start.find(buffer).is_some();
        if goes_on || !has_row {
            block.lines_before += lines(buffer) as u64;
            open.pass_over(ends, buffer, &mut self.carry, &self.watch, |bytes| {
                block.lines_before += lines(bytes) as u64;
                has_row |= row_start.find(bytes).is_some();
            })?;
            if !has_row {
                return Ok(());
            }
        }
        if is_comment {
            row.bad.what = returns::stray_return_in("the comment", &row.bytes);
        }
        if row.offset <= BYTE_ORDER_MARK.len() as u64 {
            row.bad.hint = open.disguise.take().unwrap_or_default();
        }
        if goes_on {
            block.misfit = Some(row.into());
            return Ok(());
        }
        if open.wants_header {
            row.bad.kind = Kind::Header;
        }
        Err(Ending::Misfit { input: open.input, row: row.into() })
    }
}

/// Returns the report of a row that begins at `offset` of the input and is longer than `buffer`, which begins with it.
fn too_long(buffer: &[u8], format: Format, offset: u64) -> Misfit {
    let (size, mut fields) = (buffer.len(), vec![]);
    let (place, hint, has_stray_return) = match split(buffer, format, &mut fields) {
        Line::Unclosed { quote } => {
            let has_stray_return = stray_return(buffer, &fields, format).is_some();
            (quote, ", or close the quote that is open from here on", has_stray_return)
        }
        Line::Stray { .. } => (0, "", true),
        Line::Row { .. } | Line::Nothing { .. } => (0, "", false),
    };
    let mut what = format!("the row is longer than a block, {size} bytes; use a larger --block-size{hint}");
    if has_stray_return {
        what.push_str("; it has a carriage return outside quotes, which ends no row without a line feed");
        what.push_str(returns::hint(buffer));
    }
    let bad = BadRow::row(what).of(Kind::TooLong);
    let bytes = without_half_character(&buffer[..size.min(KEPT)]).to_vec();
    Misfit { bad, offset, lines: lines(&buffer[..place]) as u64, bytes }
}
