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
            claims.look(run, started as u32)?;
            if let Some(most) = run.block_timeout {
                claims.overdue(most).into_iter().for_each(|worker| children.kill(worker, most));
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
    if held_blocks.is_empty() && ledger.enter_start(ring.came_up(), run.jobs(), death) {
        let what = format!("workers keep dying before they can take up work: the last one {}", death.cause());
        return Err(Error::workers(what));
    }
    for held in held_blocks {
        if run.given_up().contains_key(&held.block()) {
            continue;
        }
        ledger.blocks.retain(|&block, _| block >= run.written());
        let is_too_many = ledger.enter(held.block(), death);
        if let Some(row) = ring.row_of(&held).filter(|_| is_too_many) {
            consequence = "no other will be tried on its row";
            ledger.forget(held.block());
            ring.caution(&held, Some(row));
            ring.recover(held);
        } else if is_too_many {
            consequence = "no other will be tried on its rows";
            let what = format!(
                "workers keep dying on these rows: {} so far, the last one {}; all results before them are written",
                ledger.deaths(held.block()),
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
    fn look(&mut self, run: &Run, workers: u32) -> Result<(), Error> {
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
        let now = Instant::now();
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
    fn overdue(&mut self, most: Duration) -> Vec<u32> {
        let overdue = self.since.extract_if(|_, since| since.elapsed() >= most);
        overdue.map(|((_, worker, _), _)| worker).collect()
    }
}

/// The deaths so far: points and how many, by block.
#[derive(Default)]
struct Ledger {
    blocks: HashMap<u64, (u32, u32)>,
    /// Workers that had come up at the last death, deaths since that changed, and the points of those that count.
    came_up: u32,
    deaths_at_start: u64,
    points_at_start: u32,
    since: Option<Instant>,
}

impl Ledger {
    /// Whether this death under the block is one too many.
    fn enter(&mut self, block: u64, death: &Death) -> bool {
        let (sum, deaths) = self.blocks.entry(block).or_default();
        *sum += points(death);
        *deaths += 1;
        *sum >= LIMIT
    }

    /// Starts anew with this block.
    fn forget(&mut self, block: u64) {
        self.blocks.remove(&block);
    }

    fn deaths(&self, block: u64) -> u32 {
        self.blocks.get(&block).map_or(0, |&(_, deaths)| deaths)
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
