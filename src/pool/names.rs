//! What tells the pools of a program apart, for worker processes to find theirs.
//!
//! A worker is the program again, which takes the first pool of the right name for its own. So no two may have the same: each
//! would get workers of whichever comes first in them, with another kernel perhaps, and nobody would notice.

use crate::error::Error;
use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::sync::{Mutex, MutexGuard};

/// A pool's name.
#[derive(Clone)]
pub struct Name {
    text: String,
    /// Where the pool is made.
    place: &'static Location<'static>,
}

/// How often each name was given in this process. It is never forgotten: a worker comes by pools, too, that are gone here by
/// the time that it is started.
static GIVEN: Mutex<Option<HashMap<String, usize>>> = Mutex::new(None);

fn given() -> MutexGuard<'static, Option<HashMap<String, usize>>> {
    GIVEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Name {
    /// For a pool that was given none: where it is made.
    pub fn of_place(place: &'static Location<'static>) -> Self {
        Self::entered(format!("pool at {place}"), place)
    }

    /// The one that it was given. Escaped, since it goes through the environment, which takes no NUL.
    pub fn given(name: &str, place: &'static Location<'static>) -> Self {
        Self::entered(format!("pool {name:?}"), place)
    }

    fn entered(text: String, place: &'static Location<'static>) -> Self {
        *given().get_or_insert_default().entry(text.clone()).or_default() += 1;
        Name { text, place }
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
        let Name { text, place } = self;
        Err(Error::usage(if text.starts_with("pool at ") {
            format!(
                "{count} pools were made at {place}, and worker processes cannot tell which of them is theirs: make one pool and \
                 keep it, or give each a name of its own with Pool::named"
            )
        } else {
            format!(
                "{count} pools have the name of the {text} that was made at {place}, and worker processes cannot tell which \
                 of them is theirs: make one pool and keep it, or give each another name"
            )
        }))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
