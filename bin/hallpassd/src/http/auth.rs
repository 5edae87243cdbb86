//! Answers `/auth`, `/session` and `/ticket`: may this request in, who is it, and a ticket for it.

use hallpass_core::Verdict;
use hyper::header::{HeaderName, HeaderValue, LOCATION};
use hyper::{HeaderMap, StatusCode};
use serde_json::json;

use super::answer::{self, Answer};
use super::request;
use super::route::Query;
use crate::credentials::{self, Accepting, BasicName};
use crate::identity::{self, time};
use crate::login::login_url;
use crate::site::{Inquiry, ServedSite};
use crate::sockets::Peer;

/// `/auth`: the status tells the verdict, and headers the identity.
pub async fn auth(site: &ServedSite, headers: &HeaderMap, query: Query, peer: Peer) -> Answer {
    let Query {
        conditions,
        redirect,
        basic,
        original,
    } = query;
    let inquiry = Inquiry {
        conditions,
        ..inquiry("auth", site, headers, &site.accepting(), basic, peer)
    };
    let verdict = site.decide(inquiry).await;
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

/// `/session`: the identity as JSON.
pub async fn session(site: &ServedSite, headers: &HeaderMap, query: Query, peer: Peer) -> Answer {
    let inquiry = Inquiry {
        conditions: query.conditions,
        ..inquiry(
            "session",
            site,
            headers,
            &site.accepting(),
            query.basic,
            peer,
        )
    };
    let verdict = site.decide(inquiry).await;
    let body = match &verdict {
        Verdict::Granted(identity) => identity::json(identity),
        // The reason is withheld, because it would tell clients which accounts there are.
        _ => json!({ "verdict": verdict.word() }),
    };
    let mut answer = answer::json(answer::status(&verdict), &body);
    if answer.status() == StatusCode::UNAUTHORIZED
        && query.basic == BasicName::Binds
        && !query.redirect
    {
        answer::challenge(&mut answer, site);
    }
    answer
}

/// `POST /ticket`: only the site's own session gives a ticket, so that no ticket outlives another.
pub async fn ticket(site: &ServedSite, headers: &HeaderMap, query: Query, peer: Peer) -> Answer {
    if !site.gives_tickets() {
        let message = "tickets are switched off: [tickets] has no key\n";
        return answer::plain(StatusCode::NOT_FOUND, message);
    }
    let accepting = site.accepting().sessions_alone();
    let token = credentials::session_token(headers, &accepting);
    let inquiry = Inquiry {
        conditions: query.conditions,
        ..inquiry("ticket", site, headers, &accepting, query.basic, peer)
    };
    let verdict = site.decide(inquiry).await;
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
            site.log.error(&format!("cannot make a ticket: {error}"));
            let body = json!({ "verdict": "unavailable" });
            answer::json(StatusCode::SERVICE_UNAVAILABLE, &body)
        }
        None => answer::plain(StatusCode::NOT_FOUND, ""),
    }
}

/// The inquiry in `headers`, without conditions.
pub(super) fn inquiry(
    word: &'static str,
    site: &ServedSite,
    headers: &HeaderMap,
    accepting: &Accepting<'_>,
    basic: BasicName,
    peer: Peer,
) -> Inquiry<'static> {
    let client = request::client(headers, peer, site.trusts(peer));
    let shown = credentials::shown(headers, accepting, basic);
    Inquiry::new(word, shown, client)
}
