//! Makes answers: a status, a body, and the headers that go with them.

use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hallpass_core::{Reason, Verdict};
use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Method, Response, StatusCode};
use serde_json::Value;

use super::events::Events;
use crate::dialects::Reply;
use crate::site::ServedSite;

/// An answer.
pub type Answer = Response<Content>;

/// The body of an answer.
#[derive(Debug)]
pub enum Content {
    /// All of it.
    Whole(Full<Bytes>),
    /// Events, until one that is the last.
    Events(Box<Events>),
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(context),
            Self::Events(events) => events
                .poll_next(context)
                .map(|next| Some(Ok(Frame::data(next?)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Events(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Events(_) => SizeHint::default(),
        }
    }
}

/// How many seconds a client is asked to wait when a store is unavailable.
const RETRY_AFTER_SECONDS: &str = "2";

/// The status of a verdict.
pub fn status(verdict: &Verdict) -> StatusCode {
    match verdict {
        Verdict::Granted(_) => StatusCode::OK,
        Verdict::Denied(Reason::NotPermitted) => StatusCode::FORBIDDEN,
        Verdict::Denied(_) => StatusCode::UNAUTHORIZED,
        Verdict::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// An answer for people, or with no body.
pub fn plain(status: StatusCode, body: &'static str) -> Answer {
    let whole = Full::new(Bytes::from_static(body.as_bytes()));
    let mut answer = Response::new(Content::Whole(whole));
    *answer.status_mut() = status;
    if !body.is_empty() {
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        answer.headers_mut().insert(CONTENT_TYPE, plain);
    }
    answer
}

/// An answer for programs.
pub fn json(status: StatusCode, body: &Value) -> Answer {
    text(status, "application/json", format!("{body}\n"))
}

/// An answer of this content type.
pub fn text(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Content::Whole(Full::new(Bytes::from(body))));
    *answer.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}

/// The answer to a program that asked in its own form.
pub fn reply(reply: Reply) -> Answer {
    let body = match reply.body {
        Cow::Borrowed(body) => Bytes::from_static(body.as_bytes()),
        Cow::Owned(body) => Bytes::from(body),
    };
    let is_empty = body.is_empty();
    let mut answer = Response::new(Content::Whole(Full::new(body)));
    *answer.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if !is_empty {
        let content_type = HeaderValue::from_static(reply.content_type);
        answer.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    answer
}

/// The answer to a request whose path takes only `method`.
pub fn only(method: &Method) -> Answer {
    let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    if let Ok(method) = HeaderValue::try_from(method.as_str()) {
        answer.headers_mut().insert(ALLOW, method);
    }
    answer
}

/// Asks for a name and a password (RFC 7617), where the site accepts them.
pub fn challenge(answer: &mut Answer, site: &ServedSite) {
    if let Some(challenge) = site.challenge()
        && let Ok(challenge) = HeaderValue::try_from(challenge)
    {
        answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
}

/// Asks the client to retry later if the verdict is unavailable.
pub fn retry_later(answer: &mut Answer) {
    if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = HeaderValue::from_static(RETRY_AFTER_SECONDS);
        answer.headers_mut().insert(RETRY_AFTER, seconds);
    }
}
