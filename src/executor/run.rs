//! One run over a ring: the reader and the writer, and what they and whoever looks after the workers share.
//!
//! `threads` and `shared` differ in where the ring lies and who works on it. That is a [`Crew`]; all else is here.

use crate::error::Error;
use crate::executor::measures::unpack;
use crate::executor::{Job, Mapping, no_segment};
use crate::flow::{Block, Ending, Part, Sink, Source};
use crate::ring::{Ends, Place, Reader, Segment, Spoilt, Supervisor, Writer};
use crate::steps::{self, Step};
use crate::tally::{Stopwatch, Tally};
use crate::work::Mapped;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// Slots for each worker: one that it works on, one that waits for it, one that waits to be written, and one for what
/// is uneven about these.
const SLOTS_PER_JOB: usize = 4;
/// Small blocks get more slots, so that nobody has to be woken for each: as many as hold this much input.
const LEAST_INPUT: usize = 512 << 10;
/// Many workers get fewer slots each, down to little more than one, rather than more memory than a stock container has
/// in /dev/shm, which is 64 MiB.
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
    (job.jobs * SLOTS_PER_JOB).min(MOST_INPUT / job.sizes.block).max(fewest)
}

/// Takes the job's blocks through the ring in the segment, with this crew at work. The first of them has the number `first`: 0
/// in a new segment, and else what the run before answered, which is one more than the number of its last block.
pub fn run(segment: &mut Segment, first: u64, crew: &mut dyn Crew, mapping: &Mapping, job: Job) -> Result<u64, Error> {
    let Ends { reader, writer, supervisor, segment } = segment.ends(first);
    let Job { source, sink, stop, jobs, block_timeout, tally, chunk_size, .. } = job;
    let run = Run {
        segment,
        jobs: jobs as u64,
        block_timeout,
        chunk_size,
        tally,
        bell: bell()?,
        stop,
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
        let cannot = |error| Error::io("cannot start a thread", error);
        let _end = EndOnDrop(&run);
        let reading = || {
            let _panic = EndOnPanic(&run);
            run.read(reader, source);
        };
        thread::Builder::new().name("reader".into()).spawn_scoped(scope, reading).map_err(cannot)?;
        let writing = || {
            let _end = EndOnDrop(&run);
            run.write(writer, sink)
        };
        let writing = thread::Builder::new().name("writer".into()).spawn_scoped(scope, writing).map_err(cannot)?;
        let supervised = {
            let _end = EndOnDrop(&run);
            crew.supervise(&run, supervisor, mapping)
        };
        let written = writing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        supervised.and(written)
    })?;
    Ok(run.published.into_inner())
}

/// Ends the run when it goes, by a panic too.
struct EndOnDrop<'a, 's>(&'a Run<'s>);

impl Drop for EndOnDrop<'_, '_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Ends the run when its holder panics: a reader that comes to its end does not.
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

/// Rings it; once rung it stays so until it is read.
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
    /// The number of the first block.
    first: u64,
    /// How long a worker may hold a block.
    pub block_timeout: Option<Duration>,
    /// How many rows a task of the `pickle` executor has at most.
    pub chunk_size: usize,
    /// What it comes to.
    pub tally: &'a Tally,
    /// One more than the number of the last block so far.
    published: AtomicU64,
    /// The number of the first block that is not written.
    written: AtomicU64,
    /// How many parts of the first block that is not written are.
    parts: AtomicU64,
    /// How many parts of blocks are written in all.
    taken: AtomicU64,
    /// What the reader has told the writer and the writer has not come to, in input order.
    told: Mutex<VecDeque<Result<Block, Ending>>>,
    is_over: AtomicBool,
    /// All blocks are written, and nothing went wrong.
    is_complete: AtomicBool,
    sentences: Mutex<HashMap<u64, Sentence>>,
}

impl Run<'_> {
    /// Whether there is nothing more to do.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Whether it is over since all is written, so that no worker is at work on anything.
    pub fn is_complete(&self) -> bool {
        self.is_complete.load(Ordering::Acquire)
    }

    /// Ends it: whatever the reason, nobody must be left waiting.
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

    /// How many workers there is work for so far: no more than there were blocks.
    pub fn wanted(&self) -> usize {
        self.jobs.min(self.published.load(Ordering::Acquire) - self.first) as usize
    }

    /// The number of the first block that is not written: all before it are.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// How many parts of blocks are written: what there is of progress, by the parent's own word.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    /// How many parts of this block were taken, which no living worker holds.
    pub fn parts_taken_of(&self, block: u64) -> u64 {
        // The writer sets the count to 0 before it moves on: so it is of the block that is seen to be next, or 0.
        if self.written() == block { self.parts.load(Ordering::Acquire) } else { 0 }
    }

    /// What was decided on blocks that are not written, for the writer to say when it comes to them.
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

    fn read(&self, mut ring: Reader, source: &mut dyn Source) {
        let mut watch = Stopwatch::new(&self.tally.reader);
        for block in self.first.. {
            let mut filling = loop {
                if self.is_over() {
                    return;
                }
                match ring.try_fill() {
                    Ok(Some(filling)) => break filling,
                    Ok(None) => self.segment.freed().sleep(),
                    Err(Spoilt) => return self.tell_end(Ending::Failed(Error::spoilt())),
                }
            };
            watch.waited();
            if let Err(error) = filling.allocate() {
                return self.tell_end(Ending::Failed(no_segment(error)));
            }
            match source.next_block(filling.input()) {
                Ok(read) => {
                    let place = Place::Slot(read.rows.clone());
                    // Tell the writer before publishing: a worker may finish the block at once.
                    self.told().push_back(Ok(read));
                    filling.publish(place);
                    self.segment.filled().signal();
                    self.published.store(block + 1, Ordering::Release);
                    if block - self.first < self.jobs {
                        ring_bell(&self.bell);
                    }
                    steps::lap(Step::Take);
                    watch.worked();
                }
                Err(ending) => {
                    steps::lap(Step::Take);
                    return self.tell_end(ending);
                }
            }
        }
    }

    fn write(&self, mut ring: Writer, sink: &mut dyn Sink) -> Result<(), Error> {
        let mut watch = Stopwatch::new(&self.tally.writer);
        for block in self.first.. {
            // Told before it is published, so before it can be done.
            loop {
                let told = self.told().pop_front();
                match told {
                    Some(Ok(next)) => {
                        ring.begin(Place::Slot(next.rows.clone()));
                        watch.waited();
                        sink.begin(next)?;
                        watch.worked();
                        break;
                    }
                    Some(Err(ending)) => {
                        sink.end(ending)?;
                        self.is_complete.store(true, Ordering::Release);
                        return Ok(());
                    }
                    None if self.is_over() => return Ok(()),
                    None => self.segment.done().sleep(),
                }
            }
            if !self.write_block(block, &mut ring, sink, &mut watch)? {
                return Ok(());
            }
            self.sentences().remove(&block);
            self.parts.store(0, Ordering::Release);
            self.written.store(block + 1, Ordering::Release);
        }
        Ok(())
    }

    /// Writes the block that the end has begun, as its results come; answers whether they did before the end of the run.
    fn write_block(
        &self,
        block: u64,
        ring: &mut Writer,
        sink: &mut dyn Sink,
        watch: &mut Stopwatch,
    ) -> Result<bool, Error> {
        loop {
            // The writer sleeps here and while it waits to be told, so that one wake-up for each event is enough.
            let is_published = self.published.load(Ordering::Acquire) > block;
            let Some(taken) = ring.try_take(is_published).map_err(|Spoilt| Error::spoilt())? else {
                match self.sentences().get_mut(&block) {
                    Some(Sentence::GivenUp(what)) => return Err(sink.given_up(ring.rest(), what.clone())),
                    Some(Sentence::Ends(error)) => return error.take().map_or(Ok(false), Err),
                    _ => {}
                }
                if self.is_over() {
                    return Ok(false);
                }
                self.segment.done().sleep();
                continue;
            };
            let (Mapped { consumed, lines, rows, results, .. }, spent) =
                unpack(&taken).map_err(|Spoilt| Error::spoilt())?;
            let (working, waiting) = spent.durations();
            self.tally.enter(taken.worker() as usize % self.jobs as usize, rows, working, waiting);
            watch.waited();
            let is_stuck = consumed == 0 && !taken.is_whole();
            let (results, reports) = taken.results().split_at(results);
            let deadly = if reports.is_empty() { String::new() } else { self.deadly(block) };
            sink.write(Part { input: taken.input(), consumed, lines, rows, results, reports, deadly: &deadly })?;
            if is_stuck {
                // Only a report that ends the run comes without a row, and it has not ended.
                return Err(Error::spoilt());
            }
            steps::lap(Step::Merge);
            watch.worked();
            self.parts.fetch_add(1, Ordering::Release);
            self.taken.fetch_add(1, Ordering::Release);
            if taken.give_back() {
                self.segment.freed().signal();
                return Ok(true);
            }
            self.segment.filled().signal();
        }
    }

    /// Says again what may have been lost, and has blocks that nobody has claimed looked at again: the way out where a
    /// worker has spoilt the events or the counter.
    pub fn remind(&self, ring: &Supervisor) {
        ring.look_again_from(self.written());
        for event in [self.segment.filled(), self.segment.done(), self.segment.freed()] {
            event.repeat();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::kernel::Function;
    use crate::ring::Sizes;
    use crate::work::text::{Settings, Text};
    use std::sync::mpsc;

    /// What takes longer than this hangs, on however busy a machine.
    const PATIENCE: Duration = Duration::from_secs(120);

    /// Who panics, and at which block.
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Panics {
        Source(u64),
        Sink(u64),
        Kernel(u64),
    }

    /// A row a block, without end: its number.
    struct Rows(Panics, u64);

    impl Source for Rows {
        fn next_block(&mut self, buffer: &mut [u8]) -> Result<Block, Ending> {
            assert_ne!(self.0, Panics::Source(self.1), "a source panics");
            let row = format!("{}\n", if self.0 == Panics::Kernel(self.1) { "13" } else { "1" });
            buffer[..row.len()].copy_from_slice(row.as_bytes());
            self.1 += 1;
            Ok(Block { rows: 0..row.len(), ..Block::default() })
        }
    }

    struct Results(Panics, u64);

    impl Sink for Results {
        fn begin(&mut self, _: Block) -> Result<(), Error> {
            Ok(())
        }

        fn write(&mut self, part: Part) -> Result<(), Error> {
            assert_ne!(self.0, Panics::Sink(self.1), "a sink panics");
            assert_eq!(part.results, b"1\n");
            self.1 += 1;
            Ok(())
        }

        fn end(&mut self, _: Ending) -> Result<(), Error> {
            Ok(())
        }

        fn given_up(&mut self, _: &[u8], what: String) -> Error {
            Error::workers(what)
        }
    }

    fn map(&(number,): &(u64,)) -> u64 {
        assert_ne!(number, 13, "a kernel panics");
        number
    }

    #[test]
    fn whoever_panics_ends_the_run_and_leaves_nobody_waiting() {
        // At the start, with all at work, and after more blocks than the ring has slots.
        for block in [0, 3, 5000] {
            for panics in [Panics::Source(block), Panics::Sink(block), Panics::Kernel(block)] {
                let (tell, told) = mpsc::channel();
                let running = thread::spawn(move || {
                    let _tell = tell;
                    let job = Job {
                        source: &mut Rows(panics, 0),
                        sink: &mut Results(panics, 0),
                        stop: &bell().unwrap(),
                        jobs: 2,
                        sizes: Sizes { head: 0, block: 64, room: 512 },
                        block_timeout: None,
                        tally: &Tally::default(),
                        chunk_size: 1,
                    };
                    let text = Text::new(&Function(map), Settings::default());
                    Executor::Threads.run(&Mapping::here(&text), job)
                });
                // It hangs up when it ends.
                let ended = told.recv_timeout(PATIENCE);
                assert_eq!(ended, Err::<(), _>(mpsc::RecvTimeoutError::Disconnected), "{panics:?}: it hangs");
                assert!(running.join().is_err(), "{panics:?} was swallowed");
            }
        }
    }
}
