//! Where results go: standard output, or a file that appears under its name when it is complete.

use crate::error::{Error, printable};
use crate::flow::reader::Input;
use crate::streams;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use tempfile::TempPath;

/// What temporary names begin with.
const PREFIX: &str = ".pmapgcd-";

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
    Named(TempPath, PathBuf),
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
        match streams::given(&stream) {
            Ok(file) => Ok(Output { file: file.into(), name: name.to_string(), place: None }),
            Err(error) => Err(Error::io(name, error)),
        }
    }

    /// A file that takes the place of what is at `path`, or of what a link there points to, when [`Output::complete`] is
    /// called, with its owner and permissions. What is no regular file, a device or a pipe, is written to as it is.
    ///
    /// # Errors
    /// When it cannot be written there.
    pub fn file(path: &Path) -> Result<Self, Error> {
        let name = printable(path.as_os_str());
        let failed = |error| Error::io(name.clone(), error);
        let existing = fs::metadata(path).ok();
        let target = fs::canonicalize(path).or_else(|_| behind_links(path)).map_err(failed)?;
        if let Some(existing) = &existing {
            // What stdout or stderr goes to already, under another name.
            let already = [Self::stdout(), Self::of("stderr", io::stderr())].into_iter().flatten();
            for output in already {
                if is_same(output.file.metadata(), existing) {
                    return Ok(Output { name, ..output });
                }
            }
            // So has a file without any name, which was opened by its descriptor's, no place to be renamed to.
            if !existing.is_file() || existing.nlink() == 0 {
                let file = File::options().write(true).open(path).map_err(failed)?;
                return Ok(Output { file, name, place: None });
            }
        }
        if existing.is_some() {
            // A file that may not be written to is not replaced either.
            File::options().write(true).open(path).map_err(failed)?;
        }
        let (file, place) = beside(target).map_err(failed)?;
        if let Some(existing) = existing {
            // Who may not give files away leaves the group out rather than hand its rights to another group.
            let is_given = fchown(&file, Some(existing.uid()), Some(existing.gid())).is_ok();
            let mode = existing.mode() & if is_given { 0o777 } else { 0o707 };
            file.set_permissions(Permissions::from_mode(mode)).map_err(failed)?;
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
        let Ok(target) = self.target().map_or_else(|| self.file.metadata(), fs::metadata) else { return Ok(()) };
        for input in inputs {
            let found = match input {
                Input::Path(path) | Input::Range(path, _) => fs::metadata(path),
                Input::Stdin => io::stdin().as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).metadata()),
            };
            if (target.is_file() || target.file_type().is_fifo()) && is_same(found, &target) {
                let what = format!("{} is both input and output; write to another file", input.name());
                return Err(Error::usage(what));
            }
        }
        Ok(())
    }

    /// Refuses to be where another output goes.
    ///
    /// # Errors
    /// When both are to be the same file.
    pub fn is_not(&self, other: &Output) -> Result<(), Error> {
        let same = match (self.target(), other.target()) {
            (Some(one), Some(other)) => {
                let of_folder = |target| fs::metadata(folder(target));
                one.file_name() == other.file_name()
                    && of_folder(other).is_ok_and(|other| is_same(of_folder(one), &other))
            }
            // Nothing is lost in /dev/null.
            _ => other
                .file
                .metadata()
                .is_ok_and(|other| !other.file_type().is_char_device() && is_same(self.file.metadata(), &other)),
        };
        if same {
            return Err(Error::usage(format!("{} cannot be two outputs at once; write to another file", self.name)));
        }
        Ok(())
    }

    /// Where the finished file is to be.
    fn target(&self) -> Option<&Path> {
        match &self.place {
            None => None,
            Some(Place::Unnamed(target) | Place::Named(_, target)) => Some(target),
        }
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
        (&self.file).write_all(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Error::broken_pipe(),
            _ => Error::io(self.name.clone(), error),
        })
    }

    /// Gives the finished file its name, once the disk has it.
    ///
    /// # Errors
    /// When the disk cannot keep it, or the name cannot be given.
    pub fn complete(self) -> Result<(), Error> {
        let done = match self.place {
            None => Ok(()),
            Some(Place::Unnamed(target)) => self
                .file
                .sync_data()
                .and_then(|()| link(&self.file, &target)?.persist(target).map_err(|error| error.error)),
            Some(Place::Named(temporary, target)) => {
                self.file.sync_data().and_then(|()| temporary.persist(target).map_err(|error| error.error))
            }
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
    let named = tempfile::Builder::new().prefix(PREFIX).permissions(permissions).tempfile_in(folder(&target))?;
    let (file, temporary) = named.into_parts();
    Ok((file, Place::Named(temporary, target)))
}

/// Links an unnamed file under a temporary name, to be renamed: a link cannot replace what is there.
fn link(file: &File, target: &Path) -> io::Result<TempPath> {
    let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
    let link = |name: &Path| Ok(rustix::fs::linkat(CWD, &unnamed, CWD, name, AtFlags::SYMLINK_FOLLOW)?);
    Ok(tempfile::Builder::new().prefix(PREFIX).make_in(folder(target), link)?.into_temp_path())
}

/// The file that is meant by a link to what is not there yet.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    // As many as the system follows.
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(link) => path = folder(&path).join(link),
            Err(_) => return Ok(path),
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}

fn is_same(one: io::Result<fs::Metadata>, other: &fs::Metadata) -> bool {
    one.is_ok_and(|one| (one.dev(), one.ino()) == (other.dev(), other.ino()))
}
