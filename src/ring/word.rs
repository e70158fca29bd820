//! The two packed words of the claim protocol: [`Word`], of which each slot has one, and [`Counter`]. Every new value
//! of either word is made by a function of this file.

/// Bits for the number of a block. At a million blocks a second, 2^44 numbers last for half a year.
const BLOCK_BITS: u32 = 44;
const WORKER_BITS: u32 = 18;
const BLOCK_MASK: u64 = (1 << BLOCK_BITS) - 1;
const WORKER_MASK: u64 = (1 << WORKER_BITS) - 1;

/// Upper bound (exclusive) of worker numbers: a [`Word`] has `WORKER_BITS` bits for a worker's number.
pub const MAX_WORKERS: u32 = 1 << WORKER_BITS;

/// State of a slot. A slot goes through the states in the order `Free → Filled → Claimed → Done → Free`. It goes back
/// to `Filled` from `Claimed` if the worker dies or puts the block back, and from `Done` if rows are left of the block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// The slot is free: the reader may fill it with the block that the word names.
    Free = 0,
    /// The slot holds the block's input, and any worker may claim it.
    Filled = 1,
    /// The worker that the word names is computing the block.
    Claimed = 2,
    /// The slot holds the block's results.
    Done = 3,
}

/// State, block and worker of a slot, packed into one word so that all three change in one atomic step: a claimed block
/// always names its worker. From the lowest bit: 2 bits of state, 18 of worker, 44 of block.
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
    /// Whether the slot has not been filled with `block` yet: it is free for `block`, or still has an earlier block.
    pub fn is_before(self, block: u64) -> bool {
        self.block() < block || self == Word::free(block)
    }
    /// Whether a worker has claimed `block` and has not finished it.
    pub fn is_claim_on(self, block: u64) -> bool {
        self.state() == State::Claimed && self.block() == block
    }
    /// Whether the word is well formed and says that the slot holds `block`: filled, claimed or done. A claim is always
    /// well formed. Any other word is well formed if the worker's number in it is 0. The parent and correct workers
    /// write only well-formed words.
    pub fn is_in_use_by(self, block: u64) -> bool {
        let is_sound = self.state() == State::Claimed || self.worker() == 0;
        self.block() == block && self.state() != State::Free && is_sound
    }
}

/// The claim counter: the number of the next block to look at (low 44 bits), and an epoch (high 20 bits). The epoch
/// changes whenever a block is put back.
///
/// Without the epoch a block could be lost. Suppose that the counter is at 5, and a worker sees that block 5 is claimed
/// and is about to move the counter to 6. Then the claimant dies, and the supervisor puts block 5 back. The counter
/// need not be lowered, because it is still at 5. But the worker's compare-and-exchange from 5 to 6 would now succeed,
/// and no worker would ever look at block 5 again. `tests/loom/` finds this error if the epoch is removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counter(pub u64);

impl Counter {
    pub fn block(self) -> u64 {
        self.0 & BLOCK_MASK
    }
    /// Returns the counter with the next block's number and the same epoch.
    pub fn advanced(self) -> Self {
        debug_assert!(self.block() < BLOCK_MASK);
        Counter(self.0 + 1)
    }
    /// Returns a counter in the next epoch, at `block` or at the present block, whichever is less. The epoch wraps
    /// around after 2^20 changes.
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
