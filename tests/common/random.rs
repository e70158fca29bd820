//! For tests with random rows.

use proptest::collection::vec;
use proptest::prelude::*;
use std::io::{self, Write};
use std::process::ChildStdin;
use std::thread;
use std::time::Duration;

/// A pattern of writes that is repeated: how many bytes each has, and whether there is a pause after it.
pub fn writes() -> impl Strategy<Value = Vec<(usize, bool)>> {
    let size = prop_oneof![1..=5usize, 1..=130usize, 100..=5000usize];
    vec((size, prop::bool::weighted(0.2)), 1..8)
}

pub fn dribble(bytes: &[u8], writes: &[(usize, bool)], pipe: &mut ChildStdin) -> io::Result<()> {
    let mut rest = bytes;
    // Enough pauses for every part of the program to fall asleep; more would only take time.
    let mut pauses = 20;
    for &(size, pause) in writes.iter().cycle() {
        let (now, later) = rest.split_at(size.min(rest.len()));
        pipe.write_all(now)?;
        if later.is_empty() {
            break;
        }
        rest = later;
        if pause && pauses > 0 {
            pauses -= 1;
            thread::sleep(Duration::from_micros(300));
        }
    }
    Ok(())
}

pub fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 1000, ..ProptestConfig::default() }
}
