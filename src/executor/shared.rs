//! The executor `shared`: worker processes on a ring in a shared segment, and the supervisor that replaces those that
//! die. This file is long because the handling of a death needs all that the supervisor knows of the run.
//!
//! The thread that calls `run` is the supervisor. The workers stay for the next run, whichever thread calls it: they
//! live as long as their [`Children`].

use crate::error::{Error, locked, printable, reason};
use crate::executor::cut::slots;
use crate::executor::ledger::{Claims, Clock, Ledger, Standstill, Verdict};
use crate::executor::run::{Crew, Run, run};
use crate::executor::told::Sentence;
use crate::executor::{Execute, Executor, Job, Mapping, no_segment, worker};
use crate::process::children::{Children, Death};
use crate::process::console::say;
use crate::ring::{Bound, Held, ROUND, Segment, Supervisor};
use crate::steps::{self, STEPS, Step};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{FdFlags, fcntl_setfd};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

/// The executor, with the segment and the worker processes that one run leaves for the next.
pub struct Shared {
    /// The segment, and the number of the next block. `None` before the first run and after one that failed. Between
    /// two runs all slots are free.
    ring: Option<(Segment, u64)>,
    children: Children,
    /// A descriptor, which workers inherit, of the file that workers read for themselves.
    input: Option<OwnedFd>,
}

impl Shared {
    /// Makes the executor without any worker. Each run starts the workers that are missing, as members of `children`.
    pub fn new(children: Children) -> Self {
        Shared { ring: None, children, input: None }
    }
}

/// How many times at least the supervisor looks at the claims within `--block-timeout`, so that a worker is killed soon
/// after its time is over.
const LOOKS: u32 = 8;

impl Execute for Shared {
    fn run(&mut self, mapping: &Mapping, job: Job) -> Result<(), Error> {
        // Take the segment out, so that it is dropped if this run fails: some slots may then not be free.
        let (mut segment, next) = match self.ring.take() {
            Some(ring) => ring,
            None => (segment(&job)?, 0),
        };
        // Reap dead workers before a block is published: they died between two runs and held no block, so no row is to
        // blame.
        for death in self.children.ended()? {
            self.children.tell(&death, &death.cause(), "it had nothing to do, and is replaced as soon as it is needed");
        }
        // Workers beyond the number of slots would be idle, because each works on a slot of its own.
        let jobs = job.jobs.min(segment.slots());
        let next = run(&mut segment, next, self, mapping, Job { jobs, ..job })?;
        self.ring = Some((segment, next));
        Ok(())
    }
}

/// Makes a segment for this job and later ones with the same sizes. Prints a message if there are fewer slots than
/// workers, because memory or the limit on the size of a file (`ulimit -f`) does not allow more.
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
            // Kill the workers now rather than after the writer has ended: the run has failed, so their work is not
            // needed.
            self.children.end();
        }
        undertaker.settle(run);
        let ended = match ended {
            Ok(()) if mapping.work.has_end() && run.is_complete() => self.finish(run, &ring),
            ended => ended,
        };
        // Each worker adds to these sums before it finishes a block, so they are complete when all blocks are done.
        steps::add(std::array::from_fn::<_, STEPS, _>(|step| ring.sums()[step]));
        ended
    }
}

/// How long workers may take to end their work after the last block: a little longer than a command may take at the end
/// of its input (`END` in `work/command/exchange.rs`).
const END: Duration = Duration::from_secs(62);

impl Shared {
    /// Closes the ring, and waits until all workers have ended, but no longer than [`END`].
    ///
    /// # Errors
    /// If a worker has found, when it ended, that its results were wrong. The worker has printed the message about this
    /// error.
    fn finish(&mut self, run: &Run, ring: &Supervisor) -> Result<(), Error> {
        let start = Instant::now();
        ring.close();
        while self.children.count() > 0 && start.elapsed() < END {
            run.segment.filled().repeat();
            for death in self.children.wait(run.bell.as_fd(), Duration::from_millis(20))? {
                if death.is_fault() && !death.has_gone_well() {
                    return Err(Error::workers(format!("worker {} {}; see above", death.worker, death.cause())));
                }
            }
        }
        Ok(())
    }

    /// Starts workers, watches them, and replaces those that die, until the run is over.
    fn keep_at_work(
        &mut self,
        run: &Run,
        ring: &mut Supervisor,
        mapping: &Mapping,
        undertaker: &mut Undertaker,
    ) -> Result<(), Error> {
        let (children, input) = (&mut self.children, &mut self.input);
        let mut claims = Claims::default();
        let mut clock = Clock::start();
        let mut standstill = Standstill::default();
        // Workers with numbers below `asked_for` have been started. `limit` is the number of the first worker that the
        // system refused to start.
        let (mut asked_for, mut limit) = (0, usize::MAX);
        while !run.is_over() {
            let pause = run.block_timeout.map_or(ROUND, |most| ROUND.min(most / LOOKS));
            let nap = run.pause(pause);
            while asked_for < limit.min(run.wanted()) {
                let number = asked_for as u32;
                match children.has(number) || start(run, children, input, number, mapping)? {
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
            // Leave out blocks that were given up. Such a block stays claimed under the number of its dead worker, and
            // a new worker may have this number by now.
            let seen: Vec<_> = ring.claims().into_iter().filter(|&(block, ..)| !run.has_given_up(block)).collect();
            if !claims.look(&seen, children.numbers(), now) {
                return Err(Error::spoilt());
            }
            if let Some(most) = run.block_timeout {
                claims.overdue(most, now).into_iter().try_for_each(|worker| children.kill(worker, most))?;
                if standstill.is_too_long(run.taken(), ring.is_under_way(run.written()), most, now) {
                    // If a library hangs while workers load it, no block is claimed, and so no claim is overdue.
                    if ring.is_unclaimed(run.written()) {
                        let what = "something hangs as they start, as a library may, or one has spoilt the memory";
                        return Err(Error::workers(format!("no worker takes up the next rows: {what}")));
                    }
                    return Err(Error::spoilt());
                }
            }
            if ring.is_chain_lost(run.written()) {
                return Err(Error::spoilt());
            }
            run.remind(ring);
            for death in deaths {
                claims.forget(death.worker);
                undertaker.bury(run, ring, children, &death)?;
                if start(run, children, input, death.worker, mapping)? {
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

/// Carries out what the ledger decides on each death.
#[derive(Default)]
struct Undertaker {
    ledger: Ledger,
    /// Panic messages with the numbers of their blocks. A message is kept until the block or a row of it is blamed, or
    /// until the block is written.
    panics: Vec<(u64, String)>,
}

impl Undertaker {
    /// Handles the death of a worker. Lets other workers claim the blocks that it held, except those that are given up.
    /// Reports the death on stderr.
    ///
    /// # Errors
    /// If workers that held no block have died too often, so that the run cannot go on.
    fn bury(&mut self, run: &Run, ring: &mut Supervisor, children: &mut Children, death: &Death) -> Result<(), Error> {
        // Leave out blocks that were given up. Such a block stays claimed under the number of its dead worker, and a
        // new worker may have this number by now.
        let is_open = |held: &Held| !run.has_given_up(held.block());
        let held_blocks: Vec<Held> = ring.held_by(death.worker).into_iter().filter(is_open).collect();
        let cause = death.cause();
        if held_blocks.is_empty() && self.is_hopeless(run, ring, death) {
            let what = format!("workers keep dying before they can take up work: the last one {cause}");
            return Err(Error::workers(what));
        }
        let mut brief = cause.clone();
        // A worker that left a panic message died by a fault, even if it is not known how its process ended.
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
            let said = |count: u32| format!("{count} so far, the last one {cause}");
            if !run.withdraw_offer(ring, &held) {
                let what = format!("a worker {cause} when a part of its results was written, and the rest is lost");
                self.say_once(run, block, Sentence::GivenUp(what));
                consequence = "no other will be tried on its rows";
                continue;
            }
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
        // The dead worker may have consumed a wake-up and died before passing it on, so repeat the wake-ups.
        run.segment.filled().repeat();
        run.segment.done().repeat();
        run.segment.turns().repeat();
        Ok(())
    }

    /// Records the death of a worker that held no block. Returns whether such deaths have become too many for the run
    /// to go on.
    fn is_hopeless(&mut self, run: &Run, ring: &Supervisor, death: &Death) -> bool {
        let is_idle = death.is_fault() && ring.is_unclaimed(run.written());
        let is_hopeless_start = self.ledger.is_hopeless_start(run.segment.came_up(), run.jobs(), death.is_fault());
        (is_idle && self.ledger.is_hopeless_idling(run.taken())) || is_hopeless_start
    }

    /// Hands the sentence about `block` to the writer, which prints it. The sentence contains the last panic message.
    /// Earlier ones for this block are dropped, because they were about the same row, and often differ from the last
    /// message in no more than an address or a time.
    fn say_once(&mut self, run: &Run, block: u64, sentence: Sentence) {
        self.panics.retain(|(other, _)| *other != block);
        locked(&run.sentences).insert(block, sentence);
    }

    /// Forgets blocks that are written. Prints the messages of their panics, for which no row was blamed because the
    /// block went well the next time. If the run has ended, prints the messages of all other panics too.
    fn settle(&mut self, run: &Run) {
        let written = run.written();
        self.ledger.forget_before(written);
        for (_, words) in self.panics.extract_if(.., |(block, _)| *block < written) {
            say(&format_args!("a worker panicked, and its rows went well the next time: {words}"));
        }
        // If the run has ended, the writer will not come to the remaining blocks.
        for (_, words) in self.panics.extract_if(.., |_| run.is_over()) {
            say(&format_args!("a worker panicked: {words}"));
        }
    }
}

/// Starts worker `number`, and returns whether the system allowed it. If not, prints a message, and the run goes on
/// with the workers that exist.
///
/// # Errors
/// If the system refuses and no worker exists.
fn start(
    run: &Run,
    children: &mut Children,
    input: &mut Option<OwnedFd>,
    number: u32,
    mapping: &Mapping,
) -> Result<bool, Error> {
    let mut start = || {
        if let (Some(file), None) = (run.file(), &input) {
            // This copy of the descriptor is not closed at `exec`, unlike the original, so that workers inherit it.
            let given = file.try_clone()?;
            fcntl_setfd(&given, FdFlags::empty())?;
            *input = Some(given);
        }
        let launch = worker::launch(Executor::Shared, mapping)?;
        let launch = if let Some(input) = &input { launch.giving(worker::INPUT, input) } else { launch };
        children.start(number, &launch, run.segment.descriptor()?)
    };
    let started = start();
    let Err(error) = started else { return Ok(true) };
    if children.count() == 0 {
        return Err(Error::io("cannot start a worker", error));
    }
    say(&format_args!("cannot start worker {number}: {}; going on with {}", reason(&error), children.count()));
    Ok(false)
}
