//! Where results go: standard output, or a file that appears under its name when it is complete.

use crate::error::{Error, printable, program};
use crate::flow::reader::Input;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where results go.
pub struct Output {
    file: File,
    name: String,
    /// What is left to do when all is written.
    place: Option<Place>,
}

enum Place {
    /// A file without a name, to be linked beside the target and renamed to it: whatever kills us leaves nothing.
    Unnamed(PathBuf),
    /// A temporary name beside the target, where the file system knows no unnamed files.
    Named(tempfile::TempPath, PathBuf),
}

impl Output {
    /// Standard output.
    ///
    /// # Errors
    /// When there is none.
    pub fn stdout() -> Result<Self, Error> {
        let name = "stdout".to_string();
        match io::stdout().as_fd().try_clone_to_owned() {
            Ok(stdout) => Ok(Output { file: stdout.into(), name, place: None }),
            Err(error) => Err(Error::io(name, error)),
        }
    }

    /// A file that takes the place of what is at `path` when [`Output::complete`] is called, with its permissions. What
    /// is no regular file, a device or a pipe, is written to as it is.
    ///
    /// # Errors
    /// When it cannot be written there.
    pub fn file(path: &Path) -> Result<Self, Error> {
        let name = printable(path.as_os_str());
        let failed = |error| Error::io(name.clone(), error);
        // Through symbolic links: the file behind them is meant, not the link.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let existing = fs::metadata(&target).ok();
        if let Some(existing) = &existing
            && !existing.is_file()
        {
            let file = File::options().write(true).open(path).map_err(failed)?;
            return Ok(Output { file, name, place: None });
        }
        if existing.is_some() {
            // A file that may not be written to is not replaced either.
            File::options().write(true).open(path).map_err(failed)?;
        }
        let (file, place) = beside(target).map_err(failed)?;
        if let Some(existing) = existing {
            file.set_permissions(Permissions::from_mode(existing.mode() & 0o777)).map_err(failed)?;
        }
        Ok(Output { file, name, place: Some(place) })
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Refuses to write into what is read.
    ///
    /// # Errors
    /// When the target of this output, or the file that stdout goes to, is one of the inputs.
    pub fn is_none_of(&self, inputs: &[Input]) -> Result<(), Error> {
        let target = match &self.place {
            None => self.file.metadata(),
            Some(Place::Unnamed(target) | Place::Named(_, target)) => fs::metadata(target),
        };
        let Ok(target) = target else { return Ok(()) };
        let is_target = |other: io::Result<fs::Metadata>| {
            other.is_ok_and(|other| other.is_file() && (other.dev(), other.ino()) == (target.dev(), target.ino()))
        };
        for input in inputs {
            let found = match input {
                Input::Path(path) => fs::metadata(path),
                Input::Stdin => io::stdin().as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).metadata()),
            };
            if is_target(found) {
                let what = format!("{} is both input and output; write to another file", input.name());
                return Err(Error::usage(what));
            }
        }
        Ok(())
    }

    /// Gives the finished file its name.
    ///
    /// # Errors
    /// When what was written could not be kept, or the name cannot be given.
    pub fn complete(self) -> Result<(), Error> {
        let done = match self.place {
            None => Ok(()),
            Some(Place::Unnamed(target)) => link(&self.file, &target),
            Some(Place::Named(temporary, target)) => temporary.persist(target).map_err(|error| error.error),
        };
        done.map_err(|error| Error::io(self.name, error))
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn folder(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A new file in the folder of `target`.
fn beside(target: PathBuf) -> io::Result<(File, Place)> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    if let Ok(file) = rustix::fs::open(folder(&target), flags, Mode::from_raw_mode(0o666))
        && Path::new("/proc/self/fd").exists()
    {
        return Ok((file.into(), Place::Unnamed(target)));
    }
    let permissions = Permissions::from_mode(0o666);
    let named = tempfile::Builder::new().prefix(".pmapgcd-").permissions(permissions).tempfile_in(folder(&target))?;
    let (file, temporary) = named.into_parts();
    Ok((file, Place::Named(temporary, target)))
}

/// Links an unnamed file under a name of its own, then renames it: a link cannot replace what is there.
fn link(file: &File, target: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder(target).join(format!(".{name}.{}-{}", program(), std::process::id()));
    rustix::fs::linkat(CWD, unnamed, CWD, &temporary, AtFlags::SYMLINK_FOLLOW)?;
    fs::rename(&temporary, target).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}
