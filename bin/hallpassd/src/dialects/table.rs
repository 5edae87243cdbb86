//! Lists the dialects: their paths, what a question looks like there, and the answers.
//!
//! A denial has the status that the program reads as final. EMQX takes every other status than 200
//! for *ask the next one*, so there even a malformed question is denied with 200.

use std::time::{SystemTime, UNIX_EPOCH};

use hallpass_core::Identity;
use serde_json::json;

use super::answers::{Answers, Granted, Reply};
use super::fields::Malformed;
use super::question::{self as read, Asked, Message};

/// One path of a dialect.
#[derive(Debug)]
pub struct Row {
    /// The dialect's name, which is its word in logs and metrics, too.
    pub dialect: &'static str,
    /// What follows `/as/DIALECT`.
    pub path: &'static str,
    pub format: Format,
    pub names: Names,
    pub read: fn(&Message<'_>) -> Result<Asked, Malformed>,
    pub answers: &'static Answers,
}

/// The method of a request, and the form of its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// GET: in the query.
    Query,
    /// POST: in the body, as a form. GET: in the query.
    FormOrQuery,
    /// POST: in the body, as JSON, whatever its content type.
    Json,
    /// POST: in the body, as a form if the content type says so, else as JSON.
    FormOrJson,
    /// POST: the body is not looked at.
    Ignored,
}

/// What the program has done with the names that it asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Nothing.
    Exact,
    /// They are in lower case.
    Folded,
    /// They are parts of a JID. `[ejabberd]` says how they are read, and what a password may be.
    Jid,
}

const fn row(
    (dialect, path): (&'static str, &'static str),
    format: Format,
    read: fn(&Message<'_>) -> Result<Asked, Malformed>,
    answers: &'static Answers,
) -> Row {
    Row {
        dialect,
        path,
        format,
        names: Names::Exact,
        read,
        answers,
    }
}

const fn jid(
    place: (&'static str, &'static str),
    format: Format,
    read: fn(&Message<'_>) -> Result<Asked, Malformed>,
    answers: &'static Answers,
) -> Row {
    Row {
        names: Names::Jid,
        ..row(place, format, read, answers)
    }
}

const RABBITMQ: &str = "rabbitmq";
const MOSQUITTO: &str = "mosquitto-go-auth";
const MONGOOSEIM: &str = "mongooseim";
const PROSODY: &str = "prosody";
const CENTRIFUGO: &str = "centrifugo";

/// All paths of all dialects.
#[rustfmt::skip]
pub static TABLE: [Row; 29] = [
    row((RABBITMQ, "/user"), Format::FormOrQuery, read::rabbitmq_user, &ALLOW_OR_DENY),
    row((RABBITMQ, "/vhost"), Format::FormOrQuery, read::rabbitmq_vhost, &ALLOW_OR_DENY),
    row((RABBITMQ, "/resource"), Format::FormOrQuery, read::rabbitmq_resource, &ALLOW_OR_DENY),
    row((RABBITMQ, "/topic"), Format::FormOrQuery, read::rabbitmq_topic, &ALLOW_OR_DENY),
    row((MOSQUITTO, "/user"), Format::FormOrJson, read::mosquitto_user, &GO_AUTH),
    row((MOSQUITTO, "/superuser"), Format::FormOrJson, read::mosquitto_superuser, &GO_AUTH_FORBIDDEN),
    row((MOSQUITTO, "/acl"), Format::FormOrJson, read::mosquitto_acl, &GO_AUTH),
    row(("emqx", ""), Format::FormOrJson, read::emqx, &EMQX),
    row(("vernemq", ""), Format::Json, read::vernemq, &VERNEMQ),
    jid((MONGOOSEIM, "/check_password"), Format::Query, read::xmpp_password, &TRUE_OR_FALSE),
    jid((MONGOOSEIM, "/user_exists"), Format::Query, read::xmpp_exists, &TRUE_OR_FALSE),
    jid((MONGOOSEIM, "/get_password"), Format::Query, read::refused, &NOT_FOUND),
    jid((MONGOOSEIM, "/get_certs"), Format::Query, read::refused, &NOT_FOUND),
    jid((MONGOOSEIM, "/set_password"), Format::Ignored, read::refused, &FORBIDDEN),
    jid((MONGOOSEIM, "/register"), Format::Ignored, read::refused, &FORBIDDEN),
    jid((MONGOOSEIM, "/remove_user"), Format::Ignored, read::refused, &FORBIDDEN),
    jid((MONGOOSEIM, "/remove_user_validate"), Format::Ignored, read::refused, &FORBIDDEN),
    jid((PROSODY, "/check_password"), Format::Query, read::xmpp_password, &TRUE_OR_FALSE),
    jid((PROSODY, "/user_exists"), Format::Query, read::xmpp_exists, &TRUE_OR_FALSE),
    jid((PROSODY, "/get_password"), Format::Query, read::refused, &NOT_FOUND),
    jid((PROSODY, "/set_password"), Format::Ignored, read::refused, &FORBIDDEN),
    jid((PROSODY, "/register"), Format::Ignored, read::refused, &FORBIDDEN),
    jid((PROSODY, "/remove_user"), Format::Ignored, read::refused, &FORBIDDEN),
    jid((PROSODY, ""), Format::Json, read::prosody_custom, &TRUE_OR_FALSE),
    Row {
        names: Names::Folded,
        ..row(("synapse", "/_matrix-internal/identity/v1/check_credentials"), Format::Json, read::synapse, &SYNAPSE)
    },
    row((CENTRIFUGO, ""), Format::Json, read::centrifugo_connect, &CENTRIFUGO_CONNECT),
    row((CENTRIFUGO, "/connect"), Format::Json, read::centrifugo_connect, &CENTRIFUGO_CONNECT),
    row((CENTRIFUGO, "/refresh"), Format::Json, read::centrifugo_refresh, &CENTRIFUGO_REFRESH),
    row(("freeradius", ""), Format::Json, read::freeradius, &STATUS_ALONE),
];

/// The row of `place`, which is what follows `/as/`.
pub fn find(place: &str) -> Option<&'static Row> {
    let mut rows = TABLE.iter();
    rows.find(|row| place.strip_prefix(row.dialect) == Some(row.path))
}

const UNAVAILABLE: Reply = Reply::text(503, "unavailable");
const DENY: Reply = Reply::text(200, "deny");
const FALSE: Reply = Reply::text(200, "false");

/// RabbitMQ, for which every body that begins with `allow` is a yes.
static ALLOW_OR_DENY: Answers = Answers {
    granted: Granted::Same(Reply::text(200, "allow")),
    denied: DENY,
    next: DENY,
    unavailable: UNAVAILABLE,
    malformed: Reply::text(400, "deny"),
};

/// XMPP servers, for which the body is a yes that is exactly `true`.
static TRUE_OR_FALSE: Answers = Answers {
    granted: Granted::Same(Reply::text(200, "true")),
    denied: FALSE,
    next: FALSE,
    unavailable: UNAVAILABLE,
    malformed: Reply::text(400, "false"),
};

/// What XMPP servers may not have.
static NOT_FOUND: Answers = never(Reply::text(404, "not found"));

/// What XMPP servers may not change.
static FORBIDDEN: Answers = never(Reply::text(403, "forbidden"));

const fn never(denied: Reply) -> Answers {
    Answers {
        granted: Granted::Never,
        denied,
        next: FALSE,
        unavailable: UNAVAILABLE,
        malformed: Reply::text(400, "false"),
    }
}

/// mosquitto-go-auth reads the status, or the body, by its `response_mode`.
static GO_AUTH: Answers = go_auth(401);

static GO_AUTH_FORBIDDEN: Answers = go_auth(403);

const fn go_auth(denied: u16) -> Answers {
    const BODY: &str = r#"{"Ok":false,"Error":"denied"}"#;
    Answers {
        granted: Granted::Same(Reply::json(200, r#"{"Ok":true,"Error":""}"#)),
        denied: Reply::json(denied, BODY),
        next: Reply::json(denied, BODY),
        unavailable: Reply::json(503, r#"{"Ok":false,"Error":"unavailable"}"#),
        malformed: Reply::json(400, BODY),
    }
}

/// EMQX, for which every other status than 200 and 204 says nothing.
static EMQX: Answers = Answers {
    granted: Granted::Same(Reply::json(
        200,
        r#"{"result":"allow","is_superuser":false}"#,
    )),
    denied: Reply::json(200, r#"{"result":"deny"}"#),
    next: Reply::json(200, r#"{"result":"ignore"}"#),
    unavailable: Reply::json(503, r#"{"error":"unavailable"}"#),
    malformed: Reply::json(200, r#"{"result":"deny"}"#),
};

static VERNEMQ: Answers = Answers {
    granted: Granted::Same(Reply::json(200, r#"{"result":"ok"}"#)),
    denied: Reply::json(200, r#"{"result":{"error":"not_allowed"}}"#),
    next: Reply::json(200, r#"{"result":"next"}"#),
    unavailable: Reply::json(503, r#"{"error":"unavailable"}"#),
    malformed: Reply::json(400, r#"{"result":{"error":"not_allowed"}}"#),
};

static SYNAPSE: Answers = Answers {
    granted: Granted::Made(|identity, id| {
        // Synapse's provider fails without `profile`.
        let mut profile = json!({ "display_name": display_name(identity) });
        if !identity.email.is_empty()
            && let Some(profile) = profile.as_object_mut()
        {
            let address = json!([{ "medium": "email", "address": identity.email }]);
            profile.insert("three_pids".to_owned(), address);
        }
        Some(json!({ "auth": { "success": true, "mxid": id, "profile": profile } }))
    }),
    denied: Reply::json(200, r#"{"auth":{"success":false}}"#),
    next: Reply::json(200, r#"{"auth":{"success":false}}"#),
    unavailable: Reply::json(503, r#"{"error":"unavailable"}"#),
    malformed: Reply::json(400, r#"{"auth":{"success":false}}"#),
};

fn display_name(identity: &Identity) -> &str {
    match identity.full_name.is_empty() {
        true => &identity.name,
        false => &identity.full_name,
    }
}

const DISCONNECT: &str = r#"{"disconnect":{"code":4501,"reason":"unauthorized"}}"#;

/// Centrifugo, whose clients do not come back after the codes 4500 to 4999.
static CENTRIFUGO_CONNECT: Answers = Answers {
    granted: Granted::Made(|identity, _| {
        // Without a user, the connection would be an anonymous one.
        let named = !identity.name.is_empty();
        named.then(|| {
            let expires = expires(identity);
            let result = expires.map_or_else(
                || json!({ "user": identity.name }),
                |expires| json!({ "user": identity.name, "expire_at": expires }),
            );
            json!({ "result": result })
        })
    }),
    denied: Reply::json(200, DISCONNECT),
    next: Reply::json(200, DISCONNECT),
    unavailable: Reply::json(503, r#"{"error":"unavailable"}"#),
    malformed: Reply::json(400, DISCONNECT),
};

const EXPIRED: &str = r#"{"result":{"expired":true}}"#;

static CENTRIFUGO_REFRESH: Answers = Answers {
    granted: Granted::Made(|identity, _| {
        // A session that has no end of its own is looked at again.
        let expires = expires(identity).map_or_else(|| json!({}), |at| json!({ "expire_at": at }));
        Some(json!({ "result": expires }))
    }),
    denied: Reply::json(200, EXPIRED),
    next: Reply::json(200, EXPIRED),
    unavailable: Reply::json(503, r#"{"error":"unavailable"}"#),
    malformed: Reply::json(400, EXPIRED),
};

/// When the session ends, in seconds since 1970.
fn expires(identity: &Identity) -> Option<u64> {
    let expires: SystemTime = identity.session.as_ref()?.expires?;
    let since = expires.duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}

/// FreeRADIUS, for which every other status than 204 (and 200 with JSON) rejects.
static STATUS_ALONE: Answers = Answers {
    granted: Granted::Same(Reply::text(204, "")),
    denied: Reply::text(401, "denied"),
    next: Reply::text(401, "denied"),
    unavailable: UNAVAILABLE,
    malformed: Reply::text(400, "malformed"),
};
