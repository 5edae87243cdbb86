//! Reads the body of a request, within limits of length and time.

use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::StatusCode;
use hyper::body::{Body, Bytes, Incoming};

/// All of `body`, of `longest` bytes at most, which must arrive within `time`.
///
/// # Errors
/// The status that says what is wrong with it. The rest of the body is still on the connection
/// then.
pub async fn read(body: Incoming, longest: usize, time: Duration) -> Result<Bytes, StatusCode> {
    if body.size_hint().lower() > longest as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    match tokio::time::timeout(time, Limited::new(body, longest).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        // The client hung up, or sent an invalid body.
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}
