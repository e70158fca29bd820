//! A filter: maps a kernel over CSV that comes from any reader and writes the results to any writer.

mod bridge;
pub(crate) mod builder;

pub use builder::FilterBuilder;

use crate::error::Error;
use crate::executor::names::Name;
use crate::executor::{DEFAULT_CHUNK_SIZE, Executor, Job, Mapping, worker};
use crate::input::reader::{Input, Reader, Watch};
use crate::kernel::batch::BatchKernel;
use crate::output::bad_rows::BadRows;
use crate::output::writer::Writer;
use crate::process::bell::bell;
use crate::process::confinement::Confinement;
use crate::tally::Tally;
use crate::work::text::{OnBadRow, Text};
use bridge::{drain_all, feed_all, ringing};
use builder::Setup;
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::io::{ErrorKind, Read, Write};
use std::panic::resume_unwind;
use std::thread;

/// Maps a kernel over the rows of a CSV, from any [`Read`] to any [`Write`].
///
/// A filter does what the `pmapgcd` command does with stdin and stdout: results come out in input order, memory does
/// not grow with the input, and if a worker process crashes, only the work on its block is repeated. A filter may run
/// many times.
///
/// With [`Executor::Shared`], the default, and with [`Executor::Pickle`], each worker is another process of this
/// program, which runs only as far as [`FilterBuilder::build`]. Therefore build all filters and make all
/// [`Pool`](crate::Pool)s of a program at the start of `main`, before anything that must happen only once. A worker
/// finds its filter by the place in the source where the filter is built; filters that are built at the same place need
/// names ([`FilterBuilder::named`]).
///
/// ```no_run
/// use pmapgcd::{Filter, Gcd};
///
/// fn main() -> Result<(), pmapgcd::Error> {
///     let gcd = Gcd::default();
///     let filter = Filter::builder(&gcd).columns("width,height")?.build()?;
///     let mut output = vec![];
///     let summary = filter.run(&b"name,width,height\nphone,1080,2340\n"[..], &mut output)?;
///     assert_eq!(output, b"180\n");
///     assert_eq!(summary.rows, 1);
///     Ok(())
/// }
/// ```
pub struct Filter<'k, K> {
    kernel: &'k K,
    setup: Setup,
    name: Name,
    executor: Executor,
    jobs: usize,
    max_bad: u64,
}

/// Number of rows that a run of a [`Filter`] has processed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Summary {
    /// Rows with results.
    pub rows: u64,
    /// Bad rows, which have no results.
    pub bad_rows: u64,
}

impl<'k, K: BatchKernel> Filter<'k, K> {
    /// Returns a builder, which takes the settings of a filter of `kernel`.
    pub fn builder(kernel: &'k K) -> FilterBuilder<'k, K> {
        FilterBuilder::new(kernel)
    }

    /// Maps the kernel over all rows of the input and writes the results in input order. Whenever no more input is
    /// available without waiting, the results so far are written and the output is flushed.
    ///
    /// One thread reads the input and another writes the output. If the run ends early while `input.read` is being
    /// called, this function still waits until that call returns.
    ///
    /// # Errors
    /// If the output cannot be written or the input cannot be read; if a row is bad and bad rows end the run; if
    /// workers cannot be started or keep dying. If a row is the cause, the results of all rows before that row are
    /// written. If the input fails, only the results of rows that the run had taken by then are written.
    ///
    /// # Panics
    /// If `input` or `output` panics.
    pub fn run(&self, mut input: impl Read + Send, mut output: impl Write + Send) -> Result<Summary, Error> {
        if worker::is_worker() {
            return Err(Error::usage(
                "a worker has come past its filter: build all filters before running any of them",
            ));
        }
        if self.executor.has_processes() {
            self.name.check()?;
        }
        let failed = |error: rustix::io::Errno| Error::io("cannot make a pipe", error.into());
        let stop = bell()?;
        // Rows are fed through a socket, because a write to a pipe without a reader raises SIGPIPE, while `send` can be
        // told not to. The end that is read must be non-blocking, like all inputs but stdin.
        let flags = SocketFlags::CLOEXEC;
        let (rows, feed) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(failed)?;
        rustix::io::ioctl_fionbio(&rows, true).map_err(failed)?;
        let (results, into_results) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(failed)?;
        let tally = Tally::default();
        thread::scope(|scope| {
            let cannot = |error| Error::io("cannot start a thread", error);
            let (feed, stop) = (&feed, &stop);
            let feeding = move || ringing(stop, || feed_all(&mut input, feed));
            let feeding = thread::Builder::new().name("input".into()).spawn_scoped(scope, feeding).map_err(cannot)?;
            let draining = move || {
                let drained = ringing(stop, || {
                    drain_all(&results, |piece| output.write_all(piece).and_then(|()| output.flush()))
                });
                // Read the remaining results even if the output has failed, because the run's writer would otherwise
                // wait for ever for room in the pipe.
                let _ = drain_all(&results, |_| Ok(()));
                drained
            };
            let draining =
                thread::Builder::new().name("output".into()).spawn_scoped(scope, draining).map_err(cannot)?;
            let ended = self.map(rows, &into_results, stop, &tally);
            // Close the pipe, so that the thread that drains the results comes to their end.
            drop(into_results);
            let drained = draining.join().flatten().unwrap_or_else(|panic| resume_unwind(panic));
            drained.map_err(|error| match error.kind() {
                ErrorKind::BrokenPipe => Error::broken_pipe(),
                _ => Error::io("output", error),
            })?;
            ended?;
            let fed = feeding.join().flatten().unwrap_or_else(|panic| resume_unwind(panic));
            fed.map_err(|error| Error::io("input", error))?;
            Ok(Summary { rows: tally.rows.get(), bad_rows: tally.bad_rows.get() })
        })
    }

    /// Runs the filter once: reads rows from `rows` and writes results to `results`.
    fn map(&self, rows: OwnedFd, results: &OwnedFd, stop: &OwnedFd, tally: &Tally) -> Result<(), Error> {
        let Setup { ref settings, ref shape, sizes } = self.setup;
        let most_bad = (settings.on_bad_row != OnBadRow::Stop).then_some(self.max_bad);
        let blank = if settings.on_bad_row == OnBadRow::Blank { settings.empty_result() } else { vec![] };
        let name = "input".to_string();
        let watch = Watch { stop: stop.as_fd(), output: results.as_fd() };
        let reader = Reader::new(vec![Input::Open(rows.into(), name.clone())], shape.clone(), watch);
        let mut writer = Writer::new(results, "output".to_string(), vec![name], BadRows::new(most_bad), tally);
        writer.blank = blank;
        let job = Job {
            source: &mut reader.passing_over(most_bad.is_some()),
            sink: &mut writer,
            stop,
            input: None,
            has_fixed_blocks: false,
            jobs: self.jobs,
            sizes,
            block_timeout: None,
            tally,
            chunk_size: DEFAULT_CHUNK_SIZE,
        };
        self.with_mapping(|mapping| self.executor.run(mapping, job))
    }

    fn with_mapping<T>(&self, then: impl FnOnce(&Mapping) -> T) -> T {
        let text = Text::new(self.kernel, self.setup.settings.clone());
        let confinement = Confinement { filter: self.kernel.needs_nothing(), memory: None };
        then(&Mapping { work: &text, name: self.name.text.clone(), confinement, cutter: None })
    }
}
