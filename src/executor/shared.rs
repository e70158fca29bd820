//! Worker processes on a ring in a shared segment, and the supervisor that replaces those that die.
//!
//! The calling thread is the supervisor, since it starts the workers and they live no longer than it does.

use crate::error::{Error, reason, say};
use crate::event::FutexEvent;
use crate::executor::children::{Children, Death};
use crate::executor::run::{Crew, Run, run, slots};
use crate::executor::{Execute, Executor, Job, MapBlocks};
use crate::segment::Segment;
use crate::steps::{self, Step};
use crate::tally;
use rustix::fd::AsFd;
use std::collections::HashMap;
use std::time::{Duration, Instant};

pub struct Shared;

/// Deaths under one block are given up at this many points. A kill from outside counts 1, since whoever kills, an
/// out-of-memory killer say, may well stop doing so: 30 of them. A fault will most likely happen again: 3 of them.
const LIMIT: u32 = 30;
const KILL: u32 = 1;
const FAULT: u32 = 10;

impl Execute for Shared {
    fn run(&self, kernel: &dyn MapBlocks, job: Job) -> Result<(), Error> {
        let segment = Segment::shared(slots(&job), job.sizes);
        let segment = segment.map_err(|error| Error::usage(error.to_string()))?;
        run(&segment, self, kernel, job)?;
        steps::add(segment.ring().steps());
        Ok(())
    }
}

impl Crew for Shared {
    fn supervise(&self, run: &Run, kernel: &dyn MapBlocks) -> Result<(), Error> {
        let mut children = Children::default();
        let mut ledger = Ledger::default();
        let mut claims = Claims::default();
        let mut clock = Clock::start();
        let mut standstill = Standstill::default();
        let (mut started, mut limit) = (0, usize::MAX);
        while !run.is_over() {
            while started < limit.min(run.wanted()) {
                match start(run, &mut children, started as u32, kernel.number())? {
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
            claims.look(run, started as u32, now)?;
            if let Some(most) = run.block_timeout {
                claims.overdue(most, now).into_iter().for_each(|worker| children.kill(worker, most));
                // However often a worker was killed over the same rows, for whatever reason, it is over by then.
                if standstill.lasts(run, now) >= most * (LIMIT + 1) + PATIENCE {
                    return Err(Error::spoilt());
                }
            }
            run.remind();
            for death in deaths {
                claims.forget(death.worker);
                bury(run, &mut children, &mut ledger, &death)?;
                if start(run, &mut children, death.worker, kernel.number())? {
                    run.tally.restarts.add(1);
                }
                run.tally.workers.set(children.count() as u64);
            }
            let _ = rustix::io::read(&run.bell, &mut [0; 8]);
        }
        Ok(())
    }
}

/// Puts the block that a dead worker held back to be claimed, and another worker in its place.
fn bury(run: &Run, children: &mut Children, ledger: &mut Ledger, death: &Death) -> Result<(), Error> {
    let ring = run.segment.ring();
    let mut consequence = "another takes its place";
    let held_blocks = ring.held_by(death.worker);
    if held_blocks.is_empty() && (ledger.enter_start(ring.came_up(), run.jobs(), death) | ledger.enter_idle(run, death))
    {
        let what = format!("workers keep dying before they can take up work: the last one {}", death.cause());
        return Err(Error::workers(what));
    }
    for held in held_blocks {
        if run.given_up().contains_key(&held.block()) {
            continue;
        }
        ledger.blocks.retain(|&block, _| block >= run.written());
        let account = ledger.enter(run, held.block(), death);
        let is_too_many = account.points >= LIMIT;
        // Where it has been avoided and nothing came of that, it was another's lie.
        if let Some(row) = ring.row_of(&held).filter(|_| is_too_many && !account.has_avoided) {
            consequence = "no other will be tried on its row";
            *account = Account { has_avoided: true, taken: account.taken, ..Account::default() };
            ring.caution(&held, Some(row));
            ring.recover(held);
        } else if is_too_many {
            consequence = "no other will be tried on its rows";
            let what = format!(
                "workers keep dying on these rows: {} so far, the last one {}; all results before them are written",
                account.deaths,
                death.cause()
            );
            run.given_up().insert(held.block(), what);
        } else {
            consequence = "its block is computed again";
            children.count_redone();
            if death.is_fault() {
                // To find out which row it is.
                ring.caution(&held, None);
            }
            ring.recover(held);
        }
    }
    children.tell(death, consequence);
    // It may have died with a signal in its hands, to be passed on or taken up.
    FutexEvent(&ring.control().filled.0).repeat();
    FutexEvent(&ring.control().done.0).repeat();
    Ok(())
}

/// Starts a worker, and answers whether that could be done. If it is refused the run goes on with those there are.
fn start(run: &Run, children: &mut Children, worker: u32, mapping: u32) -> Result<bool, Error> {
    let segment = run.segment.descriptor();
    let started = segment.and_then(|segment| children.start(worker, Executor::Shared, mapping, segment));
    let Err(error) = started else { return Ok(true) };
    // It may have been started and ended again for want of a descriptor to watch it by, with a block in its hands.
    let ring = run.segment.ring();
    ring.held_by(worker).into_iter().for_each(|held| ring.recover(held));
    FutexEvent(&ring.control().filled.0).repeat();
    FutexEvent(&ring.control().done.0).repeat();
    if children.count() == 0 {
        return Err(Error::io("cannot start a worker", error));
    }
    say(&format_args!("cannot start worker {worker}: {}; going on with {}", reason(&error), children.count()));
    Ok(false)
}

/// For so long at least workers may be killed from outside before one of them takes up work.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the supervisor looks at the claims: whatever is wrong with them is found within two of these.
const ROUND: Duration = Duration::from_secs(1);

/// How often at least within the time that a worker may hold a block.
const LOOKS: u32 = 8;

/// Time, less what passed while this process stood still, with its workers as a rule: stopped from a terminal, frozen.
struct Clock {
    last: Instant,
    still: Duration,
}

/// A busy machine may let us wait for so long.
const SLACK: Duration = Duration::from_millis(100);

impl Clock {
    fn start() -> Self {
        Clock { last: Instant::now(), still: Duration::ZERO }
    }

    /// The time, where so much at most was meant to pass since the last one.
    fn tick(&mut self, most: Duration) -> Instant {
        let passed = tally::lap(&mut self.last);
        if passed > most + SLACK {
            self.still += passed - most;
        }
        self.last.checked_sub(self.still).unwrap_or(self.last)
    }
}

/// Since when the writer has waited for the same part of a block, with work for workers to do.
#[derive(Default)]
struct Standstill(Option<(u64, Instant)>);

impl Standstill {
    fn lasts(&mut self, run: &Run, now: Instant) -> Duration {
        let taken = run.taken();
        let is_waited_for = run.segment.ring().is_under_way(run.written());
        match self.0.filter(|&(before, _)| is_waited_for && before == taken) {
            Some((_, since)) => now.saturating_duration_since(since),
            None => {
                self.0 = Some((taken, now));
                Duration::ZERO
            }
        }
    }
}

/// Since when each worker has been seen to hold what it holds: block, worker, and where its part begins.
#[derive(Default)]
struct Claims {
    since: HashMap<(u64, u32, usize), Instant>,
}

impl Claims {
    /// Looks who holds what, of so many workers.
    ///
    /// # Errors
    /// When there is a claim that no worker can have made: it would never be done.
    fn look(&mut self, run: &Run, workers: u32, now: Instant) -> Result<(), Error> {
        // A block that was given up stays with a worker that is dead, and whose number another has.
        let is_open = |&(block, ..): &(u64, u32, usize)| !run.given_up().contains_key(&block);
        let claims: Vec<_> = run.segment.ring().claims().filter(is_open).collect();
        self.since.retain(|claim, _| claims.contains(claim));
        let mut lasting: Vec<u32> = self.since.keys().map(|&(_, worker, _)| worker).collect();
        lasting.sort_unstable();
        // One that is seen once may be a claim that follows another that was seen just before.
        let is_twice = lasting.windows(2).any(|pair| pair[0] == pair[1]);
        if is_twice || claims.iter().any(|&(_, worker, _)| worker >= workers) {
            return Err(Error::spoilt());
        }
        claims.into_iter().for_each(|claim| {
            self.since.entry(claim).or_insert(now);
        });
        Ok(())
    }

    /// Forgets those of a worker that has died.
    fn forget(&mut self, dead: u32) {
        self.since.retain(|&(_, worker, _), _| worker != dead);
    }

    /// Workers that have held the same part of a block for longer than this. Whoever takes it up next has all the time
    /// again.
    fn overdue(&mut self, most: Duration, now: Instant) -> Vec<u32> {
        let overdue = self.since.extract_if(|_, since| now.saturating_duration_since(*since) >= most);
        overdue.map(|((_, worker, _), _)| worker).collect()
    }
}

/// The deaths over a block, or over what was left of it.
#[derive(Clone, Copy, Default)]
struct Account {
    points: u32,
    deaths: u32,
    /// How many parts had been taken at the last one, if its turn to be written had come.
    taken: Option<u64>,
    /// One of its rows was named, and is not to be tried again.
    has_avoided: bool,
}

/// The deaths so far.
#[derive(Default)]
struct Ledger {
    blocks: HashMap<u64, Account>,
    /// Workers that had come up at the last death, deaths since that changed, and the points of those that count.
    came_up: u32,
    deaths_at_start: u64,
    points_at_start: u32,
    since: Option<Instant>,
    /// How many parts had been taken, faults of workers that held nothing since then, and the first of these.
    idle: Option<(u64, u32, Instant)>,
}

impl Ledger {
    /// This death under the block, and those before it under the same part.
    fn enter(&mut self, run: &Run, block: u64, death: &Death) -> &mut Account {
        let taken = (block == run.written()).then(|| run.taken());
        let account = self.blocks.entry(block).or_default();
        if account.taken.is_some_and(|before| taken != Some(before)) {
            // A part has been taken since: whoever died before died over rows that are done.
            *account = Account::default();
        }
        account.taken = taken;
        account.points += points(death);
        account.deaths += 1;
        account
    }

    /// Whether this fault, of a worker that held nothing while there was something to claim, is one too many: those that
    /// are sound take up work, those that are not may put it back before they die.
    fn enter_idle(&mut self, run: &Run, death: &Death) -> bool {
        if !death.is_fault() || !run.segment.ring().is_unclaimed(run.written()) {
            return false;
        }
        let taken = run.taken();
        let (_, faults, since) =
            self.idle.filter(|&(before, ..)| before == taken).unwrap_or((taken, 0, Instant::now()));
        self.idle = Some((taken, faults + 1, since));
        (faults + 1) * FAULT >= LIMIT && since.elapsed() >= PATIENCE
    }

    /// Whether this death, of a worker that held nothing, is one too many without a worker that came up in between. As
    /// many as there are workers may have been up and idle; those after them never came up.
    fn enter_start(&mut self, came_up: u32, jobs: u64, death: &Death) -> bool {
        if came_up != self.came_up || self.deaths_at_start == 0 {
            (self.came_up, self.deaths_at_start, self.points_at_start) = (came_up, 0, 0);
            self.since = Some(Instant::now());
        }
        self.deaths_at_start += 1;
        if self.deaths_at_start > jobs {
            self.points_at_start += points(death);
        }
        // Whoever kills may be quicker than a worker can start on a busy machine, and may yet stop doing so.
        let is_long = death.is_fault() || self.since.is_some_and(|since| since.elapsed() >= PATIENCE);
        self.points_at_start >= LIMIT && is_long
    }
}

fn points(death: &Death) -> u32 {
    if death.is_fault() { FAULT } else { KILL }
}
