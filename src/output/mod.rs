//! The outputs of a run: standard output, a file that is open already, or a file that gets its name only when it is
//! complete.

mod attributes;
pub mod bad_rows;
mod replacement;
mod target;
pub mod writer;

use crate::error::{Error, printable};
use crate::process::streams;
use replacement::Replacement;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{FileType, OFlags, Stat, fcntl_getfl, fstat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use target::{Target, is_same};

/// An output that is open for writing.
pub struct Output {
    file: File,
    name: String,
    /// How the file gets its name when everything is written; `None` if the output is written to directly, like stdout
    /// or a device.
    replacement: Option<Replacement>,
}

impl Output {
    /// Opens standard output.
    ///
    /// # Errors
    /// If this process was started with stdout closed, or there are no more descriptors.
    pub fn stdout() -> Result<Self, Error> {
        Self::of("stdout", io::stdout())
    }

    fn of(name: &str, stream: impl AsFd) -> Result<Self, Error> {
        let file = streams::given(&stream).map_err(|error| Error::io(name, error))?.into();
        Ok(Output { file, name: name.to_string(), replacement: None })
    }

    /// Opens an output for the file at `path`, or for the file that a symbolic link there points to. The output is a
    /// new file. It replaces the old file when [`Output::complete`] is called, and gets the old file's owner,
    /// permissions and attributes.
    ///
    /// A device or a pipe at `path` is written to directly. So is a descriptor that `path` names, like `/dev/fd/3`: the
    /// descriptor keeps its offset and its mode.
    ///
    /// # Errors
    /// If the output cannot be written at `path`.
    pub fn file(path: &Path) -> Result<Self, Error> {
        let name = printable(path.as_os_str());
        Self::at(path, &name).map_err(|error| Error::io(name, error))
    }

    fn at(path: &Path, name: &str) -> io::Result<Self> {
        let as_it_is = |file| Ok(Output { file, name: name.to_string(), replacement: None });
        let entry = match target::of(path)? {
            Target::Open(file) => return as_it_is(file),
            Target::Entry(entry) => entry,
        };
        let mut writable = None;
        match entry.stat() {
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
            Ok(existing) => {
                // If stdout or stderr already writes to this file, use that open file. A second one would have an
                // offset of its own, and the two outputs would overwrite each other.
                let mut already = [Self::stdout(), Self::of("stderr", io::stderr())].into_iter().flatten();
                let is_it = |output: &Output| output.stat().is_some_and(|output| is_same(&output, &existing));
                if let Some(output) = already.find(|output| output.is_writable() && is_it(output)) {
                    return as_it_is(output.file);
                }
                // Open the file for writing, although it will be replaced. So a file that this process may not write to
                // is an error, even in a folder in which the file could be replaced.
                let file = entry.open(OFlags::empty())?;
                if FileType::from_raw_mode(existing.st_mode) != FileType::RegularFile {
                    return as_it_is(file);
                }
                writable = Some(file);
            }
        }
        let (file, replacement) = Replacement::begin(entry, writable.as_ref())?;
        Ok(Output { file, name: name.to_string(), replacement: Some(replacement) })
    }

    /// The name of the output in messages. If the results are first written to the folder for temporary files, the text
    /// names this folder, too.
    pub fn name(&self) -> String {
        let temporary = || printable(std::env::temp_dir().as_os_str());
        match &self.replacement {
            Some(replacement) if replacement.refused.is_some() => {
                format!("{}, until then in {}", self.name, temporary())
            }
            _ => self.name.clone(),
        }
    }

    /// Returns the name of the output if it is a new file, which gets this name only when it is complete.
    pub fn name_if_new(&self) -> Option<&str> {
        self.replacement.as_ref().map(|_| self.name.as_str())
    }

    /// Enlarges the buffer that the system has for the output, if the output is a pipe.
    pub fn widen(&self) {
        streams::widen(&self.file);
    }

    /// Whether the output is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.file.is_terminal()
    }

    /// Whether the file is open for writing. The process that started this one might have opened stdout, for example,
    /// for reading only.
    fn is_writable(&self) -> bool {
        let flags = fcntl_getfl(&self.file).unwrap_or(OFlags::PATH);
        matches!(flags & OFlags::RWMODE, OFlags::WRONLY | OFlags::RDWR) && !flags.contains(OFlags::PATH)
    }

    /// Whether writing to this output would change the file `input`, or mix with what is read from the pipe `input`.
    pub fn writes_over(&self, input: &Stat) -> bool {
        let is_written_over =
            |stat: &Stat| matches!(FileType::from_raw_mode(stat.st_mode), FileType::RegularFile | FileType::Fifo);
        self.stat().filter(is_written_over).is_some_and(|target| is_same(input, &target))
    }

    /// Checks that the output is open for writing.
    ///
    /// # Errors
    /// If the output is open for reading only.
    pub fn check_writable(&self) -> Result<(), Error> {
        if self.is_writable() { Ok(()) } else { Err(Error::usage(format!("{} is not open for writing", self.name))) }
    }

    /// Checks that this output and `other` go to different files.
    ///
    /// # Errors
    /// If both go to the same file, unless that file is a character device.
    pub fn is_not(&self, other: &Output) -> Result<(), Error> {
        let same = match (self.stat(), other.stat()) {
            // Two outputs can go to the same device, such as /dev/null, because neither overwrites the other there.
            (Some(one), Some(other)) => {
                is_same(&one, &other) && FileType::from_raw_mode(one.st_mode) != FileType::CharacterDevice
            }
            (None, None) => self.is_to_be(other),
            _ => false,
        };
        if same {
            return Err(Error::usage(format!("{} cannot be two outputs at once; write to another file", self.name)));
        }
        Ok(())
    }

    /// The status of the file that is written to, or that will be replaced; `None` if no file has the name yet.
    fn stat(&self) -> Option<Stat> {
        match &self.replacement {
            None => fstat(&self.file).ok(),
            Some(replacement) => replacement.entry.stat().ok(),
        }
    }

    /// Whether both outputs will create a file of the same name in the same folder.
    fn is_to_be(&self, other: &Output) -> bool {
        let (Some(one), Some(other)) = (&self.replacement, &other.replacement) else { return false };
        let (one, other) = (&one.entry, &other.entry);
        let folders = (fstat(&one.folder), fstat(&other.folder));
        one.name == other.name && matches!(folders, (Ok(one), Ok(other)) if is_same(&one, &other))
    }

    /// Returns a second handle of the file, so that another writer can write to it before the output is completed.
    ///
    /// # Errors
    /// If there are no more descriptors.
    pub fn file_to_write(&self) -> Result<File, Error> {
        self.file.try_clone().map_err(|error| Error::io(self.name.clone(), error))
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// If the bytes cannot be written.
    pub fn write_all(&self, bytes: &[u8]) -> Result<(), Error> {
        streams::Patient(&self.file).write_all(bytes).map_err(|error| Error::write(self.name(), error))
    }

    /// Waits until the disk has stored the new file, and then gives the file its name. An output that is written to
    /// directly is closed, and an error that the system reports only on closing is returned.
    ///
    /// # Errors
    /// If what was written cannot be stored, or the name cannot be given to the file.
    pub fn complete(self) -> Result<(), Error> {
        let done = match self.replacement {
            None => close(self.file),
            Some(replacement) => replacement.complete(self.file, &self.name),
        };
        done.map_err(|error| Error::io(self.name, error))
    }

    /// Ends the output. If `is_complete`, does the same as [`complete`](Self::complete); if not, the file that would be
    /// replaced stays as it was. A device, a pipe or a descriptor is completed in both cases, since results have been
    /// written to it directly.
    ///
    /// # Errors
    /// If what was written cannot be stored, or the name cannot be given to the file.
    pub fn close(self, is_complete: bool) -> Result<(), Error> {
        if is_complete || self.replacement.is_none() { self.complete() } else { Ok(()) }
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Closes `file` and returns any error, because some file systems (NFS, FUSE, or any with quotas) report only on
/// closing that they could not store what was written. std closes a file when it is dropped, and ignores such errors.
fn close(file: impl Into<OwnedFd>) -> io::Result<()> {
    match nix::unistd::close(file.into()) {
        // Linux has closed the descriptor even if `close` fails with EINTR.
        Ok(()) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
