//! A [`Work`] with an adjustable amount of extra work for each row. It shows how much work a row must have before an
//! executor is faster than one loop.

use crate::compare::trial::Trial;
use crate::error::Error;
use crate::ring::Care;
use crate::steps::{Step, lap};
use crate::work::remote::{Failure, Remote};
use crate::work::{Mapped, Mapper, Work};
use std::cell::Cell;
use std::hint::black_box;
use std::time::Instant;

/// A work that, for each row, also takes `turns` turns of a loop that uses processor time only.
pub struct Graded<'w> {
    work: &'w dyn Work,
    turns: u64,
}

impl<'w> Graded<'w> {
    /// Returns `work` with as many turns for each row as `trial` says.
    pub fn new(work: &'w dyn Work, trial: &Trial) -> Self {
        Graded { work, turns: trial.turns }
    }
}

/// Takes `turns` turns of a loop. Each turn needs the result of the turn before, so that a processor cannot compute
/// several at once.
fn turn(turns: u64) -> u64 {
    (0..turns).fold(1, |state: u64, turn| black_box(state.wrapping_mul(6364136223846793005).wrapping_add(turn)))
}

/// Measures how many turns of the loop fit into a microsecond on this machine, under its present load.
pub fn turns_a_microsecond() -> f64 {
    const TURNS: u64 = 2_000_000;
    let time = || {
        let start = Instant::now();
        black_box(turn(TURNS));
        start.elapsed().as_secs_f64() * 1e6
    };
    // The shortest of several times counts, because other load on the machine can only make a time longer.
    let best = (0..5).map(|_| time()).fold(f64::INFINITY, f64::min);
    TURNS as f64 / best
}

/// Takes `turns` turns for each of `rows` rows.
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
        // With a remote the kernel runs in another process, in `map_task`. So `map_task` takes the turns there, and the
        // mapper takes none.
        let turns = if remote.is_some() { 0 } else { self.turns };
        Box::new(GradedMapper { inner: self.work.mapper(remote), turns })
    }

    fn map_task(&self, task: &[u8]) -> Result<(Vec<u8>, usize), Error> {
        let (reply, rows) = self.work.map_task(task)?;
        take_turns(self.turns, rows);
        Ok((reply, rows))
    }

    fn takes_first_width(&self) -> bool {
        self.work.takes_first_width()
    }
}

/// The mapper of a worker. It calls the mapper of the inner work, and then does `turns` turns of a loop for each row
/// that was mapped.
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

    fn first_width(&self) -> Option<&Cell<Option<usize>>> {
        self.inner.first_width()
    }
}
