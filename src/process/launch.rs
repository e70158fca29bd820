//! How to start this program again as a new process: as a worker, or as one of the runs that a comparison measures.
//!
//! The file that the system executes in this process need not be the program itself. A user can also start the program
//! through the dynamic loader (`/lib64/ld-linux-x86-64.so.2 PROGRAM`), for example because the program lies on a disk
//! that is mounted `noexec`, or because the program needs other libraries. Then the system executes the loader, and the
//! loader loads the program. `tests/started.rs` starts the program in every way that we know.

use crate::error::locked;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::param::linux_execfn;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

/// Link to the file that the system executes in this process. The link still leads to the executed file after another
/// file was installed under the same name.
const RUNNING: &str = "/proc/self/exe";

/// What `/proc` appends to the name of a file that has been removed or replaced.
const REMOVED: &[u8] = b" (deleted)";

/// Environment variables, with their values, for every process that runs this program again.
static TOLD: Mutex<Vec<(&'static str, OsString)>> = Mutex::new(vec![]);

/// Sets the variable `name` to `value` in the environment of processes that run this program again: of all those for
/// which [`Launch::again`] is called from now on.
pub fn tell(name: &'static str, value: OsString) {
    locked(&TOLD).push((name, value));
}

/// Describes a process to start: a program, its arguments, and variables to add to the environment.
#[derive(Clone, Debug)]
pub struct Launch {
    program: PathBuf,
    /// All arguments, of which the first is the program's name.
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    /// A descriptor that the process is given under the same number.
    given: Option<i32>,
}

impl Launch {
    /// Describes a process that runs this program again, with the arguments that this process was given. Start the
    /// process at once: only this function checks that the program's file is still the same.
    ///
    /// # Errors
    /// If the program was started through a loader, and its file has been removed or replaced since, so that the loader
    /// would not find the same file.
    pub fn again() -> io::Result<Self> {
        let own: Vec<OsString> = std::env::args_os().collect();
        let arguments = arguments_of_loader(&own)?.unwrap_or(own);
        let environment = locked(&TOLD).clone();
        Ok(Launch { program: program()?, arguments, environment, given: None })
    }

    /// Adds the variable `name` with the value `value` to the environment of the process.
    pub fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Gives the process the descriptor `given` under the same number, and tells it the number in the variable `name`.
    /// The descriptor must not be marked to be closed at `exec`, and must stay open until the process has started.
    pub fn giving(self, name: &'static str, given: &OwnedFd) -> Self {
        let number = given.as_raw_fd();
        Launch { given: Some(number), ..self.with(name, number.to_string()) }
    }

    /// The descriptor that the process is given.
    pub fn given(&self) -> Option<i32> {
        self.given
    }

    /// Returns the command that starts the process. The caller must set its standard streams.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let mut arguments = self.arguments.iter();
        command.arg0(arguments.next().map_or(OsStr::new("pmapgcd"), OsString::as_os_str)).args(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Returns the descriptor through which `program` is named, or `None` if its name leads through no descriptor. The
    /// descriptor must stay open until the process has started.
    pub fn descriptor(&self) -> Option<i32> {
        self.program.to_str()?.strip_prefix(BY_DESCRIPTOR)?.parse().ok()
    }
}

/// The folder in which each descriptor of this process has a name, by which a program can be started.
const BY_DESCRIPTOR: &str = "/proc/self/fd/";

/// Returns a name under which this program's file can be executed again. The name leads through an open descriptor
/// because of valgrind. Under valgrind, `/proc/self/exe` is a link to valgrind. If a program opens the link, valgrind
/// makes it lead to the program's file, but not if a program executes it.
fn program() -> io::Result<PathBuf> {
    static FILE: OnceLock<Option<OwnedFd>> = OnceLock::new();
    let open = || rustix::fs::open(RUNNING, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok();
    if let Some(file) = FILE.get_or_init(open) {
        return Ok(format!("{BY_DESCRIPTOR}{}", file.as_raw_fd()).into());
    }
    if Path::new(RUNNING).exists() {
        return Ok(RUNNING.into());
    }
    // Without /proc, use the name by which the program was started.
    let name = with_folder(linux_execfn().to_bytes());
    match name.file_name() {
        Some(file) if file.as_bytes().starts_with(b"ld-") || file.as_bytes().starts_with(b"ld.") => {
            Err(io::Error::other(format!(
                "it was started through {}, and without /proc there is no telling what that has loaded; start it \
                 directly, or use --executor threads",
                crate::error::printable(name.as_os_str())
            )))
        }
        _ => Ok(name),
    }
}

/// Puts `./` in front of a name without a folder. Such a name means a file in the current folder, but `exec` would look
/// for it in `PATH`.
fn with_folder(name: &[u8]) -> PathBuf {
    let path = Path::new(OsStr::from_bytes(name));
    if name.contains(&b'/') { path.to_path_buf() } else { Path::new(".").join(path) }
}

/// Returns all arguments that the dynamic loader was started with, or `None` if the program was started directly. `own`
/// are the arguments that the program sees.
///
/// # Errors
/// If the program's file has been removed or replaced since the loader loaded it.
fn arguments_of_loader(own: &[OsString]) -> io::Result<Option<Vec<OsString>>> {
    let (Some(ours), Ok(running)) = (file_of_this_code(), fs::read_link(RUNNING)) else { return Ok(None) };
    if ours == running.as_os_str() {
        return Ok(None);
    }
    let Ok(line) = fs::read("/proc/self/cmdline") else { return Ok(None) };
    let all = line.strip_suffix(b"\0").unwrap_or(&line).split(|&byte| byte == 0);
    let all: Vec<OsString> = all.map(|argument| OsString::from_vec(argument.to_vec())).collect();
    // The program's arguments come last. In front of them stand the loader's own arguments and the program's name.
    let given = own.get(1..).unwrap_or_default();
    if all.len() <= own.len() || !all.ends_with(given) {
        return Ok(None);
    }
    if let Some(name) = ours.as_bytes().strip_suffix(REMOVED) {
        let name = crate::error::printable(OsStr::from_bytes(name));
        let loader = crate::error::printable(running.as_os_str());
        return Err(io::Error::other(format!(
            "{name}, which was started through {loader}, has been replaced or removed; start it anew, or use --executor threads"
        )));
    }
    Ok(Some(all))
}

/// Returns the name of the file from which the code of this function was loaded.
fn file_of_this_code() -> Option<OsString> {
    let here = file_of_this_code as *const () as usize;
    let mappings = fs::read("/proc/self/maps").ok()?;
    mappings.split(|&byte| byte == b'\n').find_map(|mapping| file_at(mapping, here))
}

/// Returns the file in a line of `/proc/self/maps` (from-to, permissions, offset, device, inode, name), if `address`
/// lies in its range of addresses.
fn file_at(mapping: &[u8], address: usize) -> Option<OsString> {
    let mut fields = mapping.splitn(6, |&byte| byte == b' ');
    let (start, end) = std::str::from_utf8(fields.next()?).ok()?.split_once('-')?;
    let parsed = |text| usize::from_str_radix(text, 16).ok();
    let is_there = (parsed(start)?..parsed(end)?).contains(&address);
    let name = fields.nth(4)?.trim_ascii_start();
    is_there.then(|| OsString::from_vec(name.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_code_is_found_in_the_file_that_runs() {
        assert_eq!(file_of_this_code(), fs::read_link(RUNNING).ok().map(OsString::from));
        let line = b"7f00-7f80 r-xp 00001000 fd:01 42                 /a folder/pmapgcd (deleted)";
        assert_eq!(file_at(line, 0x7f7f), Some("/a folder/pmapgcd (deleted)".into()));
        assert_eq!((file_at(line, 0x7f80), file_at(b"7f00-7f80 r-xp", 0x7f00), file_at(b"", 0)), (None, None, None));
    }

    #[test]
    fn a_name_is_never_looked_for_elsewhere() {
        assert_eq!(with_folder(b"pmapgcd"), Path::new("./pmapgcd"));
        assert_eq!(with_folder(b"/usr/bin/pmapgcd"), Path::new("/usr/bin/pmapgcd"));
    }
}
