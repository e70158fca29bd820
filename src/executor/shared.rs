//! Worker processes that claim blocks in a shared segment: reader, writer and supervisor.
//!
//! The calling thread is the supervisor, since it starts the workers and they live no longer than it does.

use crate::error::{Error, reason, say};
use crate::event::FutexEvent;
use crate::executor::children::{Children, Death};
use crate::executor::{Job, Run, block::MapBlocks};
use crate::flow::reader::{Block, Ending, Input, Reader, Watch};
use crate::flow::writer::Writer;
use crate::ring::{Held, Taken};
use crate::segment::Segment;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd, OwnedFd};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, MutexGuard};
use std::thread;

pub struct Shared;

/// Slots for each worker: one that it works on, one that waits for it, one that waits to be written, and one for what
/// is uneven about these.
const SLOTS_PER_JOB: usize = 4;
/// Small blocks get more slots, so that nobody has to be woken for each: as many as hold this much input.
const LEAST_INPUT: usize = 512 << 10;
/// Many workers get fewer slots each, down to little more than one, rather than more memory than a stock container has
/// in /dev/shm, which is 64 MiB.
const MOST_INPUT: usize = 16 << 20;

/// Deaths under one block are given up at this many points. A kill from outside counts 1, since whoever kills, an
/// out-of-memory killer say, may well stop doing so: 30 of them. A fault will most likely happen again: 3 of them.
const LIMIT: u32 = 30;
const KILL: u32 = 1;
const FAULT: u32 = 10;

impl Run for Shared {
    fn run(&self, _: &dyn MapBlocks, mut job: Job) -> Result<(), Error> {
        let segment = Segment::create(slots(job.jobs, job.block_size), job.block_size);
        let segment = segment.map_err(|error| Error::usage(error.to_string()))?;
        let bell = || {
            eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
                .map_err(|error| Error::io("cannot make an event", error.into()))
        };
        let names = job.inputs.iter().map(Input::name).collect();
        let (bell, stop) = (bell()?, bell()?);
        let mut reader =
            Reader::new(std::mem::take(&mut job.inputs), Watch { stop: Some(stop.as_fd()), output: Some(job.output) });
        let mut writer = Writer::new(&job.output, job.output_name, names, job.block_size);
        let run = Running {
            segment: &segment,
            jobs: job.jobs as u64,
            bell: &bell,
            published: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            given_up: Mutex::new(vec![]),
        };
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| run.read(&mut reader, sender));
            let writing = scope.spawn(|| {
                let result = run.write(&mut writer, receiver);
                run.is_over.store(true, Ordering::Release);
                ring_bell(&bell);
                result
            });
            let supervised = run.supervise();
            // Whatever ended it, nobody must be left waiting.
            run.is_over.store(true, Ordering::Release);
            ring_bell(&stop);
            FutexEvent(&segment.ring().control().freed.0).repeat();
            FutexEvent(&segment.ring().control().done.0).repeat();
            let written = writing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            supervised.and(written)
        })
    }
}

fn slots(jobs: usize, block_size: usize) -> usize {
    let fewest = (LEAST_INPUT / block_size).min(1024).max(jobs + 2);
    (jobs * SLOTS_PER_JOB).min(MOST_INPUT / block_size).max(fewest)
}

/// What the reader tells the writer, in input order.
enum Step {
    Block { input: usize },
    End(Ending),
}

/// What reader, writer and supervisor share.
struct Running<'a> {
    segment: &'a Segment,
    jobs: u64,
    /// Wakes the supervisor.
    bell: &'a OwnedFd,
    /// How many blocks there are so far: no more workers than that are started.
    published: AtomicU64,
    is_over: AtomicBool,
    /// Blocks that no worker is to try again, and why.
    given_up: Mutex<Vec<(Held, String)>>,
}

impl Running<'_> {
    fn read(&self, reader: &mut Reader, steps: Sender<Step>) {
        let ring = self.segment.ring();
        let (filled, freed) = (FutexEvent(&ring.control().filled.0), FutexEvent(&ring.control().freed.0));
        for block in 0.. {
            let mut filling = loop {
                if self.is_over.load(Ordering::Acquire) {
                    return;
                }
                match ring.try_fill(block) {
                    Some(filling) => break filling,
                    None => freed.sleep(),
                }
            };
            if let Err(error) = self.segment.allocate(&filling) {
                let _ = steps.send(Step::End(Ending::Failed(Error::usage(error.to_string()))));
                return;
            }
            match reader.next_block(self.segment.input_mut(&mut filling)) {
                Ok(Block { length, input }) => {
                    ring.publish(filling, 0..length);
                    filled.signal();
                    self.published.store(block + 1, Ordering::Release);
                    if block < self.jobs {
                        ring_bell(self.bell);
                    }
                    // The writer is gone only when the run is over.
                    let _ = steps.send(Step::Block { input });
                }
                Err(ending) => {
                    let _ = steps.send(Step::End(ending));
                    return;
                }
            }
        }
    }

    fn write(&self, writer: &mut Writer, steps: Receiver<Step>) -> Result<(), Error> {
        let ring = self.segment.ring();
        for (block, step) in (0..).zip(steps) {
            let input = match step {
                Step::Block { input } => input,
                Step::End(ending) => return writer.end(ending),
            };
            loop {
                let Some(taken) = self.wait_for(block, input, writer)? else { return Ok(()) };
                let (results, report) = self.segment.results(&taken);
                writer.write(input, taken.outcome().lines, results, report)?;
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

    /// The block with its results; none when the run was ended by the supervisor.
    fn wait_for(&self, block: u64, input: usize, writer: &mut Writer) -> Result<Option<Taken>, Error> {
        let ring = self.segment.ring();
        loop {
            if let Some(taken) = ring.try_take(block) {
                return Ok(Some(taken));
            }
            if let Some((held, what)) = self.given_up().iter().find(|(held, _)| held.block() == block) {
                return Err(writer.given_up(input, self.segment.input_of_held(held), what.clone()));
            }
            if self.is_over.load(Ordering::Acquire) {
                return Ok(None);
            }
            FutexEvent(&ring.control().done.0).sleep();
        }
    }

    fn given_up(&self) -> MutexGuard<'_, Vec<(Held, String)>> {
        self.given_up.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Keeps as many workers alive as there is work for, until the writer is through.
    fn supervise(&self) -> Result<(), Error> {
        let mut children = Children::new(self.segment.descriptor());
        let mut ledger = Ledger::default();
        let (mut started, mut limit) = (0, self.jobs);
        while !self.is_over.load(Ordering::Acquire) {
            while started < limit.min(self.published.load(Ordering::Acquire)) {
                match start(&mut children, started as u32)? {
                    true => started += 1,
                    false => limit = started,
                }
            }
            let deaths = children.wait(self.bell.as_fd())?;
            if self.is_over.load(Ordering::Acquire) {
                break;
            }
            for death in deaths {
                self.bury(&mut children, &mut ledger, death)?;
            }
            let _ = rustix::io::read(self.bell, &mut [0; 8]);
        }
        Ok(())
    }

    /// Puts the block that a dead worker held back to be claimed, and another worker in its place.
    fn bury(&self, children: &mut Children, ledger: &mut Ledger, death: Death) -> Result<(), Error> {
        let ring = self.segment.ring();
        let mut consequence = "another takes its place";
        let held_blocks = ring.held_by(death.worker);
        if held_blocks.is_empty() && ledger.enter_start(ring.came_up(), self.jobs, &death) {
            let what = format!("workers keep dying before they can take up work: the last one {}", death.cause());
            return Err(Error::workers(what));
        }
        for held in held_blocks {
            if self.given_up().iter().any(|(given_up, _)| given_up.block() == held.block()) {
                continue;
            }
            if ledger.enter(held.block(), &death) {
                consequence = "no other will be tried on its rows";
                let what = format!(
                    "workers keep dying on these rows: {} so far, the last one {}; all results before them are written",
                    ledger.deaths(held.block()),
                    death.cause()
                );
                self.given_up().push((held, what));
            } else {
                consequence = "its block is computed again";
                ring.recover(held);
            }
        }
        children.tell(&death, consequence);
        start(children, death.worker)?;
        // It may have died with a signal in its hands, to be passed on or taken up.
        FutexEvent(&ring.control().filled.0).repeat();
        FutexEvent(&ring.control().done.0).repeat();
        Ok(())
    }
}

/// Starts a worker, and answers whether that could be done. If it is refused the run goes on with those there are.
fn start(children: &mut Children, worker: u32) -> Result<bool, Error> {
    let Err(error) = children.start(worker) else { return Ok(true) };
    if children.count() == 0 {
        return Err(Error::io("cannot start a worker", error));
    }
    say(&format_args!("cannot start worker {worker}: {}; going on with {}", reason(&error), children.count()));
    Ok(false)
}

/// The deaths so far: points and how many, by block.
#[derive(Default)]
struct Ledger {
    blocks: HashMap<u64, (u32, u32)>,
    /// Workers that had come up at the last death, deaths since that changed, and the points of those that count.
    came_up: u32,
    deaths_at_start: u64,
    points_at_start: u32,
}

impl Ledger {
    /// Whether this death under the block is one too many.
    fn enter(&mut self, block: u64, death: &Death) -> bool {
        let (sum, deaths) = self.blocks.entry(block).or_default();
        *sum += points(death);
        *deaths += 1;
        *sum >= LIMIT
    }

    fn deaths(&self, block: u64) -> u32 {
        self.blocks.get(&block).map_or(0, |&(_, deaths)| deaths)
    }

    /// Whether this death, of a worker that held nothing, is one too many without a worker that came up in between. As
    /// many as there are workers may have been up and idle; those after them never came up.
    fn enter_start(&mut self, came_up: u32, jobs: u64, death: &Death) -> bool {
        if came_up != self.came_up {
            (self.came_up, self.deaths_at_start, self.points_at_start) = (came_up, 0, 0);
        }
        self.deaths_at_start += 1;
        if self.deaths_at_start > jobs {
            self.points_at_start += points(death);
        }
        self.points_at_start >= LIMIT
    }
}

fn points(death: &Death) -> u32 {
    if death.is_fault() { FAULT } else { KILL }
}

fn ring_bell(bell: &OwnedFd) {
    // It can only fail when it has been rung 2^64 times.
    let _ = rustix::io::write(bell, &1u64.to_ne_bytes());
}
