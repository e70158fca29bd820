//! A kernel with extra work for each row, to find out how much work pays for which executor.

use crate::kernel::{Decoded, Encoded, Kernel};
use std::hint::black_box;
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

impl<K: Kernel> Kernel for Graded<'_, K> {
    type Row = K::Row;
    type Output = K::Output;

    fn map(&self, row: &K::Row) -> K::Output {
        black_box(work(self.turns));
        self.kernel.map(row)
    }

    fn map_rows(&self, rows: &[K::Row], outputs: &mut Vec<K::Output>) {
        self.kernel.map_rows(rows, outputs);
        if self.turns > 0 {
            for _ in rows {
                black_box(work(self.turns));
            }
        }
    }

    fn decode(&self, text: &[u8], limit: usize, rows: &mut Vec<K::Row>) -> Decoded {
        self.kernel.decode(text, limit, rows)
    }

    fn encode(&self, outputs: &[K::Output], room: &mut [u8]) -> Encoded {
        self.kernel.encode(outputs, room)
    }
}
