//! Where results go: standard output, what is open already, or a file that appears under its name when it is complete.

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

/// Where results go.
pub struct Output {
    file: File,
    name: String,
    /// How the file gets its name when all is written; `None` for what is written to as it is.
    replacement: Option<Replacement>,
}

impl Output {
    /// Standard output.
    ///
    /// # Errors
    /// When this process was started without it, or there are no more descriptors.
    pub fn stdout() -> Result<Self, Error> {
        Self::of("stdout", io::stdout())
    }

    fn of(name: &str, stream: impl AsFd) -> Result<Self, Error> {
        let file = streams::given(&stream).map_err(|error| Error::io(name, error))?.into();
        Ok(Output { file, name: name.to_string(), replacement: None })
    }

    /// A file that takes the place of what is at `path`, or of what a link there points to, when [`Output::complete`] is
    /// called, with its owner, permissions and attributes. What is no regular file, a device or a pipe, is written to as it
    /// is; and so is what `path` names as a descriptor, like `/dev/fd/3`, at the offset and in the mode that it has.
    ///
    /// # Errors
    /// When it cannot be written there.
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
                // What stdout or stderr goes to already, under another name.
                let mut already = [Self::stdout(), Self::of("stderr", io::stderr())].into_iter().flatten();
                let is_it = |output: &Output| output.stat().is_some_and(|output| is_same(&output, &existing));
                if let Some(output) = already.find(|output| output.is_writable() && is_it(output)) {
                    return as_it_is(output.file);
                }
                // A file that may not be written to is not replaced either.
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

    /// What messages call it while it is written.
    pub fn name(&self) -> String {
        let temporary = || printable(std::env::temp_dir().as_os_str());
        match &self.replacement {
            Some(replacement) if replacement.refused.is_some() => {
                format!("{}, until then in {}", self.name, temporary())
            }
            _ => self.name.clone(),
        }
    }

    /// Whether what is written appears on a terminal.
    pub fn is_terminal(&self) -> bool {
        self.file.is_terminal()
    }

    /// Whether it was opened for writing, by whoever did that.
    fn is_writable(&self) -> bool {
        let flags = fcntl_getfl(&self.file).unwrap_or(OFlags::PATH);
        matches!(flags & OFlags::RWMODE, OFlags::WRONLY | OFlags::RDWR) && !flags.contains(OFlags::PATH)
    }

    /// Whether what is written replaces, or is mixed with, what is read from this input.
    pub fn writes_over(&self, input: &Stat) -> bool {
        let is_written_over =
            |stat: &Stat| matches!(FileType::from_raw_mode(stat.st_mode), FileType::RegularFile | FileType::Fifo);
        self.stat().filter(is_written_over).is_some_and(|target| is_same(input, &target))
    }

    /// Refuses what is open for reading only.
    ///
    /// # Errors
    /// When it is.
    pub fn check_writable(&self) -> Result<(), Error> {
        if self.is_writable() { Ok(()) } else { Err(Error::usage(format!("{} is not open for writing", self.name))) }
    }

    /// Refuses to be where another output goes.
    ///
    /// # Errors
    /// When both are to be the same file.
    pub fn is_not(&self, other: &Output) -> Result<(), Error> {
        let same = match (self.stat(), other.stat()) {
            // Nothing is lost in /dev/null.
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

    /// What is written to, or is to be replaced; `None` where there is no such file yet.
    fn stat(&self) -> Option<Stat> {
        match &self.replacement {
            None => fstat(&self.file).ok(),
            Some(replacement) => replacement.entry.stat().ok(),
        }
    }

    /// Whether both are to be the same file.
    fn is_to_be(&self, other: &Output) -> bool {
        let (Some(one), Some(other)) = (&self.replacement, &other.replacement) else { return false };
        let (one, other) = (&one.entry, &other.entry);
        let folders = (fstat(&one.folder), fstat(&other.folder));
        one.name == other.name && matches!(folders, (Ok(one), Ok(other)) if is_same(&one, &other))
    }

    /// The file, for another to write to before this is complete.
    ///
    /// # Errors
    /// When there are no more descriptors.
    pub fn file_to_write(&self) -> Result<File, Error> {
        self.file.try_clone().map_err(|error| Error::io(self.name.clone(), error))
    }

    /// Writes all of this.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_all(&self, bytes: &[u8]) -> Result<(), Error> {
        streams::Patient(&self.file).write_all(bytes).map_err(|error| Error::write(self.name(), error))
    }

    /// Gives the finished file its name, once the disk has it. What is written to as it is gets closed, and an error that comes
    /// as late as that is reported.
    ///
    /// # Errors
    /// When what was written cannot be kept, or the name cannot be given.
    pub fn complete(self) -> Result<(), Error> {
        let done = match self.replacement {
            None => close(self.file),
            Some(replacement) => replacement.complete(self.file, &self.name),
        };
        done.map_err(|error| Error::io(self.name, error))
    }

    /// Ends this. Only what `is_complete` takes the place of the file that was there; what was written to a device, a pipe or
    /// a descriptor, which are written to at once, is there in any case.
    ///
    /// # Errors
    /// When what was written cannot be kept, or the name cannot be given.
    pub fn close(self, is_complete: bool) -> Result<(), Error> {
        if is_complete || self.replacement.is_none() { self.complete() } else { Ok(()) }
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Closes this and reports errors: NFS, FUSE and quotas may say only now that they could not keep what was written. std closes
/// a file when it is dropped, and ignores such errors.
fn close(file: impl Into<OwnedFd>) -> io::Result<()> {
    match nix::unistd::close(file.into()) {
        // After EINTR, too, Linux has closed the descriptor.
        Ok(()) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
