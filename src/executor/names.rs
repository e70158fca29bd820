//! The names by which worker processes find what they are to map.
//!
//! A worker is this program started again: it takes the first pool or filter with the name it was given for its own. Two of the
//! same name would mix up their workers, with different kernels perhaps, and no error would show it. So names are counted, and a
//! name that was given twice is refused.

use crate::error::Error;
use std::collections::HashMap;
use std::panic::Location;
use std::sync::{Mutex, MutexGuard};

/// The name of a pool or a filter.
#[derive(Clone)]
pub struct Name {
    /// What worker processes know the pool or filter by.
    pub text: String,
    /// What has the name: "pool" or "filter".
    what: &'static str,
    /// Where in the source it is made.
    place: &'static Location<'static>,
    /// Whether the place is all that the name consists of.
    is_place: bool,
}

/// How often each name was given in this process. Names are never forgotten: a worker starts from the top of `main`, and so
/// also comes to pools that this process has dropped by the time the worker is started.
static GIVEN: Mutex<Option<HashMap<String, usize>>> = Mutex::new(None);

fn given() -> MutexGuard<'static, Option<HashMap<String, usize>>> {
    GIVEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Name {
    /// The name of a pool or a filter (`what`) that was given none: the place in the source where it is made.
    pub fn of_place(what: &'static str, place: &'static Location<'static>) -> Self {
        Self::entered(format!("{what} at {place}"), what, place, true)
    }

    /// The name that the program gives it. It is escaped, since it is passed in the environment, which takes no NUL.
    pub fn given(what: &'static str, name: &str, place: &'static Location<'static>) -> Self {
        Self::entered(format!("{what} {name:?}"), what, place, false)
    }

    fn entered(text: String, what: &'static str, place: &'static Location<'static>, is_place: bool) -> Self {
        *given().get_or_insert_default().entry(text.clone()).or_default() += 1;
        Name { text, what, place, is_place }
    }

    /// Refuses a name that was given twice.
    ///
    /// # Errors
    /// With what to do about it.
    pub fn check(&self) -> Result<(), Error> {
        let count = given().as_ref().and_then(|names| names.get(&self.text)).copied().unwrap_or_default();
        if count < 2 {
            return Ok(());
        }
        let Name { text, what, place, is_place } = self;
        let maker = if *what == "pool" { "Pool::named" } else { "FilterBuilder::named" };
        Err(Error::usage(if *is_place {
            format!(
                "{count} {what}s were made at {place}, and worker processes cannot tell which of them is theirs: make one {what} and \
                 keep it, or give each a name of its own with {maker}"
            )
        } else {
            format!(
                "{count} {what}s have the name of the {text} that was made at {place}, and worker processes cannot tell which \
                 of them is theirs: make one {what} and keep it, or give each another name"
            )
        }))
    }
}
