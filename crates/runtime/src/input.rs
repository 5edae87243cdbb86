//! Standard input and other descriptors, for as long as there is time.

use std::io;
use std::os::fd::AsFd;

use hallpass_core::Deadline;
use rustix::event::{PollFd, PollFlags, poll};

/// Appends what standard input holds to `bytes`, until it ends, or more than `most` bytes are
/// there.
///
/// # Errors
/// [`io::ErrorKind::TimedOut`] when it does not end by `deadline`, and what reading it comes to.
pub fn read_until(deadline: Deadline, most: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
    read_from_until(&io::stdin(), deadline, most, bytes)
}

/// As [`read_until`], from `input`. What its owner may keep in a buffer is not seen.
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
        // Past the buffer that the standard library keeps, of which `poll` knows nothing.
        let count = rustix::io::read(input, &mut piece)?;
        if count == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
        zeroize::Zeroize::zeroize(&mut piece);
    }
    Ok(())
}
