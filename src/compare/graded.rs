//! Work with extra work for each row, to find out how much work pays for which executor.

use crate::compare::trial::Trial;
use crate::error::Error;
use crate::ring::Care;
use crate::steps::{Step, lap};
use crate::work::remote::{Failure, Remote};
use crate::work::{Mapped, Mapper, Work};
use std::hint::black_box;
use std::time::Instant;

/// Work that takes so many turns more for each row.
pub struct Graded<'w> {
    work: &'w dyn Work,
    turns: u64,
}

impl<'w> Graded<'w> {
    /// This work, as the trial has it.
    pub fn new(work: &'w dyn Work, trial: &Trial) -> Self {
        Graded { work, turns: trial.turns() }
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

/// Takes the turns for so many rows.
fn take_turns(turns: u64, rows: usize) {
    if turns > 0 {
        for _ in 0..rows {
            black_box(turn(turns));
        }
        lap(Step::Run);
    }
}

impl Work for Graded<'_> {
    fn mapper<'m>(&'m self, remote: Option<Remote<'m>>) -> Box<dyn Mapper + 'm> {
        // The turns are taken where the kernel runs.
        let turns = if remote.is_some() { 0 } else { self.turns };
        Box::new(GradedMapper { inner: self.work.mapper(remote), turns })
    }

    fn map_task(&self, task: &[u8]) -> Result<(Vec<u8>, usize), Error> {
        let (reply, rows) = self.work.map_task(task)?;
        take_turns(self.turns, rows);
        Ok((reply, rows))
    }
}

/// One worker's part of it.
struct GradedMapper<'m> {
    inner: Box<dyn Mapper + 'm>,
    turns: u64,
}

impl Mapper for GradedMapper<'_> {
    fn map_block(&mut self, head: &[u8], input: &[u8], room: &mut [u8], care: Care) -> Result<Mapped, Failure> {
        let mapped = self.inner.map_block(head, input, room, care)?;
        take_turns(self.turns, mapped.rows);
        Ok(mapped)
    }
}
