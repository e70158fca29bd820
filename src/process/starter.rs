//! A thread that starts processes, and does nothing else.
//!
//! What is to be killed with its parent is killed, on Linux, as soon as the *thread* ends that has started it. So processes
//! that are to outlive whoever asks for them are started by a thread that lives as long as they do.

use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

/// A process, and a descriptor of it where the system gives one.
pub type Started = (Child, Option<OwnedFd>);

/// A command, and where the answer goes.
type Order = (Command, Sender<io::Result<Started>>);

/// Starts a process in this thread, and gets its descriptor at once: the later, the likelier it has ended and been reaped by others.
///
/// # Errors
/// When it cannot be started.
pub fn spawn(mut command: Command) -> io::Result<Started> {
    let child = command.spawn()?;
    let exit = Pid::from_raw(child.id() as i32).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    Ok((child, exit))
}

/// The thread. It ends when this is dropped.
pub struct Starter {
    /// None once it is being dropped.
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Starter {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn new() -> io::Result<Self> {
        let (orders, ordered) = channel::<Order>();
        let start = move || {
            for (command, answer) in ordered {
                // Whoever asked waits for it.
                let _ = answer.send(spawn(command));
            }
        };
        let thread = thread::Builder::new().name("starter".into()).spawn(start)?;
        Ok(Starter { orders: Some(orders), thread: Some(thread) })
    }

    /// Has the thread start a process.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self, command: Command) -> io::Result<Started> {
        let (answer, answered) = channel();
        let gone = || io::Error::other("the thread that starts processes has ended");
        self.orders.as_ref().ok_or_else(gone)?.send((command, answer)).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }
}

impl Drop for Starter {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
