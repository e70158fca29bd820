//! Maps a function over the rows of a CSV in parallel, through shared memory.
//!
//! This is the crate behind the `pmapgcd` command. Rows are read once into a segment that worker processes share;
//! whichever worker is free claims the next block of rows, computes it there, and the results are written out from
//! there, in input order. A worker that dies, of whatever, costs one block's time.
//!
//! Use it where a row costs well under a millisecond and must not take the whole program down with it. Where rows are
//! in memory already and the function cannot crash, threads are simpler; where a row costs seconds, so is a process
//! for each.
// Under the model checker only `ring` is compiled, by tests/loom.rs itself.
#![cfg(not(loom))]

mod bad_row;
mod cli;
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
pub use cli::{Options, filter, parse};
pub use csv::{Format, record::Record};
pub use error::Error;
pub use executor::Executor;
pub use filter::{Filter, FilterBuilder, Summary};
pub use kernel::gcd::{Algorithm, Divisors, Gcd, Gcd64, Pairs};
pub use kernel::{Batch, BatchKernel, Function, Kernel, Written};
pub use pool::Pool;
#[doc(hidden)]
pub use process::streams::note as __note_closed_streams;
pub use work::text::OnBadRow;

/// The examples of the README are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
