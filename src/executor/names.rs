//! The names by which worker processes find their pool or filter.
//!
//! A worker is this program started again, and is given a name. It runs `main` as usual until it comes to a pool or
//! filter with this name, for which it then works. If two pools had the same name, a worker of one could run the kernel
//! of the other, and no error would show this. Therefore names are counted, and a name that was given twice is refused.

use crate::error::{Error, locked};
use std::collections::HashMap;
use std::panic::Location;
use std::sync::Mutex;

/// The name of a pool or a filter.
#[derive(Clone)]
pub struct Name {
    /// The name as text, by which worker processes find the pool or filter.
    pub text: String,
    /// Kind of the name's owner: "pool" or "filter".
    what: &'static str,
    /// Where in the source the pool or filter is made.
    place: &'static Location<'static>,
    /// Whether the name was made from the place because the program gave none.
    is_place: bool,
}

/// How many times each name was given in this process. A pool that is dropped still counts. A worker runs `main` from
/// the start, so it makes the dropped pools too, and its counts must be the same as the parent's.
static GIVEN: Mutex<Option<HashMap<String, usize>>> = Mutex::new(None);

impl Name {
    /// Makes the name of a pool or filter to which the program gave none, from the place where it is made. `what` is
    /// "pool" or "filter".
    pub fn of_place(what: &'static str, place: &'static Location<'static>) -> Self {
        Self::entered(format!("{what} at {place}"), what, place, true)
    }

    /// Makes a name from `name`, which the program has chosen. `name` is escaped, because workers get it in an
    /// environment variable, which cannot contain NUL.
    pub fn given(what: &'static str, name: &str, place: &'static Location<'static>) -> Self {
        Self::entered(format!("{what} {name:?}"), what, place, false)
    }

    fn entered(text: String, what: &'static str, place: &'static Location<'static>, is_place: bool) -> Self {
        *locked(&GIVEN).get_or_insert_default().entry(text.clone()).or_default() += 1;
        Name { text, what, place, is_place }
    }

    /// Checks that the name was given only once.
    ///
    /// # Errors
    /// If the name was given more than once. The error contains advice to the programmer.
    pub fn check(&self) -> Result<(), Error> {
        let count = locked(&GIVEN).as_ref().and_then(|names| names.get(&self.text)).copied().unwrap_or_default();
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
