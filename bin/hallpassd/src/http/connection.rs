//! Sees that a request gets an answer where hyper gives it none, and that the client can read it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// How long a client may go on sending after the last answer, and how long it may take to read it.
const LINGER: Duration = Duration::from_secs(2);
/// How many bytes are discarded at a time.
const PIECE: usize = 4096;

/// A stream that knows whether something was read from it that nothing has been answered to.
#[derive(Debug)]
pub struct Watched<S> {
    stream: S,
    unanswered: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Watched<S> {
    /// Watches `stream`.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            unanswered: false,
        }
    }

    /// Answers what hyper closes without a word: a head that is cut off or late, HTTP/2.
    pub async fn refuse(&mut self, error: &hyper::Error) {
        if !self.unanswered {
            return;
        }
        let status = if error.is_timeout() {
            "408 Request Timeout"
        } else {
            "400 Bad Request"
        };
        let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        // A client that does not take it has gone.
        drop(timeout(LINGER, self.write_all(answer.as_bytes())).await);
    }

    /// Waits until the client hangs up, for a moment at most: a connection that is closed while
    /// something of the client's is unread is reset, and the answer is lost with it (RFC 9112,
    /// section 9.6).
    pub async fn linger(mut self) {
        let discard = async {
            self.stream.shutdown().await?;
            let mut rest = Zeroizing::new([0; PIECE]);
            while self.stream.read(&mut *rest).await? > 0 {}
            io::Result::Ok(())
        };
        drop(timeout(LINGER, discard).await);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.unanswered |= buffer.filled().get(before..).is_some_and(is_asking);
        Poll::Ready(Ok(()))
    }
}

/// Whether these bytes are more than the empty lines that may stand between requests (RFC 9112,
/// section 2.2).
fn is_asking(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.unanswered = false;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.unanswered = false;
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
