//! The ring: blocks that are read by one, computed by many, and written by one, in memory that processes may share.
//!
//! This folder knows nothing of the rest of the program, as if it were a crate of its own. It knows blocks as numbers and
//! bytes, never what the bytes mean.
//!
//! - `slots` is what lies in memory, `word` a slot's one truth, and `protocol` a function for each change of it. None holds a
//!   pointer or waits, since every operation is a `try_…` that answers at once. So the same code runs in the shared segment, in
//!   one process's memory and under the model checker (`tests/loom.rs`).
//! - `segment` is the mapping that the slots and their bytes lie in.
//! - `ends` are the safe handles: a [`Reader`], a [`Writer`] and a [`Supervisor`] for the parent, of which there is one each,
//!   and a [`Claim`] for each block that a worker holds. Whoever has none of these cannot touch a slot's bytes.
//! - `event` is how one waits for another. Waking is a hint, never the truth: whoever wakes looks at the slots again.
//!
//! **The promise.** When a worker has a claim, all that the reader wrote before it published the block is visible to it;
//! when the writer has taken a block, all that the claimant wrote before it finished is visible to the writer; when the
//! reader has a slot to fill, the writer is done with what was there. Each part of a block that is published is taken exactly
//! once with its results, whichever workers are killed at whichever instruction, as long as the supervisor recovers what each
//! of the dead held, and one worker is left.
//!
//! Each hand-over is a release store of the slot's word and an acquire load of it. The counter carries no data.
//!
//! **Who is trusted.** The parent keeps its own count of blocks and of what is left of each, and takes nothing else from
//! a slot than what it has checked against that: a word that no honest worker leaves behind, or more results than there is room
//! for, are [`Spoilt`]. What the measures of a block mean, and whether they can be true, is for the caller to say.

#[cfg(not(loom))]
mod ends;
#[cfg(not(loom))]
mod event;
mod protocol;
#[cfg(not(loom))]
mod segment;
mod slots;
pub mod sync;
pub mod word;

#[cfg(not(loom))]
#[allow(unused_imports)] // what others are handed, whether or not they name it
pub use ends::{Claim, Ends, Held, Reader, Supervisor, Taken, Writer};
#[cfg(not(loom))]
pub use event::ROUND;
#[cfg(loom)]
pub use protocol::{Claim, Ring};
#[cfg(not(loom))]
pub use segment::{Bound, Segment, SegmentError, Sizes};
#[cfg(not(loom))]
pub use slots::{Care, MEASURES, Outcome, Place, Spoilt};
#[cfg(loom)]
pub use slots::{Control, Outcome, Place, Slot};
