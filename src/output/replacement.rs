//! How `-o FILE` replaces a file: results are written to a new file in the same folder, which takes the name of the old one when
//! it is complete. Whatever ends the run before that leaves the old file as it was. Until then the new file has no name
//! (`O_TMPFILE`), where the file system knows such files.
//!
//! Some files cannot be replaced: one that is a mount point, one in a folder that we may not write to, any where links are
//! forbidden. Then the results are copied into the file itself at the end, and a line on stderr says so. The system refuses
//! only when it is tried, which is at the end. So a file that is to be replaced must be writable too, which is checked before
//! the first row is read: then nothing that was computed is lost.

use super::attributes;
use super::close;
use super::target::Entry;
use crate::error::{printable, reason};
use crate::process::console::say;
use crate::process::streams::Patient;
use rustix::fd::{AsFd, AsRawFd};
use rustix::fs::{
    AtFlags, CWD, FallocateFlags, Mode, OFlags, StatxAttributes, StatxFlags, fallocate, fdatasync, linkat, openat,
    renameat, statx, unlinkat,
};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::OsString;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufReader, Seek};
use std::path::Path;

/// Temporary names begin with this.
const PREFIX: &str = ".pmapgcd-";

/// How many temporary names are tried until one is free.
const TRIES: usize = 100;

/// How many bytes at a time are copied into a file that cannot be replaced.
const COPIED: usize = 1 << 16;

/// A file on its way to its name.
pub struct Replacement {
    /// The folder and the name that it is to have there.
    pub entry: Entry,
    /// The file's temporary name, on file systems that know no files without a name. It is removed when this is dropped.
    temporary: Option<OsString>,
    /// Why the file could not be made in the folder of its name. It is in the folder for temporary files then.
    pub refused: Option<Errno>,
}

impl Replacement {
    /// A new file, to be written, that is to take this name. `existing` is the file that has the name now, open for writing.
    ///
    /// # Errors
    /// When no file can be made in that folder, unless there is an existing one that can be written in place; then when no
    /// file can be made in the folder for temporary files either.
    pub fn begin(entry: Entry, existing: Option<&File>) -> io::Result<(File, Self)> {
        let mut replacement = Replacement { entry, temporary: None, refused: None };
        // Under a temporary name others could open the file before `keep` has given it the mode of the old one, which may be
        // closed to them.
        let mode = if existing.is_some() { 0o600 } else { 0o666 };
        match (replacement.beside(Mode::from_raw_mode(mode)), existing) {
            (Ok(file), None) => Ok((file, replacement)),
            (Ok(file), Some(existing)) => {
                // The attributes are copied again at the end, as they are then. But the old file may be gone by then.
                let _ = attributes::keep(existing, &file);
                Ok((file, replacement))
            }
            (Err(refused), None) => Err(refused.into()),
            (Err(refused), Some(_)) => {
                replacement.refused = Some(refused);
                Ok((elsewhere(refused)?, replacement))
            }
        }
    }

    /// A new file in the folder.
    fn beside(&mut self, mode: Mode) -> rustix::io::Result<File> {
        // A file without a name is linked into its folder by its path there.
        if Path::new("/proc/self/fd").exists() {
            let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
            if let Ok(file) = openat(&self.entry.folder, ".", flags, mode) {
                return Ok(file.into());
            }
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = &self.entry.folder;
        let (name, file) = under_a_free_name(|name| openat(folder, name, flags, mode))?;
        self.temporary = Some(name);
        Ok(file.into())
    }

    /// Gives the complete file its name, which messages call `shown`.
    ///
    /// # Errors
    /// When the disk cannot keep the file, or it can neither replace the existing one nor be copied into that.
    pub fn complete(mut self, file: File, shown: &str) -> io::Result<()> {
        if self.refused.is_none() {
            settle(&file)?;
        }
        match self.take_place(&file) {
            Ok(()) => {}
            // Where the disk fails or is full, a copy into the old file would end half-way and destroy it.
            Err(error @ (Errno::IO | Errno::NOSPC | Errno::DQUOT)) => return Err(error.into()),
            Err(refused) => self.write_in_place(&file, refused, shown)?,
        }
        close(file)
    }

    /// Gives the file its name, in one step.
    fn take_place(&mut self, file: &File) -> rustix::io::Result<()> {
        if let Some(refused) = self.refused.take() {
            return Err(refused);
        }
        let existing = self.existing();
        if let Some(existing) = &existing {
            attributes::keep(existing, file)?;
            // In an append-only folder a temporary name could be made, but never renamed or removed.
            let folder = statx(&self.entry.folder, "", AtFlags::EMPTY_PATH, StatxFlags::empty());
            if folder.is_ok_and(|folder| folder.stx_attributes.contains(StatxAttributes::APPEND)) {
                return Err(Errno::PERM);
            }
        }
        let Entry { folder, name } = &self.entry;
        let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
        let link = |name: &OsString| linkat(CWD, &unnamed, folder, name, AtFlags::SYMLINK_FOLLOW);
        if self.temporary.is_none() && existing.is_none() {
            match link(name) {
                // Another process has made a file of that name, which only a rename replaces.
                Err(Errno::EXIST) => {}
                done => return done,
            }
        }
        if self.temporary.is_none() {
            self.temporary = Some(under_a_free_name(link)?.0);
        }
        if let Some(temporary) = &self.temporary {
            renameat(folder, temporary, folder, name)?;
            self.temporary = None;
        }
        Ok(())
    }

    /// The regular file that has the name now, open for writing.
    fn existing(&self) -> Option<File> {
        let file = self.entry.open(OFlags::NONBLOCK).ok()?;
        file.metadata().is_ok_and(|found| found.is_file()).then_some(file)
    }

    /// Copies the file into the one that has its name, or into a new one of that name; `refused` is why.
    fn write_in_place(&self, file: &File, refused: Errno, shown: &str) -> io::Result<()> {
        let created = || self.entry.open(OFlags::CREATE | OFlags::EXCL).ok();
        let target = self.existing().or_else(created).ok_or(refused)?;
        let why = reason(&refused.into());
        say(&format_args!("{shown}: it cannot be replaced ({why}), so it is written in place"));
        let length = file.metadata()?.len();
        // Is there room? Ask before anything of the old file is lost. Not all file systems can say.
        let room = || fallocate(&target, FallocateFlags::KEEP_SIZE, 0, length);
        if length > 0
            && let Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) = retry_on_intr(room)
        {
            return Err(error.into());
        }
        let mut source = file;
        source.rewind()?;
        // The buffer has std copy by reads and writes. Between two files std would use copy_file_range, and it panics where the
        // system refuses that half-way.
        io::copy(&mut BufReader::with_capacity(COPIED, source), &mut Patient(&target))?;
        target.set_len(length)?;
        sync(&target)?;
        close(target)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        let Some(temporary) = &self.temporary else { return };
        match unlinkat(&self.entry.folder, temporary, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => {
                let (name, temporary) = (printable(&self.entry.name), printable(temporary));
                say(&format_args!("{name}: {temporary} is left beside it: {}", reason(&error.into())));
            }
        }
    }
}

/// Calls `make` with one temporary name after another until one is free.
fn under_a_free_name<T>(make: impl Fn(&OsString) -> rustix::io::Result<T>) -> rustix::io::Result<(OsString, T)> {
    for number in 0..TRIES {
        let name = OsString::from(format!("{PREFIX}{:016x}", RandomState::new().hash_one(number)));
        match make(&name) {
            Err(Errno::EXIST) => {}
            made => return Ok((name, made?)),
        }
    }
    Err(Errno::EXIST)
}

/// A new file without a name in the folder for temporary files, since none can be made in the right one.
fn elsewhere(refused: Errno) -> io::Result<File> {
    tempfile::tempfile().map_err(|error| {
        let (here, there) = (reason(&refused.into()), reason(&error));
        let folder = printable(std::env::temp_dir().as_os_str());
        let what = format!("no file can be made beside it ({here}), and none in {folder} ({there}); set TMPDIR");
        io::Error::other(what)
    })
}

/// Has the disk keep what was written, and closes a second descriptor of the file before it gets its name: some file systems
/// report only on closing that they could not keep it.
fn settle(file: &File) -> io::Result<()> {
    sync(file)?;
    close(file.try_clone()?)
}

fn sync(file: &File) -> io::Result<()> {
    match retry_on_intr(|| fdatasync(file.as_fd())) {
        // The file is on no disk, or this process may not call fdatasync. The data was written all the same.
        Ok(()) | Err(Errno::INVAL | Errno::NOSYS | Errno::PERM) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
