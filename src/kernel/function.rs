//! Functions and closures as kernels.

use super::{Kernel, Output, Row};
use std::fmt;
use std::marker::PhantomData;

/// A function of a row, given by value or by reference.
///
/// The trait is implemented for every function and closure that takes one row, so nobody has to write an
/// implementation. `M` marks how the function takes the row: it is [`ByValue`] or [`ByReference`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be mapped over rows",
    label = "this takes no row: not one argument, or one by value whose type lacks Clone, Serialize or Deserialize",
    note = "it takes one argument, the row: a tuple for several fields, as in |(a, b): (f64, f64)| a + b, or |&(a, b): &(f64, f64)| a + b",
    note = "the type of the argument is written out, and is a row: numbers, String, tuples, arrays, or a struct with #[derive(Clone, serde::Serialize, serde::Deserialize)]",
    note = "a function that changes what it has captured, or is given a state, is for pmapgcd::Stateful"
)]
pub trait Maps<M> {
    /// The row.
    type Row;
    /// What the row is mapped to.
    type Output;

    /// Returns the output of one row.
    fn output(&self, row: &Self::Row) -> Self::Output;
}

/// Marks a function that takes a row of type `R` by reference, and returns an `O`.
#[derive(Debug)]
pub struct ByReference<R, O>(PhantomData<fn(R) -> O>);

/// Marks a function that takes a row of type `R` by value, and returns an `O`.
#[derive(Debug)]
pub struct ByValue<R, O>(PhantomData<fn(R) -> O>);

impl<F: Fn(&R) -> O, R, O> Maps<ByReference<R, O>> for F {
    type Row = R;
    type Output = O;

    #[inline(always)]
    fn output(&self, row: &R) -> O {
        self(row)
    }
}

impl<F: Fn(R) -> O, R: Row + Clone, O> Maps<ByValue<R, O>> for F {
    type Row = R;
    type Output = O;

    #[inline(always)]
    fn output(&self, row: &R) -> O {
        self(row.clone())
    }
}

/// The settings of a kernel that is made of closures.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub names: Vec<String>,
    pub columns: Vec<String>,
    pub ignores_rest: bool,
    pub version: Option<String>,
    pub is_self_contained: bool,
}

/// `said!()` writes the methods that change the settings of a kernel made of closures. `said!(answers)` writes the
/// methods of [`Kernel`] that answer from these settings.
macro_rules! said {
    () => {
        /// Names the output columns that `--append` adds to the header: as many as an output has fields.
        pub fn names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
            self.said.names = names.into_iter().map(Into::into).collect();
            self
        }

        /// Sets the names of the columns that the function takes, in the order of the row's fields. If the input has a
        /// header, the columns with these names are taken, unless `--columns` chooses others. Without this call, the
        /// names are those of the struct's fields, if the row is a struct.
        pub fn columns<N: Into<String>>(mut self, columns: impl IntoIterator<Item = N>) -> Self {
            self.said.columns = columns.into_iter().map(Into::into).collect();
            self
        }

        /// Ignores the fields of a row that come after those that the function takes. Without this call, a row with
        /// such fields is bad.
        pub fn ignoring_rest(mut self) -> Self {
            self.said.ignores_rest = true;
            self
        }

        /// Sets the version that `--version` prints. Usually it is `env!("CARGO_PKG_VERSION")`.
        pub fn version(mut self, version: impl Into<String>) -> Self {
            self.said.version = Some(version.into());
            self
        }

        /// Says that the function asks the system for nothing but memory and the time of the clock. Workers are then
        /// confined. See [`Kernel::is_self_contained`](crate::Kernel::is_self_contained).
        pub fn self_contained(mut self) -> Self {
            self.said.is_self_contained = true;
            self
        }
    };
    (answers) => {
        fn name(&self) -> &str {
            self.said.names.first().map_or("result", String::as_str)
        }

        fn names(&self) -> Vec<String> {
            match &self.said.names[..] {
                [] => $crate::kernel::rows::names::by_type(self),
                names => names.to_vec(),
            }
        }

        fn columns(&self) -> Vec<String> {
            match &self.said.columns[..] {
                [] => $crate::kernel::rows::columns::<Self::Row>(),
                columns => columns.to_vec(),
            }
        }

        fn ignores_rest(&self) -> bool {
            self.said.ignores_rest
        }

        fn version(&self) -> Option<&str> {
            self.said.version.as_deref()
        }

        fn is_self_contained(&self) -> bool {
            self.said.is_self_contained
        }
    };
}
pub(super) use said;

/// A kernel that consists of a function: [`Function()`] makes one.
///
/// Where the type must be written out, `F` is the type of the function, and `M` marks how the function takes rows:
/// `Function<fn(&[u64; 2]) -> u64, ByReference<[u64; 2], u64>>`.
pub struct Function<F, M> {
    function: F,
    said: Said,
    taking: PhantomData<fn(M)>,
}

impl<F: Clone, M> Clone for Function<F, M> {
    fn clone(&self) -> Self {
        Function { function: self.function.clone(), said: self.said.clone(), taking: PhantomData }
    }
}

impl<F, M> fmt::Debug for Function<F, M> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Function({:?})", self.said)
    }
}

/// Makes a kernel of a function or closure, which is given each row by value or by reference.
///
/// ```
/// use pmapgcd::{Function, Kernel};
///
/// fn hypotenuse((a, b): (f64, f64)) -> f64 {
///     a.hypot(b)
/// }
/// assert_eq!(Function(hypotenuse).map(&(3.0, 4.0)), 5.0);
///
/// let factor = 2.5;
/// let scaled = Function(move |&x: &f64| x * factor).names(["scaled"]);
/// assert_eq!(scaled.map(&4.0), 10.0);
/// ```
#[allow(non_snake_case)] // It is called as if it were a constructor of the type.
pub fn Function<F, M>(function: F) -> Function<F, M>
where
    F: Maps<M>,
    F::Row: Row,
    F::Output: Output,
{
    Function { function, said: Said::default(), taking: PhantomData }
}

impl<F, M> Function<F, M> {
    said!();
}

impl<F, M> Kernel for Function<F, M>
where
    F: Maps<M> + Sync,
    F::Row: Row,
    F::Output: Output,
{
    type Row = F::Row;
    type Output = F::Output;

    #[inline(always)]
    fn map(&self, row: &F::Row) -> F::Output {
        self.function.output(row)
    }

    said!(answers);
}
