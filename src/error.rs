//! What ends a run early, said to the person who meets it.

use nix::libc::RLIM_INFINITY;
use nix::sys::resource::{Resource, getrlimit};
use std::fmt;
use std::io;

/// Why a run ended early: shown as one line that names the place, the value and what to do.
///
/// Everything before the place it names was written.
#[derive(Debug)]
pub struct Error(Box<Kind>);

#[derive(Debug)]
enum Kind {
    Row { file: String, line: u64, what: String },
    BadRows(u64),
    Deaths { file: String, lines: (u64, u64), what: String },
    Workers(String),
    Io { name: String, source: io::Error },
    Usage(String),
    BrokenPipe,
}

impl Error {
    /// A row that the kernel cannot take.
    pub(crate) fn row(file: &str, line: u64, what: impl Into<String>) -> Self {
        Self::new(Kind::Row { file: file.into(), line, what: what.into() })
    }
    /// Rows that were bad, in a run that went on all the same.
    pub(crate) fn bad_rows(count: u64) -> Self {
        Self::new(Kind::BadRows(count))
    }
    /// Rows under which workers keep dying.
    pub(crate) fn deaths(file: &str, lines: (u64, u64), what: String) -> Self {
        Self::new(Kind::Deaths { file: file.into(), lines, what })
    }
    /// Workers that do not come up, or cannot be watched.
    pub(crate) fn workers(what: impl Into<String>) -> Self {
        Self::new(Kind::Workers(what.into()))
    }
    /// A worker has written where it should not, in the memory that all share.
    pub(crate) fn spoilt() -> Self {
        Self::workers("a worker has spoilt the memory that it shares with others: do not trust these results")
    }
    /// A file, or what stands for one, that cannot be read or written.
    pub(crate) fn io(name: impl Into<String>, source: io::Error) -> Self {
        Self::new(Kind::Io { name: name.into(), source })
    }
    /// Something that cannot be done as it was asked for.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Kind::Usage(what.into()))
    }
    /// Nobody reads our output any more.
    pub(crate) fn broken_pipe() -> Self {
        Self::new(Kind::BrokenPipe)
    }
    fn new(kind: Kind) -> Self {
        Error(Box::new(kind))
    }

    /// The exit status that a filter ends with: 1 for bad rows, 3 for workers that keep dying, else 2.
    pub fn exit_status(&self) -> u8 {
        match *self.0 {
            Kind::Row { .. } | Kind::BadRows(_) => 1,
            Kind::Deaths { .. } | Kind::Workers(_) => 3,
            Kind::Io { .. } | Kind::Usage(_) | Kind::BrokenPipe => 2,
        }
    }

    /// Whether the reader of our output has gone away: a filter then dies by SIGPIPE and says nothing.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(*self.0, Kind::BrokenPipe)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Row { file, line, what } => write!(f, "{file}:{line}: {what}"),
            Kind::BadRows(1) => f.write_str("1 bad row"),
            Kind::BadRows(count) => write!(f, "{count} bad rows"),
            Kind::Deaths { file, lines: (first, last), what } if first == last => write!(f, "{file}:{first}: {what}"),
            Kind::Deaths { file, lines: (first, last), what } => write!(f, "{file}:{first}-{last}: {what}"),
            Kind::Workers(what) | Kind::Usage(what) => f.write_str(what),
            Kind::Io { name, source } => write!(f, "{name}: {}", reason(source)),
            Kind::BrokenPipe => f.write_str("nobody reads the output any more"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            Kind::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// What the system said, without the number that std puts behind it.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = match text.rfind(" (os error ") {
        Some(at) => text[..at].to_string(),
        None => text,
    };
    // Also where the file system is what has no longer files.
    match (error.kind(), getrlimit(Resource::RLIMIT_FSIZE)) {
        (io::ErrorKind::FileTooLarge, Ok((most, _))) if most != RLIM_INFINITY => {
            format!("{text} (ulimit -f allows {most} bytes)")
        }
        _ => text,
    }
}

/// A name as it may stand in a message: with nothing in it that a terminal would obey.
pub(crate) fn printable(name: &std::ffi::OsStr) -> String {
    let name = name.to_string_lossy();
    if !name.contains(must_be_escaped) {
        return name.into_owned();
    }
    let escape = |c: char| if must_be_escaped(c) { c.escape_default().to_string() } else { c.to_string() };
    name.chars().map(escape).collect()
}

/// Whether a terminal might obey a character, or a person not see what it is: controls, blanks but for the space,
/// marks that hide or reorder text.
pub(crate) fn must_be_escaped(c: char) -> bool {
    let is_mark = matches!(c, '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    c.is_control() || is_mark || (c.is_whitespace() && c != ' ')
}

/// What this program was started as.
pub(crate) fn program() -> String {
    let started_as = std::env::args_os().next().unwrap_or_default();
    match std::path::Path::new(&started_as).file_name() {
        Some(name) => printable(name),
        None => "pmapgcd".to_string(),
    }
}
