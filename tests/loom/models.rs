//! Checks the claim protocol with the model checker loom. A worker is killed between any two of its atomic operations
//! while another worker computes, the reader publishes, or the writer and the supervisor put blocks back.
//!
//! `LOOM_MAX_PREEMPTIONS=2 cargo test --release --manifest-path tests/loom/Cargo.toml`
//!
//! loom explores all schedules with at most `LOOM_MAX_PREEMPTIONS` preemptions. CI uses 2; 3 takes some minutes.
#![cfg(test)]
#![allow(unsafe_code)] // loom's cells stand for the regions of the segment

#[allow(dead_code, missing_docs)]
#[path = "../../src/ring/mod.rs"]
mod ring; // with the atomics and the segment of tests/loom/

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use ring::sync::{Died, die_after};
use ring::{Claim, Outcome, Place, Reached, Segment, Supervisor, Turn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// A ring, and for each slot two cells that stand for its input and result regions. loom fails if a cell is read while
/// it is being written, or if no hand-over between the threads makes the write visible to the reader.
struct Model {
    segment: Segment,
    inputs: Vec<UnsafeCell<u64>>,
    results: Vec<UnsafeCell<u64>>,
}

// SAFETY: loom checks all accesses to the cells, and fails if two threads use a cell without synchronization.
unsafe impl Sync for Model {}
// SAFETY: loom checks all accesses to the cells, and fails if two threads use a cell without synchronization.
unsafe impl Send for Model {}

impl Model {
    fn new(slots: usize) -> Arc<Self> {
        let cells = || (0..slots).map(|_| UnsafeCell::new(0)).collect();
        Arc::new(Model { segment: Segment::new(slots), inputs: cells(), results: cells() })
    }

    fn supervisor(&self) -> Supervisor<'_> {
        self.segment.ends(0).supervisor
    }

    /// Plays the reader: publishes `block`, which consists of the number 100 + `block` and has two parts. Returns
    /// whether its slot was free.
    fn fill(&self, block: u64) -> bool {
        let mut reader = self.segment.ends(block).reader;
        let Some(filling) = reader.try_fill().expect("no slot is spoilt") else { return false };
        // SAFETY: the `Filling` gives the right to write the input; loom checks that no other thread uses it.
        self.inputs[filling.slot()].with_mut(|input| unsafe { *input = 100 + block });
        filling.publish(Place::Slot(0..2));
        true
    }

    /// Plays a worker: the result is the input times ten, plus 1 for the second part of a block.
    fn compute(&self, claim: Claim) {
        // SAFETY: the claim gives the right to read the input and write the results; loom checks that no other thread
        // interferes.
        let input = self.inputs[claim.slot()].with(|input| unsafe { *input });
        let Place::Slot(part) = claim.place() else { panic!("it is not in a file") };
        // SAFETY: the claim gives the right to write the results, as above.
        self.results[claim.slot()].with_mut(|result| unsafe { *result = input * 10 + part.start as u64 });
        let consumed = if in_parts() { 1 } else { part.len() };
        claim.finish(Outcome { consumed, results: 1, ..Outcome::default() });
    }

    /// Plays a worker until no block is left to claim.
    fn work(&self, worker: u32) {
        while let Some(claim) = self.segment.try_claim(worker) {
            self.compute(claim);
        }
    }

    /// Plays the writer: takes and checks the next part of `block` if it is done. Returns whether this was the last
    /// part.
    fn take(&self, block: u64, part: &mut u64) -> bool {
        let mut writer = self.segment.ends(block).writer;
        writer.begin(Place::Slot(*part as usize..2), 0);
        let Some(taken) = writer.try_take(true).expect("no slot is spoilt") else { return false };
        // SAFETY: `taken` gives the right to read the results; loom checks that no other thread writes them.
        let result = self.results[taken.slot()].with(|result| unsafe { *result });
        assert_eq!(result, (100 + block) * 10 + *part);
        let is_whole = taken.give_back();
        *part = if is_whole { 0 } else { *part + 1 };
        is_whole
    }

    /// Plays the reader of a file: publishes `block`, which is a window of two bytes. Returns whether its slot was free.
    fn fill_window(&self, block: u64) -> bool {
        let mut reader = self.segment.ends(block).reader;
        let Some(filling) = reader.try_fill().expect("no slot is spoilt") else { return false };
        filling.publish(window(block));
        true
    }

    /// Plays a worker on windows, until none is left to claim or the claimed one has to wait for its turn: then it puts that
    /// back, because loom needs models that end. The window of block `stuck` is one whose end cannot be found.
    fn work_on_windows(&self, worker: u32, stuck: u64) {
        while let Some(mut claim) = self.segment.try_claim(worker) {
            let Place::File { offset, length } = claim.place() else { panic!("it is in a file") };
            let block = offset / 2;
            let rows = loop {
                match claim.turn() {
                    Turn::Waits => return claim.put_back(),
                    Turn::Void => {
                        claim.make_void();
                        break 0..0;
                    }
                    Turn::Over(rows) => break rows,
                    Turn::Begins(start) if block == stuck => claim.stick(start),
                    Turn::Begins(start) => {
                        assert_eq!(start as u64, block % 2, "a window begins where the one before ends");
                        claim.pass_on(start..overhang(block) + 2, length);
                    }
                }
            };
            // SAFETY: the claim gives the right to write the results; loom checks that no other thread interferes.
            self.results[claim.slot()].with_mut(|result| unsafe { *result = block });
            claim.finish(Outcome { consumed: rows.len(), results: 1, ..Outcome::default() });
        }
    }

    /// Plays the writer on windows: takes and checks `block` if it is done. The rows before end at `end`, which is moved on.
    fn take_window(&self, block: u64, end: &mut u64) -> bool {
        let mut writer = self.segment.ends(block).writer;
        writer.begin(window(block), *end);
        let Some(taken) = writer.try_take(true).expect("no slot is spoilt") else { return false };
        // SAFETY: `taken` gives the right to read the results; loom checks that no other thread writes them.
        assert_eq!(self.results[taken.slot()].with(|result| unsafe { *result }), block);
        *end += taken.outcome.consumed as u64;
        taken.give_back()
    }

    fn recover(&self, worker: u32) {
        let mut supervisor = self.supervisor();
        supervisor.held_by(worker).into_iter().for_each(|held| supervisor.recover(held));
    }
}

fn window(block: u64) -> Place {
    Place::File { offset: 2 * block, length: 2 }
}

/// How far the last row of the window of `block` reaches into the next window.
fn overhang(block: u64) -> usize {
    (block as usize + 1) % 2
}

/// The number of a block that no model has.
const NONE: u64 = u64::MAX;

thread_local! { static IN_PARTS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) } }

fn in_parts() -> bool {
    IN_PARTS.get()
}

/// Explores the model `run` with a worker that dies before its first step, then before its second, and so on, until the
/// worker survives in all schedules. `run` is given the number of steps and returns whether the worker died. Prints how
/// many executions loom has explored.
fn explore(name: &str, run: impl Fn(u32) -> bool + Sync + Send + Copy + 'static) {
    let executions = std::sync::Arc::new(AtomicU64::new(0));
    let mut steps = 0;
    loop {
        let died = std::sync::Arc::new(AtomicU64::new(0));
        let (counted, any_died) = (executions.clone(), died.clone());
        loom::model(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            any_died.fetch_add(u64::from(run(steps)), Ordering::Relaxed);
        });
        if died.load(Ordering::Relaxed) == 0 {
            break;
        }
        steps += 1;
    }
    println!("{name}: {} executions, death before each of {steps} steps", executions.load(Ordering::Relaxed));
}

/// Starts a worker that dies after `steps` atomic operations, if it makes that many. The thread returns whether it
/// died.
fn mortal(model: &Arc<Model>, worker: u32, steps: u32) -> thread::JoinHandle<bool> {
    mortal_by(model, steps, move |model| model.work(worker))
}

/// The same for a worker that does `work`.
fn mortal_by(model: &Arc<Model>, steps: u32, work: impl FnOnce(&Model) + 'static) -> thread::JoinHandle<bool> {
    let model = model.clone();
    thread::spawn(move || {
        die_after(steps);
        match catch_unwind(AssertUnwindSafe(|| work(&model))) {
            Ok(()) => false,
            Err(payload) if payload.is::<Died>() => true,
            Err(payload) => std::panic::resume_unwind(payload),
        }
    })
}

fn immortal(model: &Arc<Model>, worker: u32) -> thread::JoinHandle<()> {
    let model = model.clone();
    thread::spawn(move || model.work(worker))
}

/// The reader publishes while two workers, one of which dies, look for blocks, and the writer takes what is done. Only
/// the slot's word may be needed to make the bytes of each hand-over visible.
#[test]
fn bytes_are_seen_by_whom_they_are_handed_to() {
    explore("death beside the reader", |steps| {
        let model = Model::new(2);
        let dying = mortal(&model, 1, steps);
        assert!(model.fill(0) && model.fill(1));
        let mut part = 0;
        let first = model.take(0, &mut part);
        let died = dying.join().unwrap();
        if died {
            model.recover(1);
        }
        model.work(3);
        assert!((first || model.take(0, &mut part)) && model.take(1, &mut part), "a block was lost");
        died
    });
}

/// There are two blocks. One worker dies at any step while another works, and the supervisor puts back the dead
/// worker's block while the other worker still runs. Afterwards every block must be claimable or done: none is lost,
/// and none is done twice.
#[test]
fn no_block_is_lost_when_a_worker_dies_at_any_step() {
    explore("death beside a worker", |steps| {
        let model = Model::new(2);
        assert!(model.fill(0) && model.fill(1));
        let dying = mortal(&model, 1, steps);
        let living = immortal(&model, 2);
        let died = dying.join().unwrap();
        if died {
            model.recover(1);
        }
        living.join().unwrap();
        // The worker that replaces a dead one has the same number.
        model.work(1);
        let mut part = 0;
        assert!(model.take(0, &mut part) && model.take(1, &mut part), "a block was lost");
        assert!(model.segment.try_claim(1).is_none());
        died
    });
}

/// One worker dies at any step while another works, and meanwhile slots are used again: between the workers' steps, the
/// reader refills a slot that the writer has given back.
#[test]
fn no_block_is_lost_when_the_ring_turns_under_the_workers() {
    explore("death while the ring turns", |steps| {
        let model = Model::new(1);
        assert!(model.fill(0));
        let dying = mortal(&model, 1, steps);
        let living = immortal(&model, 2);
        let mut part = 0;
        let mut block = 0;
        if model.take(0, &mut part) {
            block = 1;
            assert!(model.fill(1));
        }
        let died = dying.join().unwrap();
        if died {
            model.recover(1);
        }
        living.join().unwrap();
        model.work(3);
        for block in block..2 {
            assert!(model.take(block, &mut part), "block {block} was lost");
            if block == 0 {
                assert!(model.fill(1));
                model.work(3);
            }
        }
        died
    });
}

/// A block whose results do not fit is handed over in two parts, and a worker dies while it works on one of them.
#[test]
fn no_part_is_lost_when_a_block_is_handed_over_in_parts() {
    explore("death over a part", |steps| {
        IN_PARTS.set(true);
        let model = Model::new(1);
        assert!(model.fill(0));
        let dying = mortal(&model, 1, steps);
        let living = immortal(&model, 2);
        let supervisor = {
            let model = model.clone();
            thread::spawn(move || {
                let died = dying.join().unwrap();
                if died {
                    model.recover(1);
                }
                died
            })
        };
        // The writer puts the rest of the block back while the supervisor puts back what the dead worker held.
        let mut part = 0;
        let mut whole = model.take(0, &mut part) || model.take(0, &mut part);
        let died = supervisor.join().unwrap();
        living.join().unwrap();
        while !whole {
            model.work(3);
            whole = model.take(0, &mut part);
        }
        IN_PARTS.set(false);
        died
    });
}

/// A worker dies at any step of its work on a row. The worker that claims the block next, at whatever moment, must be
/// asked to take care. If a worker then dies while it takes care, the row is known, and the next claimant must be asked
/// to avoid that row.
#[test]
fn whoever_takes_up_the_block_of_the_dead_is_told_so() {
    explore("death on a row", |steps| {
        let model = Model::new(1);
        assert!(model.fill(0));
        let careful = |model: &Model, worker| {
            let claim = model.segment.try_claim(worker)?;
            let care = claim.care();
            care.note(1);
            let is_needed = care.is_needed();
            model.compute(claim);
            Some(is_needed)
        };
        let dying = {
            let model = model.clone();
            thread::spawn(move || {
                die_after(steps);
                match catch_unwind(AssertUnwindSafe(|| careful(&model, 1))) {
                    Ok(_) => false,
                    Err(payload) if payload.is::<Died>() => true,
                    Err(payload) => std::panic::resume_unwind(payload),
                }
            })
        };
        let living = {
            let model = model.clone();
            thread::spawn(move || careful(&model, 2))
        };
        let died = dying.join().unwrap();
        let mut was_held = false;
        for held in model.supervisor().held_by(1) {
            assert_eq!(model.supervisor().row_of(&held), None, "nobody was told to take rows one at a time");
            model.supervisor().caution(&held, None);
            model.supervisor().recover(held);
            was_held = true;
        }
        let taken_up = living.join().unwrap();
        assert!(!was_held || taken_up != Some(false), "taken up without care");
        if was_held && taken_up.is_none() {
            // From here this thread plays a worker that dies on row 1, and then the worker that claims the block after
            // it.
            let claim = model.segment.try_claim(1).unwrap();
            let care = claim.care();
            assert!(care.is_needed() && !care.must_avoid(1));
            care.note(1);
            let held = model.supervisor().held_by(1).pop().unwrap();
            assert_eq!(model.supervisor().row_of(&held), Some(1));
            model.supervisor().caution(&held, Some(1));
            model.supervisor().recover(held);
            let claim = model.segment.try_claim(1).unwrap();
            let care = claim.care();
            assert!(care.must_avoid(1) && !care.must_avoid(0));
            model.compute(claim);
        }
        died
    });
}

/// The supervisor sees that a worker has held a part for too long, has workers look at the block again, and kills that
/// worker. At the time of its death the worker may hold that part, the next part, or none.
#[test]
fn nothing_is_lost_when_a_worker_is_killed_for_the_time_it_takes() {
    explore("death by a time limit", |steps| {
        IN_PARTS.set(true);
        let model = Model::new(1);
        assert!(model.fill(0));
        let dying = mortal(&model, 1, steps);
        let supervisor = {
            let model = model.clone();
            thread::spawn(move || {
                for (block, worker, start) in model.supervisor().claims() {
                    assert!(block == 0 && worker == 1 && start < 2, "a claim that nobody made");
                }
                model.supervisor().look_again_from(0);
                let died = dying.join().unwrap();
                if died {
                    model.recover(1);
                }
                died
            })
        };
        let mut part = 0;
        let mut whole = model.take(0, &mut part);
        let died = supervisor.join().unwrap();
        while !whole {
            model.work(1);
            whole = model.take(0, &mut part);
        }
        IN_PARTS.set(false);
        died
    });
}

/// The run is closed while workers look for blocks, compute, or die. A worker that survives must not hold a block when
/// it ends, and what is done by then must be complete.
#[test]
fn workers_leave_nothing_half_done_when_the_run_is_closed() {
    explore("shutdown", |steps| {
        let model = Model::new(1);
        assert!(model.fill(0));
        let dying = mortal(&model, 1, steps);
        let living = {
            let model = model.clone();
            thread::spawn(move || {
                // Use two rounds instead of an endless loop, because loom needs models that end.
                for _ in 0..2 {
                    if model.segment.is_closed() {
                        return;
                    }
                    model.work(2);
                }
            })
        };
        model.supervisor().close();
        living.join().unwrap();
        let died = dying.join().unwrap();
        assert!(model.supervisor().held_by(2).is_empty(), "a worker has left with a block in its hands");
        if died {
            model.recover(1);
        }
        assert!(model.supervisor().held_by(1).is_empty());
        model.work(3);
        assert!(model.take(0, &mut 0), "a block was lost");
        died
    });
}

fn mortal_on_windows(model: &Arc<Model>, worker: u32, steps: u32, stuck: u64) -> thread::JoinHandle<bool> {
    mortal_by(model, steps, move |model| model.work_on_windows(worker, stuck))
}

/// Two windows of a file. One worker dies at any step, also between finding the end of its rows and passing the turn on, while
/// another works or waits for its turn. Afterwards the rows of both must follow each other without a gap.
#[test]
fn the_chain_goes_on_when_a_worker_dies_at_any_step() {
    explore("death in the chain", |steps| {
        let model = Model::new(2);
        model.segment.ends(0).reader.begin_chain();
        assert!(model.fill_window(0) && model.fill_window(1));
        let dying = mortal_on_windows(&model, 1, steps, NONE);
        let living = {
            let model = model.clone();
            thread::spawn(move || model.work_on_windows(2, NONE))
        };
        let died = dying.join().unwrap();
        if died {
            model.recover(1);
            // The dead one may have put its block back and died before it could lower the counter. The supervisor lowers the
            // counter whenever it wakes.
            model.supervisor().look_again_from(0);
        }
        living.join().unwrap();
        // The worker that replaces a dead one has the same number.
        model.work_on_windows(1, NONE);
        let mut end = 0;
        assert!(model.take_window(0, &mut end) && model.take_window(1, &mut end), "a block was lost");
        assert_eq!(end, 4);
        assert_eq!(model.segment.ends(2).reader.reached(), Ok(Reached::All(0)));
        died
    });
}

/// The chain gets stuck at the first of two windows, while a worker dies at any step. Both must be void, the reader must learn
/// where it is to go on, and a chain that it begins then must not be mistaken for the old one.
#[test]
fn windows_behind_a_place_where_the_chain_is_stuck_are_void() {
    explore("death where the chain is stuck", |steps| {
        let model = Model::new(2);
        model.segment.ends(0).reader.begin_chain();
        assert!(model.fill_window(0) && model.fill_window(1));
        let dying = mortal_on_windows(&model, 1, steps, 0);
        let reading = {
            let model = model.clone();
            thread::spawn(move || {
                // The reader of a file that goes on behind the window of block 5, say, without waiting for the old windows.
                let mut reader = model.segment.ends(2).reader;
                match reader.reached().unwrap() {
                    Reached::Stuck(place) => {
                        assert_eq!(place, 0);
                        reader.begin_chain();
                        true
                    }
                    reached => {
                        assert_eq!(reached, Reached::NotYet);
                        false
                    }
                }
            })
        };
        let died = dying.join().unwrap();
        let has_begun = reading.join().unwrap();
        if died {
            model.recover(1);
        }
        model.work_on_windows(1, 0);
        let mut end = 0;
        assert!(model.take_window(0, &mut end) && model.take_window(1, &mut end), "a block was lost");
        assert_eq!(end, 0, "a void window has rows");
        let mut reader = model.segment.ends(2).reader;
        if !has_begun {
            assert_eq!(reader.reached(), Ok(Reached::Stuck(0)));
            reader.begin_chain();
        }
        end = 4;
        assert!(model.fill_window(2));
        model.work_on_windows(1, NONE);
        assert!(model.take_window(2, &mut end), "the new chain does not begin");
        assert_eq!(end, 7);
        died
    });
}

/// A worker offers the first of two pieces of results while it keeps its block, and dies at any step. The writer and the
/// supervisor do as `executor/run/offers.rs` does. Each piece must be taken once and in order, and the block may be lost only
/// after its first piece was taken.
#[test]
fn no_offer_is_taken_twice() {
    fn work(model: &Model, worker: u32) {
        let Some(claim) = model.segment.try_claim(worker) else { return };
        // SAFETY: the claim gives the right to write the results; loom checks that no other thread interferes.
        let write = |piece| model.results[claim.slot()].with_mut(|result| unsafe { *result = piece });
        write(1);
        claim.offer(1);
        while !claim.is_taken() {
            thread::yield_now();
        }
        write(2);
        claim.finish(Outcome { consumed: 2, results: 1, ..Outcome::default() });
    }
    explore("death over an offer", |steps| {
        let model = Model::new(1);
        assert!(model.fill(0));
        // How many offers were taken, and whether the block was given up.
        let state = Arc::new(loom::sync::Mutex::new((0, false)));
        let supervisor = {
            let (model, state) = (model.clone(), state.clone());
            let dying = mortal_by(&model, steps, |model| work(model, 1));
            thread::spawn(move || {
                let died = dying.join().unwrap();
                let mut supervisor = model.supervisor();
                for held in supervisor.held_by(1) {
                    let mut state = state.lock().unwrap();
                    supervisor.withdraw(&held);
                    state.1 = state.0 > 0;
                    if !state.1 {
                        supervisor.recover(held);
                    }
                }
                work(&model, 2);
                died
            })
        };
        let mut pieces = 0;
        let is_lost = loop {
            let mut writer = model.segment.ends(0).writer;
            writer.begin(Place::Slot(0..2), 0);
            let (length, is_lost) = {
                let mut state = state.lock().unwrap();
                let length = writer.offered();
                state.0 += u64::from(length > 0);
                (length, state.1)
            };
            let taken = if length > 0 { None } else { writer.try_take(true).expect("no slot is spoilt") };
            let is_whole = taken.is_some();
            if length > 0 || is_whole {
                pieces += 1;
                // SAFETY: the offer or `taken` gives the right to read the results; loom checks that nobody writes them.
                assert_eq!(model.results[0].with(|result| unsafe { *result }), pieces);
            }
            if let Some(taken) = taken {
                taken.give_back();
            }
            if is_whole || is_lost {
                break is_lost;
            }
            if length > 0 {
                writer.release();
            } else {
                thread::yield_now();
            }
        };
        assert_eq!(pieces, if is_lost { 1 } else { 2 });
        supervisor.join().unwrap()
    });
}
