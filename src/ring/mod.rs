//! The ring: blocks that one thread reads, many workers compute, and one thread writes out, in memory that processes may share.
//!
//! This folder knows nothing of the rest of the program, as if it were a crate of its own. It knows blocks as numbers and
//! bytes, never what the bytes mean.
//!
//! - `word` holds the two packed words of the claim protocol: a slot's state, and the counter that says which block to claim.
//! - `slots` is what lies in memory: the control words and the slots. Neither holds a pointer.
//! - `claim` is what workers do: they get a [`Claim`] for each block that they hold.
//! - `ends` is what the parent does: a [`Reader`], a [`Writer`] and a [`Supervisor`], of which there is one each.
//! - `bytes` lends the bytes of a slot to whoever holds such a handle. Nobody else can touch them.
//! - `segment` is the mapping that all of this lies in.
//! - `event` is how one side waits for another. A wake-up is a hint, never the truth: whoever wakes looks at the slots again.
//!
//! No operation on the ring waits: each is a `try_…` that answers at once. So `claim` and `ends` run the same in shared memory,
//! in one process's own memory and under the model checker (`tests/loom.rs`), which brings its own atomics and a segment
//! without bytes.
//!
//! **The promise.** When a worker has a claim, all that the reader wrote before it published the block is visible to it;
//! when the writer has taken a block, all that the claimant wrote before it finished is visible to the writer; when the
//! reader has a slot to fill, the writer is done with what was there. Each part of a block that is published is taken exactly
//! once with its results, whichever workers are killed at whichever instruction, as long as the supervisor recovers what each
//! of the dead held, and one worker is left.
//!
//! Each hand-over is a release store of the slot's word and an acquire load of it. The counter carries no data.
//!
//! **Who is trusted.** The parent keeps its own count of blocks and of what is left of each. It takes nothing else from a slot
//! than what it has checked against that: a word that no honest worker leaves behind, or more results than there is room for,
//! are [`Spoilt`]. What the measures of a block mean, and whether they can be true, is for the caller to decide.
//! `tests/hostile.rs` and the fuzz target `segment` write over all of it.

#[cfg(not(loom))]
mod bytes;
mod claim;
mod ends;
#[cfg(not(loom))]
mod event;
#[cfg(not(loom))]
mod segment;
#[cfg(loom)]
#[path = "../../tests/loom/segment.rs"]
mod segment;
mod slots;
#[cfg(loom)]
#[path = "../../tests/loom/atomics.rs"]
pub mod sync;
pub mod word;

#[cfg(not(loom))]
use std::sync::atomic as sync;

#[allow(unused_imports)] // Callers may want to name any of these types.
pub use claim::Claim;
#[allow(unused_imports)]
pub use ends::{Ends, Held, Reader, Supervisor, Taken, Writer};
#[cfg(not(loom))]
pub use event::ROUND;
pub use segment::Segment;
#[cfg(not(loom))]
pub use segment::{Bound, SegmentError};
#[allow(unused_imports)]
pub use slots::{Care, MEASURES, Outcome, Place, Sizes, Spoilt};
