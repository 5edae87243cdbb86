//! Serves HTTP/1.1: reads requests, and answers each by its path.

mod answer;
mod auth;
mod body;
mod check;
mod ended;
mod events;
mod exchange;
mod impatient;
mod request;
pub(crate) mod route;
mod status;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONNECTION, HeaderValue, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};
use zeroize::Zeroizing;

use self::answer::Answer;
use self::exchange::{Exchange, Progress};
use self::impatient::Impatient;
pub use self::request::host_client;
use self::route::{Route, route};
pub use self::route::{conditions, conditions_alone};
use crate::dialects::{self, Place, Program};
use crate::endpoint::{Caller, Endpoint, Shutdown};
use crate::site::{Age, ServedSite};
use crate::sockets::{Peer, Stream, readable};

/// The endpoint.
pub static ENDPOINT: Endpoint = Endpoint {
    key: "listen",
    word: "http",
    has_paths: true,
    listeners: |daemon| &daemon.listen,
    serve: |stream, caller, shutdown| Box::pin(serve(stream, caller, shutdown, Scope::All)),
};

/// The endpoint that tells every client the state of the daemon, for probes and Prometheus.
pub static STATUS: Endpoint = Endpoint {
    key: "status",
    word: "status",
    has_paths: true,
    listeners: |daemon| &daemon.status,
    serve: |stream, caller, shutdown| Box::pin(serve(stream, caller, shutdown, Scope::Status)),
};

/// The endpoint for programs that ask in their own form.
pub static DIALECTS: Endpoint = Endpoint {
    key: "dialects",
    word: "dialects",
    has_paths: true,
    listeners: |daemon| &daemon.dialects,
    serve: |stream, caller, shutdown| Box::pin(serve(stream, caller, shutdown, Scope::Dialects)),
};

/// The paths that a listener answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    All,
    /// `/healthz`, `/readyz` and `/metrics`, for every client.
    Status,
    /// `/as/DIALECT`.
    Dialects,
}

/// How many bytes of a request's head are read.
const LONGEST_HEAD: usize = 64 * 1024;
/// How long a client may take to send a request's head, or keep a connection without one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may go on sending after the last answer, and how long it may take to read it.
const LINGER: Duration = Duration::from_secs(2);
/// After which time without a request a connection is idle, at least. Twice that, at most.
const PAUSE: Duration = Duration::from_millis(10);
/// How many bytes are discarded at a time.
const PIECE: usize = 4096;
/// The path that reports whether the stores answer.
const READY: &str = "/readyz";
/// How a client of HTTP/2 begins (RFC 9113, section 3.4).
const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n";

async fn serve(mut stream: Stream, caller: Caller, mut shutdown: Shutdown, scope: Scope) {
    let caller = Arc::new(caller);
    let mut left = Bytes::new();
    loop {
        if left.is_empty() && !begins(&stream, &mut shutdown).await {
            break;
        }
        // In a box, which is gone while the connection is idle.
        let exchanged = Box::pin(exchange(stream, left, &caller, &mut shutdown, scope)).await;
        stream = exchanged.stream;
        match exchanged.left {
            Some(bytes) => left = bytes,
            None => break,
        }
    }
    shutdown.or(linger(stream)).await;
}

/// Waits for a request. Returns whether it begins in time.
async fn begins(stream: &Stream, shutdown: &mut Shutdown) -> bool {
    let begun = shutdown.or(timeout(HEAD_TIMEOUT, readable(stream))).await;
    matches!(begun, Some(Ok(Ok(()))))
}

/// A connection of which requests have been answered.
struct Exchanged {
    stream: Stream,
    /// The bytes of the next request that have been read; `None` if there is to be none.
    left: Option<Bytes>,
}

/// Serves the requests that come in, the first of which begins with `left`, until the connection is
/// idle.
async fn exchange(
    stream: Stream,
    left: Bytes,
    caller: &Arc<Caller>,
    shutdown: &mut Shutdown,
    scope: Scope,
) -> Exchanged {
    let progress = Progress::default();
    let answering = (Arc::clone(caller), progress.clone(), shutdown.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let (caller, progress, shutdown) = answering.clone();
        async move {
            progress.begin();
            let has_body = !request.body().is_end_stream();
            let in_progress = caller.slot.begin_request();
            let answer = match scope {
                Scope::All | Scope::Dialects => answer(request, &caller, scope, shutdown).await,
                Scope::Status => answer_status(&request, &caller).await,
            };
            drop(in_progress);
            if !has_body && answer.body().size_hint().exact().is_some() {
                progress.answered();
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let io = Exchange {
        stream,
        left,
        progress: progress.clone(),
    };
    // Answers are sent at once, even where more bytes have been read: they may not be a request.
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(Impatient::new(io)), service);
    let mut pause = pin!(sleep(PAUSE));
    let mut is_set = false;
    let until_idle = poll_fn(|context| match Pin::new(&mut connection).poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        // Set once in each pause, not at each request: a busy connection sees few timers.
        Poll::Pending => loop {
            if !is_set && !progress.is_sent() {
                return Poll::Pending;
            }
            if !is_set {
                pause.as_mut().reset(Instant::now() + PAUSE);
                is_set = true;
            }
            ready!(pause.as_mut().poll(context));
            is_set = false;
            if !progress.take_begun() && progress.is_sent() {
                return Poll::Ready(None);
            }
        },
    });
    let done = match shutdown.or(until_idle).await {
        Some(done) => done,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            Some((&mut connection).await)
        }
    };
    let http1::Parts { io, read_buf, .. } = connection.into_parts();
    let Exchange {
        mut stream, left, ..
    } = io.into_inner().into_inner();
    let left = match done {
        None if left.is_empty() => Some(read_buf),
        None => Some([read_buf, left].concat().into()),
        Some(Ok(())) => None,
        // An error of one client ends its connection, and nothing else.
        Some(Err(error)) => {
            refuse(&mut stream, &error, &read_buf).await;
            None
        }
    };
    Exchanged { stream, left }
}

/// Answers what hyper closes without an answer: a head that is cut off or late, and HTTP/2. `left`
/// are the bytes read and not passed on, which hold no whole request.
async fn refuse(stream: &mut Stream, error: &hyper::Error, left: &[u8]) {
    // Hyper answers a head that it cannot parse.
    let answered = error.is_parse() && !left.starts_with(HTTP_2);
    // Empty lines may stand between requests (RFC 9112, section 2.2).
    let is_request = left.iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
    if answered || !is_request {
        return;
    }
    let status = if error.is_timeout() {
        "408 Request Timeout"
    } else {
        "400 Bad Request"
    };
    let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    // A client that does not read it has gone.
    drop(timeout(LINGER, stream.write_all(answer.as_bytes())).await);
}

/// Waits until the client hangs up, for a moment at most: a connection that is closed with unread
/// bytes of the client's is reset, and the answer is lost with it (RFC 9112, section 9.6).
async fn linger(mut stream: Stream) {
    let discard = async {
        stream.shutdown().await?;
        let mut rest = Zeroizing::new(vec![0; PIECE]);
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    drop(timeout(LINGER, discard).await);
}

/// Answers one request, about the caller's site where its path names no other.
async fn answer(
    request: Request<Incoming>,
    caller: &Caller,
    scope: Scope,
    shutdown: Shutdown,
) -> Answer {
    let (peer, sites) = (caller.peer, caller.sites.get());
    let has_body = !request.body().is_end_stream();
    let (head, body) = request.into_parts();
    let (path, query) = (head.uri.path(), head.uri.query());
    let named = sites
        .named(path)
        .map(|(site, rest)| (site, route(rest, query)));
    let (site, route) = match named {
        Some((site, route)) if route != Route::Unknown => (site, route),
        _ => (sites.get(caller.number), route(path, query)),
    };
    let route = match route {
        Route::Dialect(name) => return answer_as(site, caller, &name, &head, body).await,
        _ if scope == Scope::Dialects => Route::Unknown,
        route => route,
    };
    let mut answer = match route {
        Route::Auth(query) => auth::auth(site, &head.headers, query, peer).await,
        Route::Session(query) => auth::session(site, &head.headers, query, peer).await,
        Route::Events(_) if head.method != Method::GET => answer::only(&Method::GET),
        Route::Events(query) => {
            let streamed = events::events(site, &head.headers, query, caller, shutdown).await;
            return finish(streamed, has_body);
        }
        Route::Ticket(_) | Route::Check | Route::Question | Route::FlushCache | Route::Ended
            if head.method != Method::POST =>
        {
            answer::only(&Method::POST)
        }
        Route::Ticket(query) => auth::ticket(site, &head.headers, query, peer).await,
        Route::Check | Route::Question | Route::FlushCache | Route::Cache | Route::Ended
            if peer != Peer::Unix =>
        {
            answer::plain(StatusCode::FORBIDDEN, "on unix sockets only\n")
        }
        Route::FlushCache => status::flush_cache(site),
        Route::Cache => status::cache(site),
        // These bodies are read to their end, so another request may follow.
        Route::Check => return finish(check::check(site, body).await, false),
        Route::Ended => return finish(ended::ended(site, body).await, false),
        Route::Question => {
            return finish(check::question(site, body, &caller.listener).await, false);
        }
        Route::Health | Route::Ready | Route::Metrics if !peer.is_local() => {
            answer::plain(StatusCode::FORBIDDEN, "forbidden\n")
        }
        Route::Health => answer::plain(StatusCode::OK, "ok\n"),
        Route::Ready if path == READY => status::ready(sites.all(), Age::Now).await,
        Route::Ready => status::ready(std::slice::from_ref(site), Age::Now).await,
        Route::Metrics => status::metrics(&sites, &caller.metrics, Age::Now).await,
        Route::Unknown | Route::Dialect(_) => answer::plain(StatusCode::NOT_FOUND, "not found\n"),
        Route::Malformed => answer::plain(StatusCode::BAD_REQUEST, "a condition cannot be read\n"),
    };
    answer::retry_later(&mut answer);
    finish(answer, has_body)
}

/// Answers one request of a program that asks in the form of the dialect called `name`.
async fn answer_as(
    site: &ServedSite,
    caller: &Caller,
    name: &str,
    head: &Parts,
    body: Incoming,
) -> Answer {
    if !dialects::may_ask(site, caller.peer, &head.headers) {
        let mut answer = answer::plain(StatusCode::UNAUTHORIZED, "the token is missing or wrong\n");
        let challenge = HeaderValue::from_static("Basic realm=\"dialects\"");
        answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        return finish(answer, !body.is_end_stream());
    }
    let place = match Place::of(name, &head.method) {
        Ok(place) => place,
        Err((_, Some(method))) => return finish(answer::only(&method), !body.is_end_stream()),
        Err((status, None)) => {
            return finish(answer::plain(status, "not found\n"), !body.is_end_stream());
        }
    };
    let time = site.configuration.limits.deadline;
    let body = body::read(body, dialects::LONGEST_BODY, time).await;
    let body_left = body.is_err();
    let program = Program {
        peer: caller.peer,
        listener: &caller.listener,
    };
    let reply = place.answer(site, &program, head, body).await;
    // No `Retry-After`: Erlang's httpc, by which RabbitMQ asks, obeys it for as long as the answer is
    // 503, and RabbitMQ's client waits meanwhile.
    finish(answer::reply(reply), body_left)
}

/// Answers one request about the state of the daemon. Many clients may ask, so the stores are not
/// asked for each of them.
async fn answer_status(request: &Request<Incoming>, caller: &Caller) -> Answer {
    let (path, sites) = (request.uri().path(), caller.sites.get());
    let mut answer = match path {
        "/healthz" => answer::plain(StatusCode::OK, "ok\n"),
        READY => status::ready(sites.all(), Age::Recent).await,
        "/metrics" => status::metrics(&sites, &caller.metrics, Age::Recent).await,
        _ => match sites.named(path) {
            Some((site, READY)) => status::ready(std::slice::from_ref(site), Age::Recent).await,
            _ => answer::plain(StatusCode::NOT_FOUND, "not found\n"),
        },
    };
    answer::retry_later(&mut answer);
    finish(answer, !request.body().is_end_stream())
}

/// Adds the headers of every answer.
fn finish(mut answer: Answer, body_left: bool) -> Answer {
    let headers = answer.headers_mut();
    let cache = HeaderValue::from_static("no-store");
    headers.entry(CACHE_CONTROL).or_insert(cache);
    if body_left {
        // The body is never read, because proxies announce one that they do not send. What follows
        // on this connection could not be told from it.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}
