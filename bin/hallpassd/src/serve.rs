//! Requests in, answers out.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use hallpass_core::configuration::{Daemon, TrustedProxy};
use hallpass_core::{Configuration, Deadline, Question, Reason, Verdict};
use hallpass_program::Log;
use hallpass_program::log::Decision;
use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use hyper::{HeaderMap, Request, Response, StatusCode};
use serde_json::json;

use crate::credentials::credentials;
use crate::identity;
use crate::listen::Peer;
use crate::login::login_url;
use crate::pool::Pool;
use crate::route::{Asked, Route, route};

/// How long, in seconds, a client is asked to wait when a store could not be asked.
const RETRY_AFTER_SECONDS: &str = "2";

/// What every request needs.
#[derive(Debug)]
pub struct Site {
    pub configuration: Arc<Configuration>,
    pub pool: Pool,
    pub log: Log,
}

type Answer = Response<Full<Bytes>>;

impl Site {
    /// Answers one request.
    pub async fn serve(
        &self,
        request: Request<Incoming>,
        peer: Peer,
    ) -> Result<Answer, Infallible> {
        let has_body = !request.body().is_end_stream();
        let (head, _body) = request.into_parts();
        let mut answer = match route(head.uri.path(), head.uri.query()) {
            Route::Auth(asked) => self.auth(&head.headers, asked, peer).await,
            Route::Session(asked) => self.session(&head.headers, asked, peer).await,
            Route::Health if peer.is_local() => plain(StatusCode::OK, "ok\n"),
            Route::Health => plain(StatusCode::FORBIDDEN, "forbidden\n"),
            Route::Unknown => plain(StatusCode::NOT_FOUND, "not found\n"),
            Route::Malformed => plain(StatusCode::BAD_REQUEST, "a condition cannot be read\n"),
        };
        let headers = answer.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if has_body {
            // The body is never read: proxies announce one that they do not send. What follows on
            // this connection could not be told from it.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(answer)
    }

    async fn auth(&self, headers: &HeaderMap, asked: Asked, peer: Peer) -> Answer {
        let Asked {
            conditions,
            redirect,
            basic,
        } = asked;
        let verdict = self.decide(headers, conditions, peer).await;
        let identity = match &verdict {
            Verdict::Granted(identity) => Some(&**identity),
            _ => None,
        };
        let mut answer = plain(status(&verdict), "");
        let daemon = &self.configuration.daemon;
        let login = daemon.login_url.as_deref();
        let login = login.map(|template| login_url(template, headers, trusted(daemon, peer)));
        let login = login.and_then(|url| HeaderValue::try_from(url).ok());
        if answer.status() == StatusCode::UNAUTHORIZED {
            if redirect && let Some(login) = &login {
                *answer.status_mut() = StatusCode::FOUND;
                answer.headers_mut().insert(LOCATION, login.clone());
            }
            if let Some(login) = login {
                answer
                    .headers_mut()
                    .insert(HeaderName::from_static("x-login-url"), login);
            }
            if basic && !redirect {
                self.challenge(&mut answer);
            }
        }
        retry_later(&mut answer);
        identity::put_headers(answer.headers_mut(), identity);
        answer
    }

    async fn session(&self, headers: &HeaderMap, asked: Asked, peer: Peer) -> Answer {
        let verdict = self.decide(headers, asked.conditions, peer).await;
        let body = match &verdict {
            Verdict::Granted(identity) => identity::json(identity),
            // Clients are not told the reason: it would tell which accounts there are.
            _ => json!({ "verdict": verdict.word() }),
        };
        let mut answer = plain(status(&verdict), &format!("{body}\n"));
        answer
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if answer.status() == StatusCode::UNAUTHORIZED && asked.basic && !asked.redirect {
            self.challenge(&mut answer);
        }
        retry_later(&mut answer);
        answer
    }

    fn challenge(&self, answer: &mut Answer) {
        let daemon = &self.configuration.daemon;
        if daemon.accept.password {
            let realm = daemon.realm.replace('\\', "\\\\").replace('"', "\\\"");
            let challenge = format!("Basic realm=\"{realm}\", charset=\"UTF-8\"");
            if let Ok(challenge) = HeaderValue::try_from(challenge) {
                answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
        }
    }

    /// The verdict on the credentials of a request: the first that is granted, else the one that
    /// says most. Not knowing weighs more than knowing who it is, and that more than not.
    async fn decide(
        &self,
        headers: &HeaderMap,
        conditions: hallpass_core::Conditions,
        peer: Peer,
    ) -> Verdict {
        let started = Instant::now();
        let deadline = Deadline::after(self.configuration.limits.deadline);
        let accept = self.configuration.daemon.accept;
        let cookie_name = self.configuration.session_cookie_name();
        let client = client(headers, peer, trusted(&self.configuration.daemon, peer));
        let mut user = None;
        let mut verdict = Verdict::Denied(Reason::NoSession);
        for credential in credentials(headers, accept, cookie_name) {
            user = credential.name().map(str::to_owned);
            let question = Question {
                credential,
                conditions: conditions.clone(),
                wants_groups: true,
                client,
            };
            let next = self.pool.ask(question, deadline).await;
            if weight(&next) >= weight(&verdict) {
                verdict = next;
            }
            if matches!(verdict, Verdict::Granted(_)) {
                break;
            }
        }
        self.log.decision(&Decision {
            user: user.as_deref(),
            client,
            verdict: &verdict,
            took: started.elapsed(),
        });
        verdict
    }
}

fn weight(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Granted(_) => 3,
        Verdict::Unavailable(_) => 2,
        Verdict::Denied(Reason::NotPermitted) => 1,
        Verdict::Denied(_) => 0,
    }
}

fn status(verdict: &Verdict) -> StatusCode {
    match verdict {
        Verdict::Granted(_) => StatusCode::OK,
        Verdict::Denied(Reason::NotPermitted) => StatusCode::FORBIDDEN,
        Verdict::Denied(_) => StatusCode::UNAUTHORIZED,
        Verdict::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn retry_later(answer: &mut Answer) {
    if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
        answer
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
    }
}

fn plain(status: StatusCode, body: &str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *answer.status_mut() = status;
    if !body.is_empty() {
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        answer.headers_mut().insert(CONTENT_TYPE, plain);
    }
    answer
}

/// Whether the word of `peer` is taken for what its client wanted and where it is.
fn trusted(daemon: &Daemon, peer: Peer) -> bool {
    daemon.trusted_proxies.contains(&match peer {
        Peer::Address(address) => TrustedProxy::Address(address),
        Peer::Unix => TrustedProxy::Unix,
    })
}

/// The client's address, for the log and for counting wrong passwords: what a trusted proxy added
/// last to `X-Forwarded-For`, else the peer. `X-Real-IP` is not believed: a proxy that does not set
/// it passes on whatever the client wrote there.
fn client(headers: &HeaderMap, peer: Peer, trusted: bool) -> Option<IpAddr> {
    let own = match peer {
        Peer::Address(address) => Some(address),
        Peer::Unix => None,
    };
    let said = || -> Option<IpAddr> {
        let last = headers.get_all("x-forwarded-for").iter().next_back()?;
        last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
    };
    if trusted { said().or(own) } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_cannot_say_where_it_is() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-real-ip", "192.0.2.1"),
            ("forwarded", "for=192.0.2.1"),
            ("x-forwarded-for", "192.0.2.1, 192.0.2.2"),
            ("x-forwarded-for", "192.0.2.3, 203.0.113.7"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let address = |text: &str| text.parse().ok();
        assert_eq!(client(&headers, Peer::Unix, true), address("203.0.113.7"));
        assert_eq!(client(&headers, Peer::Unix, false), None);
        let peer = Peer::Address([198, 51, 100, 1].into());
        assert_eq!(client(&headers, peer, false), address("198.51.100.1"));
        headers.remove("x-forwarded-for");
        assert_eq!(client(&headers, peer, true), address("198.51.100.1"));
        assert_eq!(client(&headers, Peer::Unix, true), None);
    }
}
