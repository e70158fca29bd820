//! Reads that return at once, even if there is no input.
//!
//! Even after `poll` has reported input, a read may find none: another process that has the same pipe or terminal open
//! may have taken the input in between. If the read then waited, nothing could stop it when the run is over, or when
//! nobody reads the output any more. So only `poll` waits, because `poll` can watch for these two events, too. Stdin is
//! not made non-blocking for this purpose, because it would become non-blocking for all processes that share it.

use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, fstat, major, minor};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use rustix::net::RecvFlags;
use std::io::IoSliceMut;

/// The way in which a descriptor is read without waiting.
#[derive(Debug)]
pub enum Way {
    /// By `read`. For regular files, which never make a read wait; for files that this program has opened non-blocking;
    /// and for devices that allow no other way, whose reads can wait.
    Plain,
    /// By `recv` with `MSG_DONTWAIT`. For sockets.
    Socket,
    /// By `preadv2` with `RWF_NOWAIT`, which pipes support since Linux 6.4. For pipes.
    Flag,
    /// By `read` from a second, non-blocking opening of the same pipe or terminal. No other process shares that
    /// opening. `poll` still watches the first opening: on a FIFO that was opened after its last writer had gone,
    /// `poll` would never report the end.
    Reopened(OwnedFd),
}

impl Way {
    /// Returns the way to read `shared`, a descriptor that other processes may share.
    pub fn to_read(shared: impl AsFd) -> Self {
        let shared = shared.as_fd();
        match fstat(shared).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
            Ok(FileType::Fifo) => Way::Flag,
            Ok(FileType::Socket) => Way::Socket,
            Ok(FileType::CharacterDevice) if is_terminal(shared) => Way::reopened(shared),
            _ => Way::Plain,
        }
    }

    /// Returns the way to read `shared` by a second opening or, if that opening fails, by plain `read`.
    fn reopened(shared: BorrowedFd) -> Self {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let name = format!("/proc/self/fd/{}", shared.as_raw_fd());
        rustix::io::retry_on_intr(|| rustix::fs::open(&name, flags, Mode::empty())).map_or(Way::Plain, Way::Reopened)
    }

    /// Reads the bytes that are there into `into`, and returns their number, which is 0 at the end of the input.
    /// `shared` is the descriptor for which this way was chosen.
    ///
    /// # Errors
    /// `EAGAIN` if there are no bytes at the moment; any other error that the system reports.
    pub fn read(&mut self, shared: impl AsFd, into: &mut [u8]) -> Result<usize, Errno> {
        let shared = shared.as_fd();
        match self {
            Way::Plain => rustix::io::read(shared, into),
            Way::Socket => rustix::net::recv(shared, into, RecvFlags::DONTWAIT).map(|(count, _)| count),
            Way::Reopened(own) => rustix::io::read(own, into),
            Way::Flag => {
                // The offset -1 stands for the current position, the only one that a pipe has.
                match preadv2(shared, &mut [IoSliceMut::new(into)], u64::MAX, ReadWriteFlags::NOWAIT) {
                    // The system is too old for this call, or a filter of system calls does not permit it.
                    Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM | Errno::INVAL) => {
                        *self = Way::reopened(shared);
                        self.read(shared, into)
                    }
                    read => read,
                }
            }
        }
    }
}

/// Whether `descriptor` is a terminal that can be opened a second time. The controlling side of a pseudoterminal
/// (`/dev/ptmx`) cannot, because opening it again creates a new terminal.
fn is_terminal(descriptor: BorrowedFd) -> bool {
    const OTHER_SIDE: (u32, u32) = (5, 2);
    let device = fstat(descriptor).map(|stat| (major(stat.st_rdev), minor(stat.st_rdev)));
    device.is_ok_and(|device| device != OTHER_SIDE) && rustix::termios::isatty(descriptor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, fcntl_getfl, mknodat};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use std::fs::File;
    use std::os::unix::net::UnixStream;

    /// Checks that reading by `way` does not wait, finds the bytes that are there, and leaves the shared descriptor
    /// blocking.
    fn never_waits(mut way: Way, shared: OwnedFd, writer: OwnedFd) {
        let mut buffer = [0; 16];
        for text in [&b"12,18\n"[..], b"5\n"] {
            assert_eq!(way.read(&shared, &mut buffer), Err(Errno::AGAIN), "{way:?}");
            rustix::io::write(&writer, text).unwrap();
            assert_eq!(way.read(&shared, &mut buffer), Ok(text.len()), "{way:?}");
            assert_eq!(&buffer[..text.len()], text, "{way:?}");
            // Another reader takes the input first.
            rustix::io::write(&writer, text).unwrap();
            assert_eq!(rustix::io::read(&shared, &mut buffer), Ok(text.len()));
        }
        assert!(!fcntl_getfl(&shared).unwrap().contains(OFlags::NONBLOCK), "{way:?}");
        drop(writer);
        let end = way.read(&shared, &mut buffer);
        assert!(matches!(end, Ok(0) | Err(Errno::IO)), "{way:?} {end:?}");
    }

    fn pipe() -> (OwnedFd, OwnedFd) {
        rustix::pipe::pipe().unwrap()
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let (reader, writer) = pipe();
        never_waits(Way::to_read(&reader), reader, writer);
        let (reader, writer) = pipe();
        never_waits(Way::reopened(reader.as_fd()), reader, writer);
    }

    #[test]
    fn a_pipe_that_has_ended_is_read_to_its_end_by_another_opening() {
        let (reader, writer) = pipe();
        rustix::io::write(&writer, b"6\n").unwrap();
        drop(writer);
        let (mut way, mut buffer) = (Way::reopened(reader.as_fd()), [0; 16]);
        assert_eq!((way.read(&reader, &mut buffer), way.read(&reader, &mut buffer)), (Ok(2), Ok(0)));
    }

    #[test]
    fn a_fifo_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let both = File::options().read(true).write(true).open(&path).unwrap();
        let (reader, writer) = (File::open(&path).unwrap(), File::options().write(true).open(&path).unwrap());
        drop(both);
        never_waits(Way::to_read(&reader), reader.into(), writer.into());
    }

    #[test]
    fn a_socket_is_not_waited_for() {
        let (reader, writer) = UnixStream::pair().unwrap();
        never_waits(Way::to_read(&reader), reader.into(), writer.into());
    }

    #[test]
    fn a_terminal_is_not_waited_for_and_its_other_side_is_not_opened_again() {
        let other = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&other).unwrap();
        unlockpt(&other).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let terminal = rustix::fs::open(ptsname(&other, vec![]).unwrap(), flags, Mode::empty()).unwrap();
        assert!(matches!(Way::to_read(&other), Way::Plain));
        let way = Way::to_read(&terminal);
        assert!(matches!(way, Way::Reopened(_)), "{way:?}");
        never_waits(way, terminal, other);
    }

    #[test]
    fn files_and_other_devices_are_read_as_they_are() {
        for name in ["/dev/null", "/dev/zero", "/proc/self/exe", "/proc/self/stat"] {
            assert!(matches!(Way::to_read(File::open(name).unwrap()), Way::Plain), "{name}");
        }
    }
}
