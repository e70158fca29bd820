//! Copies the attributes of a file to the file that replaces it: owner, group, mode, access list, and other extended
//! attributes.

use rustix::fs::{Gid, Mode, Uid, fchmod, fchown, fstat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use xattr::FileExt;

/// The extended attribute that holds the access list (ACL). A new file can have an access list already, from the
/// default list of its folder.
const ACCESS_LIST: &str = "system.posix_acl_access";

/// Attributes that are not copied, because they vouch for exactly the old contents, or give rights to whoever runs the
/// file. When a file is written to, the system, too, removes them or makes them anew.
const OF_CONTENTS: [&str; 3] = ["security.capability", "security.evm", "security.ima"];

/// The namespaces of extended attributes that must be copied. If one of these cannot be copied, the file is not
/// replaced. Attributes in other namespaces belong to the file system and concern how it stores the file, so a failure
/// to copy them is ignored.
const KEPT: [&[u8]; 4] = [b"system.", b"user.", b"trusted.", b"security."];

/// Copies owner, group, mode, access list and extended attributes from `old` to `new`. If this process may not give
/// files away, it stays the owner of `new`, and no other user gets rights to `new` that he did not have to `old`.
/// Set-user-ID and set-group-ID bits are not copied, because writing to a file clears them, too.
///
/// # Errors
/// If the group, the mode, or an attribute that must be kept cannot be copied. What was copied before that stays.
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
    // A file system without extended attributes reports an error here; then there are none to copy.
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
    // The attribute might have been removed since it was listed. If `new` has the same value already, the attribute is
    // not set again, because this process might not be allowed to set it (a security label, for example).
    match old.get_xattr(name)? {
        Some(value) if new.get_xattr(name).ok().flatten().as_ref() != Some(&value) => new.set_xattr(name, &value),
        _ => Ok(()),
    }
}

/// Replaces the error `error` by the default value; passes on all other results.
fn or_if<T: Default>(error: Errno, result: io::Result<T>) -> io::Result<T> {
    result.or_else(|found| if Errno::from_io_error(&found) == Some(error) { Ok(T::default()) } else { Err(found) })
}
