//! A work is a kernel in the form of a function from bytes to bytes. An executor knows a [`Work`] but not the kernel in
//! it. A work knows blocks but not the executor that runs it.

mod append;
#[cfg(feature = "stock")]
pub mod command;
mod decoder;
mod opcodes;
mod outputs;
#[cfg(feature = "pickle")]
pub mod pickles;
#[cfg(not(feature = "pickle"))]
#[path = "unpickled.rs"]
pub mod pickles;
#[cfg(feature = "cli")]
#[cfg(feature = "compare")]
pub mod python;
pub mod records;
pub mod remote;
#[cfg(feature = "cli")]
mod search;
mod settings;
mod single;
#[cfg(feature = "cli")]
mod stderr;
pub mod text;

use crate::bad_row::{BadRow, Kind, Report};
use crate::csv::lines;
use crate::csv::scan::Scan;
use crate::error::Error;
use crate::ring::Care;
use crate::steps::{Step, lap};
use remote::{Failure, Remote};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// How many rows are read, mapped and written together. The number is small, so that rows and outputs stay in the
/// first-level cache.
pub(super) const BATCH: usize = 512;

/// How long a part of a block may take in a worker that takes care. After this time the part is handed over as soon as
/// the current row is done. The time is short so that little is lost if the worker dies over a row, or is killed for
/// being slow: at most the results of the millisecond before that row.
const CAREFUL_PART: Duration = Duration::from_millis(1);

/// Decides when a part of a block is handed over. Holds the time at which the part was begun if care is needed,
/// otherwise `None`.
pub(super) struct Pace(Option<Instant>);

impl Pace {
    /// Begins a part now. Unless `care` is needed, the part may take as long as it likes.
    pub fn with(care: Care) -> Self {
        Pace(care.is_needed().then(Instant::now))
    }

    /// Returns whether the part must be handed over before another row is begun.
    pub fn is_enough(&self) -> bool {
        self.0.is_some_and(|start| start.elapsed() >= CAREFUL_PART)
    }
}

/// A kernel over blocks of bytes, whatever the types of its rows and outputs. An implementation must define `mapper`
/// and `map_task`. The other methods have defaults.
pub trait Work: Sync {
    /// Makes the mapper of one worker, which the worker keeps from block to block. If there is a `remote`, the process
    /// behind it runs the kernel; without a `remote`, the mapper runs the kernel.
    fn mapper<'m>(&'m self, remote: Option<Remote<'m>>) -> Box<dyn Mapper + 'm>;

    /// Maps the rows of a task. Called in the process behind a [`Remote`]. Returns the reply and the number of rows.
    ///
    /// # Errors
    /// If `task` is not one that a mapper of this work sends.
    fn map_task(&self, task: &[u8]) -> Result<(Vec<u8>, usize), Error>;

    /// Whether [`Mapper::finish`] must be called after the last block of a mapper.
    fn has_end(&self) -> bool {
        false
    }

    /// Whether only the first result of the run decides how many fields a result has. Until it has decided, only one
    /// block is mapped at a time, because two workers could have first results of different widths.
    fn takes_first_width(&self) -> bool {
        false
    }

    /// Tells this work that the run has failed, so that mappers which wait for another process stop waiting.
    fn abandon(&self) {}
}

/// How much of a block a mapper has processed, from its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mapped {
    /// How many bytes of input have been processed. If the block has more, the rest is still to be mapped.
    pub consumed: usize,
    /// Number of line ends in these bytes.
    pub lines: usize,
    /// Number of rows in these bytes that have results.
    pub rows: usize,
    /// Length in bytes of the results, which are at the start of `room`.
    pub results: usize,
    /// Length in bytes of the reports of bad rows, which follow the results.
    pub reports: usize,
    /// How much of the time that the mapper took did not depend on the rows, such as the time to start a process for
    /// the block. `Duration::MAX` if the time says nothing about the rows.
    pub overhead: Duration,
    /// Whether more results of this input are to come. If so, `map_block` must be called again with the same input, and
    /// writes the next piece of the results. `consumed`, `lines`, `rows` and `reports` are 0 until the last piece. If
    /// the worker dies after the first piece was handed over, the other pieces are lost.
    pub is_open: bool,
}

impl Mapped {
    /// Returns the outcome for rows that cannot be mapped at all, for the reason `what`. The report in it ends the run,
    /// and blames no row.
    pub fn impossible(what: impl Into<String>, room: &mut [u8]) -> Self {
        let (bad, mut report) = (BadRow::row(what).of(Kind::Unrunnable), vec![]);
        Report::append(&bad, 0, &mut report, room.len());
        Mapped::default().with_reports(room, &report)
    }

    /// Writes `reports` behind the results in `room`.
    fn with_reports(self, room: &mut [u8], reports: &[u8]) -> Self {
        room[self.results..self.results + reports.len()].copy_from_slice(reports);
        Mapped { reports: reports.len(), ..self }
    }

    /// Sets `lines` to the number of line ends in the processed bytes of `input`.
    fn with_lines(self, input: &[u8]) -> Self {
        Mapped { lines: lines(&input[..self.consumed]), ..self }
    }
}

/// Maps blocks for one worker, and holds the scratch space for that. An implementation must define `map_block`.
pub trait Mapper {
    /// Maps the rows in `input`, from the first on, until all are mapped or `room` is full. `head` is the head of the
    /// block. `care` says whether a worker has died over these rows, and how to treat them then.
    ///
    /// # Errors
    /// If the rows could not be mapped for a reason that does not lie in the rows. The mapper must not be used again.
    fn map_block(&mut self, head: &[u8], input: &[u8], room: &mut [u8], care: Care) -> Result<Mapped, Failure>;

    /// Gives the mapper the lists of all delimiters and line ends in the input of the next call of
    /// [`map_block`](Mapper::map_block), so that a mapper of CSV need not scan that input again. By default the lists
    /// are ignored.
    fn take_listed(&mut self, _: &mut Scan) {}

    /// Returns the cell that holds the number of fields of a result, if the first result decides that number
    /// ([`Work::takes_first_width`]). Before each block, the worker sets the cell to the number that the run knows.
    /// After the block, it tells the run the number in the cell.
    fn first_width(&self) -> Option<&Cell<Option<usize>>> {
        None
    }

    /// Ends the work of this mapper, after the last block of a run that went well.
    ///
    /// # Errors
    /// If it turns out that results which have been handed over are wrong.
    fn finish(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// The message about a row on which workers keep dying.
pub(super) const DEADLY: &str = "workers keep dying on this row";

/// Checks that a kernel has returned as many outputs as rows. Also ends the timing of the step in which the kernel
/// runs.
///
/// # Panics
/// If the numbers differ.
pub(super) fn check_outputs(outputs: usize, rows: usize) {
    assert_eq!(outputs, rows, "the kernel has not one output for each row");
    lap(Step::Run);
}
