//! How `-o FILE` replaces a file. Results are written to a new file in the same folder, which takes the name of the old
//! file when it is complete. If the run ends before that, for whatever reason, the old file stays as it was. Until it
//! is complete, the new file has no name (`O_TMPFILE`), or a temporary name if the file system has no files without
//! names.
//!
//! Some files cannot be replaced: a mount point, a file in a folder that this process may not write to, and any file if
//! this process may not make links. Then the results are copied into the old file at the end, and a line on stderr says
//! so. Whether a file can be replaced shows only at the end, when it is tried. So the old file must be writable, too.
//! This is checked before the first row is read, because otherwise all results could be lost at the end.

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

/// The start of all temporary names.
const PREFIX: &str = ".pmapgcd-";

/// How many temporary names are tried until one is free.
const TRIES: usize = 100;

/// How many bytes are copied at a time into a file that cannot be replaced.
const COPIED: usize = 1 << 16;

/// The way in which a new file gets its name when it is complete.
pub struct Replacement {
    /// The folder and the name for the complete file.
    pub entry: Entry,
    /// The temporary name of the file, as long as it has one. If this value is dropped before the file has its final
    /// name, the temporary name is removed.
    temporary: Option<OsString>,
    /// Why the new file could not be created in the folder of `entry`. The new file is then in the folder for temporary
    /// files. `None` if it is in the folder of `entry`.
    pub refused: Option<Errno>,
}

impl Replacement {
    /// Creates a new file to write to, which will get the name `entry`. `existing` is the file that has this name now,
    /// open for writing.
    ///
    /// # Errors
    /// If no file can be created in the folder of `entry` and there is no existing file to copy the results into; or if
    /// there is an existing file, but no file can be created in the folder for temporary files either.
    pub fn begin(entry: Entry, existing: Option<&File>) -> io::Result<(File, Self)> {
        let mut replacement = Replacement { entry, temporary: None, refused: None };
        // If there is an existing file, nobody else may open the new file until `keep` has copied the mode. Other users
        // could otherwise open it under its temporary name, although the mode of the existing file may forbid that.
        let mode = if existing.is_some() { 0o600 } else { 0o666 };
        match (replacement.beside(Mode::from_raw_mode(mode)), existing) {
            (Ok(file), None) => Ok((file, replacement)),
            (Ok(file), Some(existing)) => {
                // The attributes are copied again at the end, because they can change during the run. They are copied
                // here too, because the existing file might be removed before the end.
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

    /// Creates the new file in the folder in which it will get its name.
    fn beside(&mut self, mode: Mode) -> rustix::io::Result<File> {
        // A file without a name (O_TMPFILE) gets its name later, through /proc/self/fd. So make such a file only if
        // that folder exists.
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

    /// Gives the complete file its name, which messages show as `shown`.
    ///
    /// # Errors
    /// If the disk cannot store the file, or if the file can neither replace the existing one nor be copied into it.
    pub fn complete(mut self, file: File, shown: &str) -> io::Result<()> {
        if self.refused.is_none() {
            settle(&file)?;
        }
        match self.take_place(&file) {
            Ok(()) => {}
            // If the disk fails or is full, the results are not copied into the old file: the copy would end half-way
            // and destroy the old file.
            Err(error @ (Errno::IO | Errno::NOSPC | Errno::DQUOT)) => return Err(error.into()),
            Err(refused) => self.write_in_place(&file, refused, shown)?,
        }
        close(file)
    }

    /// Gives the file its name in one step, so that other processes see the old file or the complete new one.
    fn take_place(&mut self, file: &File) -> rustix::io::Result<()> {
        if let Some(refused) = self.refused.take() {
            return Err(refused);
        }
        let existing = self.existing();
        if let Some(existing) = &existing {
            attributes::keep(existing, file)?;
            // In an append-only folder no name can be renamed or removed. The file could get a temporary name there,
            // but would keep it for ever.
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
                // Another process has created a file of that name meanwhile. Only a rename replaces such a file.
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

    /// Opens the file that has the name now, for writing. Returns `None` if it cannot be opened or is no regular file.
    fn existing(&self) -> Option<File> {
        let file = self.entry.open(OFlags::NONBLOCK).ok()?;
        file.metadata().is_ok_and(|found| found.is_file()).then_some(file)
    }

    /// Copies `file` into the file that has the name now, or into a new file of that name. `refused` is the reason why
    /// `file` cannot take the name itself.
    fn write_in_place(&self, file: &File, refused: Errno, shown: &str) -> io::Result<()> {
        let created = || self.entry.open(OFlags::CREATE | OFlags::EXCL).ok();
        let target = self.existing().or_else(created).ok_or(refused)?;
        let why = reason(&refused.into());
        say(&format_args!("{shown}: it cannot be replaced ({why}), so it is written in place"));
        let length = file.metadata()?.len();
        // Reserve room before any of the old file is overwritten: if the disk became full half-way, the old file would
        // be destroyed. Some file systems cannot reserve room; then the copy is tried without.
        let room = || fallocate(&target, FallocateFlags::KEEP_SIZE, 0, length);
        if length > 0
            && let Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) = retry_on_intr(room)
        {
            return Err(error.into());
        }
        let mut source = file;
        source.rewind()?;
        // std copies by reads and writes here, because it does not know `Patient`. Between two files it would use
        // copy_file_range, and would panic if the system refused that half-way.
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

/// Creates a file without a name in the folder for temporary files, after the folder of the output has refused one for
/// the reason `refused`.
fn elsewhere(refused: Errno) -> io::Result<File> {
    tempfile::tempfile().map_err(|error| {
        let (here, there) = (reason(&refused.into()), reason(&error));
        let folder = printable(std::env::temp_dir().as_os_str());
        let what = format!("no file can be made beside it ({here}), and none in {folder} ({there}); set TMPDIR");
        io::Error::other(what)
    })
}

/// Waits until the disk has stored what was written, before the file gets its name. Also opens a second descriptor of
/// the file and closes it, because some file systems report only on closing that they could not store the file.
fn settle(file: &File) -> io::Result<()> {
    sync(file)?;
    close(file.try_clone()?)
}

fn sync(file: &File) -> io::Result<()> {
    match retry_on_intr(|| fdatasync(file.as_fd())) {
        // These errors mean that the file is on no disk, or that this process is not permitted to call fdatasync. In
        // each of these cases the data was written.
        Ok(()) | Err(Errno::INVAL | Errno::NOSYS | Errno::PERM) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
