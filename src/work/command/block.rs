//! Block mode: a process of the command for each block, which may print any number of lines.
//!
//! What the process prints is kept until the process has ended. So nothing is printed twice if the process has to be
//! run again. Up to [`SPILLED`] bytes are kept in memory, and a longer answer in a file without a name. A long answer
//! is handed over in pieces ([`Mapped::is_open`]).

use super::exchange::{Ended, Question};
use super::process::Running;
use super::quiet::Judged;
use super::rows::Lines;
use super::{Command, failure};
use crate::bad_row::{BadRow, Kind, Report};
use crate::error::reason;
use crate::kernel::batch::Batch;
use crate::process::console::say;
use crate::ring::Care;
use crate::steps::{Step, lap};
use crate::work::decoder::Decoder;
use crate::work::remote::Failure;
use crate::work::settings::OnBadRow;
use crate::work::{BATCH, Mapped, Mapper};
use std::io::{self, Read, Seek, Write};
use std::sync::atomic::Ordering;
use tempfile::SpooledTempFile;

/// How many bytes of an answer are kept in memory. A longer answer is kept in a file, in `TMPDIR` or /tmp.
const SPILLED: usize = 64 << 20;

/// How often a block is tried if its processes fail by their own doing, for example by a bad exit status.
const MOST_TRIES: u32 = 2;
/// How often a block is tried if its processes are killed from outside (SIGKILL, SIGTERM and the like).
const MOST_KILLS: u32 = 30;

/// What one worker keeps from block to block.
pub struct ByBlock<'c> {
    command: &'c Command,
    number: u32,
    decoder: Decoder<'c, Lines>,
    /// Whether a process of the command has answered something.
    has_answered: bool,
    /// The rest of the answer to the current block, if a piece of it has been handed over already.
    open: Option<Answer>,
}

/// The answer to a block, or to the part of it up to a bad row.
struct Answer {
    text: SpooledTempFile,
    /// How many bytes of the text have not been handed over.
    left: u64,
    /// How much of the block was answered. It is reported together with the last piece of the answer.
    mapped: Mapped,
    bad: Vec<BadRow>,
}

impl<'c> ByBlock<'c> {
    pub fn new(command: &'c Command, number: u32) -> Self {
        let decoder = Decoder::new(&command.lines, command.settings.clone());
        ByBlock { command, number, decoder, has_answered: false, open: None }
    }

    /// Reads rows, and has the command answer them. Stops reading at a bad row that ends the run, or if the reports of
    /// bad rows would take more than `room` bytes.
    fn answer(&mut self, input: &[u8], room: usize) -> Answer {
        let (mut sent, mut bad, mut reported, mut mapped) = (vec![], vec![], 0, Mapped::default());
        'rows: while mapped.consumed < input.len() {
            let end = self.decoder.read(input, mapped.consumed, BATCH, Care::default());
            let (rows, mut from) = (&self.decoder.rows, 0);
            for (before, wrong) in self.decoder.bad.drain(..) {
                sent.extend_from_slice(rows.lines(from..before));
                mapped.rows += before - from;
                (from, mapped.consumed) = (before, wrong.row.start);
                reported += Report::length(&wrong);
                if reported > room && !bad.is_empty() {
                    break 'rows;
                }
                let is_last = self.command.settings.on_bad_row == OnBadRow::Stop;
                if !is_last {
                    mapped.consumed = wrong.end;
                }
                bad.push(wrong);
                if is_last {
                    break 'rows;
                }
            }
            sent.extend_from_slice(rows.lines(from..rows.len()));
            mapped.rows += rows.len() - from;
            mapped.consumed = end;
        }
        lap(Step::Take);
        let text = if sent.is_empty() { Ok(SpooledTempFile::new(SPILLED)) } else { self.run(&sent) };
        lap(Step::Run);
        let answer = text.and_then(|mut text| {
            let left = text.stream_position().map_err(unkept)?;
            text.rewind().map_err(unkept)?;
            Ok((text, left))
        });
        match answer {
            Ok((text, left)) => Answer { text, left, mapped, bad },
            Err((kind, what)) => {
                // The message names the lines of all rows that were sent.
                let wrong = BadRow::row(what).of(kind).at(0..mapped.consumed, mapped.consumed);
                Answer { text: SpooledTempFile::new(0), left: 0, mapped: Mapped::default(), bad: vec![wrong] }
            }
        }
    }

    /// Runs the command on these rows, and again if it fails, until it succeeds or has failed too often. Returns the
    /// text of the answer, or how and why the run ends.
    fn run(&mut self, rows: &[u8]) -> Result<SpooledTempFile, (Kind, String)> {
        let (mut tries, mut kills) = (0, 0);
        loop {
            let unstarted =
                |error: io::Error| (Kind::Unrunnable, format!("cannot run the command: {}", reason(&error)));
            let mut running = Running::start(&self.command.command, self.number).map_err(unstarted)?;
            let mut text = SpooledTempFile::new(SPILLED);
            let is_abandoned = &self.command.is_abandoned;
            let question = Question { rows, lines: None, is_last: true, judged: Judged::Never, is_abandoned };
            let mut is_in_line = false;
            let mut take = |bytes: &[u8]| {
                is_in_line = bytes.last() != Some(&b'\n');
                text.write_all(bytes)
            };
            let (ended, _) = running.exchange(question, &mut take).map_err(unkept)?;
            if is_abandoned.load(Ordering::Relaxed) {
                // Nobody reads this message, because the run has failed already.
                return Err((Kind::Failed, "the run has ended".to_string()));
            }
            self.has_answered |= text.stream_position().is_ok_and(|length| length > 0);
            match ended {
                Ended::Exited(status) if self.command.is_good(status.code()) => {
                    self.has_answered = true;
                    running.last_words(true);
                    // The last line of a program's output may lack its line end.
                    if is_in_line {
                        text.write_all(b"\n").map_err(unkept)?;
                    }
                    return Ok(text);
                }
                Ended::TooMuch | Ended::TooEarly => {
                    let what = format!("the command has answered a block of {} bytes without end", rows.len());
                    return Err((Kind::Failed, what));
                }
                _ => {}
            }
            let (cause, is_fault) =
                failure(&mut running, ended, self.has_answered, false).map_err(|what| (Kind::Unrunnable, what))?;
            (tries, kills) = if is_fault { (tries + 1, kills) } else { (tries, kills + 1) };
            if tries >= MOST_TRIES || kills >= MOST_KILLS {
                let hint = self.command.hint();
                return Err((
                    Kind::Failed,
                    format!("the command keeps failing on these rows: the last one {cause}{hint}"),
                ));
            }
            if tries + kills == 1 {
                let worker = self.number;
                say(&format_args!("the command of worker {worker} {cause}; its block is sent to another one"));
            }
        }
    }
}

/// Returns how the run ends if an answer cannot be read or kept.
fn unkept(error: io::Error) -> (Kind, String) {
    let hint =
        if error.kind() == io::ErrorKind::StorageFull { "; TMPDIR names the folder for long answers" } else { "" };
    (Kind::Unrunnable, format!("cannot keep the command's answer: {}{hint}", reason(&error)))
}

impl Mapper for ByBlock<'_> {
    fn map_block(&mut self, head: &[u8], input: &[u8], room: &mut [u8], _: Care) -> Result<Mapped, Failure> {
        let mut answer = match self.open.take() {
            Some(answer) => answer,
            None => {
                self.decoder.begin(head);
                self.decoder.rows.take_names(&self.decoder.head, self.command.settings.format);
                self.answer(input, room.len() / 2)
            }
        };
        let reports: usize = answer.bad.iter().map(Report::length).sum();
        let is_last = answer.left as usize + reports <= room.len();
        let length = if is_last { answer.left as usize } else { room.len().min(answer.left as usize) };
        if let Err(error) = answer.text.read_exact(&mut room[..length]) {
            let (kind, what) = unkept(error);
            let mut report = vec![];
            Report::append(&BadRow::row(what).of(kind), 0, &mut report, room.len());
            room[..report.len()].copy_from_slice(&report);
            return Ok(Mapped { reports: report.len(), ..Mapped::default() });
        }
        if !is_last {
            answer.left -= length as u64;
            self.open = Some(answer);
            return Ok(Mapped { results: length, is_open: true, ..Mapped::default() });
        }
        let mut written = vec![];
        for bad in &answer.bad {
            let left = room.len() - length - written.len();
            Report::append(bad, length, &mut written, left);
        }
        lap(Step::Merge);
        Ok(Mapped { results: length, ..answer.mapped }.with_lines(input).with_reports(room, &written))
    }
}
