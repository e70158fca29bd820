//! Stands in for `--compare` where this crate is built without it: no process is a run that is measured.

/// The settings of a run that is measured, of which there is none.
pub mod trial {
    use crate::error::Error;
    use crate::executor::Executor;
    use std::convert::Infallible;

    /// One that never is.
    #[derive(Clone, Copy)]
    pub struct Trial {
        never: Infallible,
        /// As in a comparison.
        pub pieces: Option<(usize, usize)>,
        /// As in a comparison.
        pub accounts: bool,
    }

    impl Trial {
        /// Returns none.
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

    /// Whether this process is one.
    pub fn is_trial() -> bool {
        false
    }
}
