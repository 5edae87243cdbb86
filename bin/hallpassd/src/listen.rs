//! Sockets.

use std::io;
use std::net::IpAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use hallpass_core::configuration::Listener;
use rustix::process::umask;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// A socket that is listened on. A unix socket is removed when it goes.
#[derive(Debug)]
pub enum Socket {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        path: PathBuf,
    },
}

/// A connection.
#[derive(Debug)]
pub enum Connection {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A host.
    Address(IpAddr),
    /// A program on this host that could open the unix socket.
    Unix,
}

impl Socket {
    /// Listens at `listener`, in place of a socket that nobody listens on any more.
    pub fn bind(listener: &Listener) -> io::Result<Self> {
        match listener {
            Listener::Tcp(address) => {
                let socket = std::net::TcpListener::bind(address)?;
                socket.set_nonblocking(true)?;
                Ok(Self::Tcp(TcpListener::from_std(socket)?))
            }
            Listener::Unix { path, mode } => {
                remove_stale(path)?;
                // The permissions are there from the first moment, not a moment later.
                let before = umask(rustix::fs::Mode::from_raw_mode(!mode & 0o777));
                let bound = UnixListener::bind(path);
                umask(before);
                Ok(Self::Unix {
                    listener: bound?,
                    path: path.clone(),
                })
            }
        }
    }

    /// The next connection.
    pub async fn accept(&self) -> io::Result<(Connection, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((
                    Connection::Tcp(stream),
                    Peer::Address(address.ip().to_canonical()),
                ))
            }
            Self::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok((Connection::Unix(stream), Peer::Unix))
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Self::Unix { path, .. } = self {
            // Somebody may have removed it already.
            drop(std::fs::remove_file(path));
        }
    }
}

impl Peer {
    /// Whether the peer runs on this host.
    pub fn is_local(self) -> bool {
        match self {
            Self::Address(address) => address.is_loopback(),
            Self::Unix => true,
        }
    }
}

fn remove_stale(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                let message = "another program listens there";
                return Err(io::Error::new(io::ErrorKind::AddrInUse, message));
            }
            std::fs::remove_file(path)
        }
        Ok(_) => {
            let message = "there is a file of that name that is no socket";
            Err(io::Error::new(io::ErrorKind::AlreadyExists, message))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
