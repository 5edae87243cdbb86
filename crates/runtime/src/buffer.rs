//! Reads and keeps bytes that may hold a password, and leaves no copies of them behind.

use std::io;
use std::os::fd::AsFd;

use hallpass_core::Deadline;
use rustix::event::{PollFd, PollFlags, poll};
use zeroize::{Zeroize, Zeroizing};

/// Appends `more` to `bytes`. A vector that grows by itself would leave a copy of them behind.
pub fn append(bytes: &mut Zeroizing<Vec<u8>>, more: &[u8]) {
    let needed = bytes.len() + more.len();
    if needed > bytes.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.next_power_of_two()));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(more);
}

/// Removes the first `count` of `bytes`. `drain` would leave a copy of the bytes that move up behind,
/// in the spare capacity.
pub fn drop_front(bytes: &mut Zeroizing<Vec<u8>>, count: usize) {
    let count = count.min(bytes.len());
    bytes.copy_within(count.., 0);
    let left = bytes.len() - count;
    if let Some(behind) = bytes.get_mut(left..) {
        behind.zeroize();
    }
    bytes.truncate(left);
}

/// Appends standard input to `bytes`, until it ends, or more than `most` bytes are there.
///
/// # Errors
/// [`io::ErrorKind::TimedOut`] when it does not end by `deadline`, and errors of reading.
pub fn read_until(deadline: Deadline, most: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
    read_from_until(&io::stdin(), deadline, most, bytes)
}

/// As [`read_until`], from `input`. Bytes that its owner has already buffered are not read.
///
/// # Errors
/// As [`read_until`].
pub fn read_from_until(
    input: &impl AsFd,
    deadline: Deadline,
    most: usize,
    bytes: &mut Vec<u8>,
) -> io::Result<()> {
    while bytes.len() <= most {
        let wait = deadline.remaining().try_into().map_err(io::Error::other)?;
        let mut ready = [PollFd::new(input, PollFlags::IN)];
        match poll(&mut ready, Some(&wait)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let mut piece = [0; 1024];
        // Not by the standard library, because `poll` knows nothing of its buffer.
        let count = rustix::io::read(input, &mut piece)?;
        if count == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
        piece.zeroize();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_is_dropped() {
        for (count, left) in [(0, &b"abcdef"[..]), (2, b"cdef"), (6, b""), (9, b"")] {
            let mut bytes = Zeroizing::new(b"abcdef".to_vec());
            drop_front(&mut bytes, count);
            assert_eq!(**bytes, *left);
        }
    }
}
