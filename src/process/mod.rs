//! Processes: what this process was started with (`streams`), which of its streams kernels do not see (`aside`), how
//! worker processes are started (`launch`, `starter`, `descriptors`), confined (`confinement`), watched and ended
//! (`children`, `exit`, `death`), how a thread that waits for them is woken (`bell`), how processes are killed together
//! with what they start (`group`), how messages are printed on stderr (`console`), and how panic messages are kept
//! (`last_words`).

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
