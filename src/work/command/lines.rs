//! The modes in which the command answers each row with one line.
//!
//! This file is long because it has both the plain case and the search for a deadly row, which share rows and process.

use super::answers::Answers;
use super::exchange::{Ended, Question};
use super::process::Running;
use super::quiet::Judged;
use super::rows::{Lines, Rows};
use super::{Command, Mode, failure};
use crate::bad_row::{BadRow, Kind};
use crate::error::{Error, reason};
use crate::kernel::batch::Batch;
use crate::process::console::say;
use crate::process::death;
use crate::ring::Care;
use crate::steps::{Step, lap};
use crate::work::decoder::Decoder;
use crate::work::remote::Failure;
use crate::work::search::{Next, Search};
use crate::work::settings::TOO_LONG;
use crate::work::{BATCH, Mapped, Mapper, Pace};
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The most deaths of its commands that a worker reports. Further deaths get no message.
const TOLD: u32 = 10;

/// What one worker keeps from block to block.
pub struct ByLine<'c> {
    command: &'c Command,
    number: u32,
    decoder: Decoder<'c, Lines>,
    running: Option<Running>,
    /// Whether a process of the command has answered something, so that the command is known to exist.
    has_answered: bool,
    /// Whether the command answers only at the end of its input.
    is_once: bool,
    /// Whether a message has said that the command answers only at the end of its input.
    is_once_told: bool,
    /// Whether a process has kept silent over the present batch. Then each further part of the batch is sent to a
    /// process of its own, whose input is closed behind the part. So the process soon ends, and it is known how many
    /// lines it answers.
    is_closing: bool,
    /// How many deaths have been reported.
    told: u32,
    /// The answers to the present batch of rows.
    answers: Answers,
    /// The reports of bad rows in the present part of the block.
    reports: Vec<u8>,
    /// The average length of recent results, in bytes; 0 if it is not known. A batch gets only so many rows that their
    /// results are likely to fit into the room.
    bytes_per_row: usize,
    /// How much of the time for the present part was spent on starting a process for it. `Duration::MAX` if the time
    /// for this part says nothing about its rows, for example because of a death.
    overhead: Duration,
}

/// Why the next row has no answer.
type Fault = (Kind, String);

/// The outcome of sending some rows to a process.
enum Tried {
    Answered,
    Died {
        cause: String,
        is_fault: bool,
    },
    /// The process answered more or fewer lines than rows. The string is the message.
    Mismatch(String),
    /// Trying again is useless.
    Hopeless(Fault),
}

impl<'c> ByLine<'c> {
    pub fn new(command: &'c Command, number: u32) -> Self {
        ByLine {
            command,
            number,
            decoder: Decoder::new(&command.lines, command.settings.clone()),
            running: None,
            has_answered: false,
            is_once: false,
            is_once_told: false,
            is_closing: false,
            told: 0,
            answers: Answers::default(),
            reports: vec![],
            bytes_per_row: 0,
            overhead: Duration::ZERO,
        }
    }

    /// Sends `count` rows to the command, and keeps its answers up to the first row that turns out to have none.
    /// Returns why that row has no answer.
    fn ask(&mut self, rows: &Rows, count: usize, care: Care) -> Option<Fault> {
        self.answers.clear();
        let mut search = Search::new(count, "the command");
        self.is_closing = false;
        while let Some(part) = search.part() {
            let tried = match self.try_part(rows, part, care) {
                Ok(tried) => tried,
                Err(error) => {
                    let what = format!("cannot run the command: {}", reason(&error));
                    return Some((Kind::Unrunnable, what));
                }
            };
            if !matches!(tried, Tried::Answered) {
                self.overhead = Duration::MAX;
            }
            let next = match tried {
                Tried::Answered => search.answered(),
                Tried::Died { cause, is_fault } => {
                    let next = search.died(cause.clone(), is_fault);
                    if search.is_first() {
                        self.tell_death(&cause, "; it is started again");
                    }
                    next
                }
                Tried::Mismatch(what) => search.mismatched(what),
                Tried::Hopeless(fault) => return Some(fault),
            };
            match next {
                Next::Goes => {}
                Next::Names(what) => {
                    let never = if self.has_answered { "" } else { " (it has answered no row at all: try it by hand)" };
                    // For grep, diff and test, status 1 is no failure: grep, for example, has found nothing.
                    let finds = if what.ends_with("exited with status 1") {
                        "; if it prints a line for some rows only, use --command-mode block --command-ok 0,1"
                    } else {
                        ""
                    };
                    return Some((Kind::Deadly, what + never + finds + self.command.hint()));
                }
                Next::Ends(row, what) => {
                    self.answers.truncate(row);
                    return Some((Kind::Failed, what + self.command.hint()));
                }
            }
        }
        None
    }

    /// Says that the command has died, of what, and what follows, unless that has been said often enough.
    fn tell_death(&mut self, cause: &str, follows: &str) {
        if self.told < TOLD {
            self.told += 1;
            say(&format_args!("the command of worker {} {cause}{follows}", self.number));
        }
    }

    /// Sends the rows in `part` to a process of the command. If the process does not answer each row with one line, its
    /// answers are dropped, and the process is killed.
    fn try_part(&mut self, rows: &Rows, part: Range<usize>, care: Care) -> std::io::Result<Tried> {
        let (before, count, start) = (self.answers.bytes.len(), part.len(), Instant::now());
        let mut running = match self.running.take() {
            Some(running) => running,
            None => Running::start(&self.command.command, self.number)?,
        };
        let had_started = running.has_started();
        let is_closing = self.is_closing;
        let mut is_last = self.is_once || is_closing;
        let judged = if self.command.mode == Mode::Auto { Judged::Soon } else { Judged::Late(care) };
        let is_abandoned = &self.command.is_abandoned;
        let answers = &mut self.answers.bytes;
        let mut take = |bytes: &[u8]| {
            answers.extend_from_slice(bytes);
            Ok(())
        };
        let question = Question { rows: rows.lines(part), lines: Some(count), is_last, judged, is_abandoned };
        let (mut ended, mut answered) = running.exchange(question, &mut take)?;
        if ended == Ended::Waits {
            is_last = true;
            self.is_closing = true;
            self.overhead = Duration::MAX;
            let question =
                Question { rows: &[], lines: Some(count - answered), is_last, judged: Judged::Never, is_abandoned };
            let (then, more) = running.exchange(question, &mut take)?;
            (ended, answered) = (then, answered + more);
        }
        if is_abandoned.load(Ordering::Relaxed) {
            // Nobody reads this message, because the run has failed already.
            return Ok(Tried::Hopeless((Kind::Failed, "the run has ended".to_string())));
        }
        if !had_started {
            // If each block has a process of its own, starting it is part of the time for the block. Otherwise a start
            // is an exception, and the time says nothing about the rows.
            let start = if self.is_once { running.start_time() } else { Duration::MAX };
            self.overhead = self.overhead.saturating_add(start);
        }
        let answer = &mut self.answers.bytes;
        self.has_answered |= answer.len() > before;
        // The last line of a program's output may lack its line end, but not if the program has failed: then the line
        // may be cut short.
        if matches!(ended, Ended::Exited(status) if self.command.is_good(status.code()))
            && answer[before..].last().is_some_and(|&byte| byte != b'\n')
        {
            answer.push(b'\n');
            answered += 1;
        }
        let is_whole = answered == count && running.unread() == 0;
        let tried = match ended {
            Ended::Answered | Ended::Waits => Tried::Answered,
            Ended::Exited(status) if is_whole && self.command.is_good(status.code()) => Tried::Answered,
            // The command's input was still open, so the command ended of its own accord. Its answer counts
            // nevertheless, because it has as many lines as there were rows.
            Ended::Exited(status) if is_whole && !is_last => {
                self.tell_death(&death::cause(status), " after its answer; it is started again if there are more rows");
                Tried::Answered
            }
            Ended::Exited(status) if is_last && self.command.is_good(status.code()) => {
                Tried::Mismatch(mismatch(&counted(answered, "line"), count))
            }
            Ended::TooMuch => Tried::Mismatch(mismatch(&format!("{answered} or more lines"), count)),
            // The command has answered more lines than the number of rows that it had read by then.
            Ended::TooEarly => {
                let early = format!("before it had read a row for each line: {answered} or more lines");
                Tried::Mismatch(mismatch(&early, count))
            }
            _ => match failure(&mut running, ended, self.has_answered, true) {
                Ok((cause, is_fault)) => Tried::Died { cause, is_fault },
                Err(what) => Tried::Hopeless((Kind::Unrunnable, what)),
            },
        };
        if !matches!(tried, Tried::Answered) {
            self.answers.bytes.truncate(before);
            return Ok(tried);
        }
        self.answers.note_ends(before);
        if ended == Ended::Answered && running.stdin.is_some() {
            running.has_answered_rows = true;
            self.running = Some(running);
        }
        if self.is_once && !self.is_once_told {
            self.is_once_told = true;
            if self.number == 0 {
                let took = start.elapsed().as_millis();
                say(&format_args!(
                    "the command answers only at the end of its input: it is started once a block, which takes {took} ms; to \
                     be started once, it must write out each line: fflush() in awk, sed -u, grep --line-buffered, python3 -u, \
                     stdbuf -oL CMD"
                ));
            }
        }
        self.is_once |= is_last && !is_closing;
        Ok(tried)
    }

    /// Writes the answers to the rows of the batch, and what is printed for its bad rows. At the start, the batch is
    /// the bytes from `mapped.consumed` to `end` of the block. `fault` says why the first row without an answer has
    /// none. Moves `mapped.consumed` to `end`, or to the first row that is not written, or behind a bad row. Returns
    /// whether this part of the block goes on from there.
    fn write_batch(
        &mut self,
        block: &[u8],
        end: usize,
        mut fault: Option<Fault>,
        room: &mut [u8],
        mapped: &mut Mapped,
    ) -> bool {
        let command = self.command;
        let settings = &command.settings;
        let bad_rows = std::mem::take(&mut self.decoder.bad);
        let mut from = 0;
        for at in 0..=bad_rows.len() {
            let (before, bad) =
                bad_rows.get(at).map_or((self.decoder.rows.len(), None), |(before, bad)| (*before, Some(bad)));
            let (free, places) = (room.len() - self.reports.len(), &self.decoder.places);
            let (written, bytes, unwritable) =
                self.answers.write(block, places, from..before, settings, &mut room[mapped.results..free]);
            mapped.results += bytes;
            mapped.rows += written;
            if written > 0 {
                self.bytes_per_row = bytes.div_ceil(written);
            }
            from += written;
            if from < before {
                let Some(row) = self.decoder.place(block, mapped.consumed, written) else { return false };
                mapped.consumed = row.start;
                let (kind, what) = match (fault.take(), unwritable) {
                    (Some(fault), _) if from == self.answers.len() => fault,
                    (_, Some(what)) => (Kind::Plain, what),
                    _ if mapped.results == 0 && self.reports.is_empty() => (Kind::Plain, TOO_LONG.to_string()),
                    // The room is full. The rows without results are sent again with the next part.
                    _ => return false,
                };
                let end = memchr::memchr(b'\n', &block[row.end..]).map_or(block.len(), |length| row.end + length + 1);
                let bad = BadRow::row(what).of(kind).at(row, end);
                return settings.enter(&bad, block, room, mapped, &mut self.reports);
            }
            match bad {
                Some(bad) => {
                    mapped.consumed = bad.row.start;
                    if !settings.enter(bad, block, room, mapped, &mut self.reports) {
                        return false;
                    }
                }
                None => mapped.consumed = end,
            }
        }
        // Put the vector back, so that its memory is reused.
        self.decoder.bad = bad_rows;
        true
    }

    /// Returns how many rows a batch may have, given that `room` bytes are left for its results.
    fn limit(&self, room: usize, care: Care) -> usize {
        match (care.is_needed(), self.bytes_per_row) {
            (true, _) => 1,
            (_, 0) => BATCH,
            (_, bytes) => (room / (bytes + bytes / 8 + 1)).max(1),
        }
    }
}

/// Returns the message about a process that has not answered one line for each row. `lines` is how many it has
/// answered.
fn mismatch(lines: &str, count: usize) -> String {
    format!(
        "the command has answered {lines} for {}, and not one for each (any number is right with --command-mode block)",
        counted(count, "row")
    )
}

/// Returns `count` and the word `thing`, in the plural unless `count` is 1: "1 row", "2 rows".
fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

impl Mapper for ByLine<'_> {
    fn map_block(&mut self, head: &[u8], input: &[u8], room: &mut [u8], care: Care) -> Result<Mapped, Failure> {
        self.decoder.begin(head);
        self.decoder.rows.take_names(&self.decoder.head, self.command.settings.format);
        self.reports.clear();
        self.overhead = Duration::ZERO;
        let pace = Pace::with(care);
        let mut mapped = Mapped::default();
        while mapped.consumed < input.len() {
            let start = mapped.consumed;
            care.note(start);
            let free = room.len() - self.reports.len();
            let limit = self.limit(free - mapped.results, care);
            let end = self.decoder.read(input, start, limit, care);
            lap(Step::Take);
            let rows = std::mem::take(&mut self.decoder.rows);
            let count = rows.len();
            self.answers.clear();
            let fault = if count > 0 { self.ask(&rows, count, care) } else { None };
            self.decoder.rows = rows;
            lap(Step::Run);
            let goes_on = self.write_batch(input, end, fault, room, &mut mapped);
            lap(Step::Merge);
            if !goes_on || pace.is_enough() {
                break;
            }
        }
        mapped.overhead = self.overhead;
        Ok(mapped.with_lines(input).with_reports(room, &self.reports))
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        let ended = running.end().map_err(|error| Error::io("the command", error))?;
        if ended == Ended::TooMuch {
            let what = "the command has answered more lines than there are rows: do not trust these results";
            return Err(Error::workers(what).into());
        }
        if ended == Ended::Answered {
            // Tell the user, because the command might have had more to do.
            let worker = self.number;
            say(&format_args!(
                "the command of worker {worker} has answered all rows, and is killed because it does not end"
            ));
        }
        if let Ended::Exited(status) = ended
            && !self.command.is_good(status.code())
        {
            let (worker, cause) = (self.number, death::cause(status));
            say(&format_args!("the command of worker {worker} has answered all rows, and then {cause}"));
        }
        Ok(())
    }
}
