//! Finds what the name of an output stands for: a descriptor that is open already, or an entry of a folder.
//!
//! Names like `/dev/fd/3` and `/dev/stdout` are links whose text looks like the path of a file. But opening that path
//! gives a different open file: it has another offset and no `O_APPEND`, and for a pipe there is no such path. So this
//! module follows symbolic links one by one, and recognises a link to a descriptor before it reads the link's text.

use crate::process::streams;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, PROC_SUPER_MAGIC, Stat, fstatfs, openat, readlinkat, statat};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// What the name of an output stands for.
pub enum Target {
    /// A file that is open already. It is written to with the offset and the mode that it has.
    Open(File),
    /// A name in a folder. It does not matter whether a file of that name exists.
    Entry(Entry),
}

/// A folder and a name in it that is not a symbolic link.
#[derive(Debug)]
pub struct Entry {
    /// The open folder. It stays the same folder if it is renamed during the run.
    pub folder: OwnedFd,
    /// The name in the folder.
    pub name: OsString,
}

impl Entry {
    /// Returns the status of the file that has the name.
    pub fn stat(&self) -> rustix::io::Result<Stat> {
        statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Opens the file that has this name, for writing and without truncating it. If it is a FIFO, this waits until a
    /// process opens it for reading, unless `flags` say otherwise.
    pub fn open(&self, flags: OFlags) -> rustix::io::Result<File> {
        let flags = flags | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = retry_on_intr(|| openat(&self.folder, &self.name, flags, Mode::from_raw_mode(0o666)));
        opened.map(File::from)
    }
}

/// How many symbolic links are followed: as many as Linux follows.
const MOST_LINKS: usize = 40;

/// Finds what `path` stands for.
///
/// # Errors
/// If the folder of the file does not exist, if `path` is a folder, if the system refuses to follow a link, or if
/// `path` is a descriptor that cannot be written to.
pub fn of(path: &Path) -> io::Result<Target> {
    // The loop below reads links itself, and would also follow links that the system refuses to follow, such as those
    // of other users in /tmp with fs.protected_symlinks. This call fails for such links.
    if let Err(error) = fs::metadata(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let (mut folder, mut path) = (None::<OwnedFd>, path.to_path_buf());
    for _ in 0..=MOST_LINKS {
        let (parent, name) = split(&path)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let base = folder.as_ref().map_or(CWD, AsFd::as_fd);
        let entry = Entry { folder: openat(base, parent, flags, Mode::empty())?, name: name.to_os_string() };
        match descriptors_of(&entry.folder) {
            Some(Owner::This) => return open_already(&entry.name).map(Target::Open),
            Some(Owner::Another) => return open_elsewhere(&entry).map(Target::Open),
            None => {}
        }
        match readlinkat(&entry.folder, &entry.name, vec![]) {
            Ok(link) => path = PathBuf::from(OsString::from_vec(link.into_bytes())),
            Err(Errno::INVAL | Errno::NOENT) => return Ok(Target::Entry(entry)),
            Err(error) => return Err(error.into()),
        }
        folder = Some(entry.folder);
    }
    Err(Errno::LOOP.into())
}

/// Splits `path` into its folder and the name in that folder.
fn split(path: &Path) -> io::Result<(&Path, &OsStr)> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() {
        return Err(Errno::NOENT.into());
    }
    let is_folder = bytes.ends_with(b"/") || bytes.ends_with(b"/.") || bytes == b".";
    let name = path.file_name().filter(|_| !is_folder).ok_or(Errno::ISDIR)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok((folder.unwrap_or(Path::new(".")), name))
}

enum Owner {
    This,
    Another,
}

/// Returns whether the entries of `folder` are descriptors of this process or of another, or `None` if it is not a
/// folder of descriptors. Such folders are `/proc/PID/fd` and `/proc/PID/task/TID/fd`, wherever the proc file system is
/// mounted.
fn descriptors_of(folder: &OwnedFd) -> Option<Owner> {
    let is_proc = fstatfs(folder).is_ok_and(|found| found.f_type == PROC_SUPER_MAGIC);
    let is_same = |one: &str, other: &str| {
        let stat = |path| statat(folder, path, AtFlags::empty());
        stat(one).is_ok_and(|one| stat(other).is_ok_and(|other| is_same(&one, &other)))
    };
    if !is_proc || !is_same(".", "../fd") {
        return None;
    }
    let is_own = is_same("..", "../../self") || is_same("../../..", "../../../../self");
    Some(if is_own { Owner::This } else { Owner::Another })
}

/// Duplicates the descriptor whose number is `name`, if this process was started with it. The duplicate has the same
/// offset and mode.
fn open_already(name: &OsStr) -> io::Result<File> {
    let number = name
        .to_str()
        .and_then(|text| text.parse().ok().filter(|&number: &i32| number >= 0 && number.to_string() == text));
    let Some(number) = number else { return Err(Errno::NOENT.into()) };
    let open = streams::inherited(number).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::BADF) => io::Error::other(format!("this program was started without a descriptor {number}")),
        _ => error,
    });
    open.map(File::from)
}

/// Opens a pipe or device that another process has open. A regular file is refused, because this process cannot share
/// the offset and the mode that the other process has for it.
fn open_elsewhere(entry: &Entry) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(retry_on_intr(|| openat(&entry.folder, &entry.name, flags, Mode::empty()))?);
    if file.metadata()?.is_file() {
        return Err(io::Error::other("it is a file that another process has open; name the file itself"));
    }
    Ok(file)
}

/// Whether both are the status of the same file.
pub fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}
