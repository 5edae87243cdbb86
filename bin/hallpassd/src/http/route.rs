//! What a request's target asks for.

use hallpass_core::{Conditions, Requirement};
use hallpass_program::via::QUESTION;

use crate::percent;

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    /// `/auth`: may this request in?
    Auth(Asked),
    /// `/session`: who is this?
    Session(Asked),
    /// `/ticket`: something that stands for the session where its cookie cannot go.
    Ticket(Asked),
    /// `/check`: is this the password?
    Check,
    /// `/question`: a program of ours asks.
    Question,
    /// `/cache/flush`: forget the verified passwords.
    FlushCache,
    /// `/cache/stats`: how does the cache of verified passwords do?
    Cache,
    /// `/healthz`: does the process answer?
    Health,
    /// `/readyz`: do the stores answer?
    Ready,
    /// `/metrics`: what was counted?
    Metrics,
    /// Nothing that is known.
    Unknown,
    /// A query that cannot be read, so that a condition in it may have been lost.
    Malformed,
}

/// How a question is asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    /// `group=` (any of them) and `permission=` (all of them).
    pub conditions: Conditions,
    /// `redirect=1`: answer 302 to the login page in place of 401.
    pub redirect: bool,
    /// Unless `basic=0`: whether a refusal asks for Basic authentication.
    pub basic: bool,
}

/// Reads the path and the query of a request's target.
pub fn route(path: &str, query: Option<&str>) -> Route {
    match path {
        "/auth" => asked(query).map_or(Route::Malformed, Route::Auth),
        "/session" => asked(query).map_or(Route::Malformed, Route::Session),
        "/ticket" => asked(query).map_or(Route::Malformed, Route::Ticket),
        // What is asked stands in the body; here it would be overlooked.
        "/check" if query.is_some() => Route::Malformed,
        "/check" => Route::Check,
        QUESTION => Route::Question,
        "/cache/flush" => Route::FlushCache,
        "/cache/stats" => Route::Cache,
        "/healthz" => Route::Health,
        "/readyz" => Route::Ready,
        "/metrics" => Route::Metrics,
        _ => Route::Unknown,
    }
}

fn asked(query: Option<&str>) -> Option<Asked> {
    let mut asked = Asked {
        conditions: Conditions::default(),
        redirect: false,
        basic: true,
    };
    for pair in query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent::decode(value)?;
        match percent::decode(key)?.as_str() {
            "group" => asked.conditions.any.push(Requirement::Group(value)),
            "permission" => asked.conditions.all.push(Requirement::Permission(value)),
            "redirect" => asked.redirect = value == "1",
            "basic" => asked.basic = value != "0",
            // A misspelt condition must not let everybody in.
            _ => return None,
        }
    }
    Some(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(query: &str) -> Asked {
        match route("/auth", Some(query)) {
            Route::Auth(asked) => asked,
            other => panic!("{query}: {other:?}"),
        }
    }

    #[test]
    fn conditions_are_read() {
        let asked = auth("group=a&group=two%20words&permission=app.code&redirect=1&basic=0");
        let group = |name: &str| Requirement::Group(name.to_owned());
        assert_eq!(asked.conditions.any, [group("a"), group("two words")]);
        assert_eq!(
            asked.conditions.all,
            [Requirement::Permission("app.code".into())]
        );
        assert!(asked.redirect && !asked.basic);
        assert_eq!(auth(""), auth("redirect=0&basic=1&"));
        // An empty name is nobody's group, so it lets nobody in.
        assert_eq!(auth("group=").conditions.any, [group("")]);
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
        ] {
            assert_eq!(route("/auth", Some(query)), Route::Malformed, "{query}");
        }
    }

    #[test]
    fn paths_are_exact() {
        assert_eq!(route("/healthz", None), Route::Health);
        assert_eq!(route("/check", None), Route::Check);
        assert_eq!(route("/check", Some("group=a")), Route::Malformed);
        for path in [
            "/", "/auth/", "/Auth", "/authx", "//auth", "/auth/x", "auth", "*", "",
        ] {
            assert_eq!(route(path, None), Route::Unknown, "{path}");
        }
    }
}
