//! Answers `/session/events`: the identity of a session, and later how the session has ended, as
//! server-sent events (HTML Living Standard, section 9.2).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hallpass_core::{Ended, Request, Verdict};
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, Sleep, sleep};

use super::answer::{self, Answer, Content};
use super::auth;
use super::route::Query;
use crate::endpoint::{Caller, Shutdown};
use crate::identity;
use crate::site::{Inquiry, ServedSite};
use crate::watch::Subscription;

/// How often a comment is sent, so that proxies do not take the stream for dead. nginx waits for 60
/// seconds by default.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a client waits before it connects again, in milliseconds.
const RETRY: u32 = 2000;

/// `GET /session/events`: the identity as `/session` has it, and how it ends. A session that was
/// watched and has ended a short while ago is answered by its end, so that a client which was not
/// connected at that moment hears of it.
///
/// A name and a password are not accepted: nothing of them ends.
pub async fn events(
    site: &ServedSite,
    headers: &HeaderMap,
    query: Query,
    caller: &Caller,
    shutdown: Shutdown,
) -> Answer {
    let accepting = site.accepting().without_passwords();
    let inquiry = Inquiry {
        conditions: query.conditions,
        ..auth::inquiry(
            "events",
            site,
            headers,
            &accepting,
            query.basic,
            caller.peer,
        )
    };
    let (verdict, mut requests) = site.decide_to_watch(inquiry).await;
    let first = match (&verdict, requests.pop()) {
        (Verdict::Granted(identity), Some(request)) => {
            let Some(subscription) = site.watch.subscribe(request, identity) else {
                site.log.warning("too many sessions are watched");
                return refuse(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
            };
            // The connection may last for days, and must not keep others out.
            caller.slot.leave();
            let first = event("identity", &identity::json(identity));
            return stream(Events::new(first, subscription, shutdown));
        }
        (Verdict::Denied(_), Some(request)) => {
            requests.push(request);
            requests
                .iter()
                .find_map(|request: &Request| site.watch.ended(request))
        }
        _ => None,
    };
    match first {
        Some(ended) => stream(Events::only(&last(ended))),
        None => refuse(answer::status(&verdict), verdict.word()),
    }
}

fn refuse(status: StatusCode, word: &str) -> Answer {
    let mut answer = answer::json(status, &json!({ "verdict": word }));
    answer::retry_later(&mut answer);
    answer
}

fn stream(events: Events) -> Answer {
    let mut answer = Response::new(Content::Events(Box::new(events)));
    let headers = answer.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-cache, no-transform"),
        // nginx would keep the events back until its buffer is full.
        (HeaderName::from_static("x-accel-buffering"), "no"),
        (CONNECTION, "close"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// The events of one stream, until the session has ended or the daemon shuts down.
pub struct Events {
    /// What is sent next.
    next: Option<Bytes>,
    /// `None` once nothing follows.
    waiting: Option<Waiting>,
}

struct Waiting {
    subscription: Subscription,
    shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
    heartbeat: Pin<Box<Sleep>>,
}

impl Events {
    fn new(first: String, subscription: Subscription, mut shutdown: Shutdown) -> Self {
        let waiting = Waiting {
            subscription,
            shutdown: Box::pin(async move { shutdown.wait().await }),
            heartbeat: Box::pin(sleep(HEARTBEAT)),
        };
        Self {
            waiting: Some(waiting),
            ..Self::only(&first)
        }
    }

    /// One event, and nothing else.
    fn only(event: &str) -> Self {
        Self {
            next: Some(format!("retry: {RETRY}\n{event}").into()),
            waiting: None,
        }
    }

    /// The next bytes of the stream; `None` at its end.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(next) = self.next.take() {
            return Poll::Ready(Some(next));
        }
        let Some(waiting) = &mut self.waiting else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(ended) = Pin::new(&mut waiting.subscription.ended).poll(context) {
            self.waiting = None;
            // Where the site is no longer served, the stream is lost, and the session goes on.
            return Poll::Ready(ended.ok().map(|ended| last(ended).into()));
        }
        if waiting.shutdown.as_mut().poll(context).is_ready() {
            self.waiting = None;
            return Poll::Ready(None);
        }
        if waiting.heartbeat.as_mut().poll(context).is_ready() {
            let next = Instant::now() + HEARTBEAT;
            waiting.heartbeat.as_mut().reset(next);
            // Polled, so that it wakes this task.
            let _ = waiting.heartbeat.as_mut().poll(context);
            return Poll::Ready(Some(Bytes::from_static(b":\n\n")));
        }
        Poll::Pending
    }
}

/// Shows nothing of a session.
impl std::fmt::Debug for Events {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Events(…)")
    }
}

/// The event that says how a session has ended.
fn last(ended: Ended) -> String {
    event("ended", &json!({ "reason": ended.word() }))
}

/// An event. JSON is written on one line.
fn event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}
