//! Processes: what this one was started with (`streams`), which of its streams kernels do not see (`aside`), how worker
//! processes are started (`launch`, `starter`, `descriptors`), confined (`confinement`), grouped with what they start
//! (`group`), woken (`bell`), watched and ended (`children`, `exit`, `death`), how messages are printed on stderr
//! (`console`), and how those of panics are kept (`last_words`).

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
