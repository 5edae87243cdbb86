//! Sees that a request gets an answer where hyper gives it none, and that the client can read it.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// How long a client may go on sending after the last answer, and how long it may take to read it.
const LINGER: Duration = Duration::from_secs(2);
/// How many bytes are discarded at a time.
const PIECE: usize = 4096;
/// How a client of HTTP/2 begins (RFC 9113, section 3.4).
const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n";

/// Answers what hyper closes without a word: a head that is cut off or late, HTTP/2. It is what is
/// `left` of all that was read; of a request that was handed on, nothing is left.
pub async fn refuse<S: AsyncWrite + Unpin>(stream: &mut S, error: &hyper::Error, left: &[u8]) {
    // Hyper answers a head that it cannot parse.
    let answered = error.is_parse() && !left.starts_with(HTTP_2);
    if answered || !is_asking(left) {
        return;
    }
    let status = if error.is_timeout() {
        "408 Request Timeout"
    } else {
        "400 Bad Request"
    };
    let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    // A client that does not take it has gone.
    drop(timeout(LINGER, stream.write_all(answer.as_bytes())).await);
}

/// Waits until the client hangs up, for a moment at most: a connection that is closed while
/// something of the client's is unread is reset, and the answer is lost with it (RFC 9112, section
/// 9.6).
pub async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let discard = async {
        stream.shutdown().await?;
        let mut rest = Zeroizing::new([0; PIECE]);
        while stream.read(&mut *rest).await? > 0 {}
        io::Result::Ok(())
    };
    drop(timeout(LINGER, discard).await);
}

/// Whether these bytes are more than the empty lines that may stand between requests (RFC 9112,
/// section 2.2).
fn is_asking(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
}
