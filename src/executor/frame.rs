//! What goes through the sockets of the `pickle` executor: pickles, each with its length and its number before it.

use crate::error::Error;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::SendFlags;

/// A task or its reply on the socket: how long the pickle is, and which task, before the pickle itself.
pub const HEADER: usize = 12;

/// The number of the last reply of a worker: what it measured.
pub const FAREWELL: u64 = u64::MAX;

/// Writes the header before a pickle that leaves room for it.
pub fn seal(frame: &mut [u8], number: u64) -> Result<(), Error> {
    let too_long = |_| Error::usage("a task is longer than 4 GiB as a pickle; use a smaller --chunk-size");
    let length = u32::try_from(frame.len() - HEADER).map_err(too_long)?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame[4..HEADER].copy_from_slice(&number.to_le_bytes());
    Ok(())
}

/// The first whole frame, taken off the front: its number and its pickle.
pub fn split_frame(bytes: &mut Vec<u8>) -> Option<(u64, Vec<u8>)> {
    let length = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
    let number = u64::from_le_bytes(*bytes.get(4..)?.first_chunk()?);
    if bytes.len() < HEADER + length {
        return None;
    }
    let rest = bytes.split_off(HEADER + length);
    let mut frame = std::mem::replace(bytes, rest);
    frame.drain(..HEADER);
    Some((number, frame))
}

/// Copies all of a frame into the socket.
pub fn send(socket: &OwnedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::net::send(socket.as_fd(), bytes, SendFlags::NOSIGNAL) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_off_only_when_whole() {
        let mut frame = vec![0; HEADER];
        frame.extend(b"pickle");
        seal(&mut frame, 7).unwrap();
        let mut bytes = vec![];
        for &byte in &frame {
            assert_eq!(split_frame(&mut bytes), None);
            bytes.push(byte);
        }
        bytes.push(9);
        assert_eq!(split_frame(&mut bytes), Some((7, b"pickle".to_vec())));
        assert_eq!(bytes, [9]);
    }
}
