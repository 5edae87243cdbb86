//! Opens the sockets that the daemon listens at, and accepts their connections.

use std::fs::Permissions;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use hallpass_core::configuration::Listener;
use rustix::process::umask;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

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

/// A connection that is not served yet.
#[derive(Debug)]
pub enum Accepted {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// Detached from the loop that accepted it.
    DetachedTcp(std::net::TcpStream),
    DetachedUnix(std::os::unix::net::UnixStream),
}

/// The bytes of a connection.
pub type Stream = Box<dyn ReadWrite>;

/// Reads and writes.
pub trait ReadWrite: AsyncRead + AsyncWrite + Send + Sync + Unpin {
    /// Ready once there may be something to read, or the peer has hung up.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl ReadWrite for TcpStream {
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(context)
    }
}

impl ReadWrite for UnixStream {
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(context)
    }
}

/// Returns once there may be something to read, or the peer has hung up. Buffers that are made only
/// then cost an idle connection nothing.
pub async fn readable(stream: &Stream) -> io::Result<()> {
    poll_fn(|context| stream.poll_readable(context)).await
}

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
    pub async fn accept(&self) -> io::Result<(Accepted, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let peer = Peer::Address(address.ip().to_canonical());
                Ok((Accepted::Tcp(stream), peer))
            }
            Self::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok((Accepted::Unix(stream), Peer::Unix))
            }
        }
    }
}

impl Accepted {
    /// The same, for another loop.
    pub fn detach(self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::DetachedTcp(stream.into_std()?),
            Self::Unix(stream) => Self::DetachedUnix(stream.into_std()?),
            detached => detached,
        })
    }

    /// Its bytes, for the loop that runs the calling task.
    pub fn into_stream(self) -> io::Result<Stream> {
        Ok(match self {
            Self::Tcp(stream) => Box::new(stream),
            Self::Unix(stream) => Box::new(stream),
            Self::DetachedTcp(stream) => Box::new(TcpStream::from_std(stream)?),
            Self::DetachedUnix(stream) => Box::new(UnixStream::from_std(stream)?),
        })
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
