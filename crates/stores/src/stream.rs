//! Connects to servers and moves bytes, by a [`Deadline`].

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::address::resolve;
use crate::{Address, Deadline};

/// The longest wait of one system call. A socket keeps its timeout between requests, so it is set
/// again only when less than this is left.
const SLICE: Duration = Duration::from_millis(100);

/// The pause before a unix socket whose queue is full is tried again.
const QUEUE_PAUSE: Duration = Duration::from_millis(2);

/// A connection to a server.
pub(crate) struct Stream {
    socket: Socket,
    tls: Option<Box<ClientConnection>>,
}

impl Stream {
    /// Connects to `address`, and speaks TLS there when told how. All addresses of a name are
    /// tried.
    ///
    /// # Errors
    /// The error of the system or of TLS; `TimedOut` at `deadline`.
    pub(crate) fn connect(
        address: &Address,
        tls: Option<Arc<ClientConfig>>,
        deadline: Deadline,
    ) -> io::Result<Self> {
        let (kind, host) = match address {
            Address::Tcp { host, port } => (Kind::Tcp(connect_tcp(host, *port, deadline)?), host),
            Address::Unix(path) => {
                let kind = Kind::Unix(connect_unix(path, deadline)?);
                return Ok(Self {
                    socket: Socket::new(kind)?,
                    tls: None,
                });
            }
        };
        let mut stream = Self {
            socket: Socket::new(kind)?,
            tls: None,
        };
        if let Some(tls) = tls {
            let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
            let connection = ClientConnection::new(tls, name).map_err(io::Error::other)?;
            let connection = stream.tls.insert(Box::new(connection));
            let mut timed = stream.socket.until(deadline);
            while connection.is_handshaking() {
                connection.complete_io(&mut timed)?;
            }
        }
        Ok(stream)
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// The error of the system or of TLS; `TimedOut` at `deadline`.
    pub(crate) fn send(&mut self, bytes: &[u8], deadline: Deadline) -> io::Result<()> {
        let mut timed = self.socket.until(deadline);
        match &mut self.tls {
            Some(tls) => {
                let mut stream = rustls::Stream::new(tls.as_mut(), &mut timed);
                stream.write_all(bytes)?;
                stream.flush()
            }
            None => timed.write_all(bytes),
        }
    }

    /// Receives what is there, waiting for the first byte of it. Zero is the end.
    ///
    /// # Errors
    /// The error of the system or of TLS; `TimedOut` at `deadline`.
    pub(crate) fn receive(&mut self, buffer: &mut [u8], deadline: Deadline) -> io::Result<usize> {
        let mut timed = self.socket.until(deadline);
        match &mut self.tls {
            Some(tls) => rustls::Stream::new(tls.as_mut(), &mut timed).read(buffer),
            None => timed.read(buffer),
        }
    }

    /// Whether nothing can be read, not even the end, as on an idle connection.
    pub(crate) fn quiet(&self) -> bool {
        let mut descriptors = [match &self.socket.kind {
            Kind::Tcp(socket) => PollFd::new(socket, PollFlags::IN),
            Kind::Unix(socket) => PollFd::new(socket, PollFlags::IN),
        }];
        poll(&mut descriptors, Some(&Timespec::default())) == Ok(0)
    }

    /// Whether it speaks TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Stream(…)")
    }
}

fn connect_tcp(host: &str, port: u16, deadline: Deadline) -> io::Result<TcpStream> {
    let addresses = resolve(host, port, deadline)?;
    let mut last = None;
    for (index, address) in addresses.iter().enumerate() {
        // Each gets its share of what is left, so that one that never answers leaves some to the
        // others.
        let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let share = deadline.remaining() / left;
        if share.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(address, share) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(timed_out))
}

/// Connects to the unix socket at `path` by `deadline`. The system would wait without end where the
/// queue is full of connections that the server does not take.
///
/// # Errors
/// The system's error; `TimedOut` at `deadline`.
pub fn connect_unix(path: &Path, deadline: Deadline) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    loop {
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) => {
                let socket = UnixStream::from(socket);
                socket.set_nonblocking(false)?;
                return Ok(socket);
            }
            Err(Errno::AGAIN) if !deadline.passed() => {
                thread::sleep(QUEUE_PAUSE.min(deadline.remaining()));
            }
            Err(Errno::AGAIN) => return Err(timed_out()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}

struct Socket {
    kind: Kind,
    /// The timeout that the socket has.
    timeout: Duration,
}

enum Kind {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    fn new(kind: Kind) -> io::Result<Self> {
        let mut socket = Self {
            kind,
            timeout: Duration::ZERO,
        };
        socket.set_timeout(SLICE)?;
        Ok(socket)
    }

    fn until(&mut self, deadline: Deadline) -> Timed<'_> {
        Timed {
            socket: self,
            deadline,
        }
    }

    fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        if timeout != self.timeout {
            match &self.kind {
                Kind::Tcp(socket) => {
                    socket.set_read_timeout(Some(timeout))?;
                    socket.set_write_timeout(Some(timeout))?;
                }
                Kind::Unix(socket) => {
                    socket.set_read_timeout(Some(timeout))?;
                    socket.set_write_timeout(Some(timeout))?;
                }
            }
            self.timeout = timeout;
        }
        Ok(())
    }
}

/// A socket with a deadline. It checks the clock before every system call, so that reading byte by
/// byte ends in time, too.
struct Timed<'a> {
    socket: &'a mut Socket,
    deadline: Deadline,
}

impl Timed<'_> {
    fn again<T>(&mut self, mut call: impl FnMut(&mut Kind) -> io::Result<T>) -> io::Result<T> {
        loop {
            let remaining = self.deadline.remaining();
            if remaining.is_zero() {
                return Err(timed_out());
            }
            self.socket.set_timeout(remaining.min(SLICE))?;
            match call(&mut self.socket.kind) {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) => {}
                answer => return answer,
            }
        }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.again(|kind| match kind {
            Kind::Tcp(socket) => socket.read(buffer),
            Kind::Unix(socket) => socket.read(buffer),
        })
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.again(|kind| match kind {
            Kind::Tcp(socket) => socket.write(bytes),
            Kind::Unix(socket) => socket.write(bytes),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
