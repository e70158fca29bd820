//! One run over a ring: the reader and the writer, and what they and whoever looks after the workers share.
//!
//! `threads` and `shared` differ in where the ring lies and who works on it. That is a [`Crew`]; all else is here.

use crate::error::Error;
use crate::event::FutexEvent;
use crate::executor::{Job, MapBlocks};
use crate::flow::{Block, Ending, Part, Sink, Source};
use crate::ring::{Held, Outcome, Taken};
use crate::segment::Segment;
use crate::steps::{self, Step};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use std::collections::VecDeque;
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
    fn supervise(&self, run: &Run, kernel: &dyn MapBlocks) -> Result<(), Error>;
}

/// How many slots a ring for this job has.
pub fn slots(job: &Job) -> usize {
    let fewest = (LEAST_INPUT / job.sizes.block).min(1024).max(job.jobs + 2);
    (job.jobs * SLOTS_PER_JOB).min(MOST_INPUT / job.sizes.block).max(fewest)
}

/// Takes the job's blocks through the ring in the segment, with this crew at work.
pub fn run(segment: &Segment, crew: &dyn Crew, kernel: &dyn MapBlocks, job: Job) -> Result<(), Error> {
    let Job { source, sink, stop, jobs, block_timeout, .. } = job;
    let run = Run {
        segment,
        jobs: jobs as u64,
        block_timeout,
        bell: bell()?,
        stop,
        published: AtomicU64::new(0),
        told: Mutex::default(),
        is_over: AtomicBool::new(false),
        given_up: Mutex::new(vec![]),
    };
    thread::scope(|scope| {
        let cannot = |error| Error::io("cannot start a thread", error);
        let _end = EndOnDrop(&run);
        let reading = || {
            let _panic = EndOnPanic(&run);
            run.read(source);
        };
        thread::Builder::new().name("reader".into()).spawn_scoped(scope, reading).map_err(cannot)?;
        let writing = || {
            let _end = EndOnDrop(&run);
            run.write(sink)
        };
        let writing = thread::Builder::new().name("writer".into()).spawn_scoped(scope, writing).map_err(cannot)?;
        let supervised = {
            let _end = EndOnDrop(&run);
            crew.supervise(&run, kernel)
        };
        let written = writing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        supervised.and(written)
    })
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

/// What the reader tells the writer, in input order.
enum Next {
    Block(Block),
    End(Ending),
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
    /// How long a worker may hold a block.
    pub block_timeout: Option<Duration>,
    /// How many blocks there are so far.
    published: AtomicU64,
    /// What the reader has told the writer and the writer has not come to, in input order.
    told: Mutex<VecDeque<Next>>,
    is_over: AtomicBool,
    /// Blocks that no worker is to try again, and why.
    given_up: Mutex<Vec<(Held, String)>>,
}

impl Run<'_> {
    /// Whether there is nothing more to do.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Ends it: whatever the reason, nobody must be left waiting.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Release);
        ring_bell(&self.bell);
        ring_bell(self.stop);
        let control = self.segment.ring().control();
        FutexEvent(&control.freed.0).repeat();
        FutexEvent(&control.done.0).repeat();
    }

    /// How many workers there may be.
    pub fn jobs(&self) -> u64 {
        self.jobs
    }

    /// How many workers there is work for so far: no more than there were blocks.
    pub fn wanted(&self) -> usize {
        self.jobs.min(self.published.load(Ordering::Acquire)) as usize
    }

    /// Blocks that were given up, with what is to be said when the writer comes to them.
    pub fn given_up(&self) -> MutexGuard<'_, Vec<(Held, String)>> {
        self.given_up.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn told(&self) -> MutexGuard<'_, VecDeque<Next>> {
        self.told.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The ending, if that is what was told first.
    fn take_ending(&self) -> Option<Ending> {
        let mut told = self.told();
        match told.pop_front()? {
            Next::End(ending) => Some(ending),
            block => {
                told.push_front(block);
                None
            }
        }
    }

    /// Tells the writer of the end, for which no worker will wake it.
    fn tell_end(&self, ending: Ending) {
        self.told().push_back(Next::End(ending));
        FutexEvent(&self.segment.ring().control().done.0).signal();
    }

    fn read(&self, source: &mut dyn Source) {
        let ring = self.segment.ring();
        let (filled, freed) = (FutexEvent(&ring.control().filled.0), FutexEvent(&ring.control().freed.0));
        for block in 0.. {
            let mut filling = loop {
                if self.is_over() {
                    return;
                }
                match ring.try_fill(block) {
                    Some(filling) => break filling,
                    None => freed.sleep(),
                }
            };
            if let Err(error) = self.segment.allocate(&filling) {
                return self.tell_end(Ending::Failed(Error::usage(error.to_string())));
            }
            match source.next_block(self.segment.input_mut(&mut filling)) {
                Ok(read) => {
                    let rows = read.rows.clone();
                    // Before the block can be done.
                    self.told().push_back(Next::Block(read));
                    ring.publish(filling, rows);
                    filled.signal();
                    self.published.store(block + 1, Ordering::Release);
                    if block < self.jobs {
                        ring_bell(&self.bell);
                    }
                    steps::lap(Step::Take);
                }
                Err(ending) => {
                    steps::lap(Step::Take);
                    return self.tell_end(ending);
                }
            }
        }
    }

    fn write(&self, sink: &mut dyn Sink) -> Result<(), Error> {
        let ring = self.segment.ring();
        for block in 0.. {
            let mut is_begun = false;
            loop {
                let taken = match self.wait_for(block, is_begun) {
                    Came::Done(taken) => Some(taken),
                    Came::GivenUp => None,
                    Came::End(ending) => return sink.end(ending),
                    Came::Over => return Ok(()),
                };
                if !is_begun {
                    // The lock is not held while it is printed.
                    let next = self.told().pop_front();
                    if let Some(Next::Block(block)) = next {
                        sink.begin(block)?;
                    }
                    is_begun = true;
                }
                let Some(taken) = taken else { return Err(self.given_up_error(block, sink)) };
                let (input, results, reports) = self.segment.results(&taken);
                let Outcome { consumed, lines, .. } = taken.outcome();
                if !taken.is_whole() && consumed == 0 && results.is_empty() && reports.is_empty() {
                    // No honest worker hands over nothing, and the next one might do so again.
                    return Err(Error::workers("a worker has handed over nothing: its memory is spoilt"));
                }
                sink.write(Part { input, consumed: consumed.min(input.len()), lines, results, reports })?;
                steps::lap(Step::Merge);
                if taken.is_whole() {
                    ring.free(taken);
                    FutexEvent(&ring.control().freed.0).signal();
                    break;
                }
                ring.put_rest_back(taken);
                FutexEvent(&ring.control().filled.0).signal();
            }
        }
        Ok(())
    }

    /// What comes of a block. The writer sleeps nowhere else, so that one wake-up for each is enough.
    fn wait_for(&self, block: u64, is_begun: bool) -> Came {
        let ring = self.segment.ring();
        loop {
            if let Some(taken) = ring.try_take(block) {
                return Came::Done(taken);
            }
            if self.given_up().iter().any(|(held, _)| held.block() == block) {
                return Came::GivenUp;
            }
            // What was told first is of this block, unless that is taken note of already.
            if !is_begun && let Some(ending) = self.take_ending() {
                return Came::End(ending);
            }
            if self.is_over() {
                return Came::Over;
            }
            FutexEvent(&ring.control().done.0).sleep();
        }
    }

    fn given_up_error(&self, block: u64, sink: &mut dyn Sink) -> Error {
        let given_up = self.given_up();
        match given_up.iter().find(|(held, _)| held.block() == block) {
            Some((held, what)) => sink.given_up(self.segment.input_of_held(held), what.clone()),
            None => Error::workers("a block was given up"),
        }
    }
}

/// What comes of a block.
enum Came {
    /// Results of it, or of part of it.
    Done(Taken),
    /// No worker is to try it again.
    GivenUp,
    /// There is no such block.
    End(Ending),
    /// The run was ended by the supervisor.
    Over,
}
