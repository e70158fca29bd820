//! Work with extra work for each row, to find out how much work pays for which executor.

use crate::compare::trial::Trial;
use crate::error::Error;
use crate::ring::Care;
use crate::steps::{Step, lap};
use crate::work::pickling::{Pickler, Pickling, Task};
use crate::work::{Mapped, Mapper, Read, Work};
use std::hint::black_box;
use std::time::Instant;

/// Work that takes so many turns more for each row.
pub struct Graded<'w> {
    work: &'w dyn Work,
    pickling: &'w dyn Pickling,
    turns: u64,
}

impl<'w> Graded<'w> {
    /// This work, as the trial has it.
    pub fn new(work: &'w dyn Work, pickling: &'w dyn Pickling, trial: &Trial) -> Self {
        Graded { work, pickling, turns: trial.turns() }
    }
}

/// Work that depends on itself, so that no processor does two turns at once.
fn turn(turns: u64) -> u64 {
    (0..turns).fold(1, |state: u64, turn| black_box(state.wrapping_mul(6364136223846793005).wrapping_add(turn)))
}

/// How many turns take a microsecond here and now.
pub fn turns_a_microsecond() -> f64 {
    const TURNS: u64 = 2_000_000;
    let time = || {
        let start = Instant::now();
        black_box(turn(TURNS));
        start.elapsed().as_secs_f64() * 1e6
    };
    // The least of some: what disturbs only ever adds.
    let best = (0..5).map(|_| time()).fold(f64::INFINITY, f64::min);
    TURNS as f64 / best
}

/// One worker's part of it.
struct GradedMapper<T> {
    inner: T,
    turns: u64,
}

impl<T> GradedMapper<T> {
    /// Takes the turns for so many rows.
    fn take_turns(&self, rows: usize) {
        if self.turns > 0 {
            for _ in 0..rows {
                black_box(turn(self.turns));
            }
            lap(Step::Run);
        }
    }
}

impl Work for Graded<'_> {
    fn mapper(&self) -> Box<dyn Mapper + '_> {
        Box::new(GradedMapper { inner: self.work.mapper(), turns: self.turns })
    }
}

impl Mapper for GradedMapper<Box<dyn Mapper + '_>> {
    fn map_block(&mut self, head: &[u8], input: &[u8], room: &mut [u8], care: Care) -> Mapped {
        let mapped = self.inner.map_block(head, input, room, care);
        self.take_turns(mapped.rows);
        mapped
    }
}

impl Pickling for Graded<'_> {
    fn pickler(&self) -> Box<dyn Pickler + '_> {
        Box::new(GradedMapper { inner: self.pickling.pickler(), turns: self.turns })
    }
}

impl Pickler for GradedMapper<Box<dyn Pickler + '_>> {
    fn pickle_rows(&mut self, head: &[u8], block: &[u8], limit: usize, task: &mut Vec<u8>) -> Result<Read, Error> {
        self.inner.pickle_rows(head, block, limit, task)
    }

    fn map_pickles(&mut self, task: &[u8], reply: &mut Vec<u8>) -> Result<usize, Error> {
        let rows = self.inner.map_pickles(task, reply)?;
        self.take_turns(rows);
        Ok(rows)
    }

    fn unpickle_outputs(
        &mut self,
        reply: &[u8],
        task: &mut Task,
        room: &mut [u8],
        results: &mut Vec<u8>,
        reports: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.inner.unpickle_outputs(reply, task, room, results, reports)
    }
}
