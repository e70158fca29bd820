//! Worker processes on a ring in a shared segment, and the supervisor that replaces those that die.
//!
//! The calling thread is the supervisor. The workers are left to the next run, if there is one, whichever thread that is in: they
//! live as long as their [`Children`].

use crate::error::{Error, printable, reason};
use crate::executor::ledger::{Claims, Clock, Ledger, Standstill, Verdict};
use crate::executor::run::{Crew, Run, Sentence, run, slots};
use crate::executor::{Execute, Executor, Job, Mapping, no_segment, worker};
use crate::process::children::{Children, Death};
use crate::process::console::say;
use crate::ring::{Bound, Held, ROUND, Segment, Supervisor};
use crate::steps::{self, STEPS, Step};
use rustix::fd::AsFd;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The segment and the worker processes that a run leaves for the next one.
pub struct Shared {
    /// The segment, and the number of the next block. None before the first run. All slots are free between two runs.
    ring: Option<(Segment, u64)>,
    children: Children,
}

impl Shared {
    /// With no worker yet. They will be started as some of these children.
    pub fn new(children: Children) -> Self {
        Shared { ring: None, children }
    }
}

/// How often workers are looked at, at least, within the time that a worker may hold a block.
const LOOKS: u32 = 8;

impl Execute for Shared {
    fn run(&mut self, mapping: &Mapping, job: Job) -> Result<(), Error> {
        // Taken out: there is no other run if this one fails.
        let (mut segment, next) = match self.ring.take() {
            Some(ring) => ring,
            None => (segment(&job)?, 0),
        };
        // Before there is a block again: a worker that is dead by now has held nothing, and no row is to blame.
        for death in self.children.ended()? {
            self.children.tell(&death, &death.cause(), "it had nothing to do, and is replaced as soon as it is needed");
        }
        // Each worker needs a slot of its own to work on.
        let jobs = job.jobs.min(segment.slots());
        let next = run(&mut segment, next, self, mapping, Job { jobs, ..job })?;
        self.ring = Some((segment, next));
        Ok(())
    }
}

/// A new segment, for this job and later ones with the same sizes.
fn segment(job: &Job) -> Result<Segment, Error> {
    let segment = Segment::shared(slots(job), job.sizes).map_err(no_segment)?;
    let jobs = segment.slots();
    if jobs < job.jobs.min(slots(job)) {
        let room = match segment.bound() {
            Some(Bound::OfAFile(most)) => format!("ulimit -f allows {most} bytes, which is"),
            _ => "/dev/shm has".to_string(),
        };
        let blocks = format_args!("{room} room for {jobs} blocks at a time; going on with {jobs} workers");
        say(&format_args!("{blocks} (more with a smaller --block-size)"));
    }
    Ok(segment)
}

impl Crew for Shared {
    fn supervise(&mut self, run: &Run, mut ring: Supervisor, mapping: &Mapping) -> Result<(), Error> {
        let mut undertaker = Undertaker::default();
        let ended = self.keep_at_work(run, &mut ring, mapping, &mut undertaker);
        if ended.is_err() {
            // Kill the workers at once, and not only when the writer has ended too.
            self.children.end();
        }
        undertaker.settle(run);
        // Workers add to these sums before a block is done, and by now all blocks are done.
        steps::add(std::array::from_fn::<_, STEPS, _>(|step| ring.sums()[step]));
        ended
    }
}

impl Shared {
    /// Starts workers, looks after them, and starts others in the place of those that die, until the run is over.
    fn keep_at_work(
        &mut self,
        run: &Run,
        ring: &mut Supervisor,
        mapping: &Mapping,
        undertaker: &mut Undertaker,
    ) -> Result<(), Error> {
        let children = &mut self.children;
        let mut claims = Claims::default();
        let mut clock = Clock::start();
        let mut standstill = Standstill::default();
        // All workers below the first number have been asked for. The second is the first worker that could not be started.
        let (mut asked_for, mut limit) = (0, usize::MAX);
        while !run.is_over() {
            let pause = run.block_timeout.map_or(ROUND, |most| ROUND.min(most / LOOKS));
            let nap = run.pause(pause);
            while asked_for < limit.min(run.wanted()) {
                let number = asked_for as u32;
                match children.has(number) || start(run, children, number, mapping)? {
                    true => asked_for += 1,
                    false => limit = asked_for,
                }
                run.tally.workers.set(children.count() as u64);
                run.has_workers(if limit == usize::MAX { asked_for } else { run.jobs() as usize });
            }
            steps::lap(Step::Import);
            let deaths = children.wait(run.bell.as_fd(), nap)?;
            if run.is_over() {
                break;
            }
            let now = clock.tick(pause);
            // A block that was given up stays claimed under the number of a dead worker, which another worker has by now.
            let seen: Vec<_> = ring.claims().into_iter().filter(|&(block, ..)| !run.has_given_up(block)).collect();
            if !claims.look(&seen, children.numbers(), now) {
                return Err(Error::spoilt());
            }
            if let Some(most) = run.block_timeout {
                claims.overdue(most, now).into_iter().try_for_each(|worker| children.kill(worker, most))?;
                if standstill.is_too_long(run.taken(), ring.is_under_way(run.written()), most, now) {
                    return Err(Error::spoilt());
                }
            }
            run.remind(ring);
            for death in deaths {
                claims.forget(death.worker);
                undertaker.bury(run, ring, children, &death)?;
                if start(run, children, death.worker, mapping)? {
                    run.tally.restarts.add(1);
                }
                run.tally.workers.set(children.count() as u64);
            }
            undertaker.settle(run);
            let _ = rustix::io::read(&run.bell, &mut [0; 8]);
        }
        Ok(())
    }
}

/// Carries out what the ledger's policy says on each death.
#[derive(Default)]
struct Undertaker {
    ledger: Ledger,
    /// The messages of panics, by block: kept until one of them is said of a row, or all of the block is done.
    panics: Vec<(u64, String)>,
}

impl Undertaker {
    /// Puts the block that a dead worker held back to be claimed, unless it is given up.
    ///
    /// # Errors
    /// When there is no hope for the run.
    fn bury(&mut self, run: &Run, ring: &mut Supervisor, children: &mut Children, death: &Death) -> Result<(), Error> {
        // A block that was given up stays claimed under the number of a dead worker, and is nobody's.
        let is_open = |held: &Held| !run.has_given_up(held.block());
        let held_blocks: Vec<Held> = ring.held_by(death.worker).into_iter().filter(is_open).collect();
        let cause = death.cause();
        if held_blocks.is_empty() && self.is_hopeless(run, ring, death) {
            let what = format!("workers keep dying before they can take up work: the last one {cause}");
            return Err(Error::workers(what));
        }
        let mut brief = cause.clone();
        // A panic is a fault also where it is not known how the process ended.
        let mut is_fault = death.is_fault();
        let mut consequence = "another takes its place";
        for held in held_blocks {
            let block = held.block();
            let part = run.parts_taken_of(block);
            let cause = match ring.last_words(&held) {
                Some(words) => {
                    is_fault = true;
                    brief = "panicked".to_string();
                    let words = printable(OsStr::from_bytes(&words));
                    let cause = format!("panicked: {words}");
                    let panic = (block, words);
                    if !self.panics.contains(&panic) {
                        self.panics.push(panic);
                    }
                    cause
                }
                None => cause.clone(),
            };
            let said =
                |count: u32| format!("{count} so far, the last one {cause}; all results before them are written");
            consequence = match self.ledger.over(block, part, ring.row_of(&held), is_fault) {
                Verdict::GiveUp(deaths) => {
                    let what = format!("workers keep dying on these rows: {}", said(deaths));
                    self.say_once(run, block, Sentence::GivenUp(what));
                    "no other will be tried on its rows"
                }
                Verdict::Without(row) => {
                    let what = format!("workers keep dying on this row: the last one {cause}");
                    self.say_once(run, block, Sentence::WithoutRow(what));
                    ring.caution(&held, Some(row));
                    ring.recover(held);
                    "no other will be tried on its row"
                }
                Verdict::Carefully(avoided) => {
                    ring.caution(&held, avoided);
                    children.count_redone();
                    ring.recover(held);
                    "its block is computed again"
                }
                Verdict::Again => {
                    children.count_redone();
                    ring.recover(held);
                    "its block is computed again"
                }
            };
        }
        children.tell(death, &brief, consequence);
        // The dead worker may have been woken for somebody else, and not have passed that on: repeat all wake-ups.
        run.segment.filled().repeat();
        run.segment.done().repeat();
        Ok(())
    }

    /// Whether the death of this worker, which held nothing, is one too many.
    fn is_hopeless(&mut self, run: &Run, ring: &Supervisor, death: &Death) -> bool {
        let is_idle = death.is_fault() && ring.is_unclaimed(run.written());
        let is_hopeless_start = self.ledger.is_hopeless_start(ring.came_up(), run.jobs(), death.is_fault());
        (is_idle && self.ledger.is_hopeless_idling(run.taken())) || is_hopeless_start
    }

    /// Leaves it to the writer to say this of a block. It includes what the last worker said when it panicked. The panics before that
    /// are dropped: they were about the same row, in words that may differ by an address or a time.
    fn say_once(&mut self, run: &Run, block: u64, sentence: Sentence) {
        self.panics.retain(|(other, _)| *other != block);
        run.sentences().insert(block, sentence);
    }

    /// Forgets blocks that are written. A panic that did not come again, so that no row was named for it, is told now.
    fn settle(&mut self, run: &Run) {
        let written = run.written();
        self.ledger.forget_before(written);
        for (_, words) in self.panics.extract_if(.., |(block, _)| *block < written) {
            say(&format_args!("a worker panicked, and its rows went well the next time: {words}"));
        }
        // The run has ended before the writer came to these blocks.
        for (_, words) in self.panics.extract_if(.., |_| run.is_over()) {
            say(&format_args!("a worker panicked: {words}"));
        }
    }
}

/// Starts a worker, and answers whether that could be done. If the system refuses, the run goes on with the workers there are.
///
/// # Errors
/// When the system refuses, and there is no worker.
fn start(run: &Run, children: &mut Children, number: u32, mapping: &Mapping) -> Result<bool, Error> {
    let launch = worker::launch(Executor::Shared, mapping);
    let started = launch.and_then(|launch| children.start(number, &launch, run.segment.descriptor()?));
    let Err(error) = started else { return Ok(true) };
    if children.count() == 0 {
        return Err(Error::io("cannot start a worker", error));
    }
    say(&format_args!("cannot start worker {number}: {}; going on with {}", reason(&error), children.count()));
    Ok(false)
}
