//! Processes: what this one was started with, and the worker processes that it starts.
//!
//! - `streams`: what this process was started with. `aside`: which of its streams kernels do not see.
//! - `launch`, `starter`, `descriptors`: how worker processes are started. `confinement`: how they are confined.
//! - `children`, `exit`, `death`: how worker processes are watched and ended. `bell`: how a thread that waits for
//!   workers is woken. `group`: how processes are killed together with what they start.
//! - `console`: how messages are printed on stderr. `last_words`: how panic messages are kept.

pub mod aside;
pub mod bell;
pub mod children;
pub mod confinement;
pub mod console;
pub mod death;
pub mod descriptors;
mod exit;
pub mod group;
pub mod last_words;
pub mod launch;
mod starter;
pub mod streams;
