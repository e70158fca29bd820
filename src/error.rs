//! What ends a run early, as a message for the person who meets it; and how names may stand in messages.

use nix::libc::RLIM_INFINITY;
use nix::sys::resource::{Resource, getrlimit};
use std::fmt;
use std::io;

/// Why a run ended early: shown as one line that names the place, the value and what to do.
///
/// Everything before the place it names was written.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    text: String,
    source: Option<io::Error>,
}

/// What kind of thing went wrong: the exit status follows from it.
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
    /// A row that the kernel cannot take, which ends the run.
    pub(crate) fn row(file: &str, line: u64, what: impl fmt::Display) -> Self {
        Self::new(Kind::BadRows, format!("{file}:{line}: {what}"))
    }
    /// So many bad rows, in a run that went on to the end of its input all the same.
    pub(crate) fn bad_rows(count: u64) -> Self {
        Self::new(Kind::BadRows, if count == 1 { "1 bad row".to_string() } else { format!("{count} bad rows") })
    }
    /// A header that does not fit the options, the kernel, or the headers before it. It ends the run like wrong usage.
    pub(crate) fn header(file: &str, line: u64, what: impl fmt::Display) -> Self {
        Self::new(Kind::Usage, format!("{file}:{line}: {what}"))
    }
    /// Workers keep dying of the rows in these lines, from the first to the last.
    pub(crate) fn deaths(file: &str, (first, last): (u64, u64), what: impl fmt::Display) -> Self {
        let lines = if first == last { first.to_string() } else { format!("{first}-{last}") };
        Self::new(Kind::Workers, format!("{file}:{lines}: {what}"))
    }
    /// Workers do not start, die of nothing that they were given, or cannot be watched.
    pub(crate) fn workers(what: impl Into<String>) -> Self {
        Self::new(Kind::Workers, what)
    }
    /// A worker has written where it must not, in the memory that all processes of the run share.
    pub(crate) fn spoilt() -> Self {
        Self::workers("a worker has spoilt the memory that it shares with others: do not trust these results")
    }
    /// The operating system refused something. `name` is the file, or whatever else was asked for, that the message names.
    pub(crate) fn io(name: impl fmt::Display, source: io::Error) -> Self {
        let text = format!("{name}: {}", reason(&source));
        Error(Box::new(Inner { kind: Kind::Io, text, source: Some(source) }))
    }
    /// What was written to the output `name` could not be: [`Error::broken_pipe`] where nobody reads it any more.
    pub(crate) fn write(name: impl fmt::Display, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Self::broken_pipe(),
            _ => Self::io(name, source),
        }
    }
    /// There is not enough memory, or not enough room for memory that is shared.
    pub(crate) fn no_memory(what: impl Into<String>) -> Self {
        Self::new(Kind::NoMemory, what)
    }
    /// Something that can only be a defect: of this program, of a kernel, or of what a worker was handed.
    pub(crate) fn defect(what: impl Into<String>) -> Self {
        Self::new(Kind::Defect, what)
    }
    /// Options, environment variables or calls that do not make sense, alone or together.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Kind::Usage, what)
    }
    /// Nobody reads our output any more.
    pub(crate) fn broken_pipe() -> Self {
        Self::new(Kind::BrokenPipe, "nobody reads the output any more")
    }
    fn new(kind: Kind, text: impl Into<String>) -> Self {
        Error(Box::new(Inner { kind, text: text.into(), source: None }))
    }

    /// The exit status that a filter ends with: 1 for bad rows, 3 for workers that keep dying, else 2.
    pub fn exit_status(&self) -> u8 {
        match self.0.kind {
            Kind::BadRows => 1,
            Kind::Workers => 3,
            _ => 2,
        }
    }

    /// Whether the reader of our output has gone away: a filter then dies by SIGPIPE and says nothing.
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

/// What the operating system said, without the number that std puts behind it. Where the limit of `ulimit -f` is why, the
/// message says so.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = match text.rfind(" (os error ") {
        Some(at) => text[..at].to_string(),
        None => text,
    };
    // The kernel answers EFBIG both for this limit and for a file system that has no longer files; it does not say for which.
    match (error.kind(), getrlimit(Resource::RLIMIT_FSIZE)) {
        (io::ErrorKind::FileTooLarge, Ok((most, _))) if most != RLIM_INFINITY => {
            format!("{text} (ulimit -f allows {most} bytes)")
        }
        _ => text,
    }
}

/// A name as it may stand in a message: control characters, which a terminal would obey, are escaped.
pub(crate) fn printable(name: &std::ffi::OsStr) -> String {
    let name = name.to_string_lossy();
    if !name.contains(must_be_escaped) {
        return name.into_owned();
    }
    let escape = |c: char| if must_be_escaped(c) { c.escape_default().to_string() } else { c.to_string() };
    name.chars().map(escape).collect()
}

/// Whether a character must not be printed as it is: a terminal might obey it (control characters), or a person might not
/// see what it is (blanks other than the space, marks that hide or reorder text).
pub(crate) fn must_be_escaped(c: char) -> bool {
    let is_mark = matches!(c, '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    c.is_control() || is_mark || (c.is_whitespace() && c != ' ')
}

/// The name that this program was started under, without its folder.
pub(crate) fn program() -> String {
    let started_as = std::env::args_os().next().unwrap_or_default();
    match std::path::Path::new(&started_as).file_name() {
        Some(name) => printable(name),
        None => "pmapgcd".to_string(),
    }
}
