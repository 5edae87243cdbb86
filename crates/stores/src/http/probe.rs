//! Asks a server as a client of any kind would: headers as they are spelt, no redirects, and as much
//! of the answer as is wanted.
//!
//! By hand, because HTTP libraries spell headers in their own way, and send none twice.

use std::fmt;
use std::io::Write;

use zeroize::Zeroizing;

use super::Url;
use crate::stream::Stream;
use crate::{Address, Cause, Deadline, Tls, Unavailable};

/// The longest status line and headers that are read, in bytes.
const LONGEST_HEAD: usize = 64 << 10;
/// The most of a body that is read, in bytes. The rest is left.
const LONGEST_BODY: usize = 256 << 10;
/// The most headers that are read.
const MOST_HEADERS: usize = 128;
/// The most interim answers (RFC 9110, 15.2) that are read over.
const MOST_INTERIM: usize = 8;
/// What is received at once.
const CHUNK: usize = 16 << 10;

/// A request to a page.
#[derive(Debug, Default)]
pub struct Request<'a> {
    /// The method: `GET` where it is empty.
    pub method: &'a str,
    /// Headers beside `Host`, as they are spelt; each line is a name and a value.
    pub headers: Vec<(&'a str, Zeroizing<Vec<u8>>)>,
    /// The body; empty for none.
    pub body: &'a [u8],
}

/// What a server answered.
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers, in their order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// As much of the body as was read, without chunks around it.
    pub body: Zeroizing<Vec<u8>>,
}

impl Reply {
    /// The first header called `name`, ignoring case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(header, _)| header.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// Whether `text` is anywhere in the headers or in the body.
    #[must_use]
    pub fn shows(&self, text: &str) -> bool {
        let within = |bytes: &[u8]| {
            !text.is_empty() && bytes.windows(text.len()).any(|it| it == text.as_bytes())
        };
        within(&self.body) || self.headers.iter().any(|(_, value)| within(value))
    }
}

/// Does not show what a site says about its users.
impl fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Reply({})", self.status)
    }
}

/// Sends `request` to `url` on a connection of its own.
///
/// # Errors
/// [`Unavailable`] when there is no answer by `deadline`, or it is not HTTP/1.1, and when a header
/// of the request cannot be one.
pub fn probe(
    url: &Url,
    tls: &Tls,
    request: &Request<'_>,
    deadline: Deadline,
) -> Result<Reply, Unavailable> {
    let head = head(url, request).ok_or_else(|| failed(url, "cannot be asked: not a header"))?;
    let uri = url.uri();
    let host = uri.host().unwrap_or_default();
    let host = host.strip_prefix('[').unwrap_or(host);
    let host = host.strip_suffix(']').unwrap_or(host);
    let secure = uri.scheme_str() == Some("https");
    let address = Address::Tcp {
        host: host.to_owned(),
        port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
    };
    let client = secure.then(|| tls.client()).transpose()?;
    let mut stream = Stream::connect(&address, client, deadline).map_err(|error| {
        let cause = match error.kind() {
            std::io::ErrorKind::InvalidData => Cause::Tls,
            _ => Cause::Away,
        };
        failed(url, &format!("cannot be reached: {error}")).because(cause)
    })?;
    let sent = stream.send(&head, deadline);
    sent.map_err(|error| failed(url, &format!("does not take the request: {error}")))?;
    receive(&mut stream, url, request.method == "HEAD", deadline)
}

fn failed(url: &Url, message: &str) -> Unavailable {
    Unavailable::new(format!("{url} {message}"))
}

/// The head and the body of `request`; `None` where a line of it could not be one.
fn head(url: &Url, request: &Request<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let uri = url.uri();
    let path = uri.path_and_query().map_or("/", |it| it.as_str());
    let path = if path.starts_with('/') { path } else { "/" };
    let method = Some(request.method).filter(|it| !it.is_empty());
    let length: usize = request
        .headers
        .iter()
        .map(|(_, value)| value.len() + 64)
        .sum::<usize>()
        + request.body.len();
    // Allocated once, so that no copy of a credential is left behind.
    let mut head = Zeroizing::new(Vec::with_capacity(1024 + path.len() + length));
    let authority = uri.authority()?;
    write!(
        head,
        "{} {path} HTTP/1.1\r\nHost: {authority}\r\n",
        method.unwrap_or("GET")
    )
    .ok()?;
    write!(
        head,
        "User-Agent: hallpass/{}\r\nAccept: */*\r\nConnection: close\r\n",
        env!("CARGO_PKG_VERSION")
    )
    .ok()?;
    for (name, value) in &request.headers {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let visible = |byte: &u8| !byte.is_ascii_control();
        if name.is_empty() || !name.bytes().all(token) || !value.iter().all(visible) {
            return None;
        }
        write!(head, "{name}: ").ok()?;
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    }
    if !request.body.is_empty() {
        write!(head, "Content-Length: {}\r\n", request.body.len()).ok()?;
    }
    head.extend_from_slice(b"\r\n");
    head.extend_from_slice(request.body);
    Some(head)
}

fn receive(
    stream: &mut Stream,
    url: &Url,
    bodiless: bool,
    deadline: Deadline,
) -> Result<Reply, Unavailable> {
    let mut received = Zeroizing::new(Vec::with_capacity(LONGEST_HEAD + LONGEST_BODY));
    let mut interim = 0;
    let (mut reply, length) = loop {
        match parse(&received) {
            Err(()) => return Err(failed(url, "does not speak HTTP/1.1")),
            Ok(Some((reply, length))) if matches!(reply.status, 100..=199) => {
                interim += 1;
                if interim > MOST_INTERIM {
                    return Err(failed(url, "answers with nothing but interim answers"));
                }
                received.drain(..length);
            }
            Ok(Some(answer)) => break answer,
            Ok(None) if received.len() >= LONGEST_HEAD => {
                return Err(failed(url, "answers with headers that are too long"));
            }
            Ok(None) => {
                if !more(stream, &mut received, url, deadline)? {
                    return Err(failed(url, "closes the connection without an answer"));
                }
            }
        }
    };
    received.drain(..length);
    if bodiless || matches!(reply.status, 204 | 304) {
        return Ok(reply);
    }
    let announced = reply
        .header("Content-Length")
        .and_then(|it| it.trim().parse().ok());
    let wanted = announced.unwrap_or(usize::MAX).min(LONGEST_BODY);
    let chunked = reply
        .header("Transfer-Encoding")
        .is_some_and(|it| it.to_ascii_lowercase().contains("chunked"));
    // A body that does not end in time is looked at as far as it came.
    while received.len() < wanted
        && !(chunked && unchunked(&received).1)
        && more(stream, &mut received, url, deadline).unwrap_or(false)
    {}
    reply.body = match chunked {
        true => unchunked(&received).0,
        false => received,
    };
    Ok(reply)
}

/// Receives some more; `false` at the end.
fn more(
    stream: &mut Stream,
    received: &mut Vec<u8>,
    url: &Url,
    deadline: Deadline,
) -> Result<bool, Unavailable> {
    let mut buffer = Zeroizing::new([0; CHUNK]);
    match stream.receive(&mut *buffer, deadline) {
        Ok(count) => {
            received.extend_from_slice(buffer.get(..count).unwrap_or_default());
            Ok(count > 0)
        }
        // Servers end TLS without saying so.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            Err(failed(url, "does not answer in time"))
        }
        Err(error) => Err(failed(url, &format!("broke off: {error}"))),
    }
}

/// The head that `bytes` begin with, and its length; `None` where more are needed.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Reply, usize)>, ()> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => {
            let headers = response.headers.iter();
            let headers = headers.map(|it| (it.name.to_owned(), it.value.to_vec()));
            let reply = Reply {
                status: response.code.ok_or(())?,
                headers: headers.collect(),
                body: Zeroizing::default(),
            };
            Ok(Some((reply, length)))
        }
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(()),
    }
}

/// The contents of the chunks in `bytes` (RFC 9112, 7.1), and whether the last of them is there.
pub(crate) fn unchunked(bytes: &[u8]) -> (Zeroizing<Vec<u8>>, bool) {
    let mut body = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut rest = bytes;
    loop {
        let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(rest) else {
            return (body, false);
        };
        rest = rest.get(start..).unwrap_or_default();
        if size == 0 {
            return (body, true);
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
        let (chunk, after) = rest.split_at_checked(size).unwrap_or((rest, &[]));
        body.extend_from_slice(chunk);
        rest = after.get(2..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(headers: &[(&'a str, &[u8])]) -> Request<'a> {
        let headers = headers.iter();
        Request {
            body: b"",
            method: "",
            headers: headers
                .map(|(name, value)| (*name, Zeroizing::new(value.to_vec())))
                .collect(),
        }
    }

    #[test]
    fn headers_are_spelt_as_given() {
        let url = "http://example.org:81/a?b=c".parse().unwrap();
        let spelt = [("REMOTE-user", &b"x"[..]), ("Remote_User", b"\xc3\xa9")];
        let head = head(&url, &request(&spelt)).unwrap();
        let head = String::from_utf8(head.to_vec()).unwrap();
        assert!(head.starts_with("GET /a?b=c HTTP/1.1\r\nHost: example.org:81\r\n"));
        assert!(head.ends_with("\r\nREMOTE-user: x\r\nRemote_User: é\r\n\r\n"));
    }

    #[test]
    fn nothing_is_smuggled_into_a_head() {
        let url = "http://example.org/".parse().unwrap();
        for (name, value) in [
            ("", &b"x"[..]),
            ("A: b", b"x"),
            ("A\r\nB", b"x"),
            ("A", b"x\r\nB: c"),
            ("A", b"x\0"),
        ] {
            assert!(head(&url, &request(&[(name, value)])).is_none(), "{name:?}");
        }
    }

    #[test]
    fn chunks_are_taken_away() {
        for (bytes, body, whole) in [
            (&b"3\r\nabc\r\n0\r\n\r\n"[..], &b"abc"[..], true),
            (b"1;x=y\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc", true),
            (b"3\r\nabc\r\n", b"abc", false),
            (b"5\r\nabc", b"abc", false),
            (b"", b"", false),
            (b"x", b"", false),
            (b"ffffffffffffffff\r\nabc", b"abc", false),
        ] {
            assert_eq!(unchunked(bytes), (Zeroizing::new(body.to_vec()), whole));
        }
    }

    #[test]
    fn heads_are_parsed() {
        let text = b"HTTP/1.1 401 Unauthorized\r\nServer: x\r\nwww-authenticate: Basic\r\n\r\nrest";
        let (reply, length) = parse(text).unwrap().unwrap();
        assert_eq!((reply.status, length), (401, text.len() - 4));
        assert_eq!(reply.header("WWW-Authenticate").as_deref(), Some("Basic"));
        assert!(reply.shows("Basic") && !reply.shows("rest") && !reply.shows(""));
        assert!(parse(b"HTTP/1.1 200 OK\r\nA: b\r\n").unwrap().is_none());
        for nonsense in [
            &b"SSH-2.0-OpenSSH\r\n\r\n"[..],
            b"HTTP/1.1 x\r\n\r\n",
            b"\0\0\0\0",
        ] {
            assert!(parse(nonsense).is_err());
        }
    }
}
