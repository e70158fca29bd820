use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A block as the ring keeps it. Here each row is one byte.
#[derive(Clone, Default)]
struct Block {
    start: usize,
    has_care: bool,
    avoided: Option<usize>,
    /// End of the part that a worker has done and the writer has not taken.
    done: Option<usize>,
    parts: u64,
    /// Number of kills over the current part.
    kills: u32,
}

/// Random numbers from a seed, which decide what happens to the next worker.
struct Fate(u64);

impl Fate {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % bound
    }
}

/// Runs blocks through the policy. Some of their rows are deadly, and workers are killed at random. Returns the rows
/// that were named, in input order, or an error if a block was given up.
fn named(rows: &[Vec<bool>], mut fate: Fate, kill_one_in: usize) -> Result<Vec<(usize, usize)>, String> {
    let mut ledger = Ledger::default();
    let mut blocks = vec![Block::default(); rows.len()];
    let mut named = vec![];
    let mut written = 0;
    while written < rows.len() {
        // The writer takes the part that is done, but not always at once.
        if let Some(end) = blocks[written].done.filter(|_| fate.below(3) > 0) {
            let block = &mut blocks[written];
            (block.start, block.done, block.kills) = (end, None, 0);
            block.parts += 1;
            if end == rows[written].len() {
                written += 1;
                ledger.forget_before(written as u64);
            }
            continue;
        }
        // A worker claims one of the blocks that wait for a worker.
        let waiting: Vec<usize> = (written..rows.len()).filter(|&at| blocks[at].done.is_none()).collect();
        let Some(&number) = waiting.get(fate.below(waiting.len().max(1))) else { continue };
        let block = &mut blocks[number];
        let all = &rows[number];
        // With care a worker hands over its results after a random number of rows.
        let end = if block.has_care { all.len().min(block.start + 1 + fate.below(4)) } else { all.len() };
        let first_bad = (block.start..end).find(|&at| all[at] && block.avoided != Some(at));
        let end = match block.avoided.filter(|avoided| (block.start..end).contains(avoided)) {
            // The worker reports the avoided row as a bad row, and hands over the part that ends with it.
            Some(avoided) if first_bad.is_none_or(|bad| bad > avoided) => avoided + 1,
            _ => end,
        };
        let first_bad = first_bad.filter(|&bad| bad < end);
        let killed_at = block.start + fate.below(8);
        let is_killed =
            block.kills < MOST_KILLS - 1 && fate.below(kill_one_in) == 0 && killed_at < first_bad.unwrap_or(end);
        let (at, is_fault) = match first_bad {
            _ if is_killed => (killed_at, false),
            Some(bad) => (bad, true),
            None => {
                if let Some(avoided) = block.avoided.filter(|&avoided| avoided + 1 == end) {
                    named.push((number, avoided));
                }
                block.done = Some(end);
                continue;
            }
        };
        block.kills += u32::from(is_killed);
        let part = if number == written { block.parts } else { 0 };
        match ledger.over(number as u64, part, Some(at).filter(|_| block.has_care), is_fault) {
            Verdict::Again => {}
            Verdict::Carefully(avoided) => (block.has_care, block.avoided) = (true, avoided),
            Verdict::Without(row) => (block.has_care, block.avoided) = (true, Some(row)),
            Verdict::GiveUp(deaths) => return Err(format!("block {number} is given up after {deaths} deaths")),
        }
    }
    named.sort_unstable();
    Ok(named)
}

proptest! {
    #[test]
    fn the_rows_that_are_named_are_those_that_workers_die_of_by_a_fault(
        rows in vec(vec(prop::bool::weighted(0.2), 1..40), 1..8),
        seed in any::<u64>(),
        kill_one_in in 1..4usize,
    ) {
        let deadly: Vec<_> = rows.iter().enumerate().flat_map(|(block, rows)| {
            rows.iter().enumerate().filter(|&(_, &is_deadly)| is_deadly).map(move |(row, _)| (block, row))
        }).collect();
        prop_assert_eq!(named(&rows, Fate(seed), kill_one_in), Ok(deadly));
    }
}

#[test]
fn a_part_is_given_up_after_kills_and_no_row_is_blamed_for_them() {
    let mut ledger = Ledger::default();
    for death in 1..MOST_KILLS {
        let row = Some(7);
        let verdict = ledger.over(0, 0, row, false);
        assert_eq!(verdict, Verdict::Again, "{death}");
    }
    assert_eq!(ledger.over(0, 0, None, true), Verdict::Carefully(None));
    assert_eq!(ledger.over(0, 0, Some(9), false), Verdict::GiveUp(MOST_KILLS + 1));
    assert_eq!(ledger.over(0, 1, Some(9), false), Verdict::Again, "another part has an account of its own");
}

#[test]
fn a_row_that_was_named_in_vain_ends_the_run_and_one_that_is_unknown_too() {
    let mut ledger = Ledger::default();
    let mut faults = |row| [(); 3].map(|()| ledger.over(5, 0, row, true));
    assert_eq!(faults(Some(3)), [Verdict::Carefully(None), Verdict::Carefully(None), Verdict::Without(3)]);
    assert_eq!(faults(Some(4)), [Verdict::Carefully(Some(3)), Verdict::Carefully(Some(3)), Verdict::GiveUp(6)]);
    ledger.over(6, 0, None, true);
    ledger.over(6, 0, None, true);
    assert_eq!(ledger.over(6, 0, None, true), Verdict::GiveUp(3));
    let avoided: BTreeSet<_> = ledger.accounts.keys().copied().collect();
    ledger.forget_before(6);
    assert_eq!((avoided, ledger.accounts.len()), (BTreeSet::from([5, 6]), 1));
}

#[test]
fn workers_that_never_come_up_end_the_run_at_the_third_fault_beyond_their_number() {
    let mut ledger = Ledger::default();
    let mut is_hopeless = |came_up, is_fault| ledger.is_hopeless_start(came_up, 2, is_fault);
    assert_eq!([true; 5].map(|fault| is_hopeless(0, fault)), [false, false, false, false, true]);
    assert!(!is_hopeless(1, true), "one has come up");
    assert!(!(0..100).any(|_| is_hopeless(1, false)), "kills are borne for a while");
}

#[test]
fn claims_that_no_worker_can_have_made_are_noticed_and_overdue_ones_are_named_once() {
    let start = Instant::now();
    let later = start + Duration::from_secs(1);
    let mut claims = Claims::default();
    assert!(claims.look(&[(0, 0, 0), (1, 1, 0)], 2, start));
    assert!(claims.overdue(Duration::from_secs(2), later).is_empty());
    // Worker 0 seems to hold two parts, which is allowed once: the second claim is new, and the first may have been
    // finished since it was looked at.
    assert!(claims.look(&[(0, 0, 0), (2, 0, 0)], 2, later));
    assert_eq!(claims.overdue(Duration::from_secs(1), later), [0]);
    assert!(claims.overdue(Duration::from_secs(1), later).is_empty());
    assert!(claims.look(&[(2, 0, 0), (3, 0, 0)], 2, later));
    assert!(!claims.look(&[(2, 0, 0), (3, 0, 0)], 2, later), "one worker holds two parts");
    claims.forget(0);
    assert!(claims.look(&[(4, 1, 0)], 2, later) && !claims.look(&[(4, 2, 0)], 2, later), "there is no worker 2");
}

#[test]
fn a_standstill_is_one_without_progress_and_with_work_to_do() {
    let start = Instant::now();
    let most = Duration::from_millis(10);
    let late = start + PATIENCE + most * (2 * MOST_FAULTS + 2 * MOST_KILLS);
    let mut standstill = Standstill::default();
    assert!(!standstill.is_too_long(7, true, most, start));
    assert!(!standstill.is_too_long(7, true, most, late - most));
    assert!(standstill.is_too_long(7, true, most, late));
    assert!(!standstill.is_too_long(8, true, most, late), "a part was taken");
    assert!(!standstill.is_too_long(8, false, most, late), "nobody has work to do");
}
