//! `POST /check`: local programs ask about a name and a password.

use std::net::IpAddr;

use hallpass_core::{ClaimedName, Client, Conditions, Credential, Secret, Verdict};
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::answer::{self, Answer};
use super::body::{self, Unread};
use super::identity;
use crate::door::Door;
use crate::site::{Asking, Shown, Site};
use crate::sockets::Peer;

/// The longest body that is read, in bytes.
const LONGEST: usize = 16 * 1024;

/// What is asked.
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

/// Answers with the identity, or with the reason: whoever can open the unix socket runs a host, and
/// is not a client of one.
pub async fn check(site: &Site, body: Incoming) -> Answer {
    let body = match body::read(body, LONGEST, site.configuration.limits.deadline).await {
        Ok(body) => body,
        Err(unread) => return not_read(unread),
    };
    let Ok(check) = serde_json::from_slice::<Check>(&body) else {
        return malformed(StatusCode::BAD_REQUEST);
    };
    let Ok(conditions) = Conditions::parse(&check.groups, &check.permissions) else {
        return malformed(StatusCode::BAD_REQUEST);
    };
    // Only unix sockets come here.
    let client = check.client.filter(|_| site.trusts(Peer::Unix));
    let asking = Asking {
        host: check.host.as_deref(),
        conditions,
        ..Asking::new(Door::Check, Client::at(client))
    };
    let password = Credential::Password(Secret::new(check.password.as_bytes()));
    let shown = Shown::of(ClaimedName::Named(check.user), password);
    let verdict = site.decide(Ok(shown), asking).await;
    let mut answer = answer::json(answer::status(&verdict), &told(&verdict));
    answer::retry_later(&mut answer);
    answer
}

/// The verdict, the reason, and whose identity it is.
fn told(verdict: &Verdict) -> Value {
    let mut told = match verdict {
        Verdict::Granted(identity) => identity::json(identity),
        _ => json!({}),
    };
    if let Some(object) = told.as_object_mut() {
        object.insert("verdict".to_owned(), verdict.word().into());
        object.insert("reason".to_owned(), verdict.reason().into());
    }
    told
}

/// What was not read to its end is still on the connection, which can hold no other request.
pub fn not_read(unread: Unread) -> Answer {
    let mut answer = malformed(match unread {
        Unread::Broken => StatusCode::BAD_REQUEST,
        Unread::Late => StatusCode::REQUEST_TIMEOUT,
        Unread::Long => StatusCode::PAYLOAD_TOO_LARGE,
    });
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(CONNECTION, close);
    answer
}

pub fn malformed(status: StatusCode) -> Answer {
    answer::json(
        status,
        &json!({ "verdict": "denied", "reason": "malformed" }),
    )
}
