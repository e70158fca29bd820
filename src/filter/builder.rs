//! What a filter does with rows, decided before it is built.

use super::Filter;
use crate::csv::Format;
use crate::csv::columns::Columns;
use crate::csv::head::Head;
use crate::error::Error;
use crate::executor::names::Name;
use crate::executor::{self, Executor, MAX_BLOCK_SIZE, MAX_JOBS, MIN_BLOCK_SIZE, worker};
use crate::input::Shape;
use crate::kernel::batch::BatchKernel;
use crate::output::bad_rows::SAID;
use crate::ring::Sizes;
use crate::vectors::Vectors;
use crate::work::text::{OnBadRow, Settings};
use std::panic::Location;

/// A block of 128 KiB costs far more to compute than to claim, and stays in a core's second-level cache.
const BLOCK_SIZE: usize = 128 << 10;
/// By how much the result region is larger than the results, so that a report of a bad row fits into it.
const REPORT_ROOM: usize = 1024;

/// What a [`Filter`] does with rows, to be decided before it is built.
#[must_use]
pub struct FilterBuilder<'k, K> {
    kernel: &'k K,
    rows: Rows,
    block_size: usize,
    name: Option<String>,
    executor: Executor,
    jobs: usize,
}

impl<'k, K: BatchKernel> FilterBuilder<'k, K> {
    pub(super) fn new(kernel: &'k K) -> Self {
        FilterBuilder {
            kernel,
            rows: Rows {
                format: Format::default(),
                has_header: false,
                columns: None,
                append: None,
                on_bad_row: OnBadRow::Stop,
                max_bad: None,
                is_all_told: false,
            },
            block_size: BLOCK_SIZE,
            name: None,
            executor: Executor::Shared,
            jobs: executor::processors(),
        }
    }

    /// How rows are written; [`Format::default`] is RFC 4180's.
    pub fn format(mut self, format: Format) -> Self {
        self.rows.format = format;
        self
    }

    /// The first row of each input is the names of the columns.
    pub fn header(mut self) -> Self {
        self.rows.has_header = true;
        self
    }

    /// The columns that the kernel is given, by name or by number from 1: a list like `3,1` or `price,"unit, weight"`. Names are
    /// those in the first row, as with [`header`](Self::header).
    ///
    /// # Errors
    /// When it is no such list.
    pub fn columns(mut self, list: &str) -> Result<Self, Error> {
        let columns = Columns::parse(list).map_err(Error::usage)?;
        self.rows.has_header |= columns.has_names();
        self.rows.columns = Some(columns);
        Ok(self)
    }

    /// Each row is printed as it stands, with its result behind it; in a header the result has this name, or the kernel's own where
    /// the name is empty.
    pub fn append(mut self, name: impl Into<String>) -> Self {
        self.rows.append = Some(name.into());
        self
    }

    /// What becomes of bad rows: unless something else is said, the first of them ends the run. Those that do not are named on
    /// stderr, the first ten of a run one by one.
    pub fn on_bad_row(mut self, on_bad_row: OnBadRow) -> Self {
        self.rows.on_bad_row = on_bad_row;
        self
    }

    /// A run ends with an error when it has more bad rows than this.
    pub fn max_bad(mut self, most: u64) -> Self {
        self.rows.max_bad = Some(most);
        self
    }

    /// Another executor than [`Executor::Shared`].
    pub fn executor(mut self, executor: Executor) -> Self {
        self.executor = executor;
        self
    }

    /// So many workers, at least 1; as many as processors where nothing is said.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.clamp(1, MAX_JOBS);
        self
    }

    /// The most input in a block, in bytes: at least 64 and at most 2^30. A row has to fit into a block.
    pub fn block_size(mut self, bytes: usize) -> Self {
        self.block_size = bytes.clamp(MIN_BLOCK_SIZE, MAX_BLOCK_SIZE);
        self
    }

    /// A name that no other filter of the program has. It must be the same in each run of the program: a worker runs up to the
    /// filter of this name.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The filter. In a worker process of this filter this function does not return.
    ///
    /// # Errors
    /// When what was asked for does not go together, or does not suit the kernel.
    #[track_caller]
    pub fn build(self) -> Result<Filter<'k, K>, Error> {
        let FilterBuilder { kernel, rows, block_size, name, executor, jobs } = self;
        let place = Location::caller();
        let name = match &name {
            Some(name) => Name::given("filter", name, place),
            None => Name::of_place("filter", place),
        };
        let (max_bad, refused) = (rows.max_bad.unwrap_or(u64::MAX), check(&rows, kernel.fields()));
        let setup = Setup::new(rows, kernel.fields(), kernel.result_name(), block_size);
        let filter = Filter { kernel, setup, name, executor, jobs, max_bad };
        filter.with_mapping(worker::reenter_or_return);
        Vectors::allowed().map_err(Error::usage)?;
        refused.map(|()| filter)
    }
}

/// Refuses what does not go together.
fn check(rows: &Rows, fields: Option<usize>) -> Result<(), Error> {
    let Format { delimiter, quote, comment } = rows.format;
    if quote == Some(delimiter) || comment == Some(delimiter) || (comment.is_some() && comment == quote) {
        return Err(Error::usage("delimiter, quote and comment have to differ"));
    }
    if let (Some(count), Some(fields)) = (rows.columns.as_ref().map(Columns::count), fields)
        && count != fields
    {
        return Err(Error::usage(format!("{count} columns are named where the kernel takes {fields}")));
    }
    if rows.append.as_ref().is_some_and(|name| !rows.format.can_hold(name)) {
        return Err(Error::usage(
            "the name of the result has the delimiter or a line end in it, and there are no quotes",
        ));
    }
    Ok(())
}

/// How rows are written and what becomes of them.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    /// How rows are written.
    pub format: Format,
    /// Whether the first row of each input is names.
    pub has_header: bool,
    /// The columns that count; all of them where there is nothing.
    pub columns: Option<Columns>,
    /// What results are called behind the row that is printed with them; an empty name stands for the kernel's own.
    pub append: Option<String>,
    /// What becomes of bad rows.
    pub on_bad_row: OnBadRow,
    /// How many bad rows a run tolerates.
    pub max_bad: Option<u64>,
    /// Whether every bad row's text is wanted, and not only that of the first ones.
    pub is_all_told: bool,
}

/// What reader, workers and writer have to agree on: it follows from [`Rows`] and the kernel.
pub(crate) struct Setup {
    /// How rows are read and results printed.
    pub settings: Settings,
    /// What an input looks like.
    pub shape: Shape,
    /// The sizes of a slot.
    pub sizes: Sizes,
}

impl Setup {
    /// For rows like these, a kernel whose rows have so many fields and whose results have this name, and blocks of this many
    /// bytes.
    pub fn new(rows: Rows, fields: Option<usize>, result_name: &str, block_size: usize) -> Self {
        let Rows { format, has_header, columns, append, on_bad_row, max_bad, is_all_told } = rows;
        let appends = append.is_some();
        // Printed again, rows take as much room as they have themselves, and their results come on top.
        let results = if appends { 2 * block_size } else { block_size };
        let head = Head::size(columns.as_ref(), appends);
        // In each part of a block this many bad rows are described: those that are printed, and the one that is too many.
        let most_told = max_bad.map_or(SAID, |most| SAID.max(most.saturating_add(1)));
        let is_all_told = is_all_told || on_bad_row == OnBadRow::Stop;
        let name = |name: String| if name.is_empty() { result_name.to_string() } else { name };
        Setup {
            settings: Settings { format, append: appends, on_bad_row, most_told: (!is_all_told).then_some(most_told) },
            shape: Shape { format, has_header, columns, fields, append: append.map(name) },
            sizes: Sizes { head, block: block_size, room: results + REPORT_ROOM },
        }
    }
}
