//! Keeps the panic message of a worker process whose kernel panics. Several workers can panic on the same row. So a
//! worker does not print its message, but passes it to the parent, which prints one message, with the row. A panic
//! while a kernel is made ready is treated in the same way, because every worker would print it.
//!
//! In a program built with `panic = "abort"`, a panic ends the process before it can be caught. Such a panic is printed
//! by the worker, and the parent reports that the worker was killed by SIGABRT.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

/// The exit status of a worker that has panicked: the same as that of any Rust program that panics.
pub const STATUS: i32 = 101;

/// The largest length of a message in bytes, without the place in the source; the rest is cut off.
const LONGEST: usize = 500;

thread_local! {
    /// While [`caught`] runs in this thread: the message of the panic within it, or an empty string before any panic.
    /// `None` while `caught` does not run.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Installs a panic hook that keeps the messages of panics within [`caught`] instead of printing them. All other panics
/// are printed as before.
pub fn keep() {
    static KEPT: Once = Once::new();
    if cfg!(not(panic = "unwind")) {
        return;
    }
    KEPT.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_kept = PANIC.with_borrow_mut(|panic| panic.as_mut().map(|panic| *panic = words(info)).is_some());
            if !is_kept {
                print(info);
            }
        }));
    });
}

fn words(info: &PanicHookInfo) -> String {
    let message = info.payload_as_str().unwrap_or("with no message");
    let message = &message[..message.floor_char_boundary(LONGEST)];
    match info.location() {
        Some(place) => format!("{message} (at {place})"),
        None => message.to_string(),
    }
}

/// Calls `work` and returns its result.
///
/// # Errors
/// If `work` panics: the message of the panic, which is empty if [`keep`] was not called before.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    PANIC.set(Some(String::new()));
    // Unwind safety does not matter: after a panic nobody uses what `work` has changed.
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
        assert!(words.contains("!!! (at src/process/last_words.rs:"), "{words}");
    }
}
