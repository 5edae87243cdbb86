//! Takes over descriptor 3, which the host has opened.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

/// The descriptor on which the interface passes the name and the password.
const NUMBER: RawFd = 3;

/// Takes over descriptor 3: a duplicate is returned, and 3 itself is closed, so that PROG does not
/// inherit it. Must be called before this program opens anything.
///
/// `FromRawFd` is unsafe, because the number may already belong to other code. So the system
/// duplicates the descriptor, as if it were another process's.
///
/// # Errors
/// When descriptor 3 is not open, or cannot be taken.
pub fn take() -> io::Result<OwnedFd> {
    let taken = duplicate(NUMBER)?;
    nix::unistd::close(NUMBER)?;
    Ok(taken)
}

fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    let found = pidfd_open(getpid(), PidfdFlags::empty()).and_then(|process| {
        if process.as_raw_fd() == number {
            // The descriptor was free.
            return Err(Errno::BADF);
        }
        pidfd_getfd(&process, number, PidfdGetfdFlags::empty())
    });
    match found {
        // Linux before 5.6, or a container that forbids it.
        Err(Errno::NOSYS | Errno::PERM) => reopen(number),
        found => Ok(found?),
    }
}

/// Opens the file of a descriptor again: equivalent for a pipe, and not possible for a socket.
fn reopen(number: RawFd) -> io::Result<OwnedFd> {
    Ok(File::open(format!("/proc/self/fd/{number}"))?.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write, pipe};
    use std::os::unix::net::UnixStream;

    use super::*;

    type Way = fn(RawFd) -> io::Result<OwnedFd>;

    fn read_to_end(descriptor: OwnedFd) -> String {
        let mut text = String::new();
        File::from(descriptor).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_pipe_is_read_to_its_end() {
        for way in [duplicate as Way, reopen] {
            let (reader, mut writer) = pipe().unwrap();
            writer.write_all(b"alice").unwrap();
            let taken = way(reader.as_raw_fd()).unwrap();
            drop((reader, writer));
            assert_eq!(read_to_end(taken), "alice");
        }
    }

    #[test]
    fn a_socket_is_read_to_its_end() {
        let (reader, mut writer) = UnixStream::pair().unwrap();
        writer.write_all(b"alice").unwrap();
        let taken = duplicate(reader.as_raw_fd()).unwrap();
        drop((reader, writer));
        assert_eq!(read_to_end(taken), "alice");
    }

    #[test]
    fn a_file_is_read_from_where_it_stands() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"before alice").unwrap();
        io::Seek::seek(&mut file, io::SeekFrom::Start(7)).unwrap();
        let taken = duplicate(file.as_raw_fd()).unwrap();
        assert_eq!(read_to_end(taken), "alice");
    }

    #[test]
    fn nothing_is_made_of_a_descriptor_that_is_closed() {
        for way in [duplicate as Way, reopen] {
            assert!(way(9_999).is_err());
        }
    }

    #[test]
    fn what_was_taken_is_not_handed_on() {
        let (reader, _writer) = pipe().unwrap();
        for way in [duplicate as Way, reopen] {
            let taken = way(reader.as_raw_fd()).unwrap();
            let flags = rustix::io::fcntl_getfd(&taken).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        }
    }
}
