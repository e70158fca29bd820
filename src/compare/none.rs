//! Stands in for `--compare` if this crate is built without it. No process is then a trial, that is, a measured run.

/// The settings of a measured run. No process has any.
pub mod trial {
    use crate::error::Error;
    use crate::executor::Executor;
    use std::convert::Infallible;

    /// A trial. There is no value of this type.
    #[derive(Clone, Copy)]
    pub struct Trial {
        never: Infallible,
        /// As in `compare/trial.rs`.
        pub pieces: Option<(usize, usize)>,
        /// As in `compare/trial.rs`.
        pub accounts: bool,
    }

    impl Trial {
        /// Returns `None`: no process is a trial.
        ///
        /// # Errors
        /// Never.
        pub fn of_this_process() -> Result<Option<Self>, Error> {
            Ok(None)
        }

        /// Never called.
        pub fn executor(&self) -> Executor {
            match self.never {}
        }

        /// Never called.
        pub fn give_account() {}
    }

    /// Whether this process is a trial.
    pub fn is_trial() -> bool {
        false
    }
}
