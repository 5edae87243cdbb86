//! Sends one small HTTP request over a unix socket, and reads its answer.

use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::time::Duration;

use hallpass_core::Deadline;
pub use hallpass_core::connect_unix as connect;
use zeroize::Zeroizing;

/// The longest answer that is read, in bytes.
const LONGEST: usize = 1 << 20;
/// The most headers that an answer may have.
const MOST_HEADERS: usize = 32;

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// The answer to a `POST` of `body` to `path`, at the unix socket `socket`.
///
/// # Errors
/// When the server does not answer by `deadline`, or not with HTTP.
pub fn post(socket: &Path, path: &str, body: &[u8], deadline: Deadline) -> io::Result<Answer> {
    exchange(socket, "POST", path, body, deadline)
}

/// As [`post`], by `GET` and without a body.
///
/// # Errors
/// As [`post`].
pub fn get(socket: &Path, path: &str, deadline: Deadline) -> io::Result<Answer> {
    exchange(socket, "GET", path, &[], deadline)
}

fn exchange(
    socket: &Path,
    method: &str,
    path: &str,
    body: &[u8],
    deadline: Deadline,
) -> io::Result<Answer> {
    let mut stream = connect(socket, deadline)?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let request = Zeroizing::new([head.as_bytes(), body].concat());
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(&request)?;
    let mut received = Vec::new();
    let mut piece = [0; 4096];
    loop {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut piece) {
            Ok(0) => return parse(&received).ok_or(ErrorKind::InvalidData.into()),
            Ok(count) if received.len() + count <= LONGEST => {
                received.extend_from_slice(piece.get(..count).unwrap_or_default());
            }
            Ok(_) => return Err(ErrorKind::InvalidData.into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn left(deadline: Deadline) -> io::Result<Duration> {
    match deadline.remaining() {
        Duration::ZERO => Err(ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

/// A whole answer, whose body has the length that it states, or ends with the connection; `None`
/// otherwise.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let end = match head.parse(bytes) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) | Err(_) => return None,
    };
    // httparse accepts Latin-1, which hallpassd does not send.
    std::str::from_utf8(bytes.get(..end)?).ok()?;
    let body = bytes.get(end..)?;
    for header in head.headers.iter() {
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return None;
        }
        if header.name.eq_ignore_ascii_case("content-length") {
            let length: usize = std::str::from_utf8(header.value).ok()?.parse().ok()?;
            if length != body.len() {
                return None;
            }
        }
    }
    Some(Answer {
        status: head.code?,
        body: body.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let answer = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nab").unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"ab"[..]));
        let answer = parse(b"HTTP/1.0 404 Not Found\r\n\r\n").unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (404, &b""[..]));
    }

    #[test]
    fn half_an_answer_is_none() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789";
        assert!(parse(whole).is_some());
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]), None, "{length}");
        }
    }

    #[test]
    fn nonsense_is_no_answer() {
        for bytes in [
            &b"\r\n\r\n"[..],
            b"200 OK\r\n\r\n",
            b"SSH-2.0-OpenSSH\r\n\r\n",
            b"HTTP/1.1 2000 OK\r\n\r\n",
            b"HTTP/1.1 xyz OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"HTTP/1.1 200 \xff\r\n\r\n",
        ] {
            assert_eq!(parse(bytes), None, "{bytes:?}");
        }
    }
}
