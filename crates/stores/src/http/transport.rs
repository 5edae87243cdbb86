//! Carries HTTP over the streams of all other stores, with their deadlines and TLS.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Error, Timeout};

use crate::backoff::Backoff;
use crate::stream::Stream;
use crate::{Address, Deadline, Tls, TlsMode, Unavailable};

/// The most that is received of one answer, in bytes, including interim answers and trailers, which
/// ureq reads without a limit. The longest body in chunks of one byte each is shorter.
const LONGEST_ANSWER: usize = 1 << 20;

/// Makes connections, and counts them.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    tls: Tls,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    made: AtomicU64,
    backoff: Mutex<Backoff>,
}

impl Connections {
    pub(super) fn new(ca: Option<PathBuf>) -> Self {
        let mode = TlsMode::VerifyFull;
        Self {
            tls: Tls { mode, ca },
            shared: Arc::default(),
        }
    }

    /// The number of connections made or tried so far.
    pub(super) fn made(&self) -> u64 {
        self.shared.made.load(Ordering::Relaxed)
    }

    fn open(&self, uri: &Uri, deadline: Deadline) -> Result<Stream, String> {
        let secure = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').unwrap_or(host);
        let host = host.strip_suffix(']').unwrap_or(host);
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let address = Address::Tcp {
            host: host.to_owned(),
            port,
        };
        let tls = secure.then(|| self.tls.client()).transpose();
        let tls = tls.map_err(|unavailable| unavailable.to_string())?;
        Stream::connect(&address, tls, deadline)
            .map_err(|error| format!("cannot be reached: {error}"))
    }
}

impl Connector for Connections {
    type Out = Connection;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Connection>, Error> {
        self.shared.made.fetch_add(1, Ordering::Relaxed);
        let mut backoff = self
            .shared
            .backoff
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let failed = |message: String| Error::Io(io::Error::other(message));
        backoff
            .check(Instant::now())
            .map_err(|cause| failed(cause.to_string()))?;
        match self.open(details.uri, until(details.timeout)) {
            Ok(stream) => {
                backoff.answered();
                let config = details.config;
                let sizes = (config.input_buffer_size(), config.output_buffer_size());
                Ok(Some(Connection {
                    stream,
                    buffers: LazyBuffers::new(sizes.0, sizes.1),
                    received: 0,
                }))
            }
            Err(message) => {
                backoff.failed(Instant::now(), Unavailable::new(message.as_str()));
                Err(failed(message))
            }
        }
    }
}

/// Names are resolved where connections are made.
#[derive(Debug)]
pub(super) struct Resolve;

impl Resolver for Resolve {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        Ok(self.empty())
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    buffers: LazyBuffers,
    /// The number of bytes received since the last request.
    received: usize,
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.received = 0;
        let sent = self.stream.send(output, until(timeout));
        sent.map_err(|error| timely(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let buffer = self.buffers.input_append_buf();
        let received = self.stream.receive(buffer, until(timeout));
        let count = received.map_err(|error| timely(error, timeout))?;
        self.buffers.input_appended(count);
        self.received = self.received.saturating_add(count);
        if self.received > LONGEST_ANSWER {
            let limit = u64::try_from(LONGEST_ANSWER).unwrap_or(u64::MAX);
            return Err(Error::BodyExceedsLimit(limit));
        }
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.quiet()
    }

    fn is_tls(&self) -> bool {
        self.stream.is_tls()
    }
}

fn until(timeout: NextTimeout) -> Deadline {
    Deadline::after(*timeout.after)
}

fn timely(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => Error::Io(error),
    }
}

/// The error, as words that follow the page's name.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::Timeout(Timeout::RecvBody) => {
            "has not come to the end of its answer in time".to_owned()
        }
        Error::Timeout(_) => "does not answer in time".to_owned(),
        Error::BodyExceedsLimit(limit) => {
            format!("answers with more than {limit} bytes, which are not read")
        }
        Error::LargeResponseHeader(_, limit) => {
            format!("answers with more than {limit} bytes of headers, which are not read")
        }
        Error::Io(error) if error.kind() == io::ErrorKind::Other => error.to_string(),
        Error::Io(error) => format!("broke off: {error}"),
        Error::Protocol(error) => format!("does not speak HTTP: {error}"),
        error => format!("cannot be asked: {error}"),
    }
}
