//! A thread that starts processes, and does nothing else.
//!
//! A worker asks Linux to kill it with its parent. Linux does so as soon as the *thread* ends that started it. So workers are
//! started by a thread that lives as long as they may be needed, whichever threads ask for them: the maps of a pool may come
//! from different ones (`tests/pool/`).

use crate::process::exit;
use rustix::fd::OwnedFd;
use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// A process, and a descriptor of it where the system gives one.
pub type Started = (Child, Option<OwnedFd>);

/// The thread. It ends once this is dropped.
pub struct Starter(Sender<(Command, Sender<io::Result<Started>>)>);

impl Starter {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn new() -> io::Result<Self> {
        let (orders, ordered) = channel::<(Command, Sender<_>)>();
        let serve = move || {
            for (mut command, answer) in ordered {
                // Get the descriptor at once: the later, the likelier it is that the process has ended and others have reaped it.
                let started = command.spawn().map(|child| {
                    let exit = exit::descriptor(&child);
                    (child, exit)
                });
                // Whoever asked waits for the answer.
                let _ = answer.send(started);
            }
        };
        thread::Builder::new().name("starter".into()).spawn(serve)?;
        Ok(Starter(orders))
    }

    /// Has the thread start a process.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self, command: Command) -> io::Result<Started> {
        let (answer, answered) = channel();
        let gone = || io::Error::other("the thread that starts processes has ended");
        self.0.send((command, answer)).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }
}
