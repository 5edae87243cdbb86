//! Speaks PostgreSQL's protocol: messages on a socket, through TLS where that is asked for.
//!
//! Drivers prepare each statement under a name that other programs use, too, and a connection
//! pooler hands all of them the same server connections. Here the caller decides what a statement
//! is called and what is sent together. No message is longer than [`LARGEST_ROW`].

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::BytesMut;
use postgres_protocol::authentication::{md5_hash, sasl};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Header, Message};
use postgres_protocol::message::{backend, frontend};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UnixStream, lookup_host};
use tokio_rustls::TlsConnector;
use zeroize::Zeroize;

use super::super::sizes::{LARGEST_DATA, LARGEST_ROW, TooLong};
use super::channel_binding::end_point;
use super::error::{Error, ServerError};
use crate::{Address, Secret};

/// A stream of bytes.
trait Traffic: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Traffic for T {}

/// The protection of a connection to a server.
#[derive(Clone)]
pub(super) enum Protection {
    /// None.
    Plain,
    /// TLS, where the server has it.
    Preferred(Arc<ClientConfig>),
    /// TLS.
    Required(Arc<ClientConfig>),
}

/// The login, and the database.
pub(super) struct Login<'a> {
    pub(super) user: &'a str,
    pub(super) password: Option<&'a Secret>,
    pub(super) database: &'a str,
    /// Whether the password may be sent in clear text to a server on another machine without TLS.
    pub(super) in_the_clear: bool,
    /// Further parameters of the session.
    pub(super) parameters: &'a [(&'a str, &'a str)],
}

/// A connection, with its buffers.
pub(super) struct Wire {
    stream: Box<dyn Traffic>,
    received: BytesMut,
    /// What [`flush`](Self::flush) sends.
    pub(super) out: BytesMut,
    /// The channel binding of the server's certificate.
    end_point: Option<Vec<u8>>,
    /// What the server says of the session that every statement depends on: the encoding of text,
    /// and what a backslash in a string means.
    encoding: Option<String>,
    backslashes_are_letters: bool,
    /// Whether the connection is private: through TLS, or on this machine.
    private: bool,
    /// The process that answers, as the server says when the connection is made.
    pub(super) process: i32,
}

impl Wire {
    /// Connects to `address`.
    pub(super) async fn connect(address: &Address, protection: &Protection) -> Result<Self, Error> {
        let (host, port) = match address {
            Address::Tcp { host, port } => (host, *port),
            Address::Unix(path) => {
                return Ok(Self::new(Box::new(UnixStream::connect(path).await?), true));
            }
        };
        let mut stream = connect_tcp(host, port).await?;
        let here = stream.peer_addr()?.ip().to_canonical().is_loopback();
        let (Protection::Preferred(config) | Protection::Required(config)) = protection else {
            return Ok(Self::new(Box::new(stream), here));
        };
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        stream.write_all(&request).await?;
        match (stream.read_u8().await?, protection) {
            (b'S', _) => {}
            (b'N', Protection::Preferred(_)) => {
                return Ok(Self::new(Box::new(stream), here));
            }
            (b'N', _) => return Err(Error::Protocol("the server does not support TLS")),
            _ => return Err(Error::Protocol("what answers is not PostgreSQL")),
        }
        let name = ServerName::try_from(host.clone())
            .map_err(|error| Error::Io(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        let stream = TlsConnector::from(Arc::clone(config))
            .connect(name, stream)
            .await?;
        let certificates = stream.get_ref().1.peer_certificates();
        let end_point = certificates.and_then(|certificates| end_point(certificates.first()?));
        let mut wire = Self::new(Box::new(stream), true);
        wire.end_point = end_point;
        Ok(wire)
    }

    fn new(stream: Box<dyn Traffic>, private: bool) -> Self {
        Self {
            stream,
            received: BytesMut::new(),
            out: BytesMut::new(),
            end_point: None,
            encoding: None,
            backslashes_are_letters: true,
            private,
            process: 0,
        }
    }

    /// Sends the buffered messages.
    pub(super) async fn flush(&mut self) -> Result<(), Error> {
        let sent = self.stream.write_all(&self.out).await;
        self.out.clear();
        sent?;
        Ok(self.stream.flush().await?)
    }

    /// The next message that is an answer. The server's reports about itself are recorded.
    pub(super) async fn receive(&mut self) -> Result<Message, Error> {
        loop {
            let message = self.message().await?;
            if let Some(message) = self.note(message)? {
                return Ok(message);
            }
        }
    }

    /// Records the server's reports about itself; all other messages are answers.
    fn note(&mut self, message: Message) -> io::Result<Option<Message>> {
        match message {
            Message::NoticeResponse(_) | Message::NotificationResponse(_) => {}
            Message::ParameterStatus(status) => match (status.name()?, status.value()?) {
                ("client_encoding", encoding) => self.encoding = Some(encoding.to_owned()),
                ("standard_conforming_strings", value) => {
                    self.backslashes_are_letters = value == "on";
                }
                _ => {}
            },
            message => return Ok(Some(message)),
        }
        Ok(None)
    }

    /// Reads the bytes that have arrived since the last answer, without waiting.
    ///
    /// # Errors
    /// The server's message as it closes the connection, or an answer to no statement of this
    /// connection, after which no answer could be trusted.
    pub(super) async fn settle(&mut self) -> Result<(), Error> {
        // What has arrived meanwhile is seen from here on.
        tokio::task::yield_now().await;
        loop {
            while let Some(message) = self.buffered()? {
                match self.note(message)? {
                    None => {}
                    Some(Message::ErrorResponse(body)) => {
                        return Err(ServerError::read(&body)?.into());
                    }
                    Some(_) => return Err(UNEXPECTED),
                }
            }
            let arrived = {
                let mut receiving = pin!(self.stream.read_buf(&mut self.received));
                poll_fn(|context| Poll::Ready(receiving.as_mut().poll(context))).await
            };
            match arrived {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => return Err(Error::Io(io::ErrorKind::UnexpectedEof.into())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Err(error.into()),
            }
        }
        match self.received.first() {
            None => Ok(()),
            Some(tag) if UNASKED.contains(tag) => Ok(()),
            Some(_) => Err(UNEXPECTED),
        }
    }

    /// The next message, where all of it has been received.
    fn buffered(&mut self) -> io::Result<Option<Message>> {
        match Header::parse(&self.received)? {
            Some(header) if usize::try_from(header.len()).is_ok_and(|it| it <= LARGEST_ROW) => {
                Message::parse(&mut self.received)
            }
            _ => Ok(None),
        }
    }

    /// Whether text is what was asked for when the connection was made.
    ///
    /// # Errors
    /// What it is instead. A server does what it is asked for, so that a pooler is in between.
    pub(super) fn check(&self) -> Result<(), Error> {
        match &self.encoding {
            Some(encoding) if !encoding.eq_ignore_ascii_case("UTF8") => {
                return Err(Error::Pooler(format!(
                    "client_encoding is {encoding}, not UTF8"
                )));
            }
            _ => {}
        }
        if !self.backslashes_are_letters {
            let cause = "standard_conforming_strings is off, not on";
            return Err(Error::Pooler(cause.to_owned()));
        }
        Ok(())
    }

    async fn message(&mut self) -> Result<Message, Error> {
        loop {
            if let Some(header) = Header::parse(&self.received)? {
                let length = usize::try_from(header.len()).unwrap_or(usize::MAX);
                if length > LARGEST_ROW {
                    return Err(self.too_long(header.tag()).await);
                }
                if let Some(message) = Message::parse(&mut self.received)? {
                    return Ok(message);
                }
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(Error::Io(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Why a message of the kind `tag` is not read. Of a row, as much is received as tells the
    /// column that is too long.
    async fn too_long(&mut self, tag: u8) -> Error {
        if tag != backend::DATA_ROW_TAG {
            return Error::Protocol("a message is longer than any that the server sends");
        }
        while self.received.len() <= LARGEST_ROW {
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => return error.into(),
            }
        }
        let row = self.received.get(HEADER..).unwrap_or_default();
        Error::TooLong(longest(row).map_or(TooLong::Row, TooLong::Value))
    }

    /// Logs in, up to where the server waits for the first statement.
    pub(super) async fn log_in(&mut self, login: &Login<'_>) -> Result<(), Error> {
        let all = [("user", login.user), ("database", login.database)];
        let all = all.iter().chain(login.parameters).copied();
        frontend::startup_message(all, &mut self.out)?;
        self.flush().await?;
        loop {
            match self.receive().await? {
                Message::AuthenticationOk => break,
                Message::AuthenticationCleartextPassword
                    if !(self.private || login.in_the_clear) =>
                {
                    return Err(Error::Protocol(
                        "the server asks for the password in clear text, where others may read \
                         it; ask \
                         for TLS with `tls`, or have the server ask for scram-sha-256",
                    ));
                }
                Message::AuthenticationCleartextPassword => {
                    let password = login.password.ok_or(PASSWORD_MISSING)?;
                    frontend::password_message(password.expose(), &mut self.out)?;
                }
                Message::AuthenticationMd5Password(body) => {
                    let password = login.password.ok_or(PASSWORD_MISSING)?;
                    let user = login.user.as_bytes();
                    let hash = md5_hash(user, password.expose(), body.salt());
                    frontend::password_message(hash.as_bytes(), &mut self.out)?;
                }
                Message::AuthenticationSasl(body) => {
                    let password = login.password.ok_or(PASSWORD_MISSING)?;
                    self.prove(&body, password).await?;
                    continue;
                }
                Message::ErrorResponse(body) => return Err(ServerError::read(&body)?.into()),
                Message::AuthenticationGss
                | Message::AuthenticationKerberosV5
                | Message::AuthenticationScmCredential
                | Message::AuthenticationSspi => {
                    return Err(Error::Protocol(
                        "the server asks for a login of a kind that is not supported; give the \
                         role \
                         a password",
                    ));
                }
                _ => return Err(UNEXPECTED),
            }
            let sent = self.stream.write_all(&self.out).await;
            self.out.zeroize();
            self.out.clear();
            sent?;
            self.stream.flush().await?;
        }
        loop {
            match self.receive().await? {
                Message::BackendKeyData(body) => self.process = body.process_id(),
                Message::ReadyForQuery(_) => return self.check(),
                Message::ErrorResponse(body) => return Err(ServerError::read(&body)?.into()),
                _ => return Err(UNEXPECTED),
            }
        }
    }

    /// Logs in with SCRAM-SHA-256 (RFC 5802, RFC 7677), bound to the server's certificate where
    /// there is one, so that the login cannot be relayed.
    async fn prove(
        &mut self,
        offered: &AuthenticationSaslBody,
        password: &Secret,
    ) -> Result<(), Error> {
        use fallible_iterator::FallibleIterator;
        let (mut plain, mut bound) = (false, false);
        let mut mechanisms = offered.mechanisms();
        while let Some(mechanism) = mechanisms.next()? {
            plain |= mechanism == sasl::SCRAM_SHA_256;
            bound |= mechanism == sasl::SCRAM_SHA_256_PLUS;
        }
        let (binding, mechanism) = match self.end_point.take() {
            Some(end_point) if bound => (
                sasl::ChannelBinding::tls_server_end_point(end_point),
                sasl::SCRAM_SHA_256_PLUS,
            ),
            Some(_) => (sasl::ChannelBinding::unrequested(), sasl::SCRAM_SHA_256),
            None => (sasl::ChannelBinding::unsupported(), sasl::SCRAM_SHA_256),
        };
        if !plain && mechanism == sasl::SCRAM_SHA_256 {
            return Err(Error::Protocol(
                "the server asks for a SASL login that is not supported",
            ));
        }
        let mut scram = sasl::ScramSha256::new(password.expose(), binding);
        frontend::sasl_initial_response(mechanism, scram.message(), &mut self.out)?;
        self.flush().await?;
        match self.receive().await? {
            Message::AuthenticationSaslContinue(body) => scram.update(body.data())?,
            Message::ErrorResponse(body) => return Err(ServerError::read(&body)?.into()),
            _ => return Err(UNEXPECTED),
        }
        frontend::sasl_response(scram.message(), &mut self.out)?;
        self.flush().await?;
        match self.receive().await? {
            Message::AuthenticationSaslFinal(body) => Ok(scram.finish(body.data())?),
            Message::ErrorResponse(body) => Err(ServerError::read(&body)?.into()),
            _ => Err(UNEXPECTED),
        }
    }

    /// Ends the session.
    pub(super) async fn close(mut self) {
        frontend::terminate(&mut self.out);
        // A server that misses it sees the connection end.
        let _ = self.flush().await;
        let _ = self.stream.shutdown().await;
    }
}

/// Messages that may come at any time, the last as the server hangs up.
const UNASKED: [u8; 4] = [
    backend::NOTICE_RESPONSE_TAG,
    backend::NOTIFICATION_RESPONSE_TAG,
    backend::PARAMETER_STATUS_TAG,
    backend::ERROR_RESPONSE_TAG,
];

/// The length of a message's head: its kind and its length.
const HEADER: usize = 5;

const PASSWORD_MISSING: Error = Error::Protocol("password missing");

/// The peer breaks the protocol.
pub(super) const UNEXPECTED: Error = Error::Protocol("an unexpected message from the server");

async fn connect_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((host, port)).await? {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_keepalive(true)?;
        socket.set_nodelay(true)?;
        match socket.connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The first column that is too long of those that begin in `row`, a message's body.
fn longest(row: &[u8]) -> Option<usize> {
    let (_, mut rest) = row.split_first_chunk::<2>()?;
    for index in 0.. {
        let (length, value) = rest.split_first_chunk::<4>()?;
        // NULL has the length -1, and no bytes.
        let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
        if length > LARGEST_DATA {
            return Some(index);
        }
        rest = value.get(length..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_not_shown_to_those_who_may_listen() {
        for (private, in_the_clear, shown) in [
            (false, false, false),
            (false, true, true),
            (true, false, true),
            (true, true, true),
        ] {
            let (here, mut there) = tokio::io::duplex(1 << 10);
            there.write_all(b"R\0\0\0\x08\0\0\0\x03").await.unwrap();
            there.write_all(b"R\0\0\0\x08\0\0\0\0").await.unwrap();
            there.write_all(b"Z\0\0\0\x05I").await.unwrap();
            let mut wire = Wire::new(Box::new(here), private);
            let password = Secret::new("correct horse");
            let login = Login {
                user: "hallpass",
                password: Some(&password),
                database: "shop",
                in_the_clear,
                parameters: &[],
            };
            let done = wire.log_in(&login).await;
            assert_eq!(done.is_ok(), shown);
            drop(wire);
            let mut sent = Vec::new();
            there.read_to_end(&mut sent).await.unwrap();
            let sent = String::from_utf8_lossy(&sent);
            assert_eq!(sent.contains("correct horse"), shown);
        }
    }

    #[test]
    fn the_column_that_is_too_long_is_found() {
        let mut row = b"\0\x03\xff\xff\xff\xff\0\0\0\x02ab".to_vec();
        assert_eq!(longest(&row), None);
        row.extend(i32::MAX.to_be_bytes());
        assert_eq!(longest(&row), Some(2));
        for end in 0..row.len() {
            assert_eq!(longest(&row[..end]), None);
        }
    }
}
