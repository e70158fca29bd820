//! The messages between a thread of the `pickle` executor and its child process: tasks, and a reply to each.
//!
//! The executor does what Python's `ProcessPoolExecutor` does, so that the cost can be measured: rows are pickled,
//! copied through a Unix socket, and unpickled; their outputs come back in the same way. On the socket, each pickle has
//! its length in front.

use crate::error::{Error, reason};
use crate::process::console::say;
use crate::steps::{self, STEPS, Step, lap};
use crate::work::Work;
use crate::work::remote::Failure;
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{SendFlags, Shutdown, shutdown};
use std::io::{self, Read, Write};

/// Size in bytes of the length that precedes each pickle.
const LENGTH: usize = size_of::<u64>();
/// How many bytes at most are allocated for a pickle before any of it has arrived. The limit is there because the
/// announced length may be wrong.
const MOST_AT_ONCE: usize = 1 << 20;

/// A socket that is read and written only by system calls that a confined child may make.
struct Socket<'s>(&'s OwnedFd);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(self.0, buffer)?)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(self.0.as_fd(), bytes, SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn send(socket: &OwnedFd, pickle: &[u8]) -> io::Result<()> {
    steps::count_copied(LENGTH + pickle.len());
    // Send length and pickle in one call: with two calls the receiver would wake up twice.
    Socket(socket).write_all(&[&(pickle.len() as u64).to_le_bytes(), pickle].concat())
}

/// Returns the next pickle. Returns `None` if the other side has closed the socket or ended, or has sent a length that
/// is wrong.
pub fn receive(mut socket: impl Read) -> Option<Vec<u8>> {
    let mut length = [0; LENGTH];
    socket.read_exact(&mut length).ok()?;
    // No block is longer than 32 bits can say, so a greater length is wrong. Trusting a wrong length could use up all
    // memory.
    let length = Some(u64::from_le_bytes(length)).filter(|&length| length <= u64::from(u32::MAX))?;
    let mut pickle = Vec::with_capacity(usize::try_from(length).ok()?.min(MOST_AT_ONCE));
    let count = socket.take(length).read_to_end(&mut pickle).ok()?;
    steps::count_copied(LENGTH + count);
    (count as u64 == length).then_some(pickle)
}

/// Sends a task to `worker`, waits for the reply and returns the reply. Called in the parent.
///
/// # Errors
/// If the worker process has ended, or sending fails. After that no other task may be sent to this worker.
pub fn call(socket: &OwnedFd, worker: u32, task: &[u8]) -> Result<Vec<u8>, Failure> {
    if let Err(error) = send(socket, task) {
        if error.kind() != io::ErrorKind::BrokenPipe {
            say(&format_args!("cannot send rows to worker {worker}: {}", reason(&error)));
        }
        // The worker has received part of the task and would wait for the rest.
        let _ = shutdown(socket, Shutdown::Both);
        return Err(Failure::Gone);
    }
    lap(Step::Send);
    let reply = receive(Socket(socket)).ok_or(Failure::Gone)?;
    lap(Step::Receive);
    Ok(reply)
}

/// Tells a worker that there are no more tasks, and adds the processor time that the worker has measured for each step
/// to the sums of this process. Called in the parent.
///
/// # Errors
/// If the worker process has ended without sending its times.
pub fn add_steps(socket: &OwnedFd) -> Result<(), Failure> {
    let _ = shutdown(socket, Shutdown::Write);
    let steps = receive(Socket(socket)).ok_or(Failure::Gone)?;
    let (nanos, _) = steps.as_chunks::<8>();
    steps::add(std::array::from_fn::<_, STEPS, _>(|step| {
        nanos.get(step).map_or(0, |&nanos| u64::from_le_bytes(nanos))
    }));
    Ok(())
}

/// Maps every task that arrives until there are no more. Called in the worker process.
///
/// # Errors
/// If a task is not a pickle that the parent can have sent.
pub fn serve(socket: &OwnedFd, work: &dyn Work) -> Result<(), Error> {
    lap(Step::Import);
    while let Some(task) = receive(Socket(socket)) {
        lap(Step::Send);
        let (reply, _) = work.map_task(&task)?;
        if send(socket, &reply).is_err() {
            return Ok(());
        }
        lap(Step::Receive);
    }
    lap(Step::Send);
    if steps::is_timing() {
        let _ = send(socket, steps::take().map(u64::to_le_bytes).as_flattened());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::gcd::Gcd;
    use crate::ring::Care;
    use crate::work::remote::Remote;
    use crate::work::text::{Settings, Text};
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use std::fs;
    use std::process::{Command, Stdio};

    #[test]
    fn what_goes_through_the_socket_is_what_cpython_unpickles() {
        let gcd = Gcd::default();
        let text = Text::new(&gcd, Settings::default());
        let rows = b"12,18\n0,7\n2147483647,2147483648\n18446744073709551615,9223372036854775808\n1,2\n";
        let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
        let (to_python, from_us) = pair.unwrap();
        let call = |task: &[u8]| {
            send(&to_python, task).unwrap();
            Ok(text.map_task(task)?.0)
        };
        let mut room = [0; 100];
        let mut mapper = text.mapper(Some(Remote { chunk_size: 2, call: Box::new(call) }));
        let mapped = mapper.map_block(&[], rows, &mut room, Care::default()).unwrap();
        assert_eq!(&room[..mapped.results], b"6\n7\n1\n1\n1\n");
        drop(mapper);
        drop(to_python);

        let mut bytes = vec![];
        fs::File::from(from_us).read_to_end(&mut bytes).unwrap();
        let script = "\
import pickle, struct, sys
data, tasks = sys.stdin.buffer.read(), []
while data:
    length, = struct.unpack_from('<Q', data)
    tasks.append(pickle.loads(data[8:8 + length]))
    data = data[8 + length:]
print(tasks)";
        let mut python = Command::new("python3");
        let mut python = python.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        python.stdin.take().unwrap().write_all(&bytes).unwrap();
        let output = python.wait_with_output().unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            "[[(12, 18), (0, 7)], [(2147483647, 2147483648), (18446744073709551615, 9223372036854775808)], [(1, 2)]]\n"
        );
    }

    #[test]
    fn a_pickle_is_received_only_when_whole() {
        let mut sent = &[&6u64.to_le_bytes()[..], b"pickle", &u64::MAX.to_le_bytes(), b"pick"].concat()[..];
        assert_eq!(receive(&mut sent), Some(b"pickle".to_vec()));
        // The second pickle is shorter than its length says; after it there are no more bytes.
        assert_eq!([receive(&mut sent), receive(&mut sent)], [None, None]);
    }
}
