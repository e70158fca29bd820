//! The names by which worker processes find their pool among all pools of the program.
//!
//! A worker is the program again, which takes the first pool of the right name for its own. So no two pools may have the same name:
//! both would get workers of the one that is made first, perhaps with another kernel, and nobody would notice.

use crate::error::Error;
use std::collections::HashMap;
use std::panic::Location;
use std::sync::{Mutex, MutexGuard};

/// A pool's name.
#[derive(Clone)]
pub struct Name {
    /// What worker processes know the pool by.
    pub text: String,
    /// Where the pool is made.
    place: &'static Location<'static>,
}

/// How often each name was given in this process. A name is never forgotten: a worker that is started later also makes the pools
/// that are gone here by then.
static GIVEN: Mutex<Option<HashMap<String, usize>>> = Mutex::new(None);

fn given() -> MutexGuard<'static, Option<HashMap<String, usize>>> {
    GIVEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Name {
    /// For a pool that was given no name: the place where it is made.
    pub fn of_place(place: &'static Location<'static>) -> Self {
        Self::entered(format!("pool at {place}"), place)
    }

    /// For a pool that was given this name. It is escaped, since it goes through the environment, where no NUL may stand.
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
    /// When it was. The error says what to do about it.
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
