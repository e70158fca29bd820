//! The exchange with a process of the command: rows go in and its answer comes out, in one loop over both pipes, so
//! that the process and this loop never wait for each other.
//!
//! A command may write before it reads, read everything before it writes, close either pipe early, or leave both to a
//! child of its own. In none of these cases may the loop wait for something that cannot come any more. So it watches
//! both pipes and the end of the shell at once, and knows how many lines are expected.
//!
//! This file is long because each decision of the loop rests on all that it has seen of the process.

use super::process::Running;
use super::quiet::{Judged, Quiet, Silent};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use rustix::io::Errno;
use std::io;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What is asked of a process.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The lines that it is sent.
    pub rows: &'a [u8],
    /// How many lines it must answer with. `None`: any number.
    pub lines: Option<usize>,
    /// Whether its input is closed after the rows.
    pub is_last: bool,
    /// After how much silence a command is judged to answer only at the end of its input.
    pub judged: Judged<'a>,
    /// Becomes true if the answer is not needed any more.
    pub is_abandoned: &'a AtomicBool,
}

/// How an exchange ended. In every case, what was answered before has been passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All lines were answered, and the process goes on.
    Answered,
    /// The process answered more lines than expected, or wrote more bytes than an answer may have.
    TooMuch,
    /// The process answered a row before it had read it.
    TooEarly,
    /// The shell has ended with this status, and everything that was in the pipe is read.
    Exited(ExitStatus),
    /// The process lives but cannot answer any more. The text says why, as the predicate of a sentence.
    Useless(&'static str),
    /// The process has read all rows and waits for more, and has not answered all of them.
    Waits,
}

/// Takes a piece of an answer.
pub type Take<'t> = dyn FnMut(&[u8]) -> io::Result<()> + 't;

/// How long to wait at most until the processes of a command that has answered all rows are idle.
const REST: Duration = Duration::from_millis(50);
/// How long a process may take to end after it has closed its output or has answered all rows there are.
const LINGER: Duration = Duration::from_secs(1);
/// How long a command may work after the end of its input, at the end of a run.
const END: Duration = Duration::from_secs(60);
/// How long to sleep at most while waiting for a change that `poll` cannot report.
const ROUND: Duration = Duration::from_millis(5);
/// The same while measuring how long a process takes to start, or while waiting until it is idle.
const START: Duration = Duration::from_millis(1);
/// The most bytes of an answer whose lines are counted, and of one whose lines are not.
const MOST: u64 = 256 << 20;
const MOST_UNCOUNTED: u64 = 4 << 30;

impl Running {
    /// Sends the rows and passes the answer on to `take`, in pieces. Returns how the exchange ended, and the number of
    /// lines that were answered. A last line without its line end is passed on, but not counted.
    ///
    /// # Errors
    /// If the system refuses to read, write or poll, or if `take` returns an error.
    pub fn exchange(&mut self, question: Question, take: &mut Take) -> io::Result<(Ended, usize)> {
        let mut talk = Talk {
            question,
            sent: 0,
            lines: 0,
            length: 0,
            is_in_line: false,
            is_open: true,
            has_ended: None,
            deadline: None,
            read: 0,
            lines_read: 0,
            rest: None,
            quiet: Quiet::new(),
        };
        loop {
            talk.read(self, take)?;
            self.said.read();
            talk.count_read(self);
            if let Some(ended) = talk.ended(self)? {
                let begun = usize::from(ended == Ended::TooMuch && talk.is_in_line);
                return Ok((ended, talk.lines + begun));
            }
            talk.send(self)?;
            talk.wait(self)?;
        }
    }

    /// Closes the command's input. Then waits until the command has ended or has been idle for [`LINGER`], but no
    /// longer than [`END`]. Returns [`Ended::TooMuch`] if the command has written something, because no more answers
    /// are expected; [`Ended::Answered`] if it is still running; or else how it ended.
    ///
    /// # Errors
    /// If the system refuses to read or poll.
    pub fn end(&mut self) -> io::Result<Ended> {
        let (start, mut busy, mut used) = (Instant::now(), Instant::now(), 0);
        self.close_input();
        while start.elapsed() < END && busy.elapsed() < LINGER {
            // First ask whether the process has ended, and then look into the pipe. If the process has ended, all that
            // it wrote is in the pipe already.
            let status = self.try_wait()?;
            self.said.read();
            if self.has_answer()? {
                return Ok(Ended::TooMuch);
            }
            if let Some(status) = status {
                return Ok(Ended::Exited(status));
            }
            let look = self.look(false);
            if !look.is_at_rest() || look.used != used {
                (busy, used) = (Instant::now(), look.used);
            }
            let most = Timespec::try_from(ROUND).ok();
            let mut fds: Vec<PollFd> = self.exit.iter().map(|exit| PollFd::new(exit, PollFlags::IN)).collect();
            rustix::io::retry_on_intr(|| poll(&mut fds, most.as_ref()))?;
        }
        Ok(Ended::Answered)
    }
}

/// An exchange that is under way.
struct Talk<'q> {
    question: Question<'q>,
    /// How many bytes of the rows have been sent.
    sent: usize,
    /// How many lines of the answer have come.
    lines: usize,
    /// How many bytes of the answer have come.
    length: u64,
    /// Whether the last line of the answer has no line end yet.
    is_in_line: bool,
    /// Whether a process can still write to the command's output.
    is_open: bool,
    has_ended: Option<ExitStatus>,
    /// The time by which the process must have ended, and what is wrong if it has not. It is set once no more answers
    /// are expected. `None` as long as answers are expected.
    deadline: Option<(Instant, &'static str)>,
    /// How many bytes of the rows the command has read, and how many lines end in them.
    read: usize,
    lines_read: usize,
    /// When to stop waiting for the command to be idle.
    rest: Option<Instant>,
    quiet: Quiet,
}

impl Talk<'_> {
    fn are_sent(&self) -> bool {
        self.sent == self.question.rows.len()
    }

    /// Whether some of the rows will never be read.
    fn is_abandoned(&self, running: &Running) -> bool {
        running.stdin.is_none() && (!self.are_sent() || running.unread() > 0)
    }

    /// Reads the part of the answer that is in the pipe.
    fn read(&mut self, running: &mut Running, take: &mut Take) -> io::Result<()> {
        // First ask whether the process has ended, and then read. If the process has ended, all that it wrote is in the
        // pipe already.
        if self.has_ended.is_none() {
            self.has_ended = running.try_wait()?;
        }
        let mut buffer = [0; 64 << 10];
        // Stop at one line too many, because some commands never stop writing.
        while self.is_open && !self.is_too_much() {
            match rustix::io::read(&running.stdout, &mut buffer) {
                Ok(0) => self.is_open = false,
                Ok(length) => {
                    running.note_answer();
                    self.lines += memchr::memchr_iter(b'\n', &buffer[..length]).count();
                    self.length += length as u64;
                    self.is_in_line = buffer[length - 1] != b'\n';
                    take(&buffer[..length])?;
                    self.quiet = Quiet::new();
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Counts the lines that the command has read. Must be called after [`read`](Talk::read), which counts the lines of
    /// the answer. In the opposite order, the command could read and answer a row between the two calls, and the answer
    /// would seem to come too early.
    fn count_read(&mut self, running: &Running) {
        let read = self.sent - self.sent.min(running.unread() as usize);
        if let Some(rows) = self.question.rows.get(self.read..read) {
            self.lines_read += memchr::memchr_iter(b'\n', rows).count();
            self.read = read;
        }
    }

    fn is_too_much(&self) -> bool {
        let lines = self.lines + usize::from(self.is_in_line);
        match self.question.lines {
            Some(most) => lines > most || self.length > MOST,
            None => self.length > MOST_UNCOUNTED,
        }
    }

    /// Whether the command has answered more lines than it has read rows, so that a line came too early.
    fn is_too_early(&self) -> bool {
        self.question.lines.is_some() && !self.question.rows.is_empty() && self.lines > self.lines_read
    }

    /// Returns how the exchange has ended, if it has.
    fn ended(&mut self, running: &mut Running) -> io::Result<Option<Ended>> {
        if self.question.is_abandoned.load(Ordering::Relaxed) {
            return Ok(Some(Ended::Useless("is not needed any more")));
        }
        if self.is_too_much() {
            return Ok(Some(Ended::TooMuch));
        }
        if self.is_too_early() {
            return Ok(Some(Ended::TooEarly));
        }
        if let Some(status) = self.has_ended {
            return Ok(Some(Ended::Exited(status)));
        }
        let is_complete = self.question.lines == Some(self.lines) && self.are_sent() && running.unread() == 0;
        if is_complete && !self.question.is_last {
            // A line too many might still be on its way, and would later be taken for the answer to the next row.
            let until = *self.rest.get_or_insert_with(|| Instant::now() + REST);
            // Wait only once for a command whose processes go on working after all answers.
            let is_late = Instant::now() >= until;
            running.is_restless |= is_late;
            let is_over = running.is_restless || running.look(false).is_at_rest();
            return Ok((is_over && !running.has_answer()?).then_some(Ended::Answered));
        }
        if self.deadline.is_none() && self.question.lines.is_some() {
            let reason = if is_complete {
                Some("")
            } else if !self.is_open {
                Some("has closed its output and does not end")
            } else if self.is_abandoned(running) {
                Some("has closed its input before it had read all rows, and does not end")
            } else {
                None
            };
            self.deadline = reason.map(|reason| (Instant::now() + LINGER, reason));
        }
        Ok(match self.deadline {
            Some((deadline, _)) if Instant::now() < deadline => None,
            Some(_) if is_complete => Some(Ended::Answered),
            Some((_, what)) => Some(Ended::Useless(what)),
            None => {
                let Talk { question, sent, lines, quiet, .. } = self;
                let silent = quiet.look(running, question.judged, *sent == question.rows.len(), question.lines, *lines);
                silent.map(|silent| match silent {
                    Silent::Waits => Ended::Waits,
                    Silent::Stopped => {
                        Ended::Useless("has been stopped, as by reading from the terminal in the background")
                    }
                })
            }
        })
    }

    /// Sends what the pipe has room for. Once all rows of the question are sent, closes the command's input if they are
    /// its last rows.
    fn send(&mut self, running: &mut Running) -> io::Result<()> {
        while let Some(stdin) = running.stdin.as_ref().filter(|_| !self.are_sent()) {
            match rustix::io::write(stdin, &self.question.rows[self.sent..]) {
                Ok(length) => {
                    self.sent += length;
                    self.quiet = Quiet::new();
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                // No process reads the pipe any more.
                Err(Errno::PIPE) => running.abandon_input(),
                Err(error) => return Err(error.into()),
            }
        }
        // The command has started when it has read something.
        if !running.has_started() && self.sent > 0 && running.unread() < self.sent as u64 {
            running.note_start();
        }
        // Until the command has started, keep the pipe open: a closed pipe does not show how much of it was read.
        if self.are_sent() && self.question.is_last && (running.has_started() || self.sent == 0) {
            running.close_input();
        }
        Ok(())
    }

    /// Sleeps until something is to be done.
    fn wait(&self, running: &mut Running) -> io::Result<()> {
        let until = self.deadline.map_or(self.quiet.next(), |(deadline, _)| deadline);
        let mut most = until.saturating_duration_since(Instant::now());
        // `poll` cannot report that the command has read the last row, nor, without `exit`, that the process has ended.
        // So look again soon.
        let is_last_unread = self.question.lines == Some(self.lines);
        if running.exit.is_none() || is_last_unread {
            most = most.min(ROUND);
        }
        if self.question.is_last && !running.has_started() || self.rest.is_some() {
            most = most.min(START);
        }
        let others = [self.is_open.then_some(&running.stdout), running.said.pipe.as_ref(), running.exit.as_ref()];
        let mut fds: Vec<PollFd> = others.into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        // Even if no event is asked for, poll reports that no process reads the pipe any more.
        let room = if self.are_sent() { PollFlags::empty() } else { PollFlags::OUT };
        fds.extend(running.stdin.as_ref().map(|stdin| PollFd::from_borrowed_fd(stdin.as_fd(), room)));
        let most = Timespec::try_from(most).ok();
        rustix::io::retry_on_intr(|| poll(&mut fds, most.as_ref()))?;
        let is_unread = fds.last().is_some_and(|last| last.revents().contains(PollFlags::ERR));
        if running.stdin.is_some() && is_unread {
            running.abandon_input();
        }
        Ok(())
    }
}
