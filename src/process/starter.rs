//! A thread that only starts processes.
//!
//! A worker asks Linux to kill it when its parent ends. Linux does so as soon as the *thread* that started the worker
//! ends. Therefore all workers are started by one thread that lives as long as the workers do. Any thread can ask this
//! thread for a worker, because a program can call the maps of a pool from different threads (`tests/pool/`).

use crate::process::exit;
use rustix::fd::OwnedFd;
use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// A started process, and its descriptor if the system gives one.
pub type Started = (Child, Option<OwnedFd>);

/// Handle of the thread that starts processes. Dropping it closes the queue of commands, which ends the thread.
pub struct Starter(Sender<(Command, Sender<io::Result<Started>>)>);

impl Starter {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub fn new() -> io::Result<Self> {
        let (orders, ordered) = channel::<(Command, Sender<_>)>();
        let serve = move || {
            for (mut command, answer) in ordered {
                // Get the descriptor at once. The later it is requested, the more likely the process has ended and
                // other code has reaped it.
                let started = command.spawn().map(|child| {
                    let exit = exit::descriptor(&child);
                    (child, exit)
                });
                // Sending cannot fail in practice: the thread that asked waits for the answer.
                let _ = answer.send(started);
            }
        };
        thread::Builder::new().name("starter".into()).spawn(serve)?;
        Ok(Starter(orders))
    }

    /// Tells the thread to start a process, and waits until the process is started.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn spawn(&self, command: Command) -> io::Result<Started> {
        let (answer, answered) = channel();
        let gone = || io::Error::other("the thread that starts processes has ended");
        self.0.send((command, answer)).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }
}
