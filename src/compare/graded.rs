//! A kernel with extra work for each row, to find out how much work pays for which executor.

use crate::csv::Format;
use crate::csv::record::Record;
use crate::kernel::{Batch, BatchKernel, Written, Wrong};
use std::hint::black_box;
use std::ops::Range;
use std::time::Instant;

/// A kernel that also takes so many turns for each row.
pub struct Graded<'k, K> {
    /// The kernel.
    pub kernel: &'k K,
    /// Turns for each row.
    pub turns: u64,
}

/// Work that depends on itself, so that no processor does two turns at once.
fn work(turns: u64) -> u64 {
    (0..turns).fold(1, |state: u64, turn| black_box(state.wrapping_mul(6364136223846793005).wrapping_add(turn)))
}

/// How many turns take a microsecond here and now.
pub fn turns_a_microsecond() -> f64 {
    const TURNS: u64 = 2_000_000;
    let time = || {
        let start = Instant::now();
        black_box(work(TURNS));
        start.elapsed().as_secs_f64() * 1e6
    };
    // The least of some: what disturbs only ever adds.
    let best = (0..5).map(|_| time()).fold(f64::INFINITY, f64::min);
    TURNS as f64 / best
}

impl<K: BatchKernel> BatchKernel for Graded<'_, K> {
    type Rows = K::Rows;
    type Outputs = K::Outputs;

    fn fields(&self) -> Option<usize> {
        self.kernel.fields()
    }

    fn result_name(&self) -> &str {
        self.kernel.result_name()
    }

    fn needs_nothing(&self) -> bool {
        self.kernel.needs_nothing()
    }

    fn sample_row(&self, number: u64) -> Option<String> {
        self.kernel.sample_row(number)
    }

    fn read(&self, record: &Record, rows: &mut K::Rows) -> Result<(), Wrong> {
        self.kernel.read(record, rows)
    }

    fn try_read(&self, record: &Record, rows: &mut K::Rows) -> bool {
        self.kernel.try_read(record, rows)
    }

    fn read_plain(&self, text: &[u8], delimiter: u8, limit: usize, rows: &mut K::Rows) -> usize {
        self.kernel.read_plain(text, delimiter, limit, rows)
    }

    fn map_batch(&self, rows: &K::Rows, outputs: &mut K::Outputs) {
        self.kernel.map_batch(rows, outputs);
        if self.turns > 0 {
            for _ in 0..rows.len() {
                black_box(work(self.turns));
            }
        }
    }

    fn write(&self, outputs: &K::Outputs, range: Range<usize>, format: Format, room: &mut [u8]) -> Written {
        self.kernel.write(outputs, range, format, room)
    }
}
