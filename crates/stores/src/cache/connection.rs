//! Sends queries to a cache server, and buffers its answers until they are read.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use zeroize::{Zeroize, Zeroizing};

use crate::stream::Stream;
use crate::{Address, Cause, Deadline, Explained, Unavailable};

/// The longest value that is read, in bytes. memcached takes none that is longer by itself.
pub const LONGEST_VALUE: usize = 1 << 20;

/// The least that is received at once. Most sessions are shorter.
const CHUNK: usize = 4096;

/// The most that is received for one answer: a value, and the protocol around it.
const LONGEST_ANSWER: usize = LONGEST_VALUE + CHUNK;

/// The buffer that an idle connection keeps.
const IDLE_ROOM: usize = 16 * CHUNK;

/// The result of a decoder: an answer and the number of bytes it took, `None` where more are
/// needed, or why the bytes are not an answer.
pub(crate) type Decoded<T> = Result<Option<(T, usize)>, Malformed>;

/// Why bytes are not an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// They do not follow the protocol.
    Garbage,
    /// The value is longer than [`LONGEST_VALUE`].
    TooLong,
}

/// Why a server gave no answer, in words that name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The connection ended before the first byte of an answer: it may have been closed for long.
    Closed(String),
    /// The server cannot be reached, is silent, refuses to answer or does not speak the protocol.
    Down(String),
    /// The same as `Down`, for a reason that has a fix of its own.
    Refused(Explained),
    /// The value under that key cannot be used. The server is healthy.
    Value(String),
}

impl From<Failure> for Unavailable {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Closed(message) | Failure::Down(message) | Failure::Value(message) => {
                Self::new(message)
            }
            Failure::Refused(Explained { message, cause }) => Self::new(message).because(cause),
        }
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    /// The server, as messages call it.
    name: Arc<str>,
    address: Address,
    stream: Stream,
    received: Buffer,
}

impl Connection {
    /// Connects to the server at `address`, which messages call `name`.
    pub(super) fn open(
        name: Arc<str>,
        address: &Address,
        tls: Option<Arc<ClientConfig>>,
        deadline: Deadline,
    ) -> Result<Self, Failure> {
        let tls_or_not = if tls.is_some() { " by TLS" } else { "" };
        let stream = Stream::connect(address, tls, deadline).map_err(|error| {
            Failure::Refused(Explained {
                message: format!(
                    "cannot connect to {name}{tls_or_not}: {error}{}",
                    fix(&error, address)
                ),
                cause: cause(&error),
            })
        })?;
        Ok(Self {
            name,
            address: address.clone(),
            stream,
            received: Buffer::default(),
        })
    }

    /// The server, as messages call it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where the server is.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Sends a request. Bytes received before cannot be its answer.
    pub(super) fn send(&mut self, question: &[u8], deadline: Deadline) -> Result<(), Failure> {
        if !self.received.bytes().is_empty() {
            return Err(self.malformed(Malformed::Garbage));
        }
        let sent = self.stream.send(question, deadline);
        sent.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => self.down("does not take the request in time"),
            _ => self.closed(&error),
        })
    }

    /// Receives until `decode` returns an answer.
    pub(super) fn receive<T>(
        &mut self,
        decode: impl Fn(&[u8]) -> Decoded<T>,
        deadline: Deadline,
    ) -> Result<T, Failure> {
        loop {
            let bytes = self.received.bytes();
            match decode(bytes) {
                Ok(Some((answer, length))) => {
                    self.received.consume(length);
                    return Ok(answer);
                }
                Ok(None) if bytes.len() >= LONGEST_ANSWER => {
                    return Err(self.malformed(Malformed::TooLong));
                }
                Ok(None) => {}
                Err(malformed) => return Err(self.malformed(malformed)),
            }
            let begun = !bytes.is_empty();
            match self.stream.receive(self.received.room(), deadline) {
                Ok(0) if begun => return Err(self.down("ended the connection in mid-answer")),
                Ok(0) => {
                    let end = io::Error::from(io::ErrorKind::UnexpectedEof);
                    return Err(self.closed(&end));
                }
                Ok(count) => self.received.fill(count),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    let message = if begun {
                        "has not come to the end of its answer in time"
                    } else {
                        "does not answer in time"
                    };
                    return Err(self.down(message));
                }
                Err(error) if begun => {
                    return Err(self.down(&format!("broke off its answer: {error}")));
                }
                Err(error) => return Err(self.closed(&error)),
            }
        }
    }

    /// The failure for malformed bytes.
    pub(super) fn malformed(&self, malformed: Malformed) -> Failure {
        match malformed {
            Malformed::Garbage => self.down("does not speak its protocol; is this its address?"),
            Malformed::TooLong => Failure::Value(format!(
                "{} has a value of more than {LONGEST_VALUE} bytes under that key, which is not \
                 read",
                self.name
            )),
        }
    }

    fn closed(&self, error: &io::Error) -> Failure {
        Failure::Closed(format!(
            "{} ended the connection before it answered: {error}",
            self.name
        ))
    }

    /// The failure of a server that does what `message` says.
    pub(super) fn down(&self, message: &str) -> Failure {
        Failure::Down(format!("{} {message}", self.name))
    }
}

fn fix(error: &io::Error, address: &Address) -> &'static str {
    match (error.kind(), address) {
        (io::ErrorKind::ConnectionRefused, _) => "; is it running, and is this its address?",
        (io::ErrorKind::NotFound, Address::Unix(_)) => {
            "; is it running, and is this its `unixsocket`?"
        }
        (io::ErrorKind::PermissionDenied, Address::Unix(_)) => {
            "; the user that this program runs as must be able to write to the socket and to enter \
             its directories"
        }
        // What TLS says.
        (io::ErrorKind::InvalidData, _) => {
            "; `ca` names the certificates to trust, and the server's must name this host"
        }
        _ => "",
    }
}

fn cause(error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Cause::Permission,
        io::ErrorKind::InvalidData => Cause::Tls,
        _ => Cause::Away,
    }
}

/// Bytes that have been received and not yet read. They are cleared once they are read.
#[derive(Debug, Default)]
struct Buffer {
    memory: Zeroizing<Vec<u8>>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..self.end).unwrap_or_default()
    }

    /// The free part. It grows with the bytes received, never with an announced length.
    fn room(&mut self) -> &mut [u8] {
        if self.memory.len() - self.end < CHUNK {
            // Not `resize`, which leaves a copy behind.
            let length = (2 * self.memory.len()).max(2 * CHUNK);
            let mut larger = Zeroizing::new(Vec::with_capacity(length));
            larger.extend_from_slice(self.bytes());
            self.end -= self.start;
            self.start = 0;
            larger.resize(length, 0);
            self.memory = larger;
        }
        self.memory.get_mut(self.end..).unwrap_or_default()
    }

    fn fill(&mut self, count: usize) {
        self.end = (self.end + count).min(self.memory.len());
    }

    fn consume(&mut self, count: usize) {
        let end = (self.start + count).min(self.end);
        if let Some(read) = self.memory.get_mut(self.start..end) {
            read.zeroize();
        }
        self.start = end;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.memory.len() > IDLE_ROOM {
                self.memory = Zeroizing::default();
            }
        }
    }
}
