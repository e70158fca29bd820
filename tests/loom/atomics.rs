//! loom's atomics, in the place of std's. Before each operation on them the calling thread may die: that is how the models kill
//! a worker between any two of its steps.

pub use loom::sync::atomic::Ordering;
use std::cell::Cell;

loom::thread_local! {
    static LEFT: Cell<Option<u32>> = Cell::new(None);
}

/// What a thread that has run out of steps unwinds with.
pub struct Died;

/// The calling thread dies just before its `steps`-th atomic operation from here, counted from 0.
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
