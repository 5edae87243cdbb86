//! Opens the sockets that the daemon listens at, and accepts their connections.

use std::fs::Permissions;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hallpass_core::configuration::Listener;
use rustix::process::umask;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

/// A listening socket. A unix socket that was made here is removed when it is dropped.
#[derive(Debug)]
pub enum Socket {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        /// Its path, unless systemd opened it.
        made: Option<PathBuf>,
    },
}

/// The bytes of a connection.
pub type Stream = Box<dyn ReadWrite>;

/// Reads and writes.
pub trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for S {}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A host.
    Address(IpAddr),
    /// A program of this machine that could open the unix socket.
    Unix,
}

impl Socket {
    /// Listens at `listener`, in place of a stale socket.
    pub fn bind(listener: &Listener) -> io::Result<Self> {
        match listener {
            Listener::Tcp(address) => Self::tcp(std::net::TcpListener::bind(address)?),
            Listener::Unix { path, mode } => {
                remove_stale(path)?;
                // The permissions hold from the first moment.
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

    /// Gives the socket file of `listener`, which is open, the mode that it names.
    pub fn set_mode(listener: &Listener) -> io::Result<()> {
        match listener {
            Listener::Tcp(_) => Ok(()),
            Listener::Unix { path, mode } => {
                std::fs::set_permissions(path, Permissions::from_mode(*mode))
            }
        }
    }

    /// Where it listens, as the system reports it.
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

    /// A TCP socket that already listens.
    pub fn tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Tcp(TcpListener::from_std(listener)?))
    }

    /// A unix socket that already listens, and that another program removes.
    pub fn unix(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Unix {
            listener: UnixListener::from_std(listener)?,
            made: None,
        })
    }

    /// The next connection.
    pub async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let peer = Peer::Address(address.ip().to_canonical());
                Ok((Box::new(stream), peer))
            }
            Self::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), Peer::Unix))
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
            // It may have been removed already.
            drop(std::fs::remove_file(path));
        }
    }
}

impl Peer {
    /// Whether the peer runs on this machine.
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
            let message = "a file that is not a socket has that name";
            Err(io::Error::new(io::ErrorKind::AlreadyExists, message))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
