//! Data that is in memory already.

pub mod memory;

use crate::error::Error;
use crate::executor::{DEFAULT_CHUNK_SIZE, Executor, Job, MAX_BLOCK_SIZE, Mapping, bell, worker};
use crate::kernel::Kernel;
use crate::process::confinement::Confinement;
use crate::ring::Sizes;
use crate::tally::Tally;
use crate::work::records::Records;
use bytemuck::Pod;
use std::panic::Location;

/// A kernel over rows that are in memory already, with the executors that filters have.
///
/// Rows and outputs are plain records ([`bytemuck::Pod`]), which lie in the slots as they are: no text anywhere, and in
/// [`Executor::Shared`] no copy between processes either. In [`Executor::Pickle`] they are pickled.
///
/// With these two each worker is this program, started again: it runs up to [`Pool::new`] and no further. So make all
/// pools of a program first thing in `main`, before anything that is to happen only once.
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
#[derive(Clone)]
pub struct Pool<'k, K> {
    records: Records<'k, K>,
    /// What tells it from the program's other pools.
    name: String,
    executor: Executor,
    jobs: usize,
    chunk_size: usize,
}

/// Most bytes of rows in a block, and of outputs: enough for the claim to cost nothing beside them, few enough to stay
/// in a core's second-level cache.
const BLOCK_SIZE: usize = 64 << 10;

impl<'k, K: Kernel<Row: Pod, Output: Pod>> Pool<'k, K> {
    /// A pool for this kernel, with as many workers as there are processors. In a worker process of this pool it does
    /// not return.
    #[track_caller]
    pub fn new(kernel: &'k K) -> Self {
        let place = Location::caller();
        let name = format!("pool at {place}");
        let records = Records(kernel);
        if let Some(status) = worker::reenter(&mapping(&records, &name)) {
            // The status is all that is left to say, and there is nothing to be dropped.
            std::process::exit(i32::from(status != std::process::ExitCode::SUCCESS) * 2);
        }
        Pool {
            records,
            name,
            executor: Executor::Shared,
            jobs: crate::executor::processors(),
            chunk_size: DEFAULT_CHUNK_SIZE,
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
    /// When workers cannot be started or keep dying, or there is no memory to share.
    pub fn map(&self, rows: &[K::Row]) -> Result<Vec<K::Output>, Error> {
        if worker::is_worker() {
            return Err(Error::usage(
                "a worker has come past its pool: make all pools before mapping over any of them",
            ));
        }
        const { assert!(size_of::<K::Row>() > 0 && size_of::<K::Output>() > 0, "records of no size") };
        let stop = bell()?;
        let (row, output) = (size_of::<K::Row>(), size_of::<K::Output>());
        let record = row.max(output);
        if record > MAX_BLOCK_SIZE {
            return Err(Error::usage(format!("a record has more than {MAX_BLOCK_SIZE} bytes")));
        }
        // The fewer rows the more evenly they are shared out.
        let block_rows = rows.len().div_ceil(8 * self.jobs).clamp(1, (BLOCK_SIZE / record).max(1));
        let mut source = memory::Records { bytes: bytemuck::cast_slice(rows), size: row, block_rows };
        let mut sink = memory::Outputs::default();
        let job = Job {
            source: &mut source,
            sink: &mut sink,
            stop: &stop,
            jobs: self.jobs,
            sizes: Sizes { head: 0, block: record * block_rows, room: record * block_rows },
            block_timeout: None,
            tally: &Tally::default(),
            chunk_size: self.chunk_size,
        };
        self.executor.run(&mapping(&self.records, &self.name), job)?;
        if sink.0.len() != rows.len() * output {
            return Err(Error::spoilt());
        }
        Ok(bytemuck::allocation::pod_collect_to_vec(&sink.0))
    }
}

/// What a pool of this name has mapped.
fn mapping<'r, K: Kernel<Row: Pod, Output: Pod>>(records: &'r Records<'_, K>, name: &str) -> Mapping<'r> {
    let confinement = Confinement { filter: records.0.is_self_contained(), memory: None };
    Mapping { work: records, pickling: records, name: name.to_string(), confinement }
}
