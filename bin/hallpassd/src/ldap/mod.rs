//! Serves LDAP: the site as a read-only directory. Operations on one connection are carried out one
//! after the other.

pub(crate) mod ber;
mod directory;
pub(crate) mod entry;
pub(crate) mod filter;
pub(crate) mod message;
pub(crate) mod name;
mod operation;
mod paging;
pub(crate) mod plan;
mod reader;
mod schema;
mod search;
mod stream;
#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use zeroize::{Zeroize, Zeroizing};

use self::ber::message_length;
pub use self::directory::Directory;
use self::message::{Code, LONGEST, Message, Operation, disconnection, response};
use self::operation::{Bound, Outcome, State, operate};
use self::paging::Pages;
use self::stream::{Bytes, Replay};
use crate::endpoint::{Caller, Endpoint, Shutdown};
use crate::sockets::Stream;

/// The endpoint.
pub static ENDPOINT: Endpoint = Endpoint {
    key: "ldap",
    word: "ldap",
    has_paths: false,
    listeners: |daemon| &daemon.ldap,
    serve: |stream, caller, shutdown| Box::pin(serve(stream, caller, shutdown)),
};

/// How long a client may take to read what is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long it may take for the handshake of TLS, and for a message that it has begun.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may keep an idle connection. Clients with a pool of connections open another.
const IDLE: Duration = Duration::from_secs(600);
/// How many bytes are read at a time.
const PIECE: usize = 4096;
/// How many pieces of entries wait to be sent.
const WAITING: usize = 2;

/// The first byte of a connection that begins with TLS (RFC 8446, section 5.1), as no message does.
const TLS_HANDSHAKE: u8 = 0x16;

/// A connection.
struct Connection {
    stream: Bytes,
    /// What has been read of it and not been decoded. It may hold passwords.
    received: Zeroizing<Vec<u8>>,
    is_tls: bool,
    bound: Option<Bound>,
    /// The paged searches of whom it is bound as.
    pages: Pages,
}

/// What a client sent.
enum Sent {
    Message(Zeroizing<Vec<u8>>),
    /// It begins TLS.
    Handshake,
    /// It ended the connection.
    End,
    /// What it sent is not LDAP, or it is too long.
    Nonsense,
    /// It said nothing for too long.
    Silence,
    /// The daemon shuts down.
    Shutdown,
}

async fn serve(stream: Stream, caller: Caller, mut shutdown: Shutdown) {
    let mut connection = Connection {
        stream: Box::new(stream),
        received: Zeroizing::default(),
        is_tls: false,
        bound: None,
        pages: Pages::default(),
    };
    let mut is_first = true;
    loop {
        let notice = match connection.next(&mut shutdown, is_first).await {
            Sent::Message(bytes) => {
                if !connection.answer(&bytes, &caller).await {
                    return;
                }
                is_first = false;
                continue;
            }
            Sent::Handshake => {
                if !connection.start_tls(&caller).await {
                    return;
                }
                is_first = false;
                continue;
            }
            Sent::End => return,
            Sent::Nonsense => disconnection(Code::ProtocolError, "the message cannot be decoded"),
            Sent::Silence => disconnection(Code::Unavailable, "the connection was idle"),
            Sent::Shutdown => disconnection(Code::Unavailable, "the server shuts down"),
        };
        connection.send(&notice).await;
        // What it still sends is not read; the end of the connection is.
        drop(timeout(WRITE_TIMEOUT, connection.stream.shutdown()).await);
        return;
    }
}

impl Connection {
    /// The next message. `is_first`: nothing came before it, so that it may be TLS.
    async fn next(&mut self, shutdown: &mut Shutdown, is_first: bool) -> Sent {
        let begun = Instant::now();
        let mut until = begun + if is_first { MESSAGE_TIMEOUT } else { IDLE };
        loop {
            let starts_tls = self.received.first() == Some(&TLS_HANDSHAKE);
            if is_first && !self.is_tls && starts_tls {
                return Sent::Handshake;
            }
            match self.take() {
                Ok(Some(message)) => return Sent::Message(message),
                Ok(None) => {}
                Err(_) => return Sent::Nonsense,
            }
            tokio::select! {
                () = shutdown.wait() => return Sent::Shutdown,
                () = sleep_until(until) => return Sent::Silence,
                read = read(&mut self.stream, &mut self.received) => match read {
                    Ok(count) if count > 0 => {}
                    _ => return Sent::End,
                },
            }
            // However many pieces it comes in.
            until = until.min(Instant::now() + MESSAGE_TIMEOUT);
        }
    }

    /// Takes the first message off, if it is whole.
    fn take(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, ber::Malformed> {
        let length = message_length(&self.received, LONGEST)?;
        let Some(length) = length.filter(|length| *length <= self.received.len()) else {
            return Ok(None);
        };
        let behind = Zeroizing::new(self.received.split_off(length));
        Ok(Some(std::mem::replace(&mut self.received, behind)))
    }

    /// Answers the message in `bytes`. Returns whether the connection goes on.
    async fn answer(&mut self, bytes: &[u8], caller: &Caller) -> bool {
        let Ok(Message { id, operation }) = Message::decode(bytes) else {
            let notice = disconnection(Code::ProtocolError, "the message cannot be decoded");
            self.send(&notice).await;
            return false;
        };
        let operation = match operation {
            Ok(Operation::Unbind) => return false,
            // It is over.
            Ok(Operation::Abandon(_)) => return true,
            Ok(operation) => operation,
            Err(refused) => {
                // A failed bind makes the connection anonymous.
                if refused.response == message::BIND_RESPONSE {
                    self.bound = None;
                }
                let message::Refused {
                    response: tag,
                    code,
                    message,
                } = refused;
                return self.send(&response(id, tag, code, "", message)).await;
            }
        };
        let in_progress = caller.slot.begin_request();
        if matches!(operation, Operation::Bind(_)) {
            self.bound = None;
            self.pages = Pages::default();
        }
        let state = State {
            bound: self.bound.clone(),
            is_tls: self.is_tls,
            pages: self.pages.clone(),
        };
        let (entries, mut found) = mpsc::channel(WAITING);
        let mut work = Box::pin(operate(caller.clone(), state, id, operation, entries));
        let outcome = loop {
            tokio::select! {
                biased;
                Some(entries) = found.recv() => {
                    if !self.send(&entries).await {
                        return false;
                    }
                }
                outcome = &mut work => break outcome,
                read = read(&mut self.stream, &mut self.received),
                    if self.received.len() < LONGEST =>
                {
                    // A client that hangs up waits for no answer.
                    if !matches!(read, Ok(count) if count > 0) {
                        return false;
                    }
                    if self.abandons(id) {
                        return true;
                    }
                }
            }
        };
        while let Ok(entries) = found.try_recv() {
            if !self.send(&entries).await {
                return false;
            }
        }
        let Outcome {
            response,
            bound,
            pages,
            starts_tls,
        } = outcome;
        if let Some(bound) = bound {
            self.bound = bound;
            self.pages = Pages::default();
        }
        if let Some(pages) = pages {
            self.pages = pages;
        }
        if !self.send(&response).await {
            return false;
        }
        drop(in_progress);
        if !starts_tls {
            return true;
        }
        // Whatever was sent before TLS may be another's (CVE-2011-0411 is the same in SMTP).
        self.received.is_empty() && self.start_tls(caller).await
    }

    /// Whether the client has abandoned the operation with the number `id`, by what it has sent
    /// meanwhile.
    fn abandons(&self, id: i32) -> bool {
        let mut rest = self.received.as_slice();
        while let Ok(Some(length)) = message_length(rest, LONGEST) {
            let Some((message, behind)) = rest.split_at_checked(length) else {
                return false;
            };
            let decoded = Message::decode(message).map(|it| it.operation);
            match decoded {
                Ok(Ok(Operation::Abandon(other))) if other == id => return true,
                Ok(Ok(Operation::Unbind)) | Err(_) => return true,
                _ => rest = behind,
            }
        }
        false
    }

    /// Begins TLS. Returns whether the client agreed.
    async fn start_tls(&mut self, caller: &Caller) -> bool {
        let site = caller.site();
        let Some(acceptor) = &site.directory.tls else {
            return false;
        };
        let stream = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        let received = std::mem::take(&mut self.received);
        let accepted = acceptor.accept(Replay::new(received, stream));
        match timeout(MESSAGE_TIMEOUT, accepted).await {
            Ok(Ok(stream)) => {
                self.stream = Box::new(stream);
                self.is_tls = true;
                true
            }
            // Clients that do not trust the certificate end it.
            _ => false,
        }
    }

    /// Sends `bytes`. Returns whether the client read them in time.
    async fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = timeout(WRITE_TIMEOUT, async {
            self.stream.write_all(bytes).await?;
            // TLS holds bytes back until then.
            self.stream.flush().await
        });
        matches!(sent.await, Ok(Ok(())))
    }
}

/// Reads what there is behind what has been `received`.
async fn read(stream: &mut Bytes, received: &mut Zeroizing<Vec<u8>>) -> io::Result<usize> {
    let mut piece = Zeroizing::new([0; PIECE]);
    let count = stream.read(piece.as_mut_slice()).await?;
    let bytes = piece.get(..count).unwrap_or_default();
    if received.capacity() - received.len() < count {
        // A vector that grows leaves its bytes where they were.
        let mut larger = Vec::with_capacity((received.len() + count) * 2);
        larger.extend_from_slice(received);
        received.zeroize();
        **received = larger;
    }
    received.extend_from_slice(bytes);
    Ok(count)
}
