//! One run over a ring: the state that reader, writer and supervisor share, and how they are started. The reader is in
//! `reading.rs`, the writer in `writing.rs`.
//!
//! `threads`, `pickle` and `shared` differ in the memory that holds the ring and in their workers. The workers are a
//! [`Crew`]. All the rest is the same for the three, and is in this file, `reading.rs` and `writing.rs`.

use crate::error::{Error, locked};
use crate::executor::cut::Cut;
use crate::executor::told::{Sentence, Told};
use crate::executor::{Job, Mapping};
use crate::flow::Ending;
use crate::input::windows::{Cutter, Windows};
use crate::process::bell::{bell, ring_bell};
use crate::ring::{Ends, Segment, Supervisor};
use crate::tally::Tally;
use rustix::fd::{AsFd, OwnedFd};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
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
/// `first`: 0 in a new segment, otherwise the return value of the run before. Returns the number for the first block of
/// the next run, which is one more than the number of this run's last block.
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
        cut: Cut::new(sizes, input, has_fixed_blocks),
        cutter: mapping.cutter,
        file: OnceLock::new(),
        takes_first_width: mapping.work.takes_first_width(),
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
            if let Err(Some(ending)) = run.read(reader, source) {
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
        // The writer's error comes first, because it is the first in input order. The supervisor's error is about no
        // particular row.
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
    /// How many workers the supervisor has started or begun to start, as it last recorded. The reader rings the
    /// supervisor's bell if the run wants more.
    pub(super) workers: AtomicUsize,
    /// Decides how large the next block is.
    pub(super) cut: Cut,
    /// How workers find rows in the file.
    pub(super) cutter: Option<Cutter>,
    /// The file that workers can read for themselves, if there is one. Set before the first block is published.
    pub(super) file: OnceLock<OwnedFd>,
    /// Whether the first result decides how many fields a result has.
    takes_first_width: bool,
    /// The number of the run's first block.
    pub(super) first: u64,
    /// How long a worker process may hold a block before it is killed.
    pub block_timeout: Option<Duration>,
    /// The largest number of rows in a task of the `pickle` executor.
    pub chunk_size: usize,
    /// The counters of this run.
    pub tally: &'a Tally,
    /// Number of the next block to be published. All blocks with smaller numbers have been published.
    pub(super) published: AtomicU64,
    /// Number of the first block that is not completely written. All blocks before it are written.
    pub(super) written: AtomicU64,
    /// How many parts of block `written` have been written.
    pub(super) parts: AtomicU64,
    /// How many offers the writer has taken from the claimant of block `written` for the present part. Locked while the
    /// writer looks for an offer, and while the supervisor withdraws a dead worker's offer.
    pub(super) offers: Mutex<u64>,
    /// How many parts of blocks have been written in the whole run.
    pub(super) taken: AtomicU64,
    /// What the reader has announced and the writer has not reached yet, in input order.
    told: Mutex<VecDeque<Told>>,
    is_over: AtomicBool,
    /// Whether all blocks are written and no error has occurred.
    pub(super) is_complete: AtomicBool,
    /// The decisions on blocks that are not yet written. The writer carries out each when it comes to the block.
    pub(super) sentences: Mutex<HashMap<u64, Sentence>>,
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
        let most = if self.cut.is_enough_for_one(self.has_worker()) { 1 } else { self.jobs };
        // The difference must not fall below 0: a block can be written before the reader has counted it as published.
        most.min(self.published.load(Ordering::Acquire).saturating_sub(self.written())) as usize
    }

    /// Whether blocks may be mapped at the same time. If the first result decides how many fields a result has, blocks
    /// must not overlap before there is a first result: two workers could have first results of different widths.
    pub(super) fn may_overlap(&self) -> bool {
        !self.takes_first_width || self.segment.width().is_some()
    }

    /// Records how many workers there are, so that the reader wakes the supervisor only if there is work for more
    /// workers.
    pub fn has_workers(&self, count: usize) {
        self.workers.store(count, Ordering::Release);
    }

    /// Returns how long the supervisor may sleep. That is `most`, or less if the first worker's head start ends sooner:
    /// at its end the supervisor must start the other workers.
    pub fn pause(&self, most: Duration) -> Duration {
        self.cut.head_start(self.has_worker()).map_or(most, |left| left.min(most))
    }

    /// Whether a worker has come up. Threads count as up at once, because they need no time to start.
    fn has_worker(&self) -> bool {
        !self.segment.is_shared() || self.segment.came_up() > 0
    }

    /// Number of the first block that is not completely written. All blocks before it are written.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Returns how many parts of blocks have been written. Workers cannot forge this count, so it shows whether the run
    /// makes progress.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    /// Returns how many parts of `block` have been written. The caller must know that no living worker holds the block;
    /// otherwise the block's next part could be written during this call.
    pub fn parts_taken_of(&self, block: u64) -> u64 {
        // The count is that of this block: the writer set `parts` to 0 before it increased `written`, and it cannot get
        // past the block before a worker has finished it.
        if self.written() == block { self.parts.load(Ordering::Acquire) } else { 0 }
    }

    /// Makes the writer end the run with `error` when the writer comes to `block`, unless the run ends earlier.
    pub fn give_up(&self, block: u64, error: Error) {
        locked(&self.sentences).insert(block, Sentence::Ends(Some(error)));
        self.segment.done().signal();
    }

    /// Returns whether the block has been given up, so that no worker may try it again.
    pub fn has_given_up(&self, block: u64) -> bool {
        matches!(locked(&self.sentences).get(&block), Some(Sentence::GivenUp(_)))
    }

    /// Returns the message about a row of this block that is named because workers keep dying on it. Returns an empty
    /// string if none is.
    pub(super) fn deadly(&self, block: u64) -> String {
        match locked(&self.sentences).get(&block) {
            Some(Sentence::WithoutRow(what)) => what.clone(),
            _ => String::new(),
        }
    }

    /// Announces to the writer what comes next.
    pub(super) fn tell(&self, told: Told) {
        locked(&self.told).push_back(told);
    }

    pub(super) fn next_told(&self) -> Option<Told> {
        locked(&self.told).pop_front()
    }

    /// Returns the file that workers can read for themselves, if there is one.
    pub fn file(&self) -> Option<&OwnedFd> {
        self.file.get()
    }

    /// Returns what a worker thread of this process needs to read the input file for itself. `None` if it does not do
    /// that.
    pub fn windows(&self) -> Option<Windows<'_>> {
        self.cutter.zip(self.file()).map(|(cutter, file)| Windows::new(cutter, file.as_fd()))
    }

    /// Announces to the writer that the run ends after the blocks published so far. Wakes the writer, because there may
    /// be no worker left that would wake it.
    pub fn tell_end(&self, ending: Ending) {
        self.tell(Told::End(ending));
        self.segment.done().signal();
    }

    /// Repeats every wake-up, and makes workers look again at blocks that have not been claimed. This repairs the run
    /// if a worker has overwritten the events or the counter of claims, or has died before it could pass on a wake-up.
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
