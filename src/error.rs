//! The error that ends a run early, with the message for the user; the escaping of names in messages; and the locking
//! of a mutex after a panic.

use nix::libc::RLIM_INFINITY;
use nix::sys::resource::{Resource, getrlimit};
use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Returns the error for a file that has become shorter since it was opened, so that expected bytes are missing.
pub fn has_become_shorter() -> io::Error {
    io::Error::other("it has become shorter while it was read")
}

/// Why a run ended early. The message is one line that names the place, the value and what to do.
///
/// If the message names a place in the input, the results of all rows before that place were written.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    text: String,
    source: Option<io::Error>,
}

/// The kind of an error, which decides the exit status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    BadRows,
    Workers,
    Usage,
    Io,
    NoMemory,
    Defect,
    BrokenPipe,
}

impl Error {
    /// Returns the error for a bad row that ends the run. `line` is counted from 1; `what` says what is wrong with the
    /// row.
    pub(crate) fn row(file: &str, line: u64, what: impl fmt::Display) -> Self {
        Self::new(Kind::BadRows, format!("{file}:{line}: {what}"))
    }
    /// Returns the error for a run that passed over `count` bad rows and reached the end of its input.
    pub(crate) fn bad_rows(count: u64) -> Self {
        Self::new(Kind::BadRows, if count == 1 { "1 bad row".to_string() } else { format!("{count} bad rows") })
    }
    /// Returns the error for a header that does not fit the options, the kernel, or the headers of earlier inputs. The
    /// exit status is that of wrong usage.
    pub(crate) fn header(file: &str, line: u64, what: impl fmt::Display) -> Self {
        Self::new(Kind::Usage, format!("{file}:{line}: {what}"))
    }
    /// Returns the error for rows on which workers keep dying. The rows lie in the lines from `first` to `last`.
    pub(crate) fn deaths(file: &str, (first, last): (u64, u64), what: impl fmt::Display) -> Self {
        let lines = if first == last { first.to_string() } else { format!("{first}-{last}") };
        Self::new(Kind::Workers, format!("{file}:{lines}: {what}"))
    }
    /// Returns the error for workers that fail without a known row as the cause: for example, workers that do not
    /// start, that die between blocks, or that cannot be watched.
    pub(crate) fn workers(what: impl Into<String>) -> Self {
        Self::new(Kind::Workers, what)
    }
    /// Returns the error for a worker that wrote where it must not, in the memory that all processes of the run share.
    pub(crate) fn spoilt() -> Self {
        Self::workers("a worker has spoilt the memory that it shares with others: do not trust these results")
    }
    /// Returns the error for a request that the operating system refused. `name` is the object of the request, such as
    /// a file.
    pub(crate) fn io(name: impl fmt::Display, source: io::Error) -> Self {
        let text = format!("{name}: {}", reason(&source));
        Error(Box::new(Inner { kind: Kind::Io, text, source: Some(source) }))
    }
    /// Returns the error for a failed write to the output `name`. If the output is a pipe or socket that no process
    /// reads any more, that is [`Error::broken_pipe`].
    pub(crate) fn write(name: impl fmt::Display, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Self::broken_pipe(),
            _ => Self::io(name, source),
        }
    }
    /// Returns the error for too little memory, or too little room for shared memory.
    pub(crate) fn no_memory(what: impl Into<String>) -> Self {
        Self::new(Kind::NoMemory, what)
    }
    /// Returns the error for a case that only a defect can cause: a defect of this program, of a kernel, or of what a
    /// worker process was started with.
    pub(crate) fn defect(what: impl Into<String>) -> Self {
        Self::new(Kind::Defect, what)
    }
    /// Returns the error for options, environment variables or calls that are invalid, alone or together.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Kind::Usage, what)
    }
    /// Returns the error for output to a pipe or socket that no process reads any more.
    pub(crate) fn broken_pipe() -> Self {
        Self::new(Kind::BrokenPipe, "nobody reads the output any more")
    }
    fn new(kind: Kind, text: impl Into<String>) -> Self {
        Error(Box::new(Inner { kind, text: text.into(), source: None }))
    }

    /// The exit status of a program that ends with this error: 1 for bad rows, 3 for workers that cannot be started or
    /// keep failing, even if on one row only, and 2 for all other errors.
    pub fn exit_status(&self) -> u8 {
        match self.0.kind {
            Kind::BadRows => 1,
            Kind::Workers => 3,
            _ => 2,
        }
    }

    /// Whether the error is that no process reads the output, a pipe or a socket, any more. The `pmapgcd` command then
    /// dies by SIGPIPE, without a message.
    pub fn is_broken_pipe(&self) -> bool {
        self.0.kind == Kind::BrokenPipe
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}

/// Returns the operating system's message for `error`, without the number that std appends. If the limit of `ulimit -f`
/// might be the cause, the text names that limit.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = match text.rfind(" (os error ") {
        Some(at) => text[..at].to_string(),
        None => text,
    };
    // Linux gives EFBIG both for this limit and for a file system that cannot store files of this length, without
    // saying which it was.
    match (error.kind(), getrlimit(Resource::RLIMIT_FSIZE)) {
        (io::ErrorKind::FileTooLarge, Ok((most, _))) if most != RLIM_INFINITY => {
            format!("{text} (ulimit -f allows {most} bytes)")
        }
        _ => text,
    }
}

/// Returns `name` for use in a message, with all characters escaped that a terminal might interpret or a person might
/// not see.
pub(crate) fn printable(name: &std::ffi::OsStr) -> String {
    let name = name.to_string_lossy();
    if !name.contains(must_be_escaped) {
        return name.into_owned();
    }
    let escape = |c: char| if must_be_escaped(c) { c.escape_default().to_string() } else { c.to_string() };
    name.chars().map(escape).collect()
}

/// Whether `c` must be escaped in a message: a terminal might interpret it (control characters), or a person might not
/// see what it is (blanks other than the space, marks that hide or reorder text).
pub(crate) fn must_be_escaped(c: char) -> bool {
    let is_mark = matches!(c, '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    c.is_control() || is_mark || (c.is_whitespace() && c != ' ')
}

/// The name under which this program was started, without its folder.
pub(crate) fn program() -> String {
    let started_as = std::env::args_os().next().unwrap_or_default();
    match std::path::Path::new(&started_as).file_name() {
        Some(name) => printable(name),
        None => "pmapgcd".to_string(),
    }
}

/// Locks `mutex`, even if a thread has panicked while it held the lock. Use this only for a value that is never left
/// half changed.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
