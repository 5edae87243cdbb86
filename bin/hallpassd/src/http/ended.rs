//! Answers `/ended`: the site says that sessions may have ended.

use hyper::StatusCode;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::answer::{self, Answer};
use super::check::{malformed, read};
use crate::site::ServedSite;
use crate::watch::Hint;

/// The longest body, in bytes: a session token of a cookie's length.
const LONGEST: usize = 16 * 1024;

/// The body: one of the two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    session: Option<Zeroizing<String>>,
    user: Option<String>,
}

/// `POST /ended`: what is watched of the session or the account is looked at at once. The site's
/// word is not taken for it. Answers with the number of what is looked at.
pub async fn ended(site: &ServedSite, body: Incoming) -> Answer {
    let body = match read(body, LONGEST, site).await {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let Ok(body) = serde_json::from_slice::<Body>(&body) else {
        return malformed(StatusCode::BAD_REQUEST);
    };
    let hint = match (&body.session, &body.user) {
        (Some(token), None) if !token.is_empty() => Hint::Session(token.as_bytes()),
        (None, Some(name)) if !name.is_empty() => Hint::User(name),
        _ => return malformed(StatusCode::BAD_REQUEST),
    };
    let watched = site.watch.look(&hint);
    answer::json(StatusCode::OK, &json!({ "watched": watched }))
}
