//! What a file has beside its contents, kept when another takes its place: owner, group, mode, access list, and other
//! extended attributes.

use rustix::fs::{Gid, Mode, Uid, XattrFlags, fchmod, fchown, fgetxattr, flistxattr, fremovexattr, fsetxattr, fstat};
use rustix::io::{Errno, Result};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;

/// The most bytes that Linux allows for one attribute, and for the names of all of a file.
const MOST: usize = 1 << 16;

/// The access list. A new file may have one too: the default of its folder.
const ACCESS_LIST: &[u8] = b"system.posix_acl_access";

/// Attributes that say something about the very bytes of a file, or give rights to who runs it: writing takes them away.
const OF_CONTENTS: [&[u8]; 3] = [b"security.capability", b"security.evm", b"security.ima"];

/// Where all attributes must be kept. The others are a file system's own, of how it stores the file.
const KEPT: [&[u8]; 4] = [b"system.", b"user.", b"trusted.", b"security."];

/// Gives `new` what `old` has. The owner stays ourselves where we may not give files away: then nobody gets rights that
/// they did not have before. Set-user-ID and set-group-ID are left out, as a write takes them away too.
///
/// # Errors
/// When anything but the owner cannot be kept. What was kept until then remains.
pub fn keep(old: &File, new: &File) -> Result<()> {
    let (stat, own) = (fstat(old)?, fstat(new)?);
    if stat.st_uid != own.st_uid {
        let _ = fchown(new, Some(Uid::from_raw(stat.st_uid)), None);
    }
    if stat.st_gid != own.st_gid {
        fchown(new, None, Some(Gid::from_raw(stat.st_gid)))?;
    }
    keep_extended(old, new)?;
    fchmod(new, Mode::from_raw_mode(stat.st_mode & 0o1777))
}

fn keep_extended(old: &File, new: &File) -> Result<()> {
    let names = names(old)?;
    let names = || names.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    if !names().any(|name| name == ACCESS_LIST) {
        match fremovexattr(new, OsStr::from_bytes(ACCESS_LIST)) {
            Ok(()) | Err(Errno::NODATA | Errno::NOTSUP) => {}
            Err(error) => return Err(error),
        }
    }
    for name in names().filter(|name| !OF_CONTENTS.contains(name)) {
        let kept = keep_one(old, new, OsStr::from_bytes(name));
        if kept.is_err() && KEPT.iter().any(|start| name.starts_with(start)) {
            return kept;
        }
    }
    Ok(())
}

fn keep_one(old: &File, new: &File, name: &OsStr) -> Result<()> {
    match value(old, name) {
        // Gone since it was listed.
        Err(Errno::NODATA) => Ok(()),
        Err(error) => Err(error),
        // A label that it has already may be one that we could not give it.
        Ok(found) if value(new, name).as_ref() == Ok(&found) => Ok(()),
        Ok(found) => fsetxattr(new, name, &found, XattrFlags::empty()),
    }
}

/// The names of all extended attributes, each with a zero behind it; none where the file system has no such thing.
fn names(file: &File) -> Result<Vec<u8>> {
    let mut names = vec![0; MOST];
    match flistxattr(file, &mut names[..]) {
        Ok(length) => names.truncate(length),
        Err(Errno::NOTSUP) => names.clear(),
        Err(error) => return Err(error),
    }
    Ok(names)
}

fn value(file: &File, name: &OsStr) -> Result<Vec<u8>> {
    let mut value = vec![0; MOST];
    let length = fgetxattr(file, name, &mut value[..])?;
    value.truncate(length);
    Ok(value)
}
