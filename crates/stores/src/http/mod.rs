//! Asks the site itself by HTTP, where its store cannot be read.

pub(crate) mod probe;
mod transport;
mod url;

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use ureq::Agent;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use zeroize::Zeroizing;

pub use self::probe::{Reply, Request as Probe, probe};
use self::transport::{Connections, Resolve};
pub use self::url::Url;
use crate::{Deadline, Unavailable};

/// The longest body that is read, in bytes.
pub const LONGEST_BODY: usize = 64 << 10;

/// The longest status line and headers that are read, in bytes.
const LONGEST_HEAD: usize = 16 << 10;

/// How long an idle connection is kept. Most servers close it sooner.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

/// The page to request, and its timeout.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The page.
    pub url: Url,
    /// A file of the certificates that are trusted, in PEM; the system's where there is none.
    pub ca: Option<PathBuf>,
    /// How long one answer may take, connecting included.
    pub timeout: Duration,
    /// Headers that each request has beside the cookie.
    pub headers: Vec<Header>,
}

/// A header of a request, whose value may be a secret.
#[derive(Clone)]
pub struct Header {
    name: HeaderName,
    value: HeaderValue,
}

/// Headers that the connection or the cookie needs.
const OURS: [HeaderName; 8] = [
    header::COOKIE,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

impl Header {
    /// The header `name` with `value`.
    ///
    /// # Errors
    /// What is wrong with the name or the value, in words that go behind a key.
    pub fn new(name: &str, value: &[u8]) -> Result<Self, &'static str> {
        let name = HeaderName::from_bytes(name.as_bytes());
        let name = name.map_err(|_| "is not a valid header name")?;
        if OURS.contains(&name) {
            return Err("is a header that Hallpass itself sends");
        }
        let value = HeaderValue::from_bytes(value);
        let mut value = value.map_err(|_| "has a value that no header can have")?;
        value.set_sensitive(true);
        Ok(Self { name, value })
    }
}

/// Does not show the value.
impl fmt::Debug for Header {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Header({})", self.name)
    }
}

/// What a site answered.
pub struct Answer {
    /// The status, from 100 to 999. Redirects are not followed.
    pub status: u16,
    /// The body, of at most [`LONGEST_BODY`] bytes, cleared on drop.
    pub body: Zeroizing<Vec<u8>>,
    headers: HeaderMap,
}

impl Answer {
    /// The header called `name`, ignoring case; `None` where it is missing or repeated, because one
    /// of several might not come from the site.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value.as_bytes()),
            _ => None,
        }
    }
}

/// Does not show what a site says about its users.
impl fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.body.len();
        write!(formatter, "Answer({}, {length} bytes)", self.status)
    }
}

/// A page, connected at the first request. The connection is kept for the next one.
#[derive(Debug)]
pub struct Http {
    url: Url,
    timeout: Duration,
    headers: Vec<Header>,
    agent: Agent,
    connections: Connections,
}

impl Http {
    /// A page. It connects at the first request.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let connections = Connections::new(settings.ca.clone());
        // No proxies or other settings of the environment, no redirects, no compression.
        let config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .accept_encoding("")
            .accept("application/json, */*;q=0.5")
            .user_agent(concat!("hallpass/", env!("CARGO_PKG_VERSION")))
            .max_response_header_size(LONGEST_HEAD)
            .input_buffer_size(2 * LONGEST_HEAD)
            .output_buffer_size(2 * LONGEST_HEAD)
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .max_idle_age(LONGEST_IDLE)
            .build();
        Self {
            url: settings.url.clone(),
            timeout: settings.timeout,
            headers: settings.headers.clone(),
            agent: Agent::with_parts(config, connections.clone(), Resolve),
            connections,
        }
    }

    /// Gets the page, with `cookie` as the value of the header `Cookie`. A connection that ended
    /// while it was idle is replaced once, within the same deadline.
    ///
    /// # Errors
    /// [`Unavailable`] when the page does not answer by `deadline`, in whole, by the rules of HTTP
    /// and with at most [`LONGEST_BODY`] bytes; and when `cookie` has bytes that a header cannot
    /// have.
    pub fn get(&mut self, cookie: &[u8], deadline: Deadline) -> Result<Answer, Unavailable> {
        let deadline = deadline.at_most(self.timeout);
        let mut cookie = HeaderValue::from_bytes(cookie)
            .map_err(|_| self.failed("cannot be asked: this is not a cookie"))?;
        cookie.set_sensitive(true);
        let before = self.connections.made();
        let answer = match self.call(&cookie, deadline) {
            Err(ureq::Error::Io(_)) if self.connections.made() == before => {
                self.call(&cookie, deadline)
            }
            answer => answer,
        };
        answer.map_err(|error| self.failed(&transport::words(&error)))
    }

    fn call(&self, cookie: &HeaderValue, deadline: Deadline) -> Result<Answer, ureq::Error> {
        let mut request = Request::get(self.url.uri()).header(header::COOKIE, cookie.clone());
        for header in &self.headers {
            request = request.header(header.name.clone(), header.value.clone());
        }
        let request = request.body(())?;
        let request = self.agent.configure_request(request);
        let request = request.timeout_global(Some(deadline.remaining())).build();
        let (head, body) = self.agent.run(request)?.into_parts();
        let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
        let most = u64::try_from(LONGEST_BODY).unwrap_or(u64::MAX);
        // One more than is accepted, to detect a body that is too long.
        let mut reader = body.into_reader().take(most + 1);
        reader.read_to_end(&mut bytes)?;
        if bytes.len() > LONGEST_BODY {
            return Err(ureq::Error::BodyExceedsLimit(most));
        }
        Ok(Answer {
            status: head.status.as_u16(),
            body: bytes,
            headers: head.headers,
        })
    }

    fn failed(&self, message: &str) -> Unavailable {
        Unavailable::new(format!("the site's page {} {message}", self.url))
    }
}
