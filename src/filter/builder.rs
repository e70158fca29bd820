//! The settings of a filter, and the values that a run derives from them. Settings are made before the filter is built.

use super::Filter;
use crate::csv::columns::{Columns, names_in};
use crate::csv::head::Head;
use crate::csv::{Format, trimmed};
use crate::error::Error;
use crate::executor::names::Name;
use crate::executor::{self, DEFAULT_BLOCK_SIZE, Executor, MAX_BLOCK_SIZE, MAX_JOBS, MIN_BLOCK_SIZE, worker};
use crate::input::Shape;
use crate::kernel::batch::BatchKernel;
use crate::output::bad_rows::SAID;
use crate::ring::Sizes;
use crate::vectors::Vectors;
use crate::work::text::{OnBadRow, Settings};
use std::panic::Location;

/// Extra bytes in a slot's region for results, so that the report of a bad row fits as well.
const REPORT_ROOM: usize = 1024;

/// Settings of a [`Filter`], to be made before it is built.
#[must_use]
pub struct FilterBuilder<'k, K> {
    kernel: &'k K,
    rows: RowOptions,
    append: Option<String>,
    block_size: usize,
    name: Option<String>,
    executor: Executor,
    jobs: usize,
}

impl<'k, K: BatchKernel> FilterBuilder<'k, K> {
    pub(super) fn new(kernel: &'k K) -> Self {
        FilterBuilder {
            kernel,
            rows: RowOptions {
                format: Format::default(),
                has_header: false,
                columns: None,
                append: None,
                on_bad_row: OnBadRow::Stop,
                max_bad: None,
                is_all_told: false,
                missing: vec![],
                skip_lines: 0,
            },
            append: None,
            block_size: DEFAULT_BLOCK_SIZE,
            name: None,
            executor: Executor::Shared,
            jobs: executor::processors(),
        }
    }

    /// Sets the format of the rows. Without this call it is that of RFC 4180 ([`Format::default`]).
    pub fn format(mut self, format: Format) -> Self {
        self.rows.format = format;
        self
    }

    /// Passes over this many lines at the start of each input, whatever they hold.
    pub fn skip_lines(mut self, lines: u64) -> Self {
        self.rows.skip_lines = lines;
        self
    }

    /// Makes `text` stand for a missing value. If a field that the kernel would get is this text, apart from quotes and
    /// blanks around it, the row is not given to the kernel and has an empty result. Call this once for each such text.
    pub fn missing(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.rows.missing.push(text.into());
        self
    }

    /// Says that the first row of each input has the names of the columns. A kernel whose rows have names, like a
    /// struct, finds its columns by them, unless [`columns`](Self::columns) are chosen.
    pub fn header(mut self) -> Self {
        self.rows.has_header = true;
        self
    }

    /// Chooses the columns that the kernel gets, by name or by number from 1. For example, `list` is `3,1` or
    /// `price,"a,b"`. If `list` contains a name, each input must begin with a [`header`](Self::header).
    ///
    /// # Errors
    /// If `list` is not such a list.
    pub fn columns(mut self, list: &str) -> Result<Self, Error> {
        let columns = Columns::parse(list).map_err(Error::usage)?;
        self.rows.has_header |= columns.has_names();
        self.rows.columns = Some(columns);
        Ok(self)
    }

    /// Prints each row unchanged with its result appended as one or more fields. `names` are the names of these fields
    /// in the header, like `gcd` or `km,"bearing, degrees"`. If `names` is empty, the names are the kernel's own.
    pub fn append(mut self, names: impl Into<String>) -> Self {
        self.append = Some(names.into());
        self
    }

    /// Sets what happens to bad rows. Without this call the first bad row ends the run. Bad rows that do not end the
    /// run are counted, and the first ten of them are named on stderr.
    pub fn on_bad_row(mut self, on_bad_row: OnBadRow) -> Self {
        self.rows.on_bad_row = on_bad_row;
        self
    }

    /// Ends a run with an error as soon as it has more than `most` bad rows.
    pub fn max_bad(mut self, most: u64) -> Self {
        self.rows.max_bad = Some(most);
        self
    }

    /// Sets the executor. Without this call it is [`Executor::Shared`].
    pub fn executor(mut self, executor: Executor) -> Self {
        self.executor = executor;
        self
    }

    /// Sets the number of workers, 1 to 4096, or else the nearest of these. The default is the number of processors.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.clamp(1, MAX_JOBS);
        self
    }

    /// Sets the largest size of a block's input in bytes, from 64 to 2^30. Each row has to fit into a block.
    pub fn block_size(mut self, bytes: usize) -> Self {
        self.block_size = bytes.clamp(MIN_BLOCK_SIZE, MAX_BLOCK_SIZE);
        self
    }

    /// Names the filter. A worker process finds its filter by this name. So no other filter of the program may have the
    /// same name, and the name must not change from one start of the program to the next.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Builds the filter. In a worker process of this filter this function does not return: the process works and
    /// exits.
    ///
    /// # Errors
    /// If settings contradict each other or do not suit the kernel.
    #[track_caller]
    pub fn build(self) -> Result<Filter<'k, K>, Error> {
        let FilterBuilder { kernel, mut rows, append, block_size, name, executor, jobs } = self;
        let place = Location::caller();
        let name = match &name {
            Some(name) => Name::given("filter", name, place),
            None => Name::of_place("filter", place),
        };
        let named = append.map(|given| appended(&given, kernel)).transpose();
        rows.append = named.as_ref().ok().cloned().flatten();
        let (max_bad, refused) = (rows.max_bad.unwrap_or(u64::MAX), named.and_then(|_| check(&rows, kernel)));
        let setup = Setup::new(rows, kernel, block_size);
        let filter = Filter { kernel, setup, name, executor, jobs, max_bad };
        filter.with_mapping(worker::reenter_or_return);
        Vectors::allowed().map_err(Error::usage)?;
        refused.map(|()| filter)
    }
}

/// Returns the names of results in `given`: none if it is empty.
fn appended(given: &str, kernel: &impl BatchKernel) -> Result<Vec<String>, Error> {
    if given.is_empty() {
        return Ok(vec![]);
    }
    let names = names_in(given).map_err(|what| Error::usage(format!("the names of the results: {what}")))?;
    match kernel.width() {
        Some(width) if width != names.len() => {
            let plural = if width == 1 { "" } else { "s" };
            Err(Error::usage(format!("{} results are named, and the kernel has {width} result{plural}", names.len())))
        }
        _ => Ok(names),
    }
}

/// Refuses a kernel that cannot be used, settings that contradict each other or do not suit the kernel, and a number of
/// columns that the kernel does not take.
fn check(rows: &RowOptions, kernel: &impl BatchKernel) -> Result<(), Error> {
    usable(kernel)?;
    if !rows.format.is_unambiguous() {
        return Err(Error::usage("delimiter, quote and comment have to differ"));
    }
    if !rows.format.is_consistent() {
        return Err(Error::usage(
            "decimal and thousands have to differ; with blanks the delimiter is a space, and there is no quote",
        ));
    }
    if !kernel.reads_notation(rows.format.notation) {
        return Err(Error::usage("decimal, thousands and whole_floats are for numbers in base 10"));
    }
    if rows.append.as_ref().is_some_and(|names| !names.is_empty()) && !rows.has_header {
        return Err(Error::usage("a name for the result is for a header, and there is none"));
    }
    if rows.max_bad.is_some() && rows.on_bad_row == OnBadRow::Stop {
        return Err(Error::usage("max_bad is for bad rows that do not end the run; set on_bad_row too"));
    }
    if let (Some(count), Some(fields)) = (rows.columns.as_ref().map(Columns::count), kernel.takes())
        && count != fields
    {
        return Err(Error::usage(format!("{count} columns are named where the kernel takes {fields}")));
    }
    if rows.append.iter().flatten().any(|name| !rows.format.can_hold(name)) {
        return Err(Error::usage(
            "the name of the result has the delimiter or a line end in it, and there are no quotes",
        ));
    }
    Ok(())
}

/// Refuses a kernel that says that it cannot be used, or that has more or fewer names than results.
pub(crate) fn usable(kernel: &impl BatchKernel) -> Result<(), Error> {
    kernel.check().map_err(Error::usage)?;
    let names = kernel.result_names().len();
    match kernel.width() {
        Some(width) if width != names => {
            let plural = if width == 1 { "" } else { "s" };
            Err(Error::usage(format!("the kernel names {names} results and returns {width} field{plural}")))
        }
        _ => Ok(()),
    }
}

/// Settings for reading rows and for handling bad rows.
#[derive(Clone, Debug)]
pub(crate) struct RowOptions {
    /// Delimiter, quote and comment characters.
    pub format: Format,
    /// Whether the first row of each input has the names of the columns.
    pub has_header: bool,
    /// The columns that the kernel gets; `None` for all of them.
    pub columns: Option<Columns>,
    /// The names of the result columns, if rows are printed with their results appended. An empty list stands for the
    /// kernel's own names. `None` if only results are printed.
    pub append: Option<Vec<String>>,
    /// What happens to bad rows.
    pub on_bad_row: OnBadRow,
    /// How many bad rows a run may have before it ends with an error; `None` for any number.
    pub max_bad: Option<u64>,
    /// Whether a message is needed for every bad row, and not only for the first ones.
    pub is_all_told: bool,
    /// The texts that stand for a missing value.
    pub missing: Vec<Vec<u8>>,
    /// How many lines at the start of each input are not rows.
    pub skip_lines: u64,
}

/// The values on which reader, workers and writer have to agree. They follow from [`RowOptions`] and the kernel.
pub(crate) struct Setup {
    /// How workers read rows and print results.
    pub settings: Settings,
    /// What the reader has to know about an input.
    pub shape: Shape,
    /// The sizes of a slot's regions.
    pub sizes: Sizes,
}

impl Setup {
    /// Derives these fields from the settings in `rows`, from the types that `kernel` takes and returns, and from the
    /// block size in bytes.
    pub fn new(rows: RowOptions, kernel: &impl BatchKernel, block_size: usize) -> Self {
        let RowOptions { format, has_header, columns, append, on_bad_row, max_bad, is_all_told, missing, skip_lines } =
            rows;
        let appends = append.is_some();
        // If the user chooses no columns, a kernel can find its columns by their names in the header.
        let own = || Some(kernel.column_names()).filter(|names| has_header && !names.is_empty()).map(Columns::called);
        let columns = columns.or_else(own);
        // With `append` a result region also holds a copy of the rows, which takes up to `block_size` bytes more.
        let room = if appends { 2 * block_size } else { block_size };
        let head = Head::size(columns.as_ref(), appends, false);
        // Workers write a message for this many bad rows in each part of a block. That is enough for the rows whose
        // messages are printed on stderr, and for the row that exceeds `max_bad`.
        let most_told = max_bad.map_or(SAID, |most| SAID.max(most.saturating_add(1)));
        let is_all_told = is_all_told || on_bad_row == OnBadRow::Stop;
        let named = |names: Vec<String>| if names.is_empty() { kernel.result_names() } else { names };
        let append = append.map(named);
        let results = append.as_ref().map(Vec::len).or_else(|| kernel.width());
        Setup {
            settings: Settings {
                format,
                append: appends,
                results,
                on_bad_row,
                most_told: (!is_all_told).then_some(most_told),
                missing: missing.iter().map(|text| trimmed(text).to_vec()).collect(),
            },
            shape: Shape {
                format,
                has_header,
                columns,
                fields: kernel.fields(),
                append,
                skip_lines,
                ..Shape::default()
            },
            sizes: Sizes { head, block: block_size, room: room + REPORT_ROOM },
        }
    }
}
