//! How a worker finds the rows of a window of a file: it reads the window, and waits for the window's turn
//! (`ring/chain.rs`), at which it learns where the rows begin.

use crate::input::windows::Windows;
use crate::ring::{Claim, Segment, Turn};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Before a worker sleeps, it checks this many times whether the turn of its window has come. All looks together take
/// about as long as another worker needs to read a window and find its last row.
const SPINS: u32 = 300;

/// Finds the rows of the claimed window, which has `length` bytes and begins at `offset` of the file; waits for the
/// window's turn if necessary. Returns the range of the buffer in which the rows are, and how long it waited. A window
/// without rows is made void. `None` instead of the rows: the worker must put the window back, because an earlier window
/// waits to be claimed, or because the run is over.
pub fn rows_of(
    segment: &Segment,
    claim: &mut Claim,
    windows: &mut Windows,
    (offset, length): (u64, usize),
    is_over: &impl Fn() -> bool,
) -> (Option<Range<usize>>, Duration) {
    windows.begin(offset, length);
    let (mut has_read, mut looks) = (false, 0);
    let mut waiting: Option<Instant> = None;
    let waited = |since: Option<Instant>| since.map_or(Duration::ZERO, |since| since.elapsed());
    loop {
        let count = segment.turns().count();
        match claim.turn() {
            Turn::Over(rows) => return (Some(rows), waited(waiting)),
            Turn::Void => {
                claim.make_void();
                return (Some(0..0), waited(waiting));
            }
            // Ignore an error here: once the window has its turn, what is missing is read again, and an error is
            // handled then.
            _ if !has_read => {
                let _ = windows.read();
                has_read = true;
            }
            Turn::Begins(start) => {
                let waited = waited(waiting);
                let end = windows.end_of_rows(start).ok().flatten();
                match end {
                    Some(end) => {
                        claim.pass_on(start..end, length);
                        segment.turns().announce(claim.block() + 1);
                    }
                    None => {
                        claim.stick(start);
                        segment.turns().repeat();
                        claim.make_void();
                    }
                }
                return (Some(end.map_or(0..0, |end| start..end)), waited);
            }
            Turn::Waits => {
                match looks {
                    0 => {
                        windows.guess();
                        waiting = Some(Instant::now());
                    }
                    1..SPINS => std::hint::spin_loop(),
                    _ => {
                        segment.turns().sleep(count, claim.block());
                        if claim.is_after_unclaimed() || is_over() {
                            return (None, waited(waiting));
                        }
                    }
                }
                looks += 1;
            }
        }
    }
}
