//! Kernels with something that each worker makes once: a model, a connection, a cache.

use super::function::{Said, said};
use super::{Kernel, Output, Row};
use std::any::Any;
use std::cell::RefCell;
use std::fmt::Display;
use std::marker::PhantomData;

/// A function of a state and a row. It takes the state by `&mut`, and the row by value or by reference.
///
/// The trait is implemented for every function and closure that takes a state and a row, so nobody has to write an
/// implementation. `M` marks whether the function takes the row by value or by reference.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be mapped over rows with a state of type `{S}`",
    label = "this takes no state and row: not these two arguments, or a row by value whose type lacks Clone, Serialize or Deserialize",
    note = "it takes two arguments, as in |model: &mut Model, (x, y): (f64, f64)| model.score(x, y), and the type of the second is written out",
    note = "by value, the row is Clone, as a struct with #[derive(Clone, serde::Serialize, serde::Deserialize)] is"
)]
pub trait MapsWith<S, M> {
    /// The row.
    type Row;
    /// What the row is mapped to.
    type Output;

    /// Returns the output of one row.
    fn output(&self, state: &mut S, row: &Self::Row) -> Self::Output;
}

impl<F: Fn(&mut S, &R) -> O, S, R, O> MapsWith<S, super::function::ByReference<R, O>> for F {
    type Row = R;
    type Output = O;

    #[inline(always)]
    fn output(&self, state: &mut S, row: &R) -> O {
        self(state, row)
    }
}

impl<F: Fn(&mut S, R) -> O, S, R: Row + Clone, O> MapsWith<S, super::function::ByValue<R, O>> for F {
    type Row = R;
    type Output = O;

    #[inline(always)]
    fn output(&self, state: &mut S, row: &R) -> O {
        self(state, row.clone())
    }
}

thread_local! {
    /// The states of this thread, each with the number of its kernel. The `dyn Any` is a `Result`: the state, or the
    /// reason why it could not be opened.
    static STATES: RefCell<Vec<(usize, Box<dyn Any>)>> = const { RefCell::new(vec![]) };
}

/// A kernel that is given a state, which each worker opens once: a model, a connection, a table.
///
/// The output for a row must not depend on the rows before, because it is a matter of chance which rows a worker
/// gets.
///
/// ```no_run
/// use pmapgcd::Stateful;
/// use std::{collections::HashMap, fs, process::ExitCode};
///
/// type Rates = HashMap<String, f64>;
///
/// fn open() -> Result<Rates, String> {
///     let text = fs::read_to_string("rates.txt").map_err(|error| format!("rates.txt: {error}"))?;
///     let rate = |line: &str| Some((line.split_once(' ')?.0.to_string(), line.split_once(' ')?.1.parse().ok()?));
///     Ok(text.lines().filter_map(rate).collect())
/// }
///
/// fn convert(rates: &mut Rates, (currency, amount): (String, f64)) -> Option<f64> {
///     Some(rates.get(&currency)? * amount)
/// }
///
/// fn main() -> ExitCode {
///     pmapgcd::filter("Print each amount `currency,amount` in euro", &Stateful::new(open, convert))
/// }
/// ```
pub struct Stateful<S, E, O, F, M> {
    open: O,
    function: F,
    said: Said,
    of: PhantomData<fn(M) -> (S, E)>,
}

impl<S, E, O, F, M> Stateful<S, E, O, F, M>
where
    S: 'static,
    E: Display,
    O: Fn() -> Result<S, E>,
    F: MapsWith<S, M>,
    F::Row: Row,
    F::Output: Output,
{
    /// Makes a kernel of two functions. Each worker calls `open` once. `function` is then called for each row, with the
    /// state that `open` has returned.
    ///
    /// If `open` fails, its error is printed once, and the run ends with status 2.
    pub fn new(open: O, function: F) -> Self {
        Stateful { open, function, said: Said::default(), of: PhantomData }
    }
}

impl<S, E, O, F, M> Stateful<S, E, O, F, M> {
    said!();

    /// Returns a number that tells this kernel from all others that are in use: its address.
    fn number(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl<S, E, O, F, M> Stateful<S, E, O, F, M>
where
    S: 'static,
    E: Display,
    O: Fn() -> Result<S, E>,
{
    /// Takes this kernel's state out of the `STATES` of this thread, passes it to `then`, and puts it back. Opens the
    /// state only if nobody has tried to open it before. A second attempt would be made when the worker is confined
    /// already. It would fail for that reason, and hide the first error.
    fn with<T>(&self, then: impl FnOnce(&mut S) -> T) -> Result<T, String> {
        let number = self.number();
        let taken = STATES.with_borrow_mut(|states| {
            let at = states.iter().position(|(of, _)| *of == number)?;
            states.swap_remove(at).1.downcast::<Result<S, String>>().ok()
        });
        let mut state = taken.unwrap_or_else(|| Box::new((self.open)().map_err(|error| error.to_string())));
        let done = match &mut *state {
            Ok(state) => Ok(then(state)),
            Err(what) => Err(what.clone()),
        };
        STATES.with_borrow_mut(|states| states.push((number, state)));
        done
    }
}

impl<S, E, O, F, M> Kernel for Stateful<S, E, O, F, M>
where
    S: 'static,
    E: Display,
    O: Fn() -> Result<S, E> + Sync,
    F: MapsWith<S, M> + Sync,
    F::Row: Row,
    F::Output: Output,
{
    type Row = F::Row;
    type Output = F::Output;

    /// # Panics
    /// If the state cannot be opened. A worker calls `open` before it maps rows, and so learns of this earlier.
    fn map(&self, row: &F::Row) -> F::Output {
        match self.with(|state| self.function.output(state, row)) {
            Ok(output) => output,
            Err(what) => panic!("{what}"),
        }
    }

    fn map_rows(&self, rows: &[F::Row], outputs: &mut Vec<F::Output>) {
        let mapped = self.with(|state| outputs.extend(rows.iter().map(|row| self.function.output(state, row))));
        if let Err(what) = mapped {
            panic!("{what}");
        }
    }

    fn open(&self) -> Result<(), String> {
        self.with(|_| ())
    }

    fn close(&self) {
        let number = self.number();
        STATES.with_borrow_mut(|states| states.retain(|(of, _)| *of != number));
    }

    said!(answers);
}
