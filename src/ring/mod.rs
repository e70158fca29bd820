//! The ring: blocks that one thread reads, many workers compute, and one thread writes out, in memory that processes
//! can share.
//!
//! This folder uses no other code of the program, as if it were a crate of its own. It handles blocks as numbers and
//! bytes and never interprets the bytes.
//!
//! - `word` packs and unpacks the two words of the claim protocol: a slot's state, and the counter that says which
//!   block to claim.
//! - `slots` defines the control words and the slots, which lie in the segment. They contain no pointers, because each
//!   process maps the segment at another address.
//! - `claim` has the operations of workers: a worker gets a [`Claim`] for each block that it holds.
//! - `chain` says where in a file the rows of each block begin, if workers read the file for themselves.
//! - `ends` has the operations of the parent: one [`Reader`], one [`Writer`] and one [`Supervisor`] for each ring.
//! - `bytes` gives access to the bytes of a slot, only through a handle such as a [`Claim`], which shows that its owner
//!   may use them.
//! - `segment` maps the memory in which the control words, the slots and their bytes lie.
//! - `event` lets one thread or process sleep until another wakes it. A wake-up is only a hint, so whoever is woken
//!   looks at the slots again.
//!
//! No operation on the ring waits. An operation that cannot succeed yet (`try_…`) returns at once and says so.
//! Therefore the same code of `claim` and `ends` runs in shared memory, in one process's own memory, and under the
//! model checker (`tests/loom/`), which replaces the atomics by loom's and the segment by one without bytes.
//!
//! **The promise.** A worker that has a claim sees all that the reader wrote before it published the block. A writer
//! that has taken a block sees all that the claimant wrote before it finished. When the reader has a slot to fill, the
//! writer no longer uses what was in the slot. The writer takes each part of a published block exactly once, with its
//! results, whichever workers are killed at whichever instruction. The condition is that the supervisor puts back the
//! blocks that dead workers held, and that one worker is left.
//!
//! A slot's bytes are handed over by a release store of the slot's word and an acquire load of that word. Two kinds of
//! bytes are handed over while the block stays claimed, each by a field of the slot: results that are offered early
//! (`offered`), and an error message (`last_words`). The counter orders no bytes: it only says where to look for work.
//!
//! **Who is trusted.** The parent trusts no worker. It keeps its own count of blocks and of the bytes left of each, and
//! checks what it reads from a slot against these counts. Its operations return [`Spoilt`] if a slot's word is one that
//! no correct worker leaves, or if the slot announces more results than its result region can hold. With a block a
//! claimant also hands over numbers, its measures. The caller checks whether they are possible. `tests/hostile.rs` and
//! the fuzz target `segment` test this: they overwrite all memory of the ring.

#[cfg(not(loom))]
mod bytes;
mod chain;
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

#[allow(unused_imports)]
pub use chain::{Reached, Turn};
#[allow(unused_imports)] // Callers might want to name any of these types.
pub use claim::Claim;
#[allow(unused_imports)]
pub use ends::{Ends, Filling, Held, Reader, Supervisor, Taken, WAITS, Writer};
#[cfg(not(loom))]
pub use event::ROUND;
pub use segment::Segment;
#[cfg(not(loom))]
pub use segment::{Bound, SegmentError};
#[allow(unused_imports)]
pub use slots::{Care, MEASURES, Outcome, Place, Sizes, Spoilt};
