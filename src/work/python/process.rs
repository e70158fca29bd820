//! One process of Python: how it is started, and the exchange of messages with it.
//!
//! The standard input of Python is the memory that it shares with this process. At first this memory holds the program
//! that Python runs (`python/pmapgcd/_worker.py`), and later columns. This process does not map the memory, but copies
//! to and from it by `pwrite` and `pread`.
//!
//! This file is long because Python may end after any message, which the code for each message must handle.

use super::message::{Kind, LENGTH, Message};
use crate::error::{locked, reason};
use crate::process::children::NUMBER;
use crate::process::console::say;
use crate::process::death;
use crate::process::descriptors::keep_standard_streams_only;
use crate::process::group::Group;
use crate::process::streams::restore_signals;
use crate::steps::{Step, lap};
use crate::work::stderr::Stderr;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{MemfdFlags, OFlags, SealFlags, fcntl_add_seals, fcntl_getfl, fcntl_setfl, memfd_create};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, pidfd_open, prlimit};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The program that Python runs.
pub const PROGRAM: &str = include_str!("../../../python/pmapgcd/_worker.py");

/// The environment variable that names the interpreter.
pub const INTERPRETER: &str = "PMAPGCD_PYTHON";

/// Variables that tell libraries for numbers how many threads to start. They are set to 1, because each worker has a
/// processor of its own.
const THREADS: [&str; 3] = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"];

/// How long Python may take to start, before it imports anything of the user's.
const GREETING: Duration = Duration::from_secs(60);
/// How long an import may take before a message says so.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long Python may live on after it has closed its socket.
const LINGER: Duration = Duration::from_secs(1);
/// Time between two checks whether the answer is still needed.
const ROUND: Duration = Duration::from_millis(100);
/// The same if each check must also ask whether the process has ended: because the system has no descriptor that tells
/// us, or because the process has closed its socket.
const SHORT_ROUND: Duration = Duration::from_millis(5);
/// The most bytes of an answer.
const MOST: u64 = 2 << 30;

/// Held while a process is started. Otherwise a process that another thread starts at the same time could inherit
/// Python's end of the socket and keep it open after Python's death.
static STARTING: Mutex<()> = Mutex::new(());

/// Returns the interpreter: that of `PMAPGCD_PYTHON`, or that of a virtual environment, or the one in `PATH`.
pub fn interpreter() -> OsString {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let of_environment = || {
        let folder = set("VIRTUAL_ENV")?;
        ["bin/python3", "bin/python"].map(|name| Path::new(&folder).join(name)).into_iter().find(|path| path.exists())
    };
    set(INTERPRETER).or_else(|| of_environment().map(OsString::from)).unwrap_or_else(|| "python3".into())
}

/// A process of Python with its process group. When it is dropped, the whole group is killed.
pub struct Running {
    group: Group,
    child: Child,
    /// Becomes readable when the process has ended. `None` if the system has no such descriptors.
    exit: Option<OwnedFd>,
    socket: OwnedFd,
    memory: File,
    said: Stderr,
    number: u64,
}

/// Why Python could not be started.
pub enum Unstarted {
    /// Another process killed it by a signal, so it may be started again. The string is the predicate of a sentence.
    Killed(String),
    /// Anything else. The string is a sentence. If it comes from [`Running::greeting`], the sentence lacks its subject.
    Unusable(String),
}

impl From<String> for Unstarted {
    fn from(what: String) -> Self {
        Unstarted::Unusable(what)
    }
}

/// The outcome of a request.
pub enum Reply {
    /// An answer to the request.
    Answer(Message),
    /// The process has ended.
    Ended(ExitStatus),
    /// The process lives, but cannot answer any more, or answers nonsense. The string is the predicate of a sentence.
    Useless(String),
    /// The answer is not needed any more.
    Abandoned,
}

impl Running {
    /// Starts the interpreter for the worker with this number. The interpreter may use at most `most_memory` bytes of
    /// memory.
    ///
    /// # Errors
    /// If the system refuses descriptors or processes, or if there is no such program.
    pub fn start(interpreter: &OsString, worker: u32, most_memory: Option<u64>) -> io::Result<Self> {
        let memory = File::from(memfd_create("pmapgcd-python", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
        memory.write_all_at(PROGRAM.as_bytes(), 0)?;
        fcntl_add_seals(&memory, SealFlags::SHRINK)?;
        let (stderr, their_stderr) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setfl(&stderr, fcntl_getfl(&stderr)? | OFlags::NONBLOCK)?;
        let group = Group::new()?;
        let mut command = Command::new(interpreter);
        command.arg("-").arg("pmapgcd").process_group(group.number());
        command.stdin(memory.try_clone()?).stdout(their_stderr.try_clone()?).stderr(their_stderr);
        command.env(NUMBER, worker.to_string());
        for name in THREADS.into_iter().filter(|name| std::env::var_os(name).is_none()) {
            command.env(name, "1");
        }
        let (socket, child) = {
            let _starting = locked(&STARTING);
            let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
            fcntl_setfd(&theirs, FdFlags::empty())?;
            command.arg(theirs.as_raw_fd().to_string());
            keep_standard_streams_only(&mut command, None, Some(theirs.as_raw_fd()));
            restore_signals(&mut command);
            (ours, command.spawn()?)
        };
        let pid = Pid::from_raw(child.id() as i32);
        if let (Some(most), Some(pid)) = (most_memory, pid) {
            let limit = Rlimit { current: Some(most), maximum: Some(most) };
            let _ = prlimit(Some(pid), Resource::As, limit);
        }
        let exit = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        let mut said = Stderr::of(stderr);
        said.release();
        Ok(Running { group, child, exit, socket, memory, said, number: 0 })
    }

    /// Waits for the greeting. Returns the version of Python, as `sys.hexversion` has it.
    ///
    /// # Errors
    /// If no greeting comes: the reason, as the predicate of a sentence.
    pub fn greeting(&mut self, is_abandoned: &AtomicBool) -> Result<u64, Unstarted> {
        let began = Instant::now();
        let mut is_late = || began.elapsed() > GREETING;
        let reply = self.wait(0, is_abandoned, &mut is_late);
        Err(Unstarted::Unusable(match reply.map_err(|error| format!("cannot be heard: {}", reason(&error)))? {
            Reply::Answer(Message { kind: Kind::Hello, values, .. }) => return Ok(values[0]),
            Reply::Answer(_) => "greets with an answer, and is no Python".to_string(),
            Reply::Ended(status) if !death::is_fault(status) => return Err(Unstarted::Killed(death::cause(status))),
            Reply::Ended(status) => {
                self.said.read();
                self.said.end();
                let words = self.said.last();
                let words = if words.is_empty() { words } else { format!(": {words}") };
                format!("{}, before it had greeted{words}", death::cause(status))
            }
            Reply::Useless(what) => what,
            Reply::Abandoned => format!("has not greeted within {} seconds; is it Python?", GREETING.as_secs()),
        }))
    }

    /// Sends the settings, which tell Python what to import. Returns the reply and the text that came with it. `name`
    /// is what messages to the user call the function.
    ///
    /// # Errors
    /// If the system refuses to write or to poll.
    pub fn open(&mut self, settings: &[u8], name: &str, is_abandoned: &AtomicBool) -> io::Result<(Reply, Vec<u8>)> {
        self.memory.write_all_at(settings, 0)?;
        let (began, mut is_told) = (Instant::now(), false);
        let mut note = || {
            if began.elapsed() > PATIENCE && !std::mem::replace(&mut is_told, true) {
                say(&format_args!("{name} takes long to import; still waiting"));
            }
            false
        };
        let reply = self.ask(Kind::Open, [0, settings.len() as u64], is_abandoned, &mut note)?;
        let text = match &reply {
            Reply::Answer(Message { values, .. }) => self.bytes(values[0], values[1]).unwrap_or_default(),
            _ => vec![],
        };
        Ok((reply, text))
    }

    /// Writes these columns to the memory, asks Python to map their `rows` rows, and returns the reply. `count` is the
    /// number of columns.
    ///
    /// # Errors
    /// If the system refuses to write or to poll.
    pub fn map(&mut self, columns: &[u8], rows: usize, count: usize, is_abandoned: &AtomicBool) -> io::Result<Reply> {
        self.memory.write_all_at(columns, 0)?;
        lap(Step::Send);
        let values = [rows as u64, count as u64, 0, columns.len() as u64];
        self.ask(Kind::Map, values, is_abandoned, &mut || false)
    }

    /// Returns a copy of these bytes of the memory.
    ///
    /// # Errors
    /// If the memory does not have these bytes. The error is the object of a sentence: "Python has answered …".
    pub fn bytes(&self, offset: u64, length: u64) -> Result<Vec<u8>, String> {
        let size = self.memory.metadata().map_or(0, |memory| memory.len());
        if length > MOST || offset.checked_add(length).is_none_or(|end| end > size) {
            return Err(format!("what lies outside of the memory, {length} bytes at {offset}"));
        }
        let mut bytes = vec![0; length as usize];
        self.memory.read_exact_at(&mut bytes, offset).map_err(|error| format!("what cannot be read: {error}"))?;
        Ok(bytes)
    }

    fn ask<const N: usize>(
        &mut self,
        kind: Kind,
        values: [u64; N],
        is_abandoned: &AtomicBool,
        note: &mut dyn FnMut() -> bool,
    ) -> io::Result<Reply> {
        self.number += 1;
        let message = Message::new(kind, self.number, values).bytes();
        match rustix::io::retry_on_intr(|| send(&self.socket, &message, SendFlags::NOSIGNAL)) {
            // Not all bytes were sent: the process has ended, or has closed its socket. Waiting for the answer finds
            // out which of the two.
            Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => {}
            Err(error) => return Err(error.into()),
        }
        self.wait(self.number, is_abandoned, note)
    }

    /// Waits for the answer to the request `number`. Calls `note` again and again meanwhile, and stops waiting once
    /// `note` returns true.
    fn wait(&mut self, number: u64, is_abandoned: &AtomicBool, note: &mut dyn FnMut() -> bool) -> io::Result<Reply> {
        let mut closed: Option<Instant> = None;
        loop {
            // First ask whether the process has ended, and then read. If the process has ended, all that it sent can be
            // read already.
            let ended = if self.exit.is_none() || closed.is_some() || self.has_exited()? {
                self.child.try_wait()?
            } else {
                None
            };
            if closed.is_none() {
                let mut bytes = [0; LENGTH + 1];
                match rustix::io::retry_on_intr(|| recv(&self.socket, &mut bytes[..], RecvFlags::DONTWAIT)) {
                    Ok((_, 0)) | Err(Errno::CONNRESET) => closed = Some(Instant::now()),
                    Ok((_, length)) => {
                        self.said.read();
                        // Pass on the last line of stderr now, even if the line has no end: this worker can be killed
                        // as soon as its last block is done.
                        self.said.end();
                        return Ok(match Message::from_bytes(&bytes[..length.min(LENGTH + 1)]) {
                            Ok(message) if message.number == number => Reply::Answer(message),
                            Ok(_) => Reply::Useless("has answered another request".to_string()),
                            Err(what) => Reply::Useless(format!("has answered with {what}")),
                        });
                    }
                    Err(Errno::AGAIN) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            self.said.read();
            if let Some(status) = ended {
                return Ok(Reply::Ended(status));
            }
            if closed.is_some_and(|closed| closed.elapsed() > LINGER) {
                return Ok(Reply::Useless("has closed its socket and lives on".to_string()));
            }
            if is_abandoned.load(Ordering::Relaxed) || note() {
                return Ok(Reply::Abandoned);
            }
            let most = if self.exit.is_none() || closed.is_some() { SHORT_ROUND } else { ROUND };
            let socket = closed.is_none().then_some(&self.socket);
            let all = [socket, self.said.pipe.as_ref(), self.exit.as_ref()].into_iter().flatten();
            let mut fds: Vec<PollFd> = all.map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
            rustix::io::retry_on_intr(|| poll(&mut fds, Timespec::try_from(most).ok().as_ref()))?;
        }
    }

    /// Whether the process is known to have ended.
    fn has_exited(&self) -> io::Result<bool> {
        let Some(exit) = &self.exit else { return Ok(false) };
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        Ok(rustix::io::retry_on_intr(|| poll(&mut [PollFd::new(exit, PollFlags::IN)], Some(&now)))? > 0)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.group.kill();
        // The process might have left its group, so kill it by itself, too.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.said.read();
        self.said.end();
    }
}
