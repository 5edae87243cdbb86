//! Answers requests in a body, which programs of this machine send: `/check` and `/question`.

use std::net::IpAddr;

use hallpass_core::configuration::Listener;
use hallpass_core::{ClaimedName, Client, Conditions, Credential, Request, Secret, Verdict};
use hallpass_runtime::via::wire::{self, RemoteRequest};
use hyper::StatusCode;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::answer::{self, Answer};
use super::body;
use crate::credentials::Shown;
use crate::identity;
use crate::site::{Inquiry, ServedSite};
use crate::sockets::Peer;

/// The longest body of `/check`, in bytes.
const LONGEST_CHECK: usize = 16 * 1024;
/// The longest body of `/question`, in bytes: a session token of a cookie's length, and a list of
/// groups.
const LONGEST_QUESTION: usize = 128 * 1024;

/// The body of `/check`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    user: String,
    password: Zeroizing<String>,
    /// Any of them.
    #[serde(default)]
    groups: Vec<String>,
    /// All of them.
    #[serde(default)]
    permissions: Vec<String>,
    /// The program that asks, for the log.
    host: Option<String>,
    /// The client's address.
    client: Option<IpAddr>,
}

/// `POST /check`: answers with the identity, or with the reason. The reason is not withheld,
/// because a program that can open the unix socket runs a host, and is not a client of one.
pub async fn check(site: &ServedSite, body: Incoming) -> Answer {
    let body = match read(body, LONGEST_CHECK, site).await {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let Ok(check) = serde_json::from_slice::<Check>(&body) else {
        return malformed(StatusCode::BAD_REQUEST);
    };
    let Ok(conditions) = Conditions::parse(&check.groups, &check.permissions) else {
        return malformed(StatusCode::BAD_REQUEST);
    };
    // Only unix sockets come here.
    let client = check.client.filter(|_| site.trusts(Peer::Unix));
    let password = Credential::Password(Secret::new(check.password.as_bytes()));
    let shown = Shown::of(ClaimedName::Named(check.user), password);
    let inquiry = Inquiry {
        host: check.host.as_deref(),
        conditions,
        ..Inquiry::new("check", Ok(shown), Client::at(client))
    };
    let verdict = site.decide(inquiry).await;
    let mut answer = answer::json(answer::status(&verdict), &explained(&verdict));
    answer::retry_later(&mut answer);
    answer
}

/// The verdict, the reason, and the identity.
fn explained(verdict: &Verdict) -> Value {
    let mut explained = match verdict {
        Verdict::Granted(identity) => identity::json(identity),
        _ => json!({}),
    };
    if let Some(object) = explained.as_object_mut() {
        object.insert("verdict".to_owned(), verdict.word().into());
        object.insert("reason".to_owned(), verdict.reason().into());
    }
    explained
}

/// `POST /question`: a program of Hallpass asks the daemon instead of the stores. Answers with the
/// verdict, whatever it is.
pub async fn question(site: &ServedSite, body: Incoming, listener: &Listener) -> Answer {
    let body = match read(body, LONGEST_QUESTION, site).await {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let Ok(remote) = wire::read_request(&body) else {
        return malformed(StatusCode::BAD_REQUEST);
    };
    let RemoteRequest {
        request,
        host,
        ignore_case,
        time,
        recheck,
    } = remote;
    let Request {
        name,
        credential,
        conditions,
        wants_groups,
        client,
    } = request;
    let inquiry = Inquiry {
        host: Some(&host),
        conditions,
        wants_groups,
        ignore_case,
        vouches: site.configuration.daemon.vouches(listener),
        time: Some(time),
        recheck,
        ..Inquiry::new("via", Ok(Shown::of(name, credential)), client)
    };
    let verdict = site.decide(inquiry).await;
    answer::text(
        StatusCode::OK,
        "application/json",
        wire::write_verdict(&verdict),
    )
}

/// All of `body`, of `longest` bytes at most.
///
/// # Errors
/// The answer that says what is wrong with it.
pub(super) async fn read(
    body: Incoming,
    longest: usize,
    site: &ServedSite,
) -> Result<Bytes, Answer> {
    let time = site.configuration.limits.deadline;
    body::read(body, longest, time).await.map_err(|status| {
        let mut answer = malformed(status);
        // The rest of the body is still on the connection, which can hold no other request.
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(CONNECTION, close);
        answer
    })
}

pub(super) fn malformed(status: StatusCode) -> Answer {
    answer::json(
        status,
        &json!({ "verdict": "denied", "reason": "malformed" }),
    )
}
