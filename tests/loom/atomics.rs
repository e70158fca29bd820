//! Atomics for the models: loom's, with the addition that the calling thread may die before any operation. By this the
//! models kill a worker between any two of its steps.

pub use loom::sync::atomic::{Ordering, fence};
use std::cell::Cell;

loom::thread_local! {
    static LEFT: Cell<Option<u32>> = Cell::new(None);
}

/// The payload with which a thread unwinds when it dies.
pub struct Died;

/// Makes the calling thread die just before its atomic operation number `steps`, counted from 0 from now on.
pub fn die_after(steps: u32) {
    LEFT.with(|left| left.set(Some(steps)));
}

fn step() {
    let dead = LEFT.with(|left| match left.get() {
        None => false,
        Some(0) => true,
        Some(steps) => {
            left.set(Some(steps - 1));
            false
        }
    });
    if dead {
        std::panic::resume_unwind(Box::new(Died));
    }
}

macro_rules! mortal {
    ($name:ident, $value:ty) => {
        pub struct $name(loom::sync::atomic::$name);

        impl Default for $name {
            fn default() -> Self {
                Self(loom::sync::atomic::$name::new(0))
            }
        }

        impl $name {
            pub fn load(&self, order: Ordering) -> $value {
                step();
                self.0.load(order)
            }
            pub fn store(&self, value: $value, order: Ordering) {
                step();
                self.0.store(value, order);
            }
            pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                step();
                self.0.fetch_add(value, order)
            }
            pub fn compare_exchange(
                &self,
                seen: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                step();
                self.0.compare_exchange(seen, new, success, failure)
            }
        }
    };
}
mortal!(AtomicU32, u32);
mortal!(AtomicU64, u64);
