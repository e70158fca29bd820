//! Judges what workers do: from rows of any format they must make the same results and reports as the judge.

use super::judge::{Row, divisor, lines_before_open_quote, rows};
use super::{MOST, QUIET, file, format, newlines, reader};
use crate::bad_row::{Kind, Report};
use crate::csv::Format;
use crate::csv::columns::Columns;
use crate::error::Error;
use crate::executor::{Executor, Job, Mapping};
use crate::flow::{Block, Bytes, Ending, Misfit, Part, Sink};
use crate::input::Shape;
use crate::kernel::gcd::{Base, Gcd};
use crate::ring::Sizes;
use crate::tally::Tally;
use crate::work::remote::Remote;
use crate::work::text::{OnBadRow, Settings, Text};
use crate::work::{Mapper, Work};

/// How rows are to be read and printed. The first bytes of the fuzzer's input choose it.
#[derive(Debug)]
struct Case {
    format: Format,
    columns: Option<[usize; 2]>,
    has_header: bool,
    append: bool,
    on_bad_row: OnBadRow,
    sizes: Sizes,
    base: Base,
    max_digits: usize,
    chunk_size: usize,
}

const RESULT: &str = "gcd";

impl Case {
    fn new([by_format, flags, columns, block, room, digits, chunk]: [u8; 7]) -> Self {
        let append = flags & 4 > 0;
        let on_bad_row = [OnBadRow::Skip, OnBadRow::Blank, OnBadRow::Stop, OnBadRow::Skip][usize::from(flags >> 3 & 3)];
        let columns = (flags & 1 > 0).then(|| [usize::from(columns & 7), usize::from(columns >> 3 & 7)]);
        let block = 64 + usize::from(block);
        // As much room for results as the command line gives, or less. With less, results are handed over in parts and
        // reports are cut.
        let room = if append { 2 * block } else { block } + 4 + usize::from(room) * 4;
        // Three numbers, and one for each chosen column.
        let head = if columns.is_some() { 20 } else { 12 * usize::from(append) };
        Case {
            format: format(by_format),
            columns,
            has_header: flags & 2 > 0,
            append,
            on_bad_row,
            sizes: Sizes { head, block, room },
            base: Base::ALL[[2, 3, 2, usize::from(digits & 1)][usize::from(digits >> 6)]],
            max_digits: if digits & 127 < 64 { usize::from(digits & 63) + 1 } else { Gcd::MAX_DIGITS },
            chunk_size: usize::from(chunk) + 1,
        }
    }

    fn shape(&self) -> Shape {
        let columns = self.columns.map(|[a, b]| Columns::parse(&format!("{},{}", a + 1, b + 1)).unwrap());
        let append = self.append.then(|| vec![RESULT.to_string()]);
        Shape { format: self.format, has_header: self.has_header, columns, fields: Some(2), append, ..Shape::default() }
    }

    /// Returns what is printed for a row: its result, or with `--append` the row and its result.
    fn printed(&self, text: &[u8], row: &Row, result: &str) -> Vec<u8> {
        if !self.append {
            return format!("{result}\n").into_bytes();
        }
        let end: &[u8] = if text.get(row.content.end) == Some(&b'\r') { b"\r\n" } else { b"\n" };
        [&text[row.content.clone()], &[self.format.delimiter], result.as_bytes(), end].concat()
    }

    /// Returns how many fields each row must have: with `--append` as many as the header, or as the first good row if
    /// there is no header. `None` otherwise.
    fn length(&self, rows: &[Row]) -> Option<usize> {
        let is_fine = |row: &&Row| {
            let has_columns = self.columns.is_some_and(|columns| columns.iter().all(|&at| at < row.fields.len()));
            has_columns && !row.is_open && row.stray.is_none() && row.len() <= self.sizes.block
        };
        let first = if self.has_header { rows.first() } else { rows.iter().find(is_fine) };
        first.filter(|_| self.append).map(|row| row.fields.len())
    }

    fn is_bad_header(&self, row: &Row) -> bool {
        row.is_open
            || row.len() > self.sizes.block
            || row.stray.is_some()
            || self.columns.is_some_and(|columns| columns.iter().any(|&at| at >= row.fields.len()))
            || (self.append && row.fields.iter().any(|name| crate::csv::trimmed(name) == RESULT.as_bytes()))
    }

    /// Returns what must be printed and reported for an input that consists of `file`.
    fn expected(&self, file: &[u8]) -> Found {
        let text = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
        let mark = file.len() - text.len();
        let mut expected = Found { on_bad_row: self.on_bad_row, ..Found::default() };
        let rows = rows(text, self.format);
        // The byte order mark is printed with the first block. If the run ends before there is a block, it is not
        // printed.
        let is_too_long = |row: &Row| row.content.start == 0 && row.len() > self.sizes.block;
        let has_block = self.on_bad_row != OnBadRow::Stop || !rows.first().is_some_and(is_too_long);
        let printed_mark = if self.append && !text.is_empty() { &file[..mark] } else { &[] };
        if !self.has_header && has_block {
            expected.output.extend_from_slice(printed_mark);
        }
        let length = self.length(&rows);
        for (number, row) in rows.iter().enumerate() {
            if self.has_header && number == 0 {
                if self.is_bad_header(row) {
                    expected.is_failed = true;
                    return expected;
                }
                if self.append {
                    expected.output = [printed_mark, &self.printed(text, row, RESULT)].concat();
                }
                continue;
            }
            let block = self.sizes.block;
            let (raw, is_whole) = (&text[row.content.start..row.end], row.len() <= block);
            let (kept, answer) = if is_whole && row.is_open {
                let what = format!("field {} begins with a quote that is never closed: \"", row.fields.len());
                (raw, Err((Some(row.fields.len()), what)))
            } else if is_whole {
                (raw, divisor(row, self.columns, length, (self.base.radix(), self.max_digits)))
            } else if row.fields.is_empty() {
                (&raw[..block], Err((None, "the comment has a carriage return outside quotes, ".to_string())))
            } else {
                (&raw[..block], Err((None, format!("the row is longer than a block, {block} bytes; use"))))
            };
            let (field, what) = match answer {
                Ok(divisor) => {
                    expected.output.extend(self.printed(text, row, &divisor.to_str_radix(self.base.radix())));
                    continue;
                }
                Err(fault) => fault,
            };
            let before = match row.stray {
                Some((stray, _)) if is_whole => newlines(&raw[..stray]),
                _ if (is_whole && !row.is_open) || row.fields.is_empty() => 0,
                _ => lines_before_open_quote(kept, self.format).unwrap_or(0),
            };
            let line = 1 + newlines(&text[..row.content.start]) + before;
            let kept = if is_whole { &text[row.content.clone()] } else { kept };
            let offset = mark + row.content.start;
            expected.bad.push(Bad { line: line as u64, offset: offset as u64, field, what, row: kept.to_vec() });
            match self.on_bad_row {
                OnBadRow::Stop => {
                    expected.is_failed = true;
                    return expected;
                }
                OnBadRow::Skip => {}
                OnBadRow::Blank if is_whole && !row.is_open => expected.output.extend(self.printed(text, row, "")),
                OnBadRow::Blank => expected.output.push(b'\n'),
            }
        }
        expected
    }
}

/// A bad row, as reported to the user.
#[derive(Debug, PartialEq, Eq)]
struct Bad {
    line: u64,
    offset: u64,
    field: Option<usize>,
    what: String,
    row: Vec<u8>,
}

/// What a run has printed and reported.
#[derive(Debug, Default)]
struct Found {
    output: Vec<u8>,
    bad: Vec<Bad>,
    is_failed: bool,
    on_bad_row: OnBadRow,
    lines: u64,
    offset: u64,
}

impl Found {
    fn enter(&mut self, bad: Bad) -> Result<(), Error> {
        self.bad.push(bad);
        if self.on_bad_row == OnBadRow::Stop { Err(Error::usage("a bad row")) } else { Ok(()) }
    }

    fn refuse(&mut self, Misfit { bad, offset, lines, bytes }: Misfit) -> Result<(), Error> {
        let what = bad.what + &bad.hint;
        if bad.kind == Kind::Header {
            return Err(Error::usage(what));
        }
        self.enter(Bad { line: self.lines + lines + 1, offset, field: None, what, row: bytes })
    }
}

impl Sink for Found {
    fn begin(&mut self, block: Block) -> Result<(), Error> {
        self.output.extend(block.header);
        if let Some(row) = block.misfit {
            self.refuse(*row)?;
            self.output.extend((self.on_bad_row == OnBadRow::Blank).then_some(b'\n'));
        }
        self.lines += block.lines_before;
        self.offset = block.offset;
        Ok(())
    }

    fn write(&mut self, part: Part) -> Result<(), Error> {
        let (mut reports, input) = (part.reports, part.input.read().unwrap());
        while !reports.is_empty() {
            let report = Report::take(&mut reports, input.len(), part.results.len()).expect("no report");
            let Report { results: before, bad } = report;
            let entered = self.enter(Bad {
                line: self.lines + newlines(&input[..bad.place]) as u64 + 1,
                offset: self.offset + bad.row.start as u64,
                field: bad.field,
                what: bad.what,
                row: input[bad.row].to_vec(),
            });
            if let Err(error) = entered {
                self.output.extend_from_slice(&part.results[..before]);
                return Err(error);
            }
        }
        assert_eq!(part.lines, newlines(&input[..part.consumed]));
        self.lines += part.lines as u64;
        self.offset += part.consumed as u64;
        self.output.extend_from_slice(part.results);
        Ok(())
    }

    fn end(&mut self, ending: Ending) -> Result<(), Error> {
        match ending {
            Ending::Done => Ok(()),
            Ending::Misfit { row, .. } => self.refuse(*row),
            other => panic!("ended by {other:?}"),
        }
    }

    fn given_up(&mut self, _: Bytes, what: String) -> Error {
        panic!("given up: {what}")
    }
}

impl Found {
    fn check(&self, expected: &Found, case: &Case) {
        let output = |found: &Found| found.output.escape_ascii().to_string();
        assert_eq!(output(self), output(expected), "{case:?}");
        assert_eq!(self.is_failed, expected.is_failed, "{case:?}");
        assert_eq!(self.bad.len(), expected.bad.len(), "{:?} are not {:?} of {case:?}", self.bad, expected.bad);
        for (found, expected) in self.bad.iter().zip(&expected.bad) {
            let place = |bad: &Bad| (bad.line, bad.offset, bad.field, bad.row.escape_ascii().to_string());
            assert_eq!(place(found), place(expected), "{case:?}");
            // A report is cut if there is not enough room for it, but something of the message must be left.
            let is_said = found.what.starts_with(&expected.what)
                || (!found.what.is_empty() && expected.what.starts_with(&found.what));
            assert!(is_said, "{:?} is not {:?} of {case:?}", found.what, expected.what);
        }
    }
}

/// A work whose rows are pickled, the given number at a time, as the `pickle` executor does, but within one process.
struct Pickled<'w>(&'w dyn Work, usize);

impl Work for Pickled<'_> {
    fn mapper<'m>(&'m self, _: Option<Remote<'m>>) -> Box<dyn Mapper + 'm> {
        let call = Box::new(|task: &[u8]| Ok(self.0.map_task(task)?.0));
        self.0.mapper(Some(Remote { chunk_size: self.1, call }))
    }

    fn map_task(&self, task: &[u8]) -> Result<(Vec<u8>, usize), Error> {
        self.0.map_task(task)
    }
}

/// Checks that rows of any format, in blocks of any size, give the results and reports that the judge expects, both
/// when they are mapped directly and when they are pickled.
pub fn decoder(bytes: &[u8]) {
    let Some((&how, text)) = bytes.split_first_chunk() else { return };
    let (case, text) = (Case::new(how), &text[..text.len().min(MOST)]);
    let expected = case.expected(text);
    let file = file(text);
    let gcd = Gcd::default().base(case.base).max_digits(case.max_digits);
    let passes_over = case.on_bad_row != OnBadRow::Stop;
    let settings =
        Settings { format: case.format, append: case.append, on_bad_row: case.on_bad_row, ..Settings::default() };
    let mapping = Text::new(&gcd, settings);

    let pickled = Pickled(&mapping, case.chunk_size);
    for mapping in [Mapping::here(&mapping), Mapping::here(&pickled)] {
        let mut found = Found { on_bad_row: case.on_bad_row, ..Found::default() };
        let job = Job {
            source: &mut reader(&file, case.shape(), passes_over),
            sink: &mut found,
            stop: &QUIET.0,
            input: None,
            has_fixed_blocks: false,
            jobs: 1,
            sizes: case.sizes,
            block_timeout: None,
            tally: &Tally::default(),
            chunk_size: case.chunk_size,
        };
        found.is_failed = Executor::Serial.run(&mapping, job).is_err();
        found.check(&expected, &case);
    }
}
