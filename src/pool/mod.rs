//! A kernel over rows that are in memory already: for programs that use this crate, where a filter is for files.

pub mod memory;

use crate::error::Error;
use crate::executor::names::Name;
use crate::executor::workforce::Workforce;
use crate::executor::{DEFAULT_CHUNK_SIZE, Executor, Job, MAX_BLOCK_SIZE, Mapping, bell, worker};
use crate::kernel::Kernel;
use crate::process::confinement::Confinement;
use crate::ring::Sizes;
use crate::tally::Tally;
use crate::work::records::Records;
use bytemuck::Pod;
use std::panic::Location;
use std::sync::{Mutex, MutexGuard};

/// A kernel over rows that are in memory already, with the executors that filters have.
///
/// Rows and outputs are plain records ([`bytemuck::Pod`]), which lie in the slots as they are: no text anywhere, and in
/// [`Executor::Shared`] no copy between processes either. In [`Executor::Pickle`] they are pickled.
///
/// With these two each worker is this program, started again: it runs up to [`Pool::new`] and no further. So make all
/// pools of a program first thing in `main`, before anything that is to happen only once. A worker knows its pool by the
/// place in the source where it is made; pools that are made at one place need names ([`Pool::named`]).
///
/// The first [`map`](Pool::map) starts these workers, as many as it has work for, and later ones use them again; they end with
/// the pool, or with the program. One that has died in between is replaced. After a map that failed, and after a change of
/// [`executor`](Pool::executor) or [`jobs`](Pool::jobs), the next map starts new ones. (Threads are started for each map.)
///
/// Several threads may map over one pool, and each waits until the one before is done. To map at the same time, use a clone, which
/// has workers of its own.
///
/// A program may ignore SIGCHLD, or reap all children itself: workers are looked after all the same. How a worker has died is then
/// not known on a Linux before 6.15, unless it has panicked.
///
/// ```no_run
/// use pmapgcd::{Executor, Gcd64, Pool};
///
/// fn main() -> Result<(), pmapgcd::Error> {
///     let gcd = Gcd64::default();
///     let pool = Pool::new(&gcd).executor(Executor::Shared);
///     assert_eq!(pool.map(&[[12, 18], [1963309, 2265973]])?, [6, 1]);
///     Ok(())
/// }
/// ```
pub struct Pool<'k, K> {
    records: Records<'k, K>,
    name: Name,
    executor: Executor,
    jobs: usize,
    chunk_size: usize,
    /// The workers that the last map has left for the next, if it went well.
    workforce: Mutex<Option<Workforce>>,
}

/// A pool for the same kernel with the same settings, and workers of its own.
impl<K> Clone for Pool<'_, K> {
    fn clone(&self) -> Self {
        let (records, name) = (Records(self.records.0), self.name.clone());
        Pool { records, name, workforce: Mutex::default(), ..*self }
    }
}

/// Most bytes of rows in a block, and of outputs: enough for the claim to cost nothing beside them, few enough to stay
/// in a core's second-level cache.
const BLOCK_SIZE: usize = 64 << 10;

impl<'k, K: Kernel<Row: Pod, Output: Pod>> Pool<'k, K> {
    /// A pool for this kernel, with as many workers as there are processors. In a worker process of this pool it does
    /// not return.
    ///
    /// Make it once and keep it: of two pools that are made here, in a loop or a function that is called twice, no worker
    /// process could tell to which it belongs, and [`Pool::map`] refuses to work with such processes.
    #[track_caller]
    pub fn new(kernel: &'k K) -> Self {
        Self::with_name(Name::of_place("pool", Location::caller()), kernel)
    }

    /// The same with a name, which no other pool of the program may have. It must be the same in each run of the program: a
    /// worker runs up to the pool of this name.
    #[track_caller]
    pub fn named(name: impl AsRef<str>, kernel: &'k K) -> Self {
        Self::with_name(Name::given("pool", name.as_ref(), Location::caller()), kernel)
    }

    fn with_name(name: Name, kernel: &'k K) -> Self {
        let records = Records(kernel);
        worker::reenter_or_return(&mapping(&records, &name));
        Pool {
            records,
            name,
            executor: Executor::Shared,
            jobs: crate::executor::processors(),
            chunk_size: DEFAULT_CHUNK_SIZE,
            workforce: Mutex::default(),
        }
    }

    /// The same pool with another executor.
    pub fn executor(self, executor: Executor) -> Self {
        Pool { executor, ..self }
    }

    /// The same pool with so many workers, at least 1.
    pub fn jobs(self, jobs: usize) -> Self {
        Pool { jobs: jobs.clamp(1, crate::executor::MAX_JOBS), ..self }
    }

    /// The same pool with at most so many rows to a task of [`Executor::Pickle`], at least 1.
    pub fn chunk_size(self, rows: usize) -> Self {
        Pool { chunk_size: rows.max(1), ..self }
    }

    /// The kernel's output for each row, in order.
    ///
    /// # Errors
    /// When workers cannot be started or keep dying, or there is no memory to share, or another pool has been made at the
    /// same place or with the same name.
    pub fn map(&self, rows: &[K::Row]) -> Result<Vec<K::Output>, Error> {
        if worker::is_worker() {
            return Err(Error::usage(
                "a worker has come past its pool: make all pools before mapping over any of them",
            ));
        }
        if self.executor.has_processes() {
            self.name.check()?;
        }
        const { assert!(size_of::<K::Row>() > 0 && size_of::<K::Output>() > 0, "records of no size") };
        let stop = bell()?;
        let (row, output) = (size_of::<K::Row>(), size_of::<K::Output>());
        let record = row.max(output);
        if record > MAX_BLOCK_SIZE {
            return Err(Error::usage(format!("a record has more than {MAX_BLOCK_SIZE} bytes")));
        }
        // The same for every map, since the workers keep their segment.
        let most_rows = (BLOCK_SIZE / record).max(1);
        // Fewer rows a block are shared out more evenly.
        let block_rows = rows.len().div_ceil(8 * self.jobs).clamp(1, most_rows);
        let mut source = memory::Records { bytes: bytemuck::cast_slice(rows), size: row, block_rows };
        let mut sink = memory::Outputs::default();
        let job = Job {
            source: &mut source,
            sink: &mut sink,
            stop: &stop,
            input: None,
            jobs: self.jobs,
            sizes: Sizes { head: 0, block: record * most_rows, room: record * most_rows },
            block_timeout: None,
            tally: &Tally::default(),
            chunk_size: self.chunk_size,
        };
        self.run(job)?;
        if sink.0.len() != rows.len() * output {
            self.workforce().take();
            return Err(Error::spoilt());
        }
        Ok(bytemuck::allocation::pod_collect_to_vec(&sink.0))
    }

    /// Does the job with the workers of the last run, if these suit, or with new ones.
    fn run(&self, job: Job) -> Result<(), Error> {
        let mapping = mapping(&self.records, &self.name);
        if !self.executor.has_processes() {
            return self.executor.run(&mapping, job);
        }
        let mut kept = self.workforce();
        // Taken out, so that it is gone if the run fails or panics. One that does not suit is dropped before another is made.
        let suits = |workforce: &Workforce| workforce.is(self.executor, self.jobs);
        let last = kept.take().filter(suits);
        let mut workforce = last.unwrap_or_else(|| Workforce::new(self.executor, self.jobs));
        workforce.run(&mapping, job)?;
        *kept = Some(workforce);
        Ok(())
    }

    fn workforce(&self) -> MutexGuard<'_, Option<Workforce>> {
        self.workforce.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// What is mapped in a pool of this name.
fn mapping<'r, K: Kernel<Row: Pod, Output: Pod>>(records: &'r Records<'_, K>, name: &Name) -> Mapping<'r> {
    let confinement = Confinement { filter: records.0.is_self_contained(), memory: None };
    Mapping { work: records, name: name.text.clone(), confinement }
}
