//! The policy on deaths: decides what is done when a worker process dies, and when the run is given up.
//! [`shared`](super::shared) carries out the decisions. `process/death.rs` says which deaths are faults.
//!
//! A **kill** is a death by a signal of the kind that other processes or the out-of-memory killer send, or a death of
//! which the cause is not known. The same rows can go well the next time. A **fault** is any other death: a crash, a
//! panic, `exit`, or being killed for holding a block longer than `--block-timeout`. A fault will most likely happen
//! again on the same rows. A worker that must take **care** takes one row at a time, records in the slot which row that
//! is, and hands over its results whenever it has worked for a millisecond.
//!
//! Deaths are counted for each **part** of a block: the rows that are left of it. As soon as the writer has taken
//! results of a part, the rest is another part, and its count begins at 0. The count also begins again at 0 when a row
//! is named. Therefore a row is never blamed for deaths over rows that are done.
//!
//! | a worker dies | so often | what is done |
//! |---|---|---|
//! | by a kill, over a part | fewer than [`MOST_KILLS`] times | the part is computed again, by whoever claims it |
//! | | the [`MOST_KILLS`]th time | the part is given up: the run ends at it, with the numbers of its lines |
//! | by a fault, over a part | fewer than [`MOST_FAULTS`] times | the part is computed again, with care |
//! | | the [`MOST_FAULTS`]th time | the row that the worker had recorded is named: it becomes a bad row, which no worker touches again |
//! | | [`MOST_FAULTS`] times more, over a part of which a row was named | the part is given up: leaving out that row did not help |
//! | | the [`MOST_FAULTS`]th time, and the worker had not recorded a row | the part is given up |
//! | over no part, and no worker has come up since the first of these deaths | as many times as there are workers, and then [`MOST_FAULTS`] times more by a fault, or [`MOST_KILLS`] times more by a kill and over at least [`PATIENCE`] |
//! the run ends |
//! | by a fault, over no part, while the block to be written next waits to be claimed | [`MOST_FAULTS`] times and for [`PATIENCE`] without any progress | the run ends |
//! | over no part, otherwise | | another worker is started in place of the dead one |
//!
//! | a worker that lives | what is done |
//! |---|---|
//! | holds a part for longer than `--block-timeout` | it is killed, which is a fault |
//! | makes an impossible claim: two parts at once, or under a number that no worker has | the run ends: the shared memory is spoilt |
//! | keeps the writer waiting for the same part, alone or in turn with other workers, for longer than all deaths allowed for a part could take with `--block-timeout` | the run ends: the shared memory is spoilt |
//!
//! In whatever order kills and faults come, a row is named if and only if workers die of it by a fault. This holds as
//! long as fewer than [`MOST_KILLS`] kills fall on one part. The tests below try random sequences of both.

use crate::ring::WAITS;
use crate::tally;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The number of faults over the same part after which a row is blamed: the row that the last worker had recorded.
pub const MOST_FAULTS: u32 = 3;

/// The number of kills over the same part after which the part is given up. The number is large because the
/// out-of-memory killer can strike several times before memory is free again.
pub const MOST_KILLS: u32 = 30;

/// Kills of workers that never came up, and faults of idle workers, end the run only after this long without progress.
/// The number of these deaths alone is not enough: on a busy machine kills can come faster than a worker can start.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What must be done with a part over which a worker has died.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The part is computed again.
    Again,
    /// The part is computed again with care, and without the row that was named before, if there is one. The number is
    /// where that row starts in the slot's input region, or in the window.
    Carefully(Option<usize>),
    /// A row is named: the one that starts at this byte of the slot's input region, or of the window. The part is
    /// computed again with care and without that row.
    Without(usize),
    /// The part is given up, after this number of deaths.
    GiveUp(u32),
}

/// The deaths over the current part of a block.
#[derive(Clone, Copy, Default)]
struct Account {
    /// Number of the part within its block: how many parts of the block had been written before it.
    part: u64,
    kills: u32,
    faults: u32,
    /// Number of deaths over this part before a row of it was named.
    before: u32,
    /// Whether a row of this part has been named.
    has_named: bool,
    /// Start of the row that was named last in this block, which workers are told to avoid. It is kept from part to
    /// part, because workers may come to this row only in a later part.
    avoided: Option<usize>,
}

/// All deaths that can still matter for a verdict.
#[derive(Default)]
pub struct Ledger {
    /// The deaths over the current part of each block, by block number.
    accounts: HashMap<u64, Account>,
    start: Start,
    /// The faults of workers that held no block although a block waited to be claimed. They are counted anew once
    /// another part is written. The values are the number of parts written when the count began, the number of faults
    /// since then, and the time of the first fault.
    idle: Option<(u64, u32, Instant)>,
}

/// Deaths of workers that held no block, since a worker last came up.
#[derive(Default)]
struct Start {
    /// How many workers had come up in all when the first of these deaths was recorded.
    came_up: u32,
    /// Number of all these deaths.
    deaths: u64,
    /// Number of kills and of faults among these deaths. The first deaths, one for each worker, are not counted;
    /// [`Ledger::is_hopeless_start`] explains why.
    kills: u32,
    faults: u32,
    /// When the first of these deaths happened.
    since: Option<Instant>,
}

impl Ledger {
    /// Records that a worker died while it worked on part `part` of `block`, and decides what to do. `row` is the start
    /// of the row that it had recorded, if any.
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
            // The row is not known, or naming a row has not helped.
            _ => account.given_up(),
        }
    }

    /// Forgets the deaths over blocks before `block`, because these blocks are written.
    pub fn forget_before(&mut self, block: u64) {
        self.accounts.retain(|&written, _| written >= block);
    }

    /// Records the death of a worker that held no block. `came_up` is how many workers have come up so far, and `jobs`
    /// how many there are at a time. Returns whether too many workers have died without coming up.
    ///
    /// The count begins anew whenever another worker has come up. The first `jobs` deaths prove nothing, because as
    /// many workers may have come up earlier and been idle. All later deaths are of workers that never came up.
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

    /// Records a fault of a worker that held no block while one was waiting to be claimed. `taken` is how many parts
    /// have been written. Returns whether there have been [`MOST_FAULTS`] such faults since the last of these parts,
    /// over a time of at least [`PATIENCE`]. Such a fault counts because a sound worker would have claimed the block.
    /// It counts even if the worker did claim the block, and put it back before dying.
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

/// A claim that the supervisor has read from the ring: the number of the block, the number of the worker, and the byte
/// of the slot's input region at which the claimed part begins. For a window there is no such byte:
/// [`Supervisor::claims`](crate::ring::Supervisor::claims) says what stands for it.
pub type SeenClaim = (u64, u32, usize);

/// When each claim was first seen, for as long as it lasts.
#[derive(Default)]
pub struct Claims {
    since: HashMap<SeenClaim, Instant>,
}

impl Claims {
    /// Records the claims that exist now. The numbers of all workers are below `workers`. Returns false if workers
    /// cannot have made these claims: the shared memory is then spoilt, and a block claimed by no real worker would
    /// never be done.
    #[must_use]
    pub fn look(&mut self, claims: &[SeenClaim], workers: u32, now: Instant) -> bool {
        self.since.retain(|claim, _| claims.contains(claim));
        let mut lasting: Vec<u32> = self.since.keys().map(|&(_, worker, _)| worker).collect();
        lasting.sort_unstable();
        // Count only claims that were also seen last time: while the claims were being read, a worker may have finished
        // one and made the next, so that both were seen.
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

    /// Returns the workers that have held the same part of a block for at least `most`. Removes their claims, so that
    /// each worker is returned once per claim. The next worker on the same part has the full time again.
    pub fn overdue(&mut self, most: Duration, now: Instant) -> Vec<u32> {
        let is_overdue = |since: &Instant| now.saturating_duration_since(*since) >= most;
        // A worker that waits for the turn of its window is not to blame: it waits for other workers.
        let overdue = self.since.extract_if(|&(_, _, start), since| start != WAITS && is_overdue(since));
        overdue.map(|((_, worker, _), _)| worker).collect()
    }
}

/// How many parts had been written when the writer began to wait for its current part, and when that was.
#[derive(Default)]
pub struct Standstill(Option<(u64, Instant)>);

impl Standstill {
    /// Returns whether the writer has waited too long for the same part. Only a limited number of deaths is allowed for
    /// a part, and before each of them a worker holds the part for at most the time `most`. The wait is too long if it
    /// is longer than all these times together. `taken` is how many parts have been written in all. `is_waited_for`
    /// says whether the writer waits for workers: the block to be written next waits to be claimed, or a worker holds
    /// it.
    pub fn is_too_long(&mut self, taken: u64, is_waited_for: bool, most: Duration, now: Instant) -> bool {
        let Some((_, since)) = self.0.filter(|&(before, _)| is_waited_for && before == taken) else {
            self.0 = Some((taken, now));
            return false;
        };
        // Both limits apply twice: to the deaths before a row of the part is named, and to the deaths after that.
        let deaths = 2 * MOST_FAULTS + 2 * MOST_KILLS;
        now.saturating_duration_since(since) >= most.saturating_mul(deaths).saturating_add(PATIENCE)
    }
}

/// A clock that stops while this process is stopped, for example by Ctrl-Z or by freezing its control group. The
/// workers are usually stopped together with this process, so this time must not count as time for which they held a
/// block.
pub struct Clock {
    last: Instant,
    still: Duration,
}

/// How much longer than requested a sleep can last on a busy machine although the process was not stopped.
const SLACK: Duration = Duration::from_millis(100);

impl Clock {
    /// Starts a clock at the current time.
    pub fn start() -> Self {
        Clock { last: Instant::now(), still: Duration::ZERO }
    }

    /// Returns the time on the clock. Since the last call, at most the time `most` should have passed. If it was more
    /// than `most` and [`SLACK`] together, the process was stopped, and all time beyond `most` is left out.
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
