//! Tells a connection between two requests from one that reads or answers a request.
//!
//! Hyper keeps buffers of 16 KiB and more for each connection that it serves. Most connections of
//! most hosts are idle, so hyper serves one only while a request is in progress, and in between
//! nothing is kept but the socket.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::sockets::Stream;

/// How far a request and its answer are.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<State>);

#[derive(Debug, Default)]
struct State {
    stage: AtomicU8,
    /// Whether a request has begun that was not taken note of.
    begun: AtomicBool,
}

/// The answer is not known in full, or more than the answer has to follow.
const OPEN: u8 = 0;
/// The answer is known in full, and is sent next.
const ANSWERED: u8 = 1;
/// Some of the answer is on its way.
const SENDING: u8 = 2;
/// All that was written has been sent.
const SENT: u8 = 3;

impl Progress {
    /// A request has been read.
    pub fn begin(&self) {
        self.0.stage.store(OPEN, Ordering::Relaxed);
        self.0.begun.store(true, Ordering::Relaxed);
    }

    /// The whole answer is known, and the request had nothing that could still be read.
    pub fn answered(&self) {
        self.0.stage.store(ANSWERED, Ordering::Relaxed);
    }

    /// Whether the answer to the last request has been sent in full.
    pub fn is_sent(&self) -> bool {
        self.0.stage.load(Ordering::Relaxed) == SENT
    }

    /// Whether a request has begun since the last call.
    pub fn take_begun(&self) -> bool {
        self.0.begun.swap(false, Ordering::Relaxed)
    }

    fn step(&self, from: &[u8], to: u8) {
        if from.contains(&self.0.stage.load(Ordering::Relaxed)) {
            self.0.stage.store(to, Ordering::Relaxed);
        }
    }
}

/// The bytes of a connection, as hyper reads and writes them.
pub struct Exchange {
    pub stream: Stream,
    /// Bytes that have been read and belong to the next request.
    pub left: Bytes,
    pub progress: Progress,
}

impl AsyncRead for Exchange {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let count = buffer.remaining().min(self.left.len());
        buffer.put_slice(&self.left.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Exchange {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.progress.step(&[ANSWERED, SENT], SENDING);
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.progress.step(&[ANSWERED, SENT], SENDING);
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Hyper flushes when it has written all that it has.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.progress.step(&[SENDING], SENT);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
