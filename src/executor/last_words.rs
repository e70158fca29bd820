//! What a worker process says when its kernel panics. It is not printed by each worker that dies of the row, but handed to the
//! parent, which says it once, of that row.
//!
//! A program that is built with `panic = "abort"` ends before a panic can be caught. Its panics are printed as they come, and the
//! parent says that the worker was killed by SIGABRT.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

/// What a Rust program that panics ends with.
pub const STATUS: i32 = 101;

/// How many bytes of a message are kept.
const LONGEST: usize = 500;

thread_local! {
    /// What the panic in [`caught`] said, empty before there is one. None outside of `caught`.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From here on panics within [`caught`] are not printed. All others are printed as before.
pub fn keep() {
    if cfg!(not(panic = "unwind")) {
        return;
    }
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let is_kept = PANIC.with_borrow_mut(|panic| panic.as_mut().map(|panic| *panic = words(info)).is_some());
        if !is_kept {
            print(info);
        }
    }));
}

fn words(info: &PanicHookInfo) -> String {
    let message = info.payload_as_str().unwrap_or("with no message");
    let message = &message[..message.floor_char_boundary(LONGEST)];
    match info.location() {
        Some(place) => format!("{message} (at {place})"),
        None => message.to_string(),
    }
}

/// What `work` answers, or what it said when it panicked.
///
/// # Errors
/// When it panics.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    PANIC.set(Some(String::new()));
    // Nothing of what it leaves behind is used again: this process ends.
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    let words = PANIC.take();
    result.map_err(|_| words.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_panic_is_answered_with_its_place_and_others_are_left_alone() {
        let found = thread::spawn(|| {
            keep();
            assert_eq!(caught(|| 5), Ok(5));
            assert!(panic::catch_unwind(|| panic!("outside, which prints this")).is_err());
            assert_eq!(PANIC.take(), None);
            let other = thread::spawn(|| panic!("another thread, which prints this"));
            assert!(other.join().is_err());
            caught(|| panic!("a {} that panics{}", "kernel", "!".repeat(1000)))
        });
        let words: String = found.join().unwrap().map(|()| String::new()).unwrap_err();
        assert!(words.starts_with("a kernel that panics!!!") && words.len() < LONGEST + 100, "{words}");
        assert!(words.contains("!!! (at src/executor/last_words.rs:"), "{words}");
    }
}
