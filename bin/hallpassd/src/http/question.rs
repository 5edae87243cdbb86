//! `POST /question`: a program of ours asks the daemon in place of the stores.

use hallpass_core::Request;
use hallpass_core::configuration::Listener;
use hallpass_runtime::via::wire::{self, RemoteRequest};
use hyper::StatusCode;
use hyper::body::Incoming;

use super::answer::{self, Answer};
use super::body;
use super::check::{malformed, not_read};
use crate::door::Door;
use crate::site::{Asking, Shown, Site};

/// The longest body that is read, in bytes: a session token of a cookie's length, and a list of
/// groups.
const LONGEST: usize = 128 * 1024;

/// Answers with the verdict, whatever it is.
pub async fn question(site: &Site, body: Incoming, at: &Listener) -> Answer {
    let body = match body::read(body, LONGEST, site.configuration.limits.deadline).await {
        Ok(body) => body,
        Err(unread) => return not_read(unread),
    };
    let Ok(remote) = wire::read_request(&body) else {
        return malformed(StatusCode::BAD_REQUEST);
    };
    let RemoteRequest {
        request,
        host,
        ignore_case,
        time,
    } = remote;
    let Request {
        name,
        credential,
        conditions,
        wants_groups,
        client,
    } = request;
    let asking = Asking {
        host: Some(&host),
        conditions,
        wants_groups,
        ignore_case,
        vouches: site.configuration.daemon.vouches(at),
        time: Some(time),
        ..Asking::new(Door::Via, client)
    };
    let verdict = site.decide(Ok(Shown::of(name, credential)), asking).await;
    answer::text(
        StatusCode::OK,
        "application/json",
        wire::write_verdict(&verdict),
    )
}
