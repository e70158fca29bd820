//! Maps a kernel over rows that are in memory, for programs that use this crate. For CSV there is the
//! [`Filter`](crate::Filter).

pub mod memory;

use crate::error::{Error, locked};
use crate::executor::names::Name;
use crate::executor::{DEFAULT_CHUNK_SIZE, Execute, Executor, Job, MAX_BLOCK_SIZE, Mapping, worker};
use crate::kernel::{Kernel, Row};
use crate::process::bell::bell;
use crate::process::confinement::Confinement;
use crate::ring::Sizes;
use crate::tally::Tally;
use crate::work::records::Records;
use bytemuck::Pod;
use std::panic::Location;
use std::sync::Mutex;

/// Maps a kernel over rows that are in memory, with the same executors as a filter.
///
/// Rows and outputs are plain records ([`bytemuck::Pod`](https://docs.rs/bytemuck/latest/bytemuck/trait.Pod.html)),
/// which are put into slots without being converted to text. In [`Executor::Shared`] they are not copied from process
/// to process. In [`Executor::Pickle`] they are pickled.
///
/// With [`Executor::Shared`] and [`Executor::Pickle`] each worker is another process of this program, which runs only
/// as far as [`Pool::new`]. Therefore make all pools of a program at the start of `main`, before anything that must
/// happen only once. A worker finds its pool by the place in the source where the pool is made; pools that are made at
/// the same place need names ([`Pool::named`]).
///
/// The first [`map`](Pool::map) starts as many worker processes as it has work for, and later maps use them again. They
/// end when the pool is dropped or the program exits. A worker process that has died between two maps is replaced.
/// After a map that failed, or a change of [`executor`](Pool::executor) or [`jobs`](Pool::jobs), the next map starts
/// new worker processes. Worker threads, however, are started for each map.
///
/// Several threads may map over one pool; each waits until the map before is done. To map at the same time, use clones
/// of the pool: each clone has workers of its own.
///
/// A program may ignore SIGCHLD or reap all children itself: dead workers are still noticed and replaced. In such a
/// program, before Linux 6.15, the cause of a worker's death is unknown unless the worker panicked.
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
    /// The workers that the next map may use again. `None` before the first map and after one that failed.
    workforce: Mutex<Option<Workforce>>,
}

/// The workers of an executor, and for whom they were made: the executor, the largest number of workers, and the
/// process. A fork of that process must not use them: both processes would put blocks into the same slots.
type Workforce = ((Executor, usize, u32), Box<dyn Execute>);

/// Makes a pool with the same kernel and settings, but with workers of its own.
impl<K> Clone for Pool<'_, K> {
    fn clone(&self) -> Self {
        let (records, name) = (Records(self.records.0), self.name.clone());
        Pool { records, name, workforce: Mutex::default(), ..*self }
    }
}

/// Largest size in bytes of a block's rows, and of its outputs: large enough that claiming a block costs little beside
/// computing it, and small enough to stay in a core's second-level cache.
const BLOCK_SIZE: usize = 64 << 10;

impl<'k, K: Kernel<Row: Pod, Output: Pod + Row>> Pool<'k, K> {
    /// Makes a pool for `kernel` with as many workers as there are processors. In a worker process of this pool this
    /// function does not return: the process works and exits.
    ///
    /// Make the pool once and keep it. If the line that calls this function is reached twice, as in a loop, a worker
    /// process cannot tell which of the two pools it belongs to. [`Pool::map`] then returns an error if the executor
    /// has worker processes.
    #[track_caller]
    pub fn new(kernel: &'k K) -> Self {
        Self::with_name(Name::of_place("pool", Location::caller()), kernel)
    }

    /// Makes a pool with a name. A worker process finds its pool by this name. So no other pool of the program may have
    /// the same name, and the name must not change from one start of the program to the next.
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

    /// Sets the executor. Without this call it is [`Executor::Shared`].
    pub fn executor(self, executor: Executor) -> Self {
        Pool { executor, ..self }
    }

    /// Sets the number of workers, 1 to 4096, or else the nearest of these. The default is the number of processors.
    pub fn jobs(self, jobs: usize) -> Self {
        Pool { jobs: jobs.clamp(1, crate::executor::MAX_JOBS), ..self }
    }

    /// Sets the largest number of rows in a task of [`Executor::Pickle`], at least 1.
    pub fn chunk_size(self, rows: usize) -> Self {
        Pool { chunk_size: rows.max(1), ..self }
    }

    /// Returns the kernel's output for each row, in order.
    ///
    /// # Errors
    /// If workers cannot be started or keep dying, if shared memory cannot be allocated, or if another pool has been
    /// made on the same line of the source or with the same name.
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
        // `most_rows` must not depend on how many rows this map has: the workers keep the segment from map to map, and
        // its size follows from `most_rows`.
        let most_rows = (BLOCK_SIZE / record).max(1);
        // Smaller blocks spread the work more evenly over the workers.
        let block_rows = rows.len().div_ceil(8 * self.jobs).clamp(1, most_rows);
        let mut source = memory::Records { bytes: bytemuck::cast_slice(rows), size: row, block_rows };
        let mut sink = memory::Outputs::default();
        let job = Job {
            source: &mut source,
            sink: &mut sink,
            stop: &stop,
            input: None,
            has_fixed_blocks: false,
            jobs: self.jobs,
            sizes: Sizes { head: 0, block: record * most_rows, room: record * most_rows },
            block_timeout: None,
            tally: &Tally::default(),
            chunk_size: self.chunk_size,
        };
        self.run(job)?;
        // Only a faulty worker can cause a wrong number of outputs, so the next map starts other workers.
        if sink.0.len() != rows.len() * output {
            locked(&self.workforce).take();
            return Err(Error::spoilt());
        }
        Ok(bytemuck::allocation::pod_collect_to_vec(&sink.0))
    }

    /// Runs the job. If the executor has processes, the workers of the last map are used again, provided that the
    /// executor and the number of workers are unchanged. Otherwise new ones are started.
    fn run(&self, job: Job) -> Result<(), Error> {
        let mapping = mapping(&self.records, &self.name);
        if !self.executor.has_processes() {
            return self.executor.run(&mapping, job);
        }
        let mut kept = locked(&self.workforce);
        // Take the workforce out of the pool, so that it is dropped if the run fails or panics. A workforce that does
        // not suit is dropped before a new one is made, so that there are never two at the same time.
        let owner = (self.executor, self.jobs, std::process::id());
        let last = kept.take().filter(|(made_for, _)| *made_for == owner);
        let (_, mut workers) = last.unwrap_or_else(|| (owner, self.executor.workers()));
        workers.run(&mapping, job)?;
        *kept = Some((owner, workers));
        Ok(())
    }
}

/// Returns the mapping of a pool with this name.
fn mapping<'r, K: Kernel<Row: Pod, Output: Pod + Row>>(records: &'r Records<'_, K>, name: &Name) -> Mapping<'r> {
    let confinement = Confinement { filter: records.0.is_self_contained(), memory: None };
    Mapping { work: records, name: name.text.clone(), confinement, cutter: None }
}
