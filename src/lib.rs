//! Maps a function over the rows of a CSV in parallel, through shared memory.
//!
//! This is the crate behind the `pmapgcd` command. Rows are read once, into a segment of memory that worker processes
//! share. Each worker that is free claims the next block of rows and computes its results in the segment. The results
//! are written to the output from there, in input order. If a worker dies, only its block is computed again, and the
//! run goes on. If workers keep dying on the same row, that row is a bad one.
//!
//! Use this crate if a row costs well under a millisecond, and a crash on one row must not end the whole program. If
//! the rows are in memory already and the function cannot crash, threads are simpler. If a row costs seconds, one
//! process for each row is simpler.
//!
//! # The function
//!
//! A [`Kernel`] is a function from a row to an output. Only its types `Row` and `Output` and its method `map` have to
//! be written. In this example a [`Pool`] maps a kernel over rows that are in memory already:
//!
//! ```
//! use pmapgcd::{Executor, Kernel, Pool};
//!
//! struct Scaled(u64);
//!
//! impl Kernel for Scaled {
//!     type Row = u64;
//!     type Output = u64;
//!     fn map(&self, row: &u64) -> u64 {
//!         row * self.0
//!     }
//! }
//!
//! fn main() -> Result<(), pmapgcd::Error> {
//!     let scaled = Scaled(3);
//!     let pool = Pool::new(&scaled).executor(Executor::Threads);
//!     assert_eq!(pool.map(&[1, 2, 3])?, [3, 6, 9]);
//!     Ok(())
//! }
//! ```
//!
//! [`filter()`] makes a whole program of a kernel, with all options of `pmapgcd`, in one line of `main`; its
//! documentation has an example. It needs the feature `cli`.
//!
//! # What a program must do first
//!
//! A worker process is this program, started again with the same arguments. It runs `main` up to the call that it is to
//! serve: [`filter()`], [`Options::run`] or [`FilterBuilder::build`] for rows of text, [`Pool::new`] for rows in
//! memory. In the worker that call serves the parent until there is no more work, and usually the worker never runs the
//! rest of `main`. Therefore make the kernel and reach that call first thing in `main`. Whatever the program does
//! before the call, each worker does again, and the workers must make the same calls in the same order as their parent.
//!
//! Worker processes usually end by SIGKILL: when the parent no longer needs them, when they take too long, and when the
//! parent ends. So do not rely on a kernel's `Drop` in a worker: usually it does not run, and output that the kernel
//! has buffered is lost. A kernel should hold settings and no state: what it does for one row must not depend on the
//! rows before.
//!
//! # What is where
//!
//! | to | use |
//! |---|---|
//! | map over rows in memory | [`Pool`] |
//! | map over CSV from any reader to any writer | [`Filter`] |
//! | write a filter with all options of `pmapgcd` | [`filter()`]; with options of its own, [`Options`] and [`parse`] (feature `cli`) |
//! | notice standard streams that are closed | [`note_closed_streams!`] |
//! | choose who works: one loop, threads, or processes | [`Executor`] |
//! | map a function or a closure | [`Function()`] |
//! | give each worker something that it opens once | [`Stateful`] |
//! | make a row a bad one, with a reason | return a `Result`, perhaps with a [`BadRow`] |
//! | do something once, and not in each worker | [`is_worker`] |
//! | compute greatest common divisors | [`Gcd`] over rows of text, [`Gcd64`] over rows in memory |
//! | say what went wrong | [`Error`] is why a run ended; a [`BadRow`] is what a kernel finds wrong with a row |
//!
//! These methods of the traits have to be written:
//!
//! | trait | methods |
//! |---|---|
//! | [`Kernel`] | `map`. Optionally `is_self_contained`: if it returns true, workers are confined to memory and the
//! clock |
//! | [`BatchKernel`](batch::BatchKernel) | `result_name`, `read`, `map_batch` and `write`, and the types of rows and outputs. Every `Kernel` is a `BatchKernel`; write one only if rows must be kept in a form that serde cannot make, such as columns |
//! | [`Batch`](batch::Batch) | `len` and `clear`. A `Vec` is one |
//!
//! # Features
//!
//! All are on by default. A program with a kernel of its own needs only `cli`: `default-features = false, features =
//! ["cli"]`.
//!
//! | feature | what it brings |
//! |---|---|
//! | `cli` | the command line: `filter`, `Options`, `parse`. Without it the crate has [`Filter`], [`Pool`] and the kernels, and does not depend on clap |
//! | `big` | integers of any size: `Gcd` and `Integer` |
//! | `pickle` | [`Executor::Pickle`] |
//! | `color` | colours in messages and help, and help as wide as the terminal |
//! | `pages` | `--man` and `--completions` |
//! | `json` | `--stats=json` |
//! | `compare`, `plot` | `--compare`, and its `--plot` |
//! | `stock` | what only the `pmapgcd` command has: `--command`, `--kernel` and `--python` |
// Some code is used by one feature only: for example, only the command line opens, replaces and cuts files. Without the
// feature, that code is dead.
#![cfg_attr(not(all(feature = "cli", feature = "pickle", feature = "plot", feature = "stock")), allow(dead_code))]

#[cfg(not(target_os = "linux"))]
compile_error!("pmapgcd is for Linux: its workers wait on futexes, and share memory in /dev/shm");

mod bad_row;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "compare")]
mod compare;
#[cfg(all(feature = "cli", not(feature = "compare")))]
#[path = "compare/none.rs"]
mod compare;
mod csv;
mod error;
mod executor;
mod filter;
mod flow;
#[cfg(fuzzing)]
#[path = "../fuzz/judges/mod.rs"]
pub mod fuzzing;
mod input;
mod kernel;
mod output;
mod pool;
mod process;
mod ring;
mod steps;
mod tally;
mod vectors;
mod work;

pub use bad_row::BadRow;
#[cfg(feature = "stock")]
#[doc(hidden)]
pub use cli::{CommandOptions as __CommandOptions, KernelOptions as __KernelOptions, PythonOptions as __PythonOptions};
#[cfg(feature = "cli")]
pub use cli::{Options, filter, parse};
pub use csv::{Format, notation::Notation, record::Record};
#[cfg(feature = "big")]
#[doc(no_inline)]
pub use dashu_int;
pub use error::Error;
pub use executor::Executor;
pub use filter::{Filter, FilterBuilder, Summary};
pub use kernel::function::{ByReference, ByValue, Maps};
pub use kernel::gcd::{Algorithm, Gcd64};
#[cfg(feature = "big")]
pub use kernel::gcd::{Base, Gcd};
#[cfg(feature = "big")]
pub use kernel::integer::Integer;
pub use kernel::stateful::{MapsWith, Stateful};
pub use kernel::{Function, Kernel, Output, Row};
pub use pool::Pool;
#[doc(hidden)]
pub use process::streams::note as __note_closed_streams;
pub use work::text::OnBadRow;

/// Whether this process was started by this program itself: as a worker, as one of the runs that `--compare` measures,
/// or to tell this program the names of the fields of an output.
///
/// Such a process, too, runs `main` until it reaches its filter or pool. So if something before that point must happen
/// only once, do it only if this function returns false:
///
/// ```no_run
/// # use pmapgcd::Function;
/// fn main() -> std::process::ExitCode {
///     if !pmapgcd::is_worker() {
///         eprintln!("reading rows; this is said once");
///     }
///     pmapgcd::filter("Double each number", &Function(|x: f64| 2.0 * x))
/// }
/// ```
pub fn is_worker() -> bool {
    #[cfg(feature = "cli")]
    let is_trial = compare::trial::is_trial() || cli::names::is_asked();
    #[cfg(not(feature = "cli"))]
    let is_trial = false;
    is_trial || executor::worker::is_worker()
}

/// Kernels that take a batch of rows at a time, in a form of their own.
pub mod batch {
    #[doc(hidden)]
    pub use crate::csv::index::Index;
    pub use crate::csv::index::Rows;
    pub use crate::kernel::batch::{Batch, BatchKernel, Written};
    #[cfg(feature = "big")]
    pub use crate::kernel::gcd::{Divisors, Pairs};
}

/// Holds the README as documentation, so that its examples are compiled and run as tests.
#[cfg(all(doctest, feature = "stock"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// Holds the page about kernels in Rust as documentation, so that its examples are compiled and run as tests.
#[cfg(all(doctest, feature = "stock"))]
#[doc = include_str!("../docs/rust.md")]
struct RustPage;
