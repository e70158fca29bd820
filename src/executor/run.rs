//! One run over a ring: the state that reader, writer and supervisor share, and the writer. The reader is in `reading.rs`.
//!
//! `threads`, `pickle` and `shared` differ in where the ring lies and in which workers work on it. The latter is a
//! [`Crew`]; everything else is here and there. This file is long because what the three share is one thing.

use crate::error::Error;
use crate::executor::cut::Cut;
use crate::executor::measures::unpack;
use crate::executor::told::{Sentence, Told};
use crate::executor::{Job, Mapping};
use crate::flow::{Bytes, Ending, Part, Sink};
use crate::input::windows::{Cutter, Windows};
use crate::process::bell::{bell, ring_bell};
use crate::ring::{Ends, Place, Segment, Spoilt, Supervisor, Taken, Writer};
use crate::steps::{self, Step};
use crate::tally::{Stopwatch, Tally};
use crate::work::Mapped;
use rustix::fd::{AsFd, OwnedFd};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Duration;

/// The workers of a run, with what starts them and looks after them.
pub trait Crew {
    /// Runs as the supervisor until the run is over: keeps as many workers at work as there is work for.
    ///
    /// # Errors
    /// If the run cannot go on, for example because workers cannot be started.
    fn supervise(&mut self, run: &Run, ring: Supervisor, mapping: &Mapping) -> Result<(), Error>;
}

/// Runs the job: the crew's workers map its blocks, which go through the ring in `segment`. Block numbers start at
/// `first`: 0 in a new segment, otherwise the return value of the run before. Returns the number of the next block,
/// which is one more than that of the last.
pub fn run(segment: &mut Segment, first: u64, crew: &mut dyn Crew, mapping: &Mapping, job: Job) -> Result<u64, Error> {
    let Ends { reader, writer, supervisor, segment } = segment.ends(first);
    let Job { source, sink, stop, jobs, block_timeout, tally, chunk_size, sizes, input, has_fixed_blocks } = job;
    let run = Run {
        segment,
        jobs: jobs as u64,
        block_timeout,
        chunk_size,
        tally,
        bell: bell()?,
        stop,
        workers: AtomicUsize::new(0),
        cut: Cut::new(sizes.block, input, has_fixed_blocks),
        cutter: mapping.cutter,
        file: OnceLock::new(),
        first,
        published: AtomicU64::new(first),
        written: AtomicU64::new(first),
        parts: AtomicU64::new(0),
        offers: Mutex::default(),
        taken: AtomicU64::new(0),
        told: Mutex::default(),
        is_over: AtomicBool::new(false),
        is_complete: AtomicBool::new(false),
        sentences: Mutex::default(),
    };
    thread::scope(|scope| {
        let reading = spawn(scope, &run, "reader", || {
            if let Some(ending) = run.read(reader, source) {
                run.tell_end(ending);
            }
        });
        let writing = spawn(scope, &run, "writer", || {
            let written = run.write(writer, sink);
            run.end();
            written
        });
        let _panic = EndOnPanic(&run);
        let supervised = reading.and_then(|_| crew.supervise(&run, supervisor, mapping));
        run.end();
        let written = writing?.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // The writer goes by the order of the input. What the supervisor has to say is of no particular row.
        written.and(supervised)
    })?;
    Ok(run.published.into_inner())
}

/// Starts a thread of the run. Ends the run if the system refuses to start the thread.
fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    run: &'scope Run,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, Error> {
    let work = move || {
        let _panic = EndOnPanic(run);
        work()
    };
    thread::Builder::new().name(name.into()).spawn_scoped(scope, work).map_err(|error| {
        run.end();
        Error::io("cannot start a thread", error)
    })
}

/// Ends the run if the thread that holds this value panics, so that other threads do not wait for that thread for ever.
pub struct EndOnPanic<'a, 's>(pub &'a Run<'s>);

impl Drop for EndOnPanic<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.end();
        }
    }
}

/// The state of a run that reader, writer and crew share.
pub struct Run<'a> {
    /// The segment that holds the ring.
    pub segment: &'a Segment,
    /// The bell that wakes the supervisor.
    pub bell: OwnedFd,
    /// The bell that makes the source stop waiting for input.
    stop: &'a OwnedFd,
    jobs: u64,
    /// How many workers have been started or asked for, as the supervisor last said. The reader rings the bell if more
    /// are wanted.
    pub(super) workers: AtomicUsize,
    /// Decides how large the next block is.
    pub(super) cut: Cut,
    /// How workers find rows in the file.
    pub(super) cutter: Option<Cutter>,
    /// The file that workers may read for themselves, if there is one. Set before the first block is published.
    pub(super) file: OnceLock<OwnedFd>,
    /// The number of the run's first block.
    first: u64,
    /// How long a worker process may hold a block before it is killed.
    pub block_timeout: Option<Duration>,
    /// The largest number of rows in a task of the `pickle` executor.
    pub chunk_size: usize,
    /// The counters of this run.
    pub tally: &'a Tally,
    /// Number of the next block to be published; all smaller numbers have been.
    pub(super) published: AtomicU64,
    /// Number of the first block that is not written as a whole. All blocks before it are.
    written: AtomicU64,
    /// How many parts of block `written` have been written.
    parts: AtomicU64,
    /// How many offers of the claimant of block `written` have been taken. Locked while the writer looks for an offer, and
    /// while the supervisor withdraws that of a dead worker.
    offers: Mutex<u64>,
    /// How many parts of blocks have been written in the whole run.
    taken: AtomicU64,
    /// What the reader has announced and the writer has not reached yet, in input order.
    told: Mutex<VecDeque<Told>>,
    is_over: AtomicBool,
    /// Whether all blocks are written and no error has occurred.
    is_complete: AtomicBool,
    sentences: Mutex<HashMap<u64, Sentence>>,
}

impl Run<'_> {
    /// Returns whether the run has ended, with or without an error.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Returns whether all blocks are written, so that no worker holds a block any more.
    pub fn is_complete(&self) -> bool {
        self.is_complete.load(Ordering::Acquire)
    }

    /// Ends the run, and wakes reader, writer and supervisor so that they notice.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Release);
        ring_bell(&self.bell);
        ring_bell(self.stop);
        self.segment.freed().repeat();
        self.segment.done().repeat();
        self.segment.turns().repeat();
    }

    /// Returns the largest number of workers.
    pub fn jobs(&self) -> u64 {
        self.jobs
    }

    /// Returns for how many workers there is work: one for each block that is not written, up to the number of jobs,
    /// but only one while the first worker has its head start.
    pub fn wanted(&self) -> usize {
        let most = if self.cut.is_enough_for_one() { 1 } else { self.jobs };
        // A block may be written before the reader has counted it as published.
        most.min(self.published.load(Ordering::Acquire).saturating_sub(self.written())) as usize
    }

    /// Records how many workers there are, so that the reader wakes the supervisor only if there is work for more.
    pub fn has_workers(&self, count: usize) {
        self.workers.store(count, Ordering::Release);
    }

    /// Returns how long the supervisor may sleep, at most `most`: it must wake when the first worker's head start ends,
    /// to start others.
    pub fn pause(&self, most: Duration) -> Duration {
        self.cut.head_start().map_or(most, |left| left.min(most))
    }

    /// Number of the first block that is not written as a whole. All blocks before it are.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Returns how many parts of blocks have been written. Workers cannot forge this count, so it shows whether the run
    /// makes progress.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    /// Returns how many parts of `block` have been written. No living worker may hold the block, because its next part
    /// could otherwise be written meanwhile.
    pub fn parts_taken_of(&self, block: u64) -> u64 {
        // The writer sets `parts` to 0 before it increases `written`, so the count read here is that of this block or
        // 0.
        if self.written() == block { self.parts.load(Ordering::Acquire) } else { 0 }
    }

    /// Returns the decisions on blocks that are not written. The writer acts on each when it comes to its block.
    pub fn sentences(&self) -> MutexGuard<'_, HashMap<u64, Sentence>> {
        self.sentences.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Makes the writer end the run with `error` when it comes to `block`, unless the run ends before.
    pub fn give_up(&self, block: u64, error: Error) {
        self.sentences().insert(block, Sentence::Ends(Some(error)));
        self.segment.done().signal();
    }

    /// Returns whether the block has been given up, so that no worker may try it again.
    pub fn has_given_up(&self, block: u64) -> bool {
        matches!(self.sentences().get(&block), Some(Sentence::GivenUp(_)))
    }

    /// Returns the message about the row of this block on which workers keep dying, or an empty string if there is no
    /// such row.
    fn deadly(&self, block: u64) -> String {
        match self.sentences().get(&block) {
            Some(Sentence::WithoutRow(what)) => what.clone(),
            _ => String::new(),
        }
    }

    /// Announces to the writer what comes next.
    pub(super) fn tell(&self, told: Told) {
        self.told.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push_back(told);
    }

    fn next_told(&self) -> Option<Told> {
        self.told.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).pop_front()
    }

    /// Returns the file that workers may read for themselves, if there is one.
    pub fn file(&self) -> Option<&OwnedFd> {
        self.file.get()
    }

    /// Returns what a worker of this process needs to read that file.
    pub fn windows(&self) -> Option<Windows<'_>> {
        self.cutter.zip(self.file()).map(|(cutter, file)| Windows::new(cutter, file.as_fd()))
    }

    /// Announces to the writer that the run ends after the blocks published so far, and wakes it: there may be no
    /// worker left to do so.
    pub fn tell_end(&self, ending: Ending) {
        self.tell(Told::End(ending));
        self.segment.done().signal();
    }

    /// The writer: passes the results of block after block to the sink, until the run ends.
    fn write(&self, mut ring: Writer, sink: &mut dyn Sink) -> Result<(), Error> {
        let mut watch = Stopwatch::new(&self.tally.writer);
        // Where in the file the rows of the blocks so far end, as far as the workers read it.
        let mut end = 0;
        let mut free = 0;
        // The reader is woken when several slots are free, but while each worker still has a block that waits for it.
        let slots = self.segment.slots();
        let enough = slots.saturating_sub(2 * self.jobs as usize).min(slots / 2).max(1);
        for block in self.first.. {
            let (place, next) = loop {
                // Keep this a statement of its own: inside the `match` the lock would be held while the writer sleeps.
                let told = self.next_told();
                match told {
                    Some(Told::Block(next)) => break (Place::Slot(next.rows.clone()), next),
                    Some(Told::Window(window)) => break (window.place(), window.block(end)),
                    Some(Told::Stretch(start)) => end = start,
                    Some(Told::GoOn(place)) if place == end => {}
                    Some(Told::GoOn(_)) => return Err(Error::spoilt()),
                    Some(Told::End(ending)) => {
                        sink.end(ending)?;
                        self.is_complete.store(true, Ordering::Release);
                        return Ok(());
                    }
                    None if self.is_over() => return Ok(()),
                    None => self.segment.done().sleep(),
                }
            };
            ring.begin(place, end);
            watch.waited();
            sink.begin(next)?;
            watch.worked();
            loop {
                // The writer sleeps on the event `done` both here and above, so that one wake-up per event is enough.
                let is_published = self.published.load(Ordering::Acquire) > block;
                if let Some(taken) = ring.try_take(is_published).map_err(|Spoilt| Error::spoilt())? {
                    self.write_part(block, &taken, end, sink, &mut watch)?;
                    end += taken.consumed() as u64;
                    if taken.give_back() {
                        break;
                    }
                    self.segment.filled().signal();
                    continue;
                }
                if self.take_offer(&mut ring, end, sink)? {
                    continue;
                }
                match self.sentences().get_mut(&block) {
                    Some(Sentence::GivenUp(what)) => {
                        return Err(sink.given_up(self.text(ring.rest(), ring.left(), end), what.clone()));
                    }
                    Some(Sentence::Ends(error)) => return error.take().map_or(Ok(()), Err),
                    _ => {}
                }
                if self.is_over() {
                    return Ok(());
                }
                self.segment.done().sleep();
            }
            self.sentences().remove(&block);
            self.parts.store(0, Ordering::Release);
            self.written.store(block + 1, Ordering::Release);
            free += 1;
            // The reader may wait for slots, or, where few blocks may be published, for the number of written ones.
            if free >= enough || self.published.load(Ordering::Acquire) <= block + 1 + self.jobs {
                self.segment.freed().signal();
                free = 0;
            }
        }
        Ok(())
    }

    /// Returns the rows of a block, which are `here`, or, if its window is in the file, the `length` bytes at `offset`.
    fn text<'t>(&'t self, here: Option<&'t [u8]>, length: usize, offset: u64) -> Bytes<'t> {
        match (here, self.file()) {
            (None, Some(file)) => Bytes::InFile(file, offset, length),
            (here, _) => Bytes::Here(here.unwrap_or_default()),
        }
    }

    /// Passes the results of a block, or of the next part of it, to the sink. `end` is where the rows before end in the file.
    fn write_part(
        &self,
        block: u64,
        taken: &Taken,
        end: u64,
        sink: &mut dyn Sink,
        watch: &mut Stopwatch,
    ) -> Result<(), Error> {
        let (mapped, working, waiting) = unpack(taken).map_err(|Spoilt| Error::spoilt())?;
        let Mapped { consumed, lines, rows, results, .. } = mapped;
        self.tally.enter(taken.worker() as usize % self.jobs as usize, rows, working, waiting);
        self.cut.measured(consumed, working, mapped.overhead);
        watch.waited();
        let (results, reports) = taken.results().split_at(results);
        let deadly = if reports.is_empty() { String::new() } else { self.deadly(block) };
        let input = self.text(taken.input(), taken.left(), end);
        sink.write(Part { input, consumed, lines, rows, results, reports, deadly: &deadly })?;
        if consumed == 0 && !taken.is_whole() {
            // A part without any input is valid only if its report ends the run, but the sink has returned no error.
            return Err(Error::spoilt());
        }
        steps::lap(Step::Merge);
        watch.worked();
        *self.offers() = 0;
        self.parts.fetch_add(1, Ordering::Release);
        self.taken.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Repeats every wake-up, and makes workers look again at blocks that have not been claimed. This repairs the run
    /// if a worker has overwritten the events or the counter, or died before it could pass on a wake-up.
    pub fn remind(&self, ring: &Supervisor) {
        ring.look_again_from(self.written());
        for event in [self.segment.filled(), self.segment.done(), self.segment.freed()] {
            event.repeat();
        }
        self.segment.turns().repeat();
    }
}

mod offers;
#[cfg(test)]
mod tests;
