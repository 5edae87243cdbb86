//! The body of a request, for as long and as far as it is read.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Incoming};

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The client hung up, or sent what is no body.
    Broken,
    /// It did not come in time.
    Late,
    /// It is longer than any that is read.
    Long,
}

/// All of `body`, of `longest` bytes at most, which has `time` to come.
pub async fn read(body: Incoming, longest: usize, time: Duration) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > longest as u64 {
        return Err(Unread::Long);
    }
    let read = Limited::new(body, longest).collect();
    match tokio::time::timeout(time, read).await {
        Err(_) => Err(Unread::Late),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Unread::Long),
        Ok(Err(_)) => Err(Unread::Broken),
    }
}
