//! Processes: what this one was started with, how others are started, confined, watched and ended.

pub mod children;
pub mod confinement;
pub mod console;
mod death;
mod descriptors;
mod exit;
pub mod launch;
mod starter;
pub mod streams;
