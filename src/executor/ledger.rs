//! The policy on deaths: what is done when a worker process dies, and when the run is given up.
//! [`shared`](super::shared) carries it out. Which deaths are faults, `process/death.rs` says.
//!
//! A **kill** is a death by a signal that others send, or the out-of-memory killer. The killer may stop, so
//! the same rows may go well the next time. A **fault** is any other death: a crash, a panic, `exit`, a block held for longer than
//! `--block-timeout`. It will most likely happen again. A worker that is told to take **care** takes one row at a time, notes in the
//! slot which row that is, and hands over what it has done after a millisecond.
//!
//! Deaths are counted for each **part** of a block: the rows that are left of it. As soon as the writer has taken results of
//! a part, the rest is another part, and its count begins at nothing. When a row is named, the count begins anew too. So no row is
//! ever blamed for what happened over rows that are done.
//!
//! | a worker dies | so often | what is done |
//! |---|---|---|
//! | by a kill, over a part | fewer than [`MOST_KILLS`] times | the part is computed again, by whoever claims it |
//! | | the [`MOST_KILLS`]th time | the part is given up: the run ends at it, with the numbers of its lines |
//! | by a fault, over a part | fewer than [`MOST_FAULTS`] times | the part is computed again, with care |
//! | | the [`MOST_FAULTS`]th time | the row that it was at is named: a bad row, which no worker touches again |
//! | | as often again, over a part of which a row was named | the part is given up: leaving out that row did not help |
//! | | the [`MOST_FAULTS`]th time, and it never said at which row it was | the part is given up |
//! | over no part, before any worker came up since the last death | more often than there are workers, and then by [`MOST_FAULTS`] faults, or [`MOST_KILLS`] kills in [`PATIENCE`] | the run ends |
//! | by a fault, over no part, while the block that is to be written next waits | [`MOST_FAULTS`] times and for [`PATIENCE`] without any progress | the run ends |
//! | over no part, otherwise | | another takes its place |
//!
//! | a worker that lives | what is done |
//! |---|---|
//! | holds a part for longer than `--block-timeout` | it is killed, which is a fault |
//! | claims what no worker can have claimed: two parts at once, or under a number that no worker has | the run ends: the shared memory is spoilt |
//! | together with others keeps the writer waiting for the same part for longer than all these deaths could take | the run ends: the shared memory is spoilt |
//!
//! So kills and faults may come in any order and number: a row is named if and only if workers die of it by a fault, as long
//! as fewer than [`MOST_KILLS`] kills fall on one part. The tests below try random plans of both.

use crate::tally;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// After so many faults over the same part the row is blamed that the last worker was at.
pub const MOST_FAULTS: u32 = 3;

/// After so many kills over the same part it is given up. An out-of-memory killer may well strike several times before memory is
/// free again.
pub const MOST_KILLS: u32 = 30;

/// How long workers may die before one of them takes up work. On a busy machine kills can come quicker than a worker can start.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What is done with a part over which a worker has died.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is computed again.
    Again,
    /// It is computed again with care, and without the row named before, if there is one.
    Carefully(Option<usize>),
    /// The row that begins here in the input region is named, and the part computed again with care and without it.
    Without(usize),
    /// It is given up, after so many deaths.
    GiveUp(u32),
}

/// The deaths over a part.
#[derive(Clone, Copy, Default)]
struct Account {
    /// Which part this is: how many parts of the block had been written before.
    part: u64,
    kills: u32,
    faults: u32,
    /// Deaths over this part before a row of it was named.
    before: u32,
    /// Whether a row of this part was named.
    has_named: bool,
    /// The row of this block that was named last. Workers may still have to come by it.
    avoided: Option<usize>,
}

/// The deaths so far.
#[derive(Default)]
pub struct Ledger {
    /// By block.
    accounts: HashMap<u64, Account>,
    start: Start,
    /// How many parts had been written, how many workers that held nothing have died by a fault since then, and when the first
    /// of these died.
    idle: Option<(u64, u32, Instant)>,
}

/// Deaths of workers that held nothing.
#[derive(Default)]
struct Start {
    /// How many workers had come up when the last one died.
    came_up: u32,
    /// All deaths since that number changed; the kills and faults among those that count; and when the first of all was.
    deaths: u64,
    kills: u32,
    faults: u32,
    since: Option<Instant>,
}

impl Ledger {
    /// Enters a death over this part of the block, while the worker was at this row, if it had said so.
    pub fn over(&mut self, block: u64, part: u64, row: Option<usize>, is_fault: bool) -> Verdict {
        let account = self.accounts.entry(block).or_default();
        if account.part != part {
            *account = Account { part, avoided: account.avoided, ..Account::default() };
        }
        if !is_fault {
            account.kills += 1;
            return if account.kills < MOST_KILLS { Verdict::Again } else { account.given_up() };
        }
        account.faults += 1;
        if account.faults < MOST_FAULTS {
            return Verdict::Carefully(account.avoided);
        }
        match row {
            Some(row) if !account.has_named => {
                let before = account.kills + account.faults;
                *account = Account { part, before, has_named: true, avoided: Some(row), ..Account::default() };
                Verdict::Without(row)
            }
            // No row is known, or a row was named, and that did not help.
            _ => account.given_up(),
        }
    }

    /// Forgets the deaths over blocks before this one, which are written.
    pub fn forget_before(&mut self, block: u64) {
        self.accounts.retain(|&written, _| written >= block);
    }

    /// Whether this death, of a worker that held nothing, is one too many since a worker last came up. As many deaths as there are
    /// workers do not count: these workers may have been up and idle. Those that die after them never came up.
    pub fn is_hopeless_start(&mut self, came_up: u32, jobs: u64, is_fault: bool) -> bool {
        let start = &mut self.start;
        if came_up != start.came_up || start.deaths == 0 {
            *start = Start { came_up, since: Some(Instant::now()), ..Start::default() };
        }
        start.deaths += 1;
        if start.deaths <= jobs {
            return false;
        }
        *(if is_fault { &mut start.faults } else { &mut start.kills }) += 1;
        let is_long = start.since.is_some_and(|since| since.elapsed() >= PATIENCE);
        start.faults >= MOST_FAULTS || (start.kills >= MOST_KILLS && is_long)
    }

    /// Whether this fault, of a worker that held nothing while there was something to claim, is one too many since the last of
    /// `taken` parts was written. Sound workers would have claimed it; a worker gone mad may put it back before it dies.
    pub fn is_hopeless_idling(&mut self, taken: u64) -> bool {
        let begun = (taken, 0, Instant::now());
        let (_, faults, since) = self.idle.filter(|&(before, ..)| before == taken).unwrap_or(begun);
        self.idle = Some((taken, faults + 1, since));
        faults + 1 >= MOST_FAULTS && since.elapsed() >= PATIENCE
    }
}

impl Account {
    fn given_up(&self) -> Verdict {
        Verdict::GiveUp(self.before + self.kills + self.faults)
    }
}

/// A claim as the ring shows it: the block, its worker, and where the part that is claimed begins.
pub type SeenClaim = (u64, u32, usize);

/// Since when each worker has been seen to hold what it holds.
#[derive(Default)]
pub struct Claims {
    since: HashMap<SeenClaim, Instant>,
}

impl Claims {
    /// Takes note of the claims that there are now, of workers with numbers below `workers`. Answers whether workers can have made
    /// these claims: a block that is claimed by nobody would never be done.
    #[must_use]
    pub fn look(&mut self, claims: &[SeenClaim], workers: u32, now: Instant) -> bool {
        self.since.retain(|claim, _| claims.contains(claim));
        let mut lasting: Vec<u32> = self.since.keys().map(|&(_, worker, _)| worker).collect();
        lasting.sort_unstable();
        // Only claims that were seen before count: a worker may have finished one and made the next while we looked.
        let is_twice = lasting.windows(2).any(|pair| pair[0] == pair[1]);
        claims.iter().for_each(|&claim| {
            self.since.entry(claim).or_insert(now);
        });
        !is_twice && claims.iter().all(|&(_, worker, _)| worker < workers)
    }

    /// Forgets the claims of a worker that has died.
    pub fn forget(&mut self, dead: u32) {
        self.since.retain(|&(_, worker, _), _| worker != dead);
    }

    /// The workers that have held the same part of a block for as long as `most`. Each is named once: the next worker on that part
    /// has all the time again.
    pub fn overdue(&mut self, most: Duration, now: Instant) -> Vec<u32> {
        let overdue = self.since.extract_if(|_, since| now.saturating_duration_since(*since) >= most);
        overdue.map(|((_, worker, _), _)| worker).collect()
    }
}

/// Since when the writer has waited for the same part of a block, with work for workers to do.
#[derive(Default)]
pub struct Standstill(Option<(u64, Instant)>);

impl Standstill {
    /// Whether that has lasted for longer than all the deaths that a part may have could take, if each takes as long as `most`.
    /// `taken` is how many parts have been written in all.
    pub fn is_too_long(&mut self, taken: u64, is_waited_for: bool, most: Duration, now: Instant) -> bool {
        let Some((_, since)) = self.0.filter(|&(before, _)| is_waited_for && before == taken) else {
            self.0 = Some((taken, now));
            return false;
        };
        let deaths = 2 * MOST_FAULTS + 2 * MOST_KILLS;
        now.saturating_duration_since(since) >= most.saturating_mul(deaths).saturating_add(PATIENCE)
    }
}

/// A clock that stands still while this process does, as when it is stopped from a terminal or frozen: its workers are as a rule
/// stopped with it, and are not to be found overdue.
pub struct Clock {
    last: Instant,
    still: Duration,
}

/// How much later than asked a sleep may end on a busy machine.
const SLACK: Duration = Duration::from_millis(100);

impl Clock {
    /// A clock that runs from now on.
    pub fn start() -> Self {
        Clock { last: Instant::now(), still: Duration::ZERO }
    }

    /// What the clock shows. No more than `most` was meant to pass since it was last asked.
    pub fn tick(&mut self, most: Duration) -> Instant {
        let passed = tally::lap(&mut self.last);
        if passed > most + SLACK {
            self.still += passed - most;
        }
        self.last.checked_sub(self.still).unwrap_or(self.last)
    }
}

#[cfg(test)]
mod tests;
