//! Decides which rows are tried next if a process that maps rows (a command, or Python) has died over some rows, or has
//! not answered with one line for each row.
//!
//! A *fault* is a death by the process's own doing, so one row might be to blame. To find that row, the first half of
//! the rows is sent, then the first half of that half, and so on. If a half goes well, the row is in the other half,
//! which is halved next. So n rows take about log2(n) tries. A *kill* is a death by a signal that other processes send.
//! Usually it says nothing about the rows. But a row may need more memory than there is, so that the process is killed
//! again and again. Therefore kills lead to a search too, and to a name only after many kills over one row.
//!
//! | what happens | so often | what is done |
//! |---|---|---|
//! | a death by a fault, over several rows | | half of them are tried |
//! | a death by a fault, over one row | fewer than [`MOST_FAULTS`] times | the row is tried again |
//! | | the [`MOST_FAULTS`]th time | the row is named: a bad row |
//! | a death by a kill, over several rows | fewer than [`MOST_KILLS_OF_MANY`] times | the same rows are tried again |
//! | | the [`MOST_KILLS_OF_MANY`]th time | half of them are tried |
//! | a death by a kill, over one row | fewer than [`MOST_KILLS`] times | the row is tried again |
//! | | the [`MOST_KILLS`]th time | the row is named |
//! | more or fewer lines than rows, over several | | half of them are tried, to find the row |
//! | more or fewer lines for one row, or for several although each half had the right number | | the run ends |

use std::ops::Range;

/// How many faults over one row it takes to blame the row.
const MOST_FAULTS: u32 = 3;
/// How many kills over one row it takes to blame the row.
const MOST_KILLS: u32 = 30;
/// After this many kills over the same rows, only half of them are tried. The number is small, because trying a half
/// costs little and blames no row yet.
const MOST_KILLS_OF_MANY: u32 = 2;

/// The decision on what to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Send the part that [`Search::part`] returns.
    Goes,
    /// The first row of the part is to blame. The string is the message.
    Names(String),
    /// The run ends at the row with this number. The string is the message. Answers to rows from there on do not count.
    Ends(usize, String),
}

/// The search through the rows of a block.
pub struct Search {
    /// What messages call the process that dies.
    who: &'static str,
    count: usize,
    /// The rows that are sent.
    part: Range<usize>,
    /// During a search, the row that is searched for has a lower number than this. Otherwise this number is at most
    /// `part.start`.
    suspect: usize,
    faults: u32,
    kills: u32,
    /// Number of deaths since the last search ended.
    deaths: u32,
    /// The first part that had more or fewer lines than rows: the number of its first row, and the message.
    mismatch: Option<(usize, String)>,
}

impl Search {
    /// Begins a search through `count` rows. `who` is what messages call the process that dies.
    pub fn new(count: usize, who: &'static str) -> Self {
        Search { who, count, part: 0..count, suspect: 0, faults: 0, kills: 0, deaths: 0, mismatch: None }
    }

    /// Returns the rows to send, or `None` if all are answered.
    pub fn part(&self) -> Option<Range<usize>> {
        (self.part.start < self.count).then(|| self.part.clone())
    }

    /// Whether the last death was the first one of a search.
    pub fn is_first(&self) -> bool {
        self.deaths == 1
    }

    /// Records that the process answered the part.
    pub fn answered(&mut self) -> Next {
        let start = self.part.end;
        (self.faults, self.kills) = (0, 0);
        if start < self.suspect {
            self.part = start..start + (self.suspect - start).div_ceil(2);
            return Next::Goes;
        }
        self.deaths = 0;
        self.part = start..self.count;
        match self.mismatch.take() {
            // Each half was answered with as many lines as rows, but both halves together were not. So it is not known
            // which line belongs to which row.
            Some((start, what)) => Next::Ends(start, what),
            None => Next::Goes,
        }
    }

    /// Records that the process died over the part. `cause` is the predicate of a sentence.
    pub fn died(&mut self, cause: String, is_fault: bool) -> Next {
        self.deaths += 1;
        let who = self.who;
        let names = || Next::Names(format!("{who} keeps dying on this row: the last one {cause}"));
        if !is_fault {
            self.kills += 1;
            let is_halved = self.kills >= MOST_KILLS_OF_MANY && self.halve();
            return if !is_halved && self.kills >= MOST_KILLS { names() } else { Next::Goes };
        }
        if self.halve() {
            return Next::Goes;
        }
        self.faults += 1;
        match self.faults {
            MOST_FAULTS.. => names(),
            _ => Next::Goes,
        }
    }

    /// Records that the process answered the part with more or fewer lines than rows. `what` is the message.
    pub fn mismatched(&mut self, what: String) -> Next {
        let start = self.part.start;
        if !self.halve() {
            return Next::Ends(start, what);
        }
        self.mismatch.get_or_insert((start, what));
        Next::Goes
    }

    /// Cuts the part to its first half. If it has only one row, leaves it unchanged and returns false.
    fn halve(&mut self) -> bool {
        (self.faults, self.kills) = if self.part.len() > 1 { (0, 0) } else { (self.faults, self.kills) };
        if self.part.len() < 2 {
            return false;
        }
        self.suspect = self.part.end;
        self.part.end = self.part.start + self.part.len() / 2;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a search through `count` rows; `is_fatal` tells which are fatal. Returns the row that was found, or `count`
    /// if none was; the last decision; and the number of tries.
    fn search(count: usize, is_fatal: impl Fn(usize) -> bool) -> (usize, Next, usize) {
        let mut search = Search::new(count, "it");
        for tries in 1.. {
            let Some(part) = search.part() else { return (count, Next::Goes, tries - 1) };
            let next = if part.clone().any(&is_fatal) { search.died(String::new(), true) } else { search.answered() };
            if next != Next::Goes {
                return (part.start, next, tries);
            }
        }
        unreachable!()
    }

    #[test]
    fn the_row_is_found_by_halves() {
        for count in [1, 2, 3, 1000] {
            for fatal in [0, count / 3, count - 1] {
                let (at, next, tries) = search(count, |row| row == fatal);
                assert!(at == fatal && matches!(next, Next::Names(_)), "{count} {fatal}");
                assert!(tries <= 2 * count.ilog2() as usize + 4, "{count} {fatal}: {tries}");
            }
        }
        assert_eq!(search(1000, |_| false), (1000, Next::Goes, 1));
    }

    #[test]
    fn a_death_that_does_not_come_again_names_nobody() {
        let mut search = Search::new(8, "it");
        assert_eq!(search.died(String::new(), true), Next::Goes);
        let mut tried = vec![];
        while let Some(part) = search.part() {
            tried.push(part);
            assert_eq!(search.answered(), Next::Goes);
        }
        assert_eq!(tried, [0..4, 4..6, 6..7, 7..8]);
        let mut search = Search::new(8, "it");
        assert_eq!((search.died(String::new(), false), search.part()), (Next::Goes, Some(0..8)));
        assert_eq!((search.answered(), search.part()), (Next::Goes, None));
    }

    #[test]
    fn kills_blame_a_row_in_the_end() {
        let mut search = Search::new(8, "it");
        let mut tries = 0;
        let next = loop {
            let part = search.part().unwrap();
            tries += 1;
            let next = if part.contains(&5) { search.died("was killed".into(), false) } else { search.answered() };
            if next != Next::Goes {
                assert_eq!(part, 5..6);
                break next;
            }
        };
        assert_eq!(next, Next::Names("it keeps dying on this row: the last one was killed".into()));
        assert!(tries < 45, "{tries}");
    }

    #[test]
    fn counts_that_differ_end_the_run_at_the_row_or_else_behind_it() {
        let mut search = Search::new(4, "it");
        assert_eq!((search.mismatched("4".into()), search.part()), (Next::Goes, Some(0..2)));
        assert_eq!((search.answered(), search.part()), (Next::Goes, Some(2..3)));
        assert_eq!(search.mismatched("1".into()), Next::Ends(2, "1".into()));
        let mut search = Search::new(2, "it");
        search.mismatched("2".into());
        search.answered();
        assert_eq!(search.answered(), Next::Ends(0, "2".into()));
    }
}
