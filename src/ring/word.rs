//! The two packed words on which the claim protocol stands. Every change of state is a function here.

/// Bits for a block's number: 2^44 blocks last for half a year at a million blocks a second.
const BLOCK_BITS: u32 = 44;
const WORKER_BITS: u32 = 18;
const BLOCK_MASK: u64 = (1 << BLOCK_BITS) - 1;
const WORKER_MASK: u64 = (1 << WORKER_BITS) - 1;

/// All workers have numbers below this.
pub const MAX_WORKERS: u32 = 1 << WORKER_BITS;

/// Where a slot stands in `Free → Filled → Claimed → Done → Free`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// The slot waits for the reader to fill it with the block that the word names.
    Free = 0,
    /// The slot holds the block's input, and any worker may claim it.
    Filled = 1,
    /// The worker that the word names computes the block.
    Claimed = 2,
    /// The slot holds the block's results.
    Done = 3,
}

/// A slot's one truth: state, block and worker in one atomic word, so that there is no moment at which a claim belongs
/// to nobody. From the lowest bit: 2 of state, 18 of worker, 44 of block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word(pub u64);

impl Word {
    fn new(state: State, block: u64, worker: u32) -> Self {
        debug_assert!(block <= BLOCK_MASK && worker < MAX_WORKERS);
        Word(block << (WORKER_BITS + 2) | u64::from(worker) << 2 | state as u64)
    }
    pub fn free(block: u64) -> Self {
        Self::new(State::Free, block, 0)
    }
    pub fn filled(block: u64) -> Self {
        Self::new(State::Filled, block, 0)
    }
    pub fn claimed(block: u64, worker: u32) -> Self {
        Self::new(State::Claimed, block, worker)
    }
    pub fn done(block: u64) -> Self {
        Self::new(State::Done, block, 0)
    }
    pub fn state(self) -> State {
        match self.0 & 3 {
            0 => State::Free,
            1 => State::Filled,
            2 => State::Claimed,
            _ => State::Done,
        }
    }
    pub fn worker(self) -> u32 {
        (self.0 >> 2 & WORKER_MASK) as u32
    }
    pub fn block(self) -> u64 {
        self.0 >> (WORKER_BITS + 2)
    }
    /// Whether the slot is still to be filled with this block: it waits for it, or holds an earlier one.
    pub fn is_before(self, block: u64) -> bool {
        self.block() < block || self == Word::free(block)
    }
    /// Whether the slot holds this block, in one of the states that an honest worker leaves.
    pub fn is_in_use_by(self, block: u64) -> bool {
        let is_sound = self.state() == State::Claimed || self.worker() == 0;
        self.block() == block && self.state() != State::Free && is_sound
    }
}

/// The claim counter: the block to look at next, and an epoch that changes whenever the counter is lowered.
///
/// Without the epoch a block could be lost: a worker sees block 5 claimed and is about to move the counter from 5 to 6;
/// the claimant dies, block 5 is put back and the counter lowered to 5; now the worker's exchange would succeed, and
/// nobody would ever look at block 5 again. `tests/loom.rs` finds this when the epoch is taken out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counter(pub u64);

impl Counter {
    pub fn block(self) -> u64 {
        self.0 & BLOCK_MASK
    }
    /// The counter at the next block.
    pub fn advanced(self) -> Self {
        debug_assert!(self.block() < BLOCK_MASK);
        Counter(self.0 + 1)
    }
    /// The counter at `block`, or below if it is there already, in the next epoch. Epochs wrap after 2^20.
    pub fn lowered(self, block: u64) -> Self {
        let epoch = (self.0 >> BLOCK_BITS).wrapping_add(1);
        Counter(epoch << BLOCK_BITS | self.block().min(block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_gives_back_what_was_put_in() {
        for block in [0, 1, 1 << 20, BLOCK_MASK] {
            for worker in [0, 1, MAX_WORKERS - 1] {
                let word = Word::claimed(block, worker);
                assert_eq!((word.state(), word.block(), word.worker()), (State::Claimed, block, worker));
            }
            for (word, state) in [
                (Word::free(block), State::Free),
                (Word::filled(block), State::Filled),
                (Word::done(block), State::Done),
            ] {
                assert_eq!((word.state(), word.block(), word.worker()), (state, block, 0));
            }
        }
    }

    #[test]
    fn lowering_always_changes_the_epoch() {
        let counter = Counter(7);
        assert_eq!(counter.advanced().block(), 8);
        assert_eq!(counter.lowered(3).block(), 3);
        assert_eq!(counter.lowered(9).block(), 7);
        assert_ne!(counter.lowered(7), counter);
        let last = Counter(u64::MAX << BLOCK_BITS | 7);
        assert_eq!(last.lowered(9), Counter(7));
    }
}
