//! Reads a request's target: its path, and the query's options and conditions.

use hallpass_core::{Conditions, Requirement};
use hallpass_runtime::via::QUESTION;

use crate::credentials::BasicName;
use crate::percent;

/// The request that a target makes.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    /// `/auth`: may this request in?
    Auth(Query),
    /// `/session`: who is this?
    Session(Query),
    /// `/session/events`: who is this, and when does that end?
    Events(Query),
    /// `/ended`: these sessions may have ended.
    Ended,
    /// `/ticket`: a ticket for the session, for where its cookie cannot go.
    Ticket(Query),
    /// `/check`: is this the password?
    Check,
    /// `/question`: a request of a Hallpass program.
    Question,
    /// `/as/…`: a request of another program, in its own form. What follows `/as/`.
    Dialect(String),
    /// `/cache/flush`: flush the cache of verified passwords.
    FlushCache,
    /// `/cache/stats`: the statistics of the cache of verified passwords.
    Cache,
    /// `/healthz`: is the process alive?
    Health,
    /// `/readyz`: do the stores answer?
    Ready,
    /// `/metrics`: the metrics.
    Metrics,
    /// An unknown path.
    Unknown,
    /// A query that cannot be read, so that a condition in it may have been lost.
    Malformed,
}

/// The query of a request for a verdict.
#[derive(Debug, PartialEq, Eq)]
pub struct Query {
    /// `group=` (any of them), `permission=` and `is=` (all of them).
    pub conditions: Conditions,
    /// `redirect=1`: answer 302 to the login page in place of 401.
    pub redirect: bool,
    /// `basic=0`: the host does not go on with the name in Basic authentication, which is then
    /// ignored, and never parsed for.
    pub basic: BasicName,
    /// `original=`, which takes all that follows it, or what follows `/auth`: the address that the
    /// client wanted, as Envoy puts it behind its `path_prefix`.
    pub original: Option<String>,
}

/// Reads the path and the query of a request's target.
pub fn route(path: &str, query: Option<&str>) -> Route {
    match path {
        "/auth" => parse(query).map_or(Route::Malformed, Route::Auth),
        "/session" => parse(query).map_or(Route::Malformed, Route::Session),
        "/session/events" => parse(query).map_or(Route::Malformed, Route::Events),
        "/ticket" => parse(query).map_or(Route::Malformed, Route::Ticket),
        // The request is in the body. In the query it would be overlooked.
        "/check" if query.is_some() => Route::Malformed,
        "/check" => Route::Check,
        "/ended" if query.is_some() => Route::Malformed,
        "/ended" => Route::Ended,
        QUESTION => Route::Question,
        "/cache/flush" => Route::FlushCache,
        "/cache/stats" => Route::Cache,
        "/healthz" => Route::Health,
        "/readyz" => Route::Ready,
        "/metrics" => Route::Metrics,
        _ => match (path.strip_prefix("/auth"), path.strip_prefix("/as/")) {
            (Some(wanted), _) if wanted.starts_with('/') => followed_by(wanted, query),
            (_, Some(dialect)) => Route::Dialect(dialect.to_owned()),
            _ => Route::Unknown,
        },
    }
}

/// `/auth` followed by the address that the client wanted: nothing in it is a condition.
fn followed_by(path: &str, query: Option<&str>) -> Route {
    // But an operator may have written one slash too many, and the condition must not be lost.
    if path == "/" && query.is_some_and(has_option) {
        return Route::Malformed;
    }
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Route::Auth(Query {
        original: Some(format!("{path}{query}")),
        ..Query::default()
    })
}

fn has_option(query: &str) -> bool {
    query.split('&').any(|pair| {
        let key = pair.split_once('=').map_or(pair, |(key, _)| key);
        let key = percent::decode(key).unwrap_or_default();
        let options = ["group", "permission", "is", "redirect", "basic", "original"];
        options.contains(&key.as_str())
    })
}

impl Default for Query {
    fn default() -> Self {
        Self {
            conditions: Conditions::default(),
            redirect: false,
            basic: BasicName::Binds,
            original: None,
        }
    }
}

/// The conditions in the query of `/auth`; `None` for a query that is answered 400.
#[must_use]
pub fn conditions(query: &str) -> Option<Conditions> {
    parse(Some(query)).map(|query| query.conditions)
}

/// The conditions in a query that holds nothing else; `None` for one that cannot be read.
#[must_use]
pub fn conditions_alone(query: &str) -> Option<Conditions> {
    let alone = |pair: &str| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        let name = percent::decode(name).unwrap_or_default();
        name.is_empty() || ["group", "permission", "is"].contains(&name.as_str())
    };
    query.split('&').all(alone).then(|| conditions(query))?
}

fn parse(query: Option<&str>) -> Option<Query> {
    let mut parsed = Query::default();
    let mut rest = query.unwrap_or_default();
    while !rest.is_empty() {
        // The query is the client's own, and not for hallpassd.
        if let Some(wanted) = rest.strip_prefix("original=") {
            parsed.original = Some(wanted.to_owned());
            break;
        }
        let (pair, more) = rest.split_once('&').unwrap_or((rest, ""));
        rest = more;
        if pair.is_empty() {
            continue;
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent::decode(value)?;
        match percent::decode(key)?.as_str() {
            "group" => parsed.conditions.any.push(value.parse().ok()?),
            "permission" => parsed
                .conditions
                .all
                .push(Requirement::permission(&value).ok()?),
            "is" => parsed.conditions.all.push(Requirement::flag(&value).ok()?),
            "redirect" => parsed.redirect = value == "1",
            "basic" if value == "0" => parsed.basic = BasicName::Ignored,
            "basic" => parsed.basic = BasicName::Binds,
            // A misspelt condition must not admit every account.
            _ => return None,
        }
    }
    Some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(query: &str) -> Query {
        match route("/auth", Some(query)) {
            Route::Auth(parsed) => parsed,
            other => panic!("{query}: {other:?}"),
        }
    }

    #[test]
    fn conditions_are_read() {
        let parsed = auth("group=a&group=two%20words&permission=app.code&redirect=1&basic=0");
        let group = |name: &str| Requirement::Group(name.to_owned());
        assert_eq!(parsed.conditions.any, [group("a"), group("two words")]);
        assert_eq!(
            parsed.conditions.all,
            [Requirement::Permission("app.code".into())]
        );
        assert!(parsed.redirect);
        assert_eq!(parsed.basic, BasicName::Ignored);
        assert_eq!(auth(""), auth("redirect=0&basic=1&"));
        // No group has an empty name, so no account is in it.
        assert_eq!(auth("group=").conditions.any, [group("")]);
        let parsed = auth("group=is:staff&group=perm%3Aa.b&is=superuser&is=staff");
        assert_eq!(
            parsed.conditions.any,
            [Requirement::Staff, Requirement::Permission("a.b".into())]
        );
        assert_eq!(
            parsed.conditions.all,
            [Requirement::Superuser, Requirement::Staff]
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_ignored() {
        for query in [
            "groups=a",
            "Group=a",
            "group=%FF",
            "ticket=x",
            "=",
            "permissions=a.b",
            "original",
            "%6Friginal=/x",
            "Original=/x",
            "group=is:staf",
            "group=perm:",
            "group=perm:shop.",
            "permission=",
            "permission=shop.",
            "permission=perm:a.b",
            "is=",
            "is=admin",
            "is",
        ] {
            assert_eq!(route("/auth", Some(query)), Route::Malformed, "{query}");
        }
    }

    #[test]
    fn what_follows_is_the_address_that_was_wanted() {
        let original = |path, query| match route(path, query) {
            Route::Auth(parsed) => {
                assert_eq!(parsed.conditions, Conditions::default());
                parsed.original
            }
            other => panic!("{path}: {other:?}"),
        };
        assert_eq!(original("/auth", None), None);
        assert_eq!(original("/auth/", None).as_deref(), Some("/"));
        let query = Some("group=a&permission=b&redirect=1");
        let wanted = "/x%20y/../healthz?group=a&permission=b&redirect=1";
        assert_eq!(
            original("/auth/x%20y/../healthz", query).as_deref(),
            Some(wanted)
        );
        assert_eq!(original("/auth/", Some("a=b")).as_deref(), Some("/?a=b"));
        // A slash too many before a condition.
        for query in [
            "group=a",
            "a&permission=b",
            "%67roup=a",
            "redirect=1",
            "basic",
            "is=staff",
            "original=",
        ] {
            assert_eq!(route("/auth/", Some(query)), Route::Malformed, "{query}");
        }
    }

    #[test]
    fn the_last_option_takes_what_the_client_says() {
        let parsed = auth("group=a&redirect=1&original=/x?y=%zz&group=b&original=/z");
        assert_eq!(parsed.conditions.any, [Requirement::Group("a".to_owned())]);
        assert!(parsed.redirect);
        assert_eq!(
            parsed.original.as_deref(),
            Some("/x?y=%zz&group=b&original=/z")
        );
        assert_eq!(auth("original=").original.as_deref(), Some(""));
    }

    #[test]
    fn paths_are_exact() {
        assert_eq!(route("/healthz", None), Route::Health);
        assert_eq!(route("/check", None), Route::Check);
        assert_eq!(route("/check", Some("group=a")), Route::Malformed);
        for path in [
            "/",
            "/Auth",
            "/authx",
            "//auth",
            "/auth*",
            "/auth%2F",
            "/session/x",
            "/healthz/",
            "auth",
            "*",
            "",
        ] {
            assert_eq!(route(path, None), Route::Unknown, "{path}");
        }
    }

    #[test]
    fn no_site_can_be_called_as_a_route_begins() {
        for path in [
            "/auth",
            "/session",
            "/ticket",
            "/check",
            "/question",
            "/cache/flush",
            "/cache/stats",
            "/healthz",
            "/readyz",
            "/metrics",
            "/as/rabbitmq/user",
        ] {
            assert_ne!(route(path, None), Route::Unknown, "{path}");
            let first = path.split('/').nth(1).unwrap();
            let routes = hallpass_core::configuration::ROUTES;
            assert!(routes.contains(&first), "{path}");
        }
    }
}
