//! Maps a function over the rows of a CSV in parallel, through shared memory.
//!
//! This is the crate behind the `pmapgcd` command. Rows are read once into a segment of memory that worker processes
//! share. Whichever worker is free claims the next block of rows and computes it there, and the results are written out
//! from there, in input order. A worker that dies, of whatever, costs one block's time, not the run.
//!
//! Use it where a row costs well under a millisecond and must not take the whole program down with it. Where rows are
//! in memory already and the function cannot crash, threads are simpler. Where a row costs seconds, a process for each
//! row is simpler.
//!
//! # The function
//!
//! A function from a row to an output is a [`Kernel`]; of its methods only `map` has to be written. Here it is mapped over rows
//! that are in memory already, by a [`Pool`]:
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
//! [`filter`] makes a whole program of a kernel, with all options of `pmapgcd`, in one line of `main`; its documentation has the
//! example. The feature `cli` is for that.
//!
//! # What a program must do first
//!
//! Worker processes are this program, started again with the same arguments. A worker runs `main` until it comes to the
//! call that it was started for: [`filter`], [`Options::run`] or [`FilterBuilder::build`] for rows of text, [`Pool::new`] for
//! rows in memory. There it serves its parent, and does not get past that call. So make the kernel and come to that call first thing in `main`: what is
//! done before is done again in each worker, and the workers must come by the same calls as their parent.
//!
//! Worker processes end by SIGKILL as a rule: when the parent needs them no more, when they take too long, and with the parent.
//! So nothing of a kernel is dropped there, and what it has buffered is not written. A kernel holds settings, not state, and
//! what it does for one row must not depend on the rows before.
//!
//! # What is where
//!
//! | to | use |
//! |---|---|
//! | map over rows in memory | [`Pool`] |
//! | map over CSV from any reader to any writer | [`Filter`] |
//! | write a filter with all options of `pmapgcd` | [`filter`]; with options of its own, [`Options`] and [`parse`] (feature `cli`) |
//! | have closed standard streams noticed | [`note_closed_streams!`] |
//! | choose who works: one loop, threads, or processes | [`Executor`] |
//! | map a plain function | [`Function`] |
//! | compute greatest common divisors | [`Gcd`] over rows of text, [`Gcd64`] over rows in memory |
//! | say what went wrong | [`Error`] is why a run ended; a [`BadRow`] is what a kernel finds wrong with a row |
//!
//! And of each trait these have to be written:
//!
//! | trait | methods |
//! |---|---|
//! | [`Kernel`] | `map`. `is_self_contained` is worth the line where it is true: workers are then confined |
//! | [`BatchKernel`](batch::BatchKernel) | `result_name`, `read`, `map_batch` and `write`, and the types of rows and outputs. Every `Kernel` is one; write one only for a form of rows that serde has not |
//! | [`Batch`](batch::Batch) | `len` and `clear`. A `Vec` is one |
//!
//! # Features
//!
//! `cli`, on by default: the command line, which is `filter`, `Options`, `parse` and the `pmapgcd` command. Without this feature
//! there are [`Filter`], [`Pool`] and the kernels, and no dependency on clap.
// Under the model checker only `ring` is compiled, by tests/loom.rs itself.
#![cfg(not(loom))]
// Without the command line nobody opens files, replaces them or cuts them into ranges.
#![cfg_attr(not(feature = "cli"), allow(dead_code))]

mod bad_row;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
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
#[cfg(feature = "cli")]
pub use cli::{Options, filter, parse};
pub use csv::{Format, record::Record};
pub use error::Error;
pub use executor::Executor;
pub use filter::{Filter, FilterBuilder, Summary};
pub use kernel::gcd::{Algorithm, Gcd, Gcd64};
pub use kernel::{Function, Kernel};
pub use pool::Pool;
#[doc(hidden)]
pub use process::streams::note as __note_closed_streams;
pub use work::text::OnBadRow;

/// Kernels that take rows by the batch, in a form of their own.
pub mod batch {
    pub use crate::kernel::batch::{Batch, BatchKernel, Written};
    pub use crate::kernel::gcd::{Divisors, Pairs};
}

/// The examples of the README are compiled.
#[cfg(all(doctest, feature = "cli"))]
#[doc = include_str!("../README.md")]
struct Readme;
