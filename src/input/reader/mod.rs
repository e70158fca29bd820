//! The reader: files and pipes, cut into blocks of whole rows.
//!
//! It looks at headers, and for the end of the last row of a block; at nothing else. A block fills up as long as input is ready, and is
//! handed on as soon as it is not: so a row that arrives alone is answered at once, and a full pipe gives full blocks.

mod long_line;
mod prompt;
mod range;

use crate::bad_row::{BadRow, Kind};
use crate::csv::blocks::RowEnds;
use crate::csv::columns::Columns;
use crate::csv::disguise::disguise;
use crate::csv::head::Head;
use crate::csv::{Format, lines, returns};
use crate::error::{Error, printable};
use crate::flow::{Block, Ending, Misfit, Source};
use crate::input::header::{Header, Headers};
use crate::input::ranges::FileRange;
use crate::input::{BYTE_ORDER_MARK, Shape};
use crate::process::streams;
use long_line::{Passed, has_stray_return};
use prompt::Way;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::BorrowedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// Where rows come from.
#[derive(Debug)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// The file of this name, opened when its turn comes.
    Path(PathBuf),
    /// A part of the file of this name.
    Range(PathBuf, FileRange),
    /// A file that is open already, whose reads never wait; messages call it by this name.
    Open(File, String),
}

impl Input {
    /// What messages call it.
    pub fn name(&self) -> String {
        match self {
            Input::Stdin => "stdin".to_string(),
            Input::Path(path) | Input::Range(path, _) => printable(path.as_os_str()),
            Input::Open(_, name) => name.clone(),
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// When it is not there, not permitted, or a folder.
    pub fn open(self) -> io::Result<File> {
        let file = match self {
            Input::Stdin => File::from(streams::given(&io::stdin())?),
            // A FIFO that nobody writes to yet must not hold us up where we cannot be stopped: we wait in poll.
            Input::Path(path) | Input::Range(path, _) => {
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
                rustix::io::retry_on_intr(|| rustix::fs::open(&path, flags, Mode::empty()))?.into()
            }
            Input::Open(file, _) => file,
        };
        if file.metadata()?.is_dir() {
            return Err(Errno::ISDIR.into());
        }
        Ok(file)
    }
}

/// What the reader watches while it waits for input.
pub struct Watch<'a> {
    /// Readable when the run is over.
    pub stop: BorrowedFd<'a>,
    /// The output: if it is a pipe whose reader has gone, there is no use in waiting.
    pub output: BorrowedFd<'a>,
}

/// All inputs, one after the other.
pub struct Reader<'a> {
    inputs: std::iter::Enumerate<std::vec::IntoIter<Input>>,
    shape: Shape,
    headers: Headers,
    /// How many fields the first row of all inputs has, where that matters and as soon as it is known.
    fields: Option<usize>,
    /// Whether rows that are too long are passed over.
    passes_over: bool,
    watch: Watch<'a>,
    current: Option<Open>,
    /// The first of the inputs that has anything in it.
    first: Option<usize>,
    /// The start of a row whose end is not read yet.
    carry: Vec<u8>,
}

struct Open {
    file: File,
    /// How it is read.
    way: Way,
    name: String,
    input: usize,
    /// Reading never waits, so there is no need to ask.
    is_regular: bool,
    at_start: bool,
    /// It began with a byte order mark, and nobody was told of it.
    has_mark: bool,
    /// What to do about it, if it is no CSV by its first bytes.
    disguise: Option<String>,
    /// It has ended. A terminal would go on after that.
    at_end: bool,
    /// Where the carry was read from.
    offset: u64,
    /// How much is left of the range that is read; none where that is all of it.
    left: Option<u64>,
    /// Line ends before what is read, as long as nobody was told of them.
    lines_before: u64,
    /// A header is still to come.
    wants_header: bool,
    /// What stands at the head of each block.
    head: Head,
}

impl<'a> Reader<'a> {
    /// A reader of these inputs in their order, each of this shape.
    pub fn new(inputs: Vec<Input>, shape: Shape, watch: Watch<'a>) -> Self {
        let inputs = inputs.into_iter().enumerate();
        let headers = Headers::default();
        Reader {
            inputs,
            shape,
            headers,
            fields: None,
            passes_over: false,
            watch,
            current: None,
            first: None,
            carry: vec![],
        }
    }

    /// The same, which passes over rows that are too long if it is told to.
    pub fn passing_over(self, passes_over: bool) -> Self {
        Reader { passes_over, ..self }
    }

    /// Whether a first row is still to come by which all others go.
    fn wants_first_row(&self) -> bool {
        self.fields.is_none() && self.shape.goes_by_first_row()
    }

    /// The next block of the current input; none when it has ended.
    fn next_of(&mut self, open: &mut Open, buffer: &mut [u8]) -> Result<Option<Block>, Ending> {
        let (head, rows) = buffer.split_at_mut(self.shape.head_size());
        let mut block = Block { input: open.input, ..Block::default() };
        let lines_before = std::mem::take(&mut open.lines_before);
        let is_start = open.at_start;
        let filled = open.fill(rows, &mut self.carry, &self.shape, &self.watch)?;
        if is_start {
            // A file that is no CSV may have no line end at all, or one anywhere.
            let read = if let Filled::Rows(end) = filled { end + self.carry.len() } else { rows.len() };
            open.disguise = disguise(&rows[..read]);
        }
        let end = match filled {
            Filled::Nothing => return Ok(None),
            Filled::Rows(end) => end,
            Filled::TooLong(mut row, ends) => {
                row.lines += lines_before;
                self.pass_over(open, rows, row, ends, &mut block)?;
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
                    block.lines_before = lines(&rows[..length]) as u64;
                }
                Err(bad) => {
                    let hint = open.disguise.take().unwrap_or_else(|| bad.hint.clone());
                    let lines = lines(&rows[..bad.place]) as u64;
                    let bad = bad.hinting(hint).of(Kind::Header);
                    let row = Misfit { bad, offset: open.offset, lines, bytes: vec![] };
                    return Err(Ending::Misfit { input: open.input, row: row.into() });
                }
            }
        }
        let is_first = *self.first.get_or_insert(open.input) == open.input;
        if open.has_mark && !open.wants_header {
            // Rows are printed as they are, and the mark belongs to the front of them all: the others are dropped.
            if is_first && self.shape.append.is_some() {
                block.header.splice(..0, BYTE_ORDER_MARK.iter().copied());
            }
            open.has_mark = false;
        }
        if !open.wants_header {
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
        block.lines_before += lines_before;
        Ok(Some(block))
    }

    /// Passes over the line that fills the buffer and goes on; the block, which has no rows then, says what it was.
    fn pass_over(
        &mut self,
        open: &mut Open,
        buffer: &mut [u8],
        mut row: Misfit,
        ends: RowEnds,
        block: &mut Block,
    ) -> Result<(), Ending> {
        let goes_on = self.passes_over && !open.wants_header;
        let is_comment = ends.is_in_comment();
        let format = self.shape.format;
        if is_comment || goes_on || buffer.iter().all(|&byte| format.is_blank(byte)) {
            let passed = open.pass_over(ends, format, buffer, &mut self.carry, &self.watch)?;
            block.lines_before = passed.lines;
            if if is_comment { !passed.has_stray_return } else { passed.is_blank } {
                return Ok(());
            }
            if is_comment {
                row.bad.what = returns::stray_return_in("the comment", &row.bytes);
            }
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

impl Source for Reader<'_> {
    fn next_block(&mut self, buffer: &mut [u8]) -> Result<Block, Ending> {
        loop {
            let mut open = match self.current.take() {
                Some(open) => open,
                None => {
                    let (input, source) = self.inputs.next().ok_or(Ending::Done)?;
                    let range = if let Input::Range(_, range) = source { Some(range) } else { None };
                    let mut open = Open::new(input, source, &self.shape).map_err(Ending::Failed)?;
                    if let Some(range) = range {
                        self.enter(&mut open, range, buffer)?;
                    }
                    open
                }
            };
            if let Some(block) = self.next_of(&mut open, buffer)? {
                self.current = Some(open);
                return Ok(block);
            }
        }
    }
}

/// What a pipe is asked to hold: 16 times the default, and the most that an unprivileged process may ask for.
const PIPE_SIZE: usize = 1 << 20;

/// How much is kept of a row that is too long.
const KEPT: usize = 1024;

enum Filled {
    Nothing,
    /// Whole rows, of so many bytes.
    Rows(usize),
    /// The start of a row, and what was seen of it.
    TooLong(Misfit, RowEnds),
}

impl Open {
    fn new(input: usize, source: Input, shape: &Shape) -> Result<Self, Error> {
        let name = source.name();
        // What we open ourselves is opened to be read without waiting.
        let is_shared = matches!(source, Input::Stdin);
        let open = || {
            let file = source.open()?;
            let is_regular = file.metadata()?.is_file();
            Ok((file, is_regular))
        };
        let (file, is_regular) = open().map_err(|error| Error::io(&name, error))?;
        // A pipe that holds more wakes its writer and us less often; where that is not allowed, it stays as it is.
        let _ = rustix::pipe::fcntl_setpipe_size(&file, PIPE_SIZE);
        let head = Head { fields: None, columns: shape.columns.as_ref().map(Columns::places) };
        let wants_header = shape.has_header;
        let way = if is_shared { Way::to_read(&file) } else { Way::Plain };
        Ok(Open {
            file,
            way,
            name,
            input,
            is_regular,
            at_start: true,
            has_mark: false,
            disguise: None,
            at_end: false,
            offset: 0,
            left: None,
            lines_before: 0,
            wants_header,
            head,
        })
    }

    /// Fills the front of `buffer` with whole rows, and leaves what comes after them in `carry`.
    fn fill(&mut self, buffer: &mut [u8], carry: &mut Vec<u8>, shape: &Shape, watch: &Watch) -> Result<Filled, Ending> {
        if self.at_end {
            return Ok(Filled::Nothing);
        }
        buffer[..carry.len()].copy_from_slice(carry);
        let mut filled = carry.len();
        carry.clear();
        let mut ends = RowEnds::new(shape.format);
        ends.look_at(&buffer[..filled]);
        let end = loop {
            if filled == buffer.len() {
                if ends.end() == 0 {
                    // The last row of the input may still be just as long as a block.
                    let mut next = [0];
                    if self.read(&mut next, watch)? > 0 {
                        carry.extend(next);
                        return Ok(Filled::TooLong(self.too_long(buffer, &ends, shape.format), ends));
                    }
                    self.at_end = true;
                    break filled;
                }
                break ends.end();
            }
            if ends.end() == 0 {
                self.wait(watch)?;
            } else if !self.is_ready()? {
                break ends.end();
            }
            // Where another has taken it, it is waited for, or what was read before that goes out first.
            let Some(read) = self.try_read(&mut buffer[filled..])? else { continue };
            if read == 0 {
                self.at_end = true;
                if filled == 0 {
                    return Ok(Filled::Nothing);
                }
                break filled;
            }
            filled += read;
            if self.at_start && filled >= BYTE_ORDER_MARK.len() {
                self.at_start = false;
                if buffer.starts_with(BYTE_ORDER_MARK) {
                    // Here and now, since it must not count for the length of its row.
                    buffer.copy_within(BYTE_ORDER_MARK.len()..filled, 0);
                    filled -= BYTE_ORDER_MARK.len();
                    self.offset += BYTE_ORDER_MARK.len() as u64;
                    self.has_mark = true;
                    ends = RowEnds::new(shape.format);
                }
            }
            ends.look_at(&buffer[..filled]);
        };
        carry.extend_from_slice(&buffer[end..filled]);
        self.at_start = false;
        Ok(Filled::Rows(end))
    }

    /// A row that fills the buffer and goes on.
    fn too_long(&self, buffer: &[u8], ends: &RowEnds, format: Format) -> Misfit {
        let size = buffer.len();
        let (place, hint) = match ends.open_quote() {
            Some(quote) => (quote, ", or close the quote that is open from here on"),
            None => (0, ""),
        };
        let mut what = format!("the row is longer than a block, {size} bytes; use a larger --block-size{hint}");
        if has_stray_return(buffer, format) {
            what.push_str("; it has a carriage return outside quotes, which ends no row without a line feed");
            what.push_str(returns::hint(buffer));
        }
        let bytes = buffer[..size.min(KEPT)].to_vec();
        let bad = BadRow::row(what).of(Kind::TooLong);
        Misfit { bad, offset: self.offset, lines: lines(&buffer[..place]) as u64, bytes }
    }

    /// Passes over the line that fills the buffer and goes on in `carry`, where what comes after it is left. Answers what
    /// it was like.
    fn pass_over(
        &mut self,
        mut ends: RowEnds,
        format: Format,
        buffer: &mut [u8],
        carry: &mut Vec<u8>,
        watch: &Watch,
    ) -> Result<Passed, Ending> {
        let mut filled = buffer.len();
        let mut passed = Passed::new();
        passed.look_at(buffer, format);
        loop {
            let kept = ends.forget();
            self.offset += kept as u64;
            buffer.copy_within(kept..filled, 0);
            let start = filled - kept;
            filled = start + carry.len();
            buffer[start..filled].copy_from_slice(carry);
            carry.clear();
            if filled == start {
                filled += self.read(&mut buffer[start..], watch)?;
                if filled == start {
                    self.at_end = true;
                    self.offset += start as u64;
                    return Ok(passed);
                }
            }
            for at in memchr::memchr_iter(b'\n', &buffer[start..filled]) {
                ends.look_at(&buffer[..=start + at]);
                if ends.end() > 0 {
                    passed.look_at(&buffer[start..ends.end()], format);
                    self.offset += ends.end() as u64;
                    carry.extend_from_slice(&buffer[ends.end()..filled]);
                    return Ok(passed);
                }
            }
            passed.look_at(&buffer[start..filled], format);
            ends.look_at(&buffer[..filled]);
        }
    }

    fn is_ready(&self) -> Result<bool, Ending> {
        if self.is_regular {
            return Ok(true);
        }
        let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        let ready = rustix::io::retry_on_intr(|| poll(&mut fds, Some(&now)));
        ready.map(|count| count > 0).map_err(|error| self.failed(error.into()))
    }

    /// Reads what comes next, once it is there; nothing at the end.
    fn read(&mut self, into: &mut [u8], watch: &Watch) -> Result<usize, Ending> {
        loop {
            self.wait(watch)?;
            if let Some(count) = self.try_read(into)? {
                return Ok(count);
            }
        }
    }

    /// Reads what is there, which is nothing at the end; none where there is no input now. Somebody who reads the same pipe or
    /// terminal may have taken what there was.
    fn try_read(&mut self, into: &mut [u8]) -> Result<Option<usize>, Ending> {
        let most = self.left.map_or(into.len(), |left| left.min(into.len() as u64) as usize);
        match rustix::io::retry_on_intr(|| self.way.read(&self.file, &mut into[..most])) {
            Ok(0) if most > 0 && self.left.is_some() => Err(self.refused("it ends before the range does")),
            Ok(count) => {
                self.left = self.left.map(|left| left - count as u64);
                Ok(Some(count))
            }
            Err(Errno::AGAIN) => Ok(None),
            Err(error) => Err(self.failed(error.into())),
        }
    }

    /// Waits until there is input, or its end; or until there is no more use for it.
    fn wait(&self, watch: &Watch) -> Result<(), Ending> {
        if self.is_regular {
            return Ok(());
        }
        let mut fds = [
            PollFd::new(&self.file, PollFlags::IN),
            PollFd::new(&watch.output, PollFlags::empty()),
            PollFd::new(&watch.stop, PollFlags::IN),
        ];
        rustix::io::retry_on_intr(|| poll(&mut fds, None)).map_err(|error| self.failed(error.into()))?;
        if fds[1].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            return Err(Ending::Failed(Error::broken_pipe()));
        }
        if !fds[2].revents().is_empty() {
            return Err(Ending::Stopped);
        }
        Ok(())
    }

    fn failed(&self, error: io::Error) -> Ending {
        Ending::Failed(Error::io(&self.name, error))
    }
}
