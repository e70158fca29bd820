//! Worker processes on a ring in a shared segment, and the supervisor that replaces those that die.
//!
//! The calling thread is the supervisor, since it starts the workers and they live no longer than it does.

use crate::error::{Error, printable, reason};
use crate::executor::ledger::{Claims, Clock, Ledger, Standstill, Verdict};
use crate::executor::run::{Crew, Run, Sentence, run, slots};
use crate::executor::{Execute, Executor, Job, Mapping, no_segment, worker};
use crate::process::children::{Children, Death};
use crate::process::console::say;
use crate::process::launch::Launch;
use crate::ring::{Bound, Held, ROUND, Segment, Supervisor};
use crate::steps::{self, STEPS, Step};
use rustix::fd::AsFd;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

pub struct Shared;

/// How often at least within the time that a worker may hold a block.
const LOOKS: u32 = 8;

impl Execute for Shared {
    fn run(&self, mapping: &Mapping, job: Job) -> Result<(), Error> {
        let segment = Segment::shared(slots(&job), job.sizes);
        let mut segment = segment.map_err(no_segment)?;
        // Each works on a slot of its own.
        let jobs = job.jobs.min(segment.slots());
        if jobs < job.jobs {
            let room = match segment.bound() {
                Some(Bound::OfAFile(most)) => format!("ulimit -f allows {most} bytes, which is"),
                _ => "/dev/shm has".to_string(),
            };
            let blocks = format_args!("{room} room for {jobs} blocks at a time; going on with {jobs} workers");
            say(&format_args!("{blocks} (more with a smaller --block-size)"));
        }
        run(&mut segment, self, mapping, Job { jobs, ..job })
    }
}

impl Crew for Shared {
    fn supervise(&self, run: &Run, mut ring: Supervisor, mapping: &Mapping) -> Result<(), Error> {
        let mut undertaker = Undertaker::default();
        let ended = keep_at_work(run, &mut ring, mapping, &mut undertaker);
        undertaker.settle(run);
        // All blocks are done by now, and workers add to these before that.
        steps::add(std::array::from_fn::<_, STEPS, _>(|step| ring.sums()[step]));
        ended
    }
}

/// Starts workers, looks after them, and starts others in the place of those that die, until the run is over.
fn keep_at_work(run: &Run, ring: &mut Supervisor, mapping: &Mapping, undertaker: &mut Undertaker) -> Result<(), Error> {
    let launch = worker::launch(Executor::Shared, mapping);
    let launch = launch.map_err(|error| Error::io("cannot start a worker", error))?;
    let mut children = Children::default();
    let mut claims = Claims::default();
    let mut clock = Clock::start();
    let mut standstill = Standstill::default();
    let (mut started, mut limit) = (0, usize::MAX);
    while !run.is_over() {
        while started < limit.min(run.wanted()) {
            match start(run, &mut children, started as u32, &launch)? {
                true => started += 1,
                false => limit = started,
            }
            run.tally.workers.set(children.count() as u64);
        }
        steps::lap(Step::Import);
        let pause = run.block_timeout.map_or(ROUND, |most| ROUND.min(most / LOOKS));
        let deaths = children.wait(run.bell.as_fd(), pause)?;
        if run.is_over() {
            break;
        }
        let now = clock.tick(pause);
        // A block that was given up stays with a worker that is dead, and whose number another has.
        let seen: Vec<_> = ring.claims().into_iter().filter(|&(block, ..)| !run.has_given_up(block)).collect();
        if !claims.look(&seen, started as u32, now) {
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
            undertaker.bury(run, ring, &mut children, &death)?;
            if start(run, &mut children, death.worker, &launch)? {
                run.tally.restarts.add(1);
            }
            run.tally.workers.set(children.count() as u64);
        }
        undertaker.settle(run);
        let _ = rustix::io::read(&run.bell, &mut [0; 8]);
    }
    Ok(())
}

/// Carries out what the policy says on each death.
#[derive(Default)]
struct Undertaker {
    ledger: Ledger,
    /// What workers said when they panicked over a block, until it is said of a row, or all of the block is done.
    panics: Vec<(u64, String)>,
}

impl Undertaker {
    /// Puts the block that a dead worker held back to be claimed, unless it is given up.
    ///
    /// # Errors
    /// When there is no hope for the run.
    fn bury(&mut self, run: &Run, ring: &mut Supervisor, children: &mut Children, death: &Death) -> Result<(), Error> {
        // A block that was given up stays with the number of a worker that is dead: it is nobody's.
        let is_open = |held: &Held| !run.has_given_up(held.block());
        let held_blocks: Vec<Held> = ring.held_by(death.worker).into_iter().filter(is_open).collect();
        let cause = death.cause();
        if held_blocks.is_empty() && self.is_hopeless(run, ring, death) {
            let what = format!("workers keep dying before they can take up work: the last one {cause}");
            return Err(Error::workers(what));
        }
        let mut brief = cause.clone();
        let mut consequence = "another takes its place";
        for held in held_blocks {
            let block = held.block();
            let part = run.parts_taken_of(block);
            let cause = match ring.last_words(&held) {
                Some(words) => {
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
            consequence = match self.ledger.over(block, part, ring.row_of(&held), death.is_fault()) {
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
        // It may have died with a signal in its hands, to be passed on or taken up.
        run.segment.filled().repeat();
        run.segment.done().repeat();
        Ok(())
    }

    /// Whether a worker that held nothing died once too often.
    fn is_hopeless(&mut self, run: &Run, ring: &Supervisor, death: &Death) -> bool {
        let is_idle = death.is_fault() && ring.is_unclaimed(run.written());
        let is_hopeless_start = self.ledger.is_hopeless_start(ring.came_up(), run.jobs(), death.is_fault());
        (is_idle && self.ledger.is_hopeless_idling(run.taken())) || is_hopeless_start
    }

    /// Leaves to the writer what is to be said of a block, and with it what the last worker over it said. What those before
    /// said is not told: it was about the same row, in words that may differ by an address or a time.
    fn say_once(&mut self, run: &Run, block: u64, sentence: Sentence) {
        self.panics.retain(|(other, _)| *other != block);
        run.sentences().insert(block, sentence);
    }

    /// Lets go of blocks that are written. A panic that no row was named for, since it did not come again, is told now.
    fn settle(&mut self, run: &Run) {
        let written = run.written();
        self.ledger.forget_before(written);
        for (_, words) in self.panics.extract_if(.., |(block, _)| *block < written) {
            say(&format_args!("a worker panicked, and its rows went well the next time: {words}"));
        }
        // The run has ended before it came to these rows.
        for (_, words) in self.panics.extract_if(.., |_| run.is_over()) {
            say(&format_args!("a worker panicked: {words}"));
        }
    }
}

/// Starts a worker, and answers whether that could be done. If it is refused the run goes on with those there are.
fn start(run: &Run, children: &mut Children, worker: u32, launch: &Launch) -> Result<bool, Error> {
    let segment = run.segment.descriptor();
    let started = segment.and_then(|segment| children.start(worker, launch, segment));
    let Err(error) = started else { return Ok(true) };
    if children.count() == 0 {
        return Err(Error::io("cannot start a worker", error));
    }
    say(&format_args!("cannot start worker {worker}: {}; going on with {}", reason(&error), children.count()));
    Ok(false)
}
