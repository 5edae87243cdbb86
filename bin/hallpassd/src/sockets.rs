//! Sockets.

use std::io;
use std::net::IpAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use hallpass_core::configuration::Listener;
use rustix::process::umask;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// A socket that is listened on. A unix socket that was made here is removed when it goes.
#[derive(Debug)]
pub enum Socket {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        /// Where it was made, unless it was handed over.
        made: Option<PathBuf>,
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
            Listener::Tcp(address) => Self::tcp(std::net::TcpListener::bind(address)?),
            Listener::Unix { path, mode } => {
                remove_stale(path)?;
                // The permissions are there from the first moment, not a moment later.
                let before = umask(rustix::fs::Mode::from_raw_mode(!mode & 0o777));
                let bound = UnixListener::bind(path);
                umask(before);
                Ok(Self::Unix {
                    listener: bound?,
                    made: Some(path.clone()),
                })
            }
        }
    }

    /// Where it listens, as the system says it.
    pub fn listener(&self) -> io::Result<Listener> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Listener::Tcp),
            Self::Unix { listener, .. } => {
                let address = listener.local_addr()?;
                // One without a path is in the abstract name space, and has no mode.
                let path = address.as_pathname().unwrap_or(Path::new("@"));
                Ok(Listener::Unix {
                    path: path.to_path_buf(),
                    mode: 0o777,
                })
            }
        }
    }

    /// A TCP socket that listens already.
    pub fn tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Tcp(TcpListener::from_std(listener)?))
    }

    /// A unix socket that listens already, and belongs to somebody else.
    pub fn unix(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Unix {
            listener: UnixListener::from_std(listener)?,
            made: None,
        })
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
        if let Self::Unix {
            made: Some(path), ..
        } = self
        {
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

    /// The peer's address, where it has one.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Unix => None,
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
