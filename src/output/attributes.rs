//! What a file has beside its contents, kept when another file takes its place: owner, group, mode, access list, and other
//! extended attributes.

use rustix::fs::{Gid, Mode, Uid, fchmod, fchown, fstat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use xattr::FileExt;

/// The access list. A new file may have one too: the default of its folder.
const ACCESS_LIST: &str = "system.posix_acl_access";

/// Attributes that vouch for the very bytes of a file, or give rights to whoever runs it. Writing to a file takes them away.
const OF_CONTENTS: [&str; 3] = ["security.capability", "security.evm", "security.ima"];

/// The namespaces in which all attributes must be kept. The others are a file system's own, about how it stores the file.
const KEPT: [&[u8]; 4] = [b"system.", b"user.", b"trusted.", b"security."];

/// Gives `new` what `old` has. Where we may not give files away, the owner stays ourselves: then nobody gets rights that
/// they did not have before. Set-user-ID and set-group-ID are left out, as a write takes them away too.
///
/// # Errors
/// When anything but the owner cannot be kept. What was kept until then remains.
pub fn keep(old: &File, new: &File) -> rustix::io::Result<()> {
    let (stat, own) = (fstat(old)?, fstat(new)?);
    if stat.st_uid != own.st_uid {
        let _ = fchown(new, Some(Uid::from_raw(stat.st_uid)), None);
    }
    if stat.st_gid != own.st_gid {
        fchown(new, None, Some(Gid::from_raw(stat.st_gid)))?;
    }
    keep_extended(old, new).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::INVAL))?;
    fchmod(new, Mode::from_raw_mode(stat.st_mode & 0o1777))
}

fn keep_extended(old: &File, new: &File) -> io::Result<()> {
    // A file system that has no extended attributes has none to keep.
    let names: Vec<_> = or_if(Errno::NOTSUP, old.list_xattr().map(Iterator::collect))?;
    if !names.iter().any(|name| name == ACCESS_LIST) {
        or_if(Errno::NODATA, or_if(Errno::NOTSUP, new.remove_xattr(ACCESS_LIST)))?;
    }
    for name in names.iter().filter(|name| OF_CONTENTS.iter().all(|known| name != known)) {
        let kept = keep_one(old, new, name);
        if kept.is_err() && KEPT.iter().any(|start| name.as_bytes().starts_with(start)) {
            return kept;
        }
    }
    Ok(())
}

fn keep_one(old: &File, new: &File, name: &OsStr) -> io::Result<()> {
    // The attribute may be gone since it was listed. And a label that `new` has already may be one that we could not give it.
    match old.get_xattr(name)? {
        Some(value) if new.get_xattr(name).ok().flatten().as_ref() != Some(&value) => new.set_xattr(name, &value),
        _ => Ok(()),
    }
}

/// Nothing in place of this error.
fn or_if<T: Default>(error: Errno, result: io::Result<T>) -> io::Result<T> {
    result.or_else(|found| if Errno::from_io_error(&found) == Some(error) { Ok(T::default()) } else { Err(found) })
}
