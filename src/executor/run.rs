//! One run over a ring: the reader, the writer, and what these two and whoever looks after the workers share.
//!
//! `threads`, `pickle` and `shared` differ in where the ring lies and in who works on it. That is a [`Crew`]; everything else is
//! here. Reader and writer stand side by side in this file since each is only right by what the other does.

use crate::error::Error;
use crate::executor::cut::{Cut, FIRST};
use crate::executor::measures::unpack;
use crate::executor::{Job, Mapping, no_segment};
use crate::flow::{Block, Ending, Part, Sink, Source};
use crate::ring::{Ends, Place, Reader, Segment, Spoilt, Supervisor, Taken, Writer};
use crate::steps::{self, Step};
use crate::tally::{Stopwatch, Tally};
use crate::work::Mapped;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Duration;

/// Slots for each worker: one that it works on, one that waits for it, one that waits to be written, and one to spare, since
/// blocks do not take equally long.
const SLOTS_PER_JOB: usize = 4;
/// Small blocks get more slots, so that nobody has to be woken for each block: as many slots as hold this many bytes.
const LEAST_INPUT: usize = 512 << 10;
/// Many workers get fewer slots each, down to little more than one, so that the input regions together take no more bytes than
/// this: /dev/shm of a stock container has 64 MiB.
const MOST_INPUT: usize = 16 << 20;

/// Who works on the ring.
pub trait Crew {
    /// Keeps as many workers at work as there is work for, until the run is over.
    ///
    /// # Errors
    /// When the run cannot go on.
    fn supervise(&mut self, run: &Run, ring: Supervisor, mapping: &Mapping) -> Result<(), Error>;
}

/// How many slots a ring for this job has.
pub fn slots(job: &Job) -> usize {
    let fewest = (LEAST_INPUT / job.sizes.block).min(1024).max(job.jobs + 2);
    let slots = (job.jobs * SLOTS_PER_JOB).min(MOST_INPUT / job.sizes.block).max(fewest);
    // A small input gets no more slots than it would fill if its blocks stayed as small as the first ones.
    let most =
        job.input.map_or(usize::MAX, |input| (input / FIRST as u64).saturating_add(2).try_into().unwrap_or(usize::MAX));
    slots.min(most)
}

/// Takes the job's blocks through the ring in the segment, with this crew at work. The first block has the number `first`: 0 in a
/// new segment, otherwise what the run before has answered, which is one more than the number of its last block.
pub fn run(segment: &mut Segment, first: u64, crew: &mut dyn Crew, mapping: &Mapping, job: Job) -> Result<u64, Error> {
    let Ends { reader, writer, supervisor, segment } = segment.ends(first);
    let Job { source, sink, stop, jobs, block_timeout, tally, chunk_size, sizes, input } = job;
    let run = Run {
        segment,
        jobs: jobs as u64,
        block_timeout,
        chunk_size,
        tally,
        bell: bell()?,
        stop,
        workers: AtomicUsize::new(0),
        cut: Cut::new(sizes.block, input),
        first,
        published: AtomicU64::new(first),
        written: AtomicU64::new(first),
        parts: AtomicU64::new(0),
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

/// Starts a thread of the run. Where that is refused the run ends.
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

/// Ends the run if its holder panics, so that nobody is left waiting for a thread that is gone.
pub struct EndOnPanic<'a, 's>(pub &'a Run<'s>);

impl Drop for EndOnPanic<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.end();
        }
    }
}

/// A bell: a file descriptor that is readable once it has been rung.
///
/// # Errors
/// When the system has none left.
pub fn bell() -> Result<OwnedFd, Error> {
    let made = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
    made.map_err(|error| Error::io("cannot make an event", error.into()))
}

/// Rings the bell, which stays readable until it is read.
pub fn ring_bell(bell: &OwnedFd) {
    // It can only fail when it has been rung 2^64 times.
    let _ = rustix::io::write(bell, &1u64.to_ne_bytes());
}

/// What the supervisor has decided on a block that could not be mapped, and what is to be said of it.
#[derive(Debug)]
pub enum Sentence {
    /// A row of it is named, which no worker is to touch.
    WithoutRow(String),
    /// No worker is to try what is left of it: the run ends there, with the numbers of its lines.
    GivenUp(String),
    /// The same with an error that says all, for the writer to take.
    Ends(Option<Error>),
}

/// What reader, writer and crew share.
pub struct Run<'a> {
    /// Where the ring lies.
    pub segment: &'a Segment,
    /// Wakes the crew's supervisor.
    pub bell: OwnedFd,
    /// Stops the reader.
    stop: &'a OwnedFd,
    jobs: u64,
    /// How many workers there are, or have been asked for.
    workers: AtomicUsize,
    /// How blocks are cut.
    cut: Cut,
    /// The number of the first block.
    first: u64,
    /// How long a worker may hold a block.
    pub block_timeout: Option<Duration>,
    /// How many rows a task of the `pickle` executor has at most.
    pub chunk_size: usize,
    /// Counts what is done.
    pub tally: &'a Tally,
    /// One more than the number of the last block so far.
    published: AtomicU64,
    /// The number of the first block that is not written.
    written: AtomicU64,
    /// How many parts are written of the first block that is not written as a whole.
    parts: AtomicU64,
    /// How many parts of blocks are written in all.
    taken: AtomicU64,
    /// What the reader has told the writer, and the writer has not come to yet, in input order.
    told: Mutex<VecDeque<Result<Block, Ending>>>,
    is_over: AtomicBool,
    /// All blocks are written, and nothing went wrong.
    is_complete: AtomicBool,
    sentences: Mutex<HashMap<u64, Sentence>>,
}

impl Run<'_> {
    /// Whether the run has ended, well or not.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Whether it is over since all is written, so that no worker is at work on anything.
    pub fn is_complete(&self) -> bool {
        self.is_complete.load(Ordering::Acquire)
    }

    /// Ends the run for whatever reason, and wakes everybody who waits.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Release);
        ring_bell(&self.bell);
        ring_bell(self.stop);
        self.segment.freed().repeat();
        self.segment.done().repeat();
    }

    /// How many workers there may be.
    pub fn jobs(&self) -> u64 {
        self.jobs
    }

    /// How many workers there is work for: one for each block that is not written, up to the number of jobs; at the beginning one.
    pub fn wanted(&self) -> usize {
        let most = if self.cut.is_enough_for_one() { 1 } else { self.jobs };
        // A block may be written before the reader has counted it as published.
        most.min(self.published.load(Ordering::Acquire).saturating_sub(self.written())) as usize
    }

    /// Takes note that there are so many workers, so that whoever starts them is woken only when there is work for more.
    pub fn has_workers(&self, count: usize) {
        self.workers.store(count, Ordering::Release);
    }

    /// For how long whoever starts workers may sleep before asking how many are wanted: until the head start is over, or `most`. Ask
    /// this first, so that the head start cannot end unnoticed between the two questions.
    pub fn pause(&self, most: Duration) -> Duration {
        self.cut.head_start().map_or(most, |left| left.min(most))
    }

    /// The number of the first block that is not written. All blocks before it are.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// How many parts of blocks are written. Workers cannot forge this count, so it tells whether the run makes progress.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    /// How many parts of this block are written. No living worker may hold the block.
    pub fn parts_taken_of(&self, block: u64) -> u64 {
        // The writer sets the count to 0 before it moves on, so the count is 0 or that of the block seen to be next.
        if self.written() == block { self.parts.load(Ordering::Acquire) } else { 0 }
    }

    /// What was decided on blocks that are not written. The writer acts on it when it comes to them.
    pub fn sentences(&self) -> MutexGuard<'_, HashMap<u64, Sentence>> {
        self.sentences.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Has the writer end the run when it comes to this block, or before.
    pub fn give_up(&self, block: u64, error: Error) {
        self.sentences().insert(block, Sentence::Ends(Some(error)));
        self.segment.done().signal();
    }

    /// Whether no worker is to try this block again.
    pub fn has_given_up(&self, block: u64) -> bool {
        matches!(self.sentences().get(&block), Some(Sentence::GivenUp(_)))
    }

    /// What is said of the row of this block that workers keep dying on, if there is one.
    fn deadly(&self, block: u64) -> String {
        match self.sentences().get(&block) {
            Some(Sentence::WithoutRow(what)) => what.clone(),
            _ => String::new(),
        }
    }

    fn told(&self) -> MutexGuard<'_, VecDeque<Result<Block, Ending>>> {
        self.told.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Tells the writer that the run ends after the blocks so far. No worker will wake it for that.
    pub fn tell_end(&self, ending: Ending) {
        self.told().push_back(Err(ending));
        self.segment.done().signal();
    }

    /// Publishes block after block. Answers why there is no further one, unless the run is over.
    fn read(&self, mut ring: Reader, source: &mut dyn Source) -> Option<Ending> {
        let mut watch = Stopwatch::new(&self.tally.reader);
        loop {
            let mut filling = loop {
                if self.is_over() {
                    return None;
                }
                match ring.try_fill() {
                    Ok(Some(filling)) => break filling,
                    Ok(None) => self.segment.freed().sleep(),
                    Err(Spoilt) => return Some(Ending::Failed(Error::spoilt())),
                }
            };
            watch.waited();
            if let Err(error) = filling.allocate() {
                return Some(Ending::Failed(no_segment(error)));
            }
            let read = source.next_block(filling.input(), self.cut.wanted());
            steps::lap(Step::Take);
            let block = match read {
                Ok(block) => block,
                Err(ending) => return Some(ending),
            };
            let place = Place::Slot(block.rows.clone());
            // Tell the writer before publishing: a worker may finish the block at once.
            self.told().push_back(Ok(block));
            filling.publish(place);
            self.segment.filled().signal();
            self.published.fetch_add(1, Ordering::AcqRel);
            if self.wanted() > self.workers.load(Ordering::Acquire) {
                ring_bell(&self.bell);
            }
            watch.worked();
        }
    }

    /// Hands the results of block after block to the sink, as they come, until the run ends.
    fn write(&self, mut ring: Writer, sink: &mut dyn Sink) -> Result<(), Error> {
        let mut watch = Stopwatch::new(&self.tally.writer);
        for block in self.first.. {
            let next = loop {
                // In a statement of its own, so that the lock is given back before the match.
                let told = self.told().pop_front();
                match told {
                    Some(Ok(next)) => break next,
                    Some(Err(ending)) => {
                        sink.end(ending)?;
                        self.is_complete.store(true, Ordering::Release);
                        return Ok(());
                    }
                    None if self.is_over() => return Ok(()),
                    None => self.segment.done().sleep(),
                }
            };
            ring.begin(Place::Slot(next.rows.clone()));
            watch.waited();
            sink.begin(next)?;
            watch.worked();
            loop {
                // The writer sleeps on the same event here and above, so that one wake-up for each event is enough.
                let is_published = self.published.load(Ordering::Acquire) > block;
                if let Some(taken) = ring.try_take(is_published).map_err(|Spoilt| Error::spoilt())? {
                    self.write_part(block, &taken, sink, &mut watch)?;
                    if taken.give_back() {
                        break;
                    }
                    self.segment.filled().signal();
                    continue;
                }
                match self.sentences().get_mut(&block) {
                    Some(Sentence::GivenUp(what)) => return Err(sink.given_up(ring.rest(), what.clone())),
                    Some(Sentence::Ends(error)) => return error.take().map_or(Ok(()), Err),
                    _ => {}
                }
                if self.is_over() {
                    return Ok(());
                }
                self.segment.done().sleep();
            }
            self.segment.freed().signal();
            self.sentences().remove(&block);
            self.parts.store(0, Ordering::Release);
            self.written.store(block + 1, Ordering::Release);
        }
        Ok(())
    }

    /// Hands the results of a block, or of the next part of it, to the sink.
    fn write_part(&self, block: u64, taken: &Taken, sink: &mut dyn Sink, watch: &mut Stopwatch) -> Result<(), Error> {
        let (mapped, working, waiting) = unpack(taken).map_err(|Spoilt| Error::spoilt())?;
        let Mapped { consumed, lines, rows, results, .. } = mapped;
        self.tally.enter(taken.worker() as usize % self.jobs as usize, rows, working, waiting);
        self.cut.measured(consumed, working);
        watch.waited();
        let (results, reports) = taken.results().split_at(results);
        let deadly = if reports.is_empty() { String::new() } else { self.deadly(block) };
        sink.write(Part { input: taken.input(), consumed, lines, rows, results, reports, deadly: &deadly })?;
        if consumed == 0 && !taken.is_whole() {
            // Only a report that ends the run comes without a row, and it has not ended.
            return Err(Error::spoilt());
        }
        steps::lap(Step::Merge);
        watch.worked();
        self.parts.fetch_add(1, Ordering::Release);
        self.taken.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Repeats every wake-up, and has workers look again at blocks that nobody has claimed. This is the way out where a worker
    /// has spoilt the events or the counter, or a wake-up has died with a worker.
    pub fn remind(&self, ring: &Supervisor) {
        ring.look_again_from(self.written());
        for event in [self.segment.filled(), self.segment.done(), self.segment.freed()] {
            event.repeat();
        }
    }
}

#[cfg(test)]
mod tests;
