//! HTTP/1.1: requests in, answers out.

mod answer;
mod body;
mod check;
mod connection;
pub(crate) mod credentials;
mod identity;
mod login;
mod question;
mod request;
pub(crate) mod route;
mod status;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hallpass_core::Verdict;
use hyper::body::{Body, Incoming};
use hyper::header::{CACHE_CONTROL, CONNECTION, HeaderName, HeaderValue, LOCATION};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};

use self::answer::Answer;
use self::connection::{linger, refuse};
use self::credentials::BasicName;
pub use self::credentials::{Accepting, authorization, session_credential};
pub use self::identity::time;
use self::login::login_url;
pub use self::login::page;
use self::route::{Asked, Route, route};
use crate::connections::{Caller, Ended};
use crate::door::Door;
use crate::site::{Asking, Site};
use crate::sites::Sites;
use crate::sockets::Peer;

/// How much of a request's head is read.
const LONGEST_HEAD: usize = 64 * 1024;
/// How long a client may take to send a request's head, or keep a connection without one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves one connection, and once the daemon is told to end, what is in progress on it.
pub async fn serve<S>(
    stream: S,
    site: Arc<Site>,
    sites: Arc<Sites>,
    caller: Caller,
    mut ended: Ended,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |request| {
        let (site, sites, caller) = (Arc::clone(&site), Arc::clone(&sites), caller.clone());
        async move {
            let in_progress = caller.place.asking();
            let answer = answer(&sites, &site, request, &caller).await;
            drop(in_progress);
            Ok::<_, Infallible>(answer)
        }
    });
    // Answers are sent as they come, even where more has been read: what follows may be no request.
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let done = match ended.or(&mut connection).await {
        Some(done) => done,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let http1::Parts { io, read_buf, .. } = connection.into_parts();
    let mut stream = io.into_inner();
    // What a client does wrong ends its connection alone.
    if let Err(error) = done {
        refuse(&mut stream, &error, &read_buf).await;
    }
    ended.or(linger(stream)).await;
}

/// Answers one request, about `first` where its path names no other site.
async fn answer(
    sites: &Sites,
    first: &Arc<Site>,
    request: Request<Incoming>,
    caller: &Caller,
) -> Answer {
    let Caller { peer, at, .. } = caller;
    let peer = *peer;
    let has_body = !request.body().is_end_stream();
    let (head, body) = request.into_parts();
    let (path, query) = (head.uri.path(), head.uri.query());
    let named = sites
        .named(path)
        .map(|(site, rest)| (site, route(rest, query)));
    let (site, route) = match named {
        Some((site, route)) if route != Route::Unknown => (site, route),
        _ => (first, route(path, query)),
    };
    let asked_about: &[Arc<Site>] = if path.ends_with("/readyz") && path.len() > "/readyz".len() {
        std::slice::from_ref(site)
    } else {
        sites.all()
    };
    let mut answer = match route {
        Route::Auth(asked) => auth(site, &head.headers, asked, peer).await,
        Route::Session(asked) => session(site, &head.headers, asked, peer).await,
        Route::Ticket(_) | Route::Check | Route::Question | Route::FlushCache
            if head.method != Method::POST =>
        {
            answer::only(&Method::POST)
        }
        Route::Ticket(asked) => ticket(site, &head.headers, asked, peer).await,
        Route::Check | Route::Question | Route::FlushCache | Route::Cache if peer != Peer::Unix => {
            answer::plain(StatusCode::FORBIDDEN, "on unix sockets only\n")
        }
        Route::FlushCache => status::flush_cache(site),
        Route::Cache => status::cache(site),
        // The bodies that are read: what follows them can be told from them.
        Route::Check => return finish(check::check(site, body).await, false),
        Route::Question => return finish(question::question(site, body, at).await, false),
        Route::Health | Route::Ready | Route::Metrics if !peer.is_local() => {
            answer::plain(StatusCode::FORBIDDEN, "forbidden\n")
        }
        Route::Health => answer::plain(StatusCode::OK, "ok\n"),
        Route::Ready => status::ready(asked_about).await,
        Route::Metrics => status::metrics(sites).await,
        Route::Unknown => answer::plain(StatusCode::NOT_FOUND, "not found\n"),
        Route::Malformed => answer::plain(StatusCode::BAD_REQUEST, "a condition cannot be read\n"),
    };
    answer::retry_later(&mut answer);
    finish(answer, has_body)
}

/// The headers of every answer.
fn finish(mut answer: Answer, body_left: bool) -> Answer {
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if body_left {
        // The body is never read: proxies announce one that they do not send. What follows on
        // this connection could not be told from it.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// `/auth`
async fn auth(site: &Site, headers: &HeaderMap, asked: Asked, peer: Peer) -> Answer {
    let Asked {
        conditions,
        redirect,
        basic,
        original,
    } = asked;
    let asking = asking(site, Door::Auth, headers, peer, conditions);
    let shown = credentials::shown(headers, &Accepting::by(site), basic);
    let verdict = site.decide(shown, asking).await;
    let identity = match &verdict {
        Verdict::Granted(identity) => Some(&**identity),
        _ => None,
    };
    let mut answer = answer::plain(answer::status(&verdict), "");
    if answer.status() == StatusCode::UNAUTHORIZED {
        let login = site.configuration.daemon.login_url.as_deref();
        let wanted = original.as_deref();
        let login = login.map(|template| login_url(template, headers, wanted, site.trusts(peer)));
        if let Some(login) = login.and_then(|url| HeaderValue::try_from(url).ok()) {
            if redirect {
                *answer.status_mut() = StatusCode::FOUND;
                answer.headers_mut().insert(LOCATION, login.clone());
            }
            let name = HeaderName::from_static("x-login-url");
            answer.headers_mut().insert(name, login);
        }
        if basic == BasicName::Binds && !redirect {
            answer::challenge(&mut answer, site);
        }
    }
    identity::put_headers(answer.headers_mut(), identity);
    answer
}

/// `/session`
async fn session(site: &Site, headers: &HeaderMap, asked: Asked, peer: Peer) -> Answer {
    let asking = asking(site, Door::Session, headers, peer, asked.conditions);
    let shown = credentials::shown(headers, &Accepting::by(site), asked.basic);
    let verdict = site.decide(shown, asking).await;
    let body = match &verdict {
        Verdict::Granted(identity) => identity::json(identity),
        // Clients are not told the reason: it would tell which accounts there are.
        _ => json!({ "verdict": verdict.word() }),
    };
    let mut answer = answer::json(answer::status(&verdict), &body);
    if answer.status() == StatusCode::UNAUTHORIZED
        && asked.basic == BasicName::Binds
        && !asked.redirect
    {
        answer::challenge(&mut answer, site);
    }
    answer
}

/// `POST /ticket`: nothing but the site's own session gives one, so that none outlives another.
async fn ticket(site: &Site, headers: &HeaderMap, asked: Asked, peer: Peer) -> Answer {
    if !site.gives_tickets() {
        let message = "tickets are switched off: [tickets] has no key\n";
        return answer::plain(StatusCode::NOT_FOUND, message);
    }
    let asking = asking(site, Door::Ticket, headers, peer, asked.conditions);
    let accepting = Accepting::by(site).sessions_alone();
    let token = credentials::session_token(headers, &accepting);
    let shown = credentials::shown(headers, &accepting, asked.basic);
    let verdict = site.decide(shown, asking).await;
    let (Verdict::Granted(identity), Some(token)) = (&verdict, token) else {
        let body = json!({ "verdict": verdict.word() });
        return answer::json(answer::status(&verdict), &body);
    };
    match site.ticket(&token) {
        Some(Ok((ticket, void))) => answer::json(
            StatusCode::OK,
            &json!({
                "ticket": ticket,
                "user": identity.name,
                "expires": time(void),
            }),
        ),
        Some(Err(error)) => {
            site.log.error(&format!("no ticket could be made: {error}"));
            let body = json!({ "verdict": "unavailable" });
            answer::json(StatusCode::SERVICE_UNAVAILABLE, &body)
        }
        None => answer::plain(StatusCode::NOT_FOUND, ""),
    }
}

fn asking(
    site: &Site,
    door: Door,
    headers: &HeaderMap,
    peer: Peer,
    conditions: hallpass_core::Conditions,
) -> Asking<'static> {
    let client = request::client(headers, peer, site.trusts(peer));
    Asking {
        conditions,
        ..Asking::new(door, client)
    }
}
